//! A whole training of a no side: epochs, log, state on disk, resuming.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::tensor::Device;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::config::{ClipnConfig, Crops};
use super::error::ClipnError;
use super::images::Reading;
use super::pairs::{PairImage, Pairs};
use super::trainer::{LossValues, NoSideTrainer};
use crate::fit::checkpoint;
use crate::fit::optimizer::NamedTensor;
use crate::image::Normalisation;
use crate::nn::clip::ClipConfig;
use crate::nn::clip::tokenizer::Tokenizer;
use crate::nn::source::Source;

const STATE: &str = "last.safetensors";
const SETTINGS: &str = "settings.json";
const LOG: &str = "log.jsonl";

/// Steps between two states on disk, besides those at the ends of epochs.
const KEPT_EVERY: usize = 100;

/// Images that are encoded together.
const ENCODED: usize = 32;

/// Pairs that are judged together, so that each is set against as many others as can be followed.
const JUDGED: usize = 256;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipnLog {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Epochs of the run.
    pub epochs: usize,
    /// Mean total loss.
    pub loss: f64,
    /// Mean image-text binary-opposite loss of matching pairs.
    pub matching: f64,
    /// Mean image-text binary-opposite loss of all others.
    pub others: f64,
    /// Mean text semantic-opposite loss.
    pub opposite: f64,
    /// Total loss of the held-out pairs.
    pub validation_loss: f64,
    /// Share of held-out pairs whose text the no side does not deny, 0 to 1.
    pub agreed: f64,
    /// Share of held-out images with other pairs' texts that the no side denies, 0 to 1.
    pub denied: f64,
    /// Learning rate at the epoch's end.
    pub lr: f64,
    /// Time of the epoch in seconds.
    pub seconds: f64,
}

/// Who looks on.
pub struct ClipnWatch<'a> {
    /// Told of images that were encoded ahead of the training, and of how many there are.
    pub on_encoded: &'a mut dyn FnMut(usize, usize),
    /// Told of each step, and of how many there are.
    pub on_step: &'a mut dyn FnMut(usize, usize, &LossValues),
    /// Told of each epoch.
    pub on_epoch: &'a mut dyn FnMut(&ClipnLog),
    /// Asked before each step; once true, training stops, to be resumed later.
    pub cancelled: &'a AtomicBool,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum ClipnOutcome {
    /// The trained CLIP's tensors, under their published names.
    Trained(Vec<NamedTensor>),
    /// It was stopped after this many of all steps.
    Stopped {
        /// Steps done.
        step: usize,
        /// Of how many.
        steps: usize,
    },
}

/// A training that is kept in a folder, so that it can be taken up after a kill.
pub struct ClipnRun<'a> {
    /// How to train.
    pub config: ClipnConfig,
    /// The model's shape, with its no side.
    pub shape: &'a ClipConfig,
    /// Its weights, with a no side to begin with; see [`with_no_side`](super::with_no_side).
    pub weights: &'a Source,
    /// What its pixels are normalised by.
    pub normalisation: Normalisation,
    /// Its tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// What to train on.
    pub pairs: &'a Pairs,
    /// Where state and log are kept.
    pub folder: &'a Path,
}

/// What a run was, so that another is not mistaken for it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct ClipnIdentity {
    config: ClipnConfig,
    shape: ClipConfig,
    pairs: usize,
    /// Of all images' places and texts.
    checksum: String,
    /// Of the yes side's projection, which is another's in every model.
    weights: String,
}

/// What is done and where.
struct RunningClipn<'a> {
    run: &'a ClipnRun<'a>,
    trainer: NoSideTrainer,
    tokens: Vec<Vec<u32>>,
    /// Unit features of all images, where they are the same in every epoch; empty for those that
    /// cannot be read.
    encoded: Option<Vec<Vec<f32>>>,
    unreadable: std::collections::BTreeMap<usize, String>,
}

