//! `--sweep-fit`: projectors fitted again at other τ, and to one tag.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::bail;
use clap::Args;

use super::super::progress::progress_line;
use super::sets::{NamedSet, Stores};
use crate::eval::gather::Plan;
use crate::eval::refit::{Labelled, Refit, Refitted, Variant, failed};
use crate::eval::report::RefitReport;
use crate::eval::scan::StoredSet;
use crate::fit::FitError;
use crate::gpu::Compute;

/// Options of the sweep.
#[derive(Args)]
pub(super) struct RefitSweepArgs {
    /// Also fit projectors again: at every τ of --taus, and to one tag (the paper's figure 3 and table
    /// 5). It trains, and takes its time
    #[arg(long)]
    pub sweep_fit: bool,
    /// The images to fit them to, with a folder for each class; if not given, half of the
    /// in-distribution set, and the sweep is scored on the other half
    #[arg(long, value_name = "[NAME=]DIR|STORE", requires = "sweep_fit")]
    pub fit_id: Option<String>,
    /// Passes over these images [default: as many as they need, 10 to 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub fit_epochs: Option<u32>,
}

/// What was fitted again.
#[derive(Default)]
pub(super) struct Refits {
    /// Projectors.
    pub fitted: Vec<Refitted>,
    /// Those that could not be fitted.
    pub failed: Vec<RefitReport>,
    /// Places in the in-distribution set of the images they were fitted to.
    pub used: BTreeSet<usize>,
}

/// What the sweep works with.
pub(super) struct RefitSweep<'a> {
    /// Its options.
    pub args: &'a RefitSweepArgs,
    /// What the main scores are made with.
    pub plan: &'a Plan,
    /// To open images to fit to.
    pub stores: &'a Stores<'a>,
    /// Where to compute.
    pub compute: &'a Compute,
    /// Where trainings are kept.
    pub folder: PathBuf,
    /// Seed of the split and the trainings.
    pub seed: u64,
    /// Set to stop.
    pub cancel: &'a AtomicBool,
}

impl RefitSweep<'_> {
    /// Fits every variant; `None` if stopped.
    ///
    /// # Errors
    /// If the images have no two classes of the model's, or the device or the disk fails. A variant
    /// that cannot be fitted gives its reason in place of numbers.
    pub(super) fn run(&self, id: &StoredSet) -> anyhow::Result<Option<Refits>> {
        if !self.args.sweep_fit {
            return Ok(Some(Refits::default()));
        }
        let apart = match &self.args.fit_id {
            Some(text) => match self.stores.open(&[NamedSet::id(text)])? {
                Some(mut sets) => sets.pop(),
                None => return Ok(None),
            },
            None => None,
        };
        let pipeline = self.stores.pipeline;
        let classes: Vec<String> =
            pipeline.vocabulary().classes.iter().map(|class| class.name.clone()).collect();
        let from = apart.as_ref().unwrap_or(id);
        let all = Labelled::new(&from.name, &from.store, &from.rows, &classes);
        let found: BTreeSet<_> = all.dataset.items.iter().filter_map(|item| item.class).collect();
        if found.len() < 2 {
            bail!(
                "--sweep-fit needs images of at least two of the model's classes, with a folder for \
                 each; `{}` has {}",
                from.name,
                found.len()
            );
        }
        let (labelled, used) = match apart {
            Some(_) => (all, BTreeSet::new()),
            None => {
                let half = all.half(self.seed)?;
                let used = half.places.iter().copied().collect();
                (half, used)
            }
        };
        let refit = Refit {
            pipeline,
            device: &self.compute.device,
            store: &from.store,
            labelled: &labelled,
            recipe: self.plan.recipe,
            epochs: self.args.fit_epochs.map(|epochs| epochs as usize),
            seed: self.seed,
            folder: self.folder.clone(),
        };
        let mut refits = Refits { used, ..Refits::default() };
        for variant in self.variants() {
            let what = format!("epochs, fitting at {variant}");
            let bar = progress_line(self.stores.quiet, Some(refit.epochs() as u64), &what);
            match refit.fit(variant, &mut |line| bar.set_position(line.epoch as u64), self.cancel) {
                Ok(fitted) => refits.fitted.push(fitted),
                Err(FitError::Cancelled { .. }) => return Ok(None),
                Err(
                    error @ (FitError::NothingKept { .. }
                    | FitError::ClassLost(_)
                    | FitError::Diverged { .. }),
                ) => refits.failed.push(failed(variant, refit.epochs(), &error)),
                Err(error) => return Err(error.into()),
            }
            bar.finish_and_clear();
        }
        Ok(Some(refits))
    }

    /// Every τ with all tags, ascending, and the main one with one tag.
    fn variants(&self) -> Vec<Variant> {
        let mut taus = self.plan.taus.clone();
        taus.push(self.plan.tau);
        taus.sort_by(f32::total_cmp);
        taus.dedup();
        let many = taus.into_iter().map(|tau| Variant { tau, one_tag: false });
        many.chain([Variant { tau: self.plan.tau, one_tag: true }]).collect()
    }
}
