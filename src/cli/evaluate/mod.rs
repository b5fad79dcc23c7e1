//! `evaluate`: every detector on sets of images, as tables, plots and a page.

mod refits;
mod scoring;
mod sets;
mod table;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Args;

use super::extract::cancel_on_ctrl_c;
use super::model::{MethodArgs, ModelArgs, parse_tau};
use super::output::note;
use super::progress::progress_line;
use super::table::aligned;
use super::{CliResult, EXIT_FAULT, EXIT_SOME_FAILED, WrongUsage};
use crate::eval::gather::Plan;
use crate::eval::report::{self, Bootstrap, Report};
use crate::fs::WholeFile;
use crate::pipeline::{FeatureChoice, OdinInput, Pipeline};
use crate::score::{self, Detector};
use crate::store::StoreHeader;
use refits::{RefitSweep, RefitSweepArgs};
use scoring::Scoring;
use sets::{NamedSet, Stores};

/// Compares every detector on your own sets: tables, ROC curves, histograms, a page
///
/// With --table, measures the scores, logits and features of any other network instead.
///
/// Sets are folders of images or feature stores; the in-distribution one may have a folder for each
/// class. Folders are first brought into a store, which is then read once for all detectors and all
/// τ. Interrupted with Ctrl-C or killed, the same command goes on where it stood. OUT gets
/// report.html (needs nothing else), table.md, table.csv, report.json, scores/SET.csv and roc/SET.csv.
#[derive(Args)]
pub(super) struct EvaluateArgs {
    /// The in-distribution images: a folder, a CSV path,class, or a store (NAME=DIR picks one of
    /// several sets in it); with --table, the names of its in-distribution sets
    #[arg(long, value_name = "[NAME=]DIR|STORE", required_unless_present = "table")]
    id: Vec<String>,
    /// Out-of-distribution images; may be given several times
    #[arg(long, value_name = "NAME=DIR|STORE", required_unless_present = "table", num_args = 1..)]
    ood: Vec<String>,
    /// The folder for the report; made if it is not there
    #[arg(long, value_name = "DIR", required_unless_present = "table")]
    out: Option<PathBuf>,
    #[command(flatten)]
    tables: table::TableArgs,
    /// The feature store for sets that are folders; OUT/store if not given
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    method: MethodArgs,
    /// Further τ to score at, with the whole image beside them; `none` leaves them out
    #[arg(long, value_name = "A,B,…", default_value = "0,0.25,0.5,0.75", value_parser = parse_taus)]
    taus: Taus,
    /// Which detectors, by name
    #[arg(long, value_name = "all|A,B,…", default_value = "all", value_parser = parse_detectors)]
    detectors: DetectorChoice,
    /// What becomes an image's feature in the main table: the tokens of its objects above τ, or all of
    /// it; a tagger's objects, a CLIP's whole image if not given
    #[arg(long, value_name = "objects|whole-image")]
    features: Option<FeatureChoice>,
    /// What ODIN moves along the gradient: the object tokens, or (slowly) the images, which must still
    /// be where they were
    #[arg(long, value_name = "tokens|image", default_value_t, value_parser = parse_odin)]
    odin: OdinInput,
    #[command(flatten)]
    sweep: RefitSweepArgs,
    /// Add 95 % intervals from N bootstrap resamples; 1000 is usual
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    bootstrap: Option<u32>,
    /// Seed of resampling and splitting
    #[arg(long, value_name = "S", default_value_t = 7)]
    seed: u64,
    /// Images that go through the network at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    batch: u16,
    /// Print the report as one JSON object in place of a table
    #[arg(long)]
    json: bool,
    /// No progress on stderr
    #[arg(long)]
    quiet: bool,
}

/// A list of τ.
#[derive(Clone, Debug)]
struct Taus(Vec<f32>);

fn parse_taus(text: &str) -> Result<Taus, String> {
    if text == "none" {
        return Ok(Taus(Vec::new()));
    }
    text.split(',').map(|tau| parse_tau(tau.trim())).collect::<Result<_, _>>().map(Taus)
}

