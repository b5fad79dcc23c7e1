//! What is kept of a session between two runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::compare::CompareMode;
use super::curves::Pin;
use super::embedding::EmbedConfig;
use super::map_view::MapView;
use super::saved_model::SavedModel;
use super::saved_path::SavedPath;
use super::sets::{Role, SetId};
use crate::bundle::known::{Known, KnownName};
use crate::bundle::manifest::{Arch, FeatureChoice, Recipe};
use crate::pipeline::Settings;

/// A session, as it is saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedState {
    /// The images' files, and last the files and folders that were still being listed; images that
    /// are no files are not kept.
    pub images: Vec<SavedPath>,
    /// The folders that were opened: what makes sets of the images.
    #[serde(default)]
    pub folders: BTreeSet<SavedPath>,
    /// What the user said of sets.
    #[serde(default)]
    pub set_roles: BTreeMap<SetId, Role>,
    /// What older files have in its place: roles by the names that sets were shown under.
    #[serde(default, skip_serializing)]
    pub(super) roles: BTreeMap<String, Role>,
    /// The model that judged them; older files do not tell.
    #[serde(default)]
    pub model: Option<SavedModel>,
    /// The file on show.
    pub focus: Option<SavedPath>,
    /// Relevance threshold.
    pub tau: f32,
    /// Decision threshold, if the user set one.
    pub lambda: Option<f32>,
    /// The detector's id.
    pub detector: String,
    /// The recipe.
    pub recipe: Recipe,
    /// What becomes an image's feature.
    #[serde(default)]
    pub features: FeatureChoice,
    /// What is known by name, for each kind of model; the model's own where there is nothing.
    #[serde(default)]
    pub known: BTreeMap<Arch, SavedKnown>,
    /// The map over the image, with the tags on show.
    pub map: MapView,
    /// What stands beside the image.
    #[serde(default)]
    pub beside: CompareMode,
    /// The second τ.
    #[serde(default)]
    pub tau_beside: Option<f32>,
    /// The setting kept for comparison; its scores are made anew.
    #[serde(default)]
    pub pinned: Option<SavedPin>,
    /// The detectors whose curves are drawn beside the present one's.
    #[serde(default)]
    pub overlaid: BTreeSet<String>,
    /// Whether work in the background rests.
    #[serde(default)]
    pub paused: bool,
    /// How the map of features is made.
    #[serde(default)]
    pub embedding: EmbedConfig,
}

impl SavedState {
    /// What the user said of sets. A name of an older file goes to every folder above an image that is
    /// called so.
    pub(super) fn roles_of_sets(&self) -> BTreeMap<SetId, Role> {
        let mut roles = BTreeMap::new();
        if !self.roles.is_empty() {
            let folders = self.images.iter().flat_map(|image| image.as_ref().ancestors().skip(1));
            for folder in folders.collect::<BTreeSet<&Path>>() {
                let called = self.roles.iter().find(|(name, _)| folder.ends_with(name));
                roles.extend(called.map(|(_, role)| (SetId::of_folder(folder), *role)));
            }
        }
        roles.extend(self.set_roles.clone());
        roles
    }

    /// The settings that were in force.
    pub fn settings(&self) -> Settings {
        Settings {
            tau: self.tau.clamp(0.0, 1.0),
            recipe: self.recipe,
            detector: self.detector.clone(),
            features: self.features,
            lambda: finite(self.lambda),
        }
    }
}

/// A λ of a file; a number that 32 bits cannot hold is none.
fn finite(lambda: Option<f32>) -> Option<f32> {
    lambda.filter(|lambda| lambda.is_finite())
}

/// What is known by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedKnown {
    /// The names.
    pub names: Vec<KnownName>,
    /// Texts that a CLIP's names are put into.
    #[serde(default)]
    pub templates: Vec<String>,
    /// The file or folder of negative words.
    #[serde(default)]
    pub negatives: Option<SavedPath>,
}

impl From<Known> for SavedKnown {
    fn from(Known { names, templates, negatives }: Known) -> Self {
        Self { names, templates, negatives: negatives.map(SavedPath::from) }
    }
}

impl From<SavedKnown> for Known {
    fn from(SavedKnown { names, templates, negatives }: SavedKnown) -> Self {
        Self { names, templates, negatives: negatives.map(PathBuf::from) }
    }
}

/// A setting kept for comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedPin {
    /// Relevance threshold.
    pub tau: f32,
    /// The recipe.
    pub recipe: Recipe,
    /// What becomes an image's feature.
    #[serde(default)]
    pub features: FeatureChoice,
    /// The detector's id.
    pub detector: String,
    /// Decision threshold, if the user had set one.
    pub lambda: Option<f32>,
    /// Decision threshold that was in force.
    pub lambda_in_force: Option<f32>,
}

impl From<Pin> for SavedPin {
    fn from(Pin { settings, lambda }: Pin) -> Self {
        let Settings { tau, features, recipe, detector, lambda: own } = settings;
        Self { tau, recipe, features, detector, lambda: own, lambda_in_force: lambda }
    }
}

impl From<SavedPin> for Pin {
    fn from(saved: SavedPin) -> Self {
        let SavedPin { tau, recipe, features, detector, lambda, lambda_in_force } = saved;
        let (tau, lambda) = (tau.clamp(0.0, 1.0), finite(lambda));
        let settings = Settings { tau, features, recipe, detector, lambda };
        Self { settings, lambda: finite(lambda_in_force) }
    }
}
