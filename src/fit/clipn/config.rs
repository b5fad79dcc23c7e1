use serde::{Deserialize, Serialize};

use crate::fit::optimizer::AdamConfig;

/// How images are cut for training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crops {
    /// A part of 0.9 to 1.0 of the area, drawn anew in every epoch, as published.
    #[default]
    Random,
    /// The middle, as in inference; images are then encoded once for all epochs.
    Centre,
}

/// How a no side is trained; the defaults are the published values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipnConfig {
    /// Passes over the pairs.
    pub epochs: usize,
    /// Pairs in a step: 2,048 as published, four devices with 512 each.
    pub batch: usize,
    /// Learning rate at the start; a cosine takes it to 0.
    pub lr: f64,
    /// Decay of matrices, prompts, embeddings and positions; norms and biases do not decay.
    pub weight_decay: f64,
    /// Learnable "no" prompts, where the model that one starts from has none.
    pub prompts: usize,
    /// How images are cut.
    pub crops: Crops,
    /// Share of the pairs that is held out, to be followed and not trained on.
    pub validation: f64,
    /// Seed of order, crops, prompts and the held-out pairs.
    pub seed: u64,
}

impl Default for ClipnConfig {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch: 2048,
            lr: 3e-4,
            weight_decay: 0.2,
            prompts: 16,
            crops: Crops::Random,
            validation: 0.02,
            seed: 7,
        }
    }
}

impl ClipnConfig {
    /// The constants of AdamW.
    pub fn adam(&self) -> AdamConfig {
        AdamConfig {
            beta_2: 0.98,
            epsilon: 1e-6,
            decays_vectors: false,
            ..AdamConfig::adam_w(self.weight_decay)
        }
    }

    /// The learning rate at step `step` of `steps`, without warm-up.
    pub fn lr_at(&self, step: usize, steps: usize) -> f64 {
        let share = step as f64 / steps.max(1) as f64;
        0.5 * (1.0 + (std::f64::consts::PI * share).cos()) * self.lr
    }
}
