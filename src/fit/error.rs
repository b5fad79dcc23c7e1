use std::path::PathBuf;

use thiserror::Error;

use crate::bundle::BundleError;
use crate::bundle::vocabulary::VocabularyError;
use crate::nn::source::WeightsError;
use crate::pipeline::PipelineError;
use crate::score::ScoreError;

/// What can go wrong in fitting.
#[derive(Debug, Error)]
pub enum FitError {
    /// A bundle's file.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A list of classes.
    #[error(transparent)]
    Vocabulary(#[from] VocabularyError),
    /// Weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A detector.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The tagger or the projector.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The disk.
    #[error("{action}: {source}: {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
        /// The file.
        path: PathBuf,
    },
    /// The vocabulary and the images name different classes.
    #[error("the vocabulary has no line for the class `{0}`")]
    NotInVocabulary(String),
    /// Nothing to train on.
    #[error(
        "no image keeps any token at τ = {tau}: {skipped} images have no in-distribution tag that \
         counts; lower --tau, or analysis at the vocabulary"
    )]
    NothingKept {
        /// τ.
        tau: f32,
        /// Images that were skipped.
        skipped: usize,
    },
    /// A class of which no image is left.
    #[error("no image of the class `{0}` keeps any token: does its tag stand for it?")]
    ClassLost(String),
    /// The training diverged.
    #[error("the loss is no longer a number in epoch {epoch}; lower --lr (it is {lr})")]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The learning rate at the start.
        lr: f64,
    },
    /// The user stopped it.
    #[error("stopped in epoch {epoch}; --resume goes on from the end of the last whole epoch")]
    Cancelled {
        /// The epoch, from 1.
        epoch: usize,
    },
    /// Something of an earlier run is there.
    #[error("an earlier run was cut off here; --resume takes it up, or remove {}", .0.display())]
    Unfinished(PathBuf),
    /// The earlier run was another one.
    #[error(
        "the earlier run had other settings or images, so it cannot be taken up; remove {}",
        .0.display()
    )]
    OtherRun(PathBuf),
}
