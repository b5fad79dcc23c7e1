//! The image files under the paths that a user names, and what was passed over on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, read_dir};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::FileFormat;
use crate::fs;

/// The extensions taken from folders, in lower case; files named outright are taken whatever they
/// are called.
pub const IMAGE_EXTENSIONS: [&str; 11] =
    ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "dib", "tif", "tiff"];

/// What lies at and under some paths.
#[derive(Debug, Default)]
pub struct Found {
    /// The images.
    pub images: Vec<PathBuf>,
    /// Folders that cannot be read, and those named outright that hold no image.
    pub faults: Vec<WalkError>,
    /// Files that are no images.
    pub passed_over: PassedOver,
}

impl Found {
    /// Takes in what lies elsewhere.
    pub fn extend(&mut self, other: Self) {
        self.images.extend(other.images);
        self.faults.extend(other.faults);
        self.passed_over.extend(other.passed_over);
    }

    /// What there is to say of it besides the images: a sentence for each fault, one for all files
    /// passed over.
    pub fn sentences(&self) -> Vec<String> {
        let faults = self.faults.iter().map(ToString::to_string);
        faults.chain(self.passed_over.sentence()).collect()
    }
}

/// Expands folders into the image files below them.
///
/// Paths keep the order given; within a folder, entries come sorted by name, folders descended into
/// where they stand, so the list is the same on every run. A path that is not a folder is taken as
/// it is, there or not: decoding it says what is wrong. From folders, files with one of
/// [`IMAGE_EXTENSIONS`] are taken, and those without any whose content is an image; hidden ones are left
/// out, others counted. A folder reached twice, by a loop of symbolic links for one, is listed once.
pub fn find_images<P: AsRef<Path>>(paths: &[P]) -> Found {
    let mut found = Found::default();
    for path in paths.iter().map(AsRef::as_ref) {
        if !path.is_dir() {
            found.images.push(path.to_owned());
            continue;
        }
        let (images, faults) = (found.images.len(), found.faults.len());
        walk(path, &mut found);
        if found.images.len() == images && found.faults.len() == faults {
            found.faults.push(WalkError::Empty(path.to_owned()));
        }
    }
    found
}

/// Why a folder gives no images.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// It cannot be read.
    #[error("cannot read the folder: {source}: {}", fs::printable(folder))]
    Unreadable {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is none in it.
    #[error("there is no image in the folder: {}", fs::printable(.0))]
    Empty(PathBuf),
}

impl WalkError {
    /// The folder.
    pub fn folder(&self) -> &Path {
        match self {
            Self::Unreadable { folder, .. } | Self::Empty(folder) => folder,
        }
    }
}

/// How many files of which kind were passed over, as they are no images by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassedOver(BTreeMap<String, usize>);

/// What phones and cameras write and is not read here.
const NEEDS_CONVERSION: [&str; 12] =
    ["heic", "heif", "avif", "jxl", "jp2", "dng", "cr2", "cr3", "nef", "arw", "raf", "orf"];

impl PassedOver {
    fn count(&mut self, path: &Path) {
        let extension =
            path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        *self.0.entry(extension.unwrap_or_default()).or_default() += 1;
    }

    /// Takes in what was passed over elsewhere.
    pub fn extend(&mut self, other: Self) {
        for (kind, count) in other.0 {
            *self.0.entry(kind).or_default() += count;
        }
    }

    /// One sentence by kind and count; `None` if nothing was.
    pub fn sentence(&self) -> Option<String> {
        const SHOWN: usize = 8;
        let total: usize = self.0.values().sum();
        let mut kinds: Vec<(&str, usize)> =
            self.0.iter().map(|(kind, count)| (kind.as_str(), *count)).collect();
        kinds.sort_by_key(|(kind, count)| (std::cmp::Reverse(*count), *kind));
        let named = |(kind, count): &(&str, usize)| match *kind {
            "" => format!("{count} without an extension"),
            kind => format!("{count} .{}", kind.escape_debug()),
        };
        let mut list: Vec<String> = kinds.iter().take(SHOWN).map(named).collect();
        if kinds.len() > SHOWN {
            list.push("others".to_owned());
        }
        let advice = match kinds.iter().any(|(kind, _)| NEEDS_CONVERSION.contains(kind)) {
            true => " (pictures of such kinds cannot be read here: save them as JPEG or PNG)",
            false => "",
        };
        let list = list.join(", ");
        match total {
            0 => None,
            1 => Some(format!("passed over a file that is no image: {list}{advice}")),
            _ => Some(format!("passed over {total} files that are no images: {list}{advice}")),
        }
    }
}

/// What one folder holds, each list by name. Hidden entries are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Folders in it.
    pub folders: Vec<PathBuf>,
    /// Images in it, by their names or contents.
    pub images: Vec<PathBuf>,
    /// Other files.
    pub passed_over: PassedOver,
}

/// Lists one folder, not what is below it; links count as what they point at. What is called an image
/// and is none, a broken link or a pipe, is listed: decoding it says what is wrong.
///
/// # Errors
/// If it cannot be read.
pub fn list_folder(folder: &Path) -> Result<Listing, WalkError> {
    let error = |source| WalkError::Unreadable { folder: folder.to_owned(), source };
    let mut listing = Listing::default();
    for entry in read_dir(folder).map_err(error)? {
        let path = entry.map_err(error)?.path();
        if is_hidden(&path) {
            continue;
        }
        if path.is_dir() {
            listing.folders.push(path);
        } else if has_image_extension(&path) || (path.extension().is_none() && is_image(&path)) {
            listing.images.push(path);
        } else {
            listing.passed_over.count(&path);
        }
    }
    listing.folders.sort();
    listing.images.sort();
    Ok(listing)
}

