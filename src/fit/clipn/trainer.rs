//! The no side in training.

use burn::module::Module as _;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::config::ClipnConfig;
use super::error::ClipnError;
use super::losses::{ClipnLosses, losses};
use crate::fit::checkpoint;
use crate::fit::optimizer::{Adam, NamedTensor};
use crate::nn::clip::{Clip, ClipConfig, NoPrompt, NoSide};
use crate::nn::source::{Source, WeightsError};
use crate::nn::weights::{Names, WeightLoader, named_tensors};

/// Texts that go through the no side at once with a graph. The losses need all texts of a step
/// together, but their features alone: with the losses' gradient by these, each part is run again and
/// gone back through by itself (Gao et al. 2021, "Scaling Deep Contrastive Learning Batch Size under
/// Memory Limited Setup"). The gradients are the same, and a step needs memory for a part of it.
const PART: usize = 64;

/// A step's losses, or an epoch's mean of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LossValues {
    /// See [`ClipnLosses::total`].
    pub total: f64,
    /// See [`ClipnLosses::matching`].
    pub matching: f64,
    /// See [`ClipnLosses::others`].
    pub others: f64,
    /// See [`ClipnLosses::opposite`].
    pub opposite: f64,
}

impl LossValues {
    fn of(losses: &ClipnLosses) -> Result<Self, ClipnError> {
        let ClipnLosses { matching, others, opposite, total } = losses.clone();
        let values = floats(Tensor::cat(vec![total, matching, others, opposite], 0))?;
        let value = |at: usize| values.get(at).map_or(f64::NAN, |&value| f64::from(value));
        Ok(Self { total: value(0), matching: value(1), others: value(2), opposite: value(3) })
    }

    /// Adds a share of others.
    pub fn add(&mut self, other: &Self, share: f64) {
        self.total += share * other.total;
        self.matching += share * other.matching;
        self.others += share * other.others;
        self.opposite += share * other.opposite;
    }
}

/// A CLIP whose no side learns.
pub struct NoSideTrainer {
    clip: Clip,
    /// For inference: image and yes side as they stay.
    frozen: Clip,
    names: Names,
    adam: Adam,
    seed: u64,
    scale: f32,
    device: Device,
}

impl NoSideTrainer {
    /// Takes a CLIP with a no side into training.
    ///
    /// # Errors
    /// If a tensor is missing or misshapen.
    pub fn new(
        shape: &ClipConfig,
        weights: &Source,
        config: &ClipnConfig,
        device: &Device,
    ) -> Result<Self, ClipnError> {
        let device = device.clone().autodiff();
        let from = WeightLoader::stored(weights, &device);
        let clip = Clip::new(shape, &from)?;
        if clip.no.is_none() {
            return Err(missing(weights).into());
        }
        let names = from.names();
        let adam = Adam::new(config.adam(), &names, &device);
        let frozen = clip.valid();
        let scale = floats(frozen.logit_scale())?.first().copied().unwrap_or(f32::NAN);
        Ok(Self { clip, frozen, names, adam, seed: config.seed, scale, device })
    }

    /// Goes on where [`NoSideTrainer::state`] was kept.
    ///
    /// # Errors
    /// If a tensor or part of the optimizer's state is missing or misshapen.
    pub fn resume(
        shape: &ClipConfig,
        weights: &Source,
        state: &Source,
        config: &ClipnConfig,
        device: &Device,
    ) -> Result<Self, ClipnError> {
        let read = |(name, shape): (String, Vec<usize>)| {
            let from = if state.shape(&name).is_some() { state } else { weights };
            let values = from.read(&name, &shape)?;
            Ok((name, shape, values))
        };
        let tensors = weights.shapes().into_iter().map(read);
        let tensors = tensors.collect::<Result<Vec<NamedTensor>, WeightsError>>()?;
        let mut trainer = Self::new(shape, &checkpoint::in_memory(&tensors)?, config, device)?;
        trainer.adam.restore(state)?;
        Ok(trainer)
    }

    /// Steps done so far.
    pub fn steps(&self) -> usize {
        self.adam.steps() as usize
    }

    /// All weights under their published names.
    pub fn weights(&self) -> Vec<NamedTensor> {
        named_tensors(&self.clip, &self.names)
    }

    /// What a run is taken up from: the no side's weights and the optimizer's state.
    pub fn state(&self) -> Vec<NamedTensor> {
        let mut tensors = match &self.clip.no {
            Some(no) => named_tensors(no, &self.names),
            None => Vec::new(),
        };
        tensors.extend(self.adam.state());
        tensors
    }

    /// Unit image features `[n, joint]`, row after row, of images `[n, 3, side, side]`.
    ///
    /// # Errors
    /// If the device fails.
    pub fn image_features(&self, images: Vec<f32>, side: usize) -> Result<Vec<f32>, ClipnError> {
        let count = images.len() / (3 * side * side).max(1);
        let images = TensorData::new(images, [count, 3, side, side]);
        let device = self.device.clone().without_autodiff();
        floats(unit(self.frozen.image.features(Tensor::from_data(images, &device))))
    }

