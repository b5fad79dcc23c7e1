//! What can go wrong between an image and its verdict.

use burn::tensor::ExecutionError;
use thiserror::Error;

use crate::bundle::BundleError;
use crate::bundle::known::KnownError;
use crate::nn::clip::tokenizer::TokenizerError;
use crate::nn::source::WeightsError;
use crate::score::ScoreError;
use crate::score::negatives::NegativesError;

/// What can go wrong between an image and its verdict.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum PipelineError {
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// Names that are known.
    #[error(transparent)]
    Known(#[from] KnownError),
    /// Negative words.
    #[error(transparent)]
    Negatives(#[from] NegativesError),
    /// A CLIP's tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// A text whose feature is not finite.
    #[error(
        "the model makes a feature that is not finite of the text `{0}`; are its weights whole?"
    )]
    Text(String),
    /// Learned prompts of which each belongs to a name.
    #[error(
        "the learned prompts are for {prompts} names, each with its own, but {names} are known"
    )]
    PromptNames {
        /// Names that have prompts.
        prompts: usize,
        /// Names that are known.
        names: usize,
    },
    /// A bundle without a network, or of another kind than is asked for.
    #[error("the model has no network of the kind that this needs")]
    NoNetwork,
    /// A detector that this model was not fitted with.
    #[error("the model was not fitted with the detector `{0}`; run `fit`, or choose another")]
    NotFitted(String),
    /// The network, or a store, holds NaN or an infinity.
    #[error(
        "the {what} are not finite (NaN or infinite): the model's weights or what was stored are \
         damaged: {image}"
    )]
    NotFinite {
        what: &'static str,
        /// The image: its place among those given, until a caller knows its name.
        image: ImageName,
    },
    /// The device failed while it computed.
    #[error("the compute device failed ({0}); try --device cpu or a smaller batch")]
    Device(String),
}

/// Which image an error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageName {
    /// Its place among those that were given.
    Place(usize),
    /// Its file, or its name where it is none.
    Path(String),
}

impl std::fmt::Display for ImageName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Place(place) => write!(f, "image {} of the batch", place + 1),
            Self::Path(path) => f.write_str(path),
        }
    }
}

impl PipelineError {
    /// The same error, with the image called by its name instead of its place.
    pub fn naming(self, name: impl FnOnce(usize) -> Option<String>) -> Self {
        match self {
            Self::NotFinite { what, image: ImageName::Place(place) } => {
                let image = name(place).map_or(ImageName::Place(place), ImageName::Path);
                Self::NotFinite { what, image }
            }
            other => other,
        }
    }
}

/// Refuses NaN and infinities in what was computed or stored of the image at a place.
pub(super) fn check_finite(
    what: &'static str,
    values: &[f32],
    place: usize,
) -> Result<(), PipelineError> {
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(()),
        false => Err(PipelineError::NotFinite { what, image: ImageName::Place(place) }),
    }
}

impl From<ExecutionError> for PipelineError {
    fn from(error: ExecutionError) -> Self {
        Self::Device(format!("{error:?}").lines().next().unwrap_or_default().to_owned())
    }
}
