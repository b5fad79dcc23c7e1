//! Metrics against scikit-learn's, and the `metrics` subcommand.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use tagood_lens::eval::metrics::{Convention, Label, Metrics, RankedScores};

const METRICS: [&str; 9] = [
    "auroc",
    "fpr95",
    "fpr95_interpolated",
    "fpr95_ood_positive",
    "fpr95_ood_positive_interpolated",
    "average_precision_id",
    "average_precision_ood",
    "aupr_in",
    "aupr_out",
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/metrics").join(name)
}

fn expected_sets() -> Vec<Value> {
    let text = fs::read_to_string(fixture("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    expected["sets"].as_array().unwrap().clone()
}

fn metrics_command(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("tagood-lens").unwrap();
    command.arg("metrics").args(arguments);
    command
}

/// Runs `metrics` on a file with this text and gives its exit status, stdout and stderr.
fn run_on(text: &str, arguments: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scores.csv");
    fs::write(&path, text).unwrap();
    let output = metrics_command(arguments).arg("--scores").arg(&path).output().unwrap();
    let utf8 = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), utf8(output.stdout), utf8(output.stderr))
}

#[track_caller]
fn assert_close(ours: &Value, theirs: &Value, what: &str) {
    let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
    assert!((ours - theirs).abs() < 1e-9, "{what}: {ours}, scikit-learn has {theirs}");
}

#[test]
fn library_agrees_with_scikit_learn() {
    let mut reader = csv::Reader::from_path(fixture("scores.csv")).unwrap();
    let rows: Vec<(String, f64, u8)> = reader.deserialize().map(Result::unwrap).collect();
    for expected in expected_sets() {
        let set = expected["set"].as_str().unwrap();
        let of_set = rows.iter().filter(|row| row.0 == set);
        let labelled = of_set.map(|row| (row.1, if row.2 == 1 { Label::Id } else { Label::Ood }));
        let ranked = RankedScores::from_labelled(labelled).unwrap();
        let metrics = serde_json::to_value(ranked.metrics()).unwrap();
        assert_eq!(metrics.as_object().unwrap().len(), METRICS.len());
        for metric in METRICS {
            assert_close(
                &metrics[metric],
                &expected["metrics"][metric],
                &format!("{set} {metric}"),
            );
        }
        let vertices = ranked.roc(Convention::IdPositive).points().len();
        assert_eq!(vertices as u64, expected["roc_vertices"].as_u64().unwrap(), "{set}");
    }
}

