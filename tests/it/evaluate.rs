//! `evaluate` from outside: its files, what they say, resuming, and clear refusals.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tagood_lens::eval::metrics::{Metric, RankedScores};
use tagood_lens::eval::report::Report;

fn lens(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagood-lens"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn tiny(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny").join(name)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Scenes of three sets and a bundle with a random tagger, fitted for one epoch.
struct World {
    folder: PathBuf,
}

impl World {
    fn get() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| {
            let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
            for (set, count) in [("id", "48"), ("near", "14"), ("texture", "10")] {
                let mut command =
                    lens(&["demo", "scenes", "--set", set, "--count", count, "--out"]);
                let output = command.arg(&folder).output().unwrap();
                assert!(output.status.success(), "{output:?}");
            }
            fs::write(folder.join("near/torn.png"), "no picture").unwrap();
            let world = Self { folder };
            let mut fit = lens(&["fit", "--device", "cpu", "--hidden", "32", "--epochs", "1"]);
            fit.args(["--recipe", "released", "--quiet", "--model"]).arg(tiny("tiny_ram.pth"));
            fit.arg("--id").arg(world.path("id")).arg("--out").arg(world.path("bundle"));
            let output = fit.output().unwrap();
            assert!(output.status.success(), "{}", text(&output.stderr));
            world
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// `evaluate` of the scenes into a folder.
    fn command(&self, out: &Path, more: &[&str]) -> Command {
        let set = |name: &str| format!("{name}={}", self.path(name).display());
        let mut command = lens(&["evaluate", "--device", "cpu", "--quiet"]);
        command.arg("--model").arg(self.path("bundle")).arg("--id").arg(self.path("id"));
        command.args(["--ood", &set("near"), &set("texture"), "--out"]).arg(out).args(more);
        command
    }
}

/// One evaluation that several tests look at.
fn evaluated() -> &'static Path {
    static OUT: OnceLock<PathBuf> = OnceLock::new();
    OUT.get_or_init(|| {
        let world = World::get();
        let out = world.path("report");
        let output = world.command(&out, &["--bootstrap", "20"]).output().unwrap();
        // One image cannot be read.
        assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
        let stderr = text(&output.stderr);
        assert!(stderr.contains("1 of 15 images of `near` cannot be read"), "{stderr}");
        assert!(text(&output.stdout).contains("mean"), "{}", text(&output.stdout));
        out
    })
}

fn report(out: &Path) -> Report {
    serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap()
}

/// The columns of a file of scores.
fn scores(path: &Path) -> BTreeMap<String, Vec<f64>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let mut columns: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for record in reader.records() {
        for (name, cell) in header.iter().zip(&record.unwrap()).skip(4) {
            columns.entry(name.to_owned()).or_default().push(cell.parse().unwrap());
        }
    }
    columns
}

/// All files of a report with their bytes, the store apart.
fn files(out: &Path) -> BTreeMap<String, Vec<u8>> {
    ["table.md", "table.csv", "report.json", "report.html", "scores/id.csv", "scores/near.csv"]
        .into_iter()
        .chain(["scores/texture.csv", "roc/near.csv", "roc/texture.csv"])
        .map(|name| (name.to_owned(), fs::read(out.join(name)).unwrap()))
        .collect()
}

