//! PNG, WebP and BMP, and JPEG of four colours with subsampling.

use std::error::Error;
use std::io::Cursor;

use image::error::UnsupportedErrorKind;
use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::ImageError;
use super::decode::{Pixels, SIDE_DATA_BYTES, Source, area};

/// Decodes the picture.
///
/// # Errors
/// A file that is damaged or cut short, over a limit or of a kind that is not read.
pub(super) fn decode(source: &Source<'_>, format: ImageFormat) -> Result<Pixels, ImageError> {
    let fault = |error| fault(source, error);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(SIDE_DATA_BYTES);
    let mut reader = ImageReader::with_format(Cursor::new(source.bytes), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(fault)?;
    let (width, height) = decoder.dimensions();
    let sample_bytes = decoder.total_bytes();
    // A WebP is decoded with alpha, whether it is kept or not.
    let inner_bytes = if format == ImageFormat::WebP { 4 } else { 0 };
    let grown_bytes = if decoder.color_type().has_color() { 0 } else { 3 };
    let working_bytes =
        sample_bytes.saturating_add(area([width, height]) * (inner_bytes + grown_bytes));
    let _permit = source.admit([width, height], working_bytes)?;
    limits.max_alloc = Some(sample_bytes.saturating_mul(2).saturating_add(SIDE_DATA_BYTES));
    decoder.set_limits(limits).map_err(fault)?;
    // A damaged note about orientation leaves the picture as it is stored.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let color = decoder.color_type();
    let size = usize::try_from(sample_bytes).map_err(|_| source.damaged("it is too large"))?;
    let mut samples = vec![0; size];
    decoder.read_image(&mut samples).map_err(fault)?;
    let grey_of_16_bits = format == ImageFormat::Png && is_grey_of_16_bits(source.bytes);
    let rgb = rgb_from_samples(samples, color, grey_of_16_bits)
        .ok_or_else(|| source.unsupported(&format!("pixels of type {color:?}")))?;
    source.pixels([width, height], rgb, orientation)
}

/// Whether a PNG's header says so: with a transparent grey, the decoder makes alpha of it.
fn is_grey_of_16_bits(png: &[u8]) -> bool {
    png.get(24..26) == Some(&[16, 0])
}

fn fault(source: &Source<'_>, error: image::ImageError) -> ImageError {
    match error {
        image::ImageError::Unsupported(error) => source.unsupported(&match error.kind() {
            UnsupportedErrorKind::GenericFeature(feature) => feature,
            UnsupportedErrorKind::Color(color) => format!("pixels of type {color:?}"),
            _ => error.to_string(),
        }),
        image::ImageError::Decoding(error) => match error.source() {
            Some(cause) => source.damaged(&cause.to_string()),
            None => source.damaged(&error.to_string()),
        },
        image::ImageError::Limits(error) => source.unsupported(&error.to_string()),
        image::ImageError::IoError(error) => source.read_fault(&error),
        error => source.damaged(&error.to_string()),
    }
}

/// Interleaved native-endian samples to RGB bytes, as Pillow converts each mode; in place where they
/// do not grow.
fn rgb_from_samples(
    mut samples: Vec<u8>,
    color: ColorType,
    grey_of_16_bits: bool,
) -> Option<Vec<u8>> {
    Some(match color {
        ColorType::Rgb8 => samples,
        ColorType::Rgba8 => {
            keep(&mut samples, 4, |p| [p[0], p[1], p[2]]);
            samples
        }
        ColorType::Rgb16 => {
            keep(&mut samples, 6, |p| [0, 2, 4].map(|at| high_byte(&p[at..])));
            samples
        }
        ColorType::Rgba16 => {
            keep(&mut samples, 8, |p| [0, 2, 4].map(|at| high_byte(&p[at..])));
            samples
        }
        ColorType::La16 if grey_of_16_bits => {
            keep(&mut samples, 4, |p| [clipped(p); 3]);
            samples
        }
        ColorType::La16 => {
            keep(&mut samples, 4, |p| [high_byte(p); 3]);
            samples
        }
        ColorType::L8 => samples.iter().flat_map(|&grey| [grey; 3]).collect(),
        ColorType::La8 => samples.chunks_exact(2).flat_map(|p| [p[0]; 3]).collect(),
        ColorType::L16 => samples.chunks_exact(2).flat_map(|p| [clipped(p); 3]).collect(),
        _ => return None,
    })
}

/// Makes three bytes of every `bytes`, at the front.
fn keep(samples: &mut Vec<u8>, bytes: usize, rgb: impl Fn(&[u8]) -> [u8; 3]) {
    let pixels = samples.len() / bytes;
    for pixel in 0..pixels {
        let color = rgb(&samples[bytes * pixel..bytes * (pixel + 1)]);
        samples[3 * pixel..3 * pixel + 3].copy_from_slice(&color);
    }
    samples.truncate(3 * pixels);
}

fn word(pair: &[u8]) -> u16 {
    u16::from_ne_bytes([pair[0], pair[1]])
}

fn high_byte(pair: &[u8]) -> u8 {
    (word(pair) >> 8) as u8
}

fn clipped(pair: &[u8]) -> u8 {
    word(pair).min(255) as u8
}
