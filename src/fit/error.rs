use std::path::PathBuf;

use thiserror::Error;

use crate::bundle::BundleError;
use crate::bundle::vocabulary::VocabularyError;
use crate::nn::source::WeightsError;
use crate::pipeline::PipelineError;
use crate::score::ScoreError;
use crate::store::StoreError;

/// What can go wrong in fitting.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum FitError {
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A list of classes.
    #[error(transparent)]
    Vocabulary(#[from] VocabularyError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The tagger or the projector.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    #[error("{action}: {source}: {}", path.display())]
    Io { action: &'static str, source: std::io::Error, path: PathBuf },
    /// The vocabulary and the images name different classes.
    #[error("the vocabulary has no line for the class `{0}`")]
    NotInVocabulary(String),
    /// Nothing to train on.
    #[error(
        "no image keeps any token at τ = {tau}: {skipped} images have no in-distribution tag that \
         counts; lower --tau, or check the vocabulary"
    )]
    NothingKept { tau: f32, skipped: usize },
    /// A class of which no image is left.
    #[error("no image of the class `{0}` keeps any token: does its tag stand for it?")]
    ClassLost(String),
    #[error("the loss is no longer a number in epoch {epoch}; lower --lr (it is {lr})")]
    Diverged { epoch: usize, lr: f64 },
    /// The user stopped it.
    #[error("stopped in epoch {epoch}; --resume goes on from the end of the last whole epoch")]
    Cancelled { epoch: usize },
    /// Something of an earlier run is there.
    #[error(
        "an earlier run was cut off here; --resume takes it up, --anew starts from the first epoch \
         again: {}",
        .0.display()
    )]
    Unfinished(PathBuf),
    /// The earlier run was another one.
    #[error(
        "the earlier run had {differs}, so it cannot be taken up; give it the same, or start anew \
         (--anew), which keeps what was tagged: {}",
        folder.display()
    )]
    OtherRun {
        /// What differs.
        differs: String,
        /// Where it is kept.
        folder: PathBuf,
    },
}
