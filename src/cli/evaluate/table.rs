//! `evaluate --table`: metrics of any network's results.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::super::metrics::{BootstrapArgs, SetMetrics, report, set_metrics};
use super::super::progress::progress_line;
use super::super::table::aligned;
use super::super::{CliResult, EXIT_FAULT, WrongUsage, output::note};
use super::DetectorChoice;
use crate::eval::metrics::{Label, Metrics, RankedScores};
use crate::results::{self, Choice, DetectorScores, Origin, Results};
use crate::score::Detector;

/// Options of `evaluate` for tables.
#[derive(Args)]
pub(super) struct TableArgs {
    /// Measure any network's results: CSV, TSV, JSON lines, Parquet, Arrow, npy, npz or safetensors with
    /// columns of scores, `logits` or `features`, and `set` or `label` (1 or id, 0 or ood); several of
    /// the same images are put side by side, others below each other, each a set
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["ood", "out", "store"])]
    pub table: Vec<PathBuf>,
    /// The columns that are scores [default: all numbers that are nothing else]
    #[arg(long, value_name = "A,B,…", value_delimiter = ',', requires = "table")]
    pub scores: Vec<String>,
    /// The set whose features and logits detectors are fitted to; it is not measured [default: half of
    /// the in-distribution rows]
    #[arg(long, value_name = "SET", requires = "table")]
    pub fit_set: Option<String>,
}

/// What `evaluate` was asked beside the tables.
pub(super) struct Asked<'a> {
    pub id: &'a [String],
    pub detectors: &'a DetectorChoice,
    pub bootstrap: Option<u32>,
    pub seed: u64,
    pub json: bool,
    pub quiet: bool,
}

impl TableArgs {
    /// Reads, scores, measures, prints.
    ///
    /// # Errors
    /// If a table cannot be read, or there is nothing to measure.
    pub(super) fn run(&self, asked: &Asked, cancel: &AtomicBool) -> CliResult {
        let tables: Result<Vec<_>, _> = self.table.iter().map(|path| results::read(path)).collect();
        let (table, mut notes) = results::join(tables?)?;
        let choice = Choice { id: self.known_sets(asked), scores: self.scores.clone() };
        let mut results = Results::of(table, &choice)?;
        notes.append(&mut results.notes);
        let fit = self.fit_rows(&results)?;
        let detectors = chosen(asked.detectors, &results, &mut notes);
        let bar = progress_line(asked.quiet, Some(detectors.len() as u64), "detectors");
        let progress = || {
            bar.inc(1);
            match cancel.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let (scores, further) = results::score(&results, &detectors, &fit, asked.seed, progress)?;
        bar.finish_and_clear();
        if cancel.load(Ordering::Relaxed) {
            note!("stopped");
            return Ok(ExitCode::from(EXIT_FAULT));
        }
        notes.extend(further);
        notes.iter().for_each(|text| note!("note: {text}"));
        let bootstrap =
            asked.bootstrap.map(|resamples| BootstrapArgs { resamples, seed: asked.seed });
        let measured: Vec<Measured> = scores
            .iter()
            .map(|scores| Measured::of(&results, scores, self.fit_set.as_deref(), bootstrap))
            .collect::<anyhow::Result<_>>()?;
        let text = match asked.json {
            true => format!("{}\n", self.json(&results, &measured, &notes, bootstrap)),
            false => summary(&results, &measured),
        };
        std::io::stdout().write_all(text.as_bytes()).context("cannot print the metrics")?;
        Ok(ExitCode::SUCCESS)
    }

    /// The in-distribution sets, that of the examples among them.
    fn known_sets(&self, asked: &Asked) -> Vec<String> {
        let mut id = asked.id.to_vec();
        if let Some(set) = self.fit_set.as_ref().filter(|set| !id.is_empty() && !id.contains(set)) {
            id.push(set.clone());
        }
        id
    }

    fn fit_rows(&self, results: &Results) -> anyhow::Result<Vec<usize>> {
        let Some(name) = &self.fit_set else { return Ok(Vec::new()) };
        let sets = results.sets.join(", ");
        let Some(set) = results.sets.iter().position(|set| set == name) else {
            return Err(WrongUsage(format!("there is no set `{name}`; there are: {sets}")).into());
        };
        let rows: Vec<usize> =
            (0..results.rows()).filter(|&row| results.set_of[row] == set).collect();
        match rows.iter().all(|&row| results.roles[row] == Label::Id) {
            true => Ok(rows),
            false => Err(WrongUsage(format!(
                "`{name}` holds out-of-distribution rows, and detectors are fitted to known ones"
            ))
            .into()),
        }
    }

    fn json(
        &self,
        results: &Results,
        measured: &[Measured],
        notes: &[String],
        bootstrap: Option<BootstrapArgs>,
    ) -> Value {
        let detector = |of: &Measured| {
            let sets: Vec<Value> = of.sets.iter().map(report::set_json).collect();
            json!({
                "id": of.scores.id,
                "origin": of.scores.origin,
                "formula": of.scores.formula,
                "flipped": of.scores.flipped,
                "fitted_to": of.scores.fitted_to.len(),
                "sets": sets,
                "mean": report::mean(&of.sets),
            })
        };
        let detectors: Vec<Value> = measured.iter().map(detector).collect();
        let tables: Vec<String> =
            self.table.iter().map(|path| path.display().to_string()).collect();
        json!({
            "tables": tables,
            "rows": results.rows(),
            "id": results.roles.iter().filter(|role| **role == Label::Id).count(),
            "id_sets": names_of(results, Label::Id),
            "ood_sets": names_of(results, Label::Ood),
            "bootstrap": bootstrap.map(|b| json!({"resamples": b.resamples, "seed": b.seed})),
            "detectors": detectors,
            "notes": notes,
        })
    }
}

/// The detectors that were asked for, as far as the table has what they need.
fn chosen(
    choice: &DetectorChoice,
    results: &Results,
    notes: &mut Vec<String>,
) -> Vec<&'static dyn Detector> {
    let possible = results::own_detectors(results);
    let is_possible = |detector: &&'static dyn Detector| {
        possible.iter().any(|other| other.info().id == detector.info().id)
    };
    let DetectorChoice::Named(named) = choice else { return possible };
    let (chosen, not): (Vec<_>, Vec<_>) = named.iter().copied().partition(is_possible);
    notes.extend(not.iter().map(|detector| {
        let id = detector.info().id;
        format!("`{id}` needs more than the logits and features of a table, and is left out")
    }));
    chosen
}

