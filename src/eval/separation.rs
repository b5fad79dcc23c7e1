//! One ID set against one or more OOD sets: metrics of each, their mean, and curves fit to draw.

use serde::{Deserialize, Serialize};

use super::metrics::{
    self, Convention, Metrics, MetricsError, OperatingPoint, RankedScores, Roc, RocPoint,
    bootstrap_mean,
};

/// Vertices of a drawn curve that keep its shape on linear axes.
const SHAPE_POINTS: usize = 400;
/// Vertices of a drawn curve spread evenly over a logarithmic axis.
const LOG_POINTS: usize = 140;
/// Scores that are drawn again in all resamples of a bootstrap together.
const DRAWN: usize = 40_000_000;

/// One point of a ROC curve in the ID-positive convention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// Share of the OOD images that λ keeps, 0..=1.
    pub ood_kept: f64,
    /// Share of the ID images that λ keeps, 0..=1.
    pub id_kept: f64,
    /// The threshold; +∞ where nothing is kept.
    pub lambda: f64,
}

impl CurvePoint {
    /// False and true positive rate in a convention.
    pub fn rates(self, convention: Convention) -> (f64, f64) {
        match convention {
            Convention::IdPositive => (self.ood_kept, self.id_kept),
            Convention::OodPositive => (1.0 - self.id_kept, 1.0 - self.ood_kept),
        }
    }
}

impl From<RocPoint> for CurvePoint {
    fn from(point: RocPoint) -> Self {
        Self { ood_kept: point.fpr, id_kept: point.tpr, lambda: point.lambda }
    }
}

/// How λ is chosen for a goal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Goal {
    /// Keep at least this share of ID, 0..=1.
    KeepId(f64),
    /// Keep at most this share of OOD, 0..=1.
    KeepOod(f64),
    /// Least cost, where a missed OOD image costs this many lost ID images.
    CostOfMissed(f64),
}

/// The ID set against one OOD set.
#[derive(Clone, Debug)]
pub struct SetSeparation {
    /// The OOD set's name.
    pub name: String,
    /// The scores of both.
    pub ranked: RankedScores,
    /// Every metric.
    pub metrics: Metrics,
    /// The ROC curve, thinned for drawing on linear and logarithmic axes.
    pub curve: Vec<CurvePoint>,
}

/// The ID set against every OOD set.
#[derive(Clone, Debug)]
pub struct Separation {
    /// Against each OOD set.
    pub sets: Vec<SetSeparation>,
    /// Against all OOD images as one set: what λ is chosen on.
    pub pooled: RankedScores,
    /// The mean of each metric over the OOD sets, each weighing the same.
    pub mean: Metrics,
    /// The mean curve: at every λ, the mean share of OOD kept over the sets. Its area is the mean
    /// AUROC, and what it keeps at 95 % of ID is the mean FPR95.
    pub mean_curve: Vec<CurvePoint>,
}

impl Separation {
    /// Compares the scores of the ID set with those of named OOD sets; sets without scores are left
    /// out. Sorts each: O(n log n) for n scores.
    ///
    /// # Errors
    ///
    /// There is no ID or no OOD score, or one is NaN.
    pub fn of(id: &[f32], ood: &[(&str, &[f32])]) -> Result<Self, MetricsError> {
        let all = ood.iter().flat_map(|(_, scores)| scores.iter().copied());
        let pooled = RankedScores::from_sets(id.iter().copied(), all)?;
        let mut sets = Vec::with_capacity(ood.len());
        for (name, scores) in ood.iter().filter(|(_, scores)| !scores.is_empty()) {
            let ranked = RankedScores::from_sets(id.iter().copied(), scores.iter().copied())?;
            let curve = drawn(&ranked.roc(Convention::IdPositive));
            sets.push(SetSeparation {
                name: (*name).to_owned(),
                metrics: ranked.metrics(),
                ranked,
                curve,
            });
        }
        let metrics: Vec<Metrics> = sets.iter().map(|set| set.metrics).collect();
        let mean = Metrics::mean(&metrics).unwrap_or_else(|| pooled.metrics());
        let mean_curve = mean_curve(&sets);
        Ok(Self { sets, pooled, mean, mean_curve })
    }

    /// The mean curve's point at a threshold, exact, in O(log n) for each set.
    pub fn mean_at(&self, lambda: f64) -> CurvePoint {
        mean_at(&self.sets, lambda)
    }

    /// The threshold for a goal, over all OOD images as one set.
    ///
    /// # Errors
    ///
    /// The goal is out of range or cannot be reached.
    pub fn lambda_for(&self, goal: Goal) -> Result<OperatingPoint, MetricsError> {
        match goal {
            Goal::KeepId(share) => self.pooled.lambda_for_tpr(share),
            Goal::KeepOod(share) => self.pooled.lambda_for_fpr(share),
            Goal::CostOfMissed(ratio) => self.pooled.lambda_for_costs(1.0, ratio),
        }
    }

    /// 95 % bootstrap intervals of every set's metrics and of their mean, from so many resamples;
    /// [`resamples`] of them where no number is given.
    ///
    /// # Errors
    ///
    /// The number is below two.
    pub fn intervals(&self, count: Option<usize>, seed: u64) -> Result<Intervals, MetricsError> {
        let drawn = |ranked: &RankedScores| {
            count.unwrap_or_else(|| resamples(ranked.id_count() + ranked.ood_count()))
        };
        let of_set = |set: &SetSeparation| set.ranked.bootstrap(drawn(&set.ranked), seed);
        let sets = self.sets.iter().map(of_set).collect::<Result<_, _>>()?;
        let ranked: Vec<&RankedScores> = self.sets.iter().map(|set| &set.ranked).collect();
        Ok(Intervals { sets, mean: bootstrap_mean(&ranked, drawn(&self.pooled), seed)? })
    }
}

