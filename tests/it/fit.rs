//! `fit` from outside: a bundle from class folders, resumed after a stop, and clear refusals.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use tagood_lens::bundle::Bundle;
use tagood_lens::bundle::manifest::Recipe;

fn lens(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagood-lens"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Scenes in class folders, drawn once.
fn scenes() -> &'static Path {
    static SCENES: OnceLock<PathBuf> = OnceLock::new();
    SCENES.get_or_init(|| {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
        let mut command = lens(&["demo", "scenes", "--set", "id", "--count", "64", "--out"]);
        let output = command.arg(&folder).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        folder.join("id")
    })
}

/// A short `fit` with the tiny tagger, whose weights are random.
fn fit(id: &Path, out: &Path, more: &[&str]) -> Output {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/tiny_ram.pth");
    let mut command = lens(&["fit", "--device", "cpu", "--hidden", "32", "--batch", "32"]);
    command.args(["--recipe", "released", "--validation", "0.25", "--model"]).arg(model);
    command.arg("--id").arg(id).arg("--out").arg(out).args(more).output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_bundle_is_fitted_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bundle");
    let output = fit(scenes(), &out, &["--epochs", "2"]);
    assert!(output.status.success(), "{}", errors(&output));
    let bundle = Bundle::open(&out).unwrap();
    let projector = bundle.manifest.projector.clone().unwrap();
    assert_eq!((projector.joint, projector.hidden), (32, 32));
    assert_eq!(projector.classes, bundle.vocabulary.classes.len());
    assert_eq!(bundle.manifest.recipe, Recipe::Released);
    for recipe in Recipe::ALL {
        for detector in
            ["tagood-cosine", "tagood-released", "ce-cosine", "vim", "tag-score", "odin"]
        {
            assert!(bundle.manifest.lambda(detector, recipe).is_some(), "{detector} {recipe}");
        }
    }
    let log =
        std::fs::read_to_string(folder.path().join("bundle.fit/projector/log.jsonl")).unwrap();
    assert_eq!(log.lines().count(), 2);
    let mined = std::fs::read_to_string(folder.path().join("bundle.fit/vocabulary.tsv")).unwrap();
    assert!(mined.contains(" images; "), "{mined}");

    let mut inspect = lens(&["inspect", "--device", "cpu", "--json", "--model"]);
    let output = inspect.arg(&out).arg(scenes()).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().filter(|line| line.contains("\"lambda\":")).count(), 64);

    let again = fit(scenes(), &out, &["--epochs", "2"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(errors(&again).contains("will not write over"), "{}", errors(&again));
}

#[test]
fn an_unfinished_run_wants_resume_and_a_person_s_vocabulary_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bundle");
    let list = folder.path().join("classes.tsv");
    let proposed = fit(scenes(), &out, &["--propose", list.to_str().unwrap()]);
    assert!(proposed.status.success(), "{}", errors(&proposed));
    let edited = std::fs::read_to_string(&list).unwrap();
    let (class, _) = edited
        .lines()
        .find(|l| !l.starts_with('#') && l.contains('\t'))
        .unwrap()
        .split_once('\t')
        .unwrap();
    std::fs::write(&list, format!("{edited}{class}\ttag 39\n")).unwrap();

    let options = ["--epochs", "1", "--no-ce", "--vocabulary", list.to_str().unwrap()];
    let output = fit(scenes(), &out, &options);
    assert!(output.status.success(), "{}", errors(&output));
    let bundle = Bundle::open(&out).unwrap();
    let own = bundle.vocabulary.classes.iter().find(|c| c.name == class).unwrap();
    assert!(own.tags.contains(&39));
    assert!(bundle.projector_ce.is_none());

    // As if it had been killed before the bundle was written.
    std::fs::remove_dir_all(&out).unwrap();
    let output = fit(scenes(), &out, &options);
    assert!(errors(&output).contains("--resume takes it up"), "{}", errors(&output));
    let output = fit(scenes(), &out, &[&options[..], &["--seed", "8", "--resume"]].concat());
    assert!(errors(&output).contains("had seed 7 (now 8)"), "{}", errors(&output));
    let output = fit(scenes(), &out, &[&options[..], &["--resume"]].concat());
    assert!(output.status.success(), "{}", errors(&output));
    assert!(out.join("bundle.toml").exists());
}

