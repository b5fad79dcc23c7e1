//! `demo train`: the embedded tagger, from scratch.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;

use crate::bundle::manifest::{Arch, Manifest, Recipe};
use crate::bundle::vocabulary::{Class, Vocabulary};
use crate::bundle::{BundleFiles, Checksums, Precision, Weights};
use crate::cli::CliResult;
use crate::cli::model::parse_positive;
use crate::cli::output::{note, say};
use crate::demo::train::{self, TaggerLosses, TaggerTrainConfig, TaggerTrainer};
use crate::demo::{ID_CLASSES, TAGS, tag_from_class};
use crate::gpu::{self, DeviceChoice};
use crate::image::Transform;

/// Seed of validation scenes; training, calibration and evaluation use others.
const VALIDATION_SEED: u64 = 0x7E57;

/// Arguments of `demo train`.
#[derive(Args)]
pub(super) struct TrainArgs {
    /// Folder for the checkpoint; a training that was interrupted there goes on
    #[arg(long, value_name = "DIR")]
    work: PathBuf,
    /// The tagger's bundle, written at the end
    #[arg(long, value_name = "BUNDLE")]
    out: Option<PathBuf>,
    /// Optimizer steps
    #[arg(long, default_value_t = TaggerTrainConfig::default().steps)]
    steps: usize,
    /// Scenes in a step
    #[arg(long, default_value_t = TaggerTrainConfig::default().batch)]
    batch: usize,
    /// Largest learning rate
    #[arg(long, default_value_t = TaggerTrainConfig::default().learning_rate, value_parser = parse_positive)]
    learning_rate: f64,
    /// Seed of weights and scenes
    #[arg(long, default_value_t = TaggerTrainConfig::default().seed)]
    seed: u64,
    /// Where to compute
    #[arg(long, value_name = "auto|gpu|cpu", default_value_t)]
    device: DeviceChoice,
}

impl TrainArgs {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// If the device fails or the checkpoint cannot be written.
    pub(super) fn run(self) -> CliResult {
        let device = gpu::compute(self.device)?.device;
        let config = TaggerTrainConfig {
            steps: self.steps,
            batch: self.batch,
            learning_rate: self.learning_rate,
            seed: self.seed,
            ..TaggerTrainConfig::default()
        };
        std::fs::create_dir_all(&self.work)
            .with_context(|| format!("cannot make the folder {}", self.work.display()))?;
        let checkpoint = train::checkpoint_path(&self.work);
        let mut trainer = match checkpoint.exists() {
            true => TaggerTrainer::resume(config.clone(), &device, &checkpoint)?,
            false => TaggerTrainer::new(config.clone(), &device)?,
        };
        let started = Instant::now();
        let (first, mut mean) = (trainer.steps(), None::<TaggerLosses>);
        for batch in train::batches(&config, first) {
            let losses = trainer.step(&batch)?;
            let recent = mean.map_or(losses, |mean| {
                TaggerLosses::default().plus(&mean, 0.95).plus(&losses, 0.05)
            });
            mean = Some(recent);
            let step = trainer.steps();
            if step % 50 == 0 || step == config.steps {
                let pace = started.elapsed().as_secs_f32() / (step - first) as f32;
                note!("step {step}/{}  {recent}  {pace:.2} s/step", config.steps);
            }
            if step % 250 == 0 || step == config.steps {
                trainer.save(&checkpoint)?;
                self.validate(&trainer)?;
            }
        }
        match &self.out {
            Some(out) => self.write(&trainer, out),
            None => Ok(ExitCode::SUCCESS),
        }
    }

    fn validate(&self, trainer: &TaggerTrainer) -> anyhow::Result<()> {
        let device = gpu::compute(self.device)?.device;
        let (ram, swin) = (trainer.snapshot(&device)?, &trainer.config().tagger.swin);
        let precisions = train::average_precisions(&ram, &device, VALIDATION_SEED, 200, swin)?;
        let mean = |tags: std::ops::Range<usize>| {
            let known: Vec<f64> = precisions[tags].iter().copied().flatten().collect();
            known.iter().sum::<f64>() / known.len().max(1) as f64
        };
        let objects = ID_CLASSES.len();
        note!(
            "  validation mAP: objects {:.4}, all tags {:.4}",
            mean(0..objects),
            mean(0..TAGS.len())
        );
        Ok(())
    }

    /// Writes the tagger as a bundle, with thresholds calibrated on scenes of their own.
    fn write(&self, trainer: &TaggerTrainer, out: &std::path::Path) -> CliResult {
        let device = gpu::compute(self.device)?.device;
        let config = trainer.config().tagger.clone();
        let thresholds = train::calibrate(&trainer.snapshot(&device)?, &device, &config.swin)?;
        let mut vocabulary = Vocabulary::numbered(config.tags);
        vocabulary.tags = TAGS.iter().map(|tag| (*tag).to_owned()).collect();
        vocabulary.thresholds = thresholds;
        let class = |(index, name): (usize, &&str)| Class {
            name: (*name).to_owned(),
            tags: vec![tag_from_class(index)],
        };
        vocabulary.set_classes(ID_CLASSES.iter().enumerate().map(class).collect());
        let manifest = Manifest {
            format: crate::bundle::manifest::FORMAT,
            name: "demo world".into(),
            recipe: Recipe::Paper,
            transform: Transform::Ram,
            upright: true,
            tau: crate::bundle::DEFAULT_TAU,
            arch: Arch::Ram,
            tagger: Some(config),
            clip: None,
            projector: None,
            lambda: Vec::new(),
            checksums: Checksums::new(),
        };
        let weights = trainer.weights();
        let files = BundleFiles {
            manifest: &manifest,
            vocabulary: &vocabulary,
            network: (Weights::Values(&weights), Precision::Half),
            clip: None,
            projector: None,
            projector_ce: None,
            statistics: None,
        };
        files.write(out)?;
        say!("the tagger: {}", out.display())?;
        Ok(ExitCode::SUCCESS)
    }
}
