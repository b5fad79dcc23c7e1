//! The report on a table of scores: every number of it, as plain data.
//!
//! [`Report::new`] takes the numbers from the raw scores; [`write()`] makes files of it. Nothing here
//! knows where the scores come from.

mod ablation;
mod build;
mod csv;
mod html;
mod markdown;
mod write;

use serde::{Deserialize, Serialize};

use super::metrics::{Intervals, Metrics, MetricsError};
use super::scores::{Features, ModelFacts};

pub use ablation::{Ablation, AblationRow};
pub use build::outcome;
pub use write::{ReportWriteError, write};

/// A choice of tokens, and whether the rule of the tags stands before the score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// Which tokens become the feature.
    pub features: Features,
    /// Whether an image without an in-distribution tag is out-of-distribution whatever its feature
    /// is (paper, section 3.5).
    pub tag_rule: bool,
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.tag_rule {
            true => write!(f, "{}", self.features),
            false => write!(f, "{}, without the rule of the tags", self.features),
        }
    }
}

/// Counts of one set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetFacts {
    /// The set's name.
    pub name: String,
    /// Images that were scored.
    pub images: usize,
    /// Images that could not be read.
    pub failed: usize,
    /// Images for which no in-distribution tag counts: out-of-distribution outright.
    pub without_id_tag: usize,
    /// Images with such a tag of which no token is kept at the model's τ.
    pub nothing_kept: usize,
    /// Share of the images with a known class of which the projector sees that class, 0 to 1.
    pub accuracy: Option<f64>,
}

/// What the decision threshold does to one set and the in-distribution one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AtLambda {
    /// Share of in-distribution images that it keeps, 0 to 1.
    pub id_kept: f64,
    /// Share of the set's images that it catches, 0 to 1.
    pub ood_caught: f64,
}

/// One detector on one set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetResult {
    /// Every metric.
    pub metrics: Metrics,
    /// Their 95 % bootstrap intervals, if they were asked for; a single image has none.
    pub intervals: Option<Intervals>,
    /// The decision at λ, if there is one.
    pub at_lambda: Option<AtLambda>,
}

/// One detector at one setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectorResult {
    /// Its numbers.
    Measured {
        /// On each set, in the report's order.
        sets: Vec<SetResult>,
        /// The mean over the sets.
        mean: Metrics,
        /// Its 95 % bootstrap intervals, if they were asked for: each resample draws the
        /// in-distribution images once for all sets, and the images of each set. None where a set
        /// is a single image.
        #[serde(default)]
        mean_intervals: Option<Box<Intervals>>,
    },
    /// Why there are none, as a sentence.
    Missing(String),
}

impl DetectorResult {
    /// The mean over the sets.
    pub fn mean(&self) -> Option<&Metrics> {
        match self {
            Self::Measured { mean, .. } => Some(mean),
            Self::Missing(_) => None,
        }
    }

    /// The numbers on one set.
    pub fn set(&self, index: usize) -> Option<&SetResult> {
        match self {
            Self::Measured { sets, .. } => sets.get(index),
            Self::Missing(_) => None,
        }
    }
}

/// One detector at all settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectorReport {
    /// The name on the command line and in files.
    pub id: String,
    /// The name people use.
    pub name: String,
    /// The score on one line of plain text.
    pub formula: String,
    /// The decision threshold.
    pub lambda: Option<f32>,
    /// Whether that is the one that keeps 95 % of this in-distribution set, as the bundle has none.
    #[serde(default)]
    pub lambda_of_set: bool,
    /// At each of the report's settings.
    pub outcomes: Vec<DetectorResult>,
}

/// A projector that was fitted again in another way, with what it came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefitReport {
    /// τ in fitting.
    pub fit_tau: f32,
    /// Whether it was fitted to the tokens of the image's own class's tag alone.
    pub one_tag: bool,
    /// Images it was fitted to.
    pub images: usize,
    /// Passes over them.
    pub epochs: usize,
    /// Its accuracy on the in-distribution images it was not fitted to, 0 to 1.
    pub accuracy: Option<f64>,
    /// Its numbers under the recipe's own detector, on each set.
    pub outcomes: Vec<RefitOutcome>,
}

/// A refitted projector at one τ at inference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefitOutcome {
    /// τ at inference.
    pub tau: f32,
    /// The numbers.
    pub outcome: DetectorResult,
}

/// How intervals were drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// Resamples; 1000 is usual.
    pub resamples: usize,
    /// Seed.
    pub seed: u64,
}

/// Everything that is reported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The program with its version.
    pub program: String,
    /// What the scores were made with.
    pub model: ModelFacts,
    /// The in-distribution set.
    pub id: SetFacts,
    /// The others.
    pub ood: Vec<SetFacts>,
    /// What a reader should know before the numbers, a sentence each.
    pub warnings: Vec<String>,
    /// The settings; the main one first.
    pub settings: Vec<Setting>,
    /// The detectors, in the registry's order.
    pub detectors: Vec<DetectorReport>,
    /// The paper's ablation tables, so far as the scores have them.
    pub ablations: Vec<Ablation>,
    /// Projectors that were fitted again; none unless asked for.
    pub refits: Vec<RefitReport>,
    /// How intervals were drawn, if they were.
    pub bootstrap: Option<Bootstrap>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum ReportError {
    /// No set to tell from.
    #[error("there is no out-of-distribution set to compare with")]
    NoOodSet,
    /// A set of which nothing was scored.
    #[error("no image of the set `{0}` could be read")]
    Empty(String),
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

#[cfg(test)]
mod tests;
