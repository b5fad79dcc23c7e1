//! The worker's loop.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::Outbox;
use super::decode::{Batch, Decoding, Preparation};
use super::job::{JobId, Progress};
use super::message::{Event, ImageId, ModelInfo, OpenModel, Request};
use super::report::Reporting;
use super::survey::Underway;
use super::tagger_cache::TaggerCache;
use crate::gpu::DeviceChoice;
use crate::pipeline::{Keep, Pipeline, PipelineError, Settings, TaggerOutput};

/// Images looked at between two glances at the requests, at most: many together cost less.
const LOOK_BATCH: usize = 16;

/// Works until the window is gone.
pub(super) fn run(requests: &Receiver<Request>, outbox: &Outbox, cache: Arc<TaggerCache>) {
    let (sender, batches) = bounded::<Batch>(2);
    let mut work = Work::new(sender, outbox.clone(), cache);
    loop {
        // Requests first, analyses second, new images last: what the user touches answers at once.
        for request in requests.try_iter() {
            work.handle(request);
        }
        work.compare();
        if work.look_on() {
            continue;
        }
        if work.survey.is_some() || !work.reports.is_empty() {
            // Last of all, and only where nothing waits.
            select! {
                recv(requests) -> request => match request {
                    Ok(request) => work.handle(request),
                    Err(_) => return work.cancel_all(),
                },
                recv(batches) -> batch => if let Ok(batch) = batch { work.tag(batch) },
                default => match work.reports.is_empty() {
                    true => work.survey_on(),
                    false => work.report_on(),
                },
            }
            continue;
        }
        select! {
            recv(requests) -> request => match request {
                Ok(request) => work.handle(request),
                Err(_) => return work.cancel_all(),
            },
            recv(batches) -> batch => if let Ok(batch) = batch { work.tag(batch) },
        }
    }
}

pub(super) struct Work {
    pub(super) pipeline: Option<Pipeline>,
    open: Option<OpenModel>,
    on_cpu: bool,
    preparation: Preparations,
    batches: Sender<Batch>,
    pub(super) outbox: Outbox,
    pub(super) jobs: BTreeMap<JobId, Progress>,
    pub(super) cache: Arc<TaggerCache>,
    generation: u64,
    settings: Option<Settings>,
    /// Images that await an analysis at the present settings.
    to_look: VecDeque<ImageId>,
    /// How many of these to look at next. The first is on show and waits for no other; then twice as
    /// many each time, so that the next value of a moving slider does not wait long either.
    together: usize,
    /// One image with settings of its own.
    to_compare: Option<(u64, ImageId, Settings)>,
    pub(super) survey: Option<Underway>,
    /// Reports that were asked for, the one in work first.
    pub(super) reports: VecDeque<Reporting>,
}

/// Hands the present model's preparation to every decoding thread, or lets it wait for one.
#[derive(Default)]
struct Preparations {
    present: Option<Preparation>,
    waiting: Vec<Sender<Preparation>>,
}

impl Preparations {
    fn subscribe(&mut self) -> Receiver<Preparation> {
        let (sender, receiver) = bounded(1);
        match self.present {
            // A fresh channel of one has room for one.
            Some(present) => give(&sender, present),
            None => self.waiting.push(sender),
        }
        receiver
    }

    fn set(&mut self, preparation: Preparation) {
        self.present = Some(preparation);
        for waiting in self.waiting.drain(..) {
            give(&waiting, preparation);
        }
    }
}

fn give(waiting: &Sender<Preparation>, preparation: Preparation) {
    if waiting.try_send(preparation).is_err() {
        log::debug!("a decoding thread ended before there was a model");
    }
}

impl Work {
    fn new(batches: Sender<Batch>, outbox: Outbox, cache: Arc<TaggerCache>) -> Self {
        Self {
            pipeline: None,
            open: None,
            on_cpu: false,
            preparation: Preparations::default(),
            batches,
            outbox,
            jobs: BTreeMap::new(),
            cache,
            generation: 0,
            settings: None,
            to_look: VecDeque::new(),
            together: 1,
            to_compare: None,
            survey: None,
            reports: VecDeque::new(),
        }
    }

