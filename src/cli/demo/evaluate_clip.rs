//! `demo evaluate-clip`: how well a CLIP tells named objects of the procedural world from others.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::bundle::{Bundle, embedded};
use crate::cli::CliResult;
use crate::cli::output::say;
use crate::demo::HELD_OUT_SEED;
use crate::demo::clip::{DetectorQuality, HeldOut, judge, names_found};
use crate::gpu::{self, DeviceChoice};
use crate::pipeline::Pipeline;

/// Arguments of `demo evaluate-clip`.
#[derive(Args)]
#[command(after_help = "\
Nine of the world's 18 classes are named known, by lot and as often as --splits says, and scenes that
show one of them are set against scenes that show none.

Example:
  tagood-lens demo evaluate-clip --template 'a drawing of a {}.'")]
pub(super) struct EvaluateClipArgs {
    /// A CLIP: its bundle, its weights file, or its folder; the embedded one if not given
    #[arg(long, value_name = "CLIP")]
    model: Option<PathBuf>,
    /// Scenes of known objects
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(50..))]
    scenes: u32,
    /// Ways to name nine classes
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    splits: u32,
    /// The text that a name stands in
    #[arg(long, default_value = "a photo of a {}.")]
    template: String,
    /// One JSON object in place of tables
    #[arg(long)]
    json: bool,
    /// Where to compute
    #[arg(long, value_name = "auto|gpu|cpu", default_value_t)]
    device: DeviceChoice,
}

impl EvaluateClipArgs {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// If the model cannot be loaded or the device fails.
    pub(super) fn run(self) -> CliResult {
        let compute = gpu::compute(self.device)?;
        let bundle = match &self.model {
            Some(path) => Bundle::open(path)?,
            None => embedded::clip_bundle()?,
        };
        anyhow::ensure!(
            bundle.clip.is_some(),
            "this is no CLIP; `demo evaluate` judges taggers: {}",
            bundle.path.display()
        );
        let mut pipeline = Pipeline::load(&bundle, &compute)?;
        let held_out = HeldOut::see(&pipeline, HELD_OUT_SEED, u64::from(self.scenes))?;
        let splits = u64::from(self.splits);
        let detectors = judge(&mut pipeline, &held_out, &self.template, splits)?;
        let names = names_found(&mut pipeline, &held_out, &self.template)?;
        if self.json {
            let report = serde_json::json!({
                "scenes": self.scenes,
                "splits": self.splits,
                "template": self.template,
                "detectors": detectors,
                "names": names,
            });
            say!("{report}")?;
            return Ok(ExitCode::SUCCESS);
        }
        say!("{:<22}{:>8}{:>8}{:>18}", "detector", "AUROC", "FPR95", "decides rightly")?;
        for found in &detectors {
            say!("{}", detector_line(found))?;
        }
        say!("\n{:<16}{:<16}{:>8}", "class", "name", "found")?;
        for found in names {
            say!("{:<16}{:<16}{:>7.1}%", found.class, found.name, 100.0 * found.share)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn detector_line(found: &DetectorQuality) -> String {
    let DetectorQuality { detector, auroc, fpr95, decided } = found;
    let [auroc, fpr95] = [auroc, fpr95].map(|value| 100.0 * value);
    let decided = decided.map_or(String::new(), |[known, unknown]| {
        format!("{:.1} % / {:.1} %", 100.0 * known, 100.0 * unknown)
    });
    format!("{detector:<22}{auroc:>8.1}{fpr95:>8.1}{decided:>18}")
}
