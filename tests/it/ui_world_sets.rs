//! Choosing thresholds on the embedded world, driven through the accessibility tree: counts and curves
//! are those that `metrics` and `evaluate` give for the same scenes, and a model is fitted to them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use eframe::egui::{Event, Key, Modifiers, Rect, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use tagood_lens::bundle::Bundle;
use tagood_lens::bundle::manifest::Recipe;
use tagood_lens::demo::{Set, World, write::write_scenes};
use tagood_lens::eval::metrics::{Confusion, RankedScores};
use tagood_lens::eval::report::Report;
use tagood_lens::fit::vocabulary::ProposedClass;
use tagood_lens::gpu::{self, DeviceChoice};
use tagood_lens::panels::{Exported, UserCommand};
use tagood_lens::pipeline::{Pipeline, Settings};
use tagood_lens::score::verdict::Outcome;
use tagood_lens::session::Command;
use tagood_lens::session::Session;
use tagood_lens::worker::{FitState, Program};
use tagood_lens::worker::{ImageId, ImageSource};

use super::stage::{Stage, embedded, send, settle, tagged, wait_for, world_window};
use super::ui_map::{lasso, selected, selected_tiles};

/// Scenes of each set where sets are compared.
const SCENES: u64 = 16;
const LENS: &str = env!("CARGO_BIN_EXE_tagood-lens");

fn session<'a>(harness: &'a Harness<'_, Stage>) -> &'a Session {
    harness.state().app().session()
}

fn show(harness: &mut Harness<'_, Stage>, panel: &str) {
    harness.state_mut().app.as_mut().unwrap().show_panel(panel);
    settle(harness);
    harness.run_steps(3);
}

/// A window in which the world was opened by one click.
fn world(folder: &Path, scenes: u64) -> (World, Harness<'static, Stage>) {
    let world = World { folder: folder.join("world"), scenes };
    let mut harness = world_window(world.clone());
    harness.get_all_by_label("Open the demo world").next().unwrap().click();
    harness.run_steps(2);
    settle(&mut harness);
    assert_eq!(session(&harness).entries().len(), world.total());
    (world, harness)
}

/// Exported scores as the `metrics` subcommand reads them: the OOD sets each against the ID set, or
/// all of them as one. What is out-of-distribution outright has no score worth the name and ranks
/// below all others.
struct Scores {
    id: Vec<f64>,
    ood: Vec<(String, f64)>,
}

impl Scores {
    fn exported(harness: &mut Harness<'_, Stage>, file: &Path) -> Self {
        send(harness, UserCommand::Export(Exported::All, file.to_owned()));
        let mut reader = csv::Reader::from_path(file).unwrap();
        let mut scores = Self { id: Vec::new(), ood: Vec::new() };
        for row in reader.deserialize::<BTreeMap<String, String>>() {
            let row = row.unwrap();
            let reason = &row["reason"];
            let hard_rejected = reason.starts_with("no in-distribution object seen:")
                || reason.starts_with("no image token");
            let score =
                if hard_rejected { f64::NEG_INFINITY } else { row["score"].parse().unwrap() };
            match row["set"].as_str() {
                "id" => scores.id.push(score),
                set => scores.ood.push((set.to_owned(), score)),
            }
        }
        scores
    }

    fn ranked(&self) -> RankedScores {
        let ood = self.ood.iter().map(|(_, score)| *score);
        RankedScores::from_sets(self.id.iter().copied(), ood).unwrap()
    }

