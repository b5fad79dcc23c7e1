//! JPEG, with the pixels of libjpeg-turbo and so of Pillow: its inverse transform, its smooth chroma
//! and its colours, bit for bit.

use image::ImageFormat;
use image::metadata::Orientation;
use libjpeg_turbo_rs::{DecodeLimits, Decoder, JpegError, PixelFormat};

use super::decode::{Pixels, Source, area};
use super::{ImageError, general, jpeg_stream};

/// More scans than any camera or program writes, and few enough to end soon.
const MAX_SCANS: usize = 500;

/// Decodes the picture.
///
/// # Errors
/// A stream that is damaged, lacks part of the picture, is over a limit or of a kind that is not read.
pub(super) fn decode(source: &Source<'_>) -> Result<Pixels, ImageError> {
    let bytes = jpeg_stream::without_stray_bytes(source.bytes);
    if jpeg_stream::reaches_end(&bytes) {
        return Ok(decode_stream(source, &bytes)?.0);
    }
    // Some phones leave the end marker out, and the picture is all there; of a file that was cut short
    // it is not. Which it is shows by whether the pixels depend on what would come next.
    let [one, other] = [0x00, 0x55].map(|next| {
        let ended = [&*bytes, &[next; 64], &[0xFF, jpeg_stream::EOI]].concat();
        decode_stream(source, &ended)
    });
    match (one, other) {
        (Ok((one, Missing::Shows)), Ok((other, Missing::Shows))) if one.rgb == other.rgb => Ok(one),
        _ => Err(source.damaged("the end is missing")),
    }
}

/// Whether pixels that the stream lacks depend on what is put in their place.
enum Missing {
    Shows,
    /// They come refined scan by scan, or the decoder fills them in by itself.
    MayNotShow,
}

fn decode_stream(source: &Source<'_>, bytes: &[u8]) -> Result<(Pixels, Missing), ImageError> {
    let fault = |error| fault(source, &error);
    let limits = DecodeLimits { max_scans: MAX_SCANS, ..DecodeLimits::default() };
    let mut decoder = Decoder::new_with_limits(bytes, limits).map_err(fault)?;
    let header = decoder.header();
    if header.precision != 8 || header.is_lossless {
        let kind = if header.is_lossless { "lossless coding" } else { "more than 8 bits a sample" };
        return Err(source.unsupported(kind));
    }
    let factors = header.components.iter().map(|c| [c.horizontal_sampling, c.vertical_sampling]);
    let most = factors.clone().fold([1, 1], |most, f| [0, 1].map(|side| most[side].max(f[side])));
    let divides = |[across, down]: [u8; 2]| {
        across > 0 && down > 0 && most[0] % across == 0 && most[1] % down == 0
    };
    if !factors.clone().all(divides) {
        return Err(source.unsupported("colours at fractions of pixels"));
    }
    let units_along = |pixels: u16, most: u8| {
        let blocks = if header.components.len() == 1 { 1 } else { usize::from(most) };
        usize::from(pixels).div_ceil(8 * blocks)
    };
    let units = units_along(header.width, most[0]) * units_along(header.height, most[1]);
    let missing = match header.is_progressive || !jpeg_stream::has_all_restarts(bytes, units) {
        true => Missing::MayNotShow,
        false => Missing::Shows,
    };
    if header.components.len() == 4 && !factors.clone().all(|factor| factor == most) {
        // Which this library does not read; the other is up to two levels off.
        return Ok((general::decode(source, ImageFormat::Jpeg)?, Missing::MayNotShow));
    }
    let (width, height) = (u32::from(header.width), u32::from(header.height));
    // The samples beside the pixels made of them; if progressive, two bytes for each coefficient.
    let bytes_of_sample = if header.is_progressive { 3 } else { 1 };
    let sample_bytes = header.components.len() as u64 * bytes_of_sample;
    let orientation = decoder.exif_orientation().and_then(Orientation::from_exif);
    let _permit = source.admit([width, height], area([width, height]) * (3 + sample_bytes))?;
    decoder.set_output_format(PixelFormat::Rgb);
    decoder.set_block_smoothing(true);
    let rgb = decoder.decode_image().map_err(fault)?.into_vec();
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    Ok((source.pixels([width, height], rgb, orientation)?, missing))
}

fn fault(source: &Source<'_>, error: &JpegError) -> ImageError {
    match error {
        JpegError::Unsupported(feature) => source.unsupported(feature),
        JpegError::LimitExceeded { .. } => source.unsupported(&error.to_string()),
        JpegError::UnexpectedEof => source.damaged("the end is missing"),
        error => source.damaged(&error.to_string()),
    }
}
