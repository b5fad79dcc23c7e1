//! ODIN's step: the input moved a little towards the class that is predicted for it.
//!
//! ```text
//! x̃ = x − ε·sign(∇ₓ −log max_c softmax(logits(x) / T)_c)
//! ```
//!
//! The gradient is the real one, through the projector to its object tokens, or on through the image
//! encoder to the image. Weights take no part in it: only the input is a variable.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::tagger::Tagger;
use super::{PipelineError, floats};
use crate::image::Normalisation;
use crate::nn::projector::Projector;
use crate::score::detectors::odin::{EPSILON, TEMPERATURE};

/// What ODIN moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OdinInput {
    /// The object tokens, by ε relative to their standard deviation as ε = 0.0014 is to that of
    /// photographs: where images are not at hand.
    #[default]
    Tokens,
    /// The image's pixels, by ε = 0.0014 of their range, as published. The kept positions stay those
    /// of the image as it was.
    Image,
}

impl std::fmt::Display for OdinInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tokens => "tokens",
            Self::Image => "image",
        })
    }
}

impl Tagger {
    /// Class logits `[C]` of an image's object tokens (`[n, width]`, n ≥ 1) after ODIN's step, not yet
    /// divided by its temperature; none without a projector. Each image goes alone: its step follows
    /// the sign of a gradient, which another batch's rounding might turn.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn odin_logits(&self, object: &[f32]) -> Result<Vec<f32>, PipelineError> {
        let Some((projector, _)) = &self.projector else { return Ok(Vec::new()) };
        let tokens = self.padded(&[object], self.length(object)).0.autodiff().require_grad();
        let logits = projector.class_logits(projector.features(tokens.clone(), None));
        let gradient = gradient_of(&tokens, logits, TEMPERATURE)?;
        let moved = tokens.without_autodiff() - gradient.sign() * relative_step(object);
        floats(projector.class_logits(projector.features(moved, None)))
    }

    /// Class logits `[C]` of a prepared image (`[3, S, S]`) after ODIN's step on its pixels, not yet
    /// divided by its temperature; none without a projector. `mask` is the positions that were kept of
    /// it, at least one.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn odin_logits_of_image(
        &self,
        pixels: &[f32],
        mask: &[bool],
    ) -> Result<Vec<f32>, PipelineError> {
        let Some((projector, _)) = &self.projector else { return Ok(Vec::new()) };
        let image = self.batch(&[pixels]).autodiff().require_grad();
        let logits = self.masked_logits(projector, &image, &[mask]);
        let gradient = gradient_of(&image, logits, TEMPERATURE)?;
        let steps = Normalisation::IMAGENET.std.map(|std| EPSILON as f32 / std);
        let step: Tensor<1> = Tensor::from_data(steps.as_slice(), &self.device);
        let step: Tensor<4> = step.reshape([1, 3, 1, 1]).cast(image.dtype());
        let moved = image.without_autodiff() - gradient.sign() * step;
        floats(self.masked_logits(projector, &moved, &[mask]))
    }

    /// Class logits `[batch, C]` of the tokens at the positions of each image's mask.
    fn masked_logits(
        &self,
        projector: &Projector,
        images: &Tensor<4>,
        masks: &[&[bool]],
    ) -> Tensor<2> {
        let tokens = self.ram.encode(images.clone()).cast(burn::tensor::FloatDType::F32);
        let [batch, _, width] = tokens.dims();
        let count = |mask: &&[bool]| mask.iter().filter(|&&keep| keep).count();
        let lengths: Vec<usize> = masks.iter().map(count).collect();
        let longest = lengths.iter().copied().max().unwrap_or_default().max(1);
        let kept = (0..batch).map(|index| {
            let positions = masks[index].iter().zip(0i32..).filter(|(keep, _)| **keep);
            // Padding repeats position 0; the projector attends to none of it.
            let mut positions: Vec<i32> = positions.map(|(_, at)| at).collect();
            positions.resize(longest, 0);
            let positions = TensorData::new(positions, [longest]);
            let one = tokens.clone().slice([index..index + 1, 0..tokens.dims()[1], 0..width]);
            one.select(1, Tensor::from_data(positions, &self.device))
        });
        let lengths = lengths.iter().any(|&n| n < longest).then_some(lengths);
        let kept = Tensor::cat(kept.collect(), 0);
        projector.class_logits(projector.features(kept, lengths.as_deref()))
    }
}

/// ∇ of −log max_c softmax(logits / T)_c, summed over the batch, with respect to `input`. Each
/// image's logits depend on its own input alone, so that the sum leaves every gradient as it is.
fn gradient_of<const D: usize>(
    input: &Tensor<D>,
    logits: Tensor<2>,
    temperature: f64,
) -> Result<Tensor<D>, PipelineError> {
    let [batch, classes] = logits.dims();
    let values = floats(logits.clone().without_autodiff())?;
    let mut predicted = vec![0.0f32; batch * classes];
    for (row, logits) in values.chunks_exact(classes).enumerate() {
        let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        predicted[row * classes + best.map_or(0, |(class, _)| class)] = 1.0;
    }
    let predicted = TensorData::new(predicted, [batch, classes]);
    let predicted: Tensor<2> = Tensor::from_data(predicted, &logits.device());
    let loss = (log_softmax(logits / temperature, 1) * predicted).sum().neg();
    let gradient = input.grad(&loss.backward());
    gradient.ok_or_else(|| PipelineError::Device("no gradient came back".into()))
}

