//! All detectors at the present τ, and the present detector over τ, filled in while the window is
//! idle.

use std::collections::HashMap;

use super::pins::PinSurvey;
use crate::score::verdict::Score;
use crate::session::basis::Basis;
use crate::session::curves::{
    Computation, DetectorRow, DetectorTable, Labels, Pin, SurveySubject, Sweep, SweepPoint,
    sampled, steps, tau_at,
};
use crate::session::images::Images;
use crate::session::request::{Effects, SessionRequest};
use crate::worker::{ImageId, Request, Survey, Surveyed};

/// Images of a set that the sweep scores; a larger set is sampled.
const SWEPT: usize = 2000;
/// Seconds between two states of a table that fills.
const SHOW_EVERY: f64 = 1.0;

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

/// The table and the sweep, and the survey that the worker has in hand for one of them.
#[derive(Default)]
pub(super) struct Surveys {
    pub table: DetectorTable,
    pub sweep: Sweep,
    ticket: u64,
    running: Option<Running>,
    failed: Option<SurveySubject>,
}

struct Running {
    subject: SurveySubject,
    step: usize,
    detectors: Vec<&'static str>,
    images: Vec<ImageId>,
    scores: Vec<Option<Vec<Score>>>,
    total: usize,
    /// Whether the worker is done with it, so that only the comparison is to come.
    scored: bool,
    comparing: bool,
    shown_at: f64,
}

/// When surveys are made, and of what.
pub(super) struct Occasion<'a> {
    pub time: f64,
    pub visible: VisiblePanels,
    /// Whether nothing else is being done.
    pub idle: bool,
    /// Whether the open sets can be compared.
    pub comparable: bool,
    /// A setting that is to be scored.
    pub pin: Option<&'a Pin>,
}

impl Surveys {
    /// Whether one is at work.
    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether the table holds for the present data, τ and recipe.
    pub(super) fn is_table_current(&self, basis: &Basis) -> bool {
        self.table.subject == Some(table_subject(basis))
    }

    /// Whether the sweep holds for the present data, detector and recipe.
    pub(super) fn is_sweep_current(&self, basis: &Basis) -> bool {
        self.sweep.subject == Some(sweep_subject(basis))
    }

    /// Whether the table is as full as it will get.
    pub(super) fn is_table_done(&self, basis: &Basis) -> bool {
        (self.is_table_current(basis) && self.table.complete)
            || self.failed == Some(table_subject(basis))
    }

    /// Whether the sweep is as full as it will get.
    pub(super) fn is_sweep_done(&self, basis: &Basis) -> bool {
        (self.is_sweep_current(basis) && self.sweep.is_complete())
            || self.failed == Some(sweep_subject(basis))
    }

    /// Keeps one survey going while something is out of date: what is on show first, then the rest.
    pub(super) fn follow(
        &mut self,
        basis: &Basis,
        on: &Occasion<'_>,
        effects: &mut Effects,
    ) -> Option<PinSurvey> {
        if let Some(running) = &self.running {
            let due = match &running.subject {
                SurveySubject::Pin(pin) => on.pin == Some(pin),
                subject => [table_subject(basis), sweep_subject(basis)].contains(subject),
            };
            if on.idle && due {
                return self.compare(basis, on.time, effects);
            }
            effects.ask(Request::Survey(None));
            self.running = None;
        }
        let (subject, step) = self.next(basis, on)?;
        self.start(basis, subject, (step, on.time), effects)
    }

    /// What to survey next.
    fn next(&mut self, basis: &Basis, on: &Occasion<'_>) -> Option<(SurveySubject, usize)> {
        if !on.idle {
            return None;
        }
        if let Some(pin) = on.pin {
            return Some((SurveySubject::Pin(pin.clone()), 0));
        }
        if !on.comparable {
            return None;
        }
        let table_due = !self.is_table_done(basis);
        if !self.is_sweep_done(basis) && (on.visible.sweep || !table_due) {
            let subject = sweep_subject(basis);
            if !self.is_sweep_current(basis) {
                self.sweep = Sweep { subject: Some(subject.clone()), ..Sweep::default() };
            }
            let step = steps().find(|step| !self.sweep.points.contains_key(step))?;
            return Some((subject, step));
        }
        table_due.then(|| (table_subject(basis), 0))
    }

