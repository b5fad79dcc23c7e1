//! `convert`: a checkpoint in, a bundle out.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;

use super::CliResult;
use super::model::ModelArgs;
use super::output::say;
use crate::bundle::{Bundle, Precision};
use crate::gpu::{self, DeviceChoice};
use crate::pipeline::Pipeline;

/// Writes a checkpoint (with lists and a projector, if named) as a bundle that loads from a map
#[derive(Args)]
pub(super) struct ConvertArgs {
    /// A published RAM or RAM++ checkpoint, or a bundle
    checkpoint: PathBuf,
    /// The bundle's folder, which must not exist yet
    #[arg(long, value_name = "BUNDLE")]
    out: PathBuf,
    /// Store the tagger's weights as 16-bit floats: half the size, rounded
    #[arg(long)]
    half: bool,
    #[command(flatten)]
    model: ModelArgs,
}

impl ConvertArgs {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// If the checkpoint cannot be read, its weights are not finite, or the bundle cannot be written.
    pub(super) fn run(mut self) -> CliResult {
        self.model.model = Some(self.checkpoint.clone());
        let started = Instant::now();
        let bundle = self.model.bundle()?;
        // Proves that all weights are there and fit before anything is written.
        let compute = gpu::compute(DeviceChoice::Cpu)?;
        Pipeline::load(&bundle, &compute)?;
        let read_s = started.elapsed().as_secs_f32();
        bundle.write(&self.out, self.half.then_some(Precision::Half))?;
        let started = Instant::now();
        Pipeline::load(&Bundle::open(&self.out)?, &compute)?;
        let mapped_s = started.elapsed().as_secs_f32();
        say!(
            "{}: loading took {read_s:.2} s from the checkpoint, {mapped_s:.2} s from the bundle",
            self.out.display()
        )?;
        Ok(ExitCode::SUCCESS)
    }
}