    /// What the subcommand prints; `apart` for each set by itself.
    fn metrics(&self, file: &Path, apart: bool) -> serde_json::Value {
        let mut text = String::from("score,label,set\n");
        self.id.iter().for_each(|score| text += &format!("{score},1,\n"));
        for (set, score) in &self.ood {
            text += &format!("{score},0,{}\n", if apart { set } else { "" });
        }
        fs::write(file, text).unwrap();
        let output = Process::new(LENS).args(["metrics", "--json", "--scores"]).arg(file).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn assert_counts(harness: &Harness<'_, Stage>, counts: Confusion) {
    let Confusion { id_kept, id_lost, ood_caught, ood_missed } = counts;
    for text in [
        format!("ID kept {id_kept}"),
        format!("ID lost {id_lost}"),
        format!("OOD caught {ood_caught}"),
        format!("OOD missed {ood_missed}"),
    ] {
        let lambda = session(harness).lambda();
        assert!(harness.query_by_label(&text).is_some(), "`{text}` is not on show at λ {lambda:?}");
    }
}

/// The ROC panel's table says so; others of its rows may lie below its edge.
fn assert_first_row(harness: &Harness<'_, Stage>, auroc: f64) {
    let cell = format!("{:.2}", 100.0 * auroc);
    assert!(harness.query_all_by_label(&cell).next().is_some(), "{cell} is not in the table");
}

#[test]
fn lambda_is_dragged_and_the_counts_are_those_of_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut harness) = world(folder.path(), SCENES);
    let scores = Scores::exported(&mut harness, &folder.path().join("images.csv"));
    assert_eq!((scores.id.len(), scores.ood.len()), (SCENES as usize, 4 * SCENES as usize));
    let ranked = scores.ranked();
    let from = harness.get_by_label("λ on the histogram").rect().center();
    harness.drag_at(from);
    harness.step();
    let mut seen = Vec::new();
    for left in [30.0, 90.0, 200.0] {
        harness.hover_at(from - vec2(left, 0.0));
        harness.run_steps(2);
        let lambda = session(&harness).lambda().unwrap();
        let counts = ranked.counts_at(f64::from(lambda));
        assert_counts(&harness, counts);
        seen.push(counts);
    }
    harness.drop_at(from - vec2(200.0, 0.0));
    settle(&mut harness);
    assert!(seen[0].id_kept < seen[2].id_kept || seen[0].ood_missed < seen[2].ood_missed);
    // The table of the ROC panel, and the λ of a goal with its counts, are what the subcommand says.
    show(&mut harness, "roc");
    let apart = scores.metrics(&folder.path().join("apart.csv"), true);
    let present = session(&harness).tuning.present.clone().unwrap();
    let separation = present.separation.as_ref().unwrap();
    let mut rows: Vec<(&serde_json::Value, f64, f64)> = Vec::new();
    for (set, said) in separation.sets.iter().zip(apart["sets"].as_array().unwrap()) {
        assert_eq!(said["set"], set.name);
        rows.push((said, set.metrics.auroc, set.metrics.fpr95));
    }
    rows.push((&apart["mean"], separation.mean.auroc, separation.mean.fpr95));
    for (said, auroc, fpr95) in rows {
        assert!((said["auroc"].as_f64().unwrap() - auroc).abs() < 1e-12, "{said}");
        assert!((said["fpr95"].as_f64().unwrap() - fpr95).abs() < 1e-12, "{said}");
    }
    assert_first_row(&harness, separation.sets[0].metrics.auroc);
    harness.get_by_label("of ID").click();
    settle(&mut harness);
    let pooled = scores.metrics(&folder.path().join("pooled.csv"), false);
    let at = &pooled["sets"][0]["at_95_tpr"];
    assert_eq!(at["lambda"].as_f64().unwrap() as f32, session(&harness).lambda().unwrap());
    let count = |name: &str| at[name].as_u64().unwrap() as usize;
    let counts = Confusion {
        id_kept: count("id_kept"),
        id_lost: count("id_lost"),
        ood_caught: count("ood_caught"),
        ood_missed: count("ood_missed"),
    };
    assert_counts(&harness, counts);
}

