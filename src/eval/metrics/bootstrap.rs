//! Bootstrap intervals: how far a metric would move with other images from the same sets.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::per_metric::metrics_from_cuts;
use super::ranked::Cuts;
use super::{Label, Metrics, MetricsError, PerMetric, RankedScores};

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
    /// change. The same seed gives the same intervals on any number of threads. `None` where ID or OOD
    /// is a single score: every resample would draw it again, and nothing would vary.
    ///
    /// # Errors
    ///
    /// Fewer than two resamples.
    pub fn bootstrap(
        &self,
        resamples: usize,
        seed: u64,
    ) -> Result<Option<Intervals>, MetricsError> {
        intervals(&[self], resamples, seed, |drawn, rng| {
            drawn.draw_id(self.cuts(), rng);
            drawn.draw_ood(self.cuts(), rng);
            metrics_from_cuts(&drawn.cuts)
        })
    }
}

/// 95 % percentile intervals of the mean of each metric over several OOD sets that share their ID
/// scores, each set weighing the same.
///
/// Images are drawn again, and not sets: the interval says how far the mean would move with other
/// images from the same sets, and nothing of sets that were not measured. Each resample draws the ID
/// scores once, with replacement, and holds every set against these same draws; each set's OOD scores
/// are drawn apart. What the ID images bring to the mean thus does not shrink with the number of sets.
/// `None` where ID or some set is a single score.
///
/// # Errors
///
/// Fewer than two resamples, or no set.
pub(in crate::eval) fn bootstrap_mean(
    sets: &[&RankedScores],
    resamples: usize,
    seed: u64,
) -> Result<Option<Intervals>, MetricsError> {
    let Some(first) = sets.first() else {
        return Err(MetricsError::MissingClass(Label::Ood));
    };
    intervals(sets, resamples, seed, |drawn, rng| {
        drawn.draw_id(first.cuts(), rng);
        let mut sum = Metrics::from_fn(|_| 0.0);
        for set in sets {
            count_below(&drawn.id, &set.cuts().id_below, &mut drawn.cuts.id_below);
            drawn.draw_ood(set.cuts(), rng);
            let metrics = metrics_from_cuts(&drawn.cuts);
            sum = Metrics::from_fn(|metric| sum.get(metric) + metrics.get(metric));
        }
        Metrics::from_fn(|metric| sum.get(metric) / sets.len() as f64)
    })
}

/// The intervals of what `measure` gives for each resample of some sets.
fn intervals(
    sets: &[&RankedScores],
    resamples: usize,
    seed: u64,
    measure: impl Fn(&mut Resample, &mut ChaCha8Rng) -> Metrics + Sync,
) -> Result<Option<Intervals>, MetricsError> {
    if resamples < 2 {
        return Err(MetricsError::TooFewResamples(resamples));
    }
    if sets.iter().any(|set| set.id_count() < 2 || set.ood_count() < 2) {
        return Ok(None);
    }
    let metrics: Vec<Metrics> = (0..resamples)
        .into_par_iter()
        .map_init(Resample::default, |resample, index| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(index as u64);
            measure(resample, &mut rng)
        })
        .collect();
    Ok(Some(Intervals::from_fn(|metric| {
        let mut values: Vec<f64> = metrics.iter().map(|drawn| *drawn.get(metric)).collect();
        values.sort_unstable_by(f64::total_cmp);
        Interval { low: percentile(&values, BOUNDS.0), high: percentile(&values, BOUNDS.1) }
    })))
}

/// The counts of one resample; its memory is used again by the next one on the same thread.
#[derive(Default)]
struct Resample {
    /// How often each ID score was drawn, in ascending order of the scores.
    id: Vec<u32>,
    /// How often each OOD score was drawn.
    ood: Vec<u32>,
    cuts: Cuts,
}

impl Resample {
    fn draw_id(&mut self, original: &Cuts, rng: &mut ChaCha8Rng) {
        draw(original.id(), rng, &mut self.id);
        count_below(&self.id, &original.id_below, &mut self.cuts.id_below);
    }

    fn draw_ood(&mut self, original: &Cuts, rng: &mut ChaCha8Rng) {
        draw(original.ood(), rng, &mut self.ood);
        count_below(&self.ood, &original.ood_below, &mut self.cuts.ood_below);
    }
}

/// Draws as many of `count` scores as there are, with replacement.
fn draw(count: usize, rng: &mut ChaCha8Rng, draws: &mut Vec<u32>) {
    draws.clear();
    draws.resize(count, 0);
    for _ in 0..count {
        draws[rng.random_range(0..count)] += 1;
    }
}

/// Counts the draws of one class below each cut, given how many of its scores lie below.
fn count_below(draws: &[u32], original_below: &[usize], below: &mut Vec<usize>) {
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
