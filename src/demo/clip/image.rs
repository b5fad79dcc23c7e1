//! The image side, on a text side that stays as it is.

use std::fmt;
use std::path::Path;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};

use super::batch::{CaptionedBatch, prompts};
use super::{ClipTrainConfig, MARGIN, NAMED, SCALE, cross_entropy, ids, shares, unit};
use crate::demo::ID_CLASSES;
use crate::demo::train::{SHARDS, shards};
use crate::fit::checkpoint;
use crate::fit::optimizer::{Adam, AdamConfig, NamedTensor};
use crate::nn::clip::tokenizer::Tokenizer;
use crate::nn::clip::{Clip, ImageTransformer};
use crate::nn::source::Source;
use crate::nn::weights::{Names, WeightLoader, named_tensors};

/// Weight of the patches' naming of what lies under them.
const OUTLINE: f32 = 8.0;

/// Weight of the image's naming of its captions.
const CAPTIONS: f32 = 0.5;

/// The parts of the loss, unweighted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ImageLosses {
    /// Cross-entropy of the name under each patch, or of none.
    pub outline: f32,
    /// Cross-entropy of the names of an image's objects, or of none.
    pub names: f32,
    /// Cross-entropy of the captions that are true of an image.
    pub captions: f32,
}

impl ImageLosses {
    /// A running mean with a new value.
    #[must_use]
    pub fn followed_by(&self, next: &Self, share: f32) -> Self {
        let mix = |old: f32, new: f32| old + share * (new - old);
        Self {
            outline: mix(self.outline, next.outline),
            names: mix(self.names, next.names),
            captions: mix(self.captions, next.captions),
        }
    }
}

impl fmt::Display for ImageLosses {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { outline, names, captions } = self;
        write!(f, "outline {outline:.4}, names {names:.3}, captions {captions:.3}")
    }
}

/// What a step compares its images with, of unit length.
struct StepTexts {
    /// A prompt for each named tag, then prompts with names of nothing, `[prompts, joint]`.
    prompts: TensorData,
    /// The batch's captions, `[captions, joint]`.
    captions: TensorData,
}

/// The image side in training.
pub struct ImageTrainer {
    config: ClipTrainConfig,
    device: Device,
    names: Names,
    clip: Clip,
    /// The same text side, for inference.
    frozen: Clip,
    optimizer: Adam,
    tokenizer: Tokenizer,
}

impl ImageTrainer {
    /// Starts from weights whose text side is trained.
    ///
    /// # Errors
    /// If they are of another shape.
    pub fn new(
        config: ClipTrainConfig,
        tokenizer: Tokenizer,
        weights: &Source,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let from = WeightLoader::stored(weights, device);
        let frozen = Clip::new(&config.clip, &from)?;
        let device = device.clone().autodiff();
        let from = WeightLoader::stored(weights, &device);
        let clip = Clip::new(&config.clip, &from)?;
        let names = from.names();
        let adam = AdamConfig {
            beta_2: 0.98,
            clip_norm: Some(1.0),
            average: Some(0.998),
            ..AdamConfig::adam_w(0.05)
        };
        let optimizer = Adam::new(adam, &names, &device);
        Ok(Self { config, device, names, clip, frozen, optimizer, tokenizer })
    }

    /// Continues from what [`ImageTrainer::save`] kept.
    ///
    /// # Errors
    /// If the checkpoint cannot be read or is of another shape.
    pub fn resume(
        config: ClipTrainConfig,
        tokenizer: Tokenizer,
        path: &Path,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let source = Source::open(path)?;
        let mut trainer = Self::new(config, tokenizer, &source, device)?;
        trainer.optimizer.restore(&source)?;
        Ok(trainer)
    }

    /// Steps done so far.
    pub fn steps(&self) -> usize {
        self.optimizer.steps() as usize
    }

    /// Writes weights, their average and the optimizer's state into one file, whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        let mut tensors = named_tensors(&self.clip, &self.names);
        tensors.extend(self.optimizer.state());
        Ok(checkpoint::write(path, &tensors)?)
    }

    /// All weights under their published names, the image side's averaged.
    pub fn weights(&self) -> Vec<NamedTensor> {
        named_tensors(&self.optimizer.averaged(self.clip.clone()), &self.names)
    }

    /// One optimizer step; the losses before it.
    ///
    /// # Errors
    /// If the device fails.
    pub fn step(&mut self, batch: &CaptionedBatch) -> anyhow::Result<ImageLosses> {
        let texts = self.texts(batch)?;
        let parts = batch.split(SHARDS);
        let device = &self.device;
        let of_part =
            |image: &ImageTransformer, part: &CaptionedBatch| of_batch(image, part, &texts, device);
        let (gradients, reports) = shards::gradients(&self.clip.image, &parts, device, of_part)?;
        let rate = self.config.learning_rate_at(self.steps(), self.config.steps);
        self.clip.image = self.optimizer.step(self.clip.image.clone(), gradients, rate);
        let mut mean = ImageLosses::default();
        for (at, report) in reports.iter().enumerate() {
            mean = mean.followed_by(report, 1.0 / (at + 1) as f32);
        }
        Ok(mean)
    }

    fn texts(&self, batch: &CaptionedBatch) -> anyhow::Result<StepTexts> {
        let prompts = prompts(self.config.seed, self.steps() as u64);
        let captions = batch.captions.iter().map(|caption| caption.text.clone());
        let count = prompts.len();
        let texts: Vec<String> = prompts.into_iter().chain(captions).collect();
        let features = unit(self.frozen.text.forward(&ids(&self.tokenizer, &texts)?));
        let part =
            |from: usize, to: usize| features.clone().narrow(0, from, to - from).try_into_data();
        Ok(StepTexts { prompts: part(0, count)?, captions: part(count, texts.len())? })
    }
}

