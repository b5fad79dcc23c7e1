//! `fit`: a folder of classes in, a bundle out.

mod clip;
mod clipn;
mod training;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, ValueEnum};

use super::extract::{cancel_on_ctrl_c, show_progress, tell_passed_over};
use super::model::{MethodArgs, ModelArgs, parse_part, parse_positive, parse_share};
use super::output::{self, note, say};
use super::progress::progress_line;
use super::{CliResult, EXIT_FAULT, EXIT_SOME_FAILED};
use crate::bundle::{Bundle, Precision};
use crate::dataset::Dataset;
use crate::fit::clipn::{ClipnConfig, Crops};
use crate::fit::lambda::TPR;
use crate::fit::message::FitMessage;
use crate::fit::quality::Quality;
use crate::fit::stages::{self, Stored, TrainingData};
use crate::fit::vocabulary;
use crate::fs;
use crate::gpu::Compute;
use crate::pipeline::{FeatureChoice, Pipeline};
use crate::store::{self, ExtractOptions, Progress, Store, StoreHeader};
use crate::worker::one_sentence;

/// Share of each class that is held out, if none is given.
const HELD_OUT: f64 = 0.1;

/// Fits vocabulary, projector, centers, detectors and thresholds to your own classes
///
/// Reads a folder of class folders (or a CSV path,class), tags its images, proposes a tag for each
/// class, trains the projector on the tokens of these objects, and writes a model bundle. State and
/// log lie in OUT.fit beside the bundle; interrupted or killed, --resume goes on where it stood.
#[derive(Args)]
pub(super) struct FitArgs {
    /// What is fitted: the projector of a tagger to classes, or the no side of a CLIP to image–text
    /// pairs (CLIPN)
    #[arg(long = "method", value_name = "tagood|clipn", default_value = "tagood")]
    kind: FitKind,
    /// In-distribution images: a folder with a folder for each class, or a CSV path,class
    #[arg(long, value_name = "FOLDER|CSV", required_if_eq("kind", "tagood"))]
    id: Option<PathBuf>,
    /// Image–text pairs: a folder of images with NAME.txt beside NAME.jpg, a CSV path,caption, or a
    /// WebDataset archive
    #[arg(
        long,
        value_name = "FOLDER|CSV|TAR",
        required_if_eq("kind", "clipn"),
        conflicts_with = "id"
    )]
    pairs: Option<PathBuf>,
    /// With clipn: take the middle of each image in place of a part drawn anew in every epoch, so that
    /// images are encoded once
    #[arg(long, requires = "pairs")]
    no_crops: bool,
    #[command(flatten)]
    options: FitOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FitKind {
    Tagood,
    Clipn,
}

impl FitArgs {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// As [`FitOptions::run`].
    pub(super) fn run(self) -> CliResult {
        match (self.kind, &self.id, &self.pairs) {
            (FitKind::Tagood, Some(id), None) => self.options.run(id),
            (FitKind::Clipn, None, Some(pairs)) => self.options.run_clipn(pairs, self.no_crops),
            (FitKind::Tagood, ..) => bail!("--pairs goes with --method clipn, --id without it"),
            (FitKind::Clipn, ..) => bail!("--method clipn takes --pairs in place of --id"),
        }
    }
}

