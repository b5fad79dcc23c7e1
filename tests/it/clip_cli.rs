//! A CLIP on the command line: names typed, verdicts; features, bundles, stores and reports.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tagood_lens::bundle::Bundle;
use tagood_lens::bundle::manifest::{Arch, Recipe};
use tagood_lens::eval::report::Report;
use tagood_lens::fit::message::FitMessage;
use tagood_lens::nn::source::Source;

use super::golden::{Goldens, relative_error};
use super::golden_clip::fixture;

const NAMES: &str = "cat, dog, orange car";

fn lens(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagood-lens"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    output
}

/// The tiny CLIPN with its tokenizer beside it, and drawn scenes in class folders.
struct World {
    folder: PathBuf,
}

impl World {
    fn get() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| {
            let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
            let copy = |from: &str, to: &str| fs::copy(fixture(from), folder.join(to)).unwrap();
            copy("tiny_clipn_epoch_10.pt", "epoch_10.pt");
            copy("tiny_tokenizer.json", "tokenizer.json");
            for (set, count) in [("id", "48"), ("near", "12")] {
                let mut scenes = lens(&["demo", "scenes", "--set", set, "--count", count]);
                run(scenes.args(["--quiet", "--out"]).arg(&folder));
            }
            Self { folder }
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A subcommand with the tiny CLIPN.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = lens(arguments);
        command.args(["--device", "cpu", "--quiet", "--activation", "quick_gelu", "--model"]);
        command.arg(self.path("epoch_10.pt"));
        command
    }

    fn image(&self) -> PathBuf {
        let class = fs::read_dir(self.path("id")).unwrap().next().unwrap().unwrap().path();
        fs::read_dir(class).unwrap().next().unwrap().unwrap().path()
    }
}

