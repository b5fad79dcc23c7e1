//! The map of features: what it is of, how far it is, where its points are.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::state::{Entry, Session};
use crate::bundle::manifest::Recipe;
use crate::eval::tsne::TsneConfig;
use crate::worker::{
    EmbeddedImage, EmbeddingEvent, EmbeddingRequest, EmbeddingTask, Frame, ImageId, Metric,
    ModelInfo, Worker,
};

/// Fewer images than this make no map.
pub const LEAST: usize = 3;

/// What a user can do with the map.
#[derive(Clone, Debug, PartialEq)]
pub enum EmbedCommand {
    /// Makes it of all open images, from the start.
    Start,
    /// Lets it rest, or go on.
    TogglePause,
    /// Ends the run where it is.
    Stop,
    /// Sets how it is made the next time.
    Configure(EmbedConfig),
}

/// How the map is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EmbedConfig {
    /// How many neighbours count for a point, in effect; at least 1.
    pub perplexity: f64,
    /// Iterations.
    pub iterations: usize,
    /// Equal seeds give equal maps.
    pub seed: u64,
    /// What is near.
    pub metric: Metric,
}

impl Default for EmbedConfig {
    fn default() -> Self {
        let TsneConfig { perplexity, iterations, seed, .. } = TsneConfig::default();
        Self { perplexity, iterations, seed, metric: Metric::default() }
    }
}

impl EmbedConfig {
    /// Perplexities that can be chosen.
    pub const PERPLEXITY: std::ops::RangeInclusive<f64> = 1.0..=500.0;
    /// Numbers of iterations that can be chosen.
    pub const ITERATIONS: std::ops::RangeInclusive<usize> = 10..=100_000;

    /// The same, with values from a file brought to ones that can be chosen.
    pub fn within_bounds(self) -> Self {
        let (least, most) = Self::PERPLEXITY.into_inner();
        let (fewest, longest) = Self::ITERATIONS.into_inner();
        Self {
            perplexity: self.perplexity.clamp(least, most),
            iterations: self.iterations.clamp(fewest, longest),
            ..self
        }
    }
}

/// How far the map is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Phase {
    /// There is none.
    #[default]
    Empty,
    /// Neighbours are being found.
    Preparing {
        /// Points done.
        done: usize,
        /// All points.
        total: usize,
    },
    /// Points move.
    Moving,
    /// They rest and can go on.
    Paused,
    /// The run was ended early.
    Stopped,
    /// All iterations are done.
    Done,
    /// It could not be made; the sentence says why.
    Failed(String),
}

/// What a point of a map stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// An image.
    Image(ImageId),
    /// A class center, by its class.
    Center(usize),
}

/// What the features of a map were made with.
#[derive(Clone, Debug)]
struct MadeWith {
    tau: f32,
    recipe: Recipe,
    config: EmbedConfig,
    info: Arc<ModelInfo>,
}

/// The map of features.
#[derive(Debug, Default)]
pub struct Embedding {
    /// How it is made the next time.
    pub config: EmbedConfig,
    /// How far it is.
    pub phase: Phase,
    /// Where the points are.
    pub frame: Option<Frame>,
    /// The images, those placed later last.
    images: Vec<ImageId>,
    members: BTreeSet<ImageId>,
    /// How many of the images were there from the start.
    first: usize,
    centers: usize,
    run: u64,
    made_with: Option<MadeWith>,
    started: Option<Instant>,
    /// Time from the start to the first move, and to the last frame, in seconds.
    pub seconds: [f32; 2],
    seen_revision: u64,
    /// It was asked for while analyses at new settings were on their way.
    wanted: bool,
}

impl Embedding {
    /// Whether something is under way.
    pub fn is_busy(&self) -> bool {
        let placing = |frame: &Frame| frame.placed + self.first < self.images.len();
        match self.phase {
            _ if self.wanted => true,
            Phase::Preparing { .. } | Phase::Moving => true,
            Phase::Empty | Phase::Failed(_) => false,
            _ => self.frame.as_ref().is_some_and(placing),
        }
    }

