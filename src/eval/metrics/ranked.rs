//! Scores sorted once, with the counts that every metric is taken from.

use rayon::prelude::*;

use super::per_metric::metrics_from_cuts;
use super::{Confusion, Label, Metrics, MetricsError};

/// How many ID and OOD scores lie below each cut of an ascending list of scores.
///
/// With `m` groups of tied scores there are `m + 1` cuts: cut 0 keeps everything, cut `i` rejects
/// the groups before `i`, cut `m` keeps nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Cuts {
    /// ID scores below each cut, `[m + 1]`.
    pub id_below: Vec<usize>,
    /// OOD scores below each cut, `[m + 1]`.
    pub ood_below: Vec<usize>,
}

impl Cuts {
    /// Number of ID scores.
    pub(super) fn id(&self) -> usize {
        self.id_below.last().copied().unwrap_or(0)
    }

    /// Number of OOD scores.
    pub(super) fn ood(&self) -> usize {
        self.ood_below.last().copied().unwrap_or(0)
    }

    /// Number of groups of tied scores, `m`.
    pub(super) fn groups(&self) -> usize {
        self.id_below.len().saturating_sub(1)
    }

    /// What cut `cut` keeps and rejects.
    pub(super) fn confusion(&self, cut: usize) -> Confusion {
        let (id_lost, ood_caught) = (self.id_below[cut], self.ood_below[cut]);
        Confusion {
            id_kept: self.id() - id_lost,
            id_lost,
            ood_caught,
            ood_missed: self.ood() - ood_caught,
        }
    }
}

/// Scores of an ID and an OOD set, sorted ascending, ties grouped: what every metric starts from.
///
/// Building it sorts once, O(n log n); after that a threshold's counts cost O(log n) and each
/// metric O(n). Infinite scores are legal and take their place at the ends of the order.
#[derive(Clone, Debug)]
pub struct RankedScores {
    /// Distinct scores, ascending, `[m]`.
    values: Vec<f64>,
    cuts: Cuts,
}

impl RankedScores {
    /// Ranks the scores of one ID and one OOD set.
    ///
    /// # Errors
    ///
    /// A NaN (its row counts within its own set, from 1) or an empty set.
    pub fn from_sets<S: Into<f64>>(
        id: impl IntoIterator<Item = S>,
        ood: impl IntoIterator<Item = S>,
    ) -> Result<Self, MetricsError> {
        let id = checked_scores(id, Label::Id)?;
        let ood = checked_scores(ood, Label::Ood)?;
        Self::from_checked(id, ood)
    }

    /// Ranks rows of a score and its label.
    ///
    /// # Errors
    ///
    /// A NaN (rows count from 1) or a label that no row has.
    pub fn from_labelled<S: Into<f64>>(
        rows: impl IntoIterator<Item = (S, Label)>,
    ) -> Result<Self, MetricsError> {
        let (mut id, mut ood) = (Vec::new(), Vec::new());
        for (index, (score, label)) in rows.into_iter().enumerate() {
            let score = checked_score(score.into(), index, label)?;
            match label {
                Label::Id => id.push(score),
                Label::Ood => ood.push(score),
            }
        }
        Self::from_checked(id, ood)
    }

    /// Ranks scores that hold no NaN and no negative zero.
    fn from_checked(mut id: Vec<f64>, mut ood: Vec<f64>) -> Result<Self, MetricsError> {
        for (scores, label) in [(&id, Label::Id), (&ood, Label::Ood)] {
            if scores.is_empty() {
                return Err(MetricsError::MissingClass(label));
            }
        }
        rayon::join(
            || id.par_sort_unstable_by(f64::total_cmp),
            || ood.par_sort_unstable_by(f64::total_cmp),
        );
        let mut values = Vec::with_capacity(id.len() + ood.len());
        let mut cuts = Cuts::default();
        let (mut id_seen, mut ood_seen) = (0, 0);
        cuts.id_below.push(0);
        cuts.ood_below.push(0);
        while let Some(value) = smaller(id.get(id_seen), ood.get(ood_seen)) {
            id_seen += tied(&id[id_seen..], value);
            ood_seen += tied(&ood[ood_seen..], value);
            values.push(value);
            cuts.id_below.push(id_seen);
            cuts.ood_below.push(ood_seen);
        }
        Ok(Self { values, cuts })
    }

    /// Number of ID scores, at least 1.
    pub fn id_count(&self) -> usize {
        self.cuts.id()
    }

    /// Number of OOD scores, at least 1.
    pub fn ood_count(&self) -> usize {
        self.cuts.ood()
    }

    /// The distinct scores, ascending, at least one.
    pub fn distinct_scores(&self) -> &[f64] {
        &self.values
    }

    /// What the threshold `lambda` keeps (`score ≥ lambda`) and rejects, in O(log n).
    ///
    /// A NaN threshold keeps nothing.
    pub fn counts_at(&self, lambda: f64) -> Confusion {
        let kept_from = if lambda.is_nan() {
            self.values.len()
        } else {
            self.values.partition_point(|&value| value < lambda)
        };
        self.cuts.confusion(kept_from)
    }

    /// Every metric, in one pass over the distinct scores.
    pub fn metrics(&self) -> Metrics {
        metrics_from_cuts(&self.cuts)
    }

    pub(super) fn cuts(&self) -> &Cuts {
        &self.cuts
    }

    /// The threshold of a cut: the lowest score that it keeps, +∞ where it keeps nothing.
    pub(super) fn threshold_of_cut(&self, cut: usize) -> f64 {
        self.values.get(cut).copied().unwrap_or(f64::INFINITY)
    }
}

fn checked_scores<S: Into<f64>>(
    scores: impl IntoIterator<Item = S>,
    label: Label,
) -> Result<Vec<f64>, MetricsError> {
    let scores = scores.into_iter().enumerate();
    scores.map(|(index, score)| checked_score(score.into(), index, label)).collect()
}

fn checked_score(score: f64, index: usize, label: Label) -> Result<f64, MetricsError> {
    if score.is_nan() {
        return Err(MetricsError::NanScore { row: index + 1, label });
    }
    // Adding zero turns -0 into +0, which the total order would otherwise tell apart.
    Ok(score + 0.0)
}

fn smaller(a: Option<&f64>, b: Option<&f64>) -> Option<f64> {
    match (a, b) {
        (Some(&a), Some(&b)) => Some(a.min(b)),
        (a, b) => a.or(b).copied(),
    }
}

/// How many scores at the head of an ascending list equal `value`.
fn tied(ascending: &[f64], value: f64) -> usize {
    ascending.iter().take_while(|&&score| score == value).count()
}
