//! `fit` with a CLIP: class centers, statistics and λ of its names.

use super::super::output::{self, note};
use super::super::progress::progress_line;
use super::{FitOptions, HELD_OUT};
use crate::bundle::Bundle;
use crate::fit::clip::{ClipFit, fit_clip};
use crate::fit::message::FitMessage;
use crate::fit::stages::Stored;
use crate::gpu::Compute;
use crate::pipeline::FeatureChoice;

impl FitOptions {
    /// Class centers, statistics and λ of a CLIP, whose names are the classes.
    pub(super) fn fit_clip(
        &self,
        bundle: &mut Bundle,
        compute: &Compute,
        stored: &Stored,
        failed: usize,
    ) -> anyhow::Result<()> {
        bundle.manifest.recipe = self.method.recipe.unwrap_or(bundle.manifest.recipe);
        bundle.manifest.tau = self.method.tau.unwrap_or(bundle.manifest.tau);
        bundle.manifest.name = self.name.clone().unwrap_or_else(|| stored.dataset.name.clone());
        let held_out = stored.dataset.held_out(self.validation.unwrap_or(HELD_OUT), self.seed)?;
        let features = self.features.unwrap_or(FeatureChoice::WholeImage);
        let bar = progress_line(self.is_quiet(), Some(held_out.len() as u64), "images");
        let fit = ClipFit { held_out: &held_out, features, tpr: self.tpr };
        let fitted = fit_clip(bundle, compute, stored, fit, &mut || bar.inc(1))?;
        bar.finish_and_clear();
        bundle.write(&self.out, None)?;
        if fitted.skipped > 0 {
            let (skipped, tau) = (fitted.skipped, bundle.manifest.tau);
            note!("{skipped} images keep no patch at τ = {tau} and are left out");
        }
        let (images, held_out) = (fitted.images, fitted.held_out);
        if self.messages {
            let (bundle, quality) = (self.out.clone(), None);
            self.tell(FitMessage::Written { bundle, images, held_out, failed, quality });
            return Ok(());
        }
        output::print_line(format_args!(
            "{}: {} names, centers and statistics of {} images, λ by {} held out",
            self.out.display(),
            stored.dataset.classes.len(),
            images,
            held_out,
        ))?;
        Ok(())
    }
}
