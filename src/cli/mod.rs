//! The command line: one file for each subcommand.

mod convert;
mod demo;
mod display;
mod evaluate;
pub mod extract;
mod fit;
pub mod gui;
mod inspect;
mod inspect_output;
mod metrics;
pub mod model;
mod paths;
mod output;
mod progress;
mod table;
mod tsne;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use output::note;

use crate::worker::one_sentence;

/// Exit status 1: a fault of the run (model, device, disk).
pub const EXIT_FAULT: u8 = 1;
/// Exit status 2: wrong usage, as the parser of arguments has it.
pub const EXIT_USAGE: u8 = 2;
/// Exit status 3: done, but some inputs failed.
pub const EXIT_SOME_FAILED: u8 = 3;

/// Arguments that cannot be, found after they were parsed: exit status 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongUsage(pub String);

/// A subcommand's outcome; an error becomes one sentence on stderr and exit status 1.
pub type CliResult = anyhow::Result<ExitCode>;

/// See why an image is in- or out-of-distribution.
#[derive(Parser)]
#[command(name = "tagood-lens", version, about)]
#[command(args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<CliCommand>,
    #[command(flatten)]
    gui: gui::GuiArgs,
}

#[derive(Subcommand)]
enum CliCommand {
    Inspect(inspect::InspectArgs),
    Convert(convert::ConvertArgs),
    Extract(extract::ExtractArgs),
    Fit(fit::FitArgs),
    Evaluate(Box<evaluate::EvaluateArgs>),
    Metrics(metrics::MetricsArgs),
    Tsne(tsne::TsneArgs),
    /// The procedural world behind the embedded model
    Demo(demo::DemoArgs),
}

impl CliCommand {
    fn run(self) -> CliResult {
        match self {
            Self::Inspect(args) => args.run(),
            Self::Convert(args) => args.run(),
            Self::Extract(args) => args.run(),
            Self::Fit(args) => args.run(),
            Self::Evaluate(args) => args.run(),
            Self::Metrics(args) => metrics::run(args),
            Self::Tsne(args) => tsne::run(&args),
            Self::Demo(args) => demo::run(args),
        }
    }
}

/// Parses the arguments and runs what they name.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Some(command) => command.run(),
        None => cli.gui.run(),
    };
    outcome.unwrap_or_else(|error| {
        // Who reads no further, as in `inspect … | head`, has what he wants.
        if output::is_closed_pipe(&error) {
            return ExitCode::SUCCESS;
        }
        note!("tagood-lens: {}", one_sentence(&error));
        match error.is::<WrongUsage>() {
            true => ExitCode::from(EXIT_USAGE),
            false => ExitCode::from(EXIT_FAULT),
        }
    })
}
