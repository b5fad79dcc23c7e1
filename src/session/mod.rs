//! What the window is about: the open images with their results, the settings, the jobs. Nothing here
//! draws, and nothing here computes for long.
//!
//! [`Session::apply`] takes what the user does, [`Session::take`] what others tell, and
//! [`Session::follow`] what has come due; each returns what is to be asked of others.

mod apply;
mod at_hand;
mod basis;
pub mod command;
pub mod compare;
pub mod curves;
pub mod embedding;
pub mod entry;
pub mod fitting;
mod history;
pub mod images;
mod jobs;
mod know;
pub mod known;
pub mod listing;
pub mod map_view;
mod notices;
mod report;
mod request;
pub mod saved;
mod saved_model;
mod saved_path;
pub mod sets;
mod take;
pub mod tuning;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::pipeline::{Analysis, Settings};
use crate::score::verdict::Outcome;
use crate::worker::{ImageId, ModelInfo};
use at_hand::AtHand;
use basis::Basis;
use compare::{CompareMode, Comparison};
use curves::Flip;
use embedding::Embedding;
use entry::Entry;
use fitting::Fitting;
use history::History;
use images::Images;
use jobs::Jobs;
use known::KnownNames;
use map_view::MapView;
use request::Effects;
use saved::SavedState;
use sets::ImageSet;
use tuning::{Tuning, VisiblePanels};

pub use basis::{LambdaOrigin, LoadingModel, ModelStatus};
pub use command::Command;
pub use jobs::Job;
pub use notices::{Notice, Severity};
pub use request::{SessionEvent, SessionRequest};
pub use saved_model::SavedModel;
pub use saved_path::SavedPath;

/// Everything the panels show.
#[derive(Default)]
pub struct Session {
    basis: Basis,
    /// What the user asks of models by name.
    pub names: KnownNames,
    /// The map over the image.
    pub map: MapView,
    /// The selected images, in the order of selection.
    pub selected: Vec<ImageId>,
    /// The image on show; one of the selected.
    pub focus: Option<ImageId>,
    /// The image that was on show before it.
    before: Option<ImageId>,
    /// What stands beside it.
    pub comparison: Comparison,
    /// The map of features.
    pub embedding: Embedding,
    /// Curves and tables of the open sets.
    pub tuning: Tuning,
    /// The model that is being fitted, if one is.
    pub fitting: Fitting,
    jobs: Jobs,
    at_hand: AtHand,
    history: History,
    /// The time of the last call of [`Session::follow`], in seconds.
    now: f64,
    effects: Effects,
}

impl Session {
    /// The open images and their sets.
    pub fn images(&self) -> &Images {
        &self.basis.images
    }

    /// The open images, in the order they came.
    pub fn entries(&self) -> &[Entry] {
        self.basis.images.entries()
    }

    /// An open image; `None` once it was removed.
    pub fn entry(&self, id: ImageId) -> Option<&Entry> {
        self.basis.images.entry(id)
    }

    /// The image on show.
    pub fn focused(&self) -> Option<&Entry> {
        self.entry(self.focus?)
    }

    /// The image to show beside the one on show: of several selected the last before it, of one alone
    /// the one that was on show before.
    pub fn beside(&self) -> Option<&Entry> {
        let other = |id: &&_| Some(**id) != self.focus;
        let selected = self.selected.iter().rev().find(other).copied();
        self.entry(selected.or(self.before.filter(|id| other(&id)))?)
    }

    /// Selects images and shows the last. While two are compared, the one at the right stays and those
    /// that are walked through come to the left.
    fn select(&mut self, images: Vec<ImageId>) {
        let focus = images.last().copied();
        if focus != self.focus {
            let beside =
                self.beside().map(|entry| entry.id).filter(|beside| Some(*beside) != focus);
            let stays = self.comparison.beside == CompareMode::Image;
            self.before = beside.filter(|_| stays).or(self.focus);
        }
        (self.selected, self.focus) = (images, focus);
    }

    /// The analysis of the image on show at the second τ; the last one until a new one is there.
    pub fn analysis_beside(&self) -> Option<&Arc<Analysis>> {
        self.comparison.analysis_of(self.focus?)
    }

    /// The sets of open images, in the order in which they were opened.
    pub fn sets(&self) -> &[ImageSet] {
        self.basis.images.sets()
    }

    /// What an image is in truth, as far as its set tells.
    pub fn truth(&self, set_at: usize) -> Option<Outcome> {
        self.basis.images.truth(set_at)
    }

    /// Grows with every change of images or results.
    pub fn revision(&self) -> u64 {
        self.basis.images.revision()
    }

    /// The model in use, and how far another is.
    pub fn model(&self) -> &ModelStatus {
        &self.basis.model
    }

    /// Whether a model that was saved is the one in use.
    pub fn is_judged_by(&self, model: &SavedModel) -> bool {
        let status = self.model();
        status.info.is_some() && status.loading.is_none() && status.saved.as_ref() == Some(model)
    }

