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

/// A reader who leaves at once is no fault: no word on stderr, and status 0.
#[test]
fn a_closed_pipe_ends_every_subcommand_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let scores = folder.path().join("scores.csv");
    fs::write(&scores, "score,label\n0.9,1\n0.8,1\n0.2,0\n0.1,0\n").unwrap();
    let image = fixture("images/progressive.jpg");
    let pictures = folder.path().join("pictures");
    fs::create_dir(&pictures).unwrap();
    fs::copy(&image, pictures.join("a.jpg")).unwrap();
    let store = folder.path().join("store");
    let scenes = folder.path().join("scenes");
    let runs: [Vec<&str>; 6] = [
        vec!["inspect", "--device", "cpu", "--json", text(&image), text(&image)],
        vec!["inspect", "--device", "cpu", text(&image)],
        vec!["metrics", "--scores", text(&scores)],
        vec!["extract", "--device", "cpu", "--images", text(&pictures), "--store", text(&store)],
        vec!["demo", "scenes", "--set", "id", "--count", "1", "--out", text(&scenes)],
        vec!["--help"],
    ];
    for arguments in runs {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_tagood-lens"))
            .args(&arguments)
            .stdout(writer)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), stderr.as_ref()), (Some(0), ""), "{arguments:?}");
    }
}

/// Whoever asks for text hears nothing of graphics drivers; nor does a GPU that is asked for by name
/// have Mesa complain of what it looks for.
#[test]
fn drivers_say_nothing_to_those_who_asked_for_text() {
    let image = fixture("images/progressive.jpg");
    for device in ["auto", "gpu"] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tagood-lens"));
        command.args(["inspect", "--no-cache", "--device", device, text(&image)]);
        let output = command.env_remove("XDG_RUNTIME_DIR").output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("XDG_RUNTIME_DIR"), "{device}: {stderr}");
        // On a machine without any driver, `gpu` says so.
        assert!(output.status.success() || device == "gpu", "{device}: {stderr}");
    }
}

#[test]
fn what_selects_something_is_checked_before_anything_runs() {
    let image = fixture("images/progressive.jpg");
    let image = text(&image);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("view.png");
    let picture = ["--screenshot", text(&out), "--model", "/nowhere", image];
    for (arguments, said) in [
        (["--panel", "nonsense"], "verdict"),
        (["--panel", "verdict,nonsense"], "log"),
        (["--select", "0"], "from 1"),
        (["--select", "2"], "1 image"),
        (["--step", "13"], "1 to 12"),
        (["--size", "10x10"], "64"),
    ] {
        let output =
            Command::cargo_bin("tagood-lens").unwrap().args(picture).args(arguments).assert();
        let stderr = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
        assert_eq!(output.get_output().status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(said), "{arguments:?}: {stderr}");
    }
    for arguments in [["--lambda", "NaN"], ["--detector", "nonsense"], ["--tau", "2"]] {
        let mut command = Command::cargo_bin("tagood-lens").unwrap();
        command.args(["inspect", "--model", "/nowhere", image]).args(arguments).assert().code(2);
    }
    for arguments in [["--tpr", "0"], ["--validation", "1"], ["--lr", "-1"], ["--epochs", "0"]] {
        let mut command = Command::cargo_bin("tagood-lens").unwrap();
        command.args(["fit", "--id", "/nowhere", "--out", "/nowhere/else"]).args(arguments);
        command.assert().code(2);
    }
    assert!(!out.exists());
}

#[cfg(all(unix, not(target_os = "macos")))]
#[test]
fn without_a_display_there_is_one_sentence_with_a_way_out() {
    let mut command = Command::cargo_bin("tagood-lens").unwrap();
    for variable in ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"] {
        command.env_remove(variable);
    }
    let output = command.assert().code(1).get_output().clone();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    for said in ["display", "inspect", "--screenshot"] {
        assert!(stderr.contains(said), "{stderr}");
    }
    assert!(!stderr.contains(".rs"), "no file of the machine that built it: {stderr}");
}

/// The numbers of a run, without its times.
fn numbers(mut lines: Vec<Value>) -> Vec<Value> {
    for line in &mut lines {
        line.as_object_mut().unwrap().remove("timings_ms");
    }
    lines
}

#[test]
fn known_files_are_found_again_and_nothing_changes_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tagood-lens"));
        command.args(arguments).env("XDG_CACHE_HOME", at("cache")).env("HOME", folder.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let scenes =
        ["demo", "scenes", "--set", "id", "--quiet", "--count", "8", "--seed", "11", "--out"];
    run(&[&scenes[..], &[text(&at("scenes"))]].concat());
    let id = at("scenes/id");
    let inspect = |extra: &[&str]| {
        let plain = ["inspect", "--json", "--device", "cpu", text(&id)];
        lines(&run(&[&plain[..], extra].concat()))
    };
    let network_ms = |lines: &[Value]| -> f64 {
        lines.iter().map(|line| line["timings_ms"]["tagger"].as_f64().unwrap()).sum()
    };
    let without = inspect(&["--no-cache"]);
    assert!(!at("cache/tagood-lens/tagged").exists(), "--no-cache keeps nothing");
    let first = inspect(&[]);
    let again = inspect(&["--batch", "3"]);
    assert!(network_ms(&first) > 0.0 && network_ms(&again) == 0.0);
    assert_eq!(numbers(first), numbers(without.clone()));
    assert_eq!(numbers(again), numbers(without));

    // A feature store made of what `inspect` left behind has the very bytes of one made without it.
    let extract = |store: &str, extra: &[&str]| {
        let images = ["extract", "--quiet", "--device", "cpu", "--images", text(&id), "--store"];
        run(&[&images[..], &[text(&at(store))], extra].concat());
        fs::read(at(store).join("chunk-000000.arrow")).unwrap()
    };
    let made = extract("made", &["--no-cache"]);
    let found = extract("found", &[]);
    assert!(made == found, "the stores differ");
}