    /// What the points before projection stand for, and those after it, in the frame's order.
    pub fn rows(&self) -> [Vec<Row>; 2] {
        let known = self.first + self.frame.as_ref().map_or(0, |frame| frame.placed);
        let images = &self.images[..known.min(self.images.len())];
        let before: Vec<Row> = images.iter().copied().map(Row::Image).collect();
        let mut after = before.clone();
        let at = self.first.min(after.len());
        after.splice(at..at, (0..self.centers).map(Row::Center));
        [before, after]
    }

    /// How many images were placed later.
    pub fn placed(&self) -> usize {
        self.images.len() - self.first
    }

    /// Iterations of the map on show, in all.
    pub fn iterations(&self) -> usize {
        self.made_with.as_ref().map_or(0, |with| with.config.iterations)
    }

    /// The perplexity that was asked for.
    pub fn perplexity(&self) -> f64 {
        self.made_with.as_ref().map_or(0.0, |with| with.config.perplexity)
    }

    /// Counts runs.
    pub fn run(&self) -> u64 {
        self.run
    }

    /// Whether an image is on the map.
    pub fn holds(&self, id: ImageId) -> bool {
        self.members.contains(&id)
    }

    /// The τ and recipe of the features on show.
    pub fn settings(&self) -> Option<(f32, Recipe)> {
        self.made_with.as_ref().map(|with| (with.tau, with.recipe))
    }

    /// Whether the features on show are those of the settings and model in force.
    pub fn is_current(&self, model: &Session) -> bool {
        let Some(with) = &self.made_with else { return false };
        let settings = &model.settings;
        with.tau == settings.tau
            && with.recipe == settings.recipe
            && model.info().is_some_and(|info| Arc::ptr_eq(info, &with.info))
    }

    /// Whether the next map would be made in another way than the one on show.
    pub fn is_reconfigured(&self) -> bool {
        self.made_with.as_ref().is_some_and(|with| with.config != self.config)
    }
}

/// What can be laid out of an image.
fn features(entry: &Entry) -> Option<EmbeddedImage> {
    EmbeddedImage::new(entry.id, entry.analysis.as_ref()?)
}

impl Session {
    /// How many images have a feature to lay out.
    pub fn embeddable(&self) -> usize {
        let has = |entry: &&Entry| entry.analysis.as_deref().is_some_and(EmbeddedImage::can_be);
        self.entries().iter().filter(has).count()
    }

    /// Does what a command says with the map.
    pub(super) fn embed(&mut self, command: EmbedCommand, worker: &Worker) {
        let embedding = &mut self.embedding;
        match (command, &embedding.phase) {
            (EmbedCommand::Start, _) => self.start_embedding(worker),
            (EmbedCommand::TogglePause, Phase::Moving) => {
                worker.ask_embedding(EmbeddingRequest::Pause);
                embedding.phase = Phase::Paused;
            }
            (EmbedCommand::TogglePause, Phase::Paused) => {
                worker.ask_embedding(EmbeddingRequest::Resume);
                embedding.phase = Phase::Moving;
            }
            (EmbedCommand::TogglePause, Phase::Preparing { .. }) => {}
            (EmbedCommand::TogglePause, _) => self.start_embedding(worker),
            (EmbedCommand::Stop, Phase::Preparing { .. }) => {
                worker.ask_embedding(EmbeddingRequest::Stop);
                (embedding.phase, embedding.frame) = (Phase::Stopped, None);
            }
            (EmbedCommand::Stop, Phase::Moving | Phase::Paused) => {
                worker.ask_embedding(EmbeddingRequest::Stop);
                embedding.phase = Phase::Stopped;
            }
            (EmbedCommand::Stop, _) => {}
            (EmbedCommand::Configure(config), _) => embedding.config = config,
        }
    }

