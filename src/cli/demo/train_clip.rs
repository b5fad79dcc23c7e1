//! `demo train-clip`: the embedded CLIP, from scratch.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use burn::tensor::Device;
use clap::Args;

use crate::bundle::{Bundle, Precision, known};
use crate::cli::CliResult;
use crate::cli::output::{note, say};
use crate::demo::clip::{
    self, ClipTrainConfig, DetectorQuality, HeldOut, ImageLosses, ImageTrainer, TextTrainer, judge,
};
use crate::demo::train::checkpoint_path;
use crate::fit::checkpoint;
use crate::fit::clipn::ClipFolder;
use crate::gpu::{self, DeviceChoice};
use crate::image::Normalisation;
use crate::nn::source::Source;
use crate::pipeline::Pipeline;

/// Seed of validation scenes; training and evaluation use others.
const VALIDATION_SEED: u64 = 0x7E57;

/// Validation scenes.
const VALIDATION_SCENES: u64 = 320;

/// Arguments of `demo train-clip`.
#[derive(Args)]
pub(super) struct TrainClipArgs {
    /// Folder for the checkpoints; a training that was interrupted there goes on
    #[arg(long, value_name = "DIR")]
    work: PathBuf,
    /// Folder for the trained CLIP, as open_clip has them, which must not exist yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Optimizer steps of the image side
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Optimizer steps of the text side
    #[arg(long, value_name = "N")]
    text_steps: Option<usize>,
    /// Scenes in a step
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Largest learning rate
    #[arg(long, value_name = "X")]
    learning_rate: Option<f64>,
    /// Where to compute
    #[arg(long, value_name = "auto|gpu|cpu", default_value_t)]
    device: DeviceChoice,
}

impl TrainClipArgs {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// If the device fails or a file cannot be written.
    pub(super) fn run(self) -> CliResult {
        let device = gpu::compute(self.device)?.device;
        std::fs::create_dir_all(&self.work)
            .with_context(|| format!("cannot make the folder {}", self.work.display()))?;
        let (json, shape) = clip::vocabulary();
        let defaults = ClipTrainConfig::new(shape);
        let config = ClipTrainConfig {
            steps: self.steps.unwrap_or(defaults.steps),
            text_steps: self.text_steps.unwrap_or(defaults.text_steps),
            batch: self.batch.unwrap_or(defaults.batch),
            learning_rate: self.learning_rate.unwrap_or(defaults.learning_rate),
            ..defaults
        };
        let text = self.work.join("text.safetensors");
        if !text.exists() {
            train_text(&config, &json, &text, &device)?;
        }
        let trainer = self.train_image(&config, &json, &text, &device)?;
        write(&trainer, &config, &json, &self.out)?;
        say!("the CLIP: {}", self.out.display())?;
        Ok(ExitCode::SUCCESS)
    }

    fn train_image(
        &self,
        config: &ClipTrainConfig,
        json: &str,
        text: &Path,
        device: &Device,
    ) -> anyhow::Result<ImageTrainer> {
        let tokenizer = || clip::tokenizer_of(json, &config.clip);
        let checkpoint = checkpoint_path(&self.work);
        let mut trainer = match checkpoint.exists() {
            true => ImageTrainer::resume(config.clone(), tokenizer()?, &checkpoint, device)?,
            false => ImageTrainer::new(config.clone(), tokenizer()?, &Source::open(text)?, device)?,
        };
        let started = Instant::now();
        let (first, mut mean) = (trainer.steps(), None::<ImageLosses>);
        for batch in clip::batches(config, first) {
            let losses = trainer.step(&batch)?;
            let recent = mean.map_or(losses, |mean| mean.followed_by(&losses, 0.05));
            mean = Some(recent);
            let step = trainer.steps();
            if step.is_multiple_of(50) || step == config.steps {
                let pace = started.elapsed().as_secs_f32() / (step - first) as f32;
                note!("step {step}/{}  {recent}  {pace:.2} s/step", config.steps);
            }
            if step.is_multiple_of(250) || step == config.steps {
                trainer.save(&checkpoint)?;
                note!("{}", self.validate(&trainer, config, json)?);
            }
        }
        Ok(trainer)
    }

    /// How well the detectors do on scenes that are not trained on, on one line. The model is judged as
    /// it will be written.
    fn validate(
        &self,
        trainer: &ImageTrainer,
        config: &ClipTrainConfig,
        json: &str,
    ) -> anyhow::Result<String> {
        let path = self.work.join("validated");
        if path.exists() {
            std::fs::remove_dir_all(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
        write(trainer, config, json, &path)?;
        let mut pipeline = Pipeline::load(&Bundle::open(&path)?, &gpu::compute(self.device)?)?;
        let held_out = HeldOut::see(&pipeline, VALIDATION_SEED, VALIDATION_SCENES)?;
        let found = judge(&mut pipeline, &held_out, known::DEFAULT_TEMPLATE, 10)?;
        let of = |found: &DetectorQuality| format!("  {} {:.3}", found.detector, found.auroc);
        Ok(found.iter().map(of).collect())
    }
}

/// Writes the CLIP as open_clip has them.
fn write(
    trainer: &ImageTrainer,
    config: &ClipTrainConfig,
    json: &str,
    path: &Path,
) -> anyhow::Result<()> {
    let model = ClipFolder {
        tensors: &trainer.weights(),
        precision: Precision::Single,
        shape: &config.clip,
        normalisation: Normalisation::CLIP,
        tokenizer: Some(json.as_bytes()),
    };
    Ok(model.write(path)?)
}

fn train_text(
    config: &ClipTrainConfig,
    json: &str,
    path: &Path,
    device: &Device,
) -> anyhow::Result<()> {
    let tokenizer = clip::tokenizer_of(json, &config.clip)?;
    let mut trainer = TextTrainer::new(config.clone(), tokenizer, device)?;
    let started = Instant::now();
    trainer.train(&mut |step, loss| {
        if step.is_multiple_of(50) {
            let pace = started.elapsed().as_secs_f32() / step as f32;
            note!("text step {step}/{}  loss {loss:.3}  {pace:.2} s/step", config.text_steps);
        }
    })?;
    Ok(checkpoint::write(path, &trainer.weights())?)
}