impl ClipnRun<'_> {
    /// Trains to the end, from where an earlier run stopped if `resume`. Returns what came of it and
    /// what is wrong with images that cannot be read, which are left out.
    ///
    /// # Errors
    /// If a text cannot be encoded, no image can be read, the loss is no longer a number, the device or
    /// the disk fails, or what is in the folder is of another run.
    pub fn train(
        &self,
        device: &Device,
        resume: bool,
        watch: &mut ClipnWatch,
    ) -> Result<(ClipnOutcome, Vec<String>), ClipnError> {
        let (held_out, trained) = self.split();
        if trained.len() < 2 {
            return Err(ClipnError::TooFew(self.pairs.pairs.len()));
        }
        let texts = self.pairs.pairs.iter().map(|pair| Ok(self.tokenizer.tokens(&pair.text)?.ids));
        let tokens = texts.collect::<Result<_, ClipnError>>()?;
        let (trainer, mut progress) = self.start(device, resume)?;
        let (encoded, unreadable) = (None, Default::default());
        let mut work = RunningClipn { run: self, trainer, tokens, encoded, unreadable };
        let batches = self.batches(trained.len());
        let steps = batches * self.config.epochs;
        if !work.encode_ahead(watch)? {
            return Ok((ClipnOutcome::Stopped { step: work.trainer.steps(), steps }, Vec::new()));
        }
        for epoch in progress.log.len()..self.config.epochs {
            let started = Instant::now();
            let order = self.order(&trained, epoch);
            for batch in progress.batch..batches {
                let step = epoch * batches + batch;
                if watch.cancelled.load(Ordering::Relaxed) {
                    work.keep(&progress)?;
                    let unreadable = work.unreadable.into_values().collect();
                    return Ok((ClipnOutcome::Stopped { step, steps }, unreadable));
                }
                let rows = part(&order, batches, batch);
                let lr = self.config.lr_at(step, steps);
                let (image, rows) = work.features(rows, epoch)?;
                if rows.len() > 1 {
                    let texts: Vec<Vec<u32>> =
                        rows.iter().map(|&row| work.tokens[row].clone()).collect();
                    let values = work.trainer.step(&image, &texts, lr)?;
                    if !values.total.is_finite() {
                        return Err(ClipnError::Diverged { epoch: epoch + 1, lr: self.config.lr });
                    }
                    progress.add(&values, rows.len());
                    (watch.on_step)(step + 1, steps, &values);
                }
                progress.batch = batch + 1;
                if progress.batch.is_multiple_of(KEPT_EVERY) && progress.batch < batches {
                    work.keep(&progress)?;
                }
            }
            if progress.pairs == 0 {
                let first = work.unreadable.into_values().next().unwrap_or_default();
                return Err(ClipnError::NoImage(first));
            }
            let line = work.line(&progress, &held_out, epoch, steps, started)?;
            (watch.on_epoch)(&line);
            progress.next_epoch(line);
            work.keep(&progress)?;
        }
        let unreadable = work.unreadable.into_values().collect();
        Ok((ClipnOutcome::Trained(work.trainer.weights()), unreadable))
    }

    /// Steps in an epoch; the last batch is not left with one pair, which has no others.
    fn batches(&self, pairs: usize) -> usize {
        pairs.div_ceil(self.config.batch.max(2)).min(pairs / 2).max(1)
    }

    /// Pairs that are held out, and the others.
    fn split(&self) -> (Vec<usize>, Vec<usize>) {
        let mut all: Vec<usize> = (0..self.pairs.pairs.len()).collect();
        let share = self.config.validation.clamp(0.0, 0.5);
        let count = (all.len() as f64 * share).round() as usize;
        all.shuffle(&mut ChaCha8Rng::seed_from_u64(self.config.seed));
        let mut trained = all.split_off(count);
        trained.sort_unstable();
        (all, trained)
    }

    fn order(&self, trained: &[usize], epoch: usize) -> Vec<usize> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed);
        rng.set_stream(epoch as u64 + 1);
        let mut order = trained.to_vec();
        order.shuffle(&mut rng);
        order
    }

    /// Where the training begins: anew, or where an earlier run stopped.
    fn start(
        &self,
        device: &Device,
        resume: bool,
    ) -> Result<(NoSideTrainer, RunProgress), ClipnError> {
        let folder = self.folder;
        let (state, settings) = (folder.join(STATE), folder.join(SETTINGS));
        let identity = self.identity()?;
        if !state.exists() {
            std::fs::create_dir_all(folder).map_err(io("cannot make the folder", folder))?;
            let text = serde_json::to_string_pretty(&identity).unwrap_or_default();
            let failed = io("cannot keep the training's settings", &settings);
            crate::fs::write(&settings, text).map_err(failed)?;
            let trainer = NoSideTrainer::new(self.shape, self.weights, &self.config, device)?;
            return Ok((trainer, RunProgress::default()));
        }
        if !resume {
            return Err(ClipnError::Unfinished(folder.to_owned()));
        }
        let other = || ClipnError::OtherRun(folder.to_owned());
        let text = std::fs::read_to_string(settings).unwrap_or_default();
        if serde_json::from_str::<ClipnIdentity>(&text).ok() != Some(identity) {
            return Err(other());
        }
        let source = Source::open(&state)?;
        let shape = source.shape("progress").unwrap_or_default();
        let numbers = source.read("progress", &shape)?;
        // The log may be an epoch ahead of the state, if the kill came between the two.
        let text = std::fs::read_to_string(folder.join(LOG)).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        let done = numbers.first().copied().unwrap_or_default() as usize;
        let progress = RunProgress::of(&numbers, lines.take(done).collect()).ok_or_else(other)?;
        let (shape, weights) = (self.shape, self.weights);
        let trainer = NoSideTrainer::resume(shape, weights, &source, &self.config, device)?;
        Ok((trainer, progress))
    }

    fn identity(&self) -> Result<ClipnIdentity, ClipnError> {
        let mut hash = blake3::Hasher::new();
        for pair in &self.pairs.pairs {
            hash.update(format!("{}\n{}\n", pair.image, pair.text).as_bytes());
        }
        let projection = self.weights.shape("text_projection").unwrap_or_default();
        let values = self.weights.read("text_projection", &projection)?;
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Ok(ClipnIdentity {
            config: self.config.clone(),
            shape: self.shape.clone(),
            pairs: self.pairs.pairs.len(),
            checksum: hash.finalize().to_hex().to_string(),
            weights: blake3::hash(&bytes).to_hex().to_string(),
        })
    }
}