/// Sets that have rows of a role, as they are shown.
fn names_of(results: &Results, role: Label) -> Vec<String> {
    let has = |set: usize| {
        results.set_of.iter().zip(&results.roles).any(|(&of, &is)| of == set && is == role)
    };
    let sets = (0..results.sets.len()).filter(|&set| has(set));
    sets.map(|set| shown(&results.sets[set]).to_owned()).collect()
}

/// A set without a name is all that there is.
fn shown(name: &str) -> &str {
    if name.is_empty() { "all" } else { name }
}

/// One detector's metrics: the in-distribution rows of all sets against each set's others.
struct Measured<'a> {
    scores: &'a DetectorScores,
    sets: Vec<SetMetrics>,
}

impl<'a> Measured<'a> {
    fn of(
        results: &Results,
        scores: &'a DetectorScores,
        fit_set: Option<&str>,
        bootstrap: Option<BootstrapArgs>,
    ) -> anyhow::Result<Self> {
        let fit = fit_set.and_then(|name| results.sets.iter().position(|set| set == name));
        let id = scores
            .of_rows(|row| results.roles[row] == Label::Id && Some(results.set_of[row]) != fit);
        let mut of_sets = vec![Vec::new(); results.sets.len()];
        for (row, score) in scores.scores.iter().enumerate() {
            if results.roles[row] == Label::Ood {
                of_sets[results.set_of[row]].push(*score);
            }
        }
        let named = results.sets.iter().zip(of_sets).filter(|(_, ood)| !ood.is_empty());
        let sets = named.map(|(name, ood)| {
            let ranked = RankedScores::from_sets(id.iter().copied(), ood)?;
            set_metrics(shown(name).to_owned(), &ranked, bootstrap)
        });
        let sets = sets.collect::<anyhow::Result<_>>();
        Ok(Self { scores, sets: sets.with_context(|| format!("detector `{}`", scores.id))? })
    }

    fn mean(&self) -> Option<Metrics> {
        report::mean(&self.sets)
    }
}

/// Means over the sets, best first, and each set's AUROC.
fn summary(results: &Results, measured: &[Measured]) -> String {
    let percent = |share: f64| format!("{:.2}", 100.0 * share);
    let mut sorted: Vec<&Measured> = measured.iter().collect();
    let auroc = |of: &Measured| of.mean().map_or(0.0, |mean| mean.auroc);
    sorted.sort_by(|a, b| auroc(b).total_cmp(&auroc(a)));
    let ood = names_of(results, Label::Ood);
    let mut header = ["detector", "from", "ID", "AUROC ↑", "FPR95 ↓"].map(str::to_owned).to_vec();
    if ood.len() > 1 {
        header.extend(ood.iter().map(|name| format!("{name} ↑")));
    }
    let mut rows = vec![header];
    for of in sorted {
        let Some(mean) = of.mean() else { continue };
        let from = match of.scores.origin {
            Origin::Column => "column",
            Origin::Logits => "logits",
            Origin::Features => "features",
        };
        let id = of.sets.first().map_or(0, |set| set.id_count);
        let mut row = vec![of.scores.id.clone(), from.to_owned(), id.to_string()];
        row.extend([percent(mean.auroc), percent(mean.fpr95)]);
        if ood.len() > 1 {
            row.extend(of.sets.iter().map(|set| percent(set.metrics.auroc)));
        }
        rows.push(row);
    }
    let id = names_of(results, Label::Id).join(", ");
    format!("{id} (ID) against {}: means in %\n\n{}", ood.join(", "), aligned(&rows))
}