/// The loss of a batch, to go back from, and its parts.
fn of_batch(
    image: &ImageTransformer,
    batch: &CaptionedBatch,
    texts: &StepTexts,
    device: &Device,
) -> anyhow::Result<(Tensor<1>, ImageLosses)> {
    let count = batch.len();
    let side = (batch.images.len() / count / 3).isqrt();
    let cells = batch.cover.len() / count / NAMED;
    let images = TensorData::new(batch.images.clone(), [count, 3, side, side]);
    let tokens = unit(image.forward(Tensor::from_data(images, device)));
    let [_, positions, joint] = tokens.dims();
    let whole: Tensor<2> = tokens.clone().narrow(1, 0, 1).squeeze_dim(1);
    let patches = tokens.narrow(1, 1, positions - 1).reshape([count * cells, joint]);
    let prompts: Tensor<2> = Tensor::from_data(texts.prompts.clone(), device);
    let captions: Tensor<2> = Tensor::from_data(texts.captions.clone(), device);
    let parts = [
        outline(patches, prompts.clone(), &batch.cover, device),
        names(whole.clone(), prompts, &batch.objects, device),
        cross_entropy(whole.matmul(captions.transpose()).mul_scalar(SCALE), truths(batch, device)),
    ];
    let values: Vec<f32> = Tensor::cat(parts.to_vec(), 0).try_into_data()?.iter::<f32>().collect();
    let value = |part: usize| values.get(part).copied().unwrap_or(f32::NAN);
    let losses = ImageLosses { outline: value(0), names: value(1), captions: value(2) };
    let [outline, names, captions] = parts;
    Ok((outline * OUTLINE + names + captions * CAPTIONS, losses))
}

/// Similarities with prompts, and of none: `[n, joint]` and `[prompts, joint]` to
/// `[n, prompts + 1]`.
fn with_none(features: Tensor<2>, prompts: Tensor<2>) -> Tensor<2> {
    let [rows, _] = features.dims();
    let none = Tensor::full([rows, 1], SCALE * MARGIN, &features.device());
    let similarity = features.matmul(prompts.transpose()).mul_scalar(SCALE);
    Tensor::cat(vec![similarity, none], 1)
}

/// Cross-entropy of the named thing under each patch, or of none. A name of nothing is never right.
fn outline(patches: Tensor<2>, prompts: Tensor<2>, cover: &[f32], device: &Device) -> Tensor<1> {
    let [rows, _] = patches.dims();
    let found = log_softmax(with_none(patches, prompts), 1);
    let [_, columns] = found.dims();
    let rest = cover.chunks(NAMED).map(|row| (1.0 - row.iter().sum::<f32>()).max(0.0)).collect();
    let cover = Tensor::from_data(TensorData::new(cover.to_vec(), [rows, NAMED]), device);
    let rest: Vec<f32> = rest;
    let rest = Tensor::from_data(TensorData::new(rest, [rows, 1]), device);
    let named = (found.clone().narrow(1, 0, NAMED) * cover).sum();
    (named + (found.narrow(1, columns - 1, 1) * rest).sum()).neg() / rows as f32
}

/// Cross-entropy of the names of an image's objects, evenly, or of none. What stands around does not
/// count: most images show some of it.
fn names(whole: Tensor<2>, prompts: Tensor<2>, objects: &[f32], device: &Device) -> Tensor<1> {
    let ([rows, _], [count, joint]) = (whole.dims(), prompts.dims());
    let classes = ID_CLASSES.len();
    let nothings = prompts.clone().slice([NAMED..count, 0..joint]);
    let prompts = Tensor::cat(vec![prompts.narrow(0, 0, classes), nothings], 0);
    let logits = with_none(whole, prompts);
    let [_, columns] = logits.dims();
    let mut targets = Vec::with_capacity(rows * columns);
    for row in objects.chunks(classes) {
        let none = f32::from(u8::from(row.iter().all(|&shown| shown == 0.0)));
        targets.extend_from_slice(row);
        targets.extend(std::iter::repeat_n(0.0, columns - classes - 1));
        targets.push(none);
    }
    shares(&mut targets, columns);
    cross_entropy(logits, Tensor::from_data(TensorData::new(targets, [rows, columns]), device))
}

/// Which captions are true of which image, each row adding up to 1: `[batch, captions]`.
fn truths(batch: &CaptionedBatch, device: &Device) -> Tensor<2> {
    let width = batch.captions.len();
    let truth = |facts| {
        batch.captions.iter().map(move |caption| f32::from(u8::from(caption.is_true_of(facts))))
    };
    let mut rows: Vec<f32> = batch.facts.iter().flat_map(|facts| truth(facts)).collect();
    shares(&mut rows, width);
    Tensor::from_data(TensorData::new(rows, [batch.len(), width]), device)
}
