//! Fitting a model to an open set: the program's own `fit`, run beside the window, so that nothing it
//! does can stop the window, and a stop or a crash of either loses at most an epoch.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use crate::bundle::manifest::Recipe;
use crate::fit::train::EpochLog;
use crate::fs;
use crate::worker::Wake;

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

struct News {
    /// Which start it comes from: the last words of a training that was stopped are none of the next.
    run: u64,
    progress: FitProgress,
    state: FitState,
}

/// A fit, if there is one.
pub struct Fitting {
    /// How to start it; `None` where the window cannot.
    pub program: Option<Program>,
    /// What is or was fitted.
    pub job: Option<FitJob>,
    /// How far it is.
    pub state: FitState,
    /// What it has written.
    pub progress: FitProgress,
    run: u64,
    child: Option<Arc<Mutex<Child>>>,
    sender: Sender<News>,
    news: Receiver<News>,
}

impl Default for Fitting {
    fn default() -> Self {
        let (sender, news) = crossbeam_channel::unbounded();
        Self {
            program: None,
            job: None,
            state: FitState::Idle,
            progress: FitProgress::default(),
            run: 0,
            child: None,
            sender,
            news,
        }
    }
}

impl Fitting {
    /// Starts a fit, or takes one up where it stopped.
    pub fn start(&mut self, job: FitJob, mode: FitMode, wake: Wake) {
        let Some(program) = &self.program else { return };
        if self.state == FitState::Running {
            return;
        }
        if mode != FitMode::Resume {
            self.progress = FitProgress::default();
        }
        let child = command(program, &job, mode).and_then(|mut command| command.spawn());
        self.job = Some(job.clone());
        match child {
            Ok(child) => {
                let child = Arc::new(Mutex::new(child));
                (self.child, self.state) = (Some(child.clone()), FitState::Running);
                self.run += 1;
                let (sender, run) = (self.sender.clone(), self.run);
                let thread = std::thread::Builder::new().name("fit".into());
                if let Err(error) =
                    thread.spawn(move || watch(&child, (&job.out, mode, run), &sender, &wake))
                {
                    self.stop();
                    self.state = FitState::Failed(format!("cannot watch the training: {error}"));
                }
            }
            Err(error) => {
                self.state = FitState::Failed(format!(
                    "cannot start the training: {error}: {}",
                    program.path.display()
                ));
            }
        }
    }

    /// Stops the training; what it has kept stays.
    pub fn stop(&mut self) {
        let Some(child) = self.child.take() else { return };
        let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = child.kill() {
            log::warn!("cannot stop the training: {error}");
        }
        self.state = FitState::Stopped;
    }

    /// Takes in what the training has written.
    pub(super) fn take_news(&mut self) {
        for News { run, progress, state } in self.news.try_iter() {
            // A stop is the user's; that the process then ends is no news.
            if run == self.run && self.child.is_some() {
                (self.progress, self.state) = (progress, state);
            }
        }
        if self.state != FitState::Running {
            self.child = None;
        }
    }
}

impl Drop for Fitting {
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

fn watch(
    child: &Mutex<Child>,
    (out, mode, run): (&Path, FitMode, u64),
    sender: &Sender<News>,
    wake: &Wake,
) {
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
        if sender.send(News { run, progress: read_progress(&folder), state }).is_err() {
            return;
        }
        wake();
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
