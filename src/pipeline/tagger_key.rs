//! What tells one tagger's numbers from another's, from one start of the program to the next.

use std::io;

use super::remembered::Remembered;
use crate::bundle::Bundle;
use crate::bundle::manifest::Arch;
use crate::gpu::Compute;

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
        let remembered = Remembered::default();
        let program = remembered.of_bytes(&std::env::current_exe()?)?;
        let weights = weights_hash(bundle, &remembered)?;
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

/// The hash of all weights: of a bundle's file, the one that it was held against when it was opened.
fn weights_hash(bundle: &Bundle, remembered: &Remembered) -> io::Result<blake3::Hash> {
    let weights = &bundle.network;
    let name = weights.path().file_name().unwrap_or_default().to_string_lossy();
    let checked = bundle.manifest.checksums.get(&*name);
    match (weights.in_memory(), checked.and_then(|hash| blake3::Hash::from_hex(hash).ok())) {
        (Some(bytes), _) => Ok(blake3::hash(bytes)),
        (None, Some(checked)) => Ok(checked),
        (None, None) => remembered.of_bytes(weights.path()),
    }
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
}
