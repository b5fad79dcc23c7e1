//! Fitting a model to an open set: the program's own `fit`, run beside the window, so that nothing it
//! does can stop the window, and a stop or a crash of either loses at most an epoch.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::message::Event;
use super::{Outbox, lock};
use crate::bundle::manifest::Recipe;
use crate::fit::message::{FitMessage, TrainedProjector};
use crate::fit::quality::Quality;
use crate::fit::train::{EpochLog, PROJECTOR, TrainRun};
use crate::fit::vocabulary::ProposedClass;
use crate::fs;

/// The proposed vocabulary, in the folder of the training's state.
const PROPOSAL: &str = "vocabulary.tsv";
/// How often to look whether a process whose output has ended is gone.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How `fit` is started.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// This program.
    pub path: PathBuf,
    /// What names the model to start from; nothing for the embedded one.
    pub model: Vec<OsString>,
}

/// What to fit.
#[derive(Clone, Debug, PartialEq)]
pub struct FitJob {
    /// The folder of class folders.
    pub id: PathBuf,
    /// The bundle's folder.
    pub out: PathBuf,
    /// The training's recipe.
    pub recipe: Recipe,
    /// Passes over the images.
    pub epochs: u32,
    /// Classes and their tags as the user left them, lines `CLASS<tab>TAG`; the proposal if `None`.
    pub vocabulary: Option<String>,
}

/// Which part of a fit to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FitMode {
    /// Tags the images and proposes a vocabulary, to be looked over.
    Propose,
    /// All of it.
    Train,
    /// All of it from the first epoch, whatever an earlier one has kept; what was tagged stays.
    Anew,
    /// What is left of one that stopped.
    Resume,
}

/// How far a fit is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum FitState {
    /// None was started.
    #[default]
    Idle,
    /// It runs.
    Running,
    /// The user stopped it; it can be taken up again.
    Stopped,
    /// The vocabulary is proposed.
    Proposed,
    /// It ended; the bundle is there.
    Done,
    /// It failed; the sentence says why.
    Failed(String),
}

/// What the training has told so far.
#[derive(Clone, Debug, Default)]
pub struct FitProgress {
    /// Images that were tagged or cannot be read, and all of them.
    pub tagged: Option<[usize; 2]>,
    /// Images that cannot be read and are left out.
    pub failed: usize,
    /// The proposed vocabulary with its counts.
    pub vocabulary: Option<Vec<ProposedClass>>,
    /// Epochs of the projector.
    pub projector: Vec<EpochLog>,
    /// Epochs of the second projector, trained with cross-entropy alone.
    pub cross_entropy: Vec<EpochLog>,
    /// What the held-out images say of the model that was written.
    pub quality: Option<Quality>,
}

impl FitProgress {
    /// Takes in what the process says; the reason, if it says that it fails.
    fn take(&mut self, message: FitMessage) -> Option<String> {
        match message {
            FitMessage::Tagging { done, total, failed } => {
                (self.tagged, self.failed) = (Some([done, total]), failed);
            }
            FitMessage::Proposed { classes } => self.vocabulary = Some(classes),
            FitMessage::Epoch { projector, log } => {
                let epochs = match projector {
                    TrainedProjector::Main => &mut self.projector,
                    TrainedProjector::CrossEntropy => &mut self.cross_entropy,
                };
                // The last epoch before a stop may be told twice.
                epochs.retain(|earlier| earlier.epoch < log.epoch);
                epochs.push(log);
            }
            FitMessage::Written { failed, quality, .. } => {
                (self.failed, self.quality) = (failed, quality);
            }
            FitMessage::Decomposing { .. } => {}
            FitMessage::Failed { reason } => return Some(reason),
        }
        None
    }
}

/// What the session asks of the process.
pub enum FitRequest {
    /// Starts a fit, or takes one up where it stopped.
    Start {
        /// Events carry it: the last words of a training that was stopped are none of the next.
        run: u64,
        /// How to start it.
        program: Program,
        /// What to fit.
        job: FitJob,
        /// Which part of it.
        mode: FitMode,
    },
    /// Stops it; what it has kept stays.
    Stop,
}

/// The process, if one runs.
pub(super) struct FitProcess {
    outbox: Outbox,
    running: Option<Running>,
}

struct Running {
    child: Arc<Mutex<Child>>,
    /// The process stops by itself when this closes: with the window, however that ends.
    _alive: Option<ChildStdin>,
}

impl FitProcess {
    pub(super) fn new(outbox: Outbox) -> Self {
        Self { outbox, running: None }
    }

    /// Starts or stops the process; how far it is comes as [`Event::Fit`].
    pub(super) fn handle(&mut self, request: FitRequest) {
        match request {
            FitRequest::Start { run, program, job, mode } => {
                self.stop();
                if let Err(error) = self.start(run, &program, &job, mode) {
                    let (state, progress) = (FitState::Failed(error), FitProgress::default());
                    self.outbox.send(Event::Fit { run, state, progress });
                }
            }
            FitRequest::Stop => self.stop(),
        }
    }

