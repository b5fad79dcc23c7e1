//! Class centers and the loss that trains them (paper, section 3.4).

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// What becomes of a center when a batch has several images of its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Repeats {
    /// It moves towards their mean. The paper gives an update for one image only.
    Mean,
    /// It moves towards the last of them, as the released code's assignment happens to do.
    Last,
}

/// The moving averages of each class's features, `[classes, patterns, width / patterns]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassCenters {
    /// The values, row-major.
    pub values: Vec<f32>,
    /// Classes, patterns, channels of a pattern.
    pub shape: [usize; 3],
}

impl ClassCenters {
    /// Centers from Gaussian noise of variance 1, the same for a seed on every machine.
    pub fn random(shape: [usize; 3], seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // A sum of uniforms needs no logarithm, whose last bit differs between machines.
        let draw = |_| (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0;
        Self { values: (0..shape.iter().product()).map(draw).collect(), shape }
    }

    /// Number of channels of a center, over all patterns.
    pub fn width(&self) -> usize {
        self.shape[1] * self.shape[2]
    }

    /// The centers of some classes, `[labels, width]`.
    pub fn rows(&self, labels: &[usize]) -> Vec<f32> {
        let width = self.width();
        labels.iter().flat_map(|&label| &self.values[label * width..][..width]).copied().collect()
    }

    /// Moves the centers of the classes in a batch towards its features `[labels, width]`:
    /// `center ← α center + (1 − α) feature`.
    pub fn update(&mut self, features: &[f32], labels: &[usize], alpha: f64, repeats: Repeats) {
        let width = self.width();
        let mut targets: Vec<Option<(Vec<f64>, usize)>> = vec![None; self.shape[0]];
        for (feature, &label) in features.chunks_exact(width).zip(labels) {
            let feature = feature.iter().map(|&value| f64::from(value));
            match (&mut targets[label], repeats) {
                (Some((sum, count)), Repeats::Mean) => {
                    sum.iter_mut().zip(feature).for_each(|(sum, value)| *sum += value);
                    *count += 1;
                }
                (target, _) => *target = Some((feature.collect(), 1)),
            }
        }
        for (center, target) in self.values.chunks_exact_mut(width).zip(targets) {
            let Some((sum, count)) = target else { continue };
            for (center, sum) in center.iter_mut().zip(sum) {
                let old = f64::from(*center);
                *center = (alpha * old + (1.0 - alpha) * sum / count as f64) as f32;
            }
        }
    }
}

/// The weights and form of the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossConfig {
    /// Weight β of the distance to the class's center; 0 for cross-entropy alone.
    pub center_weight: f64,
    /// Whether the squared error is averaged over the channels of a pattern and *summed* over the
    /// patterns (released code), in place of averaged over all channels (paper).
    pub sum_patterns: bool,
    /// Bounds of the total, where it has any.
    pub clamp: Option<(f64, f64)>,
}

/// A batch's losses, each `[1]`.
pub struct CenterLosses {
    /// What is trained on.
    pub total: Tensor<1>,
    /// Mean cross-entropy.
    pub cross_entropy: Tensor<1>,
    /// Mean squared distance to the class's center, unweighted.
    pub center: Tensor<1>,
}

/// Losses of a batch of B images.
///
/// # Shapes
/// - features: `[B, width]`
/// - logits: `[B, classes]`
/// - labels: B classes
pub fn losses(
    config: &LossConfig,
    centers: &ClassCenters,
    features: Tensor<2>,
    logits: Tensor<2>,
    labels: &[usize],
) -> CenterLosses {
    let device = features.device();
    let own = TensorData::new(centers.rows(labels), [labels.len(), centers.width()]);
    let own: Tensor<2> = Tensor::from_data(own, &device);
    let patterns = if config.sum_patterns { centers.shape[1] as f64 } else { 1.0 };
    let center = (features - own).square().mean().mul_scalar(patterns);
    let at: Vec<i32> = labels.iter().map(|&label| label as i32).collect();
    let at: Tensor<2, Int> = Tensor::from_data(TensorData::new(at, [labels.len(), 1]), &device);
    let cross_entropy = log_softmax(logits, 1).gather(1, at).mean().neg();
    let total = match config.center_weight > 0.0 {
        true => cross_entropy.clone() + center.clone().mul_scalar(config.center_weight),
        false => cross_entropy.clone(),
    };
    let total = match config.clamp {
        Some((low, high)) => total.clamp(low, high),
        None => total,
    };
    CenterLosses { total, cross_entropy, center }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_classes_move_to_the_mean_or_to_the_last() {
        let start = ClassCenters { values: vec![0.0, 0.0, 8.0, 8.0], shape: [2, 1, 2] };
        let features = [1.0, 2.0, 3.0, 6.0];
        let moved = |repeats| {
            let mut centers = start.clone();
            centers.update(&features, &[0, 0], 0.5, repeats);
            centers.values
        };
        assert_eq!(moved(Repeats::Mean), [1.0, 2.0, 8.0, 8.0]);
        assert_eq!(moved(Repeats::Last), [1.5, 3.0, 8.0, 8.0]);
    }

    #[test]
    fn random_centers_are_standard_normal() {
        let centers = ClassCenters::random([50, 4, 64], 1);
        assert_eq!(centers, ClassCenters::random([50, 4, 64], 1));
        let count = centers.values.len() as f32;
        let mean = centers.values.iter().sum::<f32>() / count;
        let variance = centers.values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / count;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}
