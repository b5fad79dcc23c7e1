//! What the window knows: the images, their results, the settings, the jobs. Nothing here draws.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use super::compare::Comparison;
use super::embedding::Embedding;
use super::fitting::Fitting;
use super::sets::{Folders, ImageSet, Role};
use super::tuning::Tuning;
use crate::bundle::manifest::Recipe;
use crate::pipeline::Settings;
use crate::worker::{ImageId, ImageSource, JobId, ModelInfo, Worker};

pub use super::entry::{Entry, MapView, SetName};

/// What undo goes back over.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// τ, λ, detector, recipe.
    pub settings: Settings,
    /// The tags on show.
    pub tags: Vec<usize>,
    /// What the user said of sets, by name.
    pub roles: BTreeMap<String, Role>,
}

/// Where a λ comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LambdaOrigin {
    /// The user set it.
    User,
    /// The model was fitted with it.
    Model,
    /// The model has none for this detector: it is the one that keeps 95 % of the open
    /// in-distribution set.
    OpenSet,
}

/// How far the model is.
#[derive(Clone, Debug, Default)]
pub enum ModelState {
    /// None was asked for.
    #[default]
    None,
    /// It is being loaded.
    Loading(String),
    /// It is there.
    Ready(Arc<ModelInfo>),
    /// It could not be loaded; the sentence says why.
    Failed(String),
}

/// A job on show.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// What it does, as in "Opening 12 images".
    pub label: String,
    /// Its images that have a result or an error.
    pub done: usize,
    /// All of its images; 0 while they are being listed.
    pub total: usize,
}

/// Everything the panels show.
pub struct Session {
    pub(super) entries: Vec<Entry>,
    index: HashMap<ImageId, usize>,
    pub(super) folders: Folders,
    pub(super) sets: Vec<ImageSet>,
    /// What the user said of sets, by name; the others are told by folder and class names.
    pub roles: BTreeMap<String, Role>,
    /// The folders that were opened and hold open images.
    pub roots: BTreeSet<PathBuf>,
    /// The network.
    pub network: ModelState,
    /// τ, λ, detector, recipe.
    pub settings: Settings,
    /// The map over the image.
    pub map: MapView,
    /// The selected images, in the order of selection.
    pub selected: Vec<ImageId>,
    /// The image on show; one of the selected.
    pub focus: Option<ImageId>,
    /// What stands beside it.
    pub comparison: Comparison,
    /// The map of features.
    pub embedding: Embedding,
    /// Running jobs.
    pub jobs: Vec<Job>,
    pub(super) job_of: HashMap<ImageId, JobId>,
    /// The last job that opened the demo world.
    pub(super) world_job: Option<JobId>,
    /// That job, while it counts drawn scenes and not images.
    pub(super) drawing: Option<JobId>,
    /// The images whose results are at hand or on their way, oldest first.
    pub(super) at_hand: VecDeque<ImageId>,
    /// What went wrong, newest last.
    pub notices: Vec<String>,
    /// Counts requests to look; results of older ones are dropped.
    pub generation: u64,
    /// Grows with every change of entries or results.
    pub revision: u64,
    /// Grows when a score, a set or a role changes.
    pub scores_revision: u64,
    /// Grows when the tagged images, a set or a role change, whatever the settings.
    pub data_revision: u64,
    /// Curves and tables of the open sets.
    pub tuning: Tuning,
    /// The model that is being fitted, if one is.
    pub fitting: Fitting,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            index: HashMap::new(),
            folders: Folders::default(),
            sets: Vec::new(),
            roles: BTreeMap::new(),
            roots: BTreeSet::new(),
            network: ModelState::None,
            settings: Settings::new(crate::bundle::DEFAULT_TAU, Recipe::default()),
            map: MapView::default(),
            selected: Vec::new(),
            focus: None,
            comparison: Comparison::default(),
            at_hand: VecDeque::new(),
            embedding: Embedding::default(),
            jobs: Vec::new(),
            job_of: HashMap::new(),
            world_job: None,
            drawing: None,
            notices: Vec::new(),
            generation: 0,
            revision: 0,
            scores_revision: 0,
            data_revision: 0,
            tuning: Tuning::default(),
            fitting: Fitting::default(),
        }
    }
}

impl Session {
    /// The open images, in the order they came.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// One image.
    pub fn entry(&self, id: ImageId) -> Option<&Entry> {
        self.entries.get(*self.index.get(&id)?)
    }

    /// One image, to change it.
    pub fn entry_mut(&mut self, id: ImageId) -> Option<&mut Entry> {
        self.revision += 1;
        self.entries.get_mut(*self.index.get(&id)?)
    }

