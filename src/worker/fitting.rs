//! Fitting a model to an open set: the program's own `fit`, run beside the window, so that nothing it
//! does can stop the window, and a stop or a crash of either loses at most an epoch.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Outbox;
use super::message::Event;
use crate::bundle::manifest::Recipe;
use crate::fit::train::EpochLog;
use crate::fs;

/// The proposed vocabulary, in the folder of the training's state.
const PROPOSAL: &str = "vocabulary.tsv";
/// Between two looks at the training's log.
const LOOK_EVERY: Duration = Duration::from_millis(250);

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

/// What the training has written so far.
#[derive(Clone, Debug, Default)]
pub struct FitProgress {
    /// Epochs of the projector.
    pub projector: Vec<EpochLog>,
    /// Epochs of the second projector, trained with cross-entropy alone.
    pub cross_entropy: Vec<EpochLog>,
    /// The proposed vocabulary with its counts, a class a line.
    pub vocabulary: Option<String>,
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
    child: Option<Arc<Mutex<Child>>>,
}

impl FitProcess {
    pub fn new(outbox: Outbox) -> Self {
        Self { outbox, child: None }
    }

    /// Starts or stops the process; how far it is comes as [`Event::Fit`].
    pub fn handle(&mut self, request: FitRequest) {
        match request {
            FitRequest::Start { run, program, job, mode } => {
                self.stop();
                let folder = work_folder(&job.out);
                if let Err(error) = self.start(run, &program, job, mode) {
                    let (state, progress) = (FitState::Failed(error), read_progress(&folder));
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
        job: FitJob,
        mode: FitMode,
    ) -> Result<(), String> {
        let child = command(program, &job, mode).and_then(|mut command| command.spawn());
        let child = child.map_err(|error| {
            format!("cannot start the training: {error}: {}", program.path.display())
        })?;
        let child = Arc::new(Mutex::new(child));
        self.child = Some(child.clone());
        let outbox = self.outbox.clone();
        let thread = std::thread::Builder::new().name("fit".into());
        let watch = move || watch(&child, (&job.out, mode, run), &outbox);
        thread.spawn(watch).map_err(|error| {
            self.stop();
            format!("cannot watch the training: {error}")
        })?;
        Ok(())
    }

    fn stop(&mut self) {
        let Some(child) = self.child.take() else { return };
        let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = child.kill() {
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
    command.arg("--epochs").arg(job.epochs.to_string()).arg("--quiet");
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
    if mode == FitMode::Resume {
        command.arg("--resume");
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    Ok(command)
}

/// Where the training keeps its state, beside the bundle.
fn work_folder(out: &Path) -> PathBuf {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    out.with_file_name(format!("{name}.fit"))
}

fn watch(child: &Mutex<Child>, (out, mode, run): (&Path, FitMode, u64), outbox: &Outbox) {
    let folder = work_folder(out);
    loop {
        std::thread::sleep(LOOK_EVERY);
        let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = child.try_wait();
        let state = match &ended {
            Ok(None) => FitState::Running,
            // 3: some images could not be read; the bundle is there all the same.
            Ok(Some(status)) if matches!(status.code(), Some(0 | 3)) => match mode {
                FitMode::Propose => FitState::Proposed,
                FitMode::Train | FitMode::Resume => FitState::Done,
            },
            Ok(Some(status)) => {
                let mut text = String::new();
                let read = child.stderr.as_mut().map(|pipe| pipe.read_to_string(&mut text));
                let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
                let said = last.filter(|_| matches!(read, Some(Ok(_))));
                FitState::Failed(said.map_or_else(|| status.to_string(), str::to_owned))
            }
            Err(error) => FitState::Failed(error.to_string()),
        };
        drop(child);
        let running = state == FitState::Running;
        outbox.send(Event::Fit { run, state, progress: read_progress(&folder) });
        if !running {
            return;
        }
    }
}

fn read_progress(folder: &Path) -> FitProgress {
    let log = |name: &str| -> Vec<EpochLog> {
        let text = std::fs::read_to_string(folder.join(name).join("log.jsonl"));
        let text = text.unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    FitProgress {
        projector: log("projector"),
        cross_entropy: log("projector_ce"),
        vocabulary: std::fs::read_to_string(folder.join(PROPOSAL)).ok(),
    }
}
