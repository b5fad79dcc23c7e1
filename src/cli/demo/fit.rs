//! `demo fit`: the projector of the embedded model.

use std::process::ExitCode;

use clap::Args;

use crate::cli::CliResult;
use crate::cli::fit::FitOptions;
use crate::cli::progress::progress_line;
use crate::demo::{Set, write};

/// Fit vocabulary, projector, centers and detectors to scenes drawn for it
///
/// Draws scenes with known objects into OUT.scenes beside the bundle, and fits to them as `fit` does
/// to any folder of classes.
#[derive(Args)]
pub(super) struct FitSceneArgs {
    /// Scenes to fit to
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(100..))]
    scenes: u32,
    #[arg(long, default_value_t = 4242)]
    scene_seed: u64,
    #[command(flatten)]
    options: FitOptions,
}

impl FitSceneArgs {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// If the scenes cannot be written, or as [`FitOptions::run`].
    pub(super) fn run(self) -> CliResult {
        let name = self.options.out.file_name().unwrap_or_default().to_string_lossy();
        let folder = self.options.out.with_file_name(format!("{name}.scenes"));
        let count = u64::from(self.scenes);
        let bar = progress_line(self.options.quiet, Some(count), "scenes");
        write::write_scenes(Set::Id, self.scene_seed, count, &folder, || bar.inc(1))?;
        bar.finish_and_clear();
        let code: ExitCode = self.options.run(&folder.join(Set::Id.name()))?;
        Ok(code)
    }
}
