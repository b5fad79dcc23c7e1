//! One image at one setting has one score, one rejection and one λ: in the window, in `inspect`, in
//! `evaluate` and in `fit`, to the last bit.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tagood_lens::app::Options;
use tagood_lens::bundle::manifest::{FeatureChoice, Recipe};
use tagood_lens::bundle::{Bundle, embedded};
use tagood_lens::eval::report::Report;
use tagood_lens::fit::lambda::{TPR, lambda_of, lambdas};
use tagood_lens::gpu::{self, DeviceChoice};
use tagood_lens::pipeline::{Features, Keep, Pipeline, TaggerOutput};
use tagood_lens::score::verdict::Score;
use tagood_lens::score::{self, FittedDetector, Statistics};
use tagood_lens::session::command::Command as Act;
use tagood_lens::session::sets::Role;
use tagood_lens::store::{Store, add_missing_attention};

use crate::stage;

fn lens(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagood-lens"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// The embedded model without any λ, so that everyone has to find one.
fn bundle() -> Bundle {
    let mut bundle = embedded::bundle().unwrap();
    bundle.manifest.lambda.clear();
    bundle
}

fn pipeline() -> Pipeline {
    Pipeline::load(&bundle(), &gpu::compute(DeviceChoice::Cpu).unwrap()).unwrap()
}

/// A set that is called in-distribution, of which more than one in twenty has no known tag, and one
/// that is not; with the bundle.
struct World {
    folder: PathBuf,
    paths: Vec<PathBuf>,
}

impl World {
    fn get() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| {
            let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
            for (set, count) in [("id", "36"), ("context", "12"), ("near", "10")] {
                let scenes = ["demo", "scenes", "--set", set, "--count", count, "--seed", "5"];
                let mut command = lens(&scenes);
                command.args(["--quiet", "--out"]).arg(&folder);
                assert!(command.output().unwrap().status.success());
            }
            // Backgrounds alone, called fish.
            for scene in files(&folder.join("context")) {
                let name = scene.file_name().unwrap().to_owned();
                fs::copy(&scene, folder.join("id/fish").join(name)).unwrap();
            }
            bundle().write(&folder.join("bundle"), None).unwrap();
            let paths = files(&folder.join("id"));
            Self { folder, paths }
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The pictures below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|ending| ending == "png") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What someone says of an image, with every bit of its numbers.
#[derive(Clone, Debug, PartialEq)]
struct Said {
    score: Option<u32>,
    rejected: Option<String>,
    ranked: u32,
}

impl Said {
    fn of(score: Score) -> Self {
        Self {
            score: score.value.map(f32::to_bits),
            rejected: score.rejected.map(|rejection| rejection.to_string()),
            ranked: score.ranked.to_bits(),
        }
    }
}

fn inspected(recipe: Recipe, batch: &str) -> BTreeMap<String, Said> {
    let world = World::get();
    let mut command = lens(&["inspect", "--json", "--quiet", "--device", "cpu", "--batch", batch]);
    command.args(["--recipe", &recipe.to_string(), "--model"]).arg(world.path("bundle"));
    let output = command.arg(world.path("id")).output().unwrap();
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    let said = lines.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let number = |name: &str| line[name].as_f64().map(|value| (value as f32).to_bits());
        let rejected = line["rejected"].as_str().map(str::to_owned);
        assert_eq!(line["nearest"].is_null(), rejected.is_some());
        assert!(rejected.is_none() || line["verdict"] == "ood", "{line}");
        let ranked = number("ranked").unwrap_or(f32::NEG_INFINITY.to_bits());
        let said = Said { score: number("score"), rejected, ranked };
        (line["path"].as_str().unwrap().to_owned(), said)
    });
    said.collect()
}

