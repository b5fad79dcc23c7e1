//! Features as the search for neighbours wants them: around 0 and within −1..1.

use rayon::prelude::*;

/// Points of a map lie within −1..1; where a later one lies beyond this is no matter, but its squared
/// distances must stay finite.
const FAR: f64 = 1e12;

/// What the last bits of a feature may differ by between two computations of one image, relative to the
/// feature's size.
const NOISE: f32 = 1e-6;

/// Whether features `[n, d]` are one point, but for the noise of computing them: scaled up, that would
/// look like structure. A column's noise goes by its own size, or by that of a usual column where it is
/// next to nothing.
pub(super) fn are_one_point(features: &[f32], d: usize) -> bool {
    let mut bounds = vec![(f32::INFINITY, f32::NEG_INFINITY); d];
    for row in features.chunks_exact(d) {
        for ((least, most), &x) in bounds.iter_mut().zip(row) {
            (*least, *most) = (least.min(x), most.max(x));
        }
    }
    let mut sizes: Vec<f32> =
        bounds.iter().map(|(least, most)| least.abs().max(most.abs())).collect();
    let middle = (d - 1) / 2;
    let usual = *sizes.clone().select_nth_unstable_by(middle, f32::total_cmp).1;
    sizes.iter_mut().for_each(|size| *size = size.max(usual));
    // In f64, where no difference overflows.
    let width = |(least, most): (f32, f32)| f64::from(most) - f64::from(least);
    bounds.into_iter().zip(sizes).all(|(bound, size)| width(bound) <= f64::from(NOISE * size))
}

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
    pub(super) fn new(features: &[f32], d: usize) -> Self {
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
    pub(super) fn moved(&self, features: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; features.len()];
        out.par_chunks_mut(self.d).zip(features.par_chunks(self.d)).for_each(|(out, row)| {
            for ((out, &x), mean) in out.iter_mut().zip(row).zip(&self.mean) {
                *out = ((f64::from(x) - mean) * self.scale).clamp(-FAR, FAR) as f32;
            }
        });
        out
    }
}
