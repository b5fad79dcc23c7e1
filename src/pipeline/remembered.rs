//! Hashes of files, remembered from one start of the program to the next: a checkpoint of gigabytes is
//! read for its hash once.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::fs;

/// Where hashes are remembered.
pub struct Remembered {
    folder: PathBuf,
}

impl Default for Remembered {
    /// In the user's cache folder.
    fn default() -> Self {
        Self { folder: fs::cache_folder().join("hashes") }
    }
}

impl Remembered {
    /// The hash of a file's bytes.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn of_bytes(&self, path: &Path) -> io::Result<blake3::Hash> {
        self.of(path, "", || {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(fs::open(path)?)?;
            Ok(hasher.finalize())
        })
    }

    /// A hash of several files: those named, and what lies directly in the folders among them.
    ///
    /// # Errors
    /// The first path that cannot be read, and why.
    pub fn of_files<'a>(
        &self,
        paths: impl IntoIterator<Item = &'a Path>,
    ) -> Result<blake3::Hash, (PathBuf, io::Error)> {
        let mut hasher = blake3::Hasher::new();
        for path in paths {
            let mut files = vec![path.to_owned()];
            if path.is_dir() {
                let entries = std::fs::read_dir(path).map_err(|error| (path.to_owned(), error))?;
                let paths = entries.flatten().map(|entry| entry.path());
                files = paths.filter(|path| path.is_file()).collect();
                files.sort();
            }
            for file in files {
                let hash = self.of_bytes(&file).map_err(|error| (file.clone(), error))?;
                let name = file.file_name().unwrap_or_default().as_encoded_bytes();
                hasher.update(blake3::hash(name).as_bytes()).update(hash.as_bytes());
            }
        }
        Ok(hasher.finalize())
    }

    /// A hash of a `kind` that follows from a file's content: what was made while the file's size and
    /// times were these, or else what `make` makes.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn of<E>(
        &self,
        path: &Path,
        kind: &str,
        make: impl FnOnce() -> Result<blake3::Hash, E>,
    ) -> Result<blake3::Hash, E> {
        let Ok(place) = self.place(path, kind) else { return make() };
        let known = fs::read_text(&place, 1 << 10).ok();
        if let Some(hash) = known.and_then(|text| blake3::Hash::from_hex(text.trim()).ok()) {
            return Ok(hash);
        }
        let hash = make()?;
        let remember = || {
            std::fs::create_dir_all(&self.folder)?;
            fs::write_unflushed(&place, hash.to_hex().as_bytes())
        };
        if let Err(error) = remember() {
            log::debug!("the hash is not remembered: {error}: {}", place.display());
        }
        Ok(hash)
    }

    /// Where the hash of a file as it is now is remembered.
    fn place(&self, path: &Path, kind: &str) -> io::Result<PathBuf> {
        let path = path.canonicalize()?;
        let state = format!("{kind}{} {}", path.display(), state_of(&path.metadata()?));
        Ok(self.folder.join(format!("{}.hash", blake3::hash(state.as_bytes()).to_hex())))
    }
}

/// What changes with a file's content.
fn state_of(metadata: &Metadata) -> String {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    #[cfg(unix)]
    let identity = {
        use std::os::unix::fs::MetadataExt as _;
        (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
    };
    #[cfg(not(unix))]
    let identity = metadata.created().ok();
    format!("{} {modified:?} {identity:?}", metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_hashed_once_and_again_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weights");
        let remembered = Remembered { folder: folder.path().join("memory") };
        std::fs::write(&file, b"weights").unwrap();
        let first = remembered.of_bytes(&file).unwrap();
        assert_eq!(first, blake3::hash(b"weights"));
        let memory = std::fs::read_dir(&remembered.folder).unwrap().next().unwrap().unwrap().path();
        let other = blake3::hash(b"remembered");
        std::fs::write(&memory, other.to_hex().as_bytes()).unwrap();
        assert_eq!(remembered.of_bytes(&file).unwrap(), other, "it is not read again");
        let values = remembered.of::<io::Error>(&file, "values ", || Ok(blake3::hash(b"values")));
        assert_eq!(values.unwrap(), blake3::hash(b"values"), "another kind is another hash");
        std::fs::write(&file, b"WEIGHTS").unwrap();
        assert_eq!(remembered.of_bytes(&file).unwrap(), blake3::hash(b"WEIGHTS"));
        let folder_hash = || remembered.of_files([folder.path()]).unwrap();
        let before = folder_hash();
        std::fs::write(&file, b"other").unwrap();
        assert_ne!(folder_hash(), before);
        let gone = folder.path().join("gone");
        assert_eq!(remembered.of_files([gone.as_path()]).unwrap_err().0, gone);
        std::fs::write(&file, b"WEIGHTS").unwrap();
        std::fs::write(&memory, b"nonsense").unwrap();
        assert!(remembered.of_bytes(&file).is_ok());
    }
}
