//! Everything that a user can do to a session, as values.

use std::ffi::OsString;
use std::fmt;
use std::mem::{Discriminant, discriminant};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::compare::CompareMode;
use super::embedding::EmbedCommand;
use super::known::KnownEdit;
use super::map_view::MapView;
use super::saved::SavedState;
use super::saved_path::SavedPath;
use super::sets::{Role, SetId};
use crate::bundle::manifest::Recipe;
use crate::demo::World;
use crate::gpu::DeviceChoice;
use crate::worker::{FitJob, FitMode, ImageId, ImageSource, JobId, OpenModel, Program};

/// A model to load.
#[derive(Clone)]
pub struct ModelSource {
    /// What to call it until it is there.
    pub name: String,
    /// What names it on the command line, for a fit that starts from it.
    pub arguments: Vec<OsString>,
    /// What names it in a session's file.
    pub named: Vec<SavedPath>,
    /// A hash of its files, as soon as it was opened; stays empty for an embedded one.
    pub content: Arc<OnceLock<String>>,
    /// Reads the model from its files; run on a thread of the worker's.
    pub open: OpenModel,
    /// The device that the network is to run on.
    pub device: DeviceChoice,
    /// Whether it comes with names, which hold in place of those that were chosen before.
    pub is_told_names: bool,
}

impl ModelSource {
    /// A model that no session's file can name.
    pub fn unnamed(name: impl Into<String>, open: OpenModel, device: DeviceChoice) -> Self {
        let (name, arguments, named) = (name.into(), Vec::new(), Vec::new());
        Self { name, arguments, named, content: Arc::default(), open, device, is_told_names: false }
    }
}

impl fmt::Debug for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// What changes a session.
#[derive(Clone, Debug)]
pub enum Command {
    /// Opens files and folders.
    OpenPaths(Vec<PathBuf>),
    /// Opens images that are not files.
    OpenSources(Vec<ImageSource>),
    /// Opens scenes of the demo world, drawn where they are not there yet.
    OpenWorld(World),
    /// Loads a model in place of the one in use.
    LoadModel(ModelSource),
    /// Forgets the model in use, so that nothing is judged by it.
    UnloadModel,
    /// Takes images out of the session; undo brings them back.
    Remove(Vec<ImageId>),
    /// Forgets the selected images.
    RemoveSelected,
    /// Selects images; the last is shown.
    Select(Vec<ImageId>),
    /// Sets τ, the relevance above which a token is kept, 0 to 1.
    SetTau(f32),
    /// Moves τ by this much.
    NudgeTau(f32),
    /// Sets λ, or goes back to the model's own.
    SetLambda(Option<f32>),
    /// Chooses the detector, by its id.
    SetDetector(String),
    /// Chooses the recipe, with its own detector.
    SetRecipe(Recipe),
    /// Changes what is known by name.
    Know(KnownEdit),
    /// Says what the images of a set are.
    SetRole(SetId, Role),
    /// Keeps the present setting for comparison with what comes.
    Pin,
    /// Forgets the setting kept for comparison.
    Unpin,
    /// Goes back to the setting kept for comparison.
    RestorePinned,
    /// Draws another detector's curves too, or no longer.
    ToggleOverlay(String),
    /// Lets the work in the background rest, or go on.
    PauseSurveys(bool),
    /// Lets models be fitted, by this program.
    EnableFitting(Program),
    /// Fits a model to a set, or a part of that.
    StartFit(FitJob, FitMode),
    /// Stops the fit.
    StopFit,
    /// Shows these tags' maps alone; none for the union of those that count.
    ShowTags(Vec<usize>),
    /// Adds a tag's map to those on show, or takes it away.
    ToggleTag(usize),
    /// Changes how the map is drawn.
    SetMap(MapView),
    /// Shows or hides the map.
    ToggleMap,
    /// Shows something beside the image; nothing if it was there already.
    ShowBeside(CompareMode),
    /// Sets the second τ.
    SetTauBeside(f32),
    /// Moves the second τ by this much.
    NudgeTauBeside(f32),
    /// Takes the notice in the status bar away; it stays in the log.
    DismissNotice,
    /// Stops a job.
    Cancel(JobId),
    /// Stops every job.
    CancelAll,
    /// Makes or changes the map of features.
    Embed(EmbedCommand),
    /// Writes the report of `evaluate` on the open sets into a folder.
    WriteReport(PathBuf),
    /// One step back.
    Undo,
    /// One step forward.
    Redo,
    /// Opens what was saved in place of what is open.
    Restore(Box<SavedState>),
}

impl Command {
    /// Which slider sends it, if one does: its values on the way are one step of undo.
    pub(super) fn slider(&self) -> Option<Discriminant<Self>> {
        let slides = matches!(self, Self::SetTau(_) | Self::NudgeTau(_) | Self::SetLambda(Some(_)));
        slides.then(|| discriminant(self))
    }
}
