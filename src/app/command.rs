//! Everything a user can do, as values, and the one place where they change the model.

use std::path::PathBuf;

use crate::bundle::manifest::Recipe;
use crate::worker::{ImageId, ImageSource, JobId, Request, Worker};

use super::compare::CompareMode;
use super::embedding::EmbedCommand;
use super::export::Exported;
use super::fitting::{FitJob, FitMode};
use super::sets::Role;
use super::state::{Edit, Job, MapView, Session};

/// What panels, keys and the palette send.
#[derive(Clone, Debug)]
pub enum Command {
    /// Opens files and folders.
    OpenPaths(Vec<PathBuf>),
    /// Opens images that are not files.
    OpenSources(Vec<ImageSource>),
    /// Forgets images.
    Remove(Vec<ImageId>),
    /// Forgets the selected images.
    RemoveSelected,
    /// Selects images; the last is shown.
    Select(Vec<ImageId>),
    /// Sets τ.
    SetTau(f32),
    /// Moves τ by this much.
    NudgeTau(f32),
    /// Sets λ, or goes back to the model's own.
    SetLambda(Option<f32>),
    /// Chooses the detector, by its id.
    SetDetector(String),
    /// Chooses the recipe, with its own detector.
    SetRecipe(Recipe),
    /// Says what the images of a set are, by its name.
    SetRole(String, Role),
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
    /// Shows something beside the image; nothing if it was there already.
    ShowBeside(CompareMode),
    /// Sets the second τ.
    SetTauBeside(f32),
    /// Moves the second τ by this much.
    NudgeTauBeside(f32),
    /// Stops a job.
    Cancel(JobId),
    /// Stops every job.
    CancelAll,
    /// Makes or changes the map of features.
    Embed(EmbedCommand),
    /// Writes results to a file, in the form that its name asks for.
    Export(Exported, PathBuf),
    /// Goes back to an earlier state of the settings.
    Restore(Edit),
    /// What concerns the window and not the model.
    Window(WindowCommand),
}

/// What the window does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowCommand {
    /// Asks for files.
    OpenFiles,
    /// Asks for a folder.
    OpenFolder,
    /// Opens scenes of the procedural world, drawn where they are not there yet.
    OpenWorld,
    /// Asks for a model's folder.
    OpenModel,
    /// Takes the picture from the clipboard.
    PasteImage,
    /// Asks for a session file.
    OpenSession,
    /// Asks where to save the session.
    SaveSession,
    /// Saves the view as PNG.
    SaveView,
    /// Asks where to write results, and writes them.
    Export(Exported),
    /// Copies the view.
    CopyView,
    /// One step back.
    Undo,
    /// One step forward.
    Redo,
    /// Shows the next image of the gallery.
    Next,
    /// Shows the one before.
    Previous,
    /// Selects all images of the gallery.
    SelectAll,
    /// Has the gallery show the selected images alone, or all again.
    OnlySelected,
    /// Has the gallery show the most wrong images first, or as they were opened again.
    MostWrongFirst,
    /// Shows or hides the map.
    ToggleMap,
    /// Fits the image into its panel.
    Fit,
    /// One image pixel on one screen pixel.
    OneToOne,
    /// Opens the palette, or closes it.
    Palette,
    /// Opens the list of keys, or closes it.
    Shortcuts,
    /// Explains the method on this image, or stops.
    Explain,
    /// Dark or light.
    ToggleTheme,
    /// Larger.
    ZoomIn,
    /// Smaller.
    ZoomOut,
    /// As large as designed.
    ZoomReset,
    /// Brings a panel to the front, by its name.
    Show(&'static str),
    /// Loads the model that was fitted.
    UseFit,
    /// The panels as they were at first.
    ResetLayout,
    /// Ends the program.
    Quit,
}

/// On the grid of the step, so that going there and back comes out even.
fn nudged(tau: f32, by: f32) -> f32 {
    (((tau + by) * 100.0).round() / 100.0).clamp(0.0, 1.0)
}

