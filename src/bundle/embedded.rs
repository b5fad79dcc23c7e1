//! The default models, part of the binary: a small tagger, projector, class centers and detector
//! statistics of the procedural world (`demo`), and a small CLIPN of it, trained by this program's own
//! commands; see `scripts/embed`.

use std::path::Path;

use super::files::Files;
use super::{
    Bundle, BundleError, CLASSES, MANIFEST, PROJECTOR, PROJECTOR_CE, STATISTICS, TAGGER, TAGS,
    THRESHOLDS,
};
use crate::nn::Activation;
use crate::nn::clip::tokenizer::{Tokenizer, TokenizerError};
use crate::nn::clip::{Checkpoint, ClipConfig};
use crate::nn::source::{SafetensorsBytes, Source, WeightsError};

/// One file of `assets/demo-world`.
macro_rules! asset {
    ($name:literal) => {
        include_bytes!(concat!("../../assets/demo-world/", $name))
    };
}

static FILES: [(&str, &[u8]); 8] = [
    (MANIFEST, asset!("bundle.toml")),
    (TAGS, asset!("tags.txt")),
    (THRESHOLDS, asset!("thresholds.txt")),
    (CLASSES, asset!("vocabulary.tsv")),
    (TAGGER, asset!("tagger.safetensors")),
    (PROJECTOR, asset!("projector.safetensors")),
    (PROJECTOR_CE, asset!("projector_ce.safetensors")),
    (STATISTICS, asset!("statistics.safetensors")),
];

/// Opens the embedded model. Its weights stay where they are until a tensor is asked for.
///
/// # Errors
/// If it is damaged, which a test rules out.
pub fn bundle() -> Result<Bundle, BundleError> {
    Bundle::of_files(&Files::Embedded(&FILES))
}

/// The embedded CLIPN's weights, in 16 bits.
static CLIP: &[u8] = include_bytes!("../../assets/demo-clip/open_clip_model.safetensors");

/// Its tokenizer, made from the words of the procedural world's captions.
static CLIP_TOKENIZER: &[u8] = include_bytes!("../../assets/demo-clip/tokenizer.json");

/// A name in place of the embedded CLIPN's path. There is no such folder, in which files that go with
/// weights would be looked for.
const CLIP_NAME: &str = "(embedded)/demo-clip";

/// Opens the embedded CLIPN. Its weights stay where they are until a tensor is asked for; its tokenizer
/// is [`clip_tokenizer`].
///
/// # Errors
/// If it is damaged, which a test rules out.
pub fn clip() -> Result<Checkpoint, WeightsError> {
    let source = Source::from_bytes(SafetensorsBytes::Static(CLIP), CLIP_NAME)?;
    Checkpoint::of_source(source, Some(Activation::Gelu))
}

/// What names the embedded CLIPN where a path would name another model.
pub const CLIP_MODEL: &str = "embedded-clip";

/// The embedded CLIPN as a bundle, for which nothing is known yet.
///
/// # Errors
/// If it is damaged, which a test rules out.
pub fn clip_bundle() -> Result<Bundle, BundleError> {
    let source = Source::from_bytes(SafetensorsBytes::Static(CLIP), CLIP_NAME)?;
    let mut bundle =
        Bundle::of_clip_checkpoint(source, Some(Activation::Gelu), Path::new(CLIP_NAME))?;
    if let Some(files) = &mut bundle.clip {
        files.tokenizer = Some(CLIP_TOKENIZER.into());
    }
    Ok(bundle)
}

/// The embedded CLIPN's tokenizer.
///
/// # Errors
/// If it is damaged, which a test rules out.
pub fn clip_tokenizer(config: &ClipConfig) -> Result<Tokenizer, TokenizerError> {
    Tokenizer::of_json(CLIP_TOKENIZER, &config.text, Path::new(CLIP_NAME))
}
