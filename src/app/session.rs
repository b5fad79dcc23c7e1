//! What is kept between two runs: images, settings, layout.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::compare::CompareMode;
use super::embedding::EmbedConfig;
use super::layout::Layout;
use super::sets::Role;
use super::state::{MapView, Session};
use super::tuning::Pin;
use crate::bundle::manifest::Recipe;
use crate::fs;
use crate::panels::map_view::ColorBy;
use crate::pipeline::Settings;
use crate::worker::ImageSource;

/// The version of the file's layout.
const FORMAT: u32 = 1;
/// No session has more bytes: a million long paths.
const LARGEST: u64 = 1 << 28;

/// The panels that there were before sessions named them.
fn first_panels() -> BTreeSet<String> {
    ["gallery", "image", "explain", "verdict", "tags", "scores", "log"].map(str::to_owned).into()
}

/// What can go wrong with a session's file.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The file cannot be read or written.
    #[error("{action}: {source}: {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
        /// The file.
        path: PathBuf,
    },
    /// The file is not a session of this program.
    #[error("not a session of this program ({reason}): {}", path.display())]
    Content {
        /// What is wrong.
        reason: String,
        /// The file.
        path: PathBuf,
    },
}

/// A session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedSession {
    format: u32,
    /// The images' files; those that are no files are not kept.
    pub images: Vec<PathBuf>,
    /// The folders that were opened: what makes sets of the images.
    #[serde(default)]
    pub folders: BTreeSet<PathBuf>,
    /// What the user said of sets, by name.
    #[serde(default)]
    pub roles: BTreeMap<String, Role>,
    /// The file on show.
    pub focus: Option<PathBuf>,
    /// Relevance threshold.
    pub tau: f32,
    /// Decision threshold, if the user set one.
    pub lambda: Option<f32>,
    /// The detector's id.
    pub detector: String,
    /// The recipe.
    pub recipe: Recipe,
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
    /// What its colours mean.
    #[serde(default)]
    pub color_by: ColorBy,
    /// What panels show and how, by their names.
    #[serde(default)]
    pub panels: BTreeMap<String, serde_json::Value>,
    /// The panels' places.
    pub layout: Layout,
    /// The panels that the program knew that saved this: those of them that have no place were closed.
    #[serde(default = "first_panels")]
    pub known_panels: BTreeSet<String>,
    /// Whether the theme is dark.
    pub dark: bool,
    /// Scale of the window's content.
    pub zoom: f32,
}

/// A setting kept for comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedPin {
    /// Relevance threshold.
    pub tau: f32,
    /// The recipe.
    pub recipe: Recipe,
    /// The detector's id.
    pub detector: String,
    /// Decision threshold, if the user had set one.
    pub lambda: Option<f32>,
    /// Decision threshold that was in force.
    pub lambda_in_force: Option<f32>,
}

impl From<Pin> for SavedPin {
    fn from(Pin { settings, lambda }: Pin) -> Self {
        let Settings { tau, recipe, detector, lambda: own } = settings;
        Self { tau, recipe, detector, lambda: own, lambda_in_force: lambda }
    }
}

impl From<SavedPin> for Pin {
    fn from(saved: SavedPin) -> Self {
        let SavedPin { tau, recipe, detector, lambda, lambda_in_force } = saved;
        let settings = Settings { tau: tau.clamp(0.0, 1.0), recipe, detector, lambda };
        Self { settings, lambda: lambda_in_force }
    }
}

/// What of the window is none of the model's.
pub struct Looks {
    /// What colours mean in the map of features.
    pub color_by: ColorBy,
    /// What panels show and how, by their names.
    pub panels: BTreeMap<String, serde_json::Value>,
    /// The panels' places.
    pub layout: Layout,
    /// Whether the theme is dark.
    pub dark: bool,
    /// Scale of the window's content.
    pub zoom: f32,
}

impl SavedSession {
    /// What is open now.
    pub fn of(model: &Session, looks: Looks) -> Self {
        let path = |source: &ImageSource| match source {
            ImageSource::File(path) => Some(path.clone()),
            _ => None,
        };
        let settings = &model.settings;
        Self {
            format: FORMAT,
            images: model.entries().iter().filter_map(|entry| path(&entry.source)).collect(),
            folders: model.roots.clone(),
            roles: model.roles.clone(),
            focus: model.focused().and_then(|entry| path(&entry.source)),
            tau: settings.tau,
            lambda: settings.lambda,
            detector: settings.detector.clone(),
            recipe: settings.recipe,
            map: model.map.clone(),
            beside: model.comparison.beside,
            tau_beside: Some(model.comparison.tau),
            pinned: model.tuning.kept_pin().map(SavedPin::from),
            overlaid: model.tuning.overlaid.clone(),
            paused: model.tuning.paused,
            embedding: model.embedding.config.clone(),
            color_by: looks.color_by,
            panels: looks.panels,
            layout: looks.layout,
            known_panels: crate::panels::all()
                .iter()
                .map(|panel| panel.name().to_owned())
                .collect(),
            dark: looks.dark,
            zoom: looks.zoom,
        }
    }

    /// The settings that were in force.
    pub fn settings(&self) -> Settings {
        Settings {
            tau: self.tau.clamp(0.0, 1.0),
            recipe: self.recipe,
            detector: self.detector.clone(),
            lambda: self.lambda,
        }
    }

    /// Reads a session.
    ///
    /// # Errors
    /// If the file cannot be read or is not a session.
    pub fn read(path: &Path) -> Result<Self, SessionError> {
        let text = fs::read_text(path, LARGEST).map_err(|source| SessionError::Io {
            action: "cannot read the session",
            source,
            path: path.to_owned(),
        })?;
        let bad = |reason: String| SessionError::Content { reason, path: path.to_owned() };
        let session: Self = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        match session.format {
            FORMAT => Ok(session),
            other => Err(bad(format!("its format is {other}, this program reads {FORMAT}"))),
        }
    }

    /// Writes the session, whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), SessionError> {
        let io = |source| SessionError::Io {
            action: "cannot save the session",
            source,
            path: path.to_owned(),
        };
        let text = serde_json::to_string_pretty(self).map_err(|error| SessionError::Content {
            reason: error.to_string(),
            path: path.to_owned(),
        })?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(io)?;
        }
        fs::write(path, text).map_err(io)
    }
}

/// Where the session is saved by itself: the user's data folder. `None` if there is none.
pub fn autosave_path() -> Option<PathBuf> {
    fs::data_folder().map(|folder| folder.join("session.json"))
}
