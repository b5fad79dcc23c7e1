//! What is computed for curves and tables. It grows with the number of images and needs nothing but
//! what it holds, so that any thread can run it.

use std::sync::Arc;

use super::measured::Measured;
use super::pinned::{PinScores, Pinned};
use super::results::{DetectorRow, Labels, SweepPoint, row, separate};
use crate::eval::separation::{Intervals, Separation};
use crate::pipeline::Settings;
use crate::score::verdict::Score;
use crate::session::images::SetResults;
use crate::session::sets::ImageSet;

/// The resamples' seed: the same data gives the same intervals.
pub const SEED: u64 = 7;

/// Something to compute.
pub enum Computation {
    /// The curves of the open sets.
    Measure {
        /// The scores' revision.
        revision: u64,
        /// τ, recipe and detector of the scores.
        settings: Settings,
        /// The sets with their scores.
        sets: Vec<(ImageSet, SetResults)>,
    },
    /// The curves of a setting that is kept for comparison.
    Pin(PinScores),
    /// Bootstrap intervals of curves.
    Intervals(Arc<Measured>),
    /// The table of detectors.
    Rows {
        /// The survey that the scores come from.
        ticket: u64,
        /// What each image's scores count for.
        labels: Labels,
        /// The detectors' ids.
        detectors: Vec<&'static str>,
        /// Scores, `[detectors][images]`.
        scores: Vec<Option<Vec<Score>>>,
        /// Whether that is all of the survey.
        ended: bool,
    },
    /// A point of the sweep over τ.
    Point {
        /// The survey that the scores come from.
        ticket: u64,
        /// What each image's scores count for.
        labels: Labels,
        /// Relevance threshold of the scores.
        tau: f32,
        /// Scores, `[images]`.
        scores: Option<Vec<Score>>,
    },
}

/// What a [`Computation`] came to.
pub enum Answer {
    /// The curves of the open sets.
    Measured(Measured),
    /// The curves of a setting that is kept for comparison.
    Pinned(Arc<Pinned>),
    /// Intervals of the curves with this revision; `None` where none can be drawn.
    Intervals(u64, Option<Intervals>),
    /// The table of detectors.
    Rows {
        /// The survey.
        ticket: u64,
        /// The OOD sets' names.
        sets: Vec<String>,
        /// A row for each detector that can score.
        rows: Vec<DetectorRow>,
        /// Whether that is all of the survey.
        ended: bool,
    },
    /// A point of the sweep; `None` where the sets cannot be compared.
    Point {
        /// The survey.
        ticket: u64,
        /// The point.
        point: Option<SweepPoint>,
    },
}

impl Computation {
    /// Computes it.
    pub fn run(self) -> Answer {
        match self {
            Self::Measure { revision, settings, sets } => {
                Answer::Measured(Measured::of(revision, settings, sets))
            }
            Self::Pin(scores) => Answer::Pinned(Arc::new(scores.measure())),
            Self::Intervals(measured) => {
                let intervals = measured.separation.as_ref().map(|s| s.intervals(None, SEED));
                Answer::Intervals(measured.revision, intervals.and_then(Result::ok))
            }
            Self::Rows { ticket, labels, detectors, scores, ended } => {
                let separations: Vec<Option<Separation>> =
                    scores.iter().map(|scores| separate(&labels, scores.as_ref()?)).collect();
                let first = separations.iter().flatten().next();
                let sets = first.iter().flat_map(|s| &s.sets).map(|set| set.name.clone()).collect();
                let rows = detectors.iter().zip(separations);
                let rows = rows.filter_map(|(id, separation)| row(id, separation?)).collect();
                Answer::Rows { ticket, sets, rows, ended }
            }
            Self::Point { ticket, labels, tau, scores } => {
                let separation = scores.and_then(|scores| separate(&labels, &scores));
                let point = separation.map(|s| SweepPoint {
                    tau,
                    mean: s.mean,
                    sets: s.sets.into_iter().map(|set| (set.name, set.metrics)).collect(),
                });
                Answer::Point { ticket, point }
            }
        }
    }
}
