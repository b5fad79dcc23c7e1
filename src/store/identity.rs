//! What tells one tagger from another: a hash of every weight that makes tokens, logits or attention.

use rayon::prelude::*;

use crate::nn::source::{Source, WeightsError};
use crate::pipeline::Remembered;

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

/// Whether the tagger is made of a tensor.
pub(super) fn is_of_tagger(name: &str) -> bool {
    TAGGER_PARTS.iter().any(|part| name.starts_with(part))
        && !DERIVED.iter().any(|part| name.ends_with(part))
}

/// The hash of the names, shapes and values of all of a tagger's weights, whatever file they are in and
/// in whatever precision it has the values. That of a file is computed once.
pub(super) fn of_tagger(source: &Source) -> Result<String, WeightsError> {
    let hash = match source.in_memory() {
        Some(_) => hash_of_weights(source),
        None => Remembered::default().of(source.path(), "tagger 1 ", || hash_of_weights(source)),
    }?;
    Ok(hash.to_hex().to_string())
}

fn hash_of_weights(source: &Source) -> Result<blake3::Hash, WeightsError> {
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
    Ok(all.finalize())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

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
}
