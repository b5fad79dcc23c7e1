//! Features as the search for neighbours wants them: around 0 and within −1..1.

use rayon::prelude::*;

/// Points of a map lie within −1..1; where a later one lies beyond this is no matter, but its squared
/// distances must stay finite.
const FAR: f64 = 1e12;

/// Features with their mean taken off and divided by the largest value. Neither changes an affinity;
/// both keep squared distances precise and within the range of f32.
pub(super) struct Centered {
    /// `[n, d]`, row by row.
    pub values: Vec<f32>,
    /// Dimensions of a point.
    pub d: usize,
    mean: Vec<f64>,
    scale: f64,
}

impl Centered {
    /// From finite features `[n, d]`, n and d at least 1.
    pub fn new(features: &[f32], d: usize) -> Self {
        let n = features.len() / d;
        let mut mean = vec![0.0_f64; d];
        for row in features.chunks_exact(d) {
            for (mean, &x) in mean.iter_mut().zip(row) {
                *mean += f64::from(x);
            }
        }
        mean.iter_mut().for_each(|mean| *mean /= n as f64);
        let largest = |row: &[f32]| {
            row.iter().zip(&mean).map(|(&x, mean)| (f64::from(x) - mean).abs()).fold(0.0, f64::max)
        };
        let largest = features.par_chunks(d).map(largest).reduce(|| 0.0, f64::max);
        let scale = if largest > 0.0 { 1.0 / largest } else { 1.0 };
        let mut centered = Self { values: Vec::new(), d, mean, scale };
        centered.values = centered.moved(features);
        centered
    }

    /// Other features `[m, d]`, moved and scaled in the same way.
    pub fn moved(&self, features: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; features.len()];
        out.par_chunks_mut(self.d).zip(features.par_chunks(self.d)).for_each(|(out, row)| {
            for ((out, &x), mean) in out.iter_mut().zip(row).zip(&self.mean) {
                *out = ((f64::from(x) - mean) * self.scale).clamp(-FAR, FAR) as f32;
            }
        });
        out
    }
}
