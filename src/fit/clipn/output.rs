//! A trained CLIP as a folder that `--model` takes: open_clip's, with its names for files.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use crate::bundle::{BundleError, Precision, write_safetensors};
use crate::fit::optimizer::NamedTensor;
use crate::fs::WholeFolder;
use crate::image::Normalisation;
use crate::nn::Activation;
use crate::nn::clip::ClipConfig;

use super::error::ClipnError;

/// A CLIP to be written.
#[derive(Clone, Copy)]
pub struct ClipFolder<'a> {
    /// All its weights, under open_clip's names.
    pub tensors: &'a [NamedTensor],
    /// The type that they are stored in.
    pub precision: Precision,
    /// Its shape.
    pub shape: &'a ClipConfig,
    /// What its pixels are normalised by.
    pub normalisation: Normalisation,
    /// Its `tokenizer.json`; `None` where it is OpenAI's.
    pub tokenizer: Option<&'a [u8]>,
}

impl ClipFolder<'_> {
    /// Writes the folder, whole or not at all: `open_clip_model.safetensors`,
    /// `open_clip_config.json`, `tokenizer.json`.
    ///
    /// # Errors
    /// If the disk cannot be written, or a value is too large for the type.
    pub fn write(&self, path: &Path) -> Result<(), ClipnError> {
        let io = |source| ClipnError::Io {
            action: "cannot write the model",
            source,
            path: path.to_owned(),
        };
        let folder = WholeFolder::create(path).map_err(io)?;
        let file = |name: &str| folder.path().join(name);
        let tensors: BTreeMap<&str, &NamedTensor> =
            self.tensors.iter().map(|tensor| (tensor.0.as_str(), tensor)).collect();
        let shapes = self.tensors.iter().map(|(name, shape, _)| (name.clone(), shape.clone()));
        write_safetensors(
            &file("open_clip_model.safetensors"),
            &shapes.collect(),
            self.precision,
            |name, _| -> Result<Vec<f32>, BundleError> {
                Ok(tensors.get(name).map(|tensor| tensor.2.clone()).unwrap_or_default())
            },
        )?;
        crate::fs::write(&file("open_clip_config.json"), self.config()).map_err(io)?;
        if let Some(bytes) = self.tokenizer {
            crate::fs::write(&file("tokenizer.json"), bytes).map_err(io)?;
        }
        folder.commit().map_err(io)
    }

    /// What the tensors do not say, and what open_clip wants to know.
    fn config(&self) -> String {
        let (image, text) = (&self.shape.image, &self.shape.text);
        let blocks = &image.transformer;
        let config = json!({
            "model_cfg": {
                "embed_dim": self.shape.joint,
                "quick_gelu": self.shape.activation == Activation::QuickGelu,
                "vision_cfg": {
                    "image_size": image.image,
                    "layers": blocks.layers,
                    "width": blocks.width,
                    "head_width": blocks.width / blocks.heads.max(1),
                    "patch_size": image.patch,
                },
                "text_cfg": {
                    "context_length": text.context,
                    "vocab_size": text.vocabulary,
                    "width": text.transformer.width,
                    "heads": text.transformer.heads,
                    "layers": text.transformer.layers,
                },
            },
            "preprocess_cfg": {
                "mean": self.normalisation.mean,
                "std": self.normalisation.std,
            },
        });
        // A tree of strings and numbers always has a JSON form.
        serde_json::to_string_pretty(&config).unwrap_or_default()
    }
}