/// How to fit, whatever to.
#[derive(Args)]
pub(super) struct FitOptions {
    /// The bundle's folder, which must not exist yet
    #[arg(long, value_name = "BUNDLE")]
    pub out: PathBuf,
    /// A feature store to read and add to; one in OUT.fit if not given
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    method: MethodArgs,
    /// Keep the tokens of the class's own tag alone, in place of all in-distribution tags
    #[arg(long)]
    one_tag: bool,
    /// What becomes an image's feature, of a CLIP: the whole image, or the patches of its names above τ
    #[arg(long, value_name = "objects|whole-image")]
    features: Option<FeatureChoice>,
    /// Passes over the images [default: the recipe's: 100, released 99; clipn 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// Images in a training step [default: 256; clipn 2048]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    batch: Option<u32>,
    /// Learning rate at the start [default: 0.01; clipn 0.0003]
    #[arg(long, value_name = "X", value_parser = parse_positive)]
    lr: Option<f64>,
    /// Width of the projector's feed-forward layers
    #[arg(long, alias = "ffn", value_name = "N", default_value_t = 4 * training::WIDTH as u32, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    hidden: u32,
    /// Seed of weights, centers, order and the held-out images
    #[arg(long, value_name = "S", default_value_t = 7)]
    seed: u64,
    /// Share of each class's images that is held out, to choose λ and the best epoch by [default: 0.1;
    /// clipn 0.02 of the pairs]
    #[arg(long, value_name = "0..1", value_parser = parse_part)]
    validation: Option<f64>,
    /// Share of held-out images that λ keeps
    #[arg(long, value_name = "0..1", default_value_t = TPR, value_parser = parse_share)]
    tpr: f64,
    /// Which epoch's weights the bundle gets. The last has the centers that moved longest; the best
    /// is that of the highest validation accuracy
    #[arg(long, value_name = "last|best", default_value = "last")]
    keep: KeepEpoch,
    /// Leave out the second projector, which only the detector ce-cosine needs
    #[arg(long)]
    no_ce: bool,
    /// Stop after the vocabulary: write the proposal to FILE, to be edited
    #[arg(long, value_name = "FILE")]
    propose: Option<PathBuf>,
    /// Store the projectors in 16 bits: half the size
    #[arg(long)]
    half: bool,
    /// What the model is called; the set's name if not given
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Go on with a run that was cut off
    #[arg(long)]
    resume: bool,
    /// Train from the first epoch where a run was cut off; images that it has tagged stay tagged
    #[arg(long, conflicts_with = "resume")]
    anew: bool,
    /// No progress on stderr
    #[arg(long)]
    pub quiet: bool,
    /// Tell a program what happens, one JSON object a line on stdout, and stop when stdin closes
    #[arg(long, hide = true)]
    messages: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum KeepEpoch {
    Last,
    Best,
}

impl FitOptions {
    /// Fits to a labelled set of images.
    ///
    /// # Errors
    /// If the set has no two classes, the model cannot be loaded, the device or the disk fails, or
    /// the training diverges. Images that cannot be read are left out, and the exit status is 3.
    pub(super) fn run(self, id: &Path) -> CliResult {
        let outcome = self.fit(id);
        if let Err(error) = &outcome {
            self.tell(FitMessage::Failed { reason: one_sentence(error) });
        }
        outcome
    }

    /// Tells the program that started this one, if one did.
    fn tell(&self, message: FitMessage) {
        // One that is gone hears nothing; that its end of stdin closes stops the work.
        if self.messages {
            output::print_line(format_args!("{}", message.to_line())).ok();
        }
    }

    fn is_quiet(&self) -> bool {
        self.quiet || self.messages
    }

