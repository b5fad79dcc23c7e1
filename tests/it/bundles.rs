//! Bundles: what `convert` keeps, names that follow their centers, and damage that is refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tagood_lens::bundle::Bundle;
use tagood_lens::gpu::{self, DeviceChoice};
use tagood_lens::nn::source::Source;
use tagood_lens::pipeline::Pipeline;

fn world() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo-world")
}

fn tiny(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny").join(name)
}

fn lens(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tagood-lens")).args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn refusal(folder: &Path) -> String {
    match Bundle::open(folder) {
        Ok(_) => panic!("a damaged bundle was taken"),
        Err(error) => error.to_string(),
    }
}

/// Every tensor of a file with its values.
fn tensors(source: &Source) -> Vec<(String, Vec<f32>)> {
    let read = |(name, shape): (String, Vec<usize>)| {
        let values = source.read(&name, &shape).unwrap();
        (name, values)
    };
    source.shapes().into_iter().map(read).collect()
}

#[test]
fn a_converted_bundle_does_all_that_its_source_does() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("converted");
    let output = lens(&["convert", text(&world()), "--out", text(&out)]);
    assert!(output.status.success(), "{output:?}");
    let [source, converted] = [world(), out].map(|path| Bundle::open(&path).unwrap());
    assert_eq!(converted.manifest.lambda, source.manifest.lambda);
    assert_eq!(converted.vocabulary, source.vocabulary);
    assert_eq!(converted.statistics.as_deref(), source.statistics.as_deref());
    assert_eq!(converted.centers().unwrap(), source.centers().unwrap());
    assert_eq!(tensors(&converted.network), tensors(&source.network));
    let networks = |bundle: &Bundle| {
        [&bundle.projector, &bundle.projector_ce].map(|p| tensors(p.as_ref().unwrap()))
    };
    assert_eq!(networks(&converted), networks(&source));
    let compute = gpu::compute(DeviceChoice::Cpu).unwrap();
    let detectors = |bundle: &Bundle| -> Vec<&str> {
        let pipeline = Pipeline::load(bundle, &compute).unwrap();
        pipeline.detectors().iter().map(|info| info.id).collect()
    };
    assert_eq!(detectors(&converted), detectors(&source));
    // Files as large as before: nothing was stored in another precision.
    for name in ["tagger", "projector", "projector_ce"] {
        let size =
            |path: PathBuf| fs::metadata(path.join(format!("{name}.safetensors"))).unwrap().len();
        assert!(size(world()).abs_diff(size(converted.path.clone())) < 4096, "{name}");
    }
}

#[test]
fn classes_keep_their_centers_in_whatever_order_they_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    copy(&world(), folder.path());
    let list = folder.path().join("vocabulary.tsv");
    let lines = fs::read_to_string(&list).unwrap();
    let reversed: Vec<&str> = lines.lines().rev().collect();
    fs::write(&list, reversed.join("\r\n")).unwrap();
    let (ours, theirs) = (Bundle::open(folder.path()).unwrap(), Bundle::open(&world()).unwrap());
    assert_eq!(ours.vocabulary, theirs.vocabulary);
    // One class less would move all that follow it.
    fs::write(&list, reversed[1..].join("\n")).unwrap();
    let error = refusal(folder.path());
    assert!(error.contains("names 17 classes, but the model has 18"), "{error}");
    fs::write(&list, lines.replace("fish\t", "herring\t")).unwrap();
    let error = refusal(folder.path());
    assert!(error.contains("no line for the model's class `fish`"), "{error}");
    assert!(error.ends_with("vocabulary.tsv"), "{error}");
}

#[test]
fn another_list_of_classes_is_held_against_the_centers() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("classes.tsv");
    let class = |index: usize| format!("class {index}\ttag {index}\n");
    let inspect = |classes: usize| {
        fs::write(&list, (0..classes).map(class).collect::<String>()).unwrap();
        let picture =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images/progressive.jpg");
        let (model, projector) = (tiny("tiny_ram.pth"), tiny("tiny_projector.pth"));
        lens(&[
            "inspect",
            text(&picture),
            "--device",
            "cpu",
            "--model",
            text(&model),
            "--projector",
            text(&projector),
            "--vocabulary",
            text(&list),
        ])
    };
    let output = inspect(40);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains("names 40 classes, but the model has 10"), "{errors}");
    // A released projector does not say which center is whose: taken, with a word.
    let output = inspect(10);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && errors.contains("in the order of the list"), "{errors}");
}