#[test]
fn the_tables_are_the_metrics_of_the_score_files() {
    let out = evaluated();
    let report = report(out);
    assert_eq!((report.id.images, report.ood[0].images, report.ood[0].failed), (48, 14, 1));
    assert_eq!(report.settings.len(), 6);
    assert_eq!(report.detectors.len(), 28);
    let id = scores(&out.join("scores/id.csv"));
    assert!(id.len() == 28 && id["odin"].len() == 48);
    for (index, set) in report.ood.iter().enumerate() {
        let ood = scores(&out.join(format!("scores/{}.csv", set.name)));
        for detector in &report.detectors {
            let (id, ood) = (&id[&detector.id], &ood[&detector.id]);
            let ranked = RankedScores::from_sets(id.iter().copied(), ood.iter().copied()).unwrap();
            let result = detector.outcomes[0].set(index).unwrap();
            for metric in Metric::ALL {
                // JSON may lose the last bit.
                let (found, expected) = (result.metrics.get(metric), *ranked.metrics().get(metric));
                assert!(
                    (found - expected).abs() < 1e-12,
                    "{} {} {metric:?}",
                    set.name,
                    detector.id
                );
            }
            let interval = result.intervals.as_ref().unwrap().auroc;
            assert!(interval.low <= interval.high);
        }
    }
    // The `metrics` subcommand says the same of one of them.
    let mut csv = String::from("score,label\n");
    for (label, column) in
        [(1, &id["energy"]), (0, &scores(&out.join("scores/near.csv"))["energy"])]
    {
        column.iter().for_each(|score| csv.push_str(&format!("{score},{label}\n")));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scores.csv");
    fs::write(&path, csv).unwrap();
    let output = lens(&["metrics", "--json", "--scores"]).arg(&path).output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let energy = report.detectors.iter().find(|d| d.id == "energy").unwrap();
    let expected = energy.outcomes[0].set(0).unwrap().metrics;
    assert_eq!(found["sets"][0]["auroc"].as_f64().unwrap(), expected.auroc);
    assert_eq!(found["sets"][0]["fpr95"].as_f64().unwrap(), expected.fpr95);
}

#[test]
fn the_files_are_whole_and_say_what_they_are() {
    let out = evaluated();
    let rows = csv::Reader::from_path(out.join("table.csv")).unwrap().into_records().count();
    // ODIN is computed at the main setting alone: five rows that say so in place of 15.
    assert_eq!(rows, 27 * 6 * 3 + 3 + 5);
    let roc: Vec<csv::StringRecord> = csv::Reader::from_path(out.join("roc/near.csv"))
        .unwrap()
        .records()
        .map(Result::unwrap)
        .collect();
    for curve in roc.chunk_by(|a, b| a[0] == b[0]) {
        let number = |record: &csv::StringRecord, at: usize| record[at].parse::<f64>().unwrap();
        let (first, last) = (curve.first().unwrap(), curve.last().unwrap());
        assert_eq!((number(first, 1), number(first, 2)), (0.0, 0.0));
        assert_eq!((number(last, 1), number(last, 2)), (1.0, 1.0));
        assert!(curve.windows(2).all(|pair| number(&pair[0], 1) <= number(&pair[1], 1)));
    }
    let html = fs::read_to_string(out.join("report.html")).unwrap();
    for opened in ["<svg", "<table", "<figure", "<g "] {
        let closed = opened.trim().replace('<', "</");
        assert_eq!(html.matches(opened).count(), html.matches(&closed).count(), "{opened}");
    }
    assert!(!html.contains("http"), "the page needs no network");
    let drawn = html.split("<script>").next().unwrap();
    assert!(!drawn.contains("NaN") && drawn.contains("prefers-color-scheme: dark"));
    let markdown = fs::read_to_string(out.join("table.md")).unwrap();
    for title in ["table 3", "table 4", "figure 5", "TagOOD (cosine)", "95 % intervals"] {
        assert!(markdown.contains(title), "{title}");
    }
    let left: Vec<_> = fs::read_dir(out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".tmp")), "{left:?}");
}

#[test]
fn killed_runs_go_on_and_end_the_same() {
    let world = World::get();
    let expected = files(evaluated());
    let out = world.path("killed");
    let mut child = world.command(&out, &["--bootstrap", "20"]).spawn().unwrap();
    let (store, started) = (out.join("store/store.toml"), Instant::now());
    while !store.exists() && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!out.join("report.json").exists());
    for _ in 0..2 {
        let output = world.command(&out, &["--bootstrap", "20"]).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
        for (name, bytes) in files(&out) {
            assert!(bytes == expected[&name], "{name} differs");
        }
    }
}

