//! The map of features: what it is of, how far it is, where its points are.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::basis::Basis;
use super::entry::Entry;
use super::request::Effects;
use crate::bundle::manifest::Recipe;
use crate::eval::tsne::TsneConfig;
use crate::worker::{
    EmbeddedImage, EmbeddingEvent, EmbeddingFrame, EmbeddingRequest, EmbeddingTask,
    FeatureDistance, ImageId, ModelInfo,
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
    pub metric: FeatureDistance,
}

impl Default for EmbedConfig {
    fn default() -> Self {
        let TsneConfig { perplexity, iterations, seed, .. } = TsneConfig::default();
        Self { perplexity, iterations, seed, metric: FeatureDistance::default() }
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
pub enum MapRow {
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
    pub frame: Option<EmbeddingFrame>,
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
        let placing = |frame: &EmbeddingFrame| frame.placed + self.first < self.images.len();
        match self.phase {
            _ if self.wanted => true,
            Phase::Preparing { .. } | Phase::Moving => true,
            Phase::Empty | Phase::Failed(_) => false,
            _ => self.frame.as_ref().is_some_and(placing),
        }
    }

    /// What the points before projection stand for, and those after it, in the frame's order.
    pub fn rows(&self) -> [Vec<MapRow>; 2] {
        let known = self.first + self.frame.as_ref().map_or(0, |frame| frame.placed);
        let images = &self.images[..known.min(self.images.len())];
        let before: Vec<MapRow> = images.iter().copied().map(MapRow::Image).collect();
        let mut after = before.clone();
        let at = self.first.min(after.len());
        after.splice(at..at, (0..self.centers).map(MapRow::Center));
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
    pub(super) fn is_current(&self, basis: &Basis) -> bool {
        let Some(with) = &self.made_with else { return false };
        let settings = &basis.settings;
        with.tau == settings.tau
            && with.recipe == settings.recipe
            && basis.info().is_some_and(|info| Arc::ptr_eq(info, &with.info))
    }

    /// Whether the next map would be made in another way than the one on show.
    pub fn is_reconfigured(&self) -> bool {
        self.made_with.as_ref().is_some_and(|with| with.config != self.config)
    }

    /// Does what a command says.
    pub(super) fn apply(&mut self, command: EmbedCommand, basis: &Basis, effects: &mut Effects) {
        match (command, &self.phase) {
            (EmbedCommand::Start, _) => self.start(basis, effects),
            (EmbedCommand::TogglePause, Phase::Moving) => {
                effects.ask(EmbeddingRequest::Pause);
                self.phase = Phase::Paused;
            }
            (EmbedCommand::TogglePause, Phase::Paused) => {
                effects.ask(EmbeddingRequest::Resume);
                self.phase = Phase::Moving;
            }
            (EmbedCommand::TogglePause, Phase::Preparing { .. }) => {}
            (EmbedCommand::TogglePause, _) => self.start(basis, effects),
            (EmbedCommand::Stop, Phase::Preparing { .. }) => {
                effects.ask(EmbeddingRequest::Stop);
                (self.phase, self.frame) = (Phase::Stopped, None);
            }
            (EmbedCommand::Stop, Phase::Moving | Phase::Paused) => {
                effects.ask(EmbeddingRequest::Stop);
                self.phase = Phase::Stopped;
            }
            (EmbedCommand::Stop, _) => {}
            (EmbedCommand::Configure(config), _) => self.config = config,
        }
    }

    fn start(&mut self, basis: &Basis, effects: &mut Effects) {
        let Some(info) = basis.info().cloned() else { return };
        self.wanted = !basis.images.analyses_are_current();
        if self.wanted {
            return;
        }
        let images: Vec<EmbeddedImage> =
            basis.images.entries().iter().filter_map(features).collect();
        if images.len() < LEAST {
            return;
        }
        let (tau, recipe) = (basis.settings.tau, basis.settings.recipe);
        let head = info.head.clone();
        let patterns = match (recipe, &head) {
            (Recipe::Released, Some(head)) => head.centers().patterns(),
            _ => 1,
        };
        let config = self.config.clone();
        self.run += 1;
        self.phase = Phase::Preparing { done: 0, total: images.len() };
        self.frame = None;
        self.centers = head.as_ref().map_or(0, |head| head.classes());
        self.images = images.iter().map(|image| image.id).collect();
        self.first = self.images.len();
        self.members = self.images.iter().copied().collect();
        (self.started, self.seconds) = (Some(Instant::now()), [0.0; 2]);
        let (run, metric) = (self.run, config.metric);
        let tsne = TsneConfig {
            perplexity: config.perplexity.max(1.0),
            iterations: config.iterations,
            seed: config.seed,
            ..TsneConfig::default()
        };
        self.made_with = Some(MadeWith { tau, recipe, config, info });
        let task = EmbeddingTask { run, images, head, metric, patterns, config: tsne };
        effects.ask(EmbeddingRequest::Run(task));
    }

    /// Starts a map that waits for analyses, forgets one whose images are gone, and has images that came
    /// later placed into the one there is when no more are on the way (`idle`).
    pub(super) fn follow(&mut self, basis: &Basis, idle: bool, effects: &mut Effects) {
        if self.wanted {
            self.start(basis, effects);
        }
        let images = &basis.images;
        if self.seen_revision == images.revision() || self.frame.is_none() || !idle {
            return;
        }
        if !self.images[..self.first].iter().any(|&id| images.entry(id).is_some()) {
            effects.ask(EmbeddingRequest::Stop);
            let (config, run) = (self.config.clone(), self.run + 1);
            *self = Self { config, run, ..Self::default() };
            return;
        }
        if !self.is_current(basis) || !images.analyses_are_current() {
            return;
        }
        self.seen_revision = images.revision();
        let new = images.entries().iter().filter(|entry| !self.holds(entry.id));
        let new: Vec<EmbeddedImage> = new.filter_map(features).collect();
        if !new.is_empty() {
            self.members.extend(new.iter().map(|image| image.id));
            self.images.extend(new.iter().map(|image| image.id));
            effects.ask(EmbeddingRequest::Place { run: self.run, images: new });
        }
    }

    /// Takes in what the thread tells of a run.
    pub(super) fn take(&mut self, run: u64, event: EmbeddingEvent, effects: &mut Effects) {
        if run != self.run {
            return;
        }
        let since = self.started.map_or(0.0, |started| started.elapsed().as_secs_f32());
        match (event, &self.phase) {
            (EmbeddingEvent::Preparing { done, total }, Phase::Preparing { .. }) => {
                self.phase = Phase::Preparing { done, total };
            }
            (EmbeddingEvent::Preparing { .. }, _) => {}
            // A frame that was on its way when the run was called off.
            (EmbeddingEvent::Moved(_), Phase::Stopped) if self.frame.is_none() => {}
            (EmbeddingEvent::Moved(frame), phase) => {
                let last = self.made_with.as_ref().map_or(0, |with| with.config.iterations);
                let done = frame.rests && frame.iteration >= last;
                let preparing = matches!(phase, Phase::Preparing { .. });
                if preparing || (done && *phase == Phase::Moving) {
                    self.phase = if done { Phase::Done } else { Phase::Moving };
                }
                if self.seconds[0] == 0.0 && frame.iteration > 0 {
                    self.seconds[0] = since;
                }
                if frame.iteration > self.frame.as_ref().map_or(0, |frame| frame.iteration) {
                    self.seconds[1] = since;
                }
                self.frame = Some(frame);
            }
            (EmbeddingEvent::Failed(error), _) => {
                self.phase = Phase::Failed(error.clone());
                effects.fail(format!("no map of features: {error}"));
            }
        }
    }
}

/// What can be laid out of an image.
fn features(entry: &Entry) -> Option<EmbeddedImage> {
    EmbeddedImage::new(entry.id, entry.analysis.as_ref()?)
}

/// How many images have a feature to lay out.
pub(super) fn embeddable(entries: &[Entry]) -> usize {
    let has = |entry: &&Entry| entry.analysis.as_deref().is_some_and(EmbeddedImage::can_be);
    entries.iter().filter(has).count()
}
