//! Finding the images in folders.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::DatasetError;

/// Extensions of image files, lower case; files are matched in any case.
pub const IMAGE_EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"];

/// What one folder holds, each list sorted. Hidden entries and other files are left out.
pub(super) struct Entries {
    pub folders: Vec<PathBuf>,
    pub images: Vec<PathBuf>,
}

/// Lists one folder; links count as what they point at.
pub(super) fn entries(folder: &Path) -> Result<Entries, DatasetError> {
    let io_error = |source| DatasetError::Io { path: folder.to_owned(), source };
    let mut entries = Entries { folders: Vec::new(), images: Vec::new() };
    for entry in fs::read_dir(folder).map_err(io_error)? {
        let entry = entry.map_err(io_error)?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if path.is_dir() {
            entries.folders.push(path);
        } else if is_image(&path) {
            entries.images.push(path);
        }
    }
    entries.folders.sort();
    entries.images.sort();
    Ok(entries)
}

/// Every image in a folder and its subfolders, sorted by path.
pub(super) fn images_under(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let mut images = Vec::new();
    let mut seen = BTreeSet::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        // A link may lead back to a folder above it.
        let resolved = fs::canonicalize(&folder)
            .map_err(|source| DatasetError::Io { path: folder.clone(), source })?;
        if seen.insert(resolved) {
            let entries = entries(&folder)?;
            images.extend(entries.images);
            // The last one waiting comes next: keep them ascending, so that of two links to one
            // folder always the same is followed.
            waiting.extend(entries.folders.into_iter().rev());
        }
    }
    images.sort();
    Ok(images)
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_ascii_lowercase());
    extension.is_some_and(|extension| IMAGE_EXTENSIONS.iter().any(|known| extension == *known))
}
