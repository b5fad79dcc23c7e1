//! All detectors at the present τ, and the present detector over τ, filled in while the window is
//! idle.

use std::collections::HashMap;

use super::results::{
    DetectorRow, Labels, Subject, Sweep, SweepPoint, row, sampled, separate, steps, tau_at,
};
use super::{Answer, Tuning, VisiblePanels};
use crate::app::state::{Entry, Session};
use crate::eval::separation::Separation;
use crate::worker::{ImageId, Request, Survey, Surveyed, Worker};

/// Images of a set that the sweep scores; a larger set is sampled.
const SWEPT: usize = 2000;
/// Seconds between two states of a table that fills.
const SHOW_EVERY: f64 = 1.0;

/// The survey that the worker has in hand.
#[derive(Default)]
pub(super) struct Underway {
    ticket: u64,
    running: Option<Running>,
    failed: Option<Subject>,
}

impl Underway {
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }
}

struct Running {
    subject: Subject,
    step: usize,
    detectors: Vec<&'static str>,
    images: Vec<ImageId>,
    scores: Vec<Option<Vec<f32>>>,
    total: usize,
    /// Whether the worker is done with it, so that only the comparison is to come.
    scored: bool,
    comparing: bool,
    shown_at: f64,
}

impl Session {
    fn table_subject(&self) -> Subject {
        let (recipe, tau) = (self.settings.recipe, self.settings.tau);
        Subject::Detectors { data: self.data_revision, recipe, tau }
    }

    fn sweep_subject(&self) -> Subject {
        let (recipe, detector) = (self.settings.recipe, self.settings.detector.clone());
        Subject::Sweep { data: self.data_revision, recipe, detector }
    }

    /// Whether the table holds for the present data, τ and recipe.
    pub fn is_table_current(&self) -> bool {
        self.tuning.table.subject == Some(self.table_subject())
    }

    /// Whether the sweep holds for the present data, detector and recipe.
    pub fn is_sweep_current(&self) -> bool {
        self.tuning.sweep.subject == Some(self.sweep_subject())
    }

    pub(super) fn is_surveyed(&self, wanted: VisiblePanels) -> bool {
        let failed = |subject: &Subject| self.tuning.surveys.failed.as_ref() == Some(subject);
        let table = self.is_table_current() && self.tuning.table.complete;
        let sweep = self.is_sweep_current() && self.tuning.sweep.is_complete();
        // Other detectors' curves are the table's.
        let overlaid = wanted.curves && !self.tuning.overlaid.is_empty();
        (!(wanted.table || overlaid) || table || failed(&self.table_subject()))
            && (!wanted.sweep || sweep || failed(&self.sweep_subject()))
    }

    /// Keeps one survey going while something is out of date: what is on show first, then the rest.
    pub(super) fn survey(&mut self, worker: &Worker, time: f64, wanted: VisiblePanels) {
        let subjects = [self.table_subject(), self.sweep_subject()];
        let pin = self.tuning.pin.clone().filter(|_| self.awaits_pin()).map(Subject::Pin);
        let idle = self.is_measured() && self.jobs.is_empty() && !self.tuning.paused;
        if let Some(running) = &self.tuning.surveys.running {
            let due = subjects.contains(&running.subject) || pin.as_ref() == Some(&running.subject);
            if !idle || !due {
                worker.ask(Request::Survey(None));
                self.tuning.surveys.running = None;
            } else {
                return self.compare(worker, time);
            }
        }
        if let Some(pin) = pin.filter(|_| idle) {
            return self.start(worker, time, pin, 0);
        }
        let compared = self.tuning.present.as_ref().is_some_and(|m| m.separation.is_some());
        if !idle || !compared {
            return;
        }
        let [table, sweep] = subjects;
        let (tuning, failed) = (&self.tuning, &self.tuning.surveys.failed);
        let table_due = !(tuning.table.subject.as_ref() == Some(&table) && tuning.table.complete)
            && failed.as_ref() != Some(&table);
        let current = tuning.sweep.subject.as_ref() == Some(&sweep);
        let mut missing =
            steps().filter(|step| !current || !tuning.sweep.points.contains_key(step));
        let step = missing.next().filter(|_| failed.as_ref() != Some(&sweep));
        match step {
            Some(step) if wanted.sweep || !table_due => {
                if !current {
                    self.tuning.sweep = Sweep { subject: Some(sweep.clone()), ..Sweep::default() };
                }
                self.start(worker, time, sweep, step);
            }
            _ if table_due => self.start(worker, time, table, 0),
            _ => {}
        }
    }

