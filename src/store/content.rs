//! Which content of an image file a row is of.

use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::fs;

/// Size and time of a file: while both stay, its content is taken to be the same, and it is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Bytes in the file.
    pub size: u64,
    /// When it was last changed, in nanoseconds since 1970.
    pub modified_ns: i64,
}

impl Stamp {
    /// The stamp of a file; `None` if there is none, or its system keeps no times.
    pub fn of(path: &Path) -> Option<Self> {
        Self::of_metadata(&path.metadata().ok()?)
    }

    fn of_metadata(metadata: &Metadata) -> Option<Self> {
        let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Self { size: metadata.len(), modified_ns: i64::try_from(since.as_nanos()).ok()? })
    }
}

/// The first 64 bits of the BLAKE3 hash of a file's bytes: tells contents apart.
pub(super) fn hash_bytes(bytes: &[u8]) -> u64 {
    first_bits(&blake3::hash(bytes))
}

/// `hash_bytes` of a file; `None` if it cannot be read.
pub fn hash_file(path: &Path) -> Option<u64> {
    let hash = || -> io::Result<blake3::Hash> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(fs::open(path)?)?;
        Ok(hasher.finalize())
    };
    hash().ok().map(|hash| first_bits(&hash))
}

fn first_bits(hash: &blake3::Hash) -> u64 {
    hash.as_bytes().first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_its_bytes_have_one_hash() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "fish").unwrap();
        assert_eq!(hash_file(file.path()), Some(hash_bytes(b"fish")));
        assert_ne!(hash_bytes(b"fish"), hash_bytes(b"fist"));
        assert_eq!(Stamp::of(file.path()).unwrap().size, 4);
        assert_eq!(hash_file(Path::new("/nowhere/at/all")), None);
    }
}
