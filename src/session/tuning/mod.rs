//! What thresholds are chosen by: curves of the open sets, the table of detectors, the sweep over τ,
//! and a setting that is pinned for comparison. Everything that grows with the number of images is
//! computed elsewhere; what is on show is the last that came back.

mod pins;
mod surveys;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::basis::Basis;
use super::curves::{Answer, Computation, DetectorTable, Flip, Measured, Pin, Pinned, Sweep};
use super::images::Images;
use super::request::{Effects, SessionRequest};
use crate::bundle::manifest::Recipe;
use crate::eval::separation::Intervals;
use crate::pipeline::Settings;
use crate::worker::{ModelInfo, Surveyed};
use pins::{PinSurvey, Pins};
use surveys::{Occasion, Surveys};

pub use surveys::VisiblePanels;

/// Seconds between two measurements while scores stream in.
const MEASURE_EVERY: f64 = 0.1;
/// Seconds that scores stay the same before intervals are drawn.
const STILL_FOR: f64 = 0.3;

/// The λ that keeps 95 % of the open in-distribution set.
#[derive(Debug)]
struct FallbackLambda {
    detector: String,
    recipe: Recipe,
    lambda: Option<f32>,
}

/// Curves, tables, and what is under way.
#[derive(Default)]
pub struct Tuning {
    /// The open sets at the present settings, or the last that could be compared.
    pub present: Option<Arc<Measured>>,
    /// Bootstrap intervals of `present`, with its revision.
    intervals: Option<(u64, Option<Intervals>)>,
    /// λ of detectors that have none of their own.
    fallback_lambda: Option<FallbackLambda>,
    pins: Pins,
    surveys: Surveys,
    /// Other detectors whose curves are drawn too.
    pub overlaid: BTreeSet<String>,
    /// Whether work in the background rests.
    pub paused: bool,
    /// The time of the last call of [`Tuning::follow`], in seconds.
    now: f64,
    measuring: bool,
    measured_at: Option<f64>,
    drawing: Option<u64>,
}

impl Tuning {
    /// The setting kept for comparison.
    pub fn pinned(&self) -> Option<&Arc<Pinned>> {
        self.pins.pinned()
    }

    /// All detectors at the present τ.
    pub fn table(&self) -> &DetectorTable {
        &self.surveys.table
    }

    /// The present detector over τ.
    pub fn sweep(&self) -> &Sweep {
        &self.surveys.sweep
    }

    /// Intervals of the present metrics; `None` while they are drawn.
    pub fn intervals(&self) -> Option<&Intervals> {
        let (revision, intervals) = self.intervals.as_ref()?;
        intervals.as_ref().filter(|_| Some(*revision) == self.present.as_ref().map(|m| m.revision))
    }

    /// Whether detectors or the sweep are being worked on.
    pub fn is_surveying(&self) -> bool {
        self.surveys.is_running()
    }

