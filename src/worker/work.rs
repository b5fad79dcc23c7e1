//! The worker's loop, and what each request does.

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, after, never, select_biased, unbounded};

use super::Outbox;
use super::decode::{Batch, DecodeTask, Decoder};
use super::inbox::Inbox;
use super::job::{JobId, Jobs};
use super::message::{Event, ImageId, OpenModel, Request, Task};
use super::models::LoadedModel;
use super::pace::Pace;
use super::report::Reporting;
use super::survey::SurveyInWork;
use super::tagger_cache::TaggerCache;
use super::tagging::ToTag;
use crate::pipeline::{Pipeline, Settings, TaggerOutput};
use crate::store::add_attention;

/// Images tagged together, at most.
pub(super) const TAGGED: usize = 8;
/// Images analysed together, at most: many together cost less.
pub(super) const ANALYSED: usize = 16;
/// Images scored together for surveys and reports, at most: what the user does comes in between.
pub(super) const SCORED: usize = 6;

/// What is said of a panic: whoever asked must hear that nothing comes.
pub(super) const FAULT: &str =
    "a fault of this program stopped it; the terminal has what to report";

/// Works until the window is gone.
pub(super) fn run(inbox: &Inbox, batches: &Receiver<Batch>, mut work: Work) {
    loop {
        // Requests first, analyses second, new images last: what the user touches answers at once.
        while let Some(request) = inbox.take() {
            work.handle(request);
        }
        while let Ok(loaded) = work.loaded.1.try_recv() {
            work.take_loaded(loaded);
        }
        work.compare();
        if work.analyse_on() || work.tag_on() {
            // An open bell has nothing more than that: what rang it was taken above.
            if matches!(inbox.bell.try_recv(), Err(TryRecvError::Disconnected)) {
                return;
            }
            continue;
        }
        let idle = match work.survey.is_none() && work.reports.is_empty() {
            true => never(),
            // Last of all, and only where nothing waits.
            false => after(Duration::ZERO),
        };
        select_biased! {
            recv(inbox.bell) -> rung => if rung.is_err() { return },
            recv(work.loaded.1) -> loaded => if let Ok(loaded) = loaded { work.take_loaded(loaded) },
            recv(batches) -> batch => if let Ok(batch) = batch { work.take_batch(batch) },
            recv(idle) -> _ => match work.reports.is_empty() {
                true => work.survey_on(),
                false => work.report_on(),
            },
        }
    }
}

pub(super) struct Work {
    pub(super) pipeline: Option<Pipeline>,
    pub(super) open: Option<OpenModel>,
    pub(super) on_cpu: bool,
    /// Images that were tagged before the labels changed: maps of those that count now may be missing.
    pub(super) relabelled: BTreeSet<ImageId>,
    pub(super) decoder: Decoder,
    pub(super) outbox: Outbox,
    pub(super) jobs: Jobs,
    pub(super) cache: Arc<TaggerCache>,
    pub(super) generation: u64,
    pub(super) settings: Option<Settings>,
    /// Counts the models that were asked for: only the newest is taken.
    pub(super) loads: u64,
    pub(super) loaded: (Sender<LoadedModel>, Receiver<LoadedModel>),
    /// Images that are ready for the network.
    pub(super) to_tag: VecDeque<ToTag>,
    pub(super) tagging: Pace,
    /// Images that were removed while they may still be on their way here.
    pub(super) removed: BTreeSet<ImageId>,
    /// Images that await an analysis at the present settings.
    pub(super) to_analyse: VecDeque<ImageId>,
    pub(super) analysing: Pace,
    /// One image with settings of its own.
    pub(super) to_compare: Option<(u64, ImageId, Settings)>,
    pub(super) scoring: Pace,
    pub(super) survey: Option<SurveyInWork>,
    /// Reports that were asked for, the one in work first.
    pub(super) reports: VecDeque<Reporting>,
}

impl Work {
    pub(super) fn new(decoder: Decoder, cache: Arc<TaggerCache>) -> Self {
        Self {
            pipeline: None,
            open: None,
            on_cpu: false,
            outbox: decoder.outbox.clone(),
            jobs: decoder.jobs.clone(),
            relabelled: BTreeSet::new(),
            decoder,
            cache,
            generation: 0,
            settings: None,
            loads: 0,
            loaded: unbounded(),
            to_tag: VecDeque::new(),
            tagging: Pace::new(TAGGED),
            removed: BTreeSet::new(),
            to_analyse: VecDeque::new(),
            analysing: Pace::new(ANALYSED),
            to_compare: None,
            scoring: Pace::new(SCORED),
            survey: None,
            reports: VecDeque::new(),
        }
    }

    pub(super) fn handle(&mut self, request: Request) {
        match request {
            Request::LoadModel { name, open, device } => self.load(name, open, device),
            Request::UnloadModel => self.unload(),
            Request::AddPaths { job, paths } => self.decoder.start(job, DecodeTask::Paths(paths)),
            Request::OpenWorld { job, world, open } => {
                self.decoder.start(job, DecodeTask::World(world, open));
            }
            Request::AddSources { job, sources } => {
                self.decoder.start(job, DecodeTask::Sources(sources));
            }
            Request::Reopen { job, images } => {
                // What was removed may come back.
                for (image, _) in &images {
                    self.removed.remove(image);
                }
                self.decoder.start(job, DecodeTask::Images(images));
            }
            Request::Analysis { generation, settings, focus } => {
                self.analyse_all(generation, settings, focus);
            }
            Request::SetLabels { generation, settings, focus, change } => {
                self.set_labels(generation, &change);
                self.analyse_all(generation, settings, focus);
            }
            Request::Compare { generation, image, settings } => {
                self.to_compare = Some((generation, image, settings));
            }
            Request::Survey(survey) => self.survey = survey.map(SurveyInWork::from),
            Request::Report(task) => self.start_report(task),
            Request::Run { job, task } => self.run_task(job, task),
            Request::AttentionOf { image, tags } => self.attention(image, &tags),
            Request::Remove(images) => self.remove(images),
            Request::Cancel(job) => self.decoder.cancel(job),
        }
    }

