//! `tagood-lens metrics`: every metric, from a file of scores.

pub(super) mod report;
mod scores_csv;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use super::CliResult;
use crate::eval::metrics::{Intervals, Metrics, OperatingPoint, RankedScores};

/// How well scores separate in-distribution (ID) from out-of-distribution (OOD) images.
///
/// Prints AUROC, and FPR95, average precision and AUPR with ID and with OOD as the positive class,
/// for each set and their mean, and what the threshold that keeps 95 % of ID does.
#[derive(Args)]
pub(super) struct MetricsArgs {
    /// CSV with the columns `score` (higher = more ID) and `label` (1 or id, 0 or ood), and
    /// optionally `set`. Rows whose `set` is empty belong to every set, so that ID scores that all
    /// OOD sets share stand in the file once.
    #[arg(long, value_name = "FILE.csv")]
    scores: PathBuf,

    /// Print one JSON object, with fractions of 1, instead of tables in percent.
    #[arg(long)]
    json: bool,

    /// Add 95 % percentile intervals of each set from N bootstrap resamples; 1000 is usual.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    bootstrap: Option<u32>,

    /// Seed of the resampling; the same seed gives the same intervals.
    #[arg(long, value_name = "S", default_value_t = 7)]
    seed: u64,
}

/// The true positive rate, ID positive, of the threshold that is shown.
const TARGET_TPR: f64 = 0.95;

/// One set's results.
pub(super) struct SetMetrics {
    pub name: String,
    pub id_count: usize,
    pub ood_count: usize,
    pub metrics: Metrics,
    /// None where they were not asked for, and where ID or OOD is a single image.
    pub intervals: Option<Intervals>,
    pub at_95_tpr: OperatingPoint,
}

/// How the intervals were drawn.
#[derive(Clone, Copy)]
pub(super) struct BootstrapArgs {
    pub resamples: u32,
    pub seed: u64,
}

pub(super) fn run(args: MetricsArgs) -> CliResult {
    let bootstrap = args.bootstrap.map(|resamples| BootstrapArgs { resamples, seed: args.seed });
    let in_file = || format!("cannot take metrics from {}", args.scores.display());
    let sets = scores_csv::read(&args.scores).with_context(in_file)?;
    let sets: Vec<SetMetrics> = sets
        .into_iter()
        .map(|set| set_metrics(set.name, &set.ranked, bootstrap))
        .collect::<anyhow::Result<_>>()
        .with_context(in_file)?;
    let report = if args.json {
        format!("{}\n", report::json(&sets, bootstrap))
    } else {
        report::text(&sets, bootstrap)
    };
    std::io::stdout().write_all(report.as_bytes()).context("cannot write the metrics")?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn set_metrics(
    name: String,
    ranked: &RankedScores,
    bootstrap: Option<BootstrapArgs>,
) -> anyhow::Result<SetMetrics> {
    let intervals = bootstrap
        .map(|bootstrap| ranked.bootstrap(bootstrap.resamples as usize, bootstrap.seed))
        .transpose()?;
    Ok(SetMetrics {
        name,
        id_count: ranked.id_count(),
        ood_count: ranked.ood_count(),
        metrics: ranked.metrics(),
        intervals: intervals.flatten(),
        at_95_tpr: ranked.lambda_for_tpr(TARGET_TPR)?,
    })
}
