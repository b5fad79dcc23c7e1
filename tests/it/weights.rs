//! Checkpoints of all kinds, whole and broken.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tagood_lens::nn::source::{Source, WeightsError};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny").join(name)
}

#[test]
fn odd_tensors_are_read_as_they_were_meant() {
    let pth = Source::open(&fixture("odd_tensors.pth")).unwrap();
    let plain = Source::open(&fixture("odd_tensors.safetensors")).unwrap();
    let shapes = plain.shapes();
    assert_eq!(pth.shapes(), shapes);
    let mut floats = 0;
    for (name, shape) in shapes {
        match (pth.read(&name, &shape), plain.read(&name, &shape)) {
            (Ok(a), Ok(b)) => {
                assert_eq!(a, b, "{name}");
                floats += 1;
            }
            (Err(WeightsError::Type { .. }), Err(WeightsError::Type { .. })) => {}
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(floats >= 12);
}

#[test]
fn errors_name_the_tensor_the_shape_and_the_file() {
    let source = Source::open(&fixture("tiny_ram.pth")).unwrap();
    let missing = source.read("no.such.tensor", &[3]).unwrap_err().to_string();
    assert!(missing.contains("no.such.tensor") && missing.contains("tiny_ram.pth"), "{missing}");
    let misshapen = source.read("label_embed", &[1, 2]).unwrap_err().to_string();
    assert!(misshapen.contains("[40, 32]") && misshapen.contains("[1, 2]"), "{misshapen}");
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let whole = std::fs::read(fixture("tiny_ram.pth")).unwrap();
    let cases = [
        write("empty.pth", b""),
        write("text.pth", b"this is not a checkpoint, but a sentence"),
        write("cut.pth", &whole[..whole.len() / 2]),
        write("header.safetensors", b"\xff\xff\xff\xff\xff\xff\xff\x7f{}"),
        write("cut.safetensors", b"\x10\0\0\0\0\0\0\0{\"a\":{\"dtype\":"),
        // A pickle that would run a command if it were executed.
        write("hostile.pth", b"cos\nsystem\n(S'touch pwned'\ntR."),
        folder.path().to_owned(),
        folder.path().join("absent.pth"),
    ];
    for path in cases {
        let Err(error) = Source::open(&path) else { panic!("{} opened", path.display()) };
        let text = error.to_string();
        assert!(text.contains(&path.display().to_string()), "{text}");
        assert!(!text.contains('\n'), "{text}");
    }
    assert!(!folder.path().join("pwned").exists() && !Path::new("pwned").exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A damaged checkpoint is an error or reads as something; it never panics.
    #[test]
    fn damage_never_panics(at in 0usize..4900, value: u8, cut in 0usize..4900) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("damaged.pth");
        let mut bytes = std::fs::read(fixture("odd_tensors.pth")).unwrap();
        bytes[at] = value;
        bytes.truncate(bytes.len() - cut % 64);
        std::fs::write(&path, bytes).unwrap();
        if let Ok(source) = Source::open(&path) {
            for (name, shape) in source.shapes() {
                drop(source.read(&name, &shape));
            }
        }
    }
}