#[test]
fn projectors_are_fitted_again() {
    let world = World::get();
    let (out, store) = (world.path("sweep"), evaluated().join("store"));
    let id = format!("id={}", store.display());
    let near = format!("near={}", store.display());
    let mut command = lens(&["evaluate", "--device", "cpu", "--quiet", "--json", "--sweep-fit"]);
    command.args(["--fit-epochs", "1", "--taus", "0", "--detectors", "tagood-released,knn"]);
    command.args(["--id", &id, "--ood", &near, "--model"]).arg(world.path("bundle"));
    let output = command.arg("--out").arg(&out).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let report: Report = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report.detectors.len(), 2);
    let variants: Vec<(f32, bool)> = report.refits.iter().map(|r| (r.fit_tau, r.one_tag)).collect();
    assert_eq!(variants, [(0.0, false), (0.5, false), (0.5, true)]);
    for refit in &report.refits {
        assert!(refit.images > 0 && refit.images < 48);
        assert!(refit.outcomes.iter().all(|outcome| outcome.outcome.mean().is_some()));
    }
    assert!(report.ablations.iter().any(|ablation| ablation.paper_table == 5));
    assert!(fs::read_to_string(out.join("table.md")).unwrap().contains("figure 3"));
}

#[test]
fn odin_moves_images_where_they_are_at_hand() {
    let (world, store) = (World::get(), evaluated().join("store").display().to_string());
    let out = world.path("odin");
    let mut command = lens(&["evaluate", "--device", "cpu", "--quiet", "--taus", "none"]);
    command.args(["--detectors", "odin", "--odin", "image", "--id", &format!("id={store}")]);
    command.args(["--ood", &format!("texture={store}"), "--model"]).arg(world.path("bundle"));
    let output = command.arg("--out").arg(&out).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let of_images = &scores(&out.join("scores/id.csv"))["odin"];
    let of_tokens = &scores(&evaluated().join("scores/id.csv"))["odin"];
    assert_eq!(of_images.len(), of_tokens.len());
    for (image, tokens) in of_images.iter().zip(of_tokens) {
        assert_eq!(image.is_finite(), tokens.is_finite());
        assert!(!image.is_finite() || (image - tokens).abs() < 0.01, "{image} {tokens}");
    }
    assert_ne!(of_images, of_tokens);
    assert!(fs::read_to_string(out.join("table.md")).unwrap().contains("ODIN moves the image"));
}

/// Runs a command that must fail with one sentence.
fn refused(command: &mut Command, code: i32, says: &str) {
    let output: Output = command.output().unwrap();
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(errors.contains(says), "{errors}");
    assert!(code == 2 || errors.lines().count() == 1, "{errors}");
}

#[test]
fn what_cannot_be_evaluated_is_refused_in_a_sentence() {
    let world = World::get();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let command = |id: &Path, ood: &str, model: &Path, out: &Path| {
        let mut command = lens(&["evaluate", "--device", "cpu", "--quiet"]);
        command.arg("--id").arg(id).args(["--ood", ood]);
        command.arg("--model").arg(model).arg("--out").arg(out);
        command
    };
    let (id, bundle) = (world.path("id"), world.path("bundle"));
    let near = format!("near={}", world.path("near").display());
    let nameless = world.path("near").display().to_string();
    refused(&mut command(&id, &nameless, &bundle, &out), 1, "needs a name: --ood NAME=");
    let same = near.replacen("near", "id", 1);
    refused(&mut command(&id, &same, &bundle, &out), 1, "two sets are called `id`");
    let slash = near.replacen("near", "a/b", 1);
    refused(&mut command(&id, &slash, &bundle, &out), 1, "cannot be a set's name");
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let none = format!("none={}", empty.display());
    refused(&mut command(&id, &none, &bundle, &out), 1, "there is no image");
    refused(&mut command(&empty, &near, &bundle, &out), 1, "there is no image");
    let nowhere = folder.path().join("nowhere");
    refused(&mut command(&nowhere, &near, &bundle, &out), 1, "nowhere");
    refused(&mut command(&id, &near, &tiny("tiny_ram.pth"), &out), 1, "has no projector");
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    refused(&mut command(&id, &near, &bundle, &file.join("out")), 1, "cannot write to the report");
    let mut unknown = command(&id, &near, &bundle, &out);
    refused(unknown.args(["--detectors", "psychic"]), 2, "no detector `psychic`");

    // A store that another tagger made.
    let store = folder.path().join("store");
    let mut extract = lens(&["extract", "--device", "cpu", "--quiet", "--model"]);
    extract.arg(tiny("tiny_ram_plus.pth")).arg("--images").arg(world.path("texture"));
    assert!(extract.arg("--store").arg(&store).output().unwrap().status.success());
    let other = format!("other={}", store.display());
    refused(&mut command(&id, &other, &bundle, &out), 1, "whose tagger's shapes differ");
    // One store with several sets.
    let several = format!("other={}", evaluated().join("store").display());
    refused(&mut command(&id, &several, &bundle, &out), 1, "several sets (id, near, texture)");
    assert!(!out.join("report.json").exists());
}

