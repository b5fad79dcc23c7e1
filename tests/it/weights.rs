//! Checkpoints of all kinds, whole and broken.

use std::path::{Path, PathBuf};

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
            // Its largest value is beyond 32 bits.
            (Err(WeightsError::NotFinite { .. }), Err(WeightsError::NotFinite { .. })) => {
                assert_eq!(name, "double");
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(floats >= 12);
}

fn checkpoint(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/checkpoints").join(name)
}

const CHECKPOINTS: [&str; 10] = [
    "protocol_2.pth",
    "protocol_3.pth",
    "protocol_4.pth",
    "protocol_5.pth",
    "before_2020.pth",
    "views_before_2020.pth",
    "fine_tuned_ram_best_7.pth",
    "whole_module.pth",
    "wrapped.pth",
    "script.pt",
];

#[test]
fn every_kind_of_checkpoint_is_read() {
    for name in CHECKPOINTS {
        let source = Source::open(&checkpoint(name)).unwrap();
        let names: Vec<String> = source.shapes().into_keys().collect();
        assert_eq!(names, ["linear.bias", "linear.weight"], "{name}");
        assert_eq!(source.read("linear.bias", &[2]).unwrap(), [6.0, 7.0], "{name}");
        let weight = source.read("linear.weight", &[2, 3]).unwrap();
        assert_eq!(weight, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "{name}");
    }
    // What the optimizer keeps lies beside.
    let source = Source::open(&checkpoint("protocol_2.pth")).unwrap();
    let (shape, values) = source.read_beside("optimizer.state.0.exp_avg").unwrap().unwrap();
    assert_eq!((shape, values), (vec![4], vec![1.0; 4]));
}

#[test]
fn values_that_are_not_finite_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("diverged.safetensors");
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let bytes: Vec<u8> = [1.0, value, value].iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![3], &bytes);
        let tensors = [("layer.weight", view.unwrap())];
        std::fs::write(&path, safetensors::serialize(tensors, None).unwrap()).unwrap();
        let error = Source::open(&path).unwrap().read("layer.weight", &[3]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("`layer.weight` holds 2 values that are not finite"), "{text}");
        assert!(text.contains("diverged.safetensors"), "{text}");
    }
}

#[test]
fn a_flipped_bit_does_not_match_the_checksum() {
    let whole = std::fs::read(checkpoint("protocol_2.pth")).unwrap();
    let five = 5.0f32.to_le_bytes();
    let at = whole.windows(4).position(|w| w == five).unwrap();
    let mut bytes = whole;
    bytes[at] ^= 1;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flipped.pth");
    std::fs::write(&path, bytes).unwrap();
    let error = Source::open(&path).unwrap().read("linear.weight", &[2, 3]).unwrap_err();
    assert!(error.to_string().contains("`linear.weight` does not match its checksum"));
}

#[test]
fn what_is_taken_for_weights_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pth");
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    let cases: [(&[u8], &str); 5] = [
        (lfs.as_bytes(), "git lfs pull"),
        (b"\n<!DOCTYPE html><html><head>", "web page"),
        (b"{\"weight_map\": {}}", "JSON"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "unpack"),
        (b"PK\x03\x04 cut", "zip archive"),
    ];
    for (bytes, expected) in cases {
        std::fs::write(&path, bytes).unwrap();
        let error = Source::open(&path).err().unwrap().to_string();
        assert!(error.contains(expected) && error.ends_with("model.pth"), "{error}");
    }
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
