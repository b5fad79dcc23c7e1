//! The embedded CLIP: CLIP's modules in a small configuration, trained from scratch on drawn scenes
//! and captions that are drawn with them.
//!
//! CLIP's own training needs millions of pairs; here two things that only a drawn world has take
//! their place. First the text side learns alone, from what sentences say: two that name the same
//! thing lie together (`text`). Then the image side learns to meet it: every patch is told the name
//! of what lies under it, the whole image the names of its objects and its captions (`image`).
//!
//! Its no side is trained by `fit --method clipn`, as anyone's would be.

mod batch;
mod check;
mod image;
mod text;
pub mod tokenizer;

use std::path::Path;

use burn::tensor::{Device, Tensor};

pub use batch::{CaptionedBatch, batches, draw};
pub use check::{DetectorQuality, HeldOut, NameFound, judge, names_found};
pub use image::{ImageLosses, ImageTrainer};
pub use text::TextTrainer;

use super::captions::words;
use crate::fit::checkpoint;
use crate::fit::optimizer::NamedTensor;
use crate::nn::Activation;
use crate::nn::clip::tokenizer::{Tokenizer, TokenizerError};
use crate::nn::clip::{
    Clip, ClipConfig, ImageConfig, PositionResize, TextConfig, TransformerConfig,
};
use crate::nn::weights::{WeightLoader, named_tensors};

/// Tags that have names: the objects, then what stands around.
pub const NAMED: usize = 29;

/// What cosines are multiplied by in training. Well below CLIP's 100, which asks for no more than
/// hundredths between the cosines of what fits and what does not.
const SCALE: f32 = 20.0;

/// The cosine below which nothing is named.
const MARGIN: f32 = 0.25;

/// The embedded CLIP's shape, for a tokenizer with this many ids.
pub fn clip_config(vocabulary: usize, no_prompts: Option<usize>) -> ClipConfig {
    let blocks = |layers: usize| TransformerConfig { width: 128, layers, heads: 2, hidden: 512 };
    ClipConfig {
        joint: 128,
        activation: Activation::Gelu,
        positions: PositionResize::default(),
        image: ImageConfig { image: 192, patch: 16, transformer: blocks(4) },
        text: TextConfig { context: 32, vocabulary, transformer: blocks(2) },
        no_prompts,
    }
}

/// The embedded CLIP's `tokenizer.json` and the shape that goes with it.
pub fn vocabulary() -> (String, ClipConfig) {
    let (json, ids) = tokenizer::tokenizer_json(&words());
    (json, clip_config(ids, None))
}

/// How to train.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipTrainConfig {
    /// The shape.
    pub clip: ClipConfig,
    /// Optimizer steps of the text side alone.
    pub text_steps: usize,
    /// Optimizer steps of the image side.
    pub steps: usize,
    /// Scenes in a step.
    pub batch: usize,
    /// Largest learning rate, reached after the warm-up; a cosine takes it to a hundredth.
    pub learning_rate: f64,
    /// Seed of the weights and of the scenes.
    pub seed: u64,
}

impl ClipTrainConfig {
    /// The settings that the embedded CLIP was trained with.
    pub fn new(clip: ClipConfig) -> Self {
        Self { clip, text_steps: 450, steps: 5000, batch: 16, learning_rate: 1.5e-3, seed: 1 }
    }

    /// Steps of linear warm-up.
    const WARMUP: usize = 150;

    /// The learning rate at one of `steps` steps.
    fn learning_rate_at(&self, step: usize, steps: usize) -> f64 {
        if step < Self::WARMUP {
            return self.learning_rate * (step + 1) as f64 / Self::WARMUP as f64;
        }
        let share = (step - Self::WARMUP) as f64 / steps.saturating_sub(Self::WARMUP).max(1) as f64;
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * share.min(1.0)).cos());
        self.learning_rate * (0.01 + 0.99 * cosine)
    }
}

/// Random weights to begin with. Token embeddings are large enough that words differ from the start,
/// and patches begin at places on waves (Vaswani et al. 2017, section 3.5), which they would else
/// have to learn.
///
/// # Errors
/// Never for a shape that a CLIP can have.
pub fn initial(config: &ClipTrainConfig) -> anyhow::Result<Vec<NamedTensor>> {
    let device = Device::flex();
    let from = WeightLoader::random(config.seed, &device);
    let clip = Clip::new(&config.clip, &from)?;
    let mut tensors = named_tensors(&clip, &from.names());
    let grid = config.clip.image.grid();
    for (name, shape, values) in &mut tensors {
        match name.as_str() {
            "token_embedding.weight" => values.iter_mut().for_each(|value| *value *= 25.0),
            "positional_embedding" => values.iter_mut().for_each(|value| *value *= 10.0),
            "visual.positional_embedding" => *values = waves(grid, shape[1]),
            // What a trained CLIP has, which its detectors count on.
            "logit_scale" => values.fill(100f32.ln()),
            _ => {}
        }
    }
    Ok(tensors)
}

/// Sines and cosines of each place's column and row, `[1 + grid², width]`; zero for the class token.
fn waves(grid: usize, width: usize) -> Vec<f32> {
    let quarter = width / 4;
    let mut table = vec![0.0; width];
    for place in 0..grid * grid {
        for at in [place % grid, place / grid] {
            let angle = |i: usize| at as f32 / 10_000f32.powf(i as f32 / quarter as f32);
            table.extend((0..quarter).map(|i| angle(i).sin()));
            table.extend((0..quarter).map(|i| angle(i).cos()));
        }
    }
    table
}

/// A CLIP from tensors in memory.
///
/// # Errors
/// If they are not of this shape.
pub fn clip_of(
    tensors: &[NamedTensor],
    config: &ClipConfig,
    device: &Device,
) -> anyhow::Result<Clip> {
    let source = checkpoint::in_memory(tensors)?;
    Ok(Clip::new(config, &WeightLoader::stored(&source, device))?)
}

/// A tokenizer from its file's text.
///
/// # Errors
/// If it does not fit the shape.
pub fn tokenizer_of(json: &str, config: &ClipConfig) -> Result<Tokenizer, TokenizerError> {
    Tokenizer::of_json(json.as_bytes(), &config.text, Path::new("tokenizer.json"))
}

/// The token ids of some texts.
fn ids<T: AsRef<str>>(tokenizer: &Tokenizer, texts: &[T]) -> Result<Vec<Vec<u32>>, TokenizerError> {
    texts.iter().map(|text| Ok(tokenizer.tokens(text.as_ref())?.ids)).collect()
}

/// Rows of unit length, along the last dimension.
fn unit<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let length = x.clone().square().sum_dim(D - 1).sqrt().clamp_min(1e-12);
    x / length
}

/// Cross-entropy of logits with targets that add up to 1 in each row, or to 0 in rows that do not
/// count, averaged over all rows: `[n, k]` and `[n, k]` to `[1]`.
fn cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let [rows, _] = logits.dims();
    let surprise = burn::tensor::activation::log_softmax(logits, 1) * targets;
    surprise.sum().neg() / rows as f32
}

/// Rows scaled to add up to 1; rows of zeros stay.
fn shares(rows: &mut [f32], width: usize) {
    for row in rows.chunks_mut(width.max(1)) {
        let sum: f32 = row.iter().sum();
        if sum > 0.0 {
            row.iter_mut().for_each(|value| *value /= sum);
        }
    }
}
