//! `tagood-lens tsne` from the outside.

use std::path::Path;

use assert_cmd::Command;

fn npy(n: usize, d: usize) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({n}, {d}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    let value = |i: usize| ((i * i + 3 * i) % 101) as f32 + 100.0 * (i / d % 2) as f32;
    bytes.extend((0..n * d).flat_map(|i| value(i).to_le_bytes()));
    bytes
}

fn tsne(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("tagood-lens").unwrap();
    command.current_dir(folder).arg("tsne").args(arguments);
    command
}

#[test]
fn writes_the_map_and_says_the_divergence() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.npy"), npy(60, 5)).unwrap();
    let run = |out: &str, seed: &str| {
        let arguments =
            ["--features", "x.npy", "--out", out, "--iterations", "120", "--seed", seed];
        let result = tsne(folder.path(), &arguments).assert().success();
        let said = String::from_utf8(result.get_output().stderr.clone()).unwrap();
        assert!(said.contains("KL divergence"), "{said}");
        assert!(said.contains("perplexity reduced from 30 to 19.7"), "{said}");
        assert!(result.get_output().stdout.is_empty());
        std::fs::read_to_string(folder.path().join(out)).unwrap()
    };
    let map = run("a.csv", "7");
    let lines: Vec<&str> = map.lines().collect();
    assert_eq!((lines[0], lines.len()), ("index,x,y", 61));
    for (index, line) in lines[1..].iter().enumerate() {
        let fields: Vec<f32> = line.split(',').map(|field| field.parse().unwrap()).collect();
        assert_eq!((fields.len(), fields[0]), (3, index as f32));
    }
    assert_eq!(map, run("b.csv", "7"));
    assert_ne!(map, run("b.csv", "8"));
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 3, "x.npy, a.csv, b.csv and nothing temporary");
}

#[test]
fn faults_are_named_and_leave_no_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.npy"), npy(20, 3)).unwrap();
    let mut holed = npy(20, 3);
    let end = holed.len();
    holed[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(folder.path().join("nan.npy"), holed).unwrap();
    let fails = |features: &str, out: &str, more: &[&str], code: i32, why: &str| {
        let arguments = [&["--features", features, "--out", out], more].concat();
        let result = tsne(folder.path(), &arguments).assert().code(code);
        let said = String::from_utf8(result.get_output().stderr.clone()).unwrap();
        assert!(said.contains(why), "{said}");
    };
    fails("none.npy", "y.csv", &[], 1, "none.npy");
    fails("x.xlsx", "y.csv", &[], 1, ".safetensors");
    fails("nan.npy", "y.csv", &[], 1, "feature 2 of point 19 is NaN");
    fails("x.npy", "no/such/y.csv", &["--iterations", "5"], 1, "no/such/y.csv");
    fails("x.npy", "y.csv", &["--perplexity", "0"], 2, "from 1 up");
    fails("x.npy", "y.txt", &[], 2, "the name must end in .csv");
    assert!(!folder.path().join("y.csv").exists());
}