    fn start(
        &mut self,
        run: u64,
        program: &Program,
        job: &FitJob,
        mode: FitMode,
    ) -> Result<(), String> {
        let failed = |error: std::io::Error| {
            format!("cannot start the training: {error}: {}", program.path.display())
        };
        let child = command(program, job, mode).and_then(|mut command| command.spawn());
        let mut child = child.map_err(failed)?;
        let alive = child.stdin.take();
        let (out, errors) = (child.stdout.take(), child.stderr.take());
        let child = Arc::new(Mutex::new(child));
        self.running = Some(Running { child: child.clone(), _alive: alive });
        let outbox = self.outbox.clone();
        let thread = std::thread::Builder::new().name("fit".into());
        let watch = move || {
            let tell = |state, progress| outbox.send(Event::Fit { run, state, progress });
            watch(&child, (out, errors), mode, &tell);
        };
        thread.spawn(watch).map(drop).map_err(|error| {
            self.stop();
            failed(error)
        })
    }

    fn stop(&mut self) {
        let Some(running) = self.running.take() else { return };
        // What it has kept stays: files are written whole.
        if let Err(error) = lock(&running.child).kill() {
            log::warn!("cannot stop the training: {error}");
        }
    }
}

impl Drop for FitProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

fn command(program: &Program, job: &FitJob, mode: FitMode) -> std::io::Result<Command> {
    let mut command = Command::new(&program.path);
    command.arg("fit").args(&program.model).arg("--id").arg(&job.id).arg("--out").arg(&job.out);
    command.arg("--recipe").arg(job.recipe.to_string());
    command.arg("--epochs").arg(job.epochs.to_string()).arg("--messages");
    let work = work_folder(&job.out);
    std::fs::create_dir_all(&work)?;
    match (mode, &job.vocabulary) {
        (FitMode::Propose, _) => drop(command.arg("--propose").arg(work.join(PROPOSAL))),
        (_, Some(vocabulary)) => {
            let file = work.join("vocabulary.edited.tsv");
            fs::write(&file, vocabulary)?;
            command.arg("--vocabulary").arg(file);
        }
        (_, None) => {}
    }
    match mode {
        FitMode::Resume => drop(command.arg("--resume")),
        FitMode::Anew => drop(command.arg("--anew")),
        FitMode::Propose | FitMode::Train => {}
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

/// How many epochs a training to this bundle has kept that was cut off; 0 where there is none.
pub fn epochs_cut_off(out: &Path) -> usize {
    let folder = work_folder(out).join(PROJECTOR);
    let is_cut_off = TrainRun::is_kept(&folder) && !fs::is_occupied(out);
    if is_cut_off { TrainRun::kept_epochs(&folder).len() } else { 0 }
}

/// Where the training keeps its state, beside the bundle.
fn work_folder(out: &Path) -> PathBuf {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    out.with_file_name(format!("{name}.fit"))
}

/// Passes on what the process says, until it ends.
fn watch(
    child: &Mutex<Child>,
    (out, errors): (Option<impl Read>, Option<impl Read + Send + 'static>),
    mode: FitMode,
    tell: &dyn Fn(FitState, FitProgress),
) {
    let last_error = errors.map(spawn_last_line);
    let (mut progress, mut reason) = (FitProgress::default(), None);
    let lines = out.map(|out| BufReader::new(out).lines().map_while(Result::ok));
    for line in lines.into_iter().flatten() {
        match FitMessage::from_line(&line) {
            Ok(message) => reason = progress.take(message).or(reason),
            Err(error) => log::warn!("the training says what is not understood ({error}): {line}"),
        }
        tell(FitState::Running, progress.clone());
    }
    let status = end_of(child);
    let last_error = last_error.and_then(|thread| thread.join().ok()).flatten();
    let state = match (status, mode) {
        // 3: some images could not be read and were left out, as the messages told.
        (Ok(status), mode) if reason.is_none() && matches!(status.code(), Some(0 | 3)) => {
            match mode {
                FitMode::Propose => FitState::Proposed,
                FitMode::Train | FitMode::Anew | FitMode::Resume => FitState::Done,
            }
        }
        (Ok(status), _) => {
            FitState::Failed(reason.or(last_error).unwrap_or_else(|| status.to_string()))
        }
        (Err(error), _) => FitState::Failed(error.to_string()),
    };
    tell(state, progress);
}

/// Waits for the end of a process whose output has ended, and lets it be stopped meanwhile.
fn end_of(child: &Mutex<Child>) -> std::io::Result<ExitStatus> {
    loop {
        match lock(child).try_wait().transpose() {
            Some(status) => return status,
            None => std::thread::sleep(LOOK_EVERY),
        }
    }
}

/// Reads all of it, so that the process never waits, and keeps the last line that says something.
fn spawn_last_line(errors: impl Read + Send + 'static) -> JoinHandle<Option<String>> {
    std::thread::spawn(move || {
        let lines = BufReader::new(errors).lines().map_while(Result::ok);
        lines.filter(|line| !line.trim().is_empty()).last()
    })
}
