//! How the worker's events change the model.

use std::sync::Arc;

use crate::pipeline::Settings;
use crate::worker::{Event, ImageId, JobId, Request, Worker};

use super::state::{Job, ModelState, Session};

/// How many messages are kept.
const TROUBLES: usize = 200;

impl Session {
    /// Takes in one event. Pictures are the view's, not the model's: see `ui::Pictures`.
    pub fn take_event(&mut self, event: Event, worker: &Worker) {
        match event {
            Event::ModelLoading(name) => self.network = ModelState::Loading(name),
            Event::ModelReady(info) => {
                let kept = self.settings_under(&info.defaults, &info);
                self.network = ModelState::Ready(info);
                self.settings = kept;
                self.regroup();
                self.reopen(worker);
                self.analyse(worker);
            }
            Event::ModelFailed(error) => {
                self.notice(error.clone());
                self.network = ModelState::Failed(error);
            }
            Event::Drawn { job, scenes } => {
                if let Some(job) = self.jobs.iter_mut().find(|other| other.id == job) {
                    // Threads may tell out of order.
                    job.done = job.done.max(scenes);
                }
            }
            Event::Listed { job, images, folders } => {
                self.roots.extend(folders);
                let is_drawn = self.drawing.take_if(|drawing| *drawing == job).is_some();
                if let Some(job) = self.jobs.iter_mut().find(|other| other.id == job) {
                    if is_drawn {
                        (job.done, job.total) = (0, 0);
                    }
                    job.total += images.len();
                    job.label = format!("{} images", job.total);
                }
                self.add(images, job);
            }
            Event::Decoded { image, thumbnail, size, stage_ms } => {
                if let Some(entry) = self.entry_mut(image) {
                    entry.thumbnail = Some(thumbnail);
                    entry.size = Some(size);
                    entry.stage_ms[..2].copy_from_slice(&stage_ms);
                }
            }
            Event::Failed { image, error } => {
                if let Some(entry) = self.entry_mut(image) {
                    entry.error = Some(error);
                    self.scores_revision += 1;
                }
                self.advance(image);
            }
            Event::TaggerOutput { image, tagger_ms } => {
                if let Some(entry) = self.entry_mut(image) {
                    entry.stage_ms[2] = tagger_ms;
                    (entry.is_tagged, entry.error) = (true, None);
                    self.data_revision += 1;
                }
                self.advance(image);
            }
            Event::Recalled { image, tagged } => self.take_results(image, tagged),
            Event::Compared { image, generation, analysis } => {
                self.comparison.take(image, generation, analysis);
            }
            Event::Analysed { image, generation, mut analysis } => {
                // λ may have moved since the worker was asked.
                Arc::make_mut(&mut analysis).verdict.decide(self.lambda());
                if let Some(entry) = self.entry_mut(image)
                    && generation >= entry.generation
                {
                    (entry.analysis, entry.generation) = (Some(analysis), generation);
                    self.scores_revision += 1;
                }
            }
            Event::LookFailed { images, generation, error } => {
                // The last numbers stay; they are as new as they will get.
                for image in images {
                    if let Some(entry) = self.entry_mut(image) {
                        entry.generation = entry.generation.max(generation);
                        entry.failed_generation = Some(generation);
                    }
                }
                self.scores_revision += 1;
                self.notice(error);
            }
            Event::Surveyed(surveyed) => self.take_surveyed(surveyed),
            Event::SurveyFailed { ticket, error } => self.take_survey_failed(ticket, error),
            Event::Attention { image, attention } => {
                if let Some(entry) = self.entry_mut(image) {
                    for &tag in &attention.tags {
                        entry.extra.insert(tag, Some(attention.clone()));
                    }
                }
            }
            Event::Picture { .. } => {}
            Event::Embedding { run, event } => self.take_embedding(run, event),
            Event::Advanced { job, done } => {
                if let Some(job) = self.jobs.iter_mut().find(|other| other.id == job) {
                    job.done = done;
                }
            }
            Event::JobEnded(job) => {
                self.scores_revision += 1;
                self.jobs.retain(|other| other.id != job);
                self.job_of.retain(|_, other| *other != job);
            }
            Event::Trouble(sentence) => self.notice(sentence),
        }
    }

    /// The user's settings where the model can follow them, its own elsewhere.
    fn settings_under(&self, own: &Settings, info: &crate::worker::ModelInfo) -> Settings {
        let touched = self.generation > 0;
        let known = info.detectors.iter().any(|d| d.id == self.settings.detector);
        match touched {
            true if known => self.settings.clone(),
            true => Settings { detector: own.detector.clone(), ..self.settings.clone() },
            false => own.clone(),
        }
    }

    /// Has the images tagged again that another model had tagged.
    fn reopen(&mut self, worker: &Worker) {
        let ids: Vec<ImageId> =
            self.entries().iter().filter(|entry| entry.is_tagged).map(|entry| entry.id).collect();
        self.at_hand.clear();
        self.comparison.forget();
        if ids.is_empty() {
            return;
        }
        let job = JobId::unique();
        let mut images = Vec::with_capacity(ids.len());
        for id in ids {
            self.job_of.insert(id, job);
            if let Some(entry) = self.entry_mut(id) {
                (entry.tagged, entry.is_tagged, entry.analysis) = (None, false, None);
                entry.extra.clear();
                images.push((id, entry.source.clone()));
            }
        }
        self.map.tags.clear();
        let label = format!("{} images again", images.len());
        self.jobs.push(Job { id: job, label, done: 0, total: images.len() });
        worker.ask(Request::Reopen { job, images });
    }

    /// Asks for an analysis of everything at the present settings.
    pub fn analyse(&mut self, worker: &Worker) {
        self.generation += 1;
        self.scores_revision += 1;
        worker.ask(Request::Analysis {
            generation: self.generation,
            settings: self.settings.clone(),
            focus: self.focus,
        });
        // An image without tokens cannot be looked at; it will be with the settings then in force.
        let generation = self.generation;
        for id in
            self.entries().iter().filter(|e| e.analysis.is_none()).map(|e| e.id).collect::<Vec<_>>()
        {
            if let Some(entry) = self.entry_mut(id) {
                entry.generation = generation;
            }
        }
    }

    fn advance(&mut self, image: ImageId) {
        if let Some(job) = self.job_of.remove(&image)
            && let Some(job) = self.jobs.iter_mut().find(|other| other.id == job)
        {
            job.done += 1;
        }
    }

    /// Keeps a message for the log.
    pub fn notice(&mut self, sentence: String) {
        if self.notices.last() == Some(&sentence) {
            return;
        }
        log::warn!("{sentence}");
        self.notices.push(sentence);
        let surplus = self.notices.len().saturating_sub(TROUBLES);
        self.notices.drain(..surplus);
    }
}
