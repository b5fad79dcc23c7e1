//! The single numbers: AUROC, FPR95 and areas under precision-recall, in both conventions.

use serde::{Deserialize, Serialize};

use super::ranked::Cuts;
use super::threshold::{first_cut, ratio};

/// The true positive rate at which FPR95 is read.
const TARGET_TPR: f64 = 0.95;

/// One of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// See [`PerMetric::auroc`].
    Auroc,
    /// See [`PerMetric::fpr95`].
    Fpr95,
    /// See [`PerMetric::fpr95_interpolated`].
    Fpr95Interpolated,
    /// See [`PerMetric::fpr95_ood_positive`].
    Fpr95OodPositive,
    /// See [`PerMetric::fpr95_ood_positive_interpolated`].
    Fpr95OodPositiveInterpolated,
    /// See [`PerMetric::average_precision_id`].
    AveragePrecisionId,
    /// See [`PerMetric::average_precision_ood`].
    AveragePrecisionOod,
    /// See [`PerMetric::aupr_in`].
    AuprIn,
    /// See [`PerMetric::aupr_out`].
    AuprOut,
}

impl Metric {
    /// Every metric, in the order in which tables show them.
    pub const ALL: [Self; 9] = [
        Self::Auroc,
        Self::Fpr95,
        Self::Fpr95Interpolated,
        Self::AveragePrecisionId,
        Self::AuprIn,
        Self::Fpr95OodPositive,
        Self::Fpr95OodPositiveInterpolated,
        Self::AveragePrecisionOod,
        Self::AuprOut,
    ];

    /// Whether more is better; for the others, less is.
    pub fn higher_is_better(self) -> bool {
        !matches!(
            self,
            Self::Fpr95
                | Self::Fpr95Interpolated
                | Self::Fpr95OodPositive
                | Self::Fpr95OodPositiveInterpolated
        )
    }
}

/// One value for each metric: the numbers themselves ([`Metrics`]), or their intervals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PerMetric<T> {
    /// Area under the ROC curve: the chance that a random ID image scores higher than a random OOD
    /// image, ties counting half. The same in both conventions.
    pub auroc: T,
    /// ID positive: share of OOD kept at the first ROC vertex that keeps at least 95 % of ID.
    pub fpr95: T,
    /// ID positive, as the code released with the paper has it: linear between that vertex and the
    /// one before it, at a true positive rate of exactly 95 %.
    pub fpr95_interpolated: T,
    /// OOD positive: share of ID lost at the first ROC vertex that catches at least 95 % of OOD.
    pub fpr95_ood_positive: T,
    /// OOD positive, linear between that vertex and the one before it.
    pub fpr95_ood_positive_interpolated: T,
    /// ID positive: average precision, Σ (Rₙ − Rₙ₋₁) Pₙ over falling thresholds.
    pub average_precision_id: T,
    /// OOD positive: average precision over rising thresholds.
    pub average_precision_ood: T,
    /// ID positive: area under precision-recall by trapezoids, from precision 1 at recall 0.
    pub aupr_in: T,
    /// OOD positive: area under precision-recall by trapezoids, from precision 1 at recall 0.
    pub aupr_out: T,
}

/// The value of every metric, each a fraction in 0..=1.
pub type Metrics = PerMetric<f64>;

impl<T> PerMetric<T> {
    /// The value that `value_of` gives for each metric.
    pub fn from_fn(mut value_of: impl FnMut(Metric) -> T) -> Self {
        Self {
            auroc: value_of(Metric::Auroc),
            fpr95: value_of(Metric::Fpr95),
            fpr95_interpolated: value_of(Metric::Fpr95Interpolated),
            fpr95_ood_positive: value_of(Metric::Fpr95OodPositive),
            fpr95_ood_positive_interpolated: value_of(Metric::Fpr95OodPositiveInterpolated),
            average_precision_id: value_of(Metric::AveragePrecisionId),
            average_precision_ood: value_of(Metric::AveragePrecisionOod),
            aupr_in: value_of(Metric::AuprIn),
            aupr_out: value_of(Metric::AuprOut),
        }
    }

    /// The value of one metric.
    pub fn get(&self, metric: Metric) -> &T {
        match metric {
            Metric::Auroc => &self.auroc,
            Metric::Fpr95 => &self.fpr95,
            Metric::Fpr95Interpolated => &self.fpr95_interpolated,
            Metric::Fpr95OodPositive => &self.fpr95_ood_positive,
            Metric::Fpr95OodPositiveInterpolated => &self.fpr95_ood_positive_interpolated,
            Metric::AveragePrecisionId => &self.average_precision_id,
            Metric::AveragePrecisionOod => &self.average_precision_ood,
            Metric::AuprIn => &self.aupr_in,
            Metric::AuprOut => &self.aupr_out,
        }
    }
}

