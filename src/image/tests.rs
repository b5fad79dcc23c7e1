//! Pictures that are none, and damaged ones of every kind.

use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::{DecodeOptions, Normalisation, Transform, decode_bytes, tensor_data};
use crate::damage::{fuzz, one_damaged, one_sentence};

/// Small limits: random headers may ask for hundreds of megabytes, which is allowed and slow.
const SMALL: DecodeOptions =
    DecodeOptions { max_pixels: 1 << 16, max_bytes: 1 << 20, apply_orientation: true };

/// First bytes of each format, so that noise after them reaches its decoder.
const BEGINNINGS: &[&[u8]] = &[
    b"",
    b"\xFF\xD8\xFF",
    b"\x89PNG\r\n\x1a\n\0\0\0\x0DIHDR",
    b"GIF89a",
    b"RIFF\xFF\0\0\0WEBPVP8 ",
    b"RIFF\xFF\0\0\0WEBPVP8L",
    b"RIFF\xFF\0\0\0WEBPVP8X\x0A\0\0\0",
    b"BM",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
];

/// Decodes what may be anything: a picture that becomes numbers, or a sentence.
fn decodes_or_says_why(name: &str, bytes: &[u8]) -> TestCaseResult {
    match decode_bytes(name, bytes, &SMALL) {
        Ok(decoded) => {
            let square = Transform::Ram.apply(&decoded.rgb, 16);
            let values = tensor_data(&square, &Normalisation::IMAGENET);
            prop_assert!(values.iter().all(|value| value.is_finite()));
        }
        Err(error) => {
            one_sentence(&error, &format!(": {name}"))?;
            prop_assert!(!error.to_string().contains("gave up"), "a decoder panicked: {}", error);
        }
    }
    Ok(())
}

#[test]
fn noise_is_no_picture_or_one_that_is_refused() {
    let begin = prop::sample::select(BEGINNINGS);
    let noise = proptest::collection::vec(any::<u8>(), 0..512);
    fuzz(2000, (begin, noise), |(begin, noise)| {
        decodes_or_says_why("noise", &[begin, &noise].concat())
    });
}

#[test]
fn damaged_pictures_are_read_or_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind != "md" && kind != "safetensors"))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    assert!(files.len() > 40, "the fixtures are incomplete: {} files", files.len());
    fuzz(2000, one_damaged(files), |(name, bytes)| decodes_or_says_why(&name, &bytes));
}