    fn start(
        &mut self,
        basis: &Basis,
        subject: SurveySubject,
        (step, time): (usize, f64),
        effects: &mut Effects,
    ) -> Option<PinSurvey> {
        let info = basis.info()?;
        let settings = match &subject {
            SurveySubject::Pin(pin) => &pin.settings,
            _ => &basis.settings,
        };
        let (recipe, present) = (settings.recipe, settings.detector.clone());
        let (tau, images) = match &subject {
            SurveySubject::Detectors { .. } => (settings.tau, with_role(&basis.images)),
            SurveySubject::Sweep { .. } => (tau_at(step), sampled(with_role(&basis.images), SWEPT)),
            SurveySubject::Pin(_) => (settings.tau, tagged(&basis.images, |_| true)),
        };
        let features = settings.features.at(tau);
        let all = matches!(subject, SurveySubject::Detectors { .. });
        let detectors = info.detectors.iter().map(|detector| detector.id);
        let detectors: Vec<&'static str> = detectors.filter(|id| all || *id == present).collect();
        let images: Vec<ImageId> = images.into_iter().map(|(_, id)| id).collect();
        let total = images.len();
        if detectors.is_empty() {
            return self.fail(subject, format!("the model has no detector `{present}`"), effects);
        }
        match &subject {
            SurveySubject::Detectors { .. } => self.table.progress = (0, total),
            SurveySubject::Sweep { .. } => {
                self.sweep.images = (with_role(&basis.images).len(), total);
            }
            SurveySubject::Pin(_) => {}
        }
        self.ticket += 1;
        self.running = Some(Running {
            subject,
            step,
            detectors: detectors.clone(),
            images: Vec::with_capacity(total),
            scores: vec![Some(Vec::with_capacity(total)); detectors.len()],
            total,
            scored: false,
            comparing: false,
            shown_at: time,
        });
        let ticket = self.ticket;
        effects.ask(Request::Survey(Some(Survey { ticket, features, recipe, detectors, images })));
        None
    }

    /// Takes in a survey's scores.
    pub(super) fn take_scores(&mut self, surveyed: Surveyed) {
        let Some(running) = current(&mut self.running, self.ticket == surveyed.ticket) else {
            return;
        };
        running.images.extend(surveyed.images);
        for (all, new) in running.scores.iter_mut().zip(surveyed.scores) {
            match (all.as_mut(), new) {
                (Some(all), Some(new)) => all.extend(new),
                _ => *all = None,
            }
        }
        running.scored = surveyed.done >= running.total;
        if matches!(running.subject, SurveySubject::Detectors { .. }) {
            self.table.progress = (surveyed.done, running.total);
        }
    }

    /// Takes in that a survey cannot be made.
    pub(super) fn take_failure(
        &mut self,
        ticket: u64,
        error: String,
        effects: &mut Effects,
    ) -> Option<PinSurvey> {
        if ticket != self.ticket {
            return None;
        }
        match self.running.take() {
            Some(running) => self.fail(running.subject, error, effects),
            None => {
                effects.fail(error);
                None
            }
        }
    }

    /// Notes what cannot be had, so that it is not tried again.
    fn fail(
        &mut self,
        subject: SurveySubject,
        error: String,
        effects: &mut Effects,
    ) -> Option<PinSurvey> {
        if let SurveySubject::Pin(_) = subject {
            return Some(PinSurvey::Failed(error));
        }
        self.failed = Some(subject);
        effects.fail(error);
        None
    }