    /// The model in use.
    pub fn info(&self) -> Option<&Arc<ModelInfo>> {
        self.basis.info()
    }

    /// τ, λ, detector, recipe.
    pub fn settings(&self) -> &Settings {
        &self.basis.settings
    }

    /// The decision threshold in force: the user's, the model's, or that of the open ID set.
    pub fn lambda(&self) -> Option<f32> {
        self.basis.own_lambda().or_else(|| {
            self.info()?;
            self.tuning.fallback_lambda(self.settings())
        })
    }

    /// Where λ in force comes from; `None` where there is none.
    pub fn lambda_origin(&self) -> Option<LambdaOrigin> {
        match self.settings().lambda {
            Some(_) => Some(LambdaOrigin::User),
            None if self.basis.own_lambda().is_some() => Some(LambdaOrigin::Model),
            None => self.lambda().map(|_| LambdaOrigin::OpenSet),
        }
    }

    /// Running jobs, the oldest first.
    pub fn jobs(&self) -> &[Job] {
        self.jobs.running()
    }

    /// What the user was told, newest last.
    pub fn notices(&self) -> &[Notice] {
        self.effects.notices.all()
    }

    /// What the status bar tells: the newest notice, until it is dismissed or its time is over.
    pub fn notice_in_force(&self) -> Option<&Notice> {
        self.effects.notices.current()
    }

    /// How many images have a feature to lay out.
    pub fn embeddable(&self) -> usize {
        embedding::embeddable(self.entries())
    }

    /// Whether the map of features is that of the settings and model in force.
    pub fn is_embedding_current(&self) -> bool {
        self.embedding.is_current(&self.basis)
    }

    /// Whether every analysis that there is answers the newest request.
    pub fn analyses_are_current(&self) -> bool {
        self.basis.images.analyses_are_current()
    }

    /// Whether the curves on show are those of all images at the present settings.
    pub fn is_measured(&self) -> bool {
        self.tuning.is_measured(&self.basis.images)
    }

    /// Whether the table of detectors holds for the present data, τ and recipe.
    pub fn is_table_current(&self) -> bool {
        self.tuning.is_table_current(&self.basis)
    }

    /// Whether the sweep holds for the present data, detector and recipe.
    pub fn is_sweep_current(&self) -> bool {
        self.tuning.is_sweep_current(&self.basis)
    }

    /// The images whose decision differs between the pinned setting and the present one.
    pub fn flips(&self) -> Vec<Flip> {
        self.tuning.flips(&self.basis.images)
    }

    /// Whether everything that was asked for has been answered.
    pub fn is_settled(&self) -> bool {
        let idle =
            self.jobs().is_empty() && self.comparison.is_settled() && !self.embedding.is_busy();
        let awaited = |entry: &Entry| {
            let on_its_way = entry.extra.values().any(Option::is_none);
            entry.is_tagged && (entry.tagged.is_none() || on_its_way)
        };
        let at_hand = ![self.focused(), self.beside()].into_iter().flatten().any(awaited);
        let known = !self.names.is_awaited();
        self.model().loading.is_none() && known && idle && at_hand && self.analyses_are_current()
    }

    /// Whether the curves and tables that are wanted are there.
    pub fn is_tuned(&self, visible: VisiblePanels) -> bool {
        self.tuning.is_settled(&self.basis, visible)
    }

    /// What is kept between two runs.
    pub fn saved(&self) -> SavedState {
        let (settings, images) = (self.settings().clone(), self.images());
        // Of a job that is still listing only a part may be known.
        let listed = |entry: &&Entry| entry.opened_by.is_none_or(|job| !self.jobs.is_listing(job));
        let paths = images.entries().iter().filter(listed).filter_map(|e| e.source.path());
        let paths = paths.chain(self.jobs.to_list()).cloned();
        let known = self.names.chosen.iter().map(|(&arch, known)| (arch, known.clone().into()));
        SavedState {
            images: paths.map(SavedPath::from).collect(),
            folders: images.roots().iter().cloned().map(SavedPath::from).collect(),
            set_roles: images.roles().clone(),
            roles: BTreeMap::new(),
            model: self.model().saved.clone(),
            focus: self.focused().and_then(|entry| Some(entry.source.path()?.clone().into())),
            tau: settings.tau,
            lambda: settings.lambda,
            detector: settings.detector,
            recipe: settings.recipe,
            features: settings.features,
            known: known.collect(),
            map: self.map.clone(),
            beside: self.comparison.beside,
            tau_beside: Some(self.comparison.tau),
            pinned: self.tuning.kept_pin().map(Into::into),
            overlaid: self.tuning.overlaid.clone(),
            paused: self.tuning.paused,
            embedding: self.embedding.config.clone(),
        }
    }
}