/// The lines of `inspect --json`.
fn lines(command: &mut Command) -> Vec<Value> {
    let output = run(command.arg("--json"));
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

struct Dump(Source);

impl Dump {
    fn of(folder: &Path) -> Self {
        let file = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
        Self(Source::open(&file).unwrap())
    }

    fn get(&self, name: &str) -> (Vec<usize>, Vec<f32>) {
        let shape = self.0.shape(name).unwrap_or_else(|| panic!("no `{name}`"));
        (shape.clone(), self.0.read(name, &shape).unwrap())
    }
}

fn unit(values: &[f32]) -> Vec<f32> {
    let norm = values.iter().map(|v| v * v).sum::<f32>().sqrt();
    values.iter().map(|v| v / norm).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn names_give_labels_scores_and_reasons() {
    let (world, folder) = (World::get(), tempfile::tempdir().unwrap());
    let dump = folder.path().join("dump");
    let mut command = world.command(&["inspect", "--known", NAMES, "--detector", "clipn-atd"]);
    let line = lines(command.arg("--dump").arg(&dump).arg(world.image())).remove(0);
    let dump = Dump::of(&dump);
    let ((shape, labels), (_, no)) = (dump.get("label_features"), dump.get("no_label_features"));
    assert_eq!(shape, [3, 48]);
    let goldens = Goldens::open(&fixture("tiny_quick.safetensors"));
    // The first of the goldens' texts is the default template with the first name.
    for (found, golden) in [(&labels, "words.text_features"), (&no, "words.no_features")] {
        let expected = unit(&goldens.floats(golden)[..48]);
        assert!(relative_error(&found[..48], &expected) < 1e-5, "{golden}");
    }
    let (shape, feature) = dump.get("image_feature");
    assert_eq!(shape, [48]);
    assert_eq!(dump.get("local_features").0, [16, 48]);
    assert_eq!((dump.get("map").0, dump.get("mask").0), (vec![17], vec![17]));
    assert_eq!(dump.get("feature").1, feature, "a CLIP's is the whole image, if nobody says");
    let cosine = |texts: &[f32], at: usize| dot(&unit(&feature), &texts[at * 48..][..48]);
    let (logits, no_logits) = (dump.get("logits").1, dump.get("no_logits").1);
    for at in 0..3 {
        assert!((logits[at] - 100.0 * cosine(&labels, at)).abs() < 1e-3);
        assert!((no_logits[at] - 100.0 * cosine(&no, at)).abs() < 1e-3);
    }
    // CLIPN-ATD by its formula.
    let top = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f32 = logits.iter().map(|l| (l - top).exp()).sum();
    let p = |at: usize| (logits[at] - top).exp() / sum;
    let agreed = |at: usize| 1.0 / (1.0 + (no_logits[at] - logits[at]).exp());
    let atd: f32 = (0..3).map(|at| p(at) * agreed(at)).sum();
    assert!((line["score"].as_f64().unwrap() as f32 - atd).abs() < 1e-4, "{line}");
    let listed = line["labels"].as_array().unwrap();
    assert_eq!(listed.len(), 3);
    for label in listed {
        let at = NAMES.split(", ").position(|name| label["name"] == name).unwrap();
        let number = |key: &str| label[key].as_f64().unwrap() as f32;
        assert!((number("similarity") - logits[at] / 100.0).abs() < 1e-5);
        assert!((number("probability") - p(at)).abs() < 1e-4);
        assert!((number("denied") - (1.0 - agreed(at))).abs() < 1e-4);
    }
    assert!(line["verdict"].is_null() && line["lambda"].is_null());
    let reason = line["reason"].as_str().unwrap();
    assert!(reason.starts_with("nearest: ") && reason.contains("the no side says"), "{reason}");
    assert!(reason.contains("images of what is known would set one"), "{reason}");
}

#[test]
fn tau_keeps_the_patches_of_names_and_the_paper_s_decision_needs_no_lambda() {
    let (world, folder) = (World::get(), tempfile::tempdir().unwrap());
    let dump = folder.path().join("dump");
    let options = ["inspect", "--known", NAMES, "--features", "objects", "--tau", "0.3"];
    let mut command = world.command(&options);
    let line = lines(command.arg("--dump").arg(&dump).arg(world.image())).remove(0);
    assert_eq!(line["detector"], "clipn-atd-decision");
    assert_eq!(line["lambda"], 0.0);
    let known = line["score"].as_f64().unwrap() >= 0.0;
    assert_eq!(line["verdict"], if known { "id" } else { "ood" });
    let dump = Dump::of(&dump);
    let ((_, local), (_, map), (_, mask)) =
        (dump.get("local_features"), dump.get("map"), dump.get("mask"));
    assert_eq!((mask[0], map.iter().copied().fold(0.0, f32::max)), (0.0, 1.0));
    let kept: Vec<usize> = (0..16).filter(|&patch| mask[1 + patch] == 1.0).collect();
    assert!(!kept.is_empty() && kept.len() < 16);
    let mean = |channel: usize| {
        kept.iter().map(|patch| local[patch * 48 + channel]).sum::<f32>() / kept.len() as f32
    };
    let expected: Vec<f32> = (0..48).map(mean).collect();
    // Scores are made of patches in 16 bits.
    assert!(relative_error(&dump.get("feature").1, &expected) < 1e-3);
    assert_eq!(line["kept_tokens"], kept.len());
}

#[test]
fn a_window_s_fit_of_a_clip_tells_when_it_is_written() {
    let (world, folder) = (World::get(), tempfile::tempdir().unwrap());
    let out = folder.path().join("model.bundle");
    let mut fit = world.command(&["fit", "--messages", "--recipe", "paper", "--epochs", "3"]);
    fit.arg("--id").arg(world.path("id")).arg("--out").arg(&out).stdin(Stdio::piped());
    let mut child = fit.stdout(Stdio::piped()).spawn().unwrap();
    // It stops when this closes, as the window holds it.
    let alive = child.stdin.take();
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    drop(alive);
    let told: Vec<FitMessage> =
        said.lines().map(|line| FitMessage::from_line(line).unwrap()).collect();
    let is_written =
        |told: &FitMessage| matches!(told, FitMessage::Written { bundle, .. } if *bundle == out);
    assert!(told.last().is_some_and(is_written), "{said}");
    assert_eq!(Bundle::open(&out).unwrap().manifest.arch, Arch::Clip);
    let mut proposes = world.command(&["fit"]);
    proposes.arg("--propose").arg(folder.path().join("proposal.tsv"));
    proposes.arg("--id").arg(world.path("id"));
    let output = proposes.arg("--out").arg(folder.path().join("other")).output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("--propose is for a tagger"), "{}", text(&output.stderr));
}

#[test]
fn a_fitted_bundle_says_the_same_everywhere() {
    let world = World::get();
    let bundle = world.path("fitted");
    let mut fit = world.command(&["fit", "--validation", "0.25", "--template", "clipn"]);
    run(fit.arg("--id").arg(world.path("id")).arg("--out").arg(&bundle));
    let fitted = Bundle::open(&bundle).unwrap();
    assert_eq!(fitted.manifest.arch, Arch::Clip);
    assert_eq!(fitted.manifest.clip.as_ref().unwrap().templates.len(), 128);
    assert_eq!(fitted.vocabulary.classes.len(), fs::read_dir(world.path("id")).unwrap().count());
    for detector in ["mcm", "gl-mcm", "clipn-atd", "knn", "mds", "msp", "tagood-cosine"] {
        assert!(fitted.manifest.lambda(detector, Recipe::Paper).is_some(), "{detector}");
    }
    // A paper's own threshold stays.
    assert!(fitted.manifest.lambda("clipn-ctw", Recipe::Paper).is_none());
    let mut evaluate = lens(&["evaluate", "--device", "cpu", "--quiet", "--json", "--model"]);
    evaluate.arg(&bundle).args(["--taus", "0.3", "--id"]).arg(world.path("id"));
    evaluate.arg("--ood").arg(format!("near={}", world.path("near").display()));
    let out = world.path("report");
    let output = run(evaluate.arg("--out").arg(&out));
    let report: Report = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report.detectors.iter().all(|d| d.id != "odin" && d.id != "ce-cosine"));
    let mcm = report.detectors.iter().find(|d| d.id == "mcm").unwrap();
    assert!(mcm.outcomes.iter().all(|outcome| outcome.mean().is_some()));
    let mut csv = csv::Reader::from_path(out.join("scores/near.csv")).unwrap();
    let header = csv.headers().unwrap().clone();
    let at = |name: &str| header.iter().position(|column| column == name).unwrap();
    let scores: BTreeMap<String, [f32; 3]> = csv
        .records()
        .map(|row| {
            let row = row.unwrap();
            let score = |name: &str| row[at(name)].parse().unwrap();
            (row[at("path")].to_owned(), ["gl-mcm", "clipn-atd", "mds"].map(score))
        })
        .collect();
    for (place, detector) in ["gl-mcm", "clipn-atd", "mds"].into_iter().enumerate() {
        let mut inspect = lens(&["inspect", "--device", "cpu", "--quiet", "--detector", detector]);
        let found = lines(inspect.arg("--model").arg(&bundle).arg(world.path("near")));
        assert_eq!(found.len(), scores.len());
        for line in found {
            let expected = scores[line["path"].as_str().unwrap()][place];
            assert_eq!(line["score"].as_f64().unwrap() as f32, expected, "{detector}");
            assert!(line["verdict"].is_string() && line["lambda"].is_number());
        }
    }
    // Other names: what was fitted to the bundle's own rests.
    let mut inspect = lens(&["inspect", "--device", "cpu", "--quiet", "--known", NAMES]);
    inspect.args(["--detector", "mcm", "--model"]).arg(&bundle).arg(world.image());
    assert!(lines(&mut inspect)[0]["lambda"].is_null());
    let mut inspect = lens(&["inspect", "--device", "cpu", "--known", NAMES, "--detector", "knn"]);
    let output = inspect.arg("--model").arg(&bundle).arg(world.image()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("not fitted with the detector `knn`"));
}

