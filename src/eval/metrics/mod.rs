//! How well scores separate ID from OOD: ROC, AUROC, FPR95, AUPR, thresholds, intervals.
//!
//! Scores are higher for more in-distribution, and an image is kept as ID where `score ≥ λ`. Each
//! number is taken from the raw scores, sorted, with ties grouped; nothing is binned or thinned
//! first. Two conventions are in use, and both are computed:
//!
//! - [`Convention::IdPositive`], the paper's: a true positive is an ID image that is kept.
//! - [`Convention::OodPositive`], OpenOOD's: a true positive is an OOD image that is caught.
//!
//! AUROC is the same in both; FPR95 and the areas under precision-recall are not.

mod bootstrap;
mod per_metric;
mod ranked;
mod roc;
mod threshold;

use serde::{Deserialize, Serialize};

pub(in crate::eval) use bootstrap::bootstrap_mean;
pub use bootstrap::{Interval, Intervals};
pub use per_metric::{Metric, Metrics, PerMetric};
pub use ranked::RankedScores;
pub use roc::{Roc, RocPoint};
pub use threshold::{Confusion, OperatingPoint};

/// What an image is in truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// In-distribution: it shows a class that the model knows.
    Id,
    /// Out-of-distribution.
    Ood,
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Label::Id => "ID",
            Label::Ood => "OOD",
        })
    }
}

/// Which class counts as positive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Convention {
    /// True positives are ID images that are kept; the paper's convention.
    #[default]
    IdPositive,
    /// True positives are OOD images that are caught; OpenOOD's convention.
    OodPositive,
}

/// Why scores have no metrics.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum MetricsError {
    /// A score is NaN, so it has no place in the order. Rows count from 1.
    #[error("row {row} ({label}): the score is not a number (NaN)")]
    NanScore {
        /// Row, counted from 1: over all rows, or over the label's own set where sets are given.
        row: usize,
        label: Label,
    },
    /// One of the two classes has no rows.
    #[error("there is no {0} row: a metric compares ID with OOD and needs both")]
    MissingClass(Label),
    /// A target rate is not between 0 and 1.
    #[error("a target rate must lie between 0 and 1, not {0}")]
    RateOutOfRange(f64),
    /// Costs are negative, not finite, or both zero.
    #[error(
        "costs must be finite, not negative and not both zero: lost ID {lost_id}, missed OOD {missed_ood}"
    )]
    BadCosts {
        /// Cost of an ID image that is rejected.
        lost_id: f64,
        /// Cost of an OOD image that is kept.
        missed_ood: f64,
    },
    /// Too many OOD scores are +∞, which every threshold keeps.
    #[error("no threshold brings the OOD images kept to {target}: {infinite} of {ood} score +∞")]
    FprUnreachable { target: f64, infinite: usize, ood: usize },
    /// Fewer than two resamples.
    #[error("an interval needs at least 2 resamples, not {0}")]
    TooFewResamples(usize),
}

#[cfg(test)]
mod tests;
