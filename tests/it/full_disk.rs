//! A disk that is full: what cannot be written whole is not there, what was there stays, and nothing
//! else is left behind.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::stage::{fixture, pictures};

/// Runs the program where no file may grow beyond so many KiB: a write then fails as it does on a full
/// disk, with no need for a disk to fill.
fn run(kib: &str, folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new("bash");
    command.args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"", kib]);
    command.arg(env!("CARGO_BIN_EXE_tagood-lens")).args(args).current_dir(folder);
    command.env("XDG_CACHE_HOME", folder.join("cache")).env("XDG_DATA_HOME", folder.join("data"));
    command.output().unwrap()
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// Fails with one sentence that names the file; what it leaves is for the caller to see.
fn refused(output: &Output, names: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("File too large") && said.contains(names), "{said}");
}

#[test]
fn heatmaps_and_dumps_are_whole_or_absent() {
    let folder = tempfile::tempdir().unwrap();
    let picture = pictures(folder.path()).remove(0);
    let picture = picture.to_str().unwrap();
    let inspect = ["inspect", picture, "--device", "cpu", "--quiet"];
    for (option, out) in [("--heatmaps", "maps"), ("--dump", "tensors")] {
        let args = [&inspect[..], &[option, out]].concat();
        refused(&run("1", folder.path(), &args), out);
        assert_eq!(files(&folder.path().join(out)), Vec::<PathBuf>::new());
        let whole = run("unlimited", folder.path(), &args);
        assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
        assert!(!files(&folder.path().join(out)).is_empty());
    }
}

#[test]
fn scenes_are_whole_or_absent() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["demo", "scenes", "--set", "id", "--count", "3", "--out", "scenes", "--quiet"];
    refused(&run("2", folder.path(), &args), "scenes/id/");
    for path in files(&folder.path().join("scenes")) {
        assert!(image::open(&path).is_ok(), "{}", path.display());
    }
}

#[test]
fn a_bundle_is_whole_or_absent() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = fixture("tiny_ram.pth");
    let args = ["convert", checkpoint.to_str().unwrap(), "--out", "bundle"];
    refused(&run("8", folder.path(), &args), "bundle");
    assert_eq!(files(folder.path()), Vec::<PathBuf>::new());
    assert!(!folder.path().join("bundle").exists());
}

#[test]
fn a_map_that_cannot_be_written_leaves_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let row = |i: usize| ((i % 7) as f32, (i % 5) as f32);
    let values = (0..100).flat_map(|i| [row(i).0, row(i).1]).flat_map(f32::to_le_bytes);
    let values: Vec<u8> = values.collect();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![100, 2], &values);
    let bytes = safetensors::serialize([("features", view.unwrap())], None).unwrap();
    std::fs::write(at("f.safetensors"), bytes).unwrap();
    std::fs::write(at("map.csv"), "old").unwrap();
    let args = ["tsne", "--features", "f.safetensors", "--out", "map.csv", "--iterations", "1"];
    refused(&run("1", folder.path(), &[&args[..], &["--quiet"]].concat()), "map.csv");
    assert_eq!(std::fs::read_to_string(at("map.csv")).unwrap(), "old");
    assert_eq!(files(folder.path()), [at("f.safetensors"), at("map.csv")]);
}

#[test]
fn a_screenshot_is_whole_or_absent() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--screenshot", "window.png", "--device", "cpu", "--panel", "log"];
    refused(&run("1", folder.path(), &args), "window.png");
    assert!(!folder.path().join("window.png").exists());
    let left = files(folder.path());
    assert!(left.iter().all(|path| !path.to_string_lossy().contains("window.png")), "{left:?}");
}
