//! A published CLIP: its weights, and what the files beside them say that weights do not.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::config::ClipConfig;
use super::layout::Layout;
use super::positions::PositionResize;
use super::tokenizer::{Tokenizer, TokenizerError};
use crate::fs;
use crate::image::Normalisation;
use crate::nn::Activation;
use crate::nn::source::{Source, WeightsError};

/// Weights files that a model's folder may hold, the one that is taken first.
const IN_FOLDER: [&str; 4] = [
    "model.safetensors",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
    "pytorch_model.bin",
];

/// Largest JSON file that is read beside weights, in bytes.
const MAX_JSON: u64 = 1 << 20;

/// What says which activation a model has: the tensors do not, and a wrong one moves features by
/// up to a fifteenth without a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivationSource {
    /// Whoever opened the model.
    Given,
    /// The model's configuration, in the file of this name beside the weights.
    File(&'static str),
    /// The layout: all models published in it have the same.
    Layout,
    /// Nothing does; this is what most models of the layout have.
    Assumed,
}

/// A published CLIP.
pub struct Checkpoint {
    /// Its weights, under OpenAI's names.
    pub source: Source,
    /// The layout they are in.
    pub layout: Layout,
    /// Its shape.
    pub config: ClipConfig,
    /// How its activation is known.
    pub activation_source: ActivationSource,
    /// What its pixels are normalised by.
    pub normalisation: Normalisation,
    /// A `tokenizer.json` beside the weights.
    pub tokenizer_path: Option<PathBuf>,
}

impl Checkpoint {
    /// Opens a weights file, or a model's folder as Hugging Face has them.
    ///
    /// # Errors
    /// If the file cannot be read, or is not a CLIP's.
    pub fn open(path: &Path, activation: Option<Activation>) -> Result<Self, WeightsError> {
        Self::of_source(Source::open(&weights_file(path))?, activation)
    }

    /// As [`Checkpoint::open`], of an opened weights file.
    ///
    /// # Errors
    /// If it is not a CLIP's.
    pub fn of_source(source: Source, activation: Option<Activation>) -> Result<Self, WeightsError> {
        let Some(layout) = Layout::of(&source) else {
            return Err(source.missing("visual.conv1.weight", &[0; 4]));
        };
        let source = layout.canonical(source);
        let mut config = ClipConfig::of_checkpoint(&source, Activation::default())?;
        config.positions = match layout {
            Layout::OpenAi | Layout::OpenClip => PositionResize::Antialiased,
            Layout::HuggingFace | Layout::Clipn => PositionResize::Plain,
        };
        let beside = Beside::of(&source, &config);
        beside.set_heads(&mut config);
        let (found, activation_source) = match activation {
            Some(given) => (given, ActivationSource::Given),
            None => beside.activation(layout),
        };
        config.activation = found;
        let normalisation = beside.normalisation();
        let tokenizer = source.path().with_file_name("tokenizer.json");
        Ok(Self {
            layout,
            config,
            activation_source,
            normalisation,
            tokenizer_path: tokenizer.is_file().then_some(tokenizer),
            source,
        })
    }

    /// The model's tokenizer: the one beside its weights, or OpenAI's.
    ///
    /// # Errors
    /// If it does not fit the model.
    pub fn tokenizer(&self) -> Result<Tokenizer, TokenizerError> {
        match &self.tokenizer_path {
            Some(path) => Tokenizer::open(path, &self.config.text),
            None => Tokenizer::built_in(&self.config.text, self.source.path()),
        }
    }

    /// What a person should know before trusting the model's numbers, in one sentence.
    pub fn warning(&self) -> Option<String> {
        if self.activation_source != ActivationSource::Assumed {
            return None;
        }
        let (name, other) = match self.config.activation {
            Activation::Gelu => ("gelu", "quick_gelu"),
            Activation::QuickGelu => ("quick_gelu", "gelu"),
        };
        Some(format!(
            "nothing says which activation the model has; {name} is assumed, and with {other} its \
             features would differ by up to 7 % (name it, or put the model's config.json or \
             open_clip_config.json beside its weights): {}",
            self.source.path().display()
        ))
    }
}

/// The weights file that a path means: itself, or one in the folder that it is.
pub fn weights_file(path: &Path) -> PathBuf {
    let inside = IN_FOLDER.iter().map(|name| path.join(name)).find(|file| file.is_file());
    inside.unwrap_or_else(|| path.to_owned())
}

