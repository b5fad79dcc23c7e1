//! The map of features: what it is of, how far it is, where its points are.

mod config;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::basis::Basis;
use super::entry::Entry;
use super::request::Effects;
use crate::bundle::manifest::Recipe;
use crate::eval::tsne::TsneConfig;
use crate::pipeline::{FeatureChoice, LabelSet, Settings};
use crate::worker::{
    EmbeddedImage, EmbeddingEvent, EmbeddingFrame, EmbeddingRequest, EmbeddingTask, ImageId,
    ModelInfo,
};

pub use config::EmbedConfig;

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
    /// A class center, by its class; of a CLIP, the text feature of a name.
    Center(usize),
}

/// What the features of a map were made with.
#[derive(Clone, Debug)]
struct MadeWith {
    settings: Settings,
    config: EmbedConfig,
    info: Arc<ModelInfo>,
    /// The same model with the names that it has now.
    renamed: Arc<ModelInfo>,
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

    /// What the points of both spaces stand for, in the frame's order.
    pub fn rows(&self) -> [Vec<MapRow>; 2] {
        let known = self.first + self.frame.as_ref().map_or(0, |frame| frame.placed);
        let images = &self.images[..known.min(self.images.len())];
        let texts = self.frame.as_ref().and_then(|frame| frame.texts.as_ref());
        let texts = texts.map_or(0, |texts| texts.len());
        [texts, texts + self.centers].map(|stars| {
            let mut rows: Vec<MapRow> = images.iter().copied().map(MapRow::Image).collect();
            let at = self.first.min(rows.len());
            rows.splice(at..at, (0..stars).map(MapRow::Center));
            rows
        })
    }

    /// Whether the features are a CLIP's, so that stars are the text features of names.
    pub fn is_of_names(&self) -> bool {
        self.made_with.as_ref().is_some_and(|with| with.info.labels.is_some())
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
        self.made_with.as_ref().map(|with| (with.settings.tau, with.settings.recipe))
    }

    /// Whether the features on show are those of the settings and model in force.
    pub(super) fn is_current(&self, basis: &Basis) -> bool {
        let Some(with) = &self.made_with else { return false };
        let (made, now) = (&with.settings, &basis.settings);
        // No τ leaves anything out of a whole image.
        let whole = now.features == FeatureChoice::WholeImage;
        made.features == now.features
            && (whole || made.tau == now.tau)
            && made.recipe == now.recipe
            && basis.info().is_some_and(|info| Arc::ptr_eq(info, &with.info))
    }

    /// A CLIP has other names: the stars follow. Whole images' features do not depend on them; which
    /// patches are kept does.
    pub(super) fn rename(
        &mut self,
        before: Option<&Arc<ModelInfo>>,
        after: &Arc<ModelInfo>,
        effects: &mut Effects,
    ) {
        let Some(with) = &mut self.made_with else { return };
        let Some(texts) = &after.labels else { return };
        if !before.is_some_and(|before| Arc::ptr_eq(before, &with.renamed)) {
            return;
        }
        with.renamed = after.clone();
        if with.settings.features == FeatureChoice::WholeImage {
            with.info = after.clone();
        }
        if let Some(frame) = &mut self.frame {
            leave_texts_out(frame, self.first);
        }
        effects.ask(EmbeddingRequest::Name { run: self.run, texts: texts.clone() });
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
        let settings = basis.settings.clone();
        let texts = info.labels.clone();
        let head = info.head.clone().filter(|_| texts.is_none());
        let patterns = match (settings.recipe, &head) {
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
        self.made_with = Some(MadeWith { settings, config, renamed: info.clone(), info });
        let task = EmbeddingTask { run, images, head, texts, metric, patterns, config: tsne };
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
            (EmbeddingEvent::Moved(mut frame), phase) => {
                let with = self.made_with.as_ref();
                let texts = with.and_then(|with| with.renamed.labels.as_ref());
                let is_old = |of: &Arc<LabelSet>| texts.is_none_or(|now| !Arc::ptr_eq(of, now));
                if frame.texts.as_ref().is_some_and(is_old) {
                    leave_texts_out(&mut frame, self.first);
                }
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

/// Takes stars out of a frame whose names are in force no more, until those of others come.
fn leave_texts_out(frame: &mut EmbeddingFrame, first: usize) {
    let Some(texts) = frame.texts.take() else { return };
    for positions in &mut frame.positions {
        let (images, rest) = positions.split_at(first.min(positions.len()));
        let later = rest.get(texts.len()..).unwrap_or_default();
        *positions = [images, later].concat().into();
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

#[cfg(test)]
mod tests;