    /// The image on show.
    pub fn focused(&self) -> Option<&Entry> {
        self.entry(self.focus?)
    }

    /// The loaded network.
    pub fn info(&self) -> Option<&Arc<ModelInfo>> {
        match &self.network {
            ModelState::Ready(info) => Some(info),
            _ => None,
        }
    }

    /// λ in force.
    pub fn lambda(&self) -> Option<f32> {
        let given = self.info()?.lambda(&self.settings);
        given.or_else(|| self.tuning.fallback_lambda(&self.settings))
    }

    /// Where λ in force comes from; `None` where there is none.
    pub fn lambda_origin(&self) -> Option<LambdaOrigin> {
        let own = || self.info()?.lambda(&self.settings).map(|_| LambdaOrigin::Model);
        match self.settings.lambda {
            Some(_) => Some(LambdaOrigin::User),
            None => own().or_else(|| self.lambda().map(|_| LambdaOrigin::OpenSet)),
        }
    }

    /// Decides every image anew by the λ in force, without asking the worker: scores stay.
    pub(super) fn decide(&mut self) {
        let lambda = self.lambda();
        self.revision += 1;
        for entry in &mut self.entries {
            if let Some(analysis) = &mut entry.analysis {
                // The worker keeps no analyses, so this copies nothing.
                Arc::make_mut(analysis).verdict.decide(lambda);
            }
        }
    }

    /// Takes over settings; only what they change is computed anew.
    pub(super) fn adopt(&mut self, settings: Settings, worker: &Worker) {
        let same_scores = Settings { lambda: self.settings.lambda, ..settings.clone() };
        let only_lambda = same_scores == self.settings;
        self.settings = settings;
        match only_lambda {
            true => self.decide(),
            false => self.analyse(worker),
        }
    }

    /// Whether everything that was asked for has been answered.
    pub fn is_settled(&self) -> bool {
        let loading = matches!(self.network, ModelState::Loading(_));
        let idle =
            self.jobs.is_empty() && self.comparison.is_settled() && !self.embedding.is_busy();
        let awaited = |entry: &Entry| {
            let on_its_way = entry.extra.values().any(Option::is_none);
            entry.is_tagged && (entry.tagged.is_none() || on_its_way)
        };
        let at_hand = ![self.focused(), self.beside()].into_iter().flatten().any(awaited);
        !loading && idle && at_hand && self.looks_are_current()
    }

    /// Whether every analysis that there is answers the newest request.
    pub fn looks_are_current(&self) -> bool {
        let stale = |entry: &Entry| entry.analysis.is_some() && entry.generation != self.generation;
        !self.entries.iter().any(stale)
    }

    /// Adds images.
    pub fn add(&mut self, images: Vec<(ImageId, ImageSource)>, job: JobId) {
        self.revision += 1;
        for (id, source) in images {
            self.index.insert(id, self.entries.len());
            self.job_of.insert(id, job);
            let folder = self.folders.of(&source);
            self.entries.push(Entry { folder, ..Entry::new(id, source) });
        }
        self.regroup();
        if self.focus.is_none()
            && let Some(first) = self.entries.first()
        {
            (self.focus, self.selected) = (Some(first.id), vec![first.id]);
        }
    }

    /// Forgets images; the focus moves to the one that takes their place.
    pub fn remove(&mut self, ids: &[ImageId]) {
        self.revision += 1;
        let ids: BTreeSet<ImageId> = ids.iter().copied().collect();
        let place = self.focus.and_then(|focus| self.index.get(&focus).copied()).unwrap_or(0);
        let kept_before =
            self.entries.iter().take(place).filter(|entry| !ids.contains(&entry.id)).count();
        self.entries.retain(|entry| !ids.contains(&entry.id));
        self.index = self.entries.iter().enumerate().map(|(at, entry)| (entry.id, at)).collect();
        self.selected.retain(|id| !ids.contains(id));
        self.at_hand.retain(|id| !ids.contains(id));
        self.job_of.retain(|id, _| !ids.contains(id));
        self.regroup();
        if self.focus.is_some_and(|focus| ids.contains(&focus)) {
            let last = self.entries.len().saturating_sub(1);
            self.focus = self.entries.get(kept_before.min(last)).map(|entry| entry.id);
            self.selected = self.focus.into_iter().collect();
        }
    }

    /// What undo would bring back.
    pub fn edit(&self) -> Edit {
        Edit {
            settings: self.settings.clone(),
            tags: self.map.tags.clone(),
            roles: self.roles.clone(),
        }
    }
}
