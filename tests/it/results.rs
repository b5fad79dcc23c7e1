//! `evaluate --table`: other networks' results, measured.

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

fn evaluate(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("tagood-lens").unwrap();
    command.current_dir(folder).args(["evaluate", "--quiet", "--table"]).args(arguments);
    command
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let output = evaluate(folder, &[arguments, &["--json"]].concat()).assert().success();
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

/// 40 known rows and two sets of 20; the scores overlap.
fn table() -> String {
    let mut text = String::from("path,set,score\n");
    for row in 0..80_u64 {
        let set = ["id", "id", "near", "far"][row as usize % 4];
        let shift = [0.3, 0.3, 0.2, 0.0][row as usize % 4];
        let noise = (row * 2_654_435_761 % 1000) as f64 / 1700.0;
        text += &format!("{row}.png,{set},{}\n", shift + noise);
    }
    text
}

#[test]
fn the_numbers_are_those_of_metrics() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.csv"), table()).unwrap();
    let report = json(folder.path(), &["t.csv"]);
    // What `metrics` takes: known rows belong to both sets.
    let labelled: String = table()
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            match cells[1] {
                "id" => format!("{},1,\n", cells[2]),
                set => format!("{},0,{set}\n", cells[2]),
            }
        })
        .collect();
    std::fs::write(folder.path().join("s.csv"), format!("score,label,set\n{labelled}")).unwrap();
    let mut metrics = Command::cargo_bin("tagood-lens").unwrap();
    metrics.current_dir(folder.path()).args(["metrics", "--scores", "s.csv", "--json"]);
    let output = metrics.assert().success();
    let metrics: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    let detector = &report["detectors"][0];
    assert_eq!(detector["id"], "score");
    assert_eq!(detector["sets"], metrics["sets"]);
    assert_eq!(detector["mean"], metrics["mean"]);
    assert_eq!((&report["rows"], &report["id"]), (&Value::from(80), &Value::from(40)));
}

#[test]
fn sets_may_be_files_and_detectors_are_computed_from_logits() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |sure: f64| -> String {
        let row = |row: usize| {
            let logit = |of: usize| if row % 3 == of { sure + row as f64 / 100.0 } else { 0.1 };
            format!("{},{},{}\n", logit(0), logit(1), logit(2))
        };
        (0..30).map(row).collect()
    };
    for (name, sure) in [("cifar", 4.0), ("svhn", 0.5)] {
        let text = format!("logit_0,logit_1,logit_2\n{}", rows(sure));
        std::fs::write(folder.path().join(format!("{name}.csv")), text).unwrap();
    }
    let report = json(folder.path(), &["cifar.csv", "svhn.csv", "--id", "cifar"]);
    let ids: Vec<&str> = report["detectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|detector| detector["id"].as_str().unwrap())
        .collect();
    assert!(["msp", "max-logit", "energy", "klm"].iter().all(|id| ids.contains(id)), "{ids:?}");
    assert_eq!(report["detectors"][0]["sets"][0]["auroc"], 1.0);
    let klm = ids.iter().position(|id| *id == "klm").unwrap();
    assert_eq!(report["detectors"][klm]["fitted_to"], 15);
    assert_eq!(report["detectors"][klm]["sets"][0]["id"], 15);
    let mut named = evaluate(folder.path(), &["cifar.csv", "svhn.csv", "--id", "cifar"]);
    let output = named.args(["--detectors", "msp,knn"]).assert().success();
    let said = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(said.contains("`knn` needs more than the logits"), "{said}");
}

#[test]
fn faults_are_one_sentence_with_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.csv"), "set,score\na,1\nb,\n").unwrap();
    let fails = |arguments: &[&str], code: i32, why: &str| {
        let output = evaluate(folder.path(), arguments).assert().code(code);
        let said = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        assert!(said.contains(why), "{said}");
        assert!(code == 2 || said.lines().count() == 1, "{said}");
    };
    fails(&["none.csv"], 1, "none.csv");
    fails(&["t.csv"], 1, "name their sets with --id (there are: a, b): t.csv");
    fails(&["t.csv", "--id", "c"], 1, "there is no set `c` in it");
    fails(&["t.csv", "--id", "a"], 1, "row 2 of `score` is no number");
    fails(&["t.csv", "--out", "x"], 2, "cannot be used with");
}
