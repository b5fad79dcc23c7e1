//! The worker's loop.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use crossbeam_channel::{Receiver, Sender, TryRecvError, after, never, select_biased, unbounded};

use super::Outbox;
use super::decode::{Batch, DecodeTask, Decoder, Prepared, Ready};
use super::inbox::Inbox;
use super::job::{JobControl, JobId, Jobs};
use super::message::{Event, ImageId, ImageSource, ModelInfo, OpenModel, Request, Task};
use super::pace::Pace;
use super::preparation::Preparation;
use super::report::Reporting;
use super::survey::SurveyInWork;
use super::tagger_cache::TaggerCache;
use crate::gpu::DeviceChoice;
use crate::pipeline::{Keep, Pipeline, PipelineError, Settings, TaggerKey, TaggerOutput};
use crate::store::ContentKey;

/// Images tagged together, at most.
const TAGGED: usize = 8;
/// Images analysed together, at most: many together cost less.
const ANALYSED: usize = 16;
/// Images scored together for surveys and reports, at most: what the user does comes in between.
const SCORED: usize = 6;

/// What is said of a panic: whoever asked must hear that nothing comes.
const FAULT: &str = "a fault of this program stopped it; the terminal has what to report";

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
    open: Option<OpenModel>,
    on_cpu: bool,
    decoder: Decoder,
    pub(super) outbox: Outbox,
    pub(super) jobs: Jobs,
    pub(super) cache: Arc<TaggerCache>,
    generation: u64,
    settings: Option<Settings>,
    /// Counts the models that were asked for: only the newest is taken.
    loads: u64,
    pub(super) loaded: (Sender<LoadedModel>, Receiver<LoadedModel>),
    /// Images that are ready for the network.
    pub(super) to_tag: VecDeque<ToTag>,
    pub(super) tagging: Pace,
    /// Images that were removed while they may still be on their way here.
    removed: BTreeSet<ImageId>,
    /// Images that await an analysis at the present settings.
    to_analyse: VecDeque<ImageId>,
    analysing: Pace,
    /// One image with settings of its own.
    to_compare: Option<(u64, ImageId, Settings)>,
    pub(super) scoring: Pace,
    pub(super) survey: Option<SurveyInWork>,
    /// Reports that were asked for, the one in work first.
    pub(super) reports: VecDeque<Reporting>,
}

/// What came of opening a model.
pub(super) struct LoadedModel {
    load: u64,
    open: OpenModel,
    device: DeviceChoice,
    outcome: anyhow::Result<Pipeline>,
    load_ms: f32,
}

/// An image that is ready for the network, with the job that it belongs to.
pub(super) struct ToTag {
    job: JobId,
    control: JobControl,
    preparation: Preparation,
    pub(super) prepared: Prepared,
}

