//! The image files under the paths that a user names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The extensions taken from folders, in lower case; files named outright are taken whatever they
/// are called.
pub const IMAGE_EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"];

/// Expands folders into the image files below them.
///
/// Paths keep the order given; within a folder, entries come sorted by name, folders descended into
/// where they stand, so the list is the same on every run. A path that is not a folder is taken as
/// it is, there or not: decoding it says what is wrong. From folders, files with one of
/// [`IMAGE_EXTENSIONS`] are taken, hidden ones left out. A folder reached twice, by a loop of
/// symbolic links for one, is listed once; one that cannot be read is logged and passed over.
pub fn list_images<P: AsRef<Path>>(paths: &[P]) -> Vec<PathBuf> {
    let mut images = Vec::new();
    let mut pass_over = |error: WalkError| {
        log::warn!("passing over a folder: {error}");
        Ok(())
    };
    for path in paths.iter().map(AsRef::as_ref) {
        if path.is_dir() {
            images.extend(walk(path, &mut BTreeSet::new(), &mut pass_over).unwrap_or_default());
        } else {
            images.push(path.to_owned());
        }
    }
    images
}

/// A folder that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the folder: {source}: {}", folder.display())]
pub struct WalkError {
    /// The folder.
    pub folder: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

/// What one folder holds, each list by name. Hidden entries and other files are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Folders in it.
    pub folders: Vec<PathBuf>,
    /// Images in it.
    pub images: Vec<PathBuf>,
}

/// Lists one folder, not what is below it; links count as what they point at.
///
/// # Errors
/// If it cannot be read.
pub fn list_folder(folder: &Path) -> Result<Listing, WalkError> {
    let error = |source| WalkError { folder: folder.to_owned(), source };
    let mut listing = Listing::default();
    for entry in fs::read_dir(folder).map_err(error)? {
        let path = entry.map_err(error)?.path();
        if is_hidden(&path) {
            continue;
        }
        if path.is_dir() {
            listing.folders.push(path);
        } else if has_image_extension(&path) && path.is_file() {
            listing.images.push(path);
        }
    }
    listing.folders.sort();
    listing.images.sort();
    Ok(listing)
}

/// The images below a folder, as [`list_images`] lists them.
///
/// # Errors
/// If a folder cannot be read.
pub fn images_below(folder: &Path) -> Result<Vec<PathBuf>, WalkError> {
    walk(folder, &mut BTreeSet::new(), &mut Err)
}

/// The images below `root`; `visited` holds the real paths of folders seen, `unreadable` says
/// whether to go on without one.
fn walk(
    root: &Path,
    visited: &mut BTreeSet<PathBuf>,
    unreadable: &mut dyn FnMut(WalkError) -> Result<(), WalkError>,
) -> Result<Vec<PathBuf>, WalkError> {
    let mut images = Vec::new();
    // A stack of its own: a deep tree must not exhaust the thread's.
    let mut pending = vec![(root.to_owned(), true)];
    while let Some((path, is_folder)) = pending.pop() {
        if !is_folder {
            images.push(path);
            continue;
        }
        match new_entries(&path, visited) {
            Ok(entries) => pending.extend(entries.into_iter().rev()),
            Err(error) => unreadable(error)?,
        }
    }
    Ok(images)
}

/// Folders (true) and images (false) directly in `folder`, by name; none where it was visited before.
fn new_entries(
    folder: &Path,
    visited: &mut BTreeSet<PathBuf>,
) -> Result<Vec<(PathBuf, bool)>, WalkError> {
    let real = folder.canonicalize();
    let real = real.map_err(|source| WalkError { folder: folder.to_owned(), source })?;
    if !visited.insert(real) {
        return Ok(Vec::new());
    }
    let Listing { folders, images } = list_folder(folder)?;
    let folders = folders.into_iter().map(|path| (path, true));
    let mut entries: Vec<_> = folders.chain(images.into_iter().map(|path| (path, false))).collect();
    entries.sort();
    Ok(entries)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn has_image_extension(path: &Path) -> bool {
    path.extension().and_then(|extension| extension.to_str()).is_some_and(|extension| {
        IMAGE_EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(root: &Path, names: &[&str]) {
        for name in names {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
    }

    fn names(root: &Path, images: &[PathBuf]) -> Vec<String> {
        images
            .iter()
            .map(|image| image.strip_prefix(root).unwrap().to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn folders_are_expanded_in_order_of_name() {
        let dir = tempfile::tempdir().unwrap();
        touch(
            dir.path(),
            &["c.PNG", "a.jpg", "b/z.tiff", "b/a/q.WebP", "notes.txt", ".hidden.jpg"],
        );
        let images = list_images(&[dir.path()]);
        assert_eq!(names(dir.path(), &images), ["a.jpg", "b/a/q.WebP", "b/z.tiff", "c.PNG"]);
    }

    #[test]
    fn a_path_named_outright_is_always_taken() {
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path(), &["notes.txt"]);
        let named = [dir.path().join("notes.txt"), dir.path().join("absent.png")];
        assert_eq!(list_images(&named), named);
    }

    #[cfg(unix)]
    #[test]
    fn loops_end_and_broken_links_are_left_out() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path(), &["b/x.jpg"]);
        symlink(dir.path(), dir.path().join("b/again")).unwrap();
        symlink(dir.path().join("nowhere"), dir.path().join("broken.jpg")).unwrap();
        assert_eq!(names(dir.path(), &list_images(&[dir.path()])), ["b/x.jpg"]);
    }

    #[cfg(unix)]
    #[test]
    fn an_unreadable_folder_does_not_stop_the_others() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path(), &["a/x.jpg", "b/y.jpg"]);
        let locked = dir.path().join("a");
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
        let images = names(dir.path(), &list_images(&[dir.path()]));
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(images.contains(&"b/y.jpg".to_owned()), "{images:?}");
    }
}