/// 95 % bootstrap intervals of a separation's metrics.
#[derive(Clone, Debug)]
pub struct Intervals {
    /// Against each OOD set; `None` where that or the ID set is a single image.
    pub sets: Vec<Option<metrics::Intervals>>,
    /// Of the mean over the sets. Images are drawn again, and not sets: each resample draws the ID
    /// images once for all sets, and the OOD images of each set. `None` where some set is a single
    /// image.
    pub mean: Option<metrics::Intervals>,
}

/// How many resamples of `scores` scores are drawn: 1,000, fewer for very large sets.
pub fn resamples(scores: usize) -> usize {
    (DRAWN / scores.max(1)).clamp(100, 1000)
}

impl SetSeparation {
    /// The curve's point at a threshold, exact, in O(log n).
    pub fn at(&self, lambda: f64) -> CurvePoint {
        let counts = self.ranked.counts_at(lambda);
        let (ood_kept, id_kept) = (counts.ood_missed_rate(), counts.id_kept_rate());
        CurvePoint { ood_kept, id_kept, lambda }
    }
}

fn mean_at(sets: &[SetSeparation], lambda: f64) -> CurvePoint {
    let points: Vec<CurvePoint> = sets.iter().map(|set| set.at(lambda)).collect();
    let sum: f64 = points.iter().map(|point| point.ood_kept).sum();
    let id_kept = points.first().map_or(0.0, |point| point.id_kept);
    CurvePoint { ood_kept: sum / points.len().max(1) as f64, id_kept, lambda }
}

/// The mean curve through the thresholds at which some set's drawn curve has a vertex.
fn mean_curve(sets: &[SetSeparation]) -> Vec<CurvePoint> {
    let mut lambdas: Vec<f64> =
        sets.iter().flat_map(|set| set.curve.iter().map(|point| point.lambda)).collect();
    lambdas.sort_unstable_by(|a, b| b.total_cmp(a));
    lambdas.dedup();
    lambdas.into_iter().map(|lambda| mean_at(sets, lambda)).collect()
}

/// The vertices that keep a curve's shape on linear axes and on logarithmic ones of either
/// convention.
fn drawn(roc: &Roc) -> Vec<CurvePoint> {
    let points = roc.points();
    let mut thinned = roc.thinned(SHAPE_POINTS);
    if thinned.len() < points.len() {
        for step in 0..LOG_POINTS {
            let rate = 10f64.powf(-6.0 * step as f64 / LOG_POINTS as f64);
            let low = points.partition_point(|point| point.fpr < rate);
            let high = points.partition_point(|point| point.tpr <= 1.0 - rate);
            thinned.extend([low, high].iter().filter_map(|&at| points.get(at)));
        }
        // From +∞ down, as a curve runs from nothing kept to all.
        thinned.sort_unstable_by(|a, b| b.lambda.total_cmp(&a.lambda));
        thinned.dedup_by(|a, b| a.lambda == b.lambda);
    }
    thinned.into_iter().map(CurvePoint::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(count: usize, from: f32, step: f32) -> Vec<f32> {
        (0..count).map(|at| from + step * ((at * 7919) % count) as f32).collect()
    }

    fn area(curve: &[CurvePoint]) -> f64 {
        let trapezoid = |pair: &[CurvePoint]| {
            (pair[1].ood_kept - pair[0].ood_kept) * (pair[0].id_kept + pair[1].id_kept) / 2.0
        };
        curve.windows(2).map(trapezoid).sum()
    }

    #[test]
    fn the_mean_curve_has_the_mean_area() {
        let (near, far) = (spread(200, -0.3, 0.004), spread(150, -1.0, 0.005));
        let sets = [("near", near.as_slice()), ("far", far.as_slice())];
        let separation = Separation::of(&spread(100, 0.0, 0.01), &sets).unwrap();
        let mean = (separation.sets[0].metrics.auroc + separation.sets[1].metrics.auroc) / 2.0;
        assert!((separation.mean.auroc - mean).abs() < 1e-12);
        assert!((area(&separation.mean_curve) - mean).abs() < 1e-9);
        let at = separation.lambda_for(Goal::KeepId(0.95)).unwrap().lambda;
        assert!((separation.mean_at(at).ood_kept - separation.mean.fpr95).abs() < 1e-12);
    }

    #[test]
    fn many_scores_are_drawn_with_few_points() {
        let (id, ood) = (spread(30_000, 0.0, 1e-4), spread(30_000, -1.0, 1e-4));
        let separation = Separation::of(&id, &[("far", &ood)]).unwrap();
        let set = &separation.sets[0];
        assert!(set.curve.len() <= SHAPE_POINTS + 2 * LOG_POINTS);
        assert!((area(&set.curve) - set.metrics.auroc).abs() < 1e-4);
        assert!(set.curve.is_sorted_by(|a, b| a.ood_kept <= b.ood_kept && a.id_kept <= b.id_kept));
    }

    #[test]
    fn images_without_a_score_count_as_lowest() {
        let ood = [f32::NEG_INFINITY, 0.2];
        let separation = Separation::of(&[0.1, 0.9], &[("near", &ood), ("none", &[])]).unwrap();
        assert_eq!(separation.sets.len(), 1);
        assert_eq!(separation.mean.auroc, 0.75);
        assert!(Separation::of(&[0.1], &[]).is_err());
    }
}
