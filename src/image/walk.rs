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
    for path in paths.iter().map(AsRef::as_ref) {
        if path.is_dir() {
            list_folder(path, &mut BTreeSet::new(), &mut images);
        } else {
            images.push(path.to_owned());
        }
    }
    images
}

/// Appends the images below `root` to `images`; `visited` holds the real paths of folders seen.
fn list_folder(root: &Path, visited: &mut BTreeSet<PathBuf>, images: &mut Vec<PathBuf>) {
    // A stack of its own: a deep tree must not exhaust the thread's.
    let mut pending = vec![root.to_owned()];
    while let Some(path) = pending.pop() {
        if !path.is_dir() {
            images.push(path);
            continue;
        }
        match sorted_entries(&path, visited) {
            Ok(entries) => pending.extend(entries.into_iter().rev()),
            Err(error) => log::warn!("passing over a folder ({error}): {}", path.display()),
        }
    }
}

/// The folders and images directly in `folder`, by name; empty where it was visited before.
fn sorted_entries(folder: &Path, visited: &mut BTreeSet<PathBuf>) -> std::io::Result<Vec<PathBuf>> {
    if !visited.insert(folder.canonicalize()?) {
        return Ok(Vec::new());
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !is_hidden(&path) && (path.is_dir() || (has_image_extension(&path) && path.is_file())) {
            entries.push(path);
        }
    }
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