#[test]
fn a_converted_checkpoint_is_the_same_model() {
    let (world, folder) = (World::get(), tempfile::tempdir().unwrap());
    let bundle = folder.path().join("bundle");
    let mut convert = lens(&["convert", "--activation", "quick_gelu", "--known", NAMES]);
    convert.arg("--prompts").arg(fixture("tiny_locoop.pth.tar-50"));
    run(convert.arg(world.path("epoch_10.pt")).arg("--out").arg(&bundle));
    assert!(bundle.join("tokenizer.json").is_file() && bundle.join("names.txt").is_file());
    let score = |mut command: Command| lines(command.arg(world.image()))[0]["score"].clone();
    for detector in ["clipn-ctw", "gl-mcm", "locoop-gl-mcm"] {
        let mut whole = world.command(&["inspect", "--known", NAMES, "--detector", detector]);
        whole.arg("--prompts").arg(fixture("tiny_locoop.pth.tar-50"));
        let mut ours = lens(&["inspect", "--device", "cpu", "--quiet", "--detector", detector]);
        ours.arg("--model").arg(&bundle);
        assert_eq!(score(whole), score(ours), "{detector}");
    }
}

#[test]
fn what_cannot_be_known_is_refused_in_a_sentence() {
    let (world, folder) = (World::get(), tempfile::tempdir().unwrap());
    let refused = |more: &[&str], says: &str| {
        let output = world.command(&["inspect"]).args(more).arg(world.image()).output().unwrap();
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(says) && errors.lines().count() == 1, "{errors}");
    };
    refused(&[], "nothing is named as known; name it with --known");
    refused(&["--known", " , "], "nothing is named as known");
    refused(&["--known", "cat, dog, Cat"], "`Cat` is named twice");
    refused(&["--known", "a <|endoftext|>"], "holds <|endoftext|>");
    let many = folder.path().join("many.txt");
    fs::write(&many, (0..20_000).map(|i| format!("name {i}\n")).collect::<String>()).unwrap();
    refused(&["--known", many.to_str().unwrap()], "20000 names are too many");
    refused(&["--known", "cat", "--template", "a photo"], "has no {}");
    let negatives = folder.path().join("negatives.txt");
    fs::write(&negatives, "house\nDog\n").unwrap();
    let negatives = negatives.to_str().unwrap();
    refused(&["--known", NAMES, "--negatives", negatives], "is a known name");
    refused(
        &["--known", NAMES, "--detector", "neg-label"],
        "each negative word (a CLIP and --negatives)",
    );
    let prompts = fixture("tiny_locoop.pth.tar-50");
    let mut wrong = lens(&["inspect", "--device", "cpu", "--known", "cat", "--model"]);
    let output = wrong.arg(&prompts).arg(world.image()).output().unwrap();
    assert!(text(&output.stderr).contains("LoCoOp's learned prompts, not a model"));
    let mut tagger = lens(&["inspect", "--device", "cpu", "--template", "a {}."]);
    let output = tagger.arg(world.image()).output().unwrap();
    assert!(text(&output.stderr).contains("templates are for a CLIP"), "{output:?}");
}