impl Work {
    pub fn new(decoder: Decoder, cache: Arc<TaggerCache>) -> Self {
        Self {
            pipeline: None,
            open: None,
            on_cpu: false,
            outbox: decoder.outbox.clone(),
            jobs: decoder.jobs.clone(),
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
                self.generation = generation;
                self.settings = Some(settings);
                let mut order = self.cache.images();
                // In no order of theirs, so that the first few stand fairly for all of every set.
                order.sort_unstable_by_key(|&id| (Some(id) != focus, id.scattered()));
                self.analysing.restart();
                self.to_analyse = order.into();
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

    fn remove(&mut self, images: Vec<ImageId>) {
        images.iter().for_each(|&image| self.cache.remove(image));
        if self.jobs.is_empty() {
            self.removed.clear();
        } else {
            self.removed.extend(&images);
        }
        let gone: BTreeSet<ImageId> = images.into_iter().collect();
        self.to_analyse.retain(|image| !gone.contains(image));
    }

    /// Opens a model on a thread of its own: until it is whole, the one at hand stays in force.
    fn load(&mut self, name: String, open: OpenModel, device: DeviceChoice) {
        self.loads += 1;
        self.outbox.send(Event::ModelLoading(name));
        let (load, loaded, opened) = (self.loads, self.loaded.0.clone(), open.clone());
        let thread = std::thread::Builder::new().name("load".into()).spawn(move || {
            let started = Instant::now();
            let outcome =
                catch_unwind(AssertUnwindSafe(|| open(device))).unwrap_or_else(|_| bail!(FAULT));
            let load_ms = started.elapsed().as_secs_f32() * 1e3;
            // A window that is gone wants no model.
            loaded.send(LoadedModel { load, open, device, outcome, load_ms }).ok();
        });
        if let Err(error) = thread {
            let outcome = Err(error).context("cannot start loading the model");
            self.take_loaded(LoadedModel { load, open: opened, device, outcome, load_ms: 0.0 });
        }
    }

    /// Puts a model in the place of the one at hand, if it is whole and the newest asked for.
    pub(super) fn take_loaded(&mut self, loaded: LoadedModel) {
        let LoadedModel { load, open, device, outcome, load_ms } = loaded;
        if load != self.loads {
            return;
        }
        let pipeline = match outcome {
            Ok(pipeline) => pipeline,
            Err(error) => {
                return self.outbox.send(Event::ModelFailed(format!("{error:#}")));
            }
        };
        self.decoder.preparations.set(Preparation::of(&pipeline));
        let info = Arc::new(ModelInfo::of(&pipeline, load_ms));
        self.cache.clear();
        self.to_analyse.clear();
        self.to_compare = None;
        self.survey = None;
        self.drop_reports();
        (self.tagging, self.analysing) = (Pace::new(TAGGED), Pace::new(ANALYSED));
        self.scoring = Pace::new(SCORED);
        self.settings = Some(info.defaults.clone());
        self.on_cpu = device == DeviceChoice::Cpu;
        (self.pipeline, self.open) = (Some(pipeline), Some(open));
        self.outbox.send(Event::ModelReady(info));
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

    /// Takes images that are ready for the network.
    pub(super) fn take_batch(&mut self, batch: Batch) {
        let Batch { job, control, preparation, images, failed } = batch;
        self.settle(job, &control, failed);
        let ready = images.into_iter().map(|prepared| {
            let control = control.clone();
            ToTag { job, control, preparation, prepared }
        });
        self.to_tag.extend(ready);
    }

    /// Counts images of a job as done; the job ends with the last of them, or if it was cancelled.
    fn settle(&self, job: JobId, control: &JobControl, images: usize) {
        if control.advance(images) || control.is_cancelled() {
            self.jobs.end(job);
        }
    }

    /// Tags as many of the images that are ready as leave time for requests, and analyses them at the
    /// present settings; whether there were any.
    pub(super) fn tag_on(&mut self) -> bool {
        if self.to_tag.is_empty() {
            return false;
        }
        let mut now: Vec<ToTag> = Vec::new();
        let mut stale: BTreeMap<JobId, (JobControl, Vec<(ImageId, ImageSource)>)> = BTreeMap::new();
        let wanted = self.pipeline.as_ref().map(Preparation::of);
        let mut inputs = 0;
        while now.len() < TAGGED
            && inputs < self.tagging.count()
            && let Some(ready) = self.to_tag.pop_front()
        {
            let image = ready.prepared.image;
            if ready.control.is_cancelled() || self.removed.contains(&image) {
                self.settle(ready.job, &ready.control, 1);
            } else if wanted != Some(ready.preparation) {
                let of_job = stale.entry(ready.job).or_insert((ready.control, Vec::new()));
                of_job.1.push((image, ready.prepared.source));
            } else {
                inputs += usize::from(matches!(ready.prepared.input, Ready::Input(_)));
                now.push(ready);
            }
        }
        for (job, (control, images)) in stale {
            // A job that has ended by a stop must not begin a second time.
            if control.is_cancelled() {
                self.jobs.end(job);
            } else {
                self.decoder.start(job, DecodeTask::Again(images));
            }
        }
        self.tag(now);
        true
    }

    fn tag(&mut self, ready: Vec<ToTag>) {
        let (mut known, mut unknown, mut inputs) = (Vec::new(), Vec::new(), Vec::new());
        let mut jobs = Vec::with_capacity(ready.len());
        for ToTag { job, control, preparation, prepared } in ready {
            jobs.push((job, control));
            match prepared.input {
                Ready::Known(output) => known.push((prepared.image, output)),
                Ready::Input(input) => {
                    inputs.push(input);
                    unknown.push((prepared.image, preparation.tagger.zip(prepared.content)));
                }
            }
        }
        let images: Vec<ImageId> = known.iter().map(|(image, _)| *image).collect();
        for (image, output) in known {
            self.take_output(image, &output, 0.0);
        }
        self.analyse(&images);
        if !inputs.is_empty() {
            self.tag_inputs(&unknown, &inputs);
        }
        for (job, control) in jobs {
            self.settle(job, &control, 1);
        }
    }

    /// Has the network tag images, and keeps what it makes of files for the next time.
    fn tag_inputs(
        &mut self,
        images: &[(ImageId, Option<(TaggerKey, ContentKey)>)],
        inputs: &[Vec<f32>],
    ) {
        let started = Instant::now();
        let ids: Vec<ImageId> = images.iter().map(|(image, _)| *image).collect();
        match self.tag_or_fall_back(inputs) {
            Ok(tagged) => {
                let tagger_ms = started.elapsed().as_secs_f32() * 1e3 / ids.len() as f32;
                for ((image, file), output) in images.iter().zip(tagged) {
                    if let Some((outputs, (tagger, content))) =
                        self.decoder.outputs.as_ref().zip(*file)
                    {
                        outputs.put(&tagger, &content, &output);
                    }
                    self.take_output(*image, &output, tagger_ms);
                }
                self.analyse(&ids);
            }
            Err(error) => {
                for image in ids {
                    self.outbox.send(Event::Failed { image, error: error.to_string() });
                }
            }
        }
        self.tagging.measured(inputs.len(), started.elapsed());
    }

    fn take_output(&self, image: ImageId, output: &TaggerOutput, tagger_ms: f32) {
        self.keep(image, output);
        self.outbox.send(Event::TaggerOutput { image, tagger_ms });
    }

    /// Tags; a device that fails is tried image by image, and then given up for the CPU.
    fn tag_or_fall_back(
        &mut self,
        inputs: &[Vec<f32>],
    ) -> Result<Vec<TaggerOutput>, PipelineError> {
        let missing = || PipelineError::Device("no model is loaded".into());
        let tag_all =
            |work: &Self| work.pipeline.as_ref().ok_or_else(missing)?.tag(inputs, Keep::Id);
        let tag_singly = |work: &Self| -> Result<Vec<TaggerOutput>, PipelineError> {
            let pipeline = work.pipeline.as_ref().ok_or_else(missing)?;
            let mut all = Vec::with_capacity(inputs.len());
            for input in inputs {
                all.extend(pipeline.tag(std::slice::from_ref(input), Keep::Id)?);
            }
            Ok(all)
        };
        let error = match tag_all(self) {
            Err(error @ PipelineError::Device(_)) => error,
            other => return other,
        };
        if inputs.len() > 1
            && let Ok(tagged) = tag_singly(self)
        {
            self.outbox.send(Event::Trouble(format!("{error}; going on with single images")));
            return Ok(tagged);
        }
        let Some(open) = self.open.clone().filter(|_| !self.on_cpu) else { return Err(error) };
        let Ok(pipeline) = open(DeviceChoice::Cpu) else { return Err(error) };
        self.outbox.send(Event::Trouble(format!("{error}; going on with the CPU")));
        let info = Arc::new(ModelInfo::of(&pipeline, 0.0));
        (self.pipeline, self.on_cpu) = (Some(pipeline), true);
        self.outbox.send(Event::ModelReady(info));
        tag_all(self)
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

    fn analyse(&self, images: &[ImageId]) {
        let (Some(pipeline), Some(settings)) = (&self.pipeline, &self.settings) else { return };
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

    fn keep(&self, image: ImageId, tagged: &TaggerOutput) {
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