/// ε for tokens: as large against their standard deviation as the published ε is against that of
/// photographs.
fn relative_step(tokens: &[f32]) -> f32 {
    let count = tokens.len().max(1) as f64;
    let mean = tokens.iter().map(|&v| f64::from(v)).sum::<f64>() / count;
    let variance = tokens.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count;
    let of_photographs =
        Normalisation::IMAGENET.std.iter().map(|&std| f64::from(std)).sum::<f64>() / 3.0;
    (EPSILON / of_photographs * variance.sqrt()) as f32
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::bundle::Bundle;
    use crate::gpu::{self, DeviceChoice};

    fn tagger() -> Tagger {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny");
        let mut bundle = Bundle::open(&fixtures.join("tiny_ram.pth")).unwrap();
        bundle.attach_projector(&fixtures.join("tiny_projector.pth")).unwrap();
        let config = bundle.manifest.tagger.clone().unwrap();
        let device = gpu::compute(DeviceChoice::Cpu).unwrap().device;
        Tagger::load(&bundle, &config, &device, None).unwrap()
    }

    /// Numbers without a pattern, in −1..1.
    fn noise(count: usize, seed: f32) -> Vec<f32> {
        (0..count).map(|i| ((i as f32 + 1.0) * 12.9898 * seed).sin() * 0.9).collect()
    }

    fn loss(logits: &[f32]) -> f64 {
        let largest = logits.iter().copied().fold(f32::MIN, f32::max);
        logits.iter().map(|v| f64::from(v - largest).exp()).sum::<f64>().ln()
    }

    /// The slope along a direction, from both sides, against the gradient's share of it.
    fn assert_slope(gradient: &[f32], direction: &[f32], loss: impl Fn(f32) -> f64, h: f32) {
        let slope = (loss(h) - loss(-h)) / (2.0 * f64::from(h));
        let pairs = gradient.iter().zip(direction);
        let expected: f64 = pairs.map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
        let size = expected.abs().max(1e-3);
        assert!((slope - expected).abs() < 0.03 * size, "{slope} against {expected}");
    }

    #[test]
    fn the_gradient_of_tokens_is_the_slope() {
        let tagger = tagger();
        let projector = &tagger.projector.as_ref().unwrap().0;
        let joint = tagger.config.joint;
        let objects = [noise(3 * joint, 1.0), noise(5 * joint, 0.7)];
        let (tokens, lengths) = tagger.padded(&[&objects[0], &objects[1]], 5);
        let tokens = tokens.autodiff().require_grad();
        let logits = projector.class_logits(projector.features(tokens.clone(), lengths.as_deref()));
        let gradient = floats(gradient_of(&tokens, logits, 1.0).unwrap()).unwrap();
        let (first, second) = gradient.split_at(5 * joint);
        assert!(first[3 * joint..].iter().all(|&g| g == 0.0), "padding has no gradient");
        for (index, gradient) in [&first[..3 * joint], second].into_iter().enumerate() {
            // Along the gradient itself, and along noise.
            let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
            assert!(norm > 1e-4);
            let along: Vec<f32> = gradient.iter().map(|g| g / norm).collect();
            for direction in [along, noise(gradient.len(), 1.3)] {
                let moved = |h: f32| {
                    let pairs = objects[index].iter().zip(&direction);
                    let tokens: Vec<f32> = pairs.map(|(x, d)| x + h * d).collect();
                    loss(&tagger.project_objects(&[tokens], false).unwrap()[0].class_logits)
                };
                assert_slope(gradient, &direction, moved, 1e-2);
            }
        }
    }

    #[test]
    fn the_gradient_of_an_image_is_the_slope() {
        let tagger = tagger();
        let projector = &tagger.projector.as_ref().unwrap().0;
        let side = tagger.config.swin.image;
        let picture = noise(3 * side * side, 0.37);
        let positions = tagger.config.positions();
        let mask: Vec<bool> = (0..positions).map(|at| at % 3 == 0).collect();
        let image = tagger.batch(&[&picture]).autodiff().require_grad();
        let logits = tagger.masked_logits(projector, &image, &[&mask]);
        let gradient = floats(gradient_of(&image, logits, 1.0).unwrap()).unwrap();
        let norm = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
        assert!(norm > 1e-5, "{norm}");
        let along: Vec<f32> = gradient.iter().map(|g| g / norm).collect();
        let moved = |h: f32| {
            let moved: Vec<f32> = picture.iter().zip(&along).map(|(x, d)| x + h * d).collect();
            let logits = tagger.masked_logits(projector, &tagger.batch(&[&moved]), &[&mask]);
            loss(&floats(logits).unwrap())
        };
        assert_slope(&gradient, &along, moved, 0.05);
    }

    #[test]
    fn the_step_makes_the_prediction_surer() {
        let tagger = tagger();
        let joint = tagger.config.joint;
        let objects: Vec<Vec<f32>> = (1..6).map(|i| noise(i * joint, 0.3 * i as f32)).collect();
        let before = tagger.project_objects(&objects, false).unwrap();
        for (before, object) in before.iter().zip(&objects) {
            let after = tagger.odin_logits(object).unwrap();
            assert_eq!(before.class_logits.len(), after.len());
            assert!(loss(&after) < loss(&before.class_logits));
        }
    }
}
