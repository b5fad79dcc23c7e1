//! Decoding and resizing against Pillow, and damaged files of every kind.
//!
//! The files and the expected pixels are described in `tests/fixtures/images/README.md`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use safetensors::SafeTensors;
use tagood_lens::image::{
    DecodeOptions, Decoded, FileFormat, Filter, ImageError, Normalisation, RgbImage, Transform,
    decode_bytes, decode_file, resize, tensor_data,
};

/// Files that decoders round differently, and by how many levels of 0..255: 5 and 6 bits made 8,
/// subsampled CMYK, JPEG within TIFF.
const ROUNDED: [(&str, u8); 5] = [
    ("rgb_555.bmp", 1),
    ("rgb_565.bmp", 1),
    ("cmyk_420.jpg", 2),
    ("jpeg.tif", 2),
    ("ycbcr_jpeg.tif", 2),
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images")
}

/// Every file with its name, in order of name.
static FILES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let mut files: Vec<_> = fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".safetensors") && !name.ends_with(".md"))
        .map(|name| (name.clone(), fs::read(fixtures().join(&name)).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() > 40, "the fixtures are incomplete: {} files", files.len());
    files
});

fn picture(tensors: &SafeTensors<'_>, name: &str) -> RgbImage {
    let view = tensors.tensor(name).unwrap();
    let [height, width, 3] = *view.shape() else { panic!("{name} is {:?}", view.shape()) };
    RgbImage::from_raw(width as u32, height as u32, view.data().to_vec()).unwrap()
}

fn decode(name: &str, bytes: &[u8]) -> Result<Decoded, ImageError> {
    decode_bytes(name, bytes, &DecodeOptions::default())
}

