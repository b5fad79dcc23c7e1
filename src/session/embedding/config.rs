//! How the map of features is made.

use serde::{Deserialize, Serialize};

use crate::eval::tsne::TsneConfig;
use crate::worker::FeatureDistance;

/// How the map is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EmbedConfig {
    /// How many neighbours count for a point, in effect; at least 1.
    pub perplexity: f64,
    /// Iterations.
    pub iterations: usize,
    /// Equal seeds give equal maps.
    pub seed: u64,
    /// What is near.
    pub metric: FeatureDistance,
}

impl Default for EmbedConfig {
    fn default() -> Self {
        let TsneConfig { perplexity, iterations, seed, .. } = TsneConfig::default();
        Self { perplexity, iterations, seed, metric: FeatureDistance::default() }
    }
}

impl EmbedConfig {
    /// Perplexities that can be chosen.
    pub const PERPLEXITY: std::ops::RangeInclusive<f64> = 1.0..=500.0;
    /// Numbers of iterations that can be chosen.
    pub const ITERATIONS: std::ops::RangeInclusive<usize> = 10..=100_000;

    /// The same, with values from a file brought to ones that can be chosen.
    pub fn within_bounds(self) -> Self {
        let (least, most) = Self::PERPLEXITY.into_inner();
        let (fewest, longest) = Self::ITERATIONS.into_inner();
        Self {
            perplexity: self.perplexity.clamp(least, most),
            iterations: self.iterations.clamp(fewest, longest),
            ..self
        }
    }
}
