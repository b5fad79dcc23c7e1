//! Training of the embedded tagger: the RAM modules in a small configuration, from scratch, on
//! scenes drawn as they are needed.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use super::{Set, TAGS, scene_at};
use crate::decompose::sigmoid;
use crate::eval::metrics::RankedScores;
use crate::fit::asymmetric::AsymmetricLoss;
use crate::fit::checkpoint;
use crate::fit::optimizer::{Adam, AdamConfig, NamedTensor};
use crate::image::{RgbImage, tensor_data};
use crate::nn::ram::{Ram, RamConfig};
use crate::nn::source::{SafetensorsBytes, Source};
use crate::nn::swin::SwinConfig;
use crate::nn::tag_decoder::TagDecoderConfig;
use crate::nn::weights::{Builder, Names, named_tensors};

/// The embedded tagger's shape: a Swin of two stages on 192×192 pixels, whose map has 12×12
/// positions, and RAM's tagging head, narrower.
pub fn tagger_config() -> RamConfig {
    RamConfig {
        swin: SwinConfig {
            image: 192,
            patch: 8,
            embed: 96,
            depths: vec![2, 4],
            heads: vec![3, 6],
            window: 6,
            mlp_ratio: 4,
        },
        decoder: TagDecoderConfig { width: 256, heads: 4, hidden: 512, layers: 2 },
        joint: 512,
        tags: TAGS.len(),
        descriptions: 1,
    }
}

/// How to train.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainConfig {
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

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            tagger: tagger_config(),
            steps: 3000,
            batch: 24,
            learning_rate: 1e-3,
            warmup: 150,
            seed: 1,
        }
    }
}