/// How far two pictures are apart, in levels of 0..255.
fn difference(ours: &RgbImage, theirs: &RgbImage) -> u8 {
    assert_eq!(ours.dimensions(), theirs.dimensions());
    ours.iter().zip(theirs.iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

#[test]
fn every_kind_of_file_decodes_as_in_pillow() {
    let buffer = fs::read(fixtures().join("expected.safetensors")).unwrap();
    let expected = SafeTensors::deserialize(&buffer).unwrap();
    let mut wrong = Vec::new();
    for (name, bytes) in FILES.iter() {
        let as_stored = DecodeOptions { apply_orientation: false, ..DecodeOptions::default() };
        match decode_bytes(name, bytes, &as_stored) {
            Ok(decoded) => {
                let apart = difference(&decoded.rgb, &picture(&expected, name));
                let rounded = ROUNDED.iter().find(|(file, _)| file == name);
                if apart > rounded.map_or(0, |(_, levels)| *levels) {
                    wrong.push(format!("{name}: {apart} levels apart"));
                }
            }
            Err(error) => wrong.push(error.to_string()),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_content_decides_the_format() {
    let bytes = fs::read(fixtures().join("rgb_444.jpg")).unwrap();
    assert_eq!(decode("misnamed.png", &bytes).unwrap().format, FileFormat::Jpeg);
}

#[test]
fn pictures_are_turned_unless_told_otherwise() {
    let path = fixtures().join("oriented.jpg");
    let as_stored = DecodeOptions { apply_orientation: false, ..DecodeOptions::default() };
    let stored = decode_file(&path, &as_stored).unwrap();
    let turned = decode_file(&path, &DecodeOptions::default()).unwrap();
    assert!(stored.has_orientation && turned.has_orientation);
    assert_eq!(stored.rgb.dimensions(), (17, 9));
    assert_eq!(turned.rgb.dimensions(), (9, 17));
    // EXIF orientation 6: the stored left edge is the upper edge, read from the bottom up.
    assert_eq!(turned.rgb.get_pixel(8, 0), stored.rgb.get_pixel(0, 0));
    assert_eq!(turned.rgb.get_pixel(0, 0), stored.rgb.get_pixel(0, 8));
}

/// A JPEG as phones leave it, and the same cut short at every place.
#[test]
fn a_missing_end_marker_is_forgiven_and_a_missing_pixel_is_not() {
    for name in ["rgb_420.jpg", "rgb_444.jpg", "gray.jpg", "restart.jpg"] {
        let whole = fs::read(fixtures().join(name)).unwrap();
        let expected = decode(name, &whole).unwrap().rgb;
        let without_end = &whole[..whole.len() - 2];
        let trailer = [without_end, b"SEFH", &[7; 300], b"SEFT"].concat();
        for forgiven in [without_end, &trailer] {
            assert!(decode(name, forgiven).unwrap().rgb == expected, "{name}");
        }
        for cut in 4..whole.len() - 2 {
            if let Ok(decoded) = decode(name, &whole[..whole.len() - cut]) {
                assert!(decoded.rgb == expected, "{name} without its last {cut} bytes");
            }
        }
    }
    let whole = fs::read(fixtures().join("progressive.jpg")).unwrap();
    for cut in 1..whole.len() {
        let cut = &whole[..whole.len() - cut];
        assert!(decode("progressive.jpg", cut).is_err(), "finer scans may be missing");
    }
}

#[test]
fn resizes_are_pillows() {
    let buffer = fs::read(fixtures().join("expected.safetensors")).unwrap();
    let expected = SafeTensors::deserialize(&buffer).unwrap();
    let source = picture(&expected, "resize.source");
    for (name, filter) in [("bilinear", Filter::Bilinear), ("bicubic", Filter::Bicubic)] {
        for (width, height) in [(12, 12), (16, 16), (37, 12), (16, 23), (41, 27), (300, 5)] {
            let theirs = picture(&expected, &format!("resize.{name}.{width}x{height}"));
            assert!(resize(&source, width, height, filter) == theirs, "{name} {width}x{height}");
        }
    }
}

#[test]
fn transforms_are_those_of_the_released_code() {
    let buffer = fs::read(fixtures().join("expected.safetensors")).unwrap();
    let expected = SafeTensors::deserialize(&buffer).unwrap();
    for size in ["45x31", "31x45", "33x32", "5x7", "32x32", "120x9", "9x120"] {
        let source = picture(&expected, &format!("transform.{size}.source"));
        for transform in Transform::ALL {
            let theirs = picture(&expected, &format!("transform.{size}.{transform}"));
            assert!(transform.apply(&source, 32) == theirs, "{transform} of {size}");
        }
    }
}

/// A PNG header for `side`×`side` pixels and nothing after it that could be decoded.
fn png_header(side: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(side.to_be_bytes().into_iter().chain(side.to_be_bytes()).chain([8, 2, 0, 0, 0]));
    let crc = !chunk.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg()))
    });
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0D".to_vec();
    png.extend(chunk);
    png.extend(crc.to_be_bytes());
    png.extend(b"\0\0\0\x04IDAT\0\0\0\0\0\0\0\0");
    png
}

#[test]
fn a_huge_picture_is_refused_by_its_header() {
    let error = decode("huge.png", &png_header(60_000)).unwrap_err();
    assert!(matches!(error, ImageError::TooManyPixels { width: 60_000, .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "the picture has 60000×60000 pixels, more than the limit of 300000000 pixels: huge.png"
    );
}

#[test]
fn every_fault_is_one_sentence_that_ends_with_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let jpeg = fs::read(fixtures().join("rgb_420.jpg")).unwrap();
    fs::write(path("empty.jpg"), b"").unwrap();
    fs::write(path("text.png"), b"this is not a picture").unwrap();
    fs::write(path("cut.jpg"), &jpeg[..jpeg.len() / 2]).unwrap();
    fs::write(path("big.jpg"), &jpeg).unwrap();
    fs::create_dir(path("folder.png")).unwrap();
    let options = DecodeOptions { max_bytes: jpeg.len() as u64 - 1, ..DecodeOptions::default() };
    for (name, beginning) in [
        ("absent.jpg", "there is no such file"),
        ("empty.jpg", "the file is empty"),
        ("text.png", "the content is not JPEG, PNG, WebP, GIF, BMP or TIFF"),
        ("cut.jpg", "the JPEG is damaged or cut short (the end is missing)"),
        ("big.jpg", "the file is larger than the limit of"),
        ("folder.png", "this is a folder, not an image"),
    ] {
        let sentence = decode_file(&path(name), &options).unwrap_err().to_string();
        assert!(sentence.starts_with(beginning), "{sentence}");
        assert!(sentence.ends_with(&format!(": {}", path(name).display())), "{sentence}");
        assert!(!sentence.contains('\n'), "{sentence}");
    }
}

#[test]
fn a_file_cut_in_half_is_an_error_in_every_format() {
    let whole: Vec<_> = FILES
        .iter()
        .filter(|(name, bytes)| decode(name, &bytes[..bytes.len() / 2]).is_ok())
        .map(|(name, _)| name)
        .collect();
    assert!(whole.is_empty(), "decoded from their first half: {whole:?}");
}

#[test]
fn a_pixel_limit_is_exact() {
    let bytes = fs::read(fixtures().join("rgb.png")).unwrap();
    let limit = |max_pixels| DecodeOptions { max_pixels, ..DecodeOptions::default() };
    assert!(decode_bytes("a", &bytes, &limit(90)).is_ok());
    assert!(decode_bytes("a", &bytes, &limit(89)).is_err());
}

fn photo_folder() -> PathBuf {
    super::named_by("TAGOOD_PHOTOS", "a folder of photographs")
}

#[test]
#[ignore = "needs TAGOOD_PHOTOS"]
fn photographs_decode_and_become_finite_tensors() {
    let photos = tagood_lens::image::find_images(&[photo_folder()]).images;
    assert!(!photos.is_empty());
    for path in photos {
        let decoded = decode_file(&path, &DecodeOptions::default()).unwrap();
        for transform in [Transform::Ram, Transform::Tagood] {
            let square = transform.apply(&decoded.rgb, 384);
            let data = tensor_data(&square, &Normalisation::IMAGENET);
            assert_eq!(data.len(), 3 * 384 * 384);
            assert!(data.iter().all(|value| value.is_finite() && value.abs() < 3.0));
        }
    }
}

#[test]
#[ignore = "needs TAGOOD_PHOTOS and TAGOOD_FULL_FIXTURES"]
fn photographs_decode_and_resize_as_in_pillow() {
    let (fixtures, folder) = (super::full::fixtures(), photo_folder());
    let buffer = fs::read(fixtures.join("pictures.safetensors")).unwrap();
    let (_, header) = SafeTensors::read_metadata(&buffer).unwrap();
    let about = header.metadata().as_ref().unwrap()["about"].clone();
    let about: serde_json::Value = serde_json::from_str(&about).unwrap();
    let tensors = SafeTensors::deserialize(&buffer).unwrap();
    let mut wrong = Vec::new();
    for (i, photo) in about["photos"].as_array().unwrap().iter().enumerate() {
        let photo = photo.as_str().unwrap();
        let theirs = picture(&tensors, &format!("{i}.decoded"));
        let ours = decode_file(&folder.join(photo), &DecodeOptions::default()).unwrap().rgb;
        let apart = difference(&ours, &theirs);
        if apart > 0 {
            wrong.push(format!("{photo}: {apart} levels apart"));
        }
        for transform in [Transform::Ram, Transform::Tagood] {
            let resized = picture(&tensors, &format!("{i}.{transform}.resized"));
            if transform.apply(&theirs, resized.width()) != resized {
                wrong.push(format!("{photo}, {transform}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