#[test]
fn command_agrees_with_scikit_learn() {
    let scores = fixture("scores.csv");
    let output = metrics_command(&["--json", "--scores"]).arg(scores).output().unwrap();
    assert!(output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let sets = report["sets"].as_array().unwrap();
    let expected = expected_sets();
    assert_eq!(sets.len(), expected.len());
    for (set, expected) in sets.iter().zip(&expected) {
        assert_eq!(set["set"], expected["set"]);
        for metric in METRICS {
            let what = format!("{} {metric}", expected["set"]);
            assert_close(&set[metric], &expected["metrics"][metric], &what);
        }
    }
    let sum: f64 = expected.iter().map(|set| set["metrics"]["fpr95"].as_f64().unwrap()).sum();
    assert_close(&report["mean"]["fpr95"], &(sum / expected.len() as f64).into(), "mean");
}

#[test]
fn a_million_scores_take_under_a_second() {
    let scores = |offset: f32| (0..500_000u32).map(move |i| (i as f32).sin() + offset);
    let start = std::time::Instant::now();
    let metrics = RankedScores::from_sets(scores(0.2), scores(0.0)).unwrap().metrics();
    let seconds = start.elapsed().as_secs_f64();
    assert!(metrics.auroc > 0.5);
    assert!(seconds < 1.0, "{seconds} s");
}

#[test]
fn shared_rows_belong_to_every_set() {
    let text = "set,label,score\n,id,3\n,ID,1\nnear,ood,2\nfar,0.0,0\nfar,OOD,-inf\n";
    let (status, stdout, stderr) = run_on(text, &["--json"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    let report: Value = serde_json::from_str(&stdout).unwrap();
    let sets = report["sets"].as_array().unwrap();
    assert_eq!([&sets[0]["set"], &sets[1]["set"]], ["near", "far"]);
    assert_eq!([&sets[0]["auroc"], &sets[1]["auroc"]], [0.5, 1.0]);
    assert_eq!(report["mean"]["auroc"], 0.75);
    assert_eq!(sets[0]["at_95_tpr"]["lambda"], 1.0);
    assert_eq!(sets[0]["at_95_tpr"]["ood_missed"], 1);
    assert_eq!(sets[1]["at_95_tpr"]["accuracy"], 1.0);
}

#[test]
fn infinite_thresholds_are_named_in_json() {
    let (status, stdout, _) = run_on("score,label\n-inf,1\ninf,0\n", &["--json"]);
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((status, &report["sets"][0]["at_95_tpr"]["lambda"]), (0, &"-inf".into()));
}

#[test]
fn intervals_hold_the_value_and_repeat() {
    let rows = (0..200).map(|i| format!("{},{}\n", (f64::from(i) * 1.7).sin(), i % 2));
    let text = format!("score,label\n{}", rows.collect::<String>());
    let arguments = ["--json", "--bootstrap", "200", "--seed", "3"];
    let (status, stdout, _) = run_on(&text, &arguments);
    assert_eq!((status, &stdout), (0, &run_on(&text, &arguments).1));
    let report: Value = serde_json::from_str(&stdout).unwrap();
    let set = &report["sets"][0];
    let interval = |end: &str| set["intervals"]["auroc"][end].as_f64().unwrap();
    let auroc = set["auroc"].as_f64().unwrap();
    assert!(interval("low") < auroc && auroc < interval("high"));
    assert_eq!(report["bootstrap"]["resamples"], 200);
}

#[test]
fn table_is_aligned_and_in_percent() {
    let text = "score,label,set\n2,1,near\n1,0,near\n2,1,a longer name\n3,0,a longer name\n";
    let (status, stdout, stderr) = run_on(text, &["--bootstrap", "20"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    let lines: Vec<&str> = stdout.lines().collect();
    let row = |name: &str| lines.iter().find(|line| line.starts_with(name)).unwrap();
    let width = |line: &str| line.chars().count();
    assert_eq!(width(row("set")), width(row("near")));
    assert_eq!(width(row("mean")), width(row("a longer name")));
    let cells: Vec<&str> = row("near").split_whitespace().collect();
    assert_eq!(cells[..5], ["near", "1", "1", "100.00", "0.00"]);
    assert!(row("mean").split_whitespace().any(|cell| cell == "50.00"));
    assert!(stdout.contains("95 % intervals (20 bootstrap resamples, seed 7)"));
    assert!(stdout.contains("a single ID or OOD image has no interval"), "{stdout}");
    let (_, stdout, _) = run_on(text, &["--bootstrap", "20", "--json"]);
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert!(report["sets"].as_array().unwrap().iter().all(|set| set["intervals"].is_null()));
}

#[test]
fn bad_files_are_one_clear_sentence() {
    for (text, sentence) in [
        ("score,label\n0.5,1\nhigh,0\n", "line 3: the score \"high\" is not a number"),
        ("score,label\n0.5,1\n,0\n", "line 3: the score \"\" is not a number"),
        ("score,label\n0.5,1\nNaN,0\n", "line 3: the score is not a number (NaN)"),
        ("score,label\n\n\n0.5,2\n", "line 4: the label"),
        ("\u{feff}score,label\r\n0.5,1\r\n\r\n0.5,2\r\n", "line 4: the label"),
        ("score,label\n0.5,2\n", "line 2: the label \"2\" is neither 1 (ID) nor 0 (OOD)"),
        ("score,label\n0.5,1\n0.5\n", "line 3: 1 cells, but the header names 2 columns"),
        ("score,set\n0.5,a\n", "must name a column `label`; it names: score, set"),
        ("score,label,score\n0.5,1,1\n", "names the column `score` twice"),
        ("score,label\n0.5,1\n", "there is no OOD row"),
        ("score,label\n", "there is no ID row"),
        ("", "must name a column `score`"),
        ("score,label,set\n0.5,1,a\n0.5,0,a\n0.5,0,b\n", "set \"b\""),
    ] {
        let (status, stdout, stderr) = run_on(text, &[]);
        assert_eq!((status, stdout.as_str()), (1, ""), "{text:?}");
        assert!(stderr.contains(sentence), "{text:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains("scores.csv"), "{stderr}");
    }
    let output = metrics_command(&["--scores", "no/such.csv"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no/such.csv"));
}

#[test]
fn wrong_usage_is_status_2() {
    for arguments in [&[][..], &["--scores"], &["--scores", "a.csv", "--bootstrap", "1"]] {
        assert_eq!(metrics_command(arguments).output().unwrap().status.code(), Some(2));
    }
}

#[test]
fn metrics_read_back_from_json() {
    let metrics = RankedScores::from_sets([2.0, 3.0], [1.0, 2.5]).unwrap().metrics();
    let text = serde_json::to_string(&metrics).unwrap();
    assert_eq!(serde_json::from_str::<Metrics>(&text).unwrap(), metrics);
}
