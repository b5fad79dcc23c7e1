//! A bank of training features for detectors that look at neighbours or at percentiles.

use rand::seq::index::sample;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::TrainingSet;
use crate::score::{
    Rows, ScoreError, Statistics,
    logits::log_sum_exp,
    matrix::{norm, normalised},
};

/// Rows kept at most: 20 MB at D = 512, and 10,000 images are compared with them in seconds.
pub(crate) const CAPACITY: usize = 10_000;
/// Seed of the choice among more rows than fit.
const SEED: u64 = 7;

/// L2-normalised features `[M, D]`, in random order.
pub(crate) const FEATURES: &str = "bank.features";
/// Energy log Σ exp(logits) of the same rows, `[M]`.
pub(crate) const ENERGY: &str = "bank.energy";

/// Indices of the rows that stand for all `n`: a random choice of at most [`CAPACITY`], in random order,
/// the same on every run.
fn choice(n: usize) -> Vec<usize> {
    sample(&mut ChaCha8Rng::seed_from_u64(SEED), n, n.min(CAPACITY)).into_vec()
}

/// Keeps [`FEATURES`] and [`ENERGY`], unless they are there. Rows of zeros have no direction and are
/// left out.
pub(crate) fn keep(
    training: &TrainingSet<'_>,
    statistics: &mut Statistics,
) -> Result<(), ScoreError> {
    if statistics.get(FEATURES).is_some() {
        return Ok(());
    }
    let mut rows = choice(training.features.len());
    rows.retain(|&row| norm(training.features.row(row)) > 0.0);
    if rows.is_empty() {
        return Err(ScoreError::NoSamples { what: "the feature bank" });
    }
    let features = rows.iter().flat_map(|&row| normalised(training.features.row(row))).collect();
    let energy = rows.iter().map(|&row| log_sum_exp(training.class_logits.row(row)) as f32);
    let shape = [rows.len(), training.features.width()];
    statistics.insert(ENERGY, &[rows.len()], energy.collect())?;
    statistics.insert(FEATURES, &shape, features)
}

/// Percentiles (0..100) of all activations of the chosen rows, with linear interpolation between ranks.
pub(crate) fn percentiles<const K: usize>(rows: Rows<'_>, percents: [f64; K]) -> [f32; K] {
    let mut values: Vec<f32> =
        choice(rows.len()).into_iter().flat_map(|row| rows.row(row).iter().copied()).collect();
    percents.map(|percent| percentile(&mut values, percent))
}

/// The value below which `percent` of `values` lie, interpolated; reorders them. 0 if there are none.
pub(crate) fn percentile(values: &mut [f32], percent: f64) -> f32 {
    let Some(last) = values.len().checked_sub(1) else { return 0.0 };
    let rank = (percent / 100.0).clamp(0.0, 1.0) * last as f64;
    let (_, &mut low, above) = values.select_nth_unstable_by(rank as usize, f32::total_cmp);
    let high = above.iter().copied().fold(f32::INFINITY, f32::min);
    if above.is_empty() { low } else { low + (high - low) * rank.fract() as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentile_interpolates_between_ranks() {
        let mut values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(percentile(&mut values, 0.0), 1.0);
        assert_eq!(percentile(&mut values, 50.0), 2.5);
        assert_eq!(percentile(&mut values, 90.0), 3.7);
        assert_eq!(percentile(&mut values, 100.0), 4.0);
        assert_eq!(percentile(&mut [], 50.0), 0.0);
    }

    #[test]
    fn the_choice_is_capped_seeded_and_without_repeats() {
        let rows = choice(CAPACITY + 500);
        assert_eq!(rows, choice(CAPACITY + 500));
        let distinct: std::collections::BTreeSet<_> = rows.iter().collect();
        assert_eq!(distinct.len(), CAPACITY);
    }
}