/// Part `index` of `parts` of equal size, but for one.
fn part(order: &[usize], parts: usize, index: usize) -> &[usize] {
    let at = |index: usize| index * order.len() / parts;
    &order[at(index)..at(index + 1)]
}

/// How far a run is.
#[derive(Clone, Debug, Default)]
struct RunProgress {
    log: Vec<ClipnLog>,
    /// Batches of the epoch that are done.
    batch: usize,
    /// Sums over the pairs of the epoch.
    sum: LossValues,
    pairs: usize,
    seconds: f64,
}

impl RunProgress {
    fn add(&mut self, values: &LossValues, pairs: usize) {
        self.sum.add(values, pairs as f64);
        self.pairs += pairs;
    }

    fn next_epoch(&mut self, line: ClipnLog) {
        self.log.push(line);
        *self = Self { log: std::mem::take(&mut self.log), ..Self::default() };
    }

    /// As numbers that a weights file can hold.
    fn numbers(&self) -> Vec<f32> {
        let LossValues { total, matching, others, opposite } = self.sum;
        let counts = [self.log.len(), self.batch, self.pairs].map(|count| count as f32);
        let sums = [total, matching, others, opposite, self.seconds].map(|sum| sum as f32);
        [&counts[..], &sums[..]].concat()
    }

    fn of(numbers: &[f32], log: Vec<ClipnLog>) -> Option<Self> {
        let &[epochs, batch, pairs, total, matching, others, opposite, seconds] = numbers else {
            return None;
        };
        let [total, matching, others, opposite] =
            [total, matching, others, opposite].map(f64::from);
        (log.len() == epochs as usize).then_some(Self {
            log,
            batch: batch as usize,
            sum: LossValues { total, matching, others, opposite },
            pairs: pairs as usize,
            seconds: f64::from(seconds),
        })
    }
}

