//! A whole training run: epochs, validation, log, best and last weights, resuming.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::checkpoint;
use super::config::TrainConfig;
use super::error::FitError;
use super::objects::Objects;
use super::trainer::{Trainer, accuracy};
use crate::bundle::manifest::Recipe;
use crate::score::distance::{Centers, class_scores};

/// The folder of a bundle's projector in that of its training.
pub const PROJECTOR: &str = "projector";
const STATE: &str = "last.safetensors";
const BEST: &str = "best.safetensors";
const SETTINGS: &str = "settings.json";
const LOG: &str = "log.jsonl";
/// No log or settings of a training have more bytes.
const LARGEST: u64 = 1 << 28;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochLog {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Epochs of the run.
    pub epochs: usize,
    /// Mean total loss.
    pub loss: f64,
    /// Mean cross-entropy.
    pub cross_entropy: f64,
    /// Mean squared distance to the class's center, unweighted.
    pub center: f64,
    /// Accuracy on the training images, 0 to 1, under dropout.
    pub accuracy: f64,
    /// Accuracy on the validation images, 0 to 1.
    pub validation_accuracy: f64,
    /// Mean score of the validation images under the recipe's own detector.
    pub validation_score: f64,
    /// Learning rate at the epoch's end.
    pub lr: f64,
    /// Time of the epoch in seconds.
    pub seconds: f64,
}

/// The rows to train on and those to choose by.
#[derive(Clone, Copy, Debug)]
pub struct TrainRows<'a> {
    /// Rows that are trained on.
    pub train: &'a [usize],
    /// Rows that are held out.
    pub validation: &'a [usize],
}

/// Who looks on.
pub struct TrainWatch<'a> {
    /// Told of each epoch.
    pub on_epoch: &'a mut dyn FnMut(&EpochLog),
    /// Asked before each step; once true, training stops, to be resumed later.
    pub cancelled: &'a AtomicBool,
}

/// A training run that is kept in a folder, so that it can be taken up after a kill.
pub struct TrainRun<'a> {
    /// How to train.
    pub config: TrainConfig,
    /// Whose score is logged.
    pub recipe: Recipe,
    /// The images.
    pub objects: &'a Objects,
    /// Which of them to train on.
    pub rows: TrainRows<'a>,
    /// Where state and log are kept; `None` keeps nothing.
    pub folder: Option<PathBuf>,
}

/// What a run was, so that another is not mistaken for it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Identity {
    config: TrainConfig,
    images: usize,
    tokens: usize,
    /// Sum of all tokens' bits.
    checksum: u64,
}

impl Identity {
    /// What this one, the earlier, has other than the present one, in words.
    fn differences(&self, now: &Self) -> String {
        let values = |config: &TrainConfig| match serde_json::to_value(config) {
            Ok(Value::Object(values)) => values,
            // A struct has fields.
            _ => Map::new(),
        };
        let (earlier, present) = (values(&self.config), values(&now.config));
        let differing = earlier.iter().filter(|(name, value)| present.get(*name) != Some(value));
        let mut told: Vec<String> = differing
            // That follows from the epochs.
            .filter(|(name, _)| {
                *name != "schedule_epochs" || self.config.epochs == now.config.epochs
            })
            .map(|(name, value)| match (value, name.replace('_', " "), present.get(name)) {
                (Value::Object(_) | Value::Array(_), name, _) | (_, name, None) => {
                    format!("another {name}")
                }
                (value, name, Some(now)) => format!("{name} {value} (now {now})"),
            })
            .collect();
        let images = |of: &Self| (of.images, of.tokens, of.checksum);
        if images(self) != images(now) {
            told.push("other images, tags or held-out images".into());
        }
        told.join(", ")
    }
}