/// The rows of `scores/id.csv`, and λ.
fn evaluated(recipe: Recipe) -> (BTreeMap<String, Said>, f32) {
    let world = World::get();
    let out = world.path(&format!("report-{recipe}"));
    let mut command = lens(&["evaluate", "--device", "cpu", "--quiet", "--taus", "0.25"]);
    command.args(["--recipe", &recipe.to_string(), "--batch", "7", "--model"]);
    command.arg(world.path("bundle")).arg("--id").arg(world.path("id")).arg("--ood");
    command.arg(format!("near={}", world.path("near").display())).arg("--out").arg(&out);
    command.arg("--store").arg(world.path("store"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut csv = csv::Reader::from_path(out.join("scores/id.csv")).unwrap();
    let header = csv.headers().unwrap().clone();
    let at = |name: &str| header.iter().position(|column| column == name).unwrap();
    let (path, rejected, detector) = (at("path"), at("rejected"), at(recipe.detector()));
    let said = csv.records().map(|row| {
        let row = row.unwrap();
        let ranked: f32 = row[detector].parse().unwrap();
        let rejected = Some(row[rejected].to_owned()).filter(|code| !code.is_empty());
        let score = rejected.is_none().then_some(ranked.to_bits());
        (row[path].to_owned(), Said { score, rejected, ranked: ranked.to_bits() })
    });
    let said = said.collect();
    let report: Report =
        serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap();
    let found = report.detectors.iter().find(|d| d.id == recipe.detector()).unwrap();
    assert!(found.lambda_of_set);
    (said, found.lambda.unwrap())
}

/// λ as `fit` finds it from the rows of a store.
fn fitted_lambda(recipe: Recipe) -> f32 {
    let (world, pipeline) = (World::get(), pipeline());
    let statistics = bundle().statistics.unwrap();
    let statistics = Statistics::from_bytes(&statistics).unwrap();
    let detector = score::by_name(recipe.detector()).unwrap();
    let head = pipeline.head().unwrap();
    let detector: FittedDetector = score::bind(detector, &statistics, head).unwrap();
    let store = Store::open(&world.path("store")).unwrap();
    let rows = store.rows().filter(|row| row.set() == "id");
    let mut images: Vec<TaggerOutput> = rows.map(|row| row.tagged().unwrap().unwrap()).collect();
    for image in &mut images {
        add_missing_attention(&pipeline, image, recipe).unwrap();
    }
    let setting = (recipe, 0.5, FeatureChoice::Objects);
    let found = lambdas(&pipeline, &[&detector], &images, setting, TPR).unwrap();
    found[0].value
}

/// What the window says, and its λ.
fn on_show(recipe: Recipe) -> (BTreeMap<String, Said>, f32) {
    let world = World::get();
    let mut harness = stage::open(Options {
        model: stage::model("no λ", pipeline),
        ..stage::options(vec![world.path("id")])
    });
    stage::set_role(&mut harness, "id", Role::Id);
    stage::send(&mut harness, Act::SetRecipe(recipe));
    let model = harness.state().app().session();
    assert_eq!(model.settings().detector, recipe.detector());
    let said = model.entries().iter().map(|entry| {
        let score = entry.analysis.as_ref().unwrap().verdict.as_score().unwrap();
        let tagood_lens::worker::ImageSource::File(path) = &entry.source else { panic!() };
        (path.display().to_string(), Said::of(score))
    });
    (said.collect(), model.lambda().unwrap())
}

#[test]
fn everyone_says_the_same_to_the_last_bit() {
    let world = World::get();
    for recipe in Recipe::ALL {
        let said = inspected(recipe, "4");
        assert_eq!(said.len(), world.paths.len());
        let rejected = said.values().filter(|said| said.rejected.is_some()).count();
        assert!(rejected * 20 > said.len(), "{recipe}: {rejected} of {} rejected", said.len());
        let rank = if recipe == Recipe::Paper { f32::NEG_INFINITY } else { 0.0 };
        for said in said.values().filter(|said| said.rejected.is_some()) {
            assert_eq!((said.score, said.ranked), (None, rank.to_bits()));
        }
        assert_eq!(inspected(recipe, "1"), said, "one at a time");
        let (table, lambda) = evaluated(recipe);
        assert_eq!(table, said);
        assert_eq!(fitted_lambda(recipe).to_bits(), lambda.to_bits());
        let (window, in_window) = on_show(recipe);
        assert_eq!(window, said);
        assert_eq!(in_window.to_bits(), lambda.to_bits());
        let scores = said.values().map(|said| Score {
            value: said.score.map(f32::from_bits),
            rejected: None,
            ranked: f32::from_bits(said.ranked),
        });
        assert_eq!(lambda_of(scores, TPR).unwrap().0.to_bits(), lambda.to_bits());
    }
}

#[test]
fn company_changes_no_bit() {
    let pipeline = pipeline();
    let prepare = |path: &PathBuf| {
        let decoded = tagood_lens::image::decode_file(path, &Default::default()).unwrap();
        pipeline.prepare(&decoded.rgb)
    };
    let inputs: Vec<Vec<f32>> = World::get().paths.iter().step_by(4).map(prepare).collect();
    let together = pipeline.tag(&inputs, Keep::Id).unwrap();
    let alone: Vec<TaggerOutput> = inputs
        .iter()
        .flat_map(|input| pipeline.tag(std::slice::from_ref(input), Keep::Id).unwrap())
        .collect();
    for (alone, together) in alone.iter().zip(&together) {
        assert!(alone.tokens == together.tokens && alone.logits == together.logits);
        for &tag in &alone.attention.tags {
            assert_eq!(alone.attention.of(tag, 0), together.attention.of(tag, 0));
        }
        // Asked for later, as a store of another vocabulary does.
        let later = pipeline.attention_of(alone, &alone.attention.tags).unwrap();
        assert!(later == alone.attention);
    }
    let detectors: Vec<&str> = pipeline.detectors().iter().map(|info| info.id).collect();
    let references: Vec<&TaggerOutput> = alone.iter().collect();
    for recipe in Recipe::ALL {
        let at = (recipe, Features::Objects { tau: 0.4 });
        let together = pipeline.scores(&references, at, &detectors).unwrap();
        for (place, &image) in references.iter().enumerate() {
            let alone = pipeline.scores(&[image], at, &detectors).unwrap();
            for ((together, alone), detector) in together.iter().zip(&alone).zip(&detectors) {
                let together = together.as_ref().unwrap()[place];
                let alone = alone.as_ref().unwrap()[0];
                assert_eq!(alone, together, "{detector} of image {place}");
            }
        }
    }
}
