//! `inspect` as a program: lines, files, exit statuses.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use tagood_lens::nn::source::Source;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The lines of JSON that a run printed.
fn lines(output: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(output).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_input_has_its_line_and_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // The projector has ten centers.
    let classes: String = (0..40).map(|i| format!("class {}\ttag {i}\n", i % 10)).collect();
    fs::write(at("classes.tsv"), classes).unwrap();
    fs::write(at("broken.jpg"), b"not an image").unwrap();
    let output = Command::cargo_bin("tagood-lens")
        .unwrap()
        .args(["inspect", "--json", "--quiet", "--device", "cpu", "--lambda", "-0.5"])
        .args(["--model", text(&fixture("tiny/tiny_ram.pth"))])
        .args(["--projector", text(&fixture("tiny/tiny_projector.pth"))])
        .args(["--vocabulary", text(&at("classes.tsv"))])
        .args(["--heatmaps", text(&at("maps")), "--dump", text(&at("dump"))])
        .args([text(&fixture("images/progressive.jpg")), text(&at("broken.jpg"))])
        .assert()
        .code(3)
        .get_output()
        .stdout
        .clone();
    let lines = lines(&output);
    assert_eq!(lines.len(), 2);
    let (image, broken) = (&lines[0], &lines[1]);
    assert!(broken["error"].as_str().unwrap().contains("broken.jpg"), "{broken}");
    assert!(["id", "ood"].contains(&image["verdict"].as_str().unwrap()));
    assert!(!image["reason"].as_str().unwrap().is_empty());
    let tags = image["tags"].as_array().unwrap();
    assert!(tags.iter().all(|tag| tag["in_vocabulary"] == true));

    let dumps: Vec<PathBuf> =
        fs::read_dir(at("dump")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(dumps.len(), 1);
    let dump = Source::open(&dumps[0]).unwrap();
    let shape = |name: &str| dump.shape(name).unwrap();
    let attention = shape("attention");
    let positions = attention[3];
    assert_eq!(attention, [2, 4, 40, positions]);
    assert_eq!(shape("feature"), [64]);
    assert_eq!(shape("tokens")[0], positions);
    let mask = dump.read("mask", &[positions]).unwrap();
    assert_eq!(image["kept_tokens"].as_f64().unwrap(), f64::from(mask.iter().sum::<f32>()));
    assert_eq!(image["total_tokens"].as_u64().unwrap() as usize, positions);
    let maps = fs::read_dir(at("maps")).unwrap().count();
    assert_eq!(maps, tags.len() + 1, "one for each tag and the union");
}

#[test]
fn the_embedded_model_knows_its_world() {
    let folder = tempfile::tempdir().unwrap();
    for set in ["id", "texture"] {
        Command::cargo_bin("tagood-lens")
            .unwrap()
            .args(["demo", "scenes", "--set", set, "--count", "12", "--seed", "77", "--quiet"])
            .args(["--out", text(folder.path())])
            .assert()
            .success();
    }
    let inspect = |set: &str| {
        let output = Command::cargo_bin("tagood-lens")
            .unwrap()
            .args(["inspect", "--json", "--quiet", "--device", "cpu"])
            .arg(folder.path().join(set))
            .assert()
            .code(0)
            .get_output()
            .stdout
            .clone();
        lines(&output)
    };
    let known = inspect("id");
    assert_eq!(known.len(), 12);
    let named = known.iter().filter(|line| {
        let path = Path::new(line["path"].as_str().unwrap()).parent().unwrap().to_owned();
        let class = path.file_name().unwrap().to_str().unwrap();
        let tags = line["tags"].as_array().unwrap();
        tags.iter().any(|tag| tag["name"] == class && tag["in_vocabulary"] == true)
    });
    assert!(named.count() >= 11, "the class is among the tags of 95 % of scenes");
    let kept = |lines: &[Value]| lines.iter().filter(|line| line["verdict"] == "id").count();
    let foreign = inspect("texture");
    assert!(kept(&known) >= 10 && kept(&foreign) <= 4, "{} {}", kept(&known), kept(&foreign));
    assert!(foreign.iter().all(|line| !line["reason"].as_str().unwrap().is_empty()));
}
