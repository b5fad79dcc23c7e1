//! What all results rest on: the open images, the model, the settings.

use std::ffi::OsString;
use std::sync::{Arc, OnceLock};

use super::images::Images;
use super::saved_model::SavedModel;
use super::saved_path::SavedPath;
use crate::bundle::DEFAULT_TAU;
use crate::bundle::manifest::Recipe;
use crate::pipeline::Settings;
use crate::worker::ModelInfo;

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

/// A model that is not there yet.
#[derive(Clone, Debug)]
pub struct LoadingModel {
    /// What to call it.
    pub name: String,
    /// What names it on the command line.
    pub arguments: Vec<OsString>,
    /// Whether it comes with names, which hold in place of those that were chosen before.
    pub is_told_names: bool,
    /// What names it in a session's file.
    pub named: Vec<SavedPath>,
    /// A hash of its files, as soon as it was opened.
    pub content: Arc<OnceLock<String>>,
}

/// The model, and how far another is that is to take its place.
#[derive(Clone, Debug, Default)]
pub struct ModelStatus {
    /// The model in use.
    pub info: Option<Arc<ModelInfo>>,
    /// The one that is being loaded.
    pub loading: Option<LoadingModel>,
    /// Why the last one could not be loaded.
    pub error: Option<String>,
    /// The session's model, as its file names it: the one in use, or the one that is missing.
    pub saved: Option<SavedModel>,
}

/// What all results rest on.
pub(super) struct Basis {
    /// The open images.
    pub images: Images,
    pub model: ModelStatus,
    /// τ, λ, detector, recipe.
    pub settings: Settings,
}

impl Default for Basis {
    fn default() -> Self {
        Self {
            images: Images::default(),
            model: ModelStatus::default(),
            settings: Settings::new(DEFAULT_TAU, Recipe::default()),
        }
    }
}

impl Basis {
    /// The model in use.
    pub(super) fn info(&self) -> Option<&Arc<ModelInfo>> {
        self.model.info.as_ref()
    }

    /// λ that the user set, or the model's own.
    pub(super) fn own_lambda(&self) -> Option<f32> {
        self.info()?.lambda(&self.settings)
    }
}