impl Metrics {
    /// The mean of each metric over several sets, each set weighing the same; none for no sets.
    pub fn mean(sets: &[Self]) -> Option<Self> {
        (!sets.is_empty()).then(|| {
            Self::from_fn(|metric| {
                sets.iter().map(|set| set.get(metric)).sum::<f64>() / sets.len() as f64
            })
        })
    }
}

/// Takes every metric from the counts at each cut. Both counts must reach at least 1.
pub(super) fn metrics_from_cuts(cuts: &Cuts) -> Metrics {
    let (fpr95, fpr95_interpolated) = fpr95_id_positive(cuts);
    let (fpr95_ood_positive, fpr95_ood_positive_interpolated) = fpr95_ood_positive(cuts);
    let kept = (0..cuts.groups()).rev().map(|cut| {
        let confusion = cuts.confusion(cut);
        (confusion.id_kept, confusion.ood_missed)
    });
    let (average_precision_id, aupr_in) = precision_areas(kept, cuts.id());
    let caught = (1..=cuts.groups()).map(|cut| (cuts.ood_below[cut], cuts.id_below[cut]));
    let (average_precision_ood, aupr_out) = precision_areas(caught, cuts.ood());
    Metrics {
        auroc: auroc(cuts),
        fpr95,
        fpr95_interpolated,
        fpr95_ood_positive,
        fpr95_ood_positive_interpolated,
        average_precision_id,
        average_precision_ood,
        aupr_in,
        aupr_out,
    }
}

/// Counts the pairs that stand in the right order, in whole numbers: exact up to one division.
fn auroc(cuts: &Cuts) -> f64 {
    let half_pairs: u128 = (0..cuts.groups())
        .map(|group| {
            let id = cuts.id_below[group + 1] - cuts.id_below[group];
            // Below counts two halves, tied counts one.
            let ood_halves = cuts.ood_below[group] + cuts.ood_below[group + 1];
            id as u128 * ood_halves as u128
        })
        .sum();
    half_pairs as f64 / (2.0 * cuts.id() as f64 * cuts.ood() as f64)
}

/// FPR95 at the vertex and interpolated, ID positive.
fn fpr95_id_positive(cuts: &Cuts) -> (f64, f64) {
    let rates = |cut| {
        let confusion = cuts.confusion(cut);
        (confusion.ood_missed_rate(), confusion.id_kept_rate())
    };
    // The curve starts at the last cut; the last cut that meets the target is its first vertex.
    let after = first_cut(0..cuts.groups(), |cut| rates(cut).1 < TARGET_TPR);
    let vertex = rates(after.saturating_sub(1));
    (vertex.0, interpolated_fpr(rates(after), vertex))
}

/// FPR95 at the vertex and interpolated, OOD positive.
fn fpr95_ood_positive(cuts: &Cuts) -> (f64, f64) {
    let rates = |cut| {
        let confusion = cuts.confusion(cut);
        (confusion.id_lost_rate(), confusion.ood_caught_rate())
    };
    let at = first_cut(0..cuts.groups(), |cut| rates(cut).1 >= TARGET_TPR);
    let vertex = rates(at);
    (vertex.0, interpolated_fpr(rates(at.saturating_sub(1)), vertex))
}

/// False positive rate at the target, linear between two vertices `(fpr, tpr)` on either side.
fn interpolated_fpr(before: (f64, f64), vertex: (f64, f64)) -> f64 {
    let along = (TARGET_TPR - before.1) / (vertex.1 - before.1);
    before.0 + along * (vertex.0 - before.0)
}

/// Average precision and trapezoid area over steps of `(true positives, false positives)`.
fn precision_areas(steps: impl Iterator<Item = (usize, usize)>, positives: usize) -> (f64, f64) {
    let (mut average_precision, mut trapezoids) = (0.0, 0.0);
    let (mut last_recall, mut last_precision) = (0.0, 1.0);
    for (true_positives, false_positives) in steps {
        let accepted = true_positives + false_positives;
        if accepted == 0 {
            continue;
        }
        let recall = ratio(true_positives, positives);
        let precision = ratio(true_positives, accepted);
        average_precision += (recall - last_recall) * precision;
        trapezoids += (recall - last_recall) * (precision + last_precision) / 2.0;
        (last_recall, last_precision) = (recall, precision);
    }
    (average_precision, trapezoids)
}