    fn analyse_all(&mut self, generation: u64, settings: Settings, focus: Option<ImageId>) {
        self.generation = generation;
        self.settings = Some(settings);
        let mut order = self.cache.images();
        // In no order of theirs, so that the first few stand fairly for all of every set.
        order.sort_unstable_by_key(|&id| (Some(id) != focus, id.scattered()));
        self.analysing.restart();
        self.to_analyse = order.into();
    }

    fn remove(&mut self, images: Vec<ImageId>) {
        for image in &images {
            self.cache.remove(*image);
            self.relabelled.remove(image);
        }
        if self.jobs.is_empty() {
            self.removed.clear();
        } else {
            self.removed.extend(&images);
        }
        let gone: BTreeSet<ImageId> = images.into_iter().collect();
        self.to_analyse.retain(|image| !gone.contains(image));
    }

    /// Does a piece of work that is no business of the model's on a thread of its own.
    fn run_task(&self, job: JobId, task: Task) {
        let (control, jobs, outbox) =
            (self.jobs.begin(job), self.jobs.clone(), self.outbox.clone());
        let thread = std::thread::Builder::new().name("task".into()).spawn(move || {
            if !control.is_cancelled() {
                let outcome = catch_unwind(AssertUnwindSafe(|| task(&control)));
                let outcome = outcome.unwrap_or_else(|_| Err(FAULT.into()));
                outcome.unwrap_or_else(|error| outbox.send(Event::Trouble(error)));
            }
            jobs.end(job);
        });
        if let Err(error) = thread {
            self.outbox.send(Event::Trouble(format!("cannot start writing: {error}")));
            self.jobs.end(job);
        }
    }

    /// Analyses some of the images that wait for it; whether there were any.
    pub(super) fn analyse_on(&mut self) -> bool {
        let count = self.analysing.count().min(self.to_analyse.len());
        let images: Vec<ImageId> = self.to_analyse.drain(..count).collect();
        if images.is_empty() {
            return false;
        }
        let started = Instant::now();
        self.analyse(&images);
        self.analysing.measured(images.len(), started.elapsed());
        true
    }

    pub(super) fn analyse(&mut self, images: &[ImageId]) {
        let relabelled: Vec<ImageId> =
            images.iter().copied().filter(|image| self.relabelled.remove(image)).collect();
        let (Some(pipeline), Some(settings)) = (&self.pipeline, &self.settings) else { return };
        for image in relabelled {
            self.complete(pipeline, image);
        }
        let (images, tagged): (Vec<ImageId>, Vec<TaggerOutput>) =
            images.iter().filter_map(|&image| Some((image, self.recall(image)?))).unzip();
        let tagged: Vec<&TaggerOutput> = tagged.iter().collect();
        match pipeline.analyse_batch(&tagged, settings) {
            Ok(analyses) => {
                for (image, analysis) in images.into_iter().zip(analyses) {
                    let (generation, analysis) = (self.generation, Arc::new(analysis));
                    self.outbox.send(Event::Analysed { image, generation, analysis });
                }
            }
            Err(error) => {
                let (generation, error) = (self.generation, error.to_string());
                self.outbox.send(Event::AnalysisFailed { images, generation, error });
            }
        }
    }

    /// Adds the maps of the labels that count now to what was made of an image under others.
    fn complete(&self, pipeline: &Pipeline, image: ImageId) {
        let Some(mut tagged) = self.recall(image) else { return };
        let kept = pipeline.kept_tags(&tagged.logits);
        match add_attention(pipeline, &mut tagged, &kept) {
            Ok(()) => self.keep(image, &tagged),
            Err(error) => self.outbox.send(Event::Trouble(error.to_string())),
        }
    }

    /// Analyses one image at settings of its own, if that was asked for.
    fn compare(&mut self) {
        let Some((generation, image, settings)) = self.to_compare.take() else { return };
        let analysis = match (&self.pipeline, self.recall(image)) {
            (Some(pipeline), Some(tagged)) => pipeline.analyse(&tagged, &settings).map(Arc::new),
            _ => return self.outbox.send(Event::Compared { image, generation, analysis: None }),
        };
        if let Err(error) = &analysis {
            self.outbox.send(Event::Trouble(error.to_string()));
        }
        self.outbox.send(Event::Compared { image, generation, analysis: analysis.ok() });
    }

    pub(super) fn keep(&self, image: ImageId, tagged: &TaggerOutput) {
        if let Err(error) = self.cache.put(image, tagged) {
            let sentence = format!("cannot write results to the cache folder: {error}");
            self.outbox.send(Event::Trouble(sentence));
        }
    }

    pub(super) fn recall(&self, image: ImageId) -> Option<TaggerOutput> {
        self.cache.get(image).unwrap_or_else(|error| {
            self.outbox.send(super::unreadable(&error));
            None
        })
    }

    fn attention(&self, image: ImageId, tags: &[usize]) {
        let (Some(pipeline), Some(tagged)) = (&self.pipeline, self.recall(image)) else { return };
        match pipeline.attention_of(&tagged, tags) {
            Ok(attention) => {
                let attention = Arc::new(attention);
                self.outbox.send(Event::Attention { image, attention });
            }
            Err(error) => self.outbox.send(Event::Trouble(error.to_string())),
        }
    }
}