/// The configuration files beside weights, where they are this model's.
struct Beside {
    /// Hugging Face's `config.json`.
    hugging_face: Option<Value>,
    /// `open_clip_config.json`.
    open_clip: Option<Value>,
    /// Hugging Face's `preprocessor_config.json`.
    preprocessor: Option<Value>,
}

impl Beside {
    /// Reads those that name the sizes that the weights have; a folder may hold other models' too.
    fn of(source: &Source, config: &ClipConfig) -> Self {
        let read = |name: &str| -> Option<Value> {
            let text = fs::read_text(&source.path().with_file_name(name), MAX_JSON).ok()?;
            serde_json::from_str(&text)
                .inspect_err(|error| log::warn!("{name} beside the weights is unusable: {error}"))
                .ok()
        };
        let is = |value: Option<&Value>, size: usize| {
            value.and_then(Value::as_u64).is_none_or(|found| found == size as u64)
        };
        let hugging_face = read("config.json").filter(|json| {
            json["model_type"] == "clip"
                && is(json["vision_config"].get("hidden_size"), config.image.transformer.width)
                && is(json["text_config"].get("hidden_size"), config.text.transformer.width)
        });
        let open_clip = read("open_clip_config.json")
            .filter(|json| is(json["model_cfg"].get("embed_dim"), config.joint));
        Self { hugging_face, open_clip, preprocessor: read("preprocessor_config.json") }
    }

    fn activation(&self, layout: Layout) -> (Activation, ActivationSource) {
        let hugging_face = self.hugging_face.as_ref().map(|json| {
            // transformers takes QuickGELU where nothing is said.
            let quick = json["vision_config"].get("hidden_act").is_none_or(|a| a == "quick_gelu");
            (quick, ActivationSource::File("config.json"))
        });
        let open_clip = self.open_clip.as_ref().map(|json| {
            let quick = json["model_cfg"]["quick_gelu"] == true;
            (quick, ActivationSource::File("open_clip_config.json"))
        });
        let (quick, source) = match layout {
            Layout::OpenAi => (true, ActivationSource::Layout),
            // The released models were trained from LAION's; others may say what theirs were.
            Layout::Clipn => open_clip.unwrap_or((false, ActivationSource::Layout)),
            Layout::HuggingFace => hugging_face.unwrap_or((true, ActivationSource::Assumed)),
            Layout::OpenClip => {
                open_clip.or(hugging_face).unwrap_or((false, ActivationSource::Assumed))
            }
        };
        (if quick { Activation::QuickGelu } else { Activation::Gelu }, source)
    }

    /// Takes the number of heads where a file says it and channels divide among them.
    fn set_heads(&self, config: &mut ClipConfig) {
        let count = |json: &Value, side: &str, name: &str| {
            usize::try_from(json[side][name].as_u64()?).ok().filter(|&heads| heads > 0)
        };
        let image = &mut config.image.transformer;
        let text = &mut config.text.transformer;
        let mut found = [None, None];
        if let Some(json) = &self.hugging_face {
            let of = |side| count(json, side, "num_attention_heads");
            found = [of("vision_config"), of("text_config")];
        } else if let Some(json) = self.open_clip.as_ref().map(|json| &json["model_cfg"]) {
            let width = count(json, "vision_cfg", "head_width");
            found = [width.map(|width| image.width / width), count(json, "text_cfg", "heads")];
        }
        for (transformer, heads) in [image, text].into_iter().zip(found) {
            match heads {
                Some(heads) if heads > 0 && transformer.width.is_multiple_of(heads) => {
                    transformer.heads = heads;
                }
                _ => {}
            }
        }
    }

    /// Mean and deviation of each channel; CLIP's where no file names usable ones.
    fn normalisation(&self) -> Normalisation {
        let three = |value: &Value| -> Option<[f32; 3]> {
            let values = value.as_array()?.iter().map(|v| v.as_f64().map(|v| v as f32));
            values.collect::<Option<Vec<f32>>>()?.try_into().ok()
        };
        let of = |json: Option<&Value>, mean: &str, std: &str| {
            let (mean, std) = (three(&json?[mean])?, three(&json?[std])?);
            let usable =
                mean.iter().all(|v| v.is_finite()) && std.iter().all(|v| v.is_finite() && *v > 0.0);
            usable.then_some(Normalisation { mean, std })
        };
        let open_clip = self.open_clip.as_ref().map(|json| &json["preprocess_cfg"]);
        of(self.preprocessor.as_ref(), "image_mean", "image_std")
            .or_else(|| of(open_clip, "mean", "std"))
            .unwrap_or(Normalisation::CLIP)
    }
}