#[test]
fn a_list_may_leave_out_classes_of_a_bundle_with_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("classes.tsv");
    let lines = fs::read_to_string(world().join("vocabulary.tsv")).unwrap();
    let fewer: Vec<&str> = lines.lines().filter(|line| !line.starts_with("cup\t")).collect();
    fs::write(&list, fewer.join("\n")).unwrap();
    let out = folder.path().join("out");
    let output =
        lens(&["convert", text(&world()), "--vocabulary", text(&list), "--out", text(&out)]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && errors.contains("leaves out 1 of the model's 18"),
        "{errors}"
    );
    let bundle = Bundle::open(&out).unwrap();
    let cup = bundle.vocabulary.classes.iter().find(|class| class.name == "cup").unwrap();
    assert!(cup.tags.is_empty());
    fs::write(&list, lines.replace("cup\t", "mug\t")).unwrap();
    let output = lens(&["inspect", "x.png", "--vocabulary", text(&list)]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("the model has no class `mug`"), "{errors}");
}

#[test]
fn no_changed_byte_goes_unnoticed() {
    let folder = tempfile::tempdir().unwrap();
    let sealed = folder.path().join("sealed");
    assert!(lens(&["convert", text(&world()), "--out", text(&sealed)]).status.success());
    let damaged = folder.path().join("damaged");
    copy(&sealed, &damaged);
    for name in [
        "bundle.toml",
        "tags.txt",
        "thresholds.txt",
        "tagger.safetensors",
        "projector.safetensors",
        "projector_ce.safetensors",
        "statistics.safetensors",
    ] {
        let path = damaged.join(name);
        let whole = fs::read(&path).unwrap();
        // A letter's case in its lowest text bit, the sign of a number, the end of the file.
        let places = [whole.len() / 7, whole.len() / 2, whole.len() - 3];
        for (place, bit) in places.into_iter().zip([0x01, 0x80, 0x04]) {
            let mut bytes = whole.clone();
            bytes[place] ^= bit;
            fs::write(&path, bytes).unwrap();
            let error = refusal(&damaged);
            assert!(error.contains(name), "{name} at {place}: {error}");
        }
        fs::remove_file(&path).unwrap();
        assert!(refusal(&damaged).contains(name));
        fs::write(&path, whole).unwrap();
    }
    assert!(Bundle::open(&damaged).is_ok());
}

#[test]
fn a_manifest_may_ask_for_nothing_that_the_weights_do_not_have() {
    let folder = tempfile::tempdir().unwrap();
    copy(&world(), folder.path());
    let path = folder.path().join("bundle.toml");
    let text = fs::read_to_string(&path).unwrap();
    // As bundles of before had none.
    let text = text.split("[checksums]").next().unwrap().replace("format = 2", "format = 1");
    fs::write(&path, &text).unwrap();
    assert!(Bundle::open(folder.path()).is_ok());
    let huge = format!("{}", i64::MAX);
    for (from, to) in [
        ("embed = 32", format!("embed = {huge}")),
        ("mlp_ratio = 4", format!("mlp_ratio = {huge}")),
        ("tags = 49", format!("tags = {huge}")),
        ("tags = 49", "tags = 50".into()),
        ("descriptions = 1", "descriptions = 0".into()),
        ("image = 192", "image = 96000".into()),
        ("image = 192", "image = 0".into()),
        ("image = 192", "image = 384".into()),
        ("patch = 4", "patch = 0".into()),
        ("window = 6", "window = 0".into()),
        ("window = 6", "window = 12".into()),
        ("depths = [2, 2, 4]", "depths = [2, 2, 3]".into()),
        ("depths = [2, 2, 4]", "depths = []".into()),
        ("heads = [1, 2, 4]", "heads = [1, 2, 0]".into()),
        ("heads = [1, 2, 4]", "heads = [1000000000, 2, 4]".into()),
        ("width = 128\nheads = 4", "width = 128\nheads = 0".into()),
        ("width = 128\nheads = 4", "width = 128\nheads = 3".into()),
        ("width = 128\nheads = 4", "width = 128\nheads = 1000000000".into()),
        ("hidden = 256\nlayers = 2", "hidden = 256\nlayers = 0".into()),
        ("hidden = 256\nlayers = 2", "hidden = 256\nlayers = 1".into()),
        ("heads = 8\nlayers = 2", "heads = 8\nlayers = 0".into()),
        ("heads = 8", "heads = 0".into()),
        ("heads = 8", "heads = 7".into()),
        ("max_tokens = 145", "max_tokens = 144".into()),
        ("classes = 18", "classes = 17".into()),
        ("patterns = 4", "patterns = 0".into()),
        ("value = 3.3881624", "value = nan".into()),
        ("value = 3.3881624", "value = inf".into()),
        ("tau = 0.5\n\n", "tau = nan\n\n".into()),
        ("format = 1", "format = 9".into()),
    ] {
        assert!(text.contains(from), "{from}");
        fs::write(&path, text.replacen(from, &to, 1)).unwrap();
        let error = refusal(folder.path());
        assert!(error.ends_with("bundle.toml") && error.lines().count() == 1, "{to}: {error}");
    }
}
