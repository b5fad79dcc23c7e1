//! `fit --method clipn`: image–text pairs in, a CLIP that can say no out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use super::super::extract::cancel_on_ctrl_c;
use super::super::output::{note, say};
use super::super::progress::progress_line;
use super::super::{CliResult, EXIT_FAULT, EXIT_SOME_FAILED};
use crate::bundle::Precision;
use crate::fit::checkpoint;
use crate::fit::clipn::{
    ClipFolder, ClipnConfig, ClipnLog, ClipnOutcome, ClipnRun, ClipnWatch, LossValues, Pairs,
    with_no_side,
};
use crate::gpu::Compute;
use crate::nn::clip::Checkpoint;

/// What is to be trained, and where.
pub(super) struct ClipnFit<'a> {
    /// How.
    pub(super) config: ClipnConfig,
    /// Image–text pairs.
    pub(super) pairs: &'a Path,
    /// The CLIP that one starts from.
    pub(super) model: &'a Path,
    /// The trained one's folder, which must not exist yet.
    pub(super) out: &'a Path,
    /// For the run's state and log.
    pub(super) work: PathBuf,
    /// Whether an earlier run is taken up.
    pub(super) resume: bool,
    /// The type that the weights are stored in.
    pub(super) precision: Precision,
}

impl ClipnFit<'_> {
    /// Trains the no side and writes the model.
    ///
    /// # Errors
    /// If the pairs have no texts, the model is no CLIP, the device or the disk fails, or the training
    /// diverges. Images that cannot be read are left out, and the exit status is 3.
    pub(super) fn run(&self, compute: &Compute, quiet: bool) -> CliResult {
        let pairs = Pairs::open(self.pairs)?;
        if let Some(first) = pairs.without_text.first() {
            let (count, all) = (pairs.without_text.len(), pairs.pairs.len());
            let all = count + all;
            note!("{count} of {all} images have no text and are left out; the first: {first}");
        }
        let clip = Checkpoint::open(self.model, None)
            .context("--method clipn starts from a CLIP, named by --model")?;
        if let Some(warning) = clip.warning() {
            note!("{warning}");
        }
        let tensors = with_no_side(&clip.source, self.config.prompts)?;
        let weights = checkpoint::in_memory(&tensors)?;
        let mut shape = clip.config.clone();
        let prompts = weights.shape("prompt_no").and_then(|shape| shape.first().copied());
        shape.no_prompts = Some(prompts.unwrap_or(0));
        let normalisation = clip.normalisation;
        let cancelled = cancel_on_ctrl_c()?;
        let tokenizer = clip.tokenizer()?;
        let run = ClipnRun {
            config: self.config.clone(),
            shape: &shape,
            weights: &weights,
            normalisation,
            tokenizer: &tokenizer,
            pairs: &pairs,
            folder: &self.work,
        };
        let encoding = progress_line(quiet, Some(pairs.pairs.len() as u64), "images encoded");
        let training = progress_line(quiet, None, "steps");
        let mut watch = ClipnWatch {
            on_encoded: &mut |done, _| encoding.set_position(done as u64),
            on_step: &mut |step, steps, losses| {
                training.set_length(steps as u64);
                training.set_position(step as u64);
                training.set_message(live_line(losses));
            },
            on_epoch: &mut |line| {
                training.suspend(|| {
                    if !quiet {
                        note!("{}", epoch_line(line));
                    }
                })
            },
            cancelled: &cancelled,
        };
        let (outcome, unreadable) = run.train(&compute.device, self.resume, &mut watch)?;
        encoding.finish_and_clear();
        training.finish_and_clear();
        if let Some(first) = unreadable.first() {
            note!("{} images cannot be read and are left out; {first}", unreadable.len());
        }
        let tensors = match outcome {
            ClipnOutcome::Trained(tensors) => tensors,
            ClipnOutcome::Stopped { step, steps } => {
                note!("stopped after step {step} of {steps}; --resume goes on from here");
                return Ok(ExitCode::from(EXIT_FAULT));
            }
        };
        let json = match &clip.tokenizer_path {
            Some(path) => Some(std::fs::read(path).with_context(|| format!("{}", path.display()))?),
            None => None,
        };
        ClipFolder {
            tensors: &tensors,
            precision: self.precision,
            shape: &shape,
            normalisation,
            tokenizer: json.as_deref(),
        }
        .write(self.out)?;
        say!("{}: a no side trained on {} pairs", self.out.display(), pairs.pairs.len())?;
        let is_whole = unreadable.is_empty() && pairs.without_text.is_empty();
        Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(EXIT_SOME_FAILED) })
    }
}

/// The model that the options name; there is none to start from otherwise.
///
/// # Errors
/// If they name none.
pub(super) fn starting_point(model: Option<&PathBuf>) -> anyhow::Result<&Path> {
    let Some(path) = model else {
        bail!("--method clipn needs --model: the CLIP whose no side is to be trained");
    };
    Ok(path)
}

fn live_line(losses: &LossValues) -> String {
    let LossValues { total, matching, others, opposite } = losses;
    format!(
        "steps, loss {total:.3} (own {matching:.3}, others {others:.3}, opposite {opposite:.3})"
    )
}

fn epoch_line(line: &ClipnLog) -> String {
    format!(
        "epoch {}/{}: loss {:.3} (own {:.3}, others {:.3}, opposite {:.3}); held out: loss {:.3}, \
         {:.1} % of own texts not denied, {:.1} % of others denied; {:.1} s",
        line.epoch,
        line.epochs,
        line.loss,
        line.matching,
        line.others,
        line.opposite,
        line.validation_loss,
        100.0 * line.agreed,
        100.0 * line.denied,
        line.seconds
    )
}
