//! What tells one tagger from another: a hash of every weight that makes tokens, logits or attention.

use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::content::Stamp;
use crate::fs;
use crate::nn::source::{Source, WeightsError};

/// Parts of a checkpoint that the tagger is made of; the rest is of caption models and training.
const TAGGER_PARTS: [&str; 8] = [
    "visual_encoder.",
    // A CLIP's image side: its texts make nothing that is stored.
    "visual.",
    "image_proj.",
    "tagging_head.encoder.",
    "label_embed",
    "wordvec_proj.",
    "fc.",
    "reweight_scale",
];

/// Buffers that follow from the shapes.
const DERIVED: [&str; 2] = ["relative_position_index", "attn_mask"];

/// From this size on, in bytes, a file's hash is kept beside it.
const KEPT_FROM: u64 = 64 << 20;

/// Whether the tagger is made of a tensor.
pub(super) fn is_of_tagger(name: &str) -> bool {
    TAGGER_PARTS.iter().any(|part| name.starts_with(part))
        && !DERIVED.iter().any(|part| name.ends_with(part))
}

/// The hash of the names, shapes and values of all of a tagger's weights, whatever file they are in and
/// in whatever precision it has the values. That of a large file is computed once, and kept beside it
/// with the file's size and time.
pub(super) fn of_tagger(source: &Source) -> Result<String, WeightsError> {
    let kept = Kept::of(source.path());
    if let Some(hash) = kept.as_ref().and_then(Kept::read) {
        return Ok(hash);
    }
    let hash = hash_of_weights(source)?;
    if let Some(kept) = &kept
        && let Err(error) = kept.write(&hash)
    {
        log::debug!("cannot keep the hash of the weights: {error}: {}", kept.place.display());
    }
    Ok(hash)
}

fn hash_of_weights(source: &Source) -> Result<String, WeightsError> {
    let tensors: Vec<(String, Vec<usize>)> =
        source.shapes().into_iter().filter(|(name, _)| is_of_tagger(name)).collect();
    let hash = |(name, shape): &(String, Vec<usize>)| -> Result<blake3::Hash, WeightsError> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(format!("{name} {shape:?}\n").as_bytes());
        for values in source.read(name, shape)?.chunks(1 << 14) {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            hasher.update(&bytes);
        }
        Ok(hasher.finalize())
    };
    let hashes = tensors.par_iter().map(hash).collect::<Result<Vec<_>, _>>()?;
    let mut all = blake3::Hasher::new();
    hashes.iter().for_each(|hash| {
        all.update(hash.as_bytes());
    });
    Ok(all.finalize().to_hex().to_string())
}

/// The hash of a large file's weights, where it is kept.
struct Kept {
    place: PathBuf,
    stamp: Stamp,
}

impl Kept {
    /// Where that of a file is kept; `None` if it is too small to be worth it, or no file.
    fn of(path: &Path) -> Option<Self> {
        let stamp = Stamp::of(path).filter(|stamp| stamp.size >= KEPT_FROM)?;
        let name = path.file_name()?.to_string_lossy();
        Some(Self { place: path.with_file_name(format!(".{name}.blake3")), stamp })
    }

    /// What the hash is of.
    fn key(&self) -> String {
        format!("tagger 1 {} {}", self.stamp.size, self.stamp.modified_ns)
    }

    fn read(&self) -> Option<String> {
        const MAX_BYTES: u64 = 4096;
        let text = fs::read_text(&self.place, MAX_BYTES).ok()?;
        let hash = text.strip_prefix(&self.key())?.trim();
        let is_hash = hash.len() == 64 && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_hash.then(|| hash.to_owned())
    }

    fn write(&self, hash: &str) -> io::Result<()> {
        fs::write(&self.place, format!("{} {hash}\n", self.key()))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::nn::ram::{Ram, RamConfig};
    use crate::nn::weights::WeightLoader;

    #[test]
    fn every_tensor_that_a_tagger_is_built_from_counts() {
        for name in ["tiny_ram.pth", "tiny_ram_plus.pth"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny").join(name);
            let source = Source::open(&path).unwrap();
            let device = Device::flex();
            let from = WeightLoader::stored(&source, &device);
            Ram::new(&RamConfig::of_checkpoint(&source).unwrap(), &from).unwrap();
            let used: Vec<String> = from.names().into_keys().collect();
            let counted: Vec<String> =
                source.shapes().into_keys().filter(|name| is_of_tagger(name)).collect();
            assert_eq!(counted, used, "{name}");
        }
    }

    #[test]
    fn a_kept_hash_is_that_of_the_file_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = Stamp { size: KEPT_FROM, modified_ns: 7 };
        let kept = Kept { place: folder.path().join(".w.blake3"), stamp };
        assert_eq!(kept.read(), None);
        kept.write(&"ab".repeat(32)).unwrap();
        assert_eq!(kept.read(), Some("ab".repeat(32)));
        let newer = Kept { stamp: Stamp { modified_ns: 8, ..stamp }, ..kept };
        assert_eq!(newer.read(), None);
    }
}