#[test]
fn what_cannot_be_fitted_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("bundle");
    let refused = |id: &Path, out: &Path, says: &str| {
        let output = fit(id, out, &[]);
        assert_eq!(output.status.code(), Some(1));
        let errors = errors(&output);
        assert!(errors.contains(says) && errors.lines().count() == 1, "{errors}");
        assert!(!out.exists() || out.is_file());
    };
    let one = folder.path().join("one");
    let class = std::fs::read_dir(scenes()).unwrap().next().unwrap().unwrap();
    std::fs::create_dir(&one).unwrap();
    std::fs::create_dir(one.join("only")).unwrap();
    let image = std::fs::read_dir(class.path()).unwrap().next().unwrap().unwrap();
    std::fs::copy(image.path(), one.join("only/image.png")).unwrap();
    refused(&one, &out, "one class only (only)");
    std::fs::create_dir(one.join("empty")).unwrap();
    refused(&one, &out, "class folders without an image: empty");
    refused(&folder.path().join("nowhere"), &out, "nowhere");
    std::fs::write(folder.path().join("file"), "").unwrap();
    refused(scenes(), &folder.path().join("file/bundle"), "cannot make the folder");
}

#[test]
fn two_runs_on_one_bundle_are_kept_apart() {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("bundle.fit");
    std::fs::create_dir(&work).unwrap();
    let held = tagood_lens::fs::lock_folder(&work).unwrap().unwrap();
    let output = fit(scenes(), &folder.path().join("bundle"), &["--epochs", "1"]);
    let errors = errors(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains("another `fit` is at work") && errors.lines().count() == 1, "{errors}");
    drop(held);
}

/// Copies class folders.
fn copied(from: &Path, to: &Path) {
    for class in std::fs::read_dir(from).unwrap() {
        let class = class.unwrap().path();
        let folder = to.join(class.file_name().unwrap());
        std::fs::create_dir_all(&folder).unwrap();
        for image in std::fs::read_dir(&class).unwrap() {
            let image = image.unwrap().path();
            std::fs::copy(&image, folder.join(image.file_name().unwrap())).unwrap();
        }
    }
}

#[test]
fn pictures_in_two_classes_and_pictures_that_changed_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let id = folder.path().join("id");
    copied(scenes(), &id);
    let mut classes: Vec<PathBuf> =
        std::fs::read_dir(&id).unwrap().map(|entry| entry.unwrap().path()).collect();
    classes.sort();
    let first = |class: &Path| {
        let mut images: Vec<PathBuf> =
            std::fs::read_dir(class).unwrap().map(|entry| entry.unwrap().path()).collect();
        images.sort();
        images.remove(0)
    };
    std::fs::copy(first(&classes[0]), classes[1].join("zz.png")).unwrap();
    let list = folder.path().join("classes.tsv");
    let store = folder.path().join("store");
    let more = ["--propose", list.to_str().unwrap(), "--store", store.to_str().unwrap(), "--quiet"];
    let output = fit(&id, &folder.path().join("bundle"), &more);
    assert!(output.status.success(), "{}", errors(&output));
    assert!(errors(&output).contains("1 images are the same as one of another class"));
    let before = std::fs::read_to_string(&list).unwrap();

    // Every picture of a class becomes one of another: the proposal follows, with a word.
    let mut images: Vec<PathBuf> =
        std::fs::read_dir(&classes[2]).unwrap().map(|entry| entry.unwrap().path()).collect();
    images.sort();
    images.iter().for_each(|image| {
        std::fs::copy(first(&classes[3]), image).unwrap();
    });
    let output = fit(&id, &folder.path().join("bundle"), &more);
    let count = images.len();
    assert!(
        errors(&output).contains(&format!("{count} images of `id` changed")),
        "{}",
        errors(&output)
    );
    let fresh = ["--propose", list.to_str().unwrap(), "--quiet"];
    let after = std::fs::read_to_string(&list).unwrap();
    assert!(fit(&id, &folder.path().join("other"), &fresh).status.success());
    assert_eq!(std::fs::read_to_string(&list).unwrap(), after);
    assert_ne!(after, before);
}