impl TrainConfig {
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

/// A batch of drawn scenes.
#[derive(Clone, Debug)]
pub struct SceneBatch {
    /// Normalised images, `[batch, 3, side, side]`.
    pub images: Vec<f32>,
    /// 1 where a tag is true, `[batch, tags]`.
    pub targets: Vec<f32>,
}

/// Every fifth training scene shows no object of any class, so that the tagger learns that there
/// may be none. Objects that no tag names are never shown.
const CONTEXT_EVERY: u64 = 5;

/// Draws the scenes `first..first + count` of a training seed at the network's size.
pub fn draw_batch(seed: u64, first: u64, count: usize, side: usize) -> SceneBatch {
    let drawn: Vec<(Vec<f32>, Vec<usize>)> = (first..first + count as u64)
        .into_par_iter()
        .map(|index| {
            let set = if index % CONTEXT_EVERY == 0 { Set::Context } else { Set::Id };
            let scene = scene_at(set, seed, index, side);
            let image = RgbImage::from_raw(side as u32, side as u32, scene.image);
            (image.as_ref().map(tensor_data).unwrap_or_default(), scene.tags)
        })
        .collect();
    let mut batch = SceneBatch { images: Vec::new(), targets: vec![0.0; count * TAGS.len()] };
    for ((image, tags), row) in drawn.into_iter().zip(batch.targets.chunks_mut(TAGS.len())) {
        batch.images.extend(image);
        tags.into_iter().for_each(|tag| row[tag] = 1.0);
    }
    batch
}

/// Draws batches ahead of the training on a thread of its own, from step `from` on.
pub fn batches(config: &TrainConfig, from: usize) -> Receiver<SceneBatch> {
    let (sender, receiver) = sync_channel(2);
    let (seed, batch, side) = (config.seed, config.batch, config.tagger.swin.image);
    let steps = from..config.steps;
    std::thread::spawn(move || {
        for step in steps {
            let first = (step * batch) as u64;
            if sender.send(draw_batch(seed, first, batch, side)).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A tagger in training.
pub struct Trainer {
    config: TrainConfig,
    device: Device,
    names: Names,
    ram: Ram,
    optimizer: Adam,
}

impl Trainer {
    /// Starts from random weights.
    ///
    /// # Errors
    /// Never for a configuration that a checkpoint could have.
    pub fn new(config: TrainConfig, device: &Device) -> anyhow::Result<Self> {
        let device = device.clone().autodiff();
        Self::build(config.clone(), &Builder::random(config.seed, &device))
    }

    /// Continues from a checkpoint of the same configuration.
    ///
    /// # Errors
    /// If the checkpoint cannot be read or is of another shape.
    pub fn resume(config: TrainConfig, device: &Device, path: &Path) -> anyhow::Result<Self> {
        let device = device.clone().autodiff();
        let source = Source::open(path)?;
        let mut trainer = Self::build(config, &Builder::stored(&source, &device))?;
        trainer.optimizer.restore(&source)?;
        Ok(trainer)
    }

    fn build(config: TrainConfig, from: &Builder) -> anyhow::Result<Self> {
        let ram = Ram::new(&config.tagger, from)?;
        let (names, device) = (from.names(), from.device().clone());
        let adam =
            AdamConfig { clip_norm: Some(1.0), average: Some(0.995), ..AdamConfig::adam_w(0.02) };
        let optimizer = Adam::new(adam, &names, &device);
        Ok(Self { config, device, names, ram, optimizer })
    }

    /// Steps done so far.
    pub fn steps(&self) -> usize {
        self.optimizer.steps() as usize
    }

    /// How it is trained.
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// One optimizer step; the loss before it.
    ///
    /// # Errors
    /// If the device fails.
    pub fn step(&mut self, batch: &SceneBatch) -> anyhow::Result<f32> {
        let (side, tags) = (self.config.tagger.swin.image, self.config.tagger.tags);
        let count = batch.targets.len() / tags;
        let images = TensorData::new(batch.images.clone(), [count, 3, side, side]);
        let targets = TensorData::new(batch.targets.clone(), [count, tags]);
        let tokens = self.ram.encode(Tensor::from_data(images, &self.device));
        let logits = self.ram.tag(&tokens, None, None).logits;
        let targets = Tensor::from_data(targets, &self.device);
        let aligned = cross_entropy(self.ram.alignment(&tokens), targets.clone());
        let loss = AsymmetricLoss::default().forward(logits, targets);
        let loss = loss + aligned * ALIGNMENT;
        let value = loss.clone().try_into_data()?.iter::<f32>().next().unwrap_or(f32::NAN);
        let gradients = GradientsParams::from_grads(loss.backward(), &self.ram);
        let rate = self.config.learning_rate_at(self.steps());
        self.ram = self.optimizer.step(self.ram.clone(), gradients, rate);
        Ok(value)
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
        let source = source_of(&self.weights())?;
        Ok(Ram::new(&self.config.tagger, &Builder::stored(&source, device))?)
    }
}

/// Weight of the alignment of image tokens with tag embeddings. Without it the embeddings' random
/// directions mean nothing to the image encoder: 12,000 scenes taught it no object, and fewer of the
/// other tags than 8,000 did with it.
const ALIGNMENT: f32 = 0.5;

/// Binary cross-entropy of logits `[batch, tags]`, summed over tags, averaged over images.
fn cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let [batch, _] = logits.dims();
    let softplus = (logits.clone().abs().neg().exp() + 1.0).log() + logits.clone().clamp_min(0.0);
    (softplus - logits * targets).sum() / batch as f32
}

/// Tensors in memory as a source.
///
/// # Errors
/// If two have one name.
pub fn source_of(tensors: &[NamedTensor]) -> anyhow::Result<Source> {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, v)| v.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let mut views = Vec::new();
    for ((name, shape, _), bytes) in tensors.iter().zip(&bytes) {
        let dtype = safetensors::Dtype::F32;
        views.push((name, safetensors::tensor::TensorView::new(dtype, shape.clone(), bytes)?));
    }
    let file = safetensors::serialize(views, None)?;
    Ok(Source::from_bytes(SafetensorsBytes::Owned(file.into()), "weights in memory")?)
}

/// Tags held-out scenes: logits and targets, `[scenes, tags]` each.
fn tag_scenes(
    ram: &Ram,
    device: &Device,
    seed: u64,
    scenes: usize,
    side: usize,
) -> anyhow::Result<(Vec<f32>, Vec<f32>)> {
    let queries = ram.tag_queries();
    let (mut logits, mut targets) = (Vec::new(), Vec::new());
    for first in (0..scenes).step_by(16) {
        let count = 16.min(scenes - first);
        let batch = draw_batch(seed, first as u64, count, side);
        let images = TensorData::new(batch.images, [count, 3, side, side]);
        let tokens = ram.encode(Tensor::from_data(images, device));
        let output = ram.tag(&tokens, queries.as_ref(), None);
        logits.extend(output.logits.try_into_data()?.iter::<f32>());
        targets.extend(batch.targets);
    }
    Ok((logits, targets))
}

/// Average precision of every tag over held-out scenes, where it occurs: `[tags]`.
///
/// # Errors
/// If the device fails.
pub fn average_precisions(
    ram: &Ram,
    device: &Device,
    seed: u64,
    scenes: usize,
    side: usize,
) -> anyhow::Result<Vec<Option<f64>>> {
    let (logits, targets) = tag_scenes(ram, device, seed, scenes, side)?;
    let of_tag = |tag: usize| {
        let values = |wanted: f32| -> Vec<f32> {
            let rows = logits.chunks(TAGS.len()).zip(targets.chunks(TAGS.len()));
            rows.filter(|(_, t)| t[tag] == wanted).map(|(l, _)| l[tag]).collect()
        };
        let ranked = RankedScores::from_sets(values(1.0), values(0.0)).ok()?;
        Some(ranked.metrics().average_precision_id)
    };
    Ok((0..TAGS.len()).map(of_tag).collect())
}

/// Where a training's checkpoint lies in its folder.
pub fn checkpoint_path(folder: &Path) -> PathBuf {
    folder.join("checkpoint.safetensors")
}

/// Seed of the scenes that thresholds are calibrated on.
const CALIBRATION_SEED: u64 = 0xCA11;

/// For each tag the probability threshold with the best F1 score over calibration scenes, `[tags]`.
///
/// # Errors
/// If the device fails.
pub fn calibrate(ram: &Ram, device: &Device, side: usize) -> anyhow::Result<Vec<f32>> {
    let (logits, targets) = tag_scenes(ram, device, CALIBRATION_SEED, 1000, side)?;
    let best_threshold = |tag: usize| {
        let mut rows: Vec<(f32, bool)> = logits
            .chunks(TAGS.len())
            .zip(targets.chunks(TAGS.len()))
            .map(|(logits, targets)| (sigmoid(logits[tag]), targets[tag] > 0.5))
            .collect();
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        let positives = rows.iter().filter(|row| row.1).count() as f32;
        let (mut found, mut best) = (0.0f32, (0.0f32, 0.5f32));
        for (index, pair) in rows.windows(2).enumerate() {
            found += f32::from(u8::from(pair[0].1));
            let f1 = 2.0 * found / (index as f32 + 1.0 + positives);
            if f1 > best.0 {
                best = (f1, 0.5 * (pair[0].0 + pair[1].0));
            }
        }
        best.1
    };
    Ok((0..TAGS.len()).map(best_threshold).collect())
}