    fn start_embedding(&mut self, worker: &Worker) {
        let Some(info) = self.info().cloned() else { return };
        self.embedding.wanted = !self.looks_are_current();
        if self.embedding.wanted {
            return;
        }
        let (ids, images): (Vec<ImageId>, Vec<EmbeddedImage>) =
            self.entries().iter().filter_map(|entry| Some((entry.id, features(entry)?))).unzip();
        if images.len() < LEAST {
            return;
        }
        let settings = &self.settings;
        let (tau, recipe) = (settings.tau, settings.recipe);
        let head = info.head.clone();
        let patterns = match (recipe, &head) {
            (Recipe::Released, Some(head)) => head.centers().patterns(),
            _ => 1,
        };
        let embedding = &mut self.embedding;
        let config = embedding.config.clone();
        embedding.run += 1;
        embedding.phase = Phase::Preparing { done: 0, total: images.len() };
        embedding.frame = None;
        embedding.centers = head.as_ref().map_or(0, |head| head.classes());
        embedding.first = ids.len();
        embedding.members = ids.iter().copied().collect();
        embedding.images = ids;
        (embedding.started, embedding.seconds) = (Some(Instant::now()), [0.0; 2]);
        let (run, metric) = (embedding.run, config.metric);
        let tsne = TsneConfig {
            perplexity: config.perplexity.max(1.0),
            iterations: config.iterations,
            seed: config.seed,
            ..TsneConfig::default()
        };
        embedding.made_with = Some(MadeWith { tau, recipe, config, info });
        let task = EmbeddingTask { run, images, head, metric, patterns, config: tsne };
        worker.ask_embedding(EmbeddingRequest::Run(task));
    }

    /// Starts a map that waits for analyses, forgets one whose images are gone, and has images that came
    /// later placed into the one there is when no more are on the way.
    pub(super) fn follow_embedding(&mut self, worker: &Worker) {
        if self.embedding.wanted {
            self.start_embedding(worker);
        }
        let embedding = &self.embedding;
        let waits = embedding.seen_revision == self.revision
            || embedding.frame.is_none()
            || !self.jobs.is_empty();
        if waits {
            return;
        }
        let first = &embedding.images[..embedding.first];
        if !first.iter().any(|&id| self.entry(id).is_some()) {
            worker.ask_embedding(EmbeddingRequest::Stop);
            let (config, run) = (embedding.config.clone(), embedding.run + 1);
            self.embedding = Embedding { config, run, ..Embedding::default() };
            return;
        }
        if !embedding.is_current(self) || !self.looks_are_current() {
            return;
        }
        let new = self.entries().iter().filter(|entry| !embedding.holds(entry.id));
        let (ids, images): (Vec<ImageId>, Vec<EmbeddedImage>) =
            new.filter_map(|entry| Some((entry.id, features(entry)?))).unzip();
        let run = embedding.run;
        self.embedding.seen_revision = self.revision;
        if !ids.is_empty() {
            self.embedding.members.extend(&ids);
            self.embedding.images.extend(ids);
            worker.ask_embedding(EmbeddingRequest::Place { run, images });
        }
    }

    /// Takes in what the thread tells of a run.
    pub(super) fn take_embedding(&mut self, run: u64, event: EmbeddingEvent) {
        let embedding = &mut self.embedding;
        if run != embedding.run {
            return;
        }
        let since = embedding.started.map_or(0.0, |started| started.elapsed().as_secs_f32());
        match (event, &embedding.phase) {
            (EmbeddingEvent::Preparing { done, total }, Phase::Preparing { .. }) => {
                embedding.phase = Phase::Preparing { done, total };
            }
            (EmbeddingEvent::Preparing { .. }, _) => {}
            // A frame that was on its way when the run was called off.
            (EmbeddingEvent::Moved(_), Phase::Stopped) if embedding.frame.is_none() => {}
            (EmbeddingEvent::Moved(frame), phase) => {
                let last = embedding.made_with.as_ref().map_or(0, |with| with.config.iterations);
                let done = frame.rests && frame.iteration >= last;
                let preparing = matches!(phase, Phase::Preparing { .. });
                if preparing || (done && *phase == Phase::Moving) {
                    embedding.phase = if done { Phase::Done } else { Phase::Moving };
                }
                if embedding.seconds[0] == 0.0 && frame.iteration > 0 {
                    embedding.seconds[0] = since;
                }
                if frame.iteration > embedding.frame.as_ref().map_or(0, |frame| frame.iteration) {
                    embedding.seconds[1] = since;
                }
                embedding.frame = Some(frame);
            }
            (EmbeddingEvent::Failed(error), _) => {
                embedding.phase = Phase::Failed(error.clone());
                self.notice(format!("no map of features: {error}"));
            }
        }
    }
}
