//! `extract`: a set of images into a feature store.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use clap::Args;
use indicatif::ProgressBar;

use super::model::ModelArgs;
use super::output::{note, say};
use super::progress::progress_line;
use super::{CliResult, EXIT_FAULT, EXIT_SOME_FAILED};
use crate::dataset::{Dataset, DatasetError};
use crate::gpu;
use crate::store::{self, ExtractOptions, Progress, StoreHeader, Summary};

/// Brings images into a feature store, which `fit` and `evaluate` read
///
/// A store is a folder of Arrow files with the tokens, tag logits and attention of each image.
/// Interrupted with Ctrl-C or killed, the same command goes on where it stood. Images that changed since
/// they were extracted, or could not be read then and can now, are extracted anew. Several sets may share
/// a store.
#[derive(Args)]
pub struct ExtractArgs {
    /// A folder of images, a folder of class folders, or a CSV with the columns path,class
    #[arg(long, value_name = "FOLDER|CSV")]
    images: PathBuf,
    /// The store's folder; made if it is not there, gone on with if it is
    #[arg(long, value_name = "DIR")]
    store: PathBuf,
    /// The set's name in the store; the folder's or CSV's own if not given
    #[arg(long, value_name = "NAME")]
    set: Option<String>,
    #[command(flatten)]
    model: ModelArgs,
    /// Images that go through the network at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    batch: u16,
    /// Images in each of a new store's files; as many are lost at most if the run is killed
    #[arg(long, value_name = "N", default_value_t = store::ROWS_PER_CHUNK as u16, value_parser = clap::value_parser!(u16).range(1..=4096))]
    chunk: u16,
    /// No progress on stderr
    #[arg(long)]
    quiet: bool,
}

impl ExtractArgs {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// If the set or the model cannot be loaded, the store is another tagger's or cannot be written,
    /// or the device fails. An image that cannot be read is a row with an error, and exit status 3.
    pub fn run(self) -> CliResult {
        let dataset = open_dataset(&self.images)?;
        let bundle = self.model.tagger()?;
        let mut header = StoreHeader::of_bundle(&bundle)?;
        header.rows_per_chunk = usize::from(self.chunk);
        let compute = gpu::compute(self.model.device)?;
        let pipeline = self.model.pipeline(&bundle, &compute)?;
        let cancel = cancel_on_ctrl_c()?;
        let options = ExtractOptions {
            set: self.set.clone(),
            batch: usize::from(self.batch),
            outputs: self.model.outputs().map(Arc::new),
        };
        let bar = progress_line(self.quiet, None, "images");
        let mut show = |progress: Progress| show_progress(&bar, progress);
        let summary = store::extract(
            &pipeline,
            &header,
            &dataset,
            &self.store,
            &options,
            &mut show,
            &cancel,
        )?;
        bar.finish_and_clear();
        report(&summary, &self.store)?;
        Ok(match summary {
            Summary { cancelled: true, .. } => ExitCode::from(EXIT_FAULT),
            Summary { failed: 1.., .. } => ExitCode::from(EXIT_SOME_FAILED),
            _ => ExitCode::SUCCESS,
        })
    }
}

/// A folder of class folders or a CSV with its labels; any other folder without.
///
/// # Errors
/// If there is nothing at the path, no image, or the CSV is not one.
pub fn open_dataset(path: &Path) -> Result<Dataset, DatasetError> {
    let dataset = match Dataset::labelled(path) {
        Err(DatasetError::NoClassFolders(_) | DatasetError::UnlabelledImages { .. }) => {
            Dataset::from_folder(path)
        }
        outcome => outcome,
    }?;
    tell_passed_over(&dataset);
    Ok(dataset)
}

/// Says which files of a set's folders are no images.
pub fn tell_passed_over(dataset: &Dataset) {
    if let Some(sentence) = dataset.passed_over.sentence() {
        note!("{}: {sentence}", dataset.name);
    }
}

/// A flag that the first Ctrl-C sets; the second one ends the program at once.
///
/// # Errors
/// If the system lets no handler be set.
pub fn cancel_on_ctrl_c() -> anyhow::Result<Arc<AtomicBool>> {
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = cancel.clone();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        note!("stopping after this batch; Ctrl-C again stops at once");
    })
    .context("cannot watch for Ctrl-C")?;
    Ok(cancel)
}

/// Shows how far an extraction is.
pub fn show_progress(bar: &ProgressBar, progress: Progress) {
    if bar.length().is_none() {
        // What earlier runs did must not count for the rate.
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
        bar.reset_eta();
    }
    bar.set_position(progress.done as u64);
    if progress.failed > 0 {
        bar.set_message(format!("images, {} failed", progress.failed));
    }
}

fn report(summary: &Summary, store: &Path) -> std::io::Result<()> {
    let Summary { set, total, resumed, added, failed, renewed, cancelled, .. } = summary;
    if let Some(sentence) = summary.changes() {
        note!("{sentence}");
    }
    if *cancelled {
        note!(
            "stopped at {} of {total} images; the same command goes on from here",
            resumed + added + renewed
        );
    }
    let renewed = match renewed {
        0 => String::new(),
        count => format!("{count} extracted anew, "),
    };
    say!(
        "{set}: {total} images, {added} added, {resumed} there before, {renewed}{failed} failed: {}",
        store.display()
    )
}
