//! The default model, part of the binary: a small tagger, projector, class centers and detector
//! statistics of the procedural world (`demo`), trained by this program's own commands; see
//! `scripts/embed`.

use super::files::Files;
use super::{
    Bundle, BundleError, CLASSES, MANIFEST, PROJECTOR, PROJECTOR_CE, STATISTICS, TAGGER, TAGS,
    THRESHOLDS,
};

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