impl TrainRun<'_> {
    /// Trains to the end, from where an earlier run stopped if `resume`.
    ///
    /// # Errors
    /// If the loss is no longer a number, the device fails, the disk cannot be written, the user
    /// stops it, or what is in the folder is of another run.
    pub fn train(
        &self,
        device: &Device,
        resume: bool,
        watch: &mut TrainWatch,
    ) -> Result<Trainer, FitError> {
        let (mut trainer, mut log) = self.start(device, resume)?;
        let mut best = log.iter().map(rank).fold((f64::NEG_INFINITY, 0.0), better);
        let steps = self.rows.train.len().div_ceil(self.config.batch.max(1));
        for epoch in log.len()..self.config.epochs {
            let started = Instant::now();
            let go_on = || !watch.cancelled.load(Ordering::Relaxed);
            let report = trainer.epoch(self.objects, self.rows.train, epoch, &go_on)?;
            let Some(report) = report else {
                return Err(FitError::Cancelled { epoch: epoch + 1 });
            };
            let (validation_accuracy, validation_score) = self.validate(&trainer)?;
            let line = EpochLog {
                epoch: epoch + 1,
                epochs: self.config.epochs,
                loss: report.loss,
                cross_entropy: report.cross_entropy,
                center: report.center,
                accuracy: report.accuracy,
                validation_accuracy,
                validation_score,
                lr: self.config.lr_at(((epoch + 1) * steps).saturating_sub(1) as u64, steps),
                seconds: started.elapsed().as_secs_f64(),
            };
            let is_best = better(best, rank(&line)) == rank(&line);
            best = better(best, rank(&line));
            (watch.on_epoch)(&line);
            log.push(line);
            self.keep(&trainer, &log, is_best)?;
        }
        Ok(trainer)
    }

    fn start(&self, device: &Device, resume: bool) -> Result<(Trainer, Vec<EpochLog>), FitError> {
        let fresh = || Trainer::new(self.config.clone(), device);
        let Some(folder) = &self.folder else { return Ok((fresh()?, Vec::new())) };
        let state = folder.join(STATE);
        if !state.exists() {
            std::fs::create_dir_all(folder).map_err(io("cannot make the folder", folder))?;
            let text = serde_json::to_string_pretty(&self.identity()).unwrap_or_default();
            write(&folder.join(SETTINGS), &text)?;
            return Ok((fresh()?, Vec::new()));
        }
        if !resume {
            return Err(FitError::Unfinished(folder.clone()));
        }
        let settings = crate::fs::read_text(&folder.join(SETTINGS), LARGEST).unwrap_or_default();
        let other = |differs| FitError::OtherRun { differs, folder: folder.clone() };
        match serde_json::from_str::<Identity>(&settings).ok() {
            Some(earlier) if earlier == self.identity() => {}
            Some(earlier) => return Err(other(earlier.differences(&self.identity()))),
            None => return Err(other("settings that cannot be read".into())),
        }
        let (trainer, progress) = Trainer::load(self.config.clone(), device, &state)?;
        let done = progress.first().copied().unwrap_or_default() as usize;
        // The log may be an epoch ahead of the state, if the kill came between the two.
        let mut log = Self::kept_epochs(folder);
        log.truncate(done);
        match log.len() == done {
            true => Ok((trainer, log)),
            false => Err(other("a log that ends too early".into())),
        }
    }

    fn identity(&self) -> Identity {
        let objects = self.objects;
        let rows = self.rows.train.iter().chain(self.rows.validation);
        let mut identity =
            Identity { config: self.config.clone(), images: 0, tokens: 0, checksum: 0 };
        for &row in rows {
            identity.images += 1;
            identity.tokens += objects.length(row);
            let bits = objects.tokens(row).iter().map(|value| u64::from(value.to_bits()));
            let sum = bits.fold(objects.labels[row] as u64, u64::wrapping_add);
            identity.checksum = identity.checksum.rotate_left(1).wrapping_add(sum);
        }
        identity
    }

    /// Accuracy and mean score of the held-out images.
    fn validate(&self, trainer: &Trainer) -> Result<(f64, f64), FitError> {
        let rows = self.rows.validation;
        if rows.is_empty() {
            return Ok((0.0, 0.0));
        }
        let projections = trainer.project(self.objects, rows)?;
        let labels: Vec<usize> = rows.iter().map(|&row| self.objects.labels[row]).collect();
        let centers = Centers::new(trainer.centers.values.clone(), trainer.centers.shape)?;
        let mut sum = 0.0;
        for (feature, &row) in projections.features.chunks(centers.width()).zip(rows) {
            let scores = class_scores(feature, &centers)?;
            let largest = |scores: &[f32]| scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            sum += f64::from(match self.recipe {
                Recipe::Paper => largest(&scores.cosine),
                Recipe::Released => largest(&scores.cosine_pattern) * self.objects.tag_scores[row],
            });
        }
        Ok((accuracy(&projections.logits, &labels), sum / rows.len() as f64))
    }

    /// Keeps log, best and last state, in this order, so that a kill in between repeats the epoch.
    fn keep(&self, trainer: &Trainer, log: &[EpochLog], best: bool) -> Result<(), FitError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let mut text = String::new();
        for line in log {
            // A struct of numbers always has a JSON form.
            let line = serde_json::to_string(line).unwrap_or_default();
            writeln!(text, "{line}").ok();
        }
        write(&folder.join(LOG), &text)?;
        if best {
            checkpoint::write(&folder.join(BEST), &trainer.weights())?;
        }
        trainer.save(&folder.join(STATE), vec![log.len() as f32])
    }

    /// Whether a run that was cut off or is done has kept its state in a folder.
    pub fn is_kept(folder: &Path) -> bool {
        Self::last_path(folder).exists()
    }

    /// The epoch whose weights lie at [`TrainRun::best_path`].
    pub fn best_of(epochs: &[EpochLog]) -> Option<&EpochLog> {
        let higher = |a: &(f64, f64), b: &(f64, f64)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1));
        epochs.iter().max_by(|a, b| higher(&rank(a), &rank(b)))
    }

    /// The epochs that an earlier run has kept in its folder.
    pub fn kept_epochs(folder: &Path) -> Vec<EpochLog> {
        let text = crate::fs::read_text(&folder.join(LOG), LARGEST).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The state after the last epoch that was kept: weights, centers and optimizer.
    pub fn last_path(folder: &Path) -> PathBuf {
        folder.join(STATE)
    }

    /// The weights and centers of the epoch with the best validation accuracy; among equals the one
    /// with the higher score, then the later one.
    pub fn best_path(folder: &Path) -> PathBuf {
        folder.join(BEST)
    }
}

fn rank(line: &EpochLog) -> (f64, f64) {
    (line.validation_accuracy, line.validation_score)
}

/// The better of two epochs; the later of equals.
fn better(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    if b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)).is_ge() { b } else { a }
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> FitError {
    move |source| FitError::Io { action, source, path: path.to_owned() }
}

fn write(path: &Path, text: &str) -> Result<(), FitError> {
    crate::fs::write(path, text).map_err(io("cannot keep the training's log", path))
}
