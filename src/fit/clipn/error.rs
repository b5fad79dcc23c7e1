use std::path::PathBuf;

use thiserror::Error;

use crate::bundle::BundleError;
use crate::nn::clip::tokenizer::TokenizerError;
use crate::nn::source::WeightsError;

/// What can go wrong in training a no side.
#[derive(Debug, Error)]
pub enum ClipnError {
    /// The model's weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The state of the training.
    #[error(transparent)]
    State(#[from] BundleError),
    /// A caption that is no text.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The device.
    #[error("the device failed: {0}")]
    Device(String),
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
    /// The pairs are given in a form that is not read.
    #[error(
        "pairs are a folder of images with texts beside them, a .csv or .tsv, or a .tar: {}",
        .0.display()
    )]
    NoPairs(PathBuf),
    /// A list whose header lacks a column.
    #[error("the list needs a column {wanted}; it has {found}: {}", path.display())]
    Column {
        /// What it might be called.
        wanted: &'static str,
        /// The header.
        found: String,
        /// The file.
        path: PathBuf,
    },
    /// A list that cannot be read.
    #[error("cannot read the list of pairs: {source}: {}", path.display())]
    List {
        /// What is wrong.
        source: csv::Error,
        /// The file.
        path: PathBuf,
    },
    /// Images without any text.
    #[error(
        "none of the {images} images has a text, and pairs need one each: put NAME.txt beside \
         NAME.jpg, or give a list with the columns path and caption: {}",
        path.display()
    )]
    WithoutText {
        /// Number of images.
        images: usize,
        /// Where they are.
        path: PathBuf,
    },
    /// Too few pairs to tell one from another.
    #[error("{0} pairs cannot be trained on: the losses set each pair against the others")]
    TooFew(usize),
    /// No image could be read.
    #[error("none of the images can be read; the first: {0}")]
    NoImage(String),
    /// The training diverged.
    #[error("the loss is no longer a number in epoch {epoch}; lower --lr (it is {lr})")]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The learning rate at the start.
        lr: f64,
    },
    /// Something of an earlier run is there.
    #[error("an earlier run was cut off here; --resume takes it up, or remove {}", .0.display())]
    Unfinished(PathBuf),
    /// The earlier run was another one.
    #[error(
        "the earlier run had other settings, pairs or weights, so it cannot be taken up; remove {}",
        .0.display()
    )]
    OtherRun(PathBuf),
}
