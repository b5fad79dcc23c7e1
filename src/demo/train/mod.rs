//! Training of the embedded tagger: the RAM modules in a small configuration, from scratch, on
//! scenes drawn as they are needed.

mod batch;
mod check;
mod loss;
pub(super) mod shards;

use std::path::{Path, PathBuf};

use burn::tensor::Device;

pub(super) use batch::cover;
pub use batch::{SceneBatch, batches, draw_batch};
pub use check::{average_precisions, calibrate};
pub use loss::TaggerLosses;

use super::TAGS;
use crate::fit::checkpoint;
use crate::fit::optimizer::{Adam, AdamConfig, NamedTensor};
use crate::nn::ram::{Ram, RamConfig};
use crate::nn::source::Source;
use crate::nn::swin::SwinConfig;
use crate::nn::tag_decoder::TagDecoderConfig;
use crate::nn::weights::{Names, WeightLoader, named_tensors};

/// The embedded tagger's shape: a Swin of three stages on 192×192 pixels, whose map has 12×12
/// positions, and RAM's tagging head, narrower.
pub fn tagger_config() -> RamConfig {
    RamConfig {
        swin: SwinConfig {
            image: 192,
            patch: 4,
            embed: 32,
            depths: vec![2, 2, 4],
            heads: vec![1, 2, 4],
            window: 6,
            mlp_ratio: 4,
        },
        decoder: TagDecoderConfig { width: 128, heads: 4, hidden: 256, layers: 2 },
        joint: 512,
        tags: TAGS.len(),
        descriptions: 1,
    }
}

/// How to train.
#[derive(Clone, Debug, PartialEq)]
pub struct TaggerTrainConfig {
    /// The tagger's shape.
    pub tagger: RamConfig,
    /// Optimizer steps.
    pub steps: usize,
    /// Scenes in a step.
    pub batch: usize,
    /// Largest learning rate, reached after the warm-up; a cosine takes it to a hundredth.
    pub learning_rate: f64,
    /// Steps of linear warm-up.
    pub warmup: usize,
    /// Seed of the weights and of the scenes.
    pub seed: u64,
}

impl Default for TaggerTrainConfig {
    fn default() -> Self {
        Self {
            tagger: tagger_config(),
            steps: 8000,
            batch: 16,
            learning_rate: 1e-3,
            warmup: 150,
            seed: 1,
        }
    }
}

impl TaggerTrainConfig {
    /// The learning rate at a step.
    pub fn learning_rate_at(&self, step: usize) -> f64 {
        let peak = self.learning_rate;
        if step < self.warmup {
            return peak * (step + 1) as f64 / self.warmup as f64;
        }
        let span = self.steps.saturating_sub(self.warmup).max(1);
        let share = (step - self.warmup) as f64 / span as f64;
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * share.min(1.0)).cos());
        peak * (0.01 + 0.99 * cosine)
    }
}

/// Parts of a batch that are computed side by side.
pub(super) const SHARDS: usize = 2;

/// A tagger in training.
pub struct TaggerTrainer {
    config: TaggerTrainConfig,
    device: Device,
    names: Names,
    ram: Ram,
    optimizer: Adam,
}

impl TaggerTrainer {
    /// Starts from random weights.
    ///
    /// # Errors
    /// Never for a configuration that a checkpoint could have.
    pub fn new(config: TaggerTrainConfig, device: &Device) -> anyhow::Result<Self> {
        let device = device.clone().autodiff();
        Self::build(config.clone(), &WeightLoader::random(config.seed, &device))
    }

    /// Continues from a checkpoint of the same configuration.
    ///
    /// # Errors
    /// If the checkpoint cannot be read or is of another shape.
    pub fn resume(config: TaggerTrainConfig, device: &Device, path: &Path) -> anyhow::Result<Self> {
        let device = device.clone().autodiff();
        let source = Source::open(path)?;
        let mut trainer = Self::build(config, &WeightLoader::stored(&source, &device))?;
        trainer.optimizer.restore(&source)?;
        Ok(trainer)
    }

    fn build(config: TaggerTrainConfig, from: &WeightLoader) -> anyhow::Result<Self> {
        let ram = Ram::new(&config.tagger, from)?;
        let (names, device) = (from.names(), from.device().clone());
        let adam =
            AdamConfig { clip_norm: Some(1.0), average: Some(0.998), ..AdamConfig::adam_w(0.02) };
        let optimizer = Adam::new(adam, &names, &device);
        Ok(Self { config, device, names, ram, optimizer })
    }

    /// Steps done so far.
    pub fn steps(&self) -> usize {
        self.optimizer.steps() as usize
    }

    /// How it is trained.
    pub fn config(&self) -> &TaggerTrainConfig {
        &self.config
    }

    /// One optimizer step; the losses before it.
    ///
    /// The batch is computed in a fixed number of parts, whose gradients are added in order, so that the
    /// numbers do not depend on the threads' pace.
    ///
    /// # Errors
    /// If the device fails.
    pub fn step(&mut self, batch: &SceneBatch) -> anyhow::Result<TaggerLosses> {
        let parts = batch.split(SHARDS);
        let share = 1.0 / parts.len() as f32;
        let device = &self.device;
        let of_part = |ram: &Ram, part: &SceneBatch| loss::of_batch(ram, part, device);
        let (gradients, reports) = shards::gradients(&self.ram, &parts, device, of_part)?;
        let sum =
            reports.iter().fold(TaggerLosses::default(), |sum, losses| sum.plus(losses, share));
        let rate = self.config.learning_rate_at(self.steps());
        self.ram = self.optimizer.step(self.ram.clone(), gradients, rate);
        Ok(sum)
    }

    /// Writes weights, their average and the optimizer's state into one file, whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        let mut tensors = named_tensors(&self.ram, &self.names);
        tensors.extend(self.optimizer.state());
        Ok(checkpoint::write(path, &tensors)?)
    }

    /// The averaged weights under their published names.
    pub fn weights(&self) -> Vec<NamedTensor> {
        named_tensors(&self.optimizer.averaged(self.ram.clone()), &self.names)
    }

    /// A tagger for inference with the averaged weights.
    ///
    /// # Errors
    /// Never for weights of this trainer.
    pub fn snapshot(&self, device: &Device) -> anyhow::Result<Ram> {
        let source = checkpoint::in_memory(&self.weights())?;
        Ok(Ram::new(&self.config.tagger, &WeightLoader::stored(&source, device))?)
    }
}

/// Where a training's checkpoint lies in its folder.
pub fn checkpoint_path(folder: &Path) -> PathBuf {
    folder.join("checkpoint.safetensors")
}