#[test]
fn a_tagger_without_a_projector_judges_by_named_tags() {
    let (world, folder) = (World::get(), tempfile::tempdir().unwrap());
    let known = ["inspect", "--device", "cpu", "--quiet", "--known", "fish, apple, sea_lion"];
    let output = lens(&known).arg(world.image()).output().unwrap();
    assert!(text(&output.stderr).contains("no tag named `sea_lion`"), "{output:?}");
    let inspect = |more: &[&str]| {
        let mut command =
            lens(&["inspect", "--device", "cpu", "--quiet", "--known", "fish, apple"]);
        lines(command.args(more).arg(world.path("id")))
    };
    let said = inspect(&[]);
    assert_eq!(said.len(), 48);
    for line in &said {
        assert_eq!(line["detector"], "tag-score");
        let (score, lambda) = (line["score"].as_f64().unwrap(), line["lambda"].as_f64().unwrap());
        assert_eq!(line["verdict"], if score >= lambda { "id" } else { "ood" });
        assert!(line["rejected"].is_null());
        let path = line["path"].as_str().unwrap();
        let shown = path.contains("/fish/") || path.contains("/apple/");
        assert!(!shown || line["verdict"] == "id", "{line}");
    }
    assert!(said.iter().any(|line| line["verdict"] == "ood"));
    assert!(inspect(&["--lambda", "1"]).iter().all(|line| line["verdict"] == "ood"));
    let mut evaluate =
        lens(&["evaluate", "--device", "cpu", "--quiet", "--json", "--taus", "none"]);
    evaluate.args(["--known", "fish, apple", "--id"]).arg(world.path("id/fish"));
    evaluate.arg("--ood").arg(format!("near={}", world.path("near").display()));
    let output = run(evaluate.arg("--out").arg(folder.path().join("report")));
    let report: Report = serde_json::from_slice(&output.stdout).unwrap();
    let scored: Vec<&str> = report
        .detectors
        .iter()
        .filter(|detector| detector.outcomes[0].mean().is_some())
        .map(|detector| detector.id.as_str())
        .collect();
    assert_eq!(scored, ["tag-score"]);
}

/// It needs no file: names are all that is given.
#[test]
fn the_embedded_clip_is_a_model() {
    let world = World::get();
    let mut command = lens(&["inspect", "--model", "embedded-clip", "--device", "cpu", "--quiet"]);
    command.args(["--no-cache", "--known", "mug, red apple, dog: puppy"]).arg(world.image());
    let line = lines(&mut command).remove(0);
    assert_eq!(line["labels"].as_array().unwrap().len(), 3);
    assert_eq!(line["detector"], "clipn-atd-decision");
    assert!(["id", "ood"].contains(&line["verdict"].as_str().unwrap()));
    let mut command = lens(&["inspect", "--model", "embedded-clip", "--device", "cpu", "--quiet"]);
    let output = command.arg(world.image()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("nothing is named as known"), "{output:?}");
}
