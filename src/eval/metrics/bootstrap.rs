//! Bootstrap intervals: how far a metric would move with other images from the same sets.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::per_metric::metrics_from_cuts;
use super::ranked::Cuts;
use super::{Metrics, MetricsError, PerMetric, RankedScores};

/// The percentiles that bound a 95 % interval.
const BOUNDS: (f64, f64) = (0.025, 0.975);

/// A 95 % percentile interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// 2.5th percentile.
    pub low: f64,
    /// 97.5th percentile.
    pub high: f64,
}

/// The interval of every metric.
pub type Intervals = PerMetric<Interval>;

impl RankedScores {
    /// 95 % percentile intervals over `resamples` resamples (1000 is usual).
    ///
    /// Stratified: each resample draws as many ID scores as there are from the ID scores, with
    /// replacement, and likewise OOD. O(n) a resample, since the order is known and only the counts
    /// change. The same seed gives the same intervals on any number of threads.
    ///
    /// # Errors
    ///
    /// Fewer than two resamples.
    pub fn bootstrap(&self, resamples: usize, seed: u64) -> Result<Intervals, MetricsError> {
        if resamples < 2 {
            return Err(MetricsError::TooFewResamples(resamples));
        }
        let metrics: Vec<Metrics> = (0..resamples)
            .into_par_iter()
            .map_init(Resample::default, |resample, index| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(index as u64);
                resample.draw(self.cuts(), &mut rng);
                metrics_from_cuts(&resample.cuts)
            })
            .collect();
        Ok(Intervals::from_fn(|metric| {
            let mut values: Vec<f64> = metrics.iter().map(|drawn| *drawn.get(metric)).collect();
            values.sort_unstable_by(f64::total_cmp);
            Interval { low: percentile(&values, BOUNDS.0), high: percentile(&values, BOUNDS.1) }
        }))
    }
}

/// The counts of one resample; its memory is used again by the next one on the same thread.
#[derive(Default)]
struct Resample {
    /// How often each score of a class was drawn, in ascending order of the scores.
    draws: Vec<u32>,
    cuts: Cuts,
}

impl Resample {
    fn draw(&mut self, original: &Cuts, rng: &mut ChaCha8Rng) {
        draw_below(&original.id_below, rng, &mut self.draws, &mut self.cuts.id_below);
        draw_below(&original.ood_below, rng, &mut self.draws, &mut self.cuts.ood_below);
    }
}

/// Draws one class with replacement and counts the draws below each cut.
fn draw_below(
    original_below: &[usize],
    rng: &mut ChaCha8Rng,
    draws: &mut Vec<u32>,
    below: &mut Vec<usize>,
) {
    let count = original_below.last().copied().unwrap_or(0);
    draws.clear();
    draws.resize(count, 0);
    for _ in 0..count {
        draws[rng.random_range(0..count)] += 1;
    }
    below.clear();
    below.push(0);
    let mut drawn = 0;
    below.extend(original_below.windows(2).map(|cut| {
        drawn += draws[cut[0]..cut[1]].iter().map(|&times| times as usize).sum::<usize>();
        drawn
    }));
}

/// The percentile at `share` (0..=1) of ascending values, linear between the two nearest.
fn percentile(ascending: &[f64], share: f64) -> f64 {
    let place = share * (ascending.len() - 1) as f64;
    let (below, above) = (ascending[place.floor() as usize], ascending[place.ceil() as usize]);
    below + (above - below) * place.fract()
}