#[test]
fn what_means_little_is_warned_of() {
    let world = World::get();
    let folder = tempfile::tempdir().unwrap();
    let store = evaluated().join("store");
    let one = folder.path().join("one");
    let class = fs::read_dir(world.path("id")).unwrap().next().unwrap().unwrap();
    fs::create_dir_all(one.join(class.file_name())).unwrap();
    for image in fs::read_dir(class.path()).unwrap() {
        let image = image.unwrap();
        fs::copy(image.path(), one.join(class.file_name()).join(image.file_name())).unwrap();
    }
    let mut command = lens(&["evaluate", "--device", "cpu", "--quiet", "--taus", "none"]);
    command.args(["--detectors", "msp", "--model"]).arg(world.path("bundle"));
    command.arg("--id").arg(&one).arg("--store").arg(folder.path().join("store"));
    command.arg("--ood").arg(format!("same={}", one.display()));
    command.arg(format!("texture={}", store.display()));
    let output = command.arg("--out").arg(folder.path().join("out")).output().unwrap();
    let errors = text(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(errors.contains("`same` is the same folder as the in-distribution set"), "{errors}");
    assert!(errors.contains("of `same` are in the in-distribution set"), "{errors}");
    assert!(errors.contains("has one class only"), "{errors}");
    let report = report(&folder.path().join("out"));
    assert_eq!(report.detectors[0].outcomes[0].set(0).unwrap().metrics.auroc, 0.5);
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_earlier_report_as_it_was() {
    let world = World::get();
    let out = world.path("full");
    let store = evaluated().join("store").display().to_string();
    let run = |limit: &str, tau: &str| {
        // A limit on the size of files stands for the disk; the signal that comes with it is ignored.
        let script = format!("trap '' XFSZ; {limit}; exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_tagood-lens"), "evaluate"]);
        command.args(["--device", "cpu", "--quiet", "--tau", tau, "--taus", "none", "--model"]);
        command.arg(world.path("bundle")).arg(format!("--id=id={store}"));
        command.arg(format!("--ood=texture={store}")).arg("--out").arg(&out);
        command.stdin(Stdio::null()).output().unwrap()
    };
    let output = run("true", "0.5");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let files = || -> BTreeMap<PathBuf, Vec<u8>> {
        let all = ["", "scores", "roc"].map(|name| fs::read_dir(out.join(name)).unwrap());
        let all = all.into_iter().flatten().map(|entry| entry.unwrap().path());
        all.filter(|path| path.is_file())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect()
    };
    let before = files();
    let output = run("ulimit -f 16", "0.25");
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    let last = errors.lines().last().unwrap();
    assert!(last.contains("cannot write the report: File too large"), "{errors}");
    assert!(files() == before, "an unfinished report is left");
}