impl Session {
    /// Changes the model as a command says, asking the worker for what follows from it. Commands of
    /// the window are not the model's, nor are those that write files.
    pub fn apply(&mut self, command: Command, worker: &Worker) {
        match command {
            Command::OpenPaths(paths) => {
                let label = match paths.as_slice() {
                    [path] => path.display().to_string(),
                    paths => format!("{} items", paths.len()),
                };
                let job = self.start_job(label);
                worker.ask(Request::AddPaths { job, paths });
            }
            Command::OpenSources(sources) => {
                let label = format!("{} images", sources.len());
                let job = self.start_job(label);
                worker.ask(Request::AddSources { job, sources });
            }
            Command::Remove(images) => self.forget(images, worker),
            Command::RemoveSelected => self.forget(self.selected.clone(), worker),
            Command::Select(images) => {
                self.focus = images.last().copied();
                self.selected = images;
            }
            Command::SetTau(tau) => self.set_tau(tau, worker),
            Command::NudgeTau(by) => {
                self.set_tau(nudged(self.settings.tau, by), worker);
            }
            Command::ShowBeside(beside) => {
                let shown = self.comparison.beside == beside;
                self.comparison.beside = if shown { CompareMode::Nothing } else { beside };
            }
            Command::SetTauBeside(tau) => self.comparison.tau = tau.clamp(0.0, 1.0),
            Command::NudgeTauBeside(by) => {
                self.comparison.tau = nudged(self.comparison.tau, by);
            }
            // A drag over a panel of no width comes to no number.
            Command::SetLambda(Some(lambda)) if lambda.is_nan() => {}
            Command::SetLambda(lambda) => {
                self.settings.lambda = lambda;
                self.decide();
            }
            Command::SetDetector(detector) => {
                // A λ that was set by hand belongs to the scale of another detector.
                (self.settings.detector, self.settings.lambda) = (detector, None);
                self.analyse(worker);
            }
            Command::SetRecipe(recipe) => {
                self.settings.recipe = recipe;
                self.settings.detector = recipe.detector().to_owned();
                self.settings.lambda = None;
                self.analyse(worker);
            }
            Command::SetRole(set, role) => {
                self.roles.insert(set, role);
                self.regroup();
            }
            Command::Pin => self.pin(worker),
            Command::Unpin => self.unpin(),
            Command::RestorePinned => {
                if let Some(pin) = self.tuning.kept_pin() {
                    self.adopt(pin.settings, worker);
                }
            }
            Command::ToggleOverlay(detector) => {
                let overlaid = &mut self.tuning.overlaid;
                if !overlaid.remove(&detector) {
                    overlaid.insert(detector);
                }
            }
            Command::PauseSurveys(paused) => self.tuning.paused = paused,
            Command::StartFit(job, mode) => self.fitting.start(job, mode, worker.waker()),
            Command::StopFit => self.fitting.stop(),
            Command::ShowTags(mut tags) => {
                tags.sort_unstable();
                self.map.tags = tags;
            }
            Command::ToggleTag(tag) => match self.map.tags.binary_search(&tag) {
                Ok(at) => drop(self.map.tags.remove(at)),
                Err(at) => self.map.tags.insert(at, tag),
            },
            Command::SetMap(map) => {
                self.map = map;
            }
            Command::Cancel(job) => worker.ask(Request::Cancel(job)),
            Command::CancelAll => {
                self.tuning.paused |= self.tuning.is_surveying();
                for job in &self.jobs {
                    worker.ask(Request::Cancel(job.id));
                }
                self.embed(EmbedCommand::Stop, worker);
            }
            Command::Embed(command) => self.embed(command, worker),
            Command::Restore(edit) => {
                self.map.tags = edit.tags;
                if self.roles != edit.roles {
                    self.roles = edit.roles;
                    self.regroup();
                }
                self.adopt(edit.settings, worker);
            }
            Command::Window(_) | Command::Export(..) => {}
        }
    }

    fn set_tau(&mut self, tau: f32, worker: &Worker) {
        let tau = tau.clamp(0.0, 1.0);
        if tau != self.settings.tau {
            self.settings.tau = tau;
            self.analyse(worker);
        }
    }

    fn forget(&mut self, images: Vec<ImageId>, worker: &Worker) {
        self.remove(&images);
        worker.ask(Request::Remove(images));
    }

    /// Its images are counted as they are listed.
    pub(super) fn start_job(&mut self, label: String) -> JobId {
        let id = JobId::unique();
        self.jobs.push(Job { id, label, done: 0, total: 0 });
        id
    }
}