/// What `evaluate` reports for the world at a τ.
fn evaluated(world: &World, out: &Path, settings: &Settings) -> Report {
    let set = |set: &Set| format!("{set}={}", world.folder.join(set.name()).display());
    let mut lens = Process::new(LENS);
    lens.args(["evaluate", "--device", "cpu", "--quiet", "--json", "--taus", "none", "--id"]);
    lens.arg(set(&Set::Id)).arg("--ood").args(Set::ALL[1..].iter().map(set));
    lens.arg("--store").arg(out.join("store")).arg("--out").arg(out);
    lens.args(["--tau", &settings.tau.to_string(), "--recipe", &settings.recipe.to_string()]);
    let output = lens.args(["--detectors", &settings.detector]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The window's scores beside those in the report's files, image by image.
fn assert_scores(session: &Session, report: &Path) {
    let mut said = BTreeMap::new();
    for set in session.sets() {
        let file = report.join(format!("scores/{}.csv", set.name));
        for row in csv::Reader::from_path(file).unwrap().records().map(Result::unwrap) {
            said.insert(PathBuf::from(&row[0]), row[4].parse::<f32>().unwrap());
        }
    }
    assert_eq!(said.len(), session.entries().len());
    for entry in session.entries() {
        let ImageSource::File(path) = &entry.source else { panic!("{} is no file", entry.name) };
        let (shown, said) = (entry.analysis.as_ref().unwrap().verdict.ranked, said[path]);
        let shown = shown.unwrap();
        // Both keep tokens in half precision and attention as it is; they tag in batches of other
        // sizes, whose last bits differ, and a bit of a token may then be rounded the other way.
        let close = (shown - said).abs() < 1e-3 * (1.0 + said.abs());
        assert!(shown == said || close, "{}: {shown}, evaluate {said}", path.display());
    }
}

#[test]
fn tau_moves_and_auroc_is_that_of_evaluate() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut harness) = world(folder.path(), SCENES);
    let out = folder.path().join("report");
    show(&mut harness, "roc");
    // As far as scores differ in their last bits, a pair of images may change places.
    let pair = 1.0 / (SCENES * SCENES) as f64;
    for (tau, recipe, detector) in [
        (0.5, Recipe::Paper, "tagood-cosine"),
        (0.2, Recipe::Paper, "tagood-cosine"),
        (0.75, Recipe::Paper, "energy"),
        (0.5, Recipe::Released, "tagood-released"),
    ] {
        send(&mut harness, Command::SetRecipe(recipe));
        send(&mut harness, Command::SetDetector(detector.into()));
        send(&mut harness, Command::SetTau(tau));
        let report = evaluated(&world, &out, session(&harness).settings());
        let present = session(&harness).tuning.present.clone().unwrap();
        let separation = present.separation.as_ref().unwrap();
        assert_eq!(separation.sets.len(), 4);
        for (at, set) in separation.sets.iter().enumerate() {
            assert_eq!(set.name, report.ood[at].name);
            let said = &report.detectors[0].outcomes[0].set(at).unwrap().metrics;
            let far = (set.metrics.auroc - said.auroc).abs();
            assert!(far < 1.5 * pair, "{detector} at {tau}, {}: {said:?}", set.name);
        }
        assert_first_row(&harness, separation.sets[0].metrics.auroc);
        assert_scores(session(&harness), &out);
    }
}

#[test]
fn flips_between_two_settings_are_the_librarys() {
    let folder = tempfile::tempdir().unwrap();
    let (world, mut harness) = world(folder.path(), SCENES);
    let files = world.draw(&|| (), &|| false).unwrap().unwrap();
    let pipeline = embedded();
    let tagged = tagged(&pipeline, &files);
    let outcomes = |settings: &Settings| -> Vec<Option<Outcome>> {
        let analysis = |tagged| pipeline.analyse(tagged, settings).unwrap().verdict.outcome;
        tagged.iter().map(analysis).collect()
    };
    harness.key_press(Key::P);
    settle(&mut harness);
    let before = outcomes(session(&harness).settings());
    send(&mut harness, Command::SetTau(0.05));
    let lambda = session(&harness).lambda().unwrap() + 0.05;
    send(&mut harness, Command::SetLambda(Some(lambda)));
    let after = outcomes(session(&harness).settings());
    let ids: Vec<ImageId> = session(&harness).entries().iter().map(|entry| entry.id).collect();
    let flips = ids.iter().zip(before.iter().zip(&after)).filter(|(_, (a, b))| a != b);
    let expected: Vec<ImageId> = flips.map(|(id, _)| *id).collect();
    assert!(!expected.is_empty());
    show(&mut harness, "compare");
    harness.get_by_label(&format!("{} verdicts flip", expected.len()));
    harness.get_by_label("Select all").click();
    settle(&mut harness);
    assert_eq!(selected(&harness), expected);
}

#[test]
fn a_lasso_on_the_map_selects_in_the_gallery() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut harness) = world(folder.path(), 2);
    show(&mut harness, "tsne");
    let plot = harness.get_by_label_contains("After projection: map of").rect();
    lasso(&mut harness, plot.shrink(3.0), Modifiers::NONE);
    assert!(!selected(&harness).is_empty());
    let half = Rect::from_min_max(plot.min + vec2(2.0, 2.0), plot.center_bottom() - vec2(0.0, 2.0));
    lasso(&mut harness, half, Modifiers::NONE);
    let chosen = selected(&harness);
    assert!(!chosen.is_empty(), "the left half of the map is empty");
    let left = harness.get_by_label_contains("Before projection: map of").rect().left();
    assert_eq!(selected_tiles(&harness, left), chosen.len());
    // The same images are what is exported as selected.
    let file = folder.path().join("selected.json");
    send(&mut harness, UserCommand::Export(Exported::Selected, file.clone()));
    let rows: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), chosen.len());
    let svg = folder.path().join("map.svg");
    send(&mut harness, UserCommand::Export(Exported::Map, svg.clone()));
    assert!(fs::read_to_string(svg).unwrap().ends_with("</svg>\n"));
}