impl RunningClipn<'_> {
    /// Keeps log and state, in this order, so that a kill in between repeats steps and loses none.
    fn keep(&self, progress: &RunProgress) -> Result<(), ClipnError> {
        let log = self.run.folder.join(LOG);
        let mut text = String::new();
        for line in &progress.log {
            // A struct of numbers always has a JSON form.
            writeln!(text, "{}", serde_json::to_string(line).unwrap_or_default()).ok();
        }
        crate::fs::write(&log, text).map_err(io("cannot keep the training's log", &log))?;
        let mut tensors = self.trainer.state();
        let numbers = progress.numbers();
        tensors.push(("progress".to_owned(), vec![numbers.len()], numbers));
        Ok(checkpoint::write(&self.run.folder.join(STATE), &tensors)?)
    }

    fn reading(&self) -> Reading {
        let config = &self.run.config;
        Reading {
            side: self.run.shape.image.image,
            crops: config.crops,
            seed: config.seed,
            normalisation: self.run.normalisation,
        }
    }

    /// Encodes all images where they are the same in every epoch; false if stopped.
    fn encode_ahead(&mut self, watch: &mut ClipnWatch) -> Result<bool, ClipnError> {
        if self.run.config.crops == Crops::Random {
            return Ok(true);
        }
        let all: Vec<usize> = (0..self.run.pairs.pairs.len()).collect();
        let mut encoded = vec![Vec::new(); all.len()];
        for rows in all.chunks(ENCODED) {
            if watch.cancelled.load(Ordering::Relaxed) {
                return Ok(false);
            }
            let (values, read) = self.encode(rows, 0)?;
            let width = values.len() / read.len().max(1);
            for (row, values) in read.into_iter().zip(values.chunks(width.max(1))) {
                encoded[row] = values.to_vec();
            }
            (watch.on_encoded)(rows.last().map_or(0, |last| last + 1), all.len());
        }
        self.encoded = Some(encoded);
        Ok(true)
    }

    /// Unit features of some rows' images, and the rows that they are of: those that can be read.
    fn features(
        &mut self,
        rows: &[usize],
        epoch: usize,
    ) -> Result<(Vec<f32>, Vec<usize>), ClipnError> {
        if let Some(encoded) = &self.encoded {
            let rows: Vec<usize> =
                rows.iter().copied().filter(|&row| !encoded[row].is_empty()).collect();
            return Ok((rows.iter().flat_map(|&row| encoded[row].clone()).collect(), rows));
        }
        let (mut values, mut read) = (Vec::new(), Vec::new());
        for rows in rows.chunks(ENCODED) {
            let (more, rows) = self.encode(rows, epoch)?;
            values.extend(more);
            read.extend(rows);
        }
        Ok((values, read))
    }

    fn encode(
        &mut self,
        rows: &[usize],
        epoch: usize,
    ) -> Result<(Vec<f32>, Vec<usize>), ClipnError> {
        let image = |&row: &usize| (row, &self.run.pairs.pairs[row].image);
        let images: Vec<(usize, &PairImage)> = rows.iter().map(image).collect();
        let reading = self.reading();
        let (mut pixels, mut read) = (Vec::new(), Vec::new());
        for ((row, _), found) in images.iter().zip(reading.read(&images, epoch)) {
            match found {
                Ok(values) => {
                    pixels.extend(values);
                    read.push(*row);
                }
                Err(error) => {
                    self.unreadable.insert(*row, error);
                }
            }
        }
        match read.is_empty() {
            true => Ok((Vec::new(), read)),
            false => Ok((self.trainer.image_features(pixels, reading.side)?, read)),
        }
    }

    fn line(
        &mut self,
        progress: &RunProgress,
        held_out: &[usize],
        epoch: usize,
        steps: usize,
        started: Instant,
    ) -> Result<ClipnLog, ClipnError> {
        let (mut judged, mut shares, mut count) = (LossValues::default(), [0.0; 2], 0.0);
        for rows in held_out.chunks(JUDGED) {
            // Cut as before the first epoch, so that epochs can be compared.
            let (image, rows) = self.features(rows, usize::MAX - 1)?;
            if rows.len() < 2 {
                continue;
            }
            let texts: Vec<Vec<u32>> = rows.iter().map(|&row| self.tokens[row].clone()).collect();
            let (values, right) = self.trainer.judge(&image, &texts)?;
            let weight = rows.len() as f64;
            judged.add(&values, weight);
            shares.iter_mut().zip(right).for_each(|(sum, right)| *sum += weight * right);
            count += weight;
        }
        let (pairs, judged_pairs) = (progress.pairs.max(1) as f64, f64::max(count, 1.0));
        let [agreed, denied] = shares.map(|sum| sum / judged_pairs);
        let last = ((epoch + 1) * steps / self.run.config.epochs.max(1)).saturating_sub(1);
        Ok(ClipnLog {
            epoch: epoch + 1,
            epochs: self.run.config.epochs,
            loss: progress.sum.total / pairs,
            matching: progress.sum.matching / pairs,
            others: progress.sum.others / pairs,
            opposite: progress.sum.opposite / pairs,
            validation_loss: judged.total / judged_pairs,
            agreed,
            denied,
            lr: self.run.config.lr_at(last, steps),
            seconds: progress.seconds + started.elapsed().as_secs_f64(),
        })
    }
}

fn io<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(std::io::Error) -> ClipnError + use<'a> {
    move |source| ClipnError::Io { action, source, path: path.to_owned() }
}
