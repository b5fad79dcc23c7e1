//! What thresholds are chosen by: curves of the open sets, the table of detectors, the sweep over τ,
//! and a setting that is pinned for comparison. Everything that grows with the number of images is
//! computed off the window's thread; what is on show is the last that came back.

mod measured;
mod pins;
mod results;
mod surveys;

use std::collections::BTreeSet;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use super::sets::{ImageSet, SetScores};
use super::state::Session;
use crate::bundle::manifest::Recipe;
use crate::eval::separation::Intervals;
use crate::pipeline::Settings;
use crate::worker::{ModelInfo, Worker};

pub use measured::{Measured, MeasuredSet};
pub use pins::{Flip, Pin, Pinned};
pub use results::{DetectorRow, DetectorTable, Sweep, SweepPoint};

/// Seconds between two measurements while scores stream in.
const MEASURE_EVERY: f64 = 0.1;
/// Seconds that scores stay the same before intervals are drawn.
const STILL_FOR: f64 = 0.3;
/// The resamples' seed: the same data gives the same intervals.
pub(super) const SEED: u64 = 7;

/// Which panels are on show, and so what is worth computing first.
#[derive(Clone, Copy, Debug, Default)]
pub struct VisiblePanels {
    /// Curves, histograms or counts.
    pub curves: bool,
    /// The table of detectors.
    pub table: bool,
    /// The sweep over τ.
    pub sweep: bool,
}

/// The λ that keeps 95 % of the open in-distribution set.
#[derive(Debug)]
struct FallbackLambda {
    detector: String,
    recipe: Recipe,
    lambda: Option<f32>,
}

/// What comes back from other threads.
enum Answer {
    Measured(Measured),
    Pinned(Box<Pinned>),
    Intervals { revision: u64, intervals: Option<Intervals> },
    Rows { ticket: u64, sets: Vec<String>, rows: Vec<DetectorRow>, ended: bool },
    Point { ticket: u64, point: Option<SweepPoint> },
}

/// Curves, tables, and what is under way.
pub struct Tuning {
    /// The open sets at the present settings, or the last that could be compared.
    pub present: Option<Arc<Measured>>,
    /// Bootstrap intervals of `present`, with its revision.
    intervals: Option<(u64, Option<Intervals>)>,
    /// λ of detectors that have none of their own.
    fallback_lambda: Option<FallbackLambda>,
    /// The setting kept for comparison.
    pub pinned: Option<Arc<Pinned>>,
    /// One that a session kept, whose scores are to come.
    pub(in crate::app) pin: Option<Pin>,
    /// Other detectors whose curves are drawn too.
    pub overlaid: BTreeSet<String>,
    /// Whether work in the background rests.
    pub paused: bool,
    /// All detectors at the present τ.
    pub table: DetectorTable,
    /// The present detector over τ.
    pub sweep: Sweep,
    surveys: surveys::Underway,
    sender: Sender<Answer>,
    answers: Receiver<Answer>,
    measuring: bool,
    measured_at: f64,
    drawing: Option<u64>,
    pinning: bool,
}

impl Default for Tuning {
    fn default() -> Self {
        let (sender, answers) = crossbeam_channel::unbounded();
        Self {
            present: None,
            intervals: None,
            fallback_lambda: None,
            pinned: None,
            pin: None,
            overlaid: BTreeSet::new(),
            paused: false,
            table: DetectorTable::default(),
            sweep: Sweep::default(),
            surveys: surveys::Underway::default(),
            sender,
            answers,
            measuring: false,
            measured_at: f64::NEG_INFINITY,
            drawing: None,
            pinning: false,
        }
    }
}

impl Tuning {
    /// Intervals of the present metrics; `None` while they are drawn.
    pub fn intervals(&self) -> Option<&Intervals> {
        let (revision, intervals) = self.intervals.as_ref()?;
        intervals.as_ref().filter(|_| Some(*revision) == self.present.as_ref().map(|m| m.revision))
    }

    /// Whether intervals of the present metrics were drawn, whatever came of it.
    fn has_intervals(&self) -> bool {
        let drawn = self.intervals.as_ref().map(|(revision, _)| *revision);
        drawn.is_some() && drawn == self.present.as_ref().map(|measured| measured.revision)
    }

    /// The λ that keeps 95 % of the open in-distribution set, as last measured under a detector and
    /// recipe.
    pub(super) fn fallback_lambda(&self, settings: &Settings) -> Option<f32> {
        let FallbackLambda { detector, recipe, lambda } = self.fallback_lambda.as_ref()?;
        let same = *detector == settings.detector && *recipe == settings.recipe;
        lambda.filter(|_| same)
    }

    /// Whether detectors or the sweep are being worked on.
    pub fn is_surveying(&self) -> bool {
        self.surveys.is_running()
    }

    /// Does some work on another thread and brings its answer back.
    fn spawn(&self, worker: &Worker, work: impl FnOnce() -> Answer + Send + 'static) {
        let (sender, wake) = (self.sender.clone(), worker.waker());
        rayon::spawn(move || {
            // A window that is gone wants no answer.
            if sender.send(work()).is_ok() {
                wake();
            }
        });
    }
}

