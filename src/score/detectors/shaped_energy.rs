//! Energy of the logits of a changed feature: what ReAct, ASH, SCALE and LHAct share.

use std::sync::Arc;

use crate::score::{Head, Sample, ScoreError, Scorer, logits};

struct ShapedEnergy<F> {
    head: Arc<Head>,
    shape: F,
}

/// Scores log Σ_c exp((W·f + b)_c), f being the feature after `shape` has changed it.
pub(super) fn shaped_energy(
    head: &Arc<Head>,
    shape: impl Fn(&mut [f32]) + Send + Sync + 'static,
) -> Result<Box<dyn Scorer>, ScoreError> {
    Ok(Box::new(ShapedEnergy { head: Arc::clone(head), shape }))
}

impl<F: Fn(&mut [f32]) + Send + Sync> Scorer for ShapedEnergy<F> {
    fn score_block(&self, samples: &[Sample<'_>]) -> Vec<f32> {
        let mut features = features(samples);
        features.chunks_exact_mut(self.head.width()).for_each(&self.shape);
        energies(&self.head.logits_with(self.head.weight(), &features), self.head.classes())
    }
}

/// Features of a block as one matrix `[n, D]`.
pub(super) fn features(samples: &[Sample<'_>]) -> Vec<f32> {
    samples.iter().flat_map(|sample| sample.feature.iter().copied()).collect()
}

/// Energy of each row of logits `[n, C]`.
pub(super) fn energies(logits: &[f32], classes: usize) -> Vec<f32> {
    logits.chunks_exact(classes).map(|row| logits::log_sum_exp(row) as f32).collect()
}

/// Sum of a row and of its n − round(n·percent/100) largest values: what ASH and SCALE compare. Reorders
/// `row` so that the largest come first and returns how many they are.
pub(super) fn top_sums(row: &mut [f32], percent: f64) -> (f64, f64, usize) {
    let kept = row.len() - (row.len() as f64 * percent / 100.0).round_ties_even() as usize;
    let all: f64 = row.iter().map(|&v| f64::from(v)).sum();
    if kept > 0 && kept < row.len() {
        row.select_nth_unstable_by(kept - 1, |a, b| b.total_cmp(a));
    }
    (all, row[..kept].iter().map(|&v| f64::from(v)).sum(), kept)
}

/// exp(all / top), the factor of ASH-S and SCALE, with the exponent kept within ±20.
///
/// Non-negative activations give an exponent between 1 and n / kept, 10 at most at the published
/// percentiles, which the limit never touches. It is for features with negative values, where the sum of
/// the largest can come near zero or below; 0/0 counts as exponent 1, as if nothing were pruned.
pub(super) fn sharpening((all, top): (f64, f64)) -> f32 {
    let ratio = if top == 0.0 && all == 0.0 { 1.0 } else { all / top };
    ratio.clamp(-20.0, 20.0).exp() as f32
}
