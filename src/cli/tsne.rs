//! `tagood-lens tsne`: a map of features, without the window.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use super::CliResult;
use super::output::note;
use super::progress::progress_line;
use crate::eval::tsne::{Tsne, TsneConfig};
use crate::fs;
use crate::results;

/// Iterations between two reports of progress.
const STRIDE: usize = 10;

/// Map features into the plane with t-SNE
#[derive(clap::Args)]
pub(super) struct TsneArgs {
    /// Matrix [points, dimensions]: .npy, or .npz, .safetensors, .parquet, .arrow, .csv, .jsonl with one
    /// named `features` or a single one
    #[arg(long, value_name = "FILE")]
    features: PathBuf,
    /// Table to write: index,x,y
    #[arg(long, value_name = "FILE.csv", value_parser = super::paths::ending_in("csv"))]
    out: PathBuf,
    /// How many neighbours count for a point; reduced where there are fewer than three times as many
    /// points
    #[arg(long, default_value_t = 30.0, value_parser = perplexity)]
    perplexity: f64,
    /// Iterations, those with early exaggeration included
    #[arg(long, default_value_t = 1000)]
    iterations: usize,
    /// Seed; equal input and seed give equal maps
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Show no progress
    #[arg(long)]
    quiet: bool,
}

fn perplexity(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 1.0 => Ok(value),
        _ => Err("a number from 1 up is wanted".to_owned()),
    }
}

/// Reads, maps, writes; the divergence goes to stderr.
pub(super) fn run(args: &TsneArgs) -> CliResult {
    let (features, width) = results::read_matrix(&args.features)?;
    let config = TsneConfig {
        perplexity: args.perplexity,
        iterations: args.iterations,
        seed: args.seed,
        ..TsneConfig::default()
    };
    let mut tsne = prepare(&features, width, &config, args)?;
    if tsne.perplexity() < config.perplexity {
        note!(
            "perplexity reduced from {} to {:.1}: there are only {} points",
            config.perplexity,
            tsne.perplexity(),
            features.len() / width
        );
    }
    let bar = progress_line(args.quiet, Some(args.iterations as u64), "iterations");
    while !tsne.is_done() {
        tsne.step(STRIDE);
        bar.set_position(tsne.iteration() as u64);
    }
    bar.finish_and_clear();
    write_csv(&args.out, tsne.positions())?;
    note!("KL divergence {:.4} after {} iterations", tsne.kl(), tsne.iteration());
    Ok(ExitCode::SUCCESS)
}

/// Finds the neighbours of features `[n, width]`.
fn prepare(features: &[f32], width: usize, config: &TsneConfig, args: &TsneArgs) -> Result<Tsne> {
    let n = features.len() / width;
    let bar = progress_line(args.quiet, Some(n as u64), "points' neighbours");
    let watch = |progress: crate::eval::tsne::TsneProgress| {
        bar.set_position(progress.done as u64);
        ControlFlow::Continue(())
    };
    let tsne = Tsne::new(features, n, width, config, &watch)
        .with_context(|| format!("cannot map {}", args.features.display()))?;
    bar.finish_and_clear();
    Ok(tsne)
}

fn write_csv(path: &Path, positions: &[[f32; 2]]) -> Result<()> {
    let mut text = String::from("index,x,y\n");
    for (index, [x, y]) in positions.iter().enumerate() {
        writeln!(text, "{index},{x},{y}")?;
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