impl Session {
    /// Takes in what was computed, and has computed what is wanted and out of date. Returns the
    /// seconds after which it should be called again though nothing happens.
    pub fn tune(&mut self, worker: &Worker, time: f64, wanted: VisiblePanels) -> Option<f64> {
        let answers: Vec<Answer> = self.tuning.answers.try_iter().collect();
        for answer in answers {
            self.take_answer(answer, time);
        }
        let wait = if self.is_measuring_wanted(wanted) { self.measure(worker, time) } else { None };
        self.survey(worker, time, wanted);
        wait
    }

    /// Whether the open sets have to be compared: for what is on show, for a λ that the model does
    /// not have, or for a pinned setting that is to be brought back.
    fn is_measuring_wanted(&self, wanted: VisiblePanels) -> bool {
        let lacks =
            |info: &Arc<ModelInfo>| info.head.is_some() && info.lambda(&self.settings).is_none();
        let lacks_lambda = self.info().is_some_and(lacks);
        wanted.curves || wanted.table || wanted.sweep || lacks_lambda || self.awaits_pin()
    }

    /// Whether the curves on show are those of all images at the present settings.
    pub fn is_measured(&self) -> bool {
        let present = |measured: &Arc<Measured>| {
            measured.revision == self.scores_revision && measured.pending() == 0
        };
        self.tuning.present.as_ref().is_some_and(present)
    }

    /// Whether everything that is wanted has been computed.
    pub fn is_tuned(&self, wanted: VisiblePanels) -> bool {
        let tuning = &self.tuning;
        if self.sets().is_empty() || !self.is_measuring_wanted(wanted) {
            return !tuning.pinning;
        }
        let compared = tuning.present.as_ref().is_some_and(|m| m.separation.is_some());
        let intervals = !compared || tuning.has_intervals();
        let surveyed = !compared || tuning.paused || self.is_surveyed(wanted);
        let pinned = !tuning.pinning && !self.awaits_pin();
        self.is_measured() && pinned && intervals && surveyed
    }

    fn take_answer(&mut self, answer: Answer, time: f64) {
        let before = self.lambda();
        let tuning = &mut self.tuning;
        match answer {
            Answer::Measured(measured) => {
                tuning.measuring = false;
                tuning.measured_at = time;
                // Until there are scores of both kinds again, the last comparison stays on show.
                let early = measured.separation.is_none() && measured.pending() > 0;
                tuning.fallback_lambda = Some(FallbackLambda {
                    detector: measured.settings.detector.clone(),
                    recipe: measured.settings.recipe,
                    lambda: measured.id_lambda,
                });
                if !early || tuning.present.is_none() {
                    tuning.present = Some(Arc::new(measured));
                }
                if self.lambda() != before {
                    self.decide();
                }
            }
            Answer::Pinned(pinned) => {
                tuning.pinning = false;
                tuning.pinned = Some(Arc::from(pinned));
            }
            Answer::Intervals { revision, intervals } => {
                tuning.drawing = None;
                tuning.intervals = Some((revision, intervals));
            }
            Answer::Rows { ticket, sets, rows, ended } => {
                self.take_rows(ticket, (sets, rows), ended);
            }
            Answer::Point { ticket, point } => self.take_point(ticket, point),
        }
    }

    /// The sets with their scores, as they are now.
    fn snapshot(&self) -> Vec<(ImageSet, SetScores)> {
        let scores = self.set_scores();
        self.sets().iter().cloned().zip(scores).collect()
    }

    /// Starts a measurement if scores have changed, and intervals if they have not for a while.
    fn measure(&mut self, worker: &Worker, time: f64) -> Option<f64> {
        let since = time - self.tuning.measured_at;
        let revision = self.scores_revision;
        let present = self.tuning.present.as_ref();
        if self.tuning.measuring {
            return None;
        }
        if present.is_none_or(|present| present.revision != revision) {
            if since < MEASURE_EVERY {
                return Some(MEASURE_EVERY - since);
            }
            let (sets, settings) = (self.snapshot(), self.settings.clone());
            (self.tuning.measuring, self.tuning.measured_at) = (true, time);
            self.tuning
                .spawn(worker, move || Answer::Measured(Measured::of(revision, settings, sets)));
            return None;
        }
        let drawn = self.tuning.has_intervals();
        let present = present.filter(|p| !drawn && p.separation.is_some() && p.pending() == 0)?;
        if since < STILL_FOR {
            return Some(STILL_FOR - since);
        }
        if self.tuning.drawing.is_none() {
            let measured = present.clone();
            self.tuning.drawing = Some(revision);
            self.tuning.spawn(worker, move || {
                let intervals = measured.separation.as_ref().map(|s| s.intervals(SEED));
                let intervals = intervals.and_then(Result::ok);
                Answer::Intervals { revision: measured.revision, intervals }
            });
        }
        None
    }
}
