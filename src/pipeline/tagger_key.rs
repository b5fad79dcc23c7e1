//! What tells one tagger's numbers from another's, from one start of the program to the next.

use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::bundle::Bundle;
use crate::bundle::manifest::Arch;
use crate::gpu::Compute;
use crate::nn::source::Source;

/// All that decides what a tagger makes of a picture: the same key, the same numbers to the last bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaggerKey(blake3::Hash);

impl TaggerKey {
    /// The key of a bundle's tagger on a device: weights, shapes, how images are prepared, which tags'
    /// attention is kept, where it is computed, and this very build of the program: another one may add
    /// in another order.
    ///
    /// # Errors
    /// If the weights or the program cannot be read.
    pub fn of(bundle: &Bundle, compute: &Compute) -> io::Result<Self> {
        let (manifest, vocabulary) = (&bundle.manifest, &bundle.vocabulary);
        let remembered = crate::fs::cache_folder().join("hashes");
        let program = file_hash(&std::env::current_exe()?, &remembered)?;
        let weights = weights_hash(&bundle.network, &remembered)?;
        // Numbers print as text that reads back as the same number.
        let shape = (&manifest.tagger, manifest.clip.as_ref().map(|clip| &clip.shape));
        let shapes = format!("{shape:?} {:?}", manifest.preparation());
        // A CLIP's rows hold nothing of its names.
        let tags = match manifest.arch {
            Arch::Ram => format!("{:?} {:?}", vocabulary.id_tags(), vocabulary.thresholds),
            Arch::Clip => String::new(),
        };
        Ok(Self::of_parts([
            ("program", &program.as_bytes()[..]),
            ("weights", weights.as_bytes()),
            ("shapes", shapes.as_bytes()),
            ("tags", tags.as_bytes()),
            ("device", compute.label.as_bytes()),
        ]))
    }

    /// Of named parts, in their order.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for (name, bytes) in parts {
            // With their lengths, so that no two lists of parts have the same bytes.
            for part in [name.as_bytes(), bytes] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        Self(hasher.finalize())
    }

    /// The key with one more named part.
    pub fn with(self, name: &str, bytes: &[u8]) -> Self {
        Self::of_parts([("key", &self.0.as_bytes()[..]), (name, bytes)])
    }

    /// As a name of files.
    pub fn to_hex(self) -> String {
        self.0.to_hex().to_string()
    }
}

/// The hash of all weights. That of a file is remembered by its path, size and times: a checkpoint of
/// gigabytes is read for it once.
fn weights_hash(weights: &Source, remembered: &Path) -> io::Result<blake3::Hash> {
    match weights.in_memory() {
        Some(bytes) => Ok(blake3::hash(bytes)),
        None => file_hash(weights.path(), remembered),
    }
}

/// The hash of a file's bytes, remembered in a folder.
fn file_hash(path: &Path, remembered: &Path) -> io::Result<blake3::Hash> {
    let path = path.canonicalize()?;
    let state = format!("{} {}", path.display(), state_of(&path.metadata()?));
    let memory = remembered.join(format!("{}.hash", blake3::hash(state.as_bytes()).to_hex()));
    let known = crate::fs::read_text(&memory, 1 << 10).ok();
    if let Some(hash) = known.and_then(|text| blake3::Hash::from_hex(text.trim()).ok()) {
        return Ok(hash);
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(crate::fs::open(&path)?)?;
    let hash = hasher.finalize();
    let remember = || {
        std::fs::create_dir_all(remembered)?;
        crate::fs::write_unflushed(&memory, hash.to_hex().as_bytes())
    };
    if let Err(error) = remember() {
        log::debug!("the hash is not remembered: {error}: {}", memory.display());
    }
    Ok(hash)
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
    use crate::bundle::embedded;
    use crate::gpu::{DeviceChoice, compute};
    use crate::image::Transform;

    #[test]
    fn whatever_changes_the_numbers_changes_the_key() {
        let compute = compute(DeviceChoice::Cpu).unwrap();
        let key = |change: fn(&mut Bundle)| {
            let mut bundle = embedded::bundle().unwrap();
            change(&mut bundle);
            TaggerKey::of(&bundle, &compute).unwrap()
        };
        let own = key(|_| {});
        assert_eq!(own, key(|bundle| bundle.manifest.name = "another name".into()));
        assert_eq!(own, key(|bundle| bundle.manifest.tau = 0.1));
        let changes: [fn(&mut Bundle); 4] = [
            |bundle| bundle.manifest.transform = Transform::Tagood,
            |bundle| bundle.vocabulary.thresholds[0] += 1e-6,
            |bundle| bundle.manifest.tagger.as_mut().unwrap().decoder.heads += 1,
            |bundle| bundle.vocabulary.set_classes(Vec::new()),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            assert_ne!(own, key(change), "change {number}");
        }
        let elsewhere = Compute { label: "a GPU".into(), ..compute.clone() };
        assert_ne!(own, TaggerKey::of(&embedded::bundle().unwrap(), &elsewhere).unwrap());
    }

    #[test]
    fn a_file_is_hashed_once_and_again_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (file, remembered) = (folder.path().join("weights"), folder.path().join("memory"));
        std::fs::write(&file, b"weights").unwrap();
        let first = file_hash(&file, &remembered).unwrap();
        assert_eq!(first, blake3::hash(b"weights"));
        let memory = std::fs::read_dir(&remembered).unwrap().next().unwrap().unwrap().path();
        let other = blake3::hash(b"remembered");
        std::fs::write(&memory, other.to_hex().as_bytes()).unwrap();
        assert_eq!(file_hash(&file, &remembered).unwrap(), other, "it is not read again");
        std::fs::write(&file, b"WEIGHTS").unwrap();
        assert_eq!(file_hash(&file, &remembered).unwrap(), blake3::hash(b"WEIGHTS"));
        std::fs::write(&memory, b"nonsense").unwrap();
        assert!(file_hash(&file, &remembered).is_ok());
    }
}
