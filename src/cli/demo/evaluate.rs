//! `demo evaluate`: how good a model of the procedural world is.

use std::process::ExitCode;

use clap::Args;

use crate::cli::CliResult;
use crate::cli::extract::cancel_on_ctrl_c;
use crate::cli::model::ModelArgs;
use crate::cli::output::say;
use crate::cli::progress::progress_line;
use crate::cli::table::aligned;
use crate::demo::evaluate::{DemoOptions, WorldReport, evaluate};
use crate::demo::{HELD_OUT_SEED, Set};
use crate::eval::report::{DetectorResult, Report};
use crate::eval::scores::Features;
use crate::score;

/// Judge a model of the procedural world by scenes it has not seen
///
/// Draws scenes of every set, and compares the tagger with the scenes' tags, the maps with the
/// objects' outlines, and the detectors with the sets.
#[derive(Args)]
pub(super) struct EvaluateSceneArgs {
    /// Scenes of each set
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    scenes: u32,
    /// Seed of the scenes; training uses others
    #[arg(long, default_value_t = HELD_OUT_SEED)]
    seed: u64,
    #[command(flatten)]
    model: ModelArgs,
    /// One JSON object in place of tables
    #[arg(long)]
    json: bool,
    /// No progress on stderr
    #[arg(long)]
    quiet: bool,
}

/// What is compared with TagOOD: its parts alone, and the usual scores on the same features.
const DETECTORS: [&str; 7] =
    ["tag-score", "class-mean-cosine", "ce-cosine", "tagood-cosine", "msp", "energy", "knn"];

/// τ beside the model's own.
const TAUS: [f32; 3] = [0.0, 0.25, 0.75];

impl EvaluateSceneArgs {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// If the model cannot be loaded, was made for other tags, or the device fails.
    pub(super) fn run(self) -> CliResult {
        let pipeline = self.model.load()?;
        let cancel = cancel_on_ctrl_c()?;
        let detectors = DETECTORS.iter().map(|id| score::by_name(id)).collect::<Result<_, _>>()?;
        let options = DemoOptions {
            scenes: self.scenes as usize,
            seed: self.seed,
            detectors,
            taus: TAUS.to_vec(),
        };
        let bar = progress_line(
            self.quiet,
            Some(u64::from(self.scenes) * Set::ALL.len() as u64),
            "scenes",
        );
        let mut done = |count: usize| bar.inc(count as u64);
        let report = evaluate(&pipeline, &options, &mut done, &cancel)?;
        bar.finish_and_clear();
        match self.json {
            true => say!("{}", serde_json::to_string(&report)?)?,
            false => say!("{}", text(&report).trim_end())?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

fn text(report: &WorldReport) -> String {
    let (tagger, maps) = (&report.tagger, &report.maps);
    let mut text = format!(
        "{} scenes a set, seed {}\n\n\
         tagger      mAP over objects {:.4}, over all tags {:.4}; the class is named in {} % of ID \
         scenes\n\
         maps        the peak's middle lies on the object in {} %, its patch touches it in {} % of {} \
         maps\n\
         IoU         ",
        report.scenes,
        report.seed,
        tagger.map_objects,
        tagger.map_all,
        percent(tagger.class_named),
        percent(maps.peak_in_mask),
        percent(maps.peak_touches),
        maps.maps,
    );
    for at in &maps.iou {
        text += &format!("{:.3} at τ = {}, ", at.iou, at.tau);
    }
    text += &format!("{:.3} random, {:.3} at best on this grid\n", maps.iou_random, maps.iou_grid);
    for (at, setting) in report.detectors.settings.iter().enumerate() {
        if setting.tag_rule || setting.features == Features::WholeImage {
            text += &format!("\n{setting}: AUROC % / FPR95 %\n{}", table(&report.detectors, at));
        }
    }
    text
}

fn table(report: &Report, setting: usize) -> String {
    let mut head = vec!["detector".to_owned()];
    head.extend(report.ood.iter().map(|set| set.name.clone()));
    head.push("mean".into());
    let mut rows = vec![head];
    for detector in &report.detectors {
        let Some(DetectorResult::Measured { sets, mean, .. }) = detector.outcomes.get(setting)
        else {
            continue;
        };
        let all = sets.iter().map(|set| &set.metrics).chain([mean]);
        let cell = |m: &crate::eval::metrics::Metrics| {
            format!("{} / {}", percent(m.auroc), percent(m.fpr95))
        };
        rows.push(std::iter::once(detector.id.clone()).chain(all.map(cell)).collect());
    }
    aligned(&rows)
}