    /// What a saved session keeps of the pinned setting.
    pub fn kept_pin(&self) -> Option<Pin> {
        self.pins.kept()
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

    fn awaited_pin(&self, basis: &Basis) -> Option<&Pin> {
        self.pins.awaited(basis).filter(|_| !self.paused)
    }

    /// Whether the open sets have to be compared: for what is on show, for a λ that the model does
    /// not have, or for a pinned setting that is to be brought back.
    fn is_measuring_wanted(&self, basis: &Basis, visible: VisiblePanels) -> bool {
        let lacks =
            |info: &Arc<ModelInfo>| info.head.is_some() && info.lambda(&basis.settings).is_none();
        let lacks_lambda = basis.info().is_some_and(lacks);
        let shown = visible.curves || visible.table || visible.sweep;
        shown || lacks_lambda || self.awaited_pin(basis).is_some()
    }

    fn is_comparable(&self) -> bool {
        self.present.as_ref().is_some_and(|measured| measured.separation.is_some())
    }

    /// Whether the curves on show are those of all images at the present settings.
    pub(super) fn is_measured(&self, images: &Images) -> bool {
        let present = |measured: &Arc<Measured>| {
            measured.revision == images.scores_revision() && measured.pending() == 0
        };
        self.present.as_ref().is_some_and(present)
    }

    /// Whether the table holds for the present data, τ and recipe.
    pub(super) fn is_table_current(&self, basis: &Basis) -> bool {
        self.surveys.is_table_current(basis)
    }

    /// Whether the sweep holds for the present data, detector and recipe.
    pub(super) fn is_sweep_current(&self, basis: &Basis) -> bool {
        self.surveys.is_sweep_current(basis)
    }

    /// Whether everything that is wanted has been computed.
    pub(super) fn is_settled(&self, basis: &Basis, visible: VisiblePanels) -> bool {
        if basis.images.sets().is_empty() || !self.is_measuring_wanted(basis, visible) {
            return !self.pins.is_working();
        }
        let comparable = self.is_comparable();
        let intervals = !comparable || self.has_intervals();
        // Other detectors' curves are the table's.
        let table = visible.table || (visible.curves && !self.overlaid.is_empty());
        let surveyed = (!table || self.surveys.is_table_done(basis))
            && (!visible.sweep || self.surveys.is_sweep_done(basis));
        let surveyed = !comparable || self.paused || surveyed;
        let pinned = !self.pins.is_working() && self.awaited_pin(basis).is_none();
        self.is_measured(&basis.images) && pinned && intervals && surveyed
    }

    /// The images whose decision differs between the pinned setting and the present one.
    pub(super) fn flips(&self, images: &Images) -> Vec<Flip> {
        self.pins.flips(images)
    }

    /// Keeps the present setting for comparison.
    pub(super) fn pin(&mut self, basis: &Basis, lambda: Option<f32>, effects: &mut Effects) {
        let scores = self.pins.pin(basis, lambda);
        effects.ask(SessionRequest::Compute(Computation::Pin(scores)));
    }

    /// Forgets the setting that was kept.
    pub(super) fn unpin(&mut self) {
        self.pins.unpin();
    }

    /// Takes over what a saved session kept.
    pub(super) fn restore(&mut self, pin: Option<Pin>, overlaid: BTreeSet<String>, paused: bool) {
        self.pins.restore(pin);
        (self.overlaid, self.paused) = (overlaid, paused);
    }

    /// Has computed what is wanted and out of date. Returns the seconds after which it should be
    /// called again though nothing happens.
    pub(super) fn follow(
        &mut self,
        basis: &Basis,
        (time, visible, idle): (f64, VisiblePanels, bool),
        effects: &mut Effects,
    ) -> Option<f64> {
        self.now = time;
        let wait = match self.is_measuring_wanted(basis, visible) {
            true => self.measure(basis, effects),
            false => None,
        };
        let pin = self.awaited_pin(basis).cloned();
        let on = Occasion {
            time,
            visible,
            idle: self.is_measured(&basis.images) && idle && !self.paused,
            comparable: self.is_comparable(),
            pin: pin.as_ref(),
        };
        let survey = self.surveys.follow(basis, &on, effects);
        self.take_pin_survey(survey, &basis.images, effects);
        wait
    }

    /// Starts a measurement if scores have changed, and intervals if they have not for a while.
    fn measure(&mut self, basis: &Basis, effects: &mut Effects) -> Option<f64> {
        let since = self.measured_at.map_or(f64::INFINITY, |at| self.now - at);
        let revision = basis.images.scores_revision();
        if self.measuring {
            return None;
        }
        let present = self.present.as_ref();
        if present.is_none_or(|present| present.revision != revision) {
            if since < MEASURE_EVERY {
                return Some(MEASURE_EVERY - since);
            }
            (self.measuring, self.measured_at) = (true, Some(self.now));
            let (settings, sets) = (basis.settings.clone(), basis.images.scored_sets());
            effects.ask(SessionRequest::Compute(Computation::Measure { revision, settings, sets }));
            return None;
        }
        let drawn = self.has_intervals();
        let present = present.filter(|p| !drawn && p.separation.is_some() && p.pending() == 0)?;
        if since < STILL_FOR {
            return Some(STILL_FOR - since);
        }
        if self.drawing.is_none() {
            self.drawing = Some(revision);
            effects.ask(SessionRequest::Compute(Computation::Intervals(present.clone())));
        }
        None
    }

    /// Takes in what was computed.
    pub(super) fn take(&mut self, answer: Answer) {
        match answer {
            Answer::Measured(measured) => {
                (self.measuring, self.measured_at) = (false, Some(self.now));
                // Until there are scores of both kinds again, the last comparison stays on show.
                let early = measured.separation.is_none() && measured.pending() > 0;
                self.fallback_lambda = Some(FallbackLambda {
                    detector: measured.settings.detector.clone(),
                    recipe: measured.settings.recipe,
                    lambda: measured.id_lambda,
                });
                if !early || self.present.is_none() {
                    self.present = Some(Arc::new(measured));
                }
            }
            Answer::Pinned(pinned) => self.pins.take(pinned),
            Answer::Intervals(revision, intervals) => {
                self.drawing = None;
                self.intervals = Some((revision, intervals));
            }
            Answer::Rows { ticket, sets, rows, ended } => {
                self.surveys.take_rows(ticket, (sets, rows), ended);
            }
            Answer::Point { ticket, point } => self.surveys.take_point(ticket, point),
        }
    }

    /// Takes in a survey's scores.
    pub(super) fn take_scores(&mut self, surveyed: Surveyed) {
        self.surveys.take_scores(surveyed);
    }

    /// Takes in that a survey cannot be made.
    pub(super) fn take_failed_survey(
        &mut self,
        (ticket, error): (u64, String),
        images: &Images,
        effects: &mut Effects,
    ) {
        let survey = self.surveys.take_failure(ticket, error, effects);
        self.take_pin_survey(survey, images, effects);
    }

    fn take_pin_survey(
        &mut self,
        survey: Option<PinSurvey>,
        images: &Images,
        effects: &mut Effects,
    ) {
        match survey {
            None => {}
            Some(PinSurvey::Scored(scored, scores)) => {
                let scores = self.pins.score(&scored, &scores, images);
                let compute = |scores| SessionRequest::Compute(Computation::Pin(scores));
                effects.requests.extend(scores.map(compute));
            }
            Some(PinSurvey::Failed(error)) => {
                self.pins.unpin();
                effects.fail(format!("the pinned setting cannot be compared: {error}"));
            }
        }
    }
}