    fn start(&mut self, worker: &Worker, time: f64, subject: Subject, step: usize) {
        let Some(info) = self.info().cloned() else { return };
        let settings = match &subject {
            Subject::Pin(pin) => &pin.settings,
            _ => &self.settings,
        };
        let (recipe, present) = (settings.recipe, settings.detector.clone());
        let (tau, images) = match &subject {
            Subject::Detectors { .. } => (settings.tau, self.images_with_role()),
            Subject::Sweep { .. } => (tau_at(step), sampled(self.images_with_role(), SWEPT)),
            Subject::Pin(_) => (settings.tau, self.tagged_images(|_| true)),
        };
        let all = matches!(subject, Subject::Detectors { .. });
        let detectors = info.detectors.iter().map(|detector| detector.id);
        let detectors: Vec<&'static str> = detectors.filter(|id| all || *id == present).collect();
        let images: Vec<ImageId> = images.into_iter().map(|(_, id)| id).collect();
        let total = images.len();
        if detectors.is_empty() {
            return self.fail(subject, format!("the model has no detector `{present}`"));
        }
        match &subject {
            Subject::Detectors { .. } => self.tuning.table.progress = (0, total),
            Subject::Sweep { .. } => {
                self.tuning.sweep.images = (self.images_with_role().len(), total);
            }
            Subject::Pin(_) => {}
        }
        let tuning = &mut self.tuning;
        tuning.surveys.ticket += 1;
        tuning.surveys.running = Some(Running {
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
        let ticket = tuning.surveys.ticket;
        worker.ask(Request::Survey(Some(Survey { ticket, tau, recipe, detectors, images })));
    }

    /// The tagged images of the sets that have a role, in no order of theirs.
    fn images_with_role(&self) -> Vec<(usize, ImageId)> {
        self.tagged_images(|set_at| self.truth(set_at).is_some())
    }

    /// The tagged images of some sets, in no order of theirs.
    fn tagged_images(&self, wanted: impl Fn(usize) -> bool) -> Vec<(usize, ImageId)> {
        let wanted = |entry: &&Entry| entry.is_tagged && wanted(entry.set_at);
        let tagged = self.entries().iter().filter(wanted);
        let mut images: Vec<_> = tagged.map(|entry| (entry.set_at, entry.id)).collect();
        images.sort_unstable_by_key(|(_, id)| id.scattered());
        images
    }

    /// Takes in a survey's scores.
    pub(in crate::app) fn take_surveyed(&mut self, surveyed: Surveyed) {
        let tuning = &mut self.tuning;
        if surveyed.ticket != tuning.surveys.ticket {
            return;
        }
        let Some(running) = &mut tuning.surveys.running else { return };
        running.images.extend(surveyed.images);
        for (all, new) in running.scores.iter_mut().zip(surveyed.scores) {
            match (all.as_mut(), new) {
                (Some(all), Some(new)) => all.extend(new),
                _ => *all = None,
            }
        }
        running.scored = surveyed.done >= running.total;
        if matches!(running.subject, Subject::Detectors { .. }) {
            tuning.table.progress = (surveyed.done, running.total);
        }
    }

    /// Takes in that a survey cannot be made.
    pub(in crate::app) fn take_survey_failed(&mut self, ticket: u64, error: String) {
        if ticket == self.tuning.surveys.ticket {
            match self.tuning.surveys.running.take() {
                Some(running) => self.fail(running.subject, error),
                None => self.notice(error),
            }
        }
    }

    /// Notes what cannot be had, so that it is not tried again.
    fn fail(&mut self, subject: Subject, error: String) {
        match subject {
            Subject::Pin(_) => {
                self.tuning.pin = None;
                self.notice(format!("the pinned setting cannot be compared: {error}"));
            }
            subject => {
                self.tuning.surveys.failed = Some(subject);
                self.notice(error);
            }
        }
    }

    /// Has the scores that are there compared: at the end, and for a table now and then before it.
    fn compare(&mut self, worker: &Worker, time: f64) {
        let ticket = self.tuning.surveys.ticket;
        let Some(running) = &mut self.tuning.surveys.running else { return };
        let is_table = matches!(running.subject, Subject::Detectors { .. });
        let early = is_table && time - running.shown_at > SHOW_EVERY && !running.images.is_empty();
        if running.comparing || !(running.scored || early) {
            return;
        }
        if let Subject::Pin(_) = running.subject {
            let running = self.tuning.surveys.running.take();
            return self.take_pin(running, worker);
        }
        running.comparing = true;
        running.shown_at = time;
        let (ended, step) = (running.scored, running.step);
        let (detectors, scores) = (running.detectors.clone(), running.scores.clone());
        let images = running.images.clone();
        let labels = self.labels(&images);
        self.tuning.spawn(worker, move || {
            let separation = |scores: &Vec<f32>| separate(&labels, scores);
            let separations = scores.iter().map(|s| s.as_ref().and_then(separation));
            match is_table {
                true => {
                    let separations: Vec<Option<Separation>> = separations.collect();
                    let first = separations.iter().flatten().next();
                    let sets = first.iter().flat_map(|s| &s.sets).map(|set| set.name.clone());
                    let sets = sets.collect();
                    let rows = detectors.iter().zip(separations);
                    let rows = rows.filter_map(|(id, s)| row(id, s?)).collect();
                    Answer::Rows { ticket, sets, rows, ended }
                }
                false => {
                    let point = separations.flatten().next().map(|s| SweepPoint {
                        tau: tau_at(step),
                        mean: s.mean,
                        sets: s.sets.into_iter().map(|set| (set.name, set.metrics)).collect(),
                    });
                    Answer::Point { ticket, point }
                }
            }
        });
    }

    /// Keeps the setting that a session kept, whose scores are there.
    fn take_pin(&mut self, running: Option<Running>, worker: &Worker) {
        let Some(Running { subject, images, mut scores, .. }) = running else { return };
        match scores.pop().flatten() {
            Some(scores) => self.pin_with(&images, &scores, worker),
            None => self.fail(subject, "its detector needs what a analysis does not give".into()),
        }
    }

    /// The sets with their roles, and for each image the place of its set.
    fn labels(&self, images: &[ImageId]) -> Labels {
        let sets = self.sets().iter().map(|set| (set.title().to_owned(), set.role)).collect();
        let place: HashMap<ImageId, usize> =
            self.entries().iter().map(|entry| (entry.id, entry.set_at)).collect();
        let of = |id: &ImageId| place.get(id).copied().unwrap_or(usize::MAX);
        (sets, images.iter().map(of).collect())
    }

    pub(super) fn take_rows(
        &mut self,
        ticket: u64,
        (sets, rows): (Vec<String>, Vec<DetectorRow>),
        ended: bool,
    ) {
        let tuning = &mut self.tuning;
        let Some(running) = current(tuning, ticket) else { return };
        running.comparing = false;
        let subject = running.subject.clone();
        let table = &mut tuning.table;
        (table.sets, table.rows) = (sets, rows);
        (table.complete, table.subject) = (ended, Some(subject));
        if ended {
            tuning.surveys.running = None;
        }
    }

    pub(super) fn take_point(&mut self, ticket: u64, point: Option<SweepPoint>) {
        let Some(running) = current(&mut self.tuning, ticket) else { return };
        let (step, subject) = (running.step, running.subject.clone());
        self.tuning.surveys.running = None;
        match point {
            Some(point) => drop(self.tuning.sweep.points.insert(step, point)),
            None => self.tuning.surveys.failed = Some(subject),
        }
    }
}

fn current(tuning: &mut Tuning, ticket: u64) -> Option<&mut Running> {
    tuning.surveys.running.as_mut().filter(|_| tuning.surveys.ticket == ticket)
}
