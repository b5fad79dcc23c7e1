//! What thresholds are chosen by: curves of the open sets, the table of detectors, the sweep over τ,
//! and a setting that is pinned for comparison. Everything that grows with the number of images is
//! computed off the window's thread; what is on show is the last that came back.

mod measured;
mod results;
mod surveys;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use super::sets::{ImageSet, Role, SetScores};
use super::state::Model;
use crate::eval::metrics::Intervals;
use crate::pipeline::Settings;
use crate::score::verdict::Outcome;
use crate::worker::{ImageId, Worker};

pub use measured::{Measured, MeasuredSet};
pub use results::{DetectorRow, DetectorTable, Sweep, SweepPoint};

/// Seconds between two measurements while scores stream in.
const MEASURE_EVERY: f64 = 0.1;
/// Seconds that scores stay the same before intervals are drawn.
const STILL_FOR: f64 = 0.3;
/// The resamples' seed: the same data gives the same intervals.
pub(super) const SEED: u64 = 7;

/// A setting kept for comparison: "A", while the present one is "B".
#[derive(Debug)]
pub struct Pinned {
    /// τ, recipe, detector, and λ if the user had set one.
    pub settings: Settings,
    /// λ in force.
    pub lambda: Option<f32>,
    /// Score and decision of every image.
    pub verdicts: HashMap<ImageId, (Option<f32>, Option<Outcome>)>,
    /// Its curves.
    pub measured: Arc<Measured>,
}

/// Which panels are on show, and so what is worth computing first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Curves, histograms or counts.
    pub curves: bool,
    /// The table of detectors.
    pub table: bool,
    /// The sweep over τ.
    pub sweep: bool,
}

/// What comes back from other threads.
enum Answer {
    Measured(Measured),
    Pinned(Box<Pinned>),
    Intervals { revision: u64, intervals: Vec<Intervals> },
    Rows { ticket: u64, sets: Vec<String>, rows: Vec<DetectorRow>, ended: bool },
    Point { ticket: u64, point: Option<SweepPoint> },
}

/// Curves, tables, and what is under way.
pub struct Tuning {
    /// The open sets at the present settings, or the last that could be compared.
    pub present: Option<Arc<Measured>>,
    /// Bootstrap intervals of `present`, with its revision.
    intervals: Option<(u64, Vec<Intervals>)>,
    /// The setting kept for comparison.
    pub pinned: Option<Arc<Pinned>>,
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
            pinned: None,
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
    /// Intervals of the present metrics, for each OOD set; `None` while they are drawn.
    pub fn intervals(&self) -> Option<&[Intervals]> {
        let (revision, intervals) = self.intervals.as_ref()?;
        (*revision == self.present.as_ref()?.revision).then_some(intervals)
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

impl Model {
    /// Takes in what was computed, and has computed what is wanted and out of date. Returns the
    /// seconds after which it should be called again though nothing happens.
    pub fn tune(&mut self, worker: &Worker, time: f64, wanted: Wanted) -> Option<f64> {
        let answers: Vec<Answer> = self.tuning.answers.try_iter().collect();
        for answer in answers {
            self.take_answer(answer, time);
        }
        let wait = if wanted.curves || wanted.table || wanted.sweep {
            self.measure(worker, time)
        } else {
            None
        };
        self.survey(worker, time, wanted);
        wait
    }

    /// Whether the curves on show are those of all images at the present settings.
    pub fn is_measured(&self) -> bool {
        let present = |measured: &Arc<Measured>| {
            measured.revision == self.scores_revision && measured.pending() == 0
        };
        self.tuning.present.as_ref().is_some_and(present)
    }

    /// Whether everything that is wanted has been computed.
    pub fn is_tuned(&self, wanted: Wanted) -> bool {
        let tuning = &self.tuning;
        if self.sets().is_empty() || !(wanted.curves || wanted.table || wanted.sweep) {
            return !tuning.pinning;
        }
        let compared = tuning.present.as_ref().is_some_and(|m| m.separation.is_some());
        let intervals = !compared || tuning.intervals().is_some();
        let surveyed = !compared || tuning.paused || self.is_surveyed(wanted);
        self.is_measured() && !tuning.pinning && intervals && surveyed
    }

    fn take_answer(&mut self, answer: Answer, time: f64) {
        let tuning = &mut self.tuning;
        match answer {
            Answer::Measured(measured) => {
                tuning.measuring = false;
                tuning.measured_at = time;
                // Until there are scores of both kinds again, the last comparison stays on show.
                let early = measured.separation.is_none() && measured.pending() > 0;
                if !early || tuning.present.is_none() {
                    tuning.present = Some(Arc::new(measured));
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
        let drawn = self.tuning.intervals().is_some();
        let present = present.filter(|p| !drawn && p.separation.is_some() && p.pending() == 0)?;
        if since < STILL_FOR {
            return Some(STILL_FOR - since);
        }
        if self.tuning.drawing.is_none() {
            let measured = present.clone();
            self.tuning.drawing = Some(revision);
            self.tuning.spawn(worker, move || {
                let intervals = measured.separation.as_ref().map(|s| s.intervals(SEED));
                let intervals = intervals.and_then(Result::ok).unwrap_or_default();
                Answer::Intervals { revision: measured.revision, intervals }
            });
        }
        None
    }

    /// Keeps the present setting for comparison.
    pub(super) fn pin(&mut self, worker: &Worker) {
        let (settings, lambda) = (self.settings.clone(), self.lambda());
        let verdict = |entry: &super::state::Entry| (entry.id, (entry.score(), entry.outcome()));
        let verdicts = self.entries().iter().filter(|e| e.look.is_some()).map(verdict).collect();
        let (sets, revision) = (self.snapshot(), self.scores_revision);
        self.tuning.pinning = true;
        self.tuning.spawn(worker, move || {
            let measured = Arc::new(Measured::of(revision, settings.clone(), sets));
            Answer::Pinned(Box::new(Pinned { settings, lambda, verdicts, measured }))
        });
    }

    /// The images whose decision differs between the pinned setting and the present one.
    pub fn flips(&self) -> Vec<Flip> {
        let Some(pinned) = &self.tuning.pinned else { return Vec::new() };
        let flip = |entry: &super::state::Entry| {
            let &(score, outcome) = pinned.verdicts.get(&entry.id)?;
            let (before, after) = (outcome?, entry.outcome()?);
            let role = self.sets().get(entry.set_at).map_or(Role::Unused, |set| set.role);
            let scores = (score, entry.score());
            (before != after).then_some(Flip { image: entry.id, before, after, role, scores })
        };
        self.entries().iter().filter_map(flip).collect()
    }
}

/// An image whose decision differs between two settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flip {
    /// The image.
    pub image: ImageId,
    /// The decision at the pinned setting.
    pub before: Outcome,
    /// The decision now.
    pub after: Outcome,
    /// What its set says it is.
    pub role: Role,
    /// The scores at both.
    pub scores: (Option<f32>, Option<f32>),
}

impl Flip {
    /// Whether the present decision is the right one; `None` where the truth is not known.
    pub fn is_better(&self) -> Option<bool> {
        self.role.truth().map(|truth| truth == self.after)
    }
}