    /// The prompt that each of some texts is given at this step: one of the table's, or their mean.
    fn drawn(&self, texts: usize) -> Vec<usize> {
        let prompts = self.frozen.no.as_ref().map_or(0, NoSide::prompts);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.adam.steps());
        (0..texts).map(|_| rng.random_range(0..=prompts)).collect()
    }

    /// One optimizer step on pairs of unit image features `[n, joint]` and texts; the losses before it.
    ///
    /// # Errors
    /// If the device fails.
    pub fn step(
        &mut self,
        image: &[f32],
        texts: &[Vec<u32>],
        lr: f64,
    ) -> Result<LossValues, ClipnError> {
        let drawn = self.drawn(texts.len());
        let (values, gradients) = self.gradients(image, texts, &drawn)?;
        if values.total.is_finite() {
            self.apply(gradients, lr);
        }
        Ok(values)
    }

    /// Moves the no side against its gradients.
    pub(super) fn apply(&mut self, gradients: GradientsParams, lr: f64) {
        self.clip.no = self.clip.no.take().map(|no| self.adam.step(no, gradients, lr));
    }

    /// The same with another logit scale.
    #[cfg(test)]
    pub(super) fn with_scale(mut self, scale: f32) -> Self {
        self.scale = scale;
        self
    }

    /// The no side, and the names of its parameters.
    #[cfg(test)]
    pub(super) fn no_side(&self) -> (&NoSide, &Names) {
        (self.clip.no.as_ref().unwrap(), &self.names)
    }

    /// ClipnLosses and the no side's gradients, with a prompt for each text by its number.
    ///
    /// # Errors
    /// If the device fails.
    pub fn gradients(
        &self,
        image: &[f32],
        texts: &[Vec<u32>],
        drawn: &[usize],
    ) -> Result<(LossValues, GradientsParams), ClipnError> {
        let Some(no) = &self.clip.no else { return Ok(Default::default()) };
        let parts = || texts.chunks(PART).zip(drawn.chunks(PART));
        let (mut yes, mut features) = (Vec::new(), Vec::new());
        let inference = no.valid();
        for (texts, drawn) in parts() {
            yes.extend(floats(unit(self.frozen.text.forward(texts)))?);
            features.extend(floats(inference.forward(texts, NoPrompt::Each(drawn)))?);
        }
        let rows = |values: Vec<f32>| -> Tensor<2> {
            let shape = [texts.len(), values.len() / texts.len().max(1)];
            Tensor::from_data(TensorData::new(values, shape), &self.device)
        };
        let features = rows(features).require_grad();
        let losses = losses(rows(image.to_vec()), rows(yes), unit(features.clone()), self.scale);
        let values = LossValues::of(&losses)?;
        let Some(by_feature) = features.grad(&losses.total.backward()) else {
            return Ok((values, GradientsParams::new()));
        };
        let by_feature = floats(by_feature)?;
        let joint = by_feature.len() / texts.len().max(1);
        let mut accumulator = GradientsAccumulator::new();
        for ((texts, drawn), slope) in parts().zip(by_feature.chunks(PART * joint.max(1))) {
            let slope = TensorData::new(slope.to_vec(), [texts.len(), joint]);
            let slope: Tensor<2> = Tensor::from_data(slope, &self.device);
            // Has the features' slope for gradient, and so the losses' for the weights.
            let tangent = (no.forward(texts, NoPrompt::Each(drawn)) * slope).sum();
            accumulator.accumulate(no, GradientsParams::from_grads(tangent.backward(), no));
        }
        Ok((values, accumulator.grads()))
    }

    /// The losses of pairs as in inference, with the mean of the prompts, and the share of matching
    /// pairs that the no side does not deny, and of others that it denies.
    ///
    /// # Errors
    /// If the device fails.
    pub fn judge(
        &self,
        image: &[f32],
        texts: &[Vec<u32>],
    ) -> Result<(LossValues, [f64; 2]), ClipnError> {
        let device = self.device.clone().without_autodiff();
        let Some(no) = self.clip.no.as_ref().map(NoSide::valid) else {
            return Ok(Default::default());
        };
        let (mut yes, mut not) = (Vec::new(), Vec::new());
        for texts in texts.chunks(PART) {
            yes.push(unit(self.frozen.text.forward(texts)));
            not.push(unit(no.forward(texts, NoPrompt::Mean)));
        }
        let n = texts.len();
        let image = TensorData::new(image.to_vec(), [n, image.len() / n.max(1)]);
        let image: Tensor<2> = Tensor::from_data(image, &device);
        let (yes, not) = (Tensor::cat(yes, 0), Tensor::cat(not, 0));
        let denied = floats(image.clone().matmul((not.clone() - yes.clone()).transpose()))?;
        let is_right = |at: usize, is_same: bool| {
            denied.get(at).is_some_and(|&denied| (denied < 0.0) == is_same)
        };
        let matching = (0..n).filter(|&i| is_right(i * n + i, true)).count();
        let others = (0..n * n).filter(|&at| at / n != at % n && is_right(at, false)).count();
        let shares = [matching as f64 / n.max(1) as f64, others as f64 / (n * n - n).max(1) as f64];
        Ok((LossValues::of(&losses(image, yes, not, self.scale))?, shares))
    }
}

fn missing(weights: &Source) -> WeightsError {
    WeightsError::Missing {
        name: "text_projection_no".to_owned(),
        expected: vec![0, 0],
        path: weights.path().to_owned(),
    }
}

/// Rows of unit length.
fn unit(x: Tensor<2>) -> Tensor<2> {
    let length = x.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
    x / length
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ClipnError> {
    let data = tensor.without_autodiff().try_into_data();
    let data = data.map_err(|error| ClipnError::Device(format!("{error:?}")))?;
    Ok(data.iter::<f32>().collect())
}
