//! How a projector is trained: the constants of the paper and of the released code.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::centers::{LossConfig, Repeats};
use super::optimizer::AdamConfig;
use crate::bundle::manifest::Recipe;
use crate::nn::projector::ProjectorConfig;

/// Steps that an epoch of a small set has, at least.
const STEPS_AN_EPOCH: usize = 16;
/// Images of a step of a small set, at least: fewer say little of a dozen classes.
const LEAST_BATCH: usize = 16;
/// Steps after which a projector of a small set tells classes apart.
const STEPS: usize = 500;

/// How a projector is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// The projector's shape.
    pub projector: ProjectorConfig,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images in a step.
    pub batch: usize,
    /// Learning rate at the start.
    pub lr: f64,
    /// Learning rate at the end of the cosine.
    pub lr_floor: f64,
    /// Passes after which the cosine would reach its floor.
    pub schedule_epochs: usize,
    /// Weight decay, decoupled (AdamW); 0 for plain Adam.
    pub weight_decay: f64,
    /// The loss.
    pub loss: LossConfig,
    /// Share α of the old center.
    pub center_keep: f64,
    /// What becomes of a center when a batch has several images of its class.
    pub repeats: Repeats,
    /// Dropout rate.
    pub dropout: f64,
    /// Whether each part of the loss has a forward pass, and so dropout masks, of its own.
    pub two_passes: bool,
    /// Seed of weights, centers, order and masks.
    pub seed: u64,
}

impl TrainConfig {
    /// The constants of a recipe.
    ///
    /// The paper is silent on dropout; its recipe takes that of the released projector, in one
    /// forward pass.
    pub fn new(recipe: Recipe, projector: ProjectorConfig) -> Self {
        let common = Self {
            projector,
            epochs: 100,
            batch: 256,
            lr: 0.01,
            lr_floor: 0.0,
            schedule_epochs: 100,
            weight_decay: 0.0,
            loss: LossConfig { center_weight: 0.1, sum_patterns: false, clamp: None },
            center_keep: 0.999,
            repeats: Repeats::Mean,
            dropout: 0.1,
            two_passes: false,
            seed: 7,
        };
        match recipe {
            Recipe::Paper => common,
            Recipe::Released => Self {
                // `range(1, 100)` under a cosine of 100.
                epochs: 99,
                lr_floor: 1e-5,
                weight_decay: 5e-4,
                loss: LossConfig {
                    center_weight: 0.1,
                    sum_patterns: true,
                    clamp: Some((1e-5, 1e3)),
                },
                repeats: Repeats::Last,
                two_passes: true,
                ..common
            },
        }
    }

    /// The recipe's training for a small set. Its batches of 256 are of a million images; of a few
    /// hundred they leave a step an epoch, in which nothing is learnt. Here an epoch has some sixteen
    /// steps at least, of batches of 16 at least, and the learning rate falls with the batch.
    pub fn for_images(mut self, images: usize) -> Self {
        let batch = (images / STEPS_AN_EPOCH).max(1).next_power_of_two();
        let batch = batch.clamp(LEAST_BATCH, self.batch.max(LEAST_BATCH));
        let share = batch as f64 / self.batch as f64;
        (self.lr, self.lr_floor) = (self.lr * share, self.lr_floor * share);
        self.batch = batch;
        self
    }

    /// As many epochs as make some five hundred steps of a small set, and ten at least.
    pub fn epochs_for(&self, images: usize) -> usize {
        (STEPS / images.div_ceil(self.batch).max(1)).clamp(10, self.epochs.max(10))
    }

    /// With another number of epochs; the cosine ends as far after the last as it did.
    pub fn with_epochs(mut self, epochs: usize) -> Self {
        let beyond = self.schedule_epochs.saturating_sub(self.epochs);
        (self.epochs, self.schedule_epochs) = (epochs, epochs + beyond);
        self
    }

    /// The same training on cross-entropy alone, for the `ce-cosine` detector.
    pub fn cross_entropy_alone(mut self) -> Self {
        self.loss.center_weight = 0.0;
        self.two_passes = false;
        self
    }

    /// Learning rate of a step of a run with `steps_per_epoch` steps an epoch.
    pub fn lr_at(&self, step: u64, steps_per_epoch: usize) -> f64 {
        let all = (self.schedule_epochs * steps_per_epoch).max(1) as f64;
        let progress = (step as f64 / all).min(1.0);
        self.lr_floor + (self.lr - self.lr_floor) * 0.5 * (1.0 + (PI * progress).cos())
    }

    /// The optimizer's constants.
    pub fn adam(&self) -> AdamConfig {
        match self.weight_decay > 0.0 {
            true => AdamConfig::adam_w(self.weight_decay),
            false => AdamConfig::default(),
        }
    }

    /// The centers' shape: classes, patterns, channels of a pattern.
    pub fn center_shape(&self) -> [usize; 3] {
        let projector = &self.projector;
        let patterns = projector.patterns.max(1);
        [projector.classes, patterns, projector.width / patterns]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> ProjectorConfig {
        ProjectorConfig {
            joint: 8,
            width: 8,
            heads: 2,
            layers: 1,
            hidden: 8,
            max_tokens: 4,
            classes: 3,
            patterns: 4,
        }
    }

    #[test]
    fn recipes_keep_their_schedules() {
        let paper = TrainConfig::new(Recipe::Paper, shape());
        assert_eq!(paper.lr_at(0, 10), 0.01);
        assert!((paper.lr_at(500, 10) - 0.005).abs() < 1e-9);
        assert!(paper.lr_at(1000, 10).abs() < 1e-12);
        let released = TrainConfig::new(Recipe::Released, shape()).with_epochs(19);
        assert_eq!((released.epochs, released.schedule_epochs), (19, 20));
        assert!(released.lr_at(190, 10) > 1e-5);
        assert!((released.lr_at(200, 10) - 1e-5).abs() < 1e-12);
        assert_eq!(released.center_shape(), [3, 4, 2]);
    }

    #[test]
    fn small_sets_have_small_batches() {
        let of = |images| {
            let config = TrainConfig::new(Recipe::Paper, shape()).for_images(images);
            (config.batch, config.lr, config.epochs_for(images))
        };
        assert_eq!(of(40), (16, 0.01 / 16.0, 100));
        assert_eq!(of(250), (16, 0.01 / 16.0, 31));
        assert_eq!(of(2000), (128, 0.005, 31));
        assert_eq!(of(1_000_000), (256, 0.01, 10));
    }
}
