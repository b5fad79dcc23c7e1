//! The report of `evaluate` on open images: scored by every detector a few images at a time, between
//! what the user does, then compared and written on a thread of its own.

use std::path::PathBuf;
use std::time::Instant;

use super::job::{JobControl, JobId};
use super::message::{Event, ImageId};
use super::work::Work;
use crate::eval::gather::{Plan, SetScorer, TaggedImage};
use crate::eval::report::{self, Bootstrap, Report};
use crate::eval::scores::{FailedImage, ScoreTable, ScoredImage, SetScores};
use crate::pipeline::{Pipeline, PipelineError};

/// A set of open images, as the report names them.
#[derive(Clone, Debug)]
pub struct ReportSet {
    /// The set's name; files are named after it.
    pub name: String,
    /// Its images with what is known of them; whether a tag counts and what the projector sees is
    /// filled in.
    pub images: Vec<(ImageId, ScoredImage)>,
    /// Those that could not be read.
    pub failed: Vec<FailedImage>,
}

/// What to report on.
#[derive(Clone)]
pub struct ReportTask {
    /// The job.
    pub job: JobId,
    /// Detectors, τ and recipe.
    pub plan: Plan,
    /// The in-distribution set first, then the others.
    pub sets: Vec<ReportSet>,
    /// A detector's id with its λ in force, where that is not the model's own.
    pub lambda: Option<(String, f32)>,
    /// How intervals are drawn.
    pub bootstrap: Option<Bootstrap>,
    /// What a reader should know before the numbers, a sentence each.
    pub notes: Vec<String>,
    /// The folder to write; made if it is not there.
    pub out: PathBuf,
}

/// A report and how far it is.
pub(super) struct Reporting {
    task: ReportTask,
    control: JobControl,
    /// Scores of the sets done, and of the one in work.
    scored: Vec<SetScores>,
    /// Images of the set in work that are done.
    done_of_set: usize,
    done: usize,
}

impl Reporting {
    pub(super) fn new(task: ReportTask, control: JobControl) -> Self {
        control.set_total(task.sets.iter().map(|set| set.images.len()).sum());
        Self { task, control, scored: Vec::new(), done_of_set: 0, done: 0 }
    }

    pub(super) fn job(&self) -> JobId {
        self.task.job
    }

    /// Scores the next `count` images at most; whether there were any.
    fn step(
        &mut self,
        pipeline: &Pipeline,
        count: usize,
        recall: impl Fn(ImageId) -> Option<crate::pipeline::TaggerOutput>,
    ) -> Result<bool, PipelineError> {
        let gather = SetScorer::new(pipeline, self.task.plan.clone());
        if self.scored.is_empty() || self.done_of_set == self.images_in_work() {
            let Some(next) = self.task.sets.get(self.scored.len()) else { return Ok(false) };
            let mut scores = gather.begin(&next.name);
            scores.failed.clone_from(&next.failed);
            self.scored.push(scores);
            self.done_of_set = 0;
        }
        let (Some(set), Some(scores)) =
            (self.task.sets.get(self.scored.len() - 1), self.scored.last_mut())
        else {
            return Ok(false);
        };
        let until = (self.done_of_set + count).min(set.images.len());
        let mut seen = Vec::with_capacity(count);
        for (id, image) in &set.images[self.done_of_set..until] {
            match recall(*id) {
                Some(tagged) => {
                    seen.push(TaggedImage { image: image.clone(), tagged, pixels: None })
                }
                None => scores.failed.push(FailedImage {
                    path: image.path.clone(),
                    error: "it was removed before it was scored".into(),
                }),
            }
        }
        gather.add(scores, &seen)?;
        self.done += until - self.done_of_set;
        self.done_of_set = until;
        Ok(true)
    }

    fn images_in_work(&self) -> usize {
        let at = self.scored.len().checked_sub(1);
        at.and_then(|at| self.task.sets.get(at)).map_or(0, |set| set.images.len())
    }

    fn table(&mut self, pipeline: &Pipeline) -> Option<ScoreTable> {
        let gather = SetScorer::new(pipeline, self.task.plan.clone());
        let mut sets = std::mem::take(&mut self.scored).into_iter();
        let mut table = gather.table(sets.next()?, sets.collect());
        if let Some((detector, lambda)) = &self.task.lambda
            && let Some(at) = table.detector(detector)
        {
            table.detectors[at].lambda = Some(*lambda);
            table.detectors[at].lambda_of_set = false;
        }
        Some(table)
    }
}

impl Work {
    /// Takes a report up; one that is in work goes on first.
    pub(super) fn start_report(&mut self, task: ReportTask) {
        let control = self.jobs.begin(task.job);
        self.reports.push_back(Reporting::new(task, control));
    }

    /// Ends all reports: the images that they were to be on are being tagged by another model.
    pub(super) fn drop_reports(&mut self) {
        for report in std::mem::take(&mut self.reports) {
            let sentence = "the report was stopped, for another model was opened";
            self.outbox.send(Event::Trouble(sentence.into()));
            self.jobs.end(report.job());
        }
    }

    /// Scores the next few images of the first report, or has it written if there are no more.
    pub(super) fn report_on(&mut self) {
        let Some(mut report) = self.reports.pop_front() else { return };
        if report.control.is_cancelled() {
            return self.jobs.end(report.job());
        }
        let Some(pipeline) = &self.pipeline else {
            self.outbox.send(Event::Trouble("no model is loaded".into()));
            return self.jobs.end(report.job());
        };
        let (before, started) = (report.done, Instant::now());
        match report.step(pipeline, self.scoring.count(), |id| self.recall(id)) {
            Ok(true) => {
                self.scoring.measured(report.done - before, started.elapsed());
                let (job, done) = (report.job(), report.done);
                self.outbox.send(Event::Advanced { job, done });
                self.reports.push_front(report);
            }
            Ok(false) => match report.table(pipeline) {
                Some(table) => self.write_report(report, table),
                None => self.jobs.end(report.job()),
            },
            Err(error) => {
                self.outbox.send(Event::Trouble(format!("cannot make the report: {error}")));
                self.jobs.end(report.job());
            }
        }
    }

    /// Compares and writes on a thread of its own: intervals may take seconds.
    fn write_report(&mut self, report: Reporting, table: ScoreTable) {
        let (outbox, jobs, job) = (self.outbox.clone(), self.jobs.clone(), report.job());
        let thread = std::thread::Builder::new().name("report".into()).spawn(move || {
            if let Err(error) = write(&report, &table) {
                outbox.send(Event::Trouble(error));
            }
            jobs.end(job);
        });
        if let Err(error) = thread {
            self.outbox.send(Event::Trouble(format!("cannot start writing: {error}")));
            self.jobs.end(job);
        }
    }
}

fn write(Reporting { task, control, .. }: &Reporting, table: &ScoreTable) -> Result<(), String> {
    let out = task.out.display();
    let mut report = Report::new(table, task.bootstrap, Vec::new())
        .map_err(|error| format!("cannot make the report: {error}: {out}"))?;
    report.warnings.splice(0..0, task.notes.iter().cloned());
    // Nothing was written yet, so that a job that was stopped leaves nothing.
    if control.is_cancelled() {
        return Ok(());
    }
    report::write(&report, table, &task.out).map_err(|error| error.to_string())?;
    log::info!("wrote a report: {out}");
    Ok(())
}