    /// Has the scores that are there compared: at the end, and for a table now and then before it.
    fn compare(&mut self, basis: &Basis, time: f64, effects: &mut Effects) -> Option<PinSurvey> {
        let ticket = self.ticket;
        let running = self.running.as_mut()?;
        let is_table = matches!(running.subject, SurveySubject::Detectors { .. });
        let early = is_table && time - running.shown_at > SHOW_EVERY && !running.images.is_empty();
        if running.comparing || !(running.scored || early) {
            return None;
        }
        if let SurveySubject::Pin(_) = running.subject {
            let Running { images, mut scores, .. } = self.running.take()?;
            return Some(match scores.pop().flatten() {
                Some(scores) => PinSurvey::Scored(images, scores),
                None => PinSurvey::Failed("its detector needs what an analysis lacks".into()),
            });
        }
        (running.comparing, running.shown_at) = (true, time);
        let labels = labels(&basis.images, &running.images);
        let mut scores = running.scores.clone();
        effects.requests.push(SessionRequest::Compute(match is_table {
            true => {
                let (detectors, ended) = (running.detectors.clone(), running.scored);
                Computation::Rows { ticket, labels, detectors, scores, ended }
            }
            false => {
                let (tau, scores) = (tau_at(running.step), scores.pop().flatten());
                Computation::Point { ticket, labels, tau, scores }
            }
        }));
        None
    }

    /// Takes in the table.
    pub(super) fn take_rows(
        &mut self,
        ticket: u64,
        (sets, rows): (Vec<String>, Vec<DetectorRow>),
        ended: bool,
    ) {
        let Some(running) = current(&mut self.running, self.ticket == ticket) else { return };
        running.comparing = false;
        (self.table.sets, self.table.rows) = (sets, rows);
        (self.table.complete, self.table.subject) = (ended, Some(running.subject.clone()));
        if ended {
            self.running = None;
        }
    }

    /// Takes in a point of the sweep.
    pub(super) fn take_point(&mut self, ticket: u64, point: Option<SweepPoint>) {
        let Some(running) = current(&mut self.running, self.ticket == ticket) else { return };
        let (step, subject) = (running.step, running.subject.clone());
        self.running = None;
        match point {
            Some(point) => drop(self.sweep.points.insert(step, point)),
            None => self.failed = Some(subject),
        }
    }
}

/// The running survey, if what came is of it.
fn current(running: &mut Option<Running>, same_ticket: bool) -> Option<&mut Running> {
    running.as_mut().filter(|_| same_ticket)
}

fn table_subject(basis: &Basis) -> SurveySubject {
    let (recipe, features) =
        (basis.settings.recipe, basis.settings.features.at(basis.settings.tau));
    SurveySubject::Detectors { data: basis.images.data_revision(), recipe, features }
}

fn sweep_subject(basis: &Basis) -> SurveySubject {
    let (recipe, detector) = (basis.settings.recipe, basis.settings.detector.clone());
    let kind = basis.settings.features;
    SurveySubject::Sweep { data: basis.images.data_revision(), recipe, kind, detector }
}

/// The tagged images of the sets that have a role, with their sets, in no order of theirs.
fn with_role(images: &Images) -> Vec<(usize, ImageId)> {
    tagged(images, |set_at| images.truth(set_at).is_some())
}

/// The tagged images of some sets, with their sets, in no order of theirs.
fn tagged(images: &Images, wanted: impl Fn(usize) -> bool) -> Vec<(usize, ImageId)> {
    let tagged = images.entries().iter().filter(|entry| entry.is_tagged && wanted(entry.set_at));
    let mut tagged: Vec<_> = tagged.map(|entry| (entry.set_at, entry.id)).collect();
    tagged.sort_unstable_by_key(|(_, id)| id.scattered());
    tagged
}

/// The sets with their roles, and for each image the place of its set.
fn labels(images: &Images, scored: &[ImageId]) -> Labels {
    let sets = images.sets().iter().map(|set| (set.title().to_owned(), set.role)).collect();
    let place: HashMap<ImageId, usize> =
        images.entries().iter().map(|entry| (entry.id, entry.set_at)).collect();
    let of = |id: &ImageId| place.get(id).copied().unwrap_or(usize::MAX);
    (sets, scored.iter().map(of).collect())
}