#[derive(Clone)]
enum DetectorChoice {
    /// All that the kind of model can have.
    All,
    /// These.
    Named(Vec<&'static dyn Detector>),
}

/// Named detectors in the registry's order.
fn parse_detectors(text: &str) -> Result<DetectorChoice, String> {
    if text == "all" {
        return Ok(DetectorChoice::All);
    }
    let named: Vec<&str> = text.split(',').map(str::trim).collect();
    for name in &named {
        score::by_name(name).map_err(|error| error.to_string())?;
    }
    let is_named = |detector: &&&dyn Detector| named.contains(&detector.info().id);
    Ok(DetectorChoice::Named(score::all().iter().filter(is_named).copied().collect()))
}

fn parse_odin(text: &str) -> Result<OdinInput, String> {
    match text {
        "tokens" => Ok(OdinInput::Tokens),
        "image" => Ok(OdinInput::Image),
        other => Err(format!("unknown input `{other}`; there are `tokens` and `image`")),
    }
}

impl EvaluateArgs {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// If a set or the model cannot be loaded, a store is another tagger's, the model has no
    /// projector, the report cannot be written, or the device fails. Images that cannot be read are
    /// left out, and the exit status is 3.
    pub(super) fn run(self) -> CliResult {
        let cancel = cancel_on_ctrl_c()?;
        if !self.tables.table.is_empty() {
            let asked = table::Asked {
                id: &self.id,
                detectors: &self.detectors,
                bootstrap: self.bootstrap,
                seed: self.seed,
                json: self.json,
                quiet: self.quiet,
            };
            return self.tables.run(&asked, &cancel);
        }
        let ([id], Some(out)) = (&self.id[..], &self.out) else {
            return Err(WrongUsage("--id is given once, for one set of images".into()).into());
        };
        let (id, ood) = sets::parse(id, &self.ood)?;
        make_folder(out)?;
        let bundle = self.model.bundle()?;
        let compute = self.model.compute()?;
        let pipeline = self.model.pipeline(&bundle, &compute)?;
        refuse_unknowing(&pipeline)?;
        let stores = Stores {
            header: StoreHeader::of_bundle(&bundle)?,
            pipeline: &pipeline,
            dir: self.store.clone().unwrap_or_else(|| out.join("store")),
            batch: usize::from(self.batch),
            outputs: self.model.outputs().map(Arc::new),
            quiet: self.quiet,
            cancel: &cancel,
        };
        let all: Vec<NamedSet> = std::iter::once(id).chain(ood).collect();
        let Some(sets) = stores.open(&all)? else { return Ok(self.stopped()) };
        let plan = self.plan(&pipeline);
        let sweep = RefitSweep {
            args: &self.sweep,
            plan: &plan,
            stores: &stores,
            compute: &compute,
            folder: out.join("refit"),
            seed: self.seed,
            cancel: &cancel,
        };
        let Some(refits) = sweep.run(&sets[0])? else { return Ok(self.stopped()) };
        let images: usize = sets.iter().map(|set| set.rows.len()).sum();
        let bar = progress_line(self.quiet, Some(images as u64), "images scored");
        let scoring = Scoring::new(&pipeline, &plan, &refits)?;
        let Some((table, refits)) = scoring.run(&sets, &bar, &cancel)? else {
            return Ok(self.stopped());
        };
        bar.finish_and_clear();
        let bootstrap =
            self.bootstrap.map(|n| Bootstrap { resamples: n as usize, seed: self.seed });
        let mut report = Report::new(&table, bootstrap, refits)?;
        let notes = sets.iter().flat_map(|set| set.notes.clone());
        report.warnings.splice(0..0, notes.chain(same_folders(&all)));
        report.warnings.iter().for_each(|warning| note!("note: {warning}"));
        report::write(&report, &table, out)?;
        self.print(&report, out)?;
        let failed = table.sets().any(|set| !set.failed.is_empty());
        Ok(if failed { ExitCode::from(EXIT_SOME_FAILED) } else { ExitCode::SUCCESS })
    }