fn type_into(harness: &mut Harness<'_, Stage>, field: &str, text: &str) {
    harness.get_by_label(field).focus();
    harness.run_steps(2);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.event(Event::Text(text.into()));
    harness.run_steps(3);
}

#[test]
fn a_model_is_fitted_to_scenes_from_the_panel() {
    const EPOCHS: usize = 16;
    let folder = tempfile::tempdir().unwrap();
    write_scenes(Set::Id, 77, 72, folder.path(), || ()).unwrap();
    let id = folder.path().join("id");
    let mut harness = world_window(World { folder: "/dev/null/world".into(), scenes: 1 });
    send(&mut harness, Command::OpenPaths(vec![id.clone()]));
    let model_args = ["--device", "cpu", "--hidden", "32"].map(Into::into).to_vec();
    let program = Program { path: LENS.into(), model: model_args };
    harness.state_mut().app.as_mut().unwrap().enable_fitting(program);
    show(&mut harness, "training");
    let out: PathBuf = folder.path().join("fitted.bundle");
    type_into(&mut harness, "Folder of the new model", out.to_str().unwrap());
    harness.get_by_label("Epochs").set_value_accesskit(EPOCHS as f64);
    harness.run_steps(2);
    harness.get_by_label("Propose vocabulary").click();
    wait_for(&mut harness, "the vocabulary", |m| m.fitting.state == FitState::Proposed);
    let proposal = session(&harness).fitting.progress.vocabulary.clone().unwrap();
    // The tagger knows the classes by their names.
    let is_named =
        |class: &&ProposedClass| class.tags.first().is_some_and(|t| t.name == class.name);
    let known = proposal.iter().filter(is_named).count();
    assert!(known > 9 * (proposal.len() - known), "{proposal:?}");
    harness.get_by_label("Start training").click();
    wait_for(&mut harness, "an epoch", |m| !m.fitting.progress.projector.is_empty());
    harness.get_by_label("Stop training").click();
    harness.run_steps(2);
    assert_eq!(session(&harness).fitting.state, FitState::Stopped);
    let stopped_at = session(&harness).fitting.progress.projector.len();
    assert!(stopped_at < EPOCHS && !out.exists(), "it ended after {stopped_at} epochs");
    // Other epochs start anew, and are told to; what was begun goes on as it was.
    for epochs in [EPOCHS + 5, EPOCHS] {
        harness.get_by_label("Epochs").set_value_accesskit(epochs as f64);
        harness.run_steps(2);
        harness.get_by_label("Start anew").click();
        wait_for(&mut harness, "an epoch", |m| {
            m.fitting.progress.projector.last().is_some_and(|l| l.epochs == epochs && l.epoch > 1)
        });
        harness.get_by_label("Stop training").click();
        harness.run_steps(2);
        harness.get_by_label_contains("A training to this folder was cut off after epoch ");
    }
    harness.get_by_label("Epochs").set_value_accesskit(3.0);
    harness.run_steps(2);
    harness.get_by_label("Go on with it").click();
    wait_for(&mut harness, "the model", |m| m.fitting.state == FitState::Done);
    let log = session(&harness).fitting.progress.projector.clone();
    assert_eq!(
        log.iter().map(|line| line.epoch).collect::<Vec<_>>(),
        (1..=EPOCHS).collect::<Vec<_>>()
    );
    // How good it is, as the held-out images say.
    let quality = session(&harness).fitting.progress.quality.unwrap();
    assert_eq!(quality.accuracy, Some(log.last().unwrap().validation_accuracy));
    harness.run_steps(2);
    harness.get_by_label_contains(&quality.sentence());
    harness.get_by_label("Use the new model").click();
    wait_for(&mut harness, "the new model", |m| m.info().is_some_and(|i| i.manifest.name == "id"));
    settle(&mut harness);
    // The window now shows what the library makes of the scenes with the new bundle.
    let compute = gpu::compute(DeviceChoice::Cpu).unwrap();
    let pipeline = Pipeline::load(&Bundle::open(&out).unwrap(), &compute).unwrap();
    let files = tagood_lens::image::find_images(&[&id]).images;
    let settings = session(&harness).settings().clone();
    for (entry, tagged) in session(&harness).entries().iter().zip(tagged(&pipeline, &files)) {
        let (analysis, expected) =
            (entry.analysis.as_ref().unwrap(), pipeline.analyse(&tagged, &settings).unwrap());
        assert_eq!(analysis.decomposition.mask, expected.decomposition.mask);
        assert_eq!(analysis.verdict.outcome, expected.verdict.outcome);
    }
}
