//! How what others tell changes the session, and what comes due by itself.

use std::sync::Arc;

use super::Session;
use super::entry::Entry;
use super::request::{SessionEvent, SessionRequest};
use super::saved_model::SavedModel;
use super::sets::ClassNames;
use super::tuning::VisiblePanels;
use crate::pipeline::Settings;
use crate::worker::{self, ImageId, JobId, ModelInfo};

impl Session {
    /// Takes in one event; what is to be asked of others. Pictures are the view's, not the session's:
    /// see [`Pictures`](crate::ui::pictures::Pictures).
    pub fn take(&mut self, event: SessionEvent) -> Vec<SessionRequest> {
        match event {
            SessionEvent::Worker(event) => self.take_worker(event),
            SessionEvent::Computed(answer) => {
                let before = self.lambda();
                self.tuning.take(answer);
                if self.lambda() != before {
                    self.decide();
                }
            }
        }
        self.flush()
    }

    /// Asks for what is on show and not at hand, and has computed what is out of date; `visible` says
    /// which panels are on show. What is to be asked of others, and after how many seconds this is to
    /// be called again though nothing happens.
    pub fn follow(
        &mut self,
        time: f64,
        visible: VisiblePanels,
    ) -> (Vec<SessionRequest>, Option<f64>) {
        self.now = time;
        let shown = [self.beside(), self.focused()].into_iter().flatten();
        let shown: Vec<ImageId> = shown.filter(|e| e.is_tagged).map(|e| e.id).collect();
        let (basis, effects) = (&mut self.basis, &mut self.effects);
        for image in shown {
            self.at_hand.want(image, &self.map.tags, basis, effects);
        }
        let focused = self.focus.and_then(|focus| basis.images.entry(focus));
        self.comparison.want(focused, &basis.settings, effects);
        let idle = self.jobs.running().is_empty();
        self.embedding.follow(basis, idle, effects);
        let due = self.tuning.follow(basis, (time, visible, idle), effects);
        let end = effects.notices.follow(time);
        (self.flush(), due.into_iter().chain(end).reduce(f64::min))
    }

    fn take_worker(&mut self, event: worker::Event) {
        use worker::Event as E;
        let images = &mut self.basis.images;
        match event {
            // It was asked for, and shows already.
            E::ModelLoading(_) => {}
            E::ModelReady(info) => self.take_model(info),
            E::LabelsSet { generation, info } => self.take_labels(generation, info),
            E::LabelsRefused { generation, error } => self.take_refusal(generation, error),
            E::ModelFailed(error) => {
                self.effects.fail(error.clone());
                let model = &mut self.basis.model;
                (model.loading, model.error) = (None, Some(error));
            }
            E::Drawn { job, scenes } => self.jobs.drawn(job, scenes),
            E::Listed { job, images, folders, more } => {
                self.jobs.list(job, images.len(), more);
                let (opened_by, job) = (Some(job), Some(job));
                let entry = |(id, source)| Entry { opened_by, job, ..Entry::new(id, source) };
                self.basis.images.add(images.into_iter().map(entry).collect(), folders);
                self.focus_first();
            }
            E::Decoded { image, thumbnail, size, stage_ms } => {
                if let Some(entry) = images.entry_mut(image) {
                    entry.thumbnail = Some(thumbnail);
                    entry.size = Some(size);
                    entry.stage_ms[..2].copy_from_slice(&stage_ms);
                }
            }
            E::Failed { image, error } => {
                images.take_failure(image, error);
                self.advance(image);
            }
            E::TaggerOutput { image, tagger_ms } => {
                images.take_tagged(image, tagger_ms);
                self.advance(image);
            }
            E::Recalled { image, tagged } => self.at_hand.take(image, tagged, &mut self.basis),
            E::Compared { image, generation, analysis } => {
                self.comparison.take(image, generation, analysis);
            }
            E::Analysed { image, generation, mut analysis } => {
                // λ may have moved since the worker was asked.
                Arc::make_mut(&mut analysis).verdict.decide(self.lambda());
                self.basis.images.take_analysis(image, generation, analysis);
            }
            E::AnalysisFailed { images: failed, generation, error } => {
                images.take_failed_analyses(failed, generation);
                self.effects.fail(error);
            }
            E::Surveyed(surveyed) => self.tuning.take_scores(surveyed),
            E::SurveyFailed { ticket, error } => {
                self.tuning.take_failed_survey((ticket, error), images, &mut self.effects);
            }
            E::Attention { image, attention } => {
                if let Some(entry) = images.entry_mut(image) {
                    let tags = attention.tags.iter();
                    entry.extra.extend(tags.map(|&tag| (tag, Some(attention.clone()))));
                }
            }
            E::Picture { .. } | E::Samples { .. } => {}
            E::Embedding { run, event } => self.embedding.take(run, event, &mut self.effects),
            E::Fit { run, state, progress } => {
                self.fitting.take((run, state, progress), &mut self.effects)
            }
            E::Advanced { job, done } => self.jobs.set_done(job, done),
            E::JobEnded(job) => {
                self.jobs.end(job);
                images.end_job(job);
            }
            E::Trouble(sentence) => self.effects.fail(sentence),
        }
    }

    /// Another model is there: its classes make the sets, and it tags all images anew.
    fn take_model(&mut self, info: Arc<ModelInfo>) {
        self.basis.settings = self.settings_under(&info);
        self.basis.images.set_classes(ClassNames::of(&info.vocabulary.classes));
        let model = &mut self.basis.model;
        if let Some(loading) = model.loading.take() {
            if loading.is_told_names {
                self.names.chosen.remove(&info.manifest.arch);
            }
            let content = loading.content.get().cloned();
            model.saved = Some(SavedModel { named: loading.named, content });
            self.fitting.start_from(loading.arguments);
        }
        (model.info, model.error) = (Some(info.clone()), None);
        self.at_hand.clear();
        self.comparison.forget();
        let job = JobId::unique();
        let images = self.basis.images.forget_results(job);
        if !images.is_empty() {
            self.map.tags.clear();
            self.jobs.add(job, format!("{} images again", images.len()), images.len());
            self.effects.ask(worker::Request::Reopen { job, images });
        }
        self.analyse();
        self.know_again(&info);
    }

    /// The user's settings where the model can follow them, its own elsewhere.
    fn settings_under(&self, info: &ModelInfo) -> Settings {
        let (own, present) = (&info.defaults, self.settings());
        let touched = self.basis.images.generation() > 0;
        let known = info.detectors.iter().any(|detector| detector.id == present.detector);
        match touched {
            true if known || self.will_know_more(info) => present.clone(),
            true => Settings { detector: own.detector.clone(), ..present.clone() },
            false => own.clone(),
        }
    }

    /// One image of a job is done.
    fn advance(&mut self, image: ImageId) {
        let entry = self.basis.images.entry_mut(image);
        if let Some(job) = entry.and_then(|entry| entry.job.take()) {
            self.jobs.advance(job);
        }
    }
}