    fn fit(&self, id: &Path) -> CliResult {
        let dataset = Dataset::labelled(id)?;
        tell_passed_over(&dataset);
        dataset.require_several_classes()?;
        let (work, _lock) = self.work_folder()?;
        let cancel = cancel_on_ctrl_c()?;
        if self.messages {
            cancel_with_stdin(&cancel)?;
        }
        let compute = self.model.compute()?;
        let mut bundle = self.model.tagger()?;
        if bundle.clip.is_some() && self.propose.is_some() {
            bail!("--propose is for a tagger: a CLIP's names are the classes' own");
        }
        let (store, failed) = match self.extract(&bundle, &compute, &dataset, &work, &cancel)? {
            Some(extracted) => extracted,
            None => return Ok(ExitCode::from(EXIT_FAULT)),
        };
        let rows = store.rows_of(&dataset, &dataset.name);
        let stored = Stored { store: &store, dataset: &dataset, rows };
        if let Some(sentence) = stored.contradictions() {
            note!("{sentence}");
        }
        if bundle.clip.is_some() {
            self.fit_clip(&mut bundle, &compute, &stored, failed)?;
            let failed = failed > 0;
            return Ok(if failed { ExitCode::from(EXIT_SOME_FAILED) } else { ExitCode::SUCCESS });
        }
        if self.choose_vocabulary(&mut bundle, &stored, &work)? {
            return Ok(ExitCode::SUCCESS);
        }
        bundle.manifest.recipe = self.method.recipe.unwrap_or(bundle.manifest.recipe);
        bundle.manifest.tau = self.method.tau.unwrap_or(bundle.manifest.tau);
        bundle.manifest.name = self.name.clone().unwrap_or_else(|| dataset.name.clone());
        let gathered = self.gather(&mut bundle, &compute, &stored)?;
        self.train(&mut bundle, &compute, &gathered, &work, &cancel)?;
        let pipeline = Pipeline::load(&bundle, &compute)?;
        stages::fit_detectors(&mut bundle, &pipeline, &gathered, self.tpr)?;
        bundle.write(&self.out, None)?;
        self.report(&bundle, &gathered, &work, failed)?;
        Ok(if failed > 0 { ExitCode::from(EXIT_SOME_FAILED) } else { ExitCode::SUCCESS })
    }

    /// Trains the no side of a CLIP on image–text pairs.
    ///
    /// # Errors
    /// As [`clipn::ClipnFit::run`].
    fn run_clipn(&self, pairs: &Path, no_crops: bool) -> CliResult {
        if self.anew {
            bail!("--anew is for a projector's training; a no side starts anew in another --out");
        }
        let defaults = ClipnConfig::default();
        let config = ClipnConfig {
            epochs: self.epochs.map_or(defaults.epochs, |epochs| epochs as usize),
            batch: self.batch.map_or(defaults.batch, |batch| batch as usize),
            lr: self.lr.unwrap_or(defaults.lr),
            validation: self.validation.unwrap_or(defaults.validation),
            seed: self.seed,
            crops: if no_crops { Crops::Centre } else { Crops::Random },
            ..defaults
        };
        let model = clipn::starting_point(self.model.model.as_ref())?;
        let (work, _lock) = self.work_folder()?;
        let fit = clipn::ClipnFit {
            config,
            pairs,
            model,
            out: &self.out,
            work,
            resume: self.resume,
            precision: if self.half { Precision::Half } else { Precision::Single },
        };
        fit.run(&self.model.compute()?, self.quiet)
    }

    /// Makes the folder beside the bundle and takes it for this run, so that a place that cannot be
    /// written to, or that another run is at work in, is refused before any work is done.
    fn work_folder(&self) -> anyhow::Result<(PathBuf, File)> {
        if self.propose.is_none() && fs::is_occupied(&self.out) {
            bail!(
                "will not write over what is already there; name another folder: {}",
                self.out.display()
            );
        }
        let name = self.out.file_name().context("--out needs the name of a folder")?;
        let work = self.out.with_file_name(format!("{}.fit", name.to_string_lossy()));
        std::fs::create_dir_all(&work)
            .with_context(|| format!("cannot make the folder {}", work.display()))?;
        let lock = fs::lock_folder(&work)
            .with_context(|| format!("cannot write to the folder {}", work.display()))?;
        let busy = || {
            let out = self.out.display();
            anyhow!(
                "another `fit` is at work on this bundle; wait for it, or name another --out: {out}"
            )
        };
        Ok((work, lock.ok_or_else(busy)?))
    }

