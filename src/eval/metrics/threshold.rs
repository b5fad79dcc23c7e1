//! The decision at a threshold λ, and the choice of λ for a goal.

use serde::Serialize;

use super::{MetricsError, RankedScores};

/// What a threshold keeps and rejects, in images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// ID images kept as ID.
    pub id_kept: usize,
    /// ID images rejected as OOD.
    pub id_lost: usize,
    /// OOD images rejected as OOD.
    pub ood_caught: usize,
    /// OOD images kept as ID.
    pub ood_missed: usize,
}

impl Confusion {
    /// Share of the ID images that are kept: the true positive rate with ID positive.
    pub fn id_kept_rate(&self) -> f64 {
        ratio(self.id_kept, self.id_kept + self.id_lost)
    }

    /// Share of the OOD images that are kept: the false positive rate with ID positive.
    pub fn ood_missed_rate(&self) -> f64 {
        ratio(self.ood_missed, self.ood_caught + self.ood_missed)
    }

    /// Share of the OOD images that are caught: the true positive rate with OOD positive.
    pub fn ood_caught_rate(&self) -> f64 {
        ratio(self.ood_caught, self.ood_caught + self.ood_missed)
    }

    /// Share of the ID images that are lost: the false positive rate with OOD positive.
    pub fn id_lost_rate(&self) -> f64 {
        ratio(self.id_lost, self.id_kept + self.id_lost)
    }

    /// Share of all images that are decided rightly; it leans to the larger set.
    pub fn accuracy(&self) -> f64 {
        let right = self.id_kept + self.ood_caught;
        ratio(right, right + self.id_lost + self.ood_missed)
    }

    /// Mean of the rates at which ID is kept and OOD is caught; it does not lean to the larger set.
    pub fn balanced_accuracy(&self) -> f64 {
        (self.id_kept_rate() + self.ood_caught_rate()) / 2.0
    }
}

/// A threshold and what it does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OperatingPoint {
    /// The threshold: an image is kept as ID where `score ≥ lambda`. It is the lowest score kept,
    /// +∞ where none is.
    pub lambda: f64,
    /// What it keeps and rejects.
    pub confusion: Confusion,
}

impl RankedScores {
    /// The highest λ that keeps at least `target` of the ID images (0..=1).
    ///
    /// # Errors
    ///
    /// A target outside 0..=1.
    pub fn lambda_for_tpr(&self, target: f64) -> Result<OperatingPoint, MetricsError> {
        check_rate(target)?;
        // Cut 0 keeps every ID image, so the search always ends at a cut that meets the target.
        let meeting = first_cut(0..self.last_cut() + 1, |cut| {
            self.cuts().confusion(cut).id_kept_rate() < target
        });
        Ok(self.operating_point(meeting.saturating_sub(1)))
    }

    /// The lowest λ that keeps at most `target` of the OOD images (0..=1).
    ///
    /// # Errors
    ///
    /// A target outside 0..=1, or one that no threshold meets because too many OOD scores are +∞.
    pub fn lambda_for_fpr(&self, target: f64) -> Result<OperatingPoint, MetricsError> {
        check_rate(target)?;
        let meets = |cut| self.cuts().confusion(cut).ood_missed_rate() <= target;
        let cut = first_cut(0..self.last_cut() + 1, meets);
        if cut > self.last_cut() {
            let at_infinity = self.cuts().confusion(self.last_cut());
            return Err(MetricsError::FprUnreachable {
                target,
                infinite: at_infinity.ood_missed,
                ood: self.ood_count(),
            });
        }
        Ok(self.operating_point(cut))
    }

    /// The λ with the least total cost, `lost_id · ID lost + missed_ood · OOD missed`.
    ///
    /// Of equally cheap thresholds the highest is taken, which misses the fewest OOD images.
    ///
    /// # Errors
    ///
    /// Costs that are negative, not finite or both zero.
    pub fn lambda_for_costs(
        &self,
        lost_id: f64,
        missed_ood: f64,
    ) -> Result<OperatingPoint, MetricsError> {
        let legal = |cost: f64| cost.is_finite() && cost >= 0.0;
        if !legal(lost_id) || !legal(missed_ood) || lost_id + missed_ood == 0.0 {
            return Err(MetricsError::BadCosts { lost_id, missed_ood });
        }
        let cost = |cut| {
            let confusion = self.cuts().confusion(cut);
            lost_id * confusion.id_lost as f64 + missed_ood * confusion.ood_missed as f64
        };
        let cheapest = (0..=self.last_cut())
            .map(|cut| (cut, cost(cut)))
            .reduce(|best, next| if next.1 <= best.1 { next } else { best });
        Ok(self.operating_point(cheapest.map_or(0, |(cut, _)| cut)))
    }

    fn operating_point(&self, cut: usize) -> OperatingPoint {
        let confusion = self.cuts().confusion(cut);
        OperatingPoint { lambda: self.threshold_of_cut(cut), confusion }
    }

    /// The highest cut that a threshold can make: no threshold rejects a score of +∞.
    fn last_cut(&self) -> usize {
        let groups = self.cuts().groups();
        if self.distinct_scores().last() == Some(&f64::INFINITY) { groups - 1 } else { groups }
    }
}

/// The first cut of `range` where `holds`, its end where none does; `holds` must stay true once it
/// is.
pub(super) fn first_cut(range: std::ops::Range<usize>, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

fn check_rate(rate: f64) -> Result<(), MetricsError> {
    if (0.0..=1.0).contains(&rate) { Ok(()) } else { Err(MetricsError::RateOutOfRange(rate)) }
}

/// A share; 0 of 0 is 0.
pub(super) fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