    fn stopped(&self) -> ExitCode {
        note!("stopped; the same command goes on from here, and no report was written");
        ExitCode::from(EXIT_FAULT)
    }

    fn plan(&self, pipeline: &Pipeline) -> Plan {
        let recipe = self.method.recipe.unwrap_or(pipeline.manifest().recipe);
        let own = pipeline.settings_of(recipe);
        Plan {
            recipe,
            tau: self.method.tau.unwrap_or(own.tau),
            main: self.features.unwrap_or(own.features),
            taus: self.taus.0.clone(),
            whole_image: !self.taus.0.is_empty(),
            detectors: match &self.detectors {
                DetectorChoice::All => score::all_of(pipeline.manifest().arch),
                DetectorChoice::Named(named) => named.clone(),
            },
            odin: self.odin,
        }
    }

    fn print(&self, report: &Report, out: &Path) -> anyhow::Result<()> {
        let text = if self.json {
            format!("{}\n", serde_json::to_string(report)?)
        } else {
            summary(report, out)
        };
        std::io::stdout().write_all(text.as_bytes()).context("cannot print the report")
    }
}

/// Refuses a model that cannot score anything.
pub(super) fn refuse_unknowing(pipeline: &Pipeline) -> anyhow::Result<()> {
    let knows = pipeline.head().is_some() || !pipeline.vocabulary().id_tags().is_empty();
    match (knows, pipeline.label_set()) {
        (true, _) => Ok(()),
        (false, Some(_)) => {
            bail!("nothing is named as known; name it with --known, as in --known \"cat, dog\"")
        }
        (false, None) => bail!(
            "the model has no projector and nothing is named as known, without which nothing is \
             scored; name tags with --known, or make a projector with `fit`"
        ),
    }
}

/// The means, best first.
fn summary(report: &Report, out: &Path) -> String {
    let percent = |share: f64| format!("{:.2}", 100.0 * share);
    let mut rows = vec![["detector", "AUROC ↑", "FPR95 ↓"].map(str::to_owned).to_vec()];
    for (at, _) in report.ranking(0) {
        let detector = &report.detectors[at];
        if let Some(mean) = detector.outcomes[0].mean() {
            rows.push(vec![detector.name.clone(), percent(mean.auroc), percent(mean.fpr95)]);
        }
    }
    let names: Vec<&str> = report.ood.iter().map(|set| set.name.as_str()).collect();
    let mut text = format!(
        "{} against {}, {}: means in %\n\n{}",
        report.id.name,
        names.join(", "),
        report.settings[0],
        aligned(&rows)
    );
    for detector in &report.detectors {
        if let report::DetectorResult::Missing(reason) = &detector.outcomes[0] {
            text.push_str(&format!("{}: {reason}\n", detector.name));
        }
    }
    text.push_str(&format!("\nreport: {}\n", out.join("report.html").display()));
    text
}

/// Warns of sets that are one folder, links resolved.
fn same_folders(sets: &[NamedSet]) -> Vec<String> {
    let Some((id, ood)) = sets.split_first() else { return Vec::new() };
    let real = |set: &NamedSet| set.path.canonicalize().ok();
    let same = |set: &&NamedSet| real(set).is_some() && real(set) == real(id) && !id.is_store();
    let sentence = |set: &NamedSet| {
        format!(
            "`{}` is the same folder as the in-distribution set: {}",
            set.name,
            set.path.display()
        )
    };
    ood.iter().filter(same).map(sentence).collect()
}

/// Makes the report's folder and tries it, so that a place that cannot be written to is refused before
/// any work is done.
fn make_folder(out: &Path) -> anyhow::Result<()> {
    let attempt = || -> std::io::Result<()> {
        std::fs::create_dir_all(out)?;
        WholeFile::create(&out.join("report.json")).map(drop)
    };
    attempt().with_context(|| format!("cannot write to the report's folder {}", out.display()))
}