    /// The store with the set's rows, and how many images could not be read; `None` if stopped.
    fn extract(
        &self,
        bundle: &Bundle,
        compute: &Compute,
        dataset: &Dataset,
        work: &Path,
        cancel: &Arc<AtomicBool>,
    ) -> anyhow::Result<Option<(Store, usize)>> {
        let dir = self.store.clone().unwrap_or_else(|| work.join("store"));
        let header = StoreHeader::of_bundle(bundle)?;
        let pipeline = self.model.pipeline(bundle, compute)?;
        let bar = progress_line(self.is_quiet(), None, "images");
        let mut show = |progress: Progress| {
            let Progress { done, total, failed } = progress;
            self.tell(FitMessage::Tagging { done, total, failed });
            show_progress(&bar, progress);
        };
        let outputs = self.model.outputs().map(Arc::new);
        let options = ExtractOptions { outputs, ..ExtractOptions::default() };
        let summary =
            store::extract(&pipeline, &header, dataset, &dir, &options, &mut show, cancel)?;
        bar.finish_and_clear();
        if summary.cancelled {
            note!("stopped while tagging images; --resume goes on from here");
            return Ok(None);
        }
        if let Some(sentence) = summary.changes() {
            note!("{sentence}");
        }
        if summary.failed > 0 {
            note!("{} of {} images cannot be read and are left out", summary.failed, summary.total);
        }
        Ok(Some((Store::open(&dir)?, summary.failed)))
    }

    /// Takes the user's vocabulary or mines one; true if that was all that was asked for.
    fn choose_vocabulary(
        &self,
        bundle: &mut Bundle,
        stored: &Stored,
        work: &Path,
    ) -> anyhow::Result<bool> {
        let named = self.model.vocabulary.is_some() && self.propose.is_none();
        let classes = if named {
            vocabulary::in_order_of(&bundle.vocabulary, &stored.dataset.classes)?
        } else {
            let counts = stored.count_tags(&bundle.vocabulary.thresholds)?;
            let file = self.propose.clone().unwrap_or_else(|| work.join("vocabulary.tsv"));
            let classes = counts.proposed(&bundle.vocabulary);
            fs::write(&file, vocabulary::text(&classes))
                .with_context(|| format!("cannot write the vocabulary {}", file.display()))?;
            if !self.is_quiet() {
                note!("proposed vocabulary: {}", file.display());
            }
            self.tell(FitMessage::Proposed { classes });
            counts.proposal()
        };
        bundle.vocabulary.set_classes(classes);
        Ok(self.propose.is_some())
    }

    fn report(
        &self,
        bundle: &Bundle,
        gathered: &TrainingData,
        work: &Path,
        failed: usize,
    ) -> anyhow::Result<()> {
        let held_out = gathered.held_out.len();
        let images = gathered.objects.labels.len() - gathered.validation.len();
        let classes = bundle.vocabulary.classes.len();
        let accuracy = if gathered.validation.is_empty() { None } else { self.accuracy(work) };
        let quality = Quality { classes, accuracy };
        if self.messages {
            let (bundle, quality) = (self.out.clone(), Some(quality));
            self.tell(FitMessage::Written { bundle, images, held_out, failed, quality });
            return Ok(());
        }
        let out = self.out.display();
        say!("{out}: {classes} classes, fitted to {images} images, {held_out} held out")?;
        let recipe = bundle.manifest.recipe;
        if let Some(lambda) = bundle.manifest.lambda(recipe.detector(), recipe) {
            say!(
                "λ = {} for {} keeps {:.1} % of the held-out images",
                lambda.value,
                lambda.detector,
                100.0 * lambda.tpr
            )?;
            if f64::from(lambda.tpr) < self.tpr - 1e-6 {
                note!(
                    "more than {:.0} % of the held-out images have no tag that counts; is the \
                     vocabulary right? no λ can keep them",
                    100.0 * (1.0 - self.tpr)
                );
            }
        }
        if quality.is_poor() {
            note!("{}", quality.sentence());
        }
        if !self.quiet {
            note!("state and log of the training: {}", work.display());
        }
        Ok(())
    }
}

/// Stops as Ctrl-C does once stdin closes: with the program that started this one, however that ends.
fn cancel_with_stdin(cancel: &Arc<AtomicBool>) -> std::io::Result<()> {
    let cancel = cancel.clone();
    let watch = move || {
        // Nothing is written to it; an error ends it as well.
        std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()).ok();
        cancel.store(true, Ordering::Relaxed);
    };
    std::thread::Builder::new().name("stdin".into()).spawn(watch).map(drop)
}
