//! The projectors of a tagger: objects gathered, training runs, their live lines.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;

use super::super::output::note;
use super::super::progress::progress_line;
use super::{FitOptions, HELD_OUT, KeepEpoch};
use crate::bundle::Bundle;
use crate::fit::FitError;
use crate::fit::config::TrainConfig;
use crate::fit::message::{FitMessage, TrainedProjector};
use crate::fit::objects::Selection;
use crate::fit::stages::{self, Stored, TrainingData};
use crate::fit::train::{EpochLog, PROJECTOR, TrainRows, TrainRun, TrainWatch};
use crate::gpu::Compute;
use crate::nn::projector::ProjectorConfig;
use crate::nn::source::Source;
use crate::pipeline::Pipeline;

/// Width of the feature and heads of the projector, as published.
pub(super) const WIDTH: usize = 512;
const HEADS: usize = 8;
const LAYERS: usize = 2;
const PATTERNS: usize = 4;

impl FitOptions {
    /// Decomposes the set's images: the objects that the projectors learn from.
    pub(super) fn gather(
        &self,
        bundle: &mut Bundle,
        compute: &Compute,
        stored: &Stored,
    ) -> anyhow::Result<TrainingData> {
        let pipeline = Pipeline::load(bundle, compute).context("cannot load the model")?;
        let recipe = bundle.manifest.recipe;
        let selection = Selection {
            tau: bundle.manifest.tau,
            recipe,
            layer: pipeline.layer(recipe),
            one_tag: self.one_tag,
        };
        let held_out = stored.dataset.held_out(self.validation.unwrap_or(HELD_OUT), self.seed)?;
        let total = held_out.len();
        let bar = progress_line(self.is_quiet(), Some(total as u64), "images decomposed");
        let mut tick = || {
            bar.inc(1);
            self.tell(FitMessage::Decomposing { done: bar.position() as usize, total });
        };
        let gathered = stages::gather(stored, &pipeline, &selection, &held_out, &mut tick)?;
        bar.finish_and_clear();
        let skipped = gathered.objects.skipped.len();
        if skipped > 0 {
            note!(
                "{skipped} of {} images keep no token at τ = {} and are left out of the training",
                held_out.len(),
                selection.tau
            );
        }
        Ok(gathered)
    }

    /// Trains the projectors that the bundle gets.
    pub(super) fn train(
        &self,
        bundle: &mut Bundle,
        compute: &Compute,
        gathered: &TrainingData,
        work: &Path,
        cancel: &Arc<AtomicBool>,
    ) -> anyhow::Result<()> {
        let shape = ProjectorConfig {
            joint: bundle.manifest.token_width(),
            width: WIDTH,
            heads: HEADS,
            layers: LAYERS,
            hidden: self.hidden as usize,
            max_tokens: bundle.manifest.positions(),
            classes: bundle.vocabulary.classes.len(),
            patterns: PATTERNS,
        };
        let recipe = bundle.manifest.recipe;
        let mut config = TrainConfig::new(recipe, shape.clone());
        if let Some(epochs) = self.epochs {
            config = config.with_epochs(epochs as usize);
        }
        config.batch = self.batch.unwrap_or(256) as usize;
        (config.lr, config.seed) = (self.lr.unwrap_or(0.01), self.seed);
        bundle.manifest.projector = Some(shape);
        let ce = config.clone().cross_entropy_alone();
        let run = |config: TrainConfig, which: TrainedProjector| -> anyhow::Result<Source> {
            let TrainingData { objects, train, validation, .. } = gathered;
            let rows = TrainRows { train, validation };
            let name = match which {
                TrainedProjector::Main => PROJECTOR,
                TrainedProjector::CrossEntropy => "projector_ce",
            };
            let folder = Some(work.join(name));
            let run = TrainRun { config, recipe, objects, rows, folder };
            self.train_one(which, run, compute, cancel)
        };
        bundle.projector = Some(run(config, TrainedProjector::Main)?);
        if !self.no_ce {
            bundle.projector_ce = Some(run(ce, TrainedProjector::CrossEntropy)?);
        }
        Ok(())
    }

    /// One training run, with a live line; its weights as the bundle will have them.
    fn train_one(
        &self,
        which: TrainedProjector,
        run: TrainRun,
        compute: &Compute,
        cancel: &Arc<AtomicBool>,
    ) -> anyhow::Result<Source> {
        let epochs = Some(run.config.epochs as u64);
        let bar = progress_line(self.is_quiet(), epochs, "epochs");
        let mut on_epoch = |line: &EpochLog| {
            self.tell(FitMessage::Epoch { projector: which, log: line.clone() });
            bar.set_position(line.epoch as u64);
            bar.set_message(live_line(which, line));
        };
        let folder = run.folder.clone().unwrap_or_default();
        self.forget(&folder)?;
        if self.resume {
            TrainRun::kept_epochs(&folder).iter().for_each(&mut on_epoch);
        }
        let mut watch = TrainWatch { on_epoch: &mut on_epoch, cancelled: cancel };
        let shape = run.config.projector.clone();
        run.train(&compute.device, self.resume, &mut watch)?;
        bar.finish_and_clear();
        let path = match self.keep {
            KeepEpoch::Last => TrainRun::last_path(&folder),
            KeepEpoch::Best => TrainRun::best_path(&folder),
        };
        let trained = Source::open(&path).map_err(FitError::from)?;
        match self.half {
            true => Ok(stages::halved(&trained, &shape, &folder.join("half.safetensors"))?),
            false => Ok(trained),
        }
    }

    /// The accuracy on held-out images of the epoch whose weights the bundle has.
    pub(super) fn accuracy(&self, work: &Path) -> Option<f64> {
        let epochs = TrainRun::kept_epochs(&work.join(PROJECTOR));
        let kept = match self.keep {
            KeepEpoch::Last => epochs.last(),
            KeepEpoch::Best => TrainRun::best_of(&epochs),
        };
        kept.map(|line| line.validation_accuracy)
    }

    /// Removes the training that an earlier run has kept, if a new one is to start.
    fn forget(&self, folder: &Path) -> anyhow::Result<()> {
        if self.anew && folder.exists() {
            std::fs::remove_dir_all(folder).with_context(|| {
                format!("cannot remove the earlier training {}", folder.display())
            })?;
        }
        Ok(())
    }
}

fn live_line(which: TrainedProjector, line: &EpochLog) -> String {
    let what = match which {
        TrainedProjector::Main => "projector",
        TrainedProjector::CrossEntropy => "cross-entropy alone",
    };
    format!(
        "epochs, {what}: loss {:.3}, accuracy {:.1} %, validation {:.1} %, ID score {:.3}, {:.1} s",
        line.loss,
        100.0 * line.accuracy,
        100.0 * line.validation_accuracy,
        line.validation_score,
        line.seconds
    )
}