    fn handle(&mut self, request: Request) {
        match request {
            Request::LoadModel { name, open, device } => self.load(name, open, device),
            Request::AddPaths { job, paths } => {
                self.decode(job, move |decoding| decoding.run_paths(&paths));
            }
            Request::OpenWorld { job, world, open } => {
                self.decode(job, move |decoding| decoding.run_world(&world, &open));
            }
            Request::AddSources { job, sources } => {
                self.decode(job, move |decoding| decoding.run_sources(sources));
            }
            Request::Reopen { job, images } => {
                self.decode(job, move |decoding| decoding.run_images(&images));
            }
            Request::Analysis { generation, settings, focus } => {
                self.generation = generation;
                self.settings = Some(settings);
                let mut order = self.cache.images();
                // In no order of theirs, so that the first few stand fairly for all of every set.
                order.sort_unstable_by_key(|&id| (Some(id) != focus, id.scattered()));
                self.together = 1;
                self.to_look = order.into();
            }
            Request::Compare { generation, image, settings } => {
                self.to_compare = Some((generation, image, settings));
            }
            Request::Survey(survey) => self.survey = survey.map(Underway::from),
            Request::Report(task) => self.start_report(task),
            Request::AttentionOf { image, tags } => self.attention(image, &tags),
            Request::Remove(images) => {
                let gone: BTreeSet<ImageId> = images.into_iter().collect();
                gone.iter().for_each(|&image| self.cache.remove(image));
                self.to_look.retain(|image| !gone.contains(image));
            }
            Request::Cancel(job) => {
                if let Some(progress) = self.jobs.get(&job) {
                    progress.cancel();
                }
            }
        }
    }

    fn load(&mut self, name: String, open: OpenModel, device: DeviceChoice) {
        self.outbox.send(Event::ModelLoading(name));
        let started = Instant::now();
        match open(device) {
            Ok(pipeline) => {
                let load_ms = started.elapsed().as_secs_f32() * 1e3;
                self.preparation.set(Preparation {
                    transform: pipeline.manifest().transform,
                    side_px: pipeline.image_side(),
                });
                let info = Arc::new(ModelInfo::of(&pipeline, load_ms));
                self.cache.clear();
                self.to_look.clear();
                self.survey = None;
                self.drop_reports();
                self.settings = Some(info.defaults.clone());
                self.on_cpu = device == DeviceChoice::Cpu;
                (self.pipeline, self.open) = (Some(pipeline), Some(open));
                self.outbox.send(Event::ModelReady(info));
            }
            Err(error) => self.outbox.send(Event::ModelFailed(format!("{error:#}"))),
        }
    }

    fn decode(&mut self, job: JobId, run: impl FnOnce(Decoding) + Send + 'static) {
        let progress = Progress::default();
        self.jobs.insert(job, progress.clone());
        let decoding = Decoding {
            job,
            progress,
            preparation: self.preparation.subscribe(),
            batches: self.batches.clone(),
            outbox: self.outbox.clone(),
        };
        let thread = std::thread::Builder::new().name("decode".into());
        if let Err(error) = thread.spawn(move || run(decoding)) {
            self.outbox.send(Event::Trouble(format!("cannot start decoding: {error}")));
            self.outbox.send(Event::JobEnded(job));
        }
    }

    fn cancel_all(&mut self) {
        self.jobs.values().for_each(Progress::cancel);
    }

    /// Tags a batch and analyses it at the present settings.
    fn tag(&mut self, batch: Batch) {
        let Batch { job, settles, inputs, progress } = batch;
        let (images, inputs): (Vec<ImageId>, Vec<Vec<f32>>) = inputs.into_iter().unzip();
        if !progress.is_cancelled() && !images.is_empty() {
            let started = Instant::now();
            match self.tag_or_fall_back(&inputs) {
                Ok(tagged) => {
                    let tagger_ms = started.elapsed().as_secs_f32() * 1e3 / images.len() as f32;
                    for (&image, tagged) in images.iter().zip(tagged) {
                        self.keep(image, &tagged);
                        self.outbox.send(Event::TaggerOutput { image, tagger_ms });
                    }
                    self.look_at(&images);
                }
                Err(error) => {
                    for image in images {
                        self.outbox.send(Event::Failed { image, error: error.to_string() });
                    }
                }
            }
        }
        if progress.advance(settles) || progress.is_cancelled() {
            self.jobs.remove(&job);
            self.outbox.send(Event::JobEnded(job));
        }
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
    fn look_on(&mut self) -> bool {
        let count = self.together.min(self.to_look.len());
        self.together = (2 * self.together).min(LOOK_BATCH);
        let images: Vec<ImageId> = self.to_look.drain(..count).collect();
        if images.is_empty() {
            return false;
        }
        self.look_at(&images);
        true
    }

    fn look_at(&self, images: &[ImageId]) {
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
                self.outbox.send(Event::LookFailed { images, generation, error });
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