/// The images below a folder, as [`find_images`] finds them.
///
/// # Errors
/// If a folder cannot be read.
pub fn images_below(folder: &Path) -> Result<Found, WalkError> {
    let mut found = Found::default();
    walk(folder, &mut found);
    match found.faults.pop() {
        Some(fault) => Err(fault),
        None => Ok(found),
    }
}

/// Adds the images below `root`.
fn walk(root: &Path, found: &mut Found) {
    // The real paths of folders seen.
    let mut visited = BTreeSet::new();
    // A stack of its own: a deep tree must not exhaust the thread's.
    let mut pending = vec![(root.to_owned(), true)];
    while let Some((path, is_folder)) = pending.pop() {
        if !is_folder {
            found.images.push(path);
            continue;
        }
        match new_listing(&path, &mut visited) {
            Ok(Listing { folders, images, passed_over }) => {
                let folders = folders.into_iter().map(|path| (path, true));
                let images = images.into_iter().map(|path| (path, false));
                let mut entries: Vec<_> = folders.chain(images).collect();
                entries.sort();
                pending.extend(entries.into_iter().rev());
                found.passed_over.extend(passed_over);
            }
            Err(error) => found.faults.push(error),
        }
    }
}

/// What lies directly in `folder`; nothing where it was visited before.
fn new_listing(folder: &Path, visited: &mut BTreeSet<PathBuf>) -> Result<Listing, WalkError> {
    let real = folder.canonicalize();
    let real =
        real.map_err(|source| WalkError::Unreadable { folder: folder.to_owned(), source })?;
    if visited.insert(real) { list_folder(folder) } else { Ok(Listing::default()) }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn has_image_extension(path: &Path) -> bool {
    path.extension().and_then(|extension| extension.to_str()).is_some_and(|extension| {
        IMAGE_EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension))
    })
}

/// Whether the content begins as an image does.
fn is_image(path: &Path) -> bool {
    let mut beginning = [0; 16];
    let mut read = || {
        // A pipe would be waited for.
        path.metadata()?.is_file().then(|| File::open(path)?.read(&mut beginning)).transpose()
    };
    matches!(read(), Ok(Some(_))) && FileFormat::of_content(&beginning).is_some()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn touch(root: &Path, names: &[&str]) {
        for name in names {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
    }

    fn names(root: &Path, found: &Found) -> Vec<String> {
        let relative = |image: &PathBuf| image.strip_prefix(root).unwrap().to_string_lossy().into();
        found.images.iter().map(relative).collect()
    }

    #[test]
    fn folders_are_expanded_in_order_of_name() {
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path(), &["c.PNG", "a.jpg", "b/z.tiff", "b/a/q.WebP", ".hidden.jpg"]);
        touch(dir.path(), &["saved.jfif", "old.JPE"]);
        let found = find_images(&[dir.path()]);
        let expected = ["a.jpg", "b/a/q.WebP", "b/z.tiff", "c.PNG", "old.JPE", "saved.jfif"];
        assert_eq!(names(dir.path(), &found), expected);
        assert_eq!(found.sentences(), [""; 0]);
    }

    #[test]
    fn what_is_passed_over_is_counted_by_kind() {
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path(), &["a.jpg", "b.HEIC", "b/c.heic", "notes.txt", "LICENSE"]);
        fs::write(dir.path().join("photo"), b"\xFF\xD8\xFF\xE0").unwrap();
        let found = find_images(&[dir.path()]);
        assert_eq!(names(dir.path(), &found), ["a.jpg", "photo"]);
        assert_eq!(
            found.sentences(),
            ["passed over 4 files that are no images: 2 .heic, 1 without an extension, 1 .txt \
              (pictures of such kinds cannot be read here: save them as JPEG or PNG)"]
        );
    }

    #[test]
    fn a_folder_without_images_is_a_fault() {
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path(), &["phone/IMG_1.HEIC"]);
        let found = find_images(&[dir.path()]);
        let [fault, passed_over] = &found.sentences()[..] else { panic!("{found:?}") };
        assert!(fault.starts_with("there is no image in the folder: "), "{fault}");
        assert!(passed_over.starts_with("passed over a file that is no image: 1 .heic"));
    }

    #[test]
    fn a_path_named_outright_is_always_taken() {
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path(), &["notes.txt"]);
        let named = [dir.path().join("notes.txt"), dir.path().join("absent.png")];
        assert_eq!(find_images(&named).images, named);
    }

    #[cfg(unix)]
    #[test]
    fn loops_end_and_broken_links_are_for_the_decoder_to_name() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path(), &["b/x.jpg"]);
        symlink(dir.path(), dir.path().join("b/again")).unwrap();
        symlink(dir.path().join("nowhere"), dir.path().join("broken.jpg")).unwrap();
        let found = find_images(&[dir.path()]);
        assert_eq!(names(dir.path(), &found), ["b/x.jpg", "broken.jpg"]);
    }

    #[cfg(unix)]
    #[test]
    fn an_unreadable_folder_does_not_stop_the_others() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        touch(dir.path(), &["a/x.jpg", "b/y.jpg"]);
        let locked = dir.path().join("a");
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
        let found = find_images(&[dir.path()]);
        // Who may read everything meets no fault.
        let is_readable = fs::read_dir(&locked).is_ok();
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(names(dir.path(), &found).contains(&"b/y.jpg".to_owned()), "{found:?}");
        assert_eq!(found.faults.is_empty(), is_readable);
    }
}
