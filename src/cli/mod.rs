//! The command line: one file for each subcommand.

use std::process::ExitCode;

/// Exit status 1: a fault of the run (model, device, disk).
pub const EXIT_FAULT: u8 = 1;
/// Exit status 3: done, but some inputs failed.
pub const EXIT_SOME_FAILED: u8 = 3;

/// A subcommand's outcome; the error becomes one sentence on stderr and exit status 1.
pub type CliResult = anyhow::Result<ExitCode>;
