//! The first page of a TIFF or BigTIFF.

use std::io::Cursor;

use image::metadata::Orientation;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

use super::decode::{Pixels, SIDE_DATA_BYTES, Source, area};
use super::{ImageError, tiff_palette};

/// Premultiplied with its alpha: a value of the tag `ExtraSamples`.
const ASSOCIATED_ALPHA: u16 = 1;

/// Decodes the picture as Pillow does: 16-bit grey and numbers beyond 8 bits are clipped at 255, of
/// 16-bit colours the high byte counts, alpha is dropped.
///
/// # Errors
/// A file that is damaged or cut short, over a limit or of a kind that is not read.
pub(super) fn decode(source: &Source<'_>) -> Result<Pixels, ImageError> {
    let fault = |error| fault(source, error);
    let indexed = tiff_palette::as_indices(source.bytes);
    let bytes = indexed.as_deref().unwrap_or(source.bytes);
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(fault)?;
    let (width, height) = decoder.dimensions().map_err(fault)?;
    let color = decoder.colortype().map_err(fault)?;
    let layout = decoder.image_buffer_layout().map_err(fault)?;
    let working_bytes = 2 * layout.complete_len as u64 + 3 * area([width, height]);
    let _permit = source.admit([width, height], working_bytes)?;
    let mut limits = Limits::default();
    // Tables of the file, as that of a palette, count as such a buffer too.
    limits.decoding_buffer_size = layout.complete_len.max(SIDE_DATA_BYTES as usize);
    limits.intermediate_buffer_size = layout.complete_len + SIDE_DATA_BYTES as usize;
    limits.ifd_value_size = SIDE_DATA_BYTES as usize;
    let mut decoder = decoder.with_limits(limits);
    let colors = match &indexed {
        Some(_) => Some(palette(&mut decoder).map_err(fault)?),
        None => None,
    };
    let orientation = decoder.find_tag_unsigned::<u16>(Tag::Orientation).ok().flatten();
    let kind = Kind {
        color,
        colors,
        is_premultiplied: decoder
            .find_tag_unsigned_vec::<u16>(Tag::ExtraSamples)
            .is_ok_and(|extra| extra.is_some_and(|extra| extra.first() == Some(&ASSOCIATED_ALPHA))),
    };
    let mut samples = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut samples).map_err(fault)?;
    let channels = usize::from(color.num_samples());
    let levels = levels(&samples, color, width as usize)
        .ok_or_else(|| source.unsupported(&format!("samples of type {color:?}")))?;
    let levels = if layout.planes > 1 { interleaved(&levels, layout.planes) } else { levels };
    let rgb = kind
        .rgb(levels, channels)
        .ok_or_else(|| source.unsupported(&format!("pixels of type {color:?}")))?;
    let orientation = orientation.and_then(|value| Orientation::from_exif(value.try_into().ok()?));
    source.pixels([width, height], rgb, orientation.unwrap_or(Orientation::NoTransforms))
}

fn fault(source: &Source<'_>, error: TiffError) -> ImageError {
    match error {
        TiffError::UnsupportedError(kind) => source.unsupported(&kind.to_string()),
        TiffError::LimitsExceeded => source.unsupported("its parts are larger than the picture"),
        TiffError::IoError(error) => source.read_fault(&error),
        error => source.damaged(&error.to_string()),
    }
}

/// The colours of a palette: of each 16 bits, the high byte.
fn palette(decoder: &mut Decoder<Cursor<&[u8]>>) -> Result<Vec<[u8; 3]>, TiffError> {
    let table = decoder.get_tag_u16_vec(Tag::ColorMap)?;
    let count = table.len() / 3;
    let high = |at: usize| (table[at] >> 8) as u8;
    Ok((0..count).map(|at| [high(at), high(at + count), high(at + 2 * count)]).collect())
}

/// The samples as 8 bits each; `None` for types that are not read.
fn levels(samples: &DecodingResult, color: ColorType, width: usize) -> Option<Vec<u8>> {
    let is_grey = color.num_samples() <= 2;
    let clipped = |value: f64| value.clamp(0.0, 255.0) as u8;
    Some(match samples {
        DecodingResult::U8(bytes) => match color.bit_depth() {
            8 => bytes.clone(),
            bits @ (1 | 2 | 4) if color.num_samples() == 1 => unpacked(bytes, bits, width),
            _ => return None,
        },
        DecodingResult::U16(values) if is_grey => {
            values.iter().map(|&v| v.min(255) as u8).collect()
        }
        DecodingResult::U16(values) => values.iter().map(|&v| (v >> 8) as u8).collect(),
        DecodingResult::I16(values) if is_grey => {
            values.iter().map(|&value| clipped(value.into())).collect()
        }
        DecodingResult::U32(values) if is_grey => {
            values.iter().map(|&value| clipped(value.into())).collect()
        }
        DecodingResult::I32(values) if is_grey => {
            values.iter().map(|&value| clipped(value.into())).collect()
        }
        DecodingResult::F32(values) if is_grey => {
            values.iter().map(|&value| clipped(value.into())).collect()
        }
        DecodingResult::F64(values) if is_grey => {
            values.iter().map(|&value| clipped(value)).collect()
        }
        _ => return None,
    })
}

/// Values of 1, 2 or 4 bits, each row starting at a byte.
fn unpacked(bytes: &[u8], bits: u8, width: usize) -> Vec<u8> {
    let per_byte = usize::from(8 / bits);
    let mask = u8::MAX >> (8 - bits);
    let value = |row: &[u8], at: usize| {
        let shift = 8 - bits as usize * (at % per_byte + 1);
        row[at / per_byte] >> shift & mask
    };
    let rows = bytes.chunks_exact(width.div_ceil(per_byte).max(1));
    rows.flat_map(|row| (0..width).map(move |at| value(row, at))).collect()
}

/// Planes one after another, as pixels one after another.
fn interleaved(levels: &[u8], planes: usize) -> Vec<u8> {
    let plane = levels.len() / planes;
    (0..plane).flat_map(|at| (0..planes).map(move |channel| levels[channel * plane + at])).collect()
}

/// How levels become colours.
struct Kind {
    color: ColorType,
    colors: Option<Vec<[u8; 3]>>,
    is_premultiplied: bool,
}

impl Kind {
    fn rgb(&self, levels: Vec<u8>, channels: usize) -> Option<Vec<u8>> {
        let pixels = levels.chunks_exact(channels.max(1));
        if let Some(colors) = &self.colors {
            let color =
                |index: &[u8]| colors.get(usize::from(index[0])).copied().unwrap_or_default();
            return Some(pixels.flat_map(color).collect());
        }
        Some(match self.color {
            ColorType::Gray(bits) if bits < 8 => {
                let step = u8::MAX / (u8::MAX >> (8 - bits));
                pixels.flat_map(|grey| [grey[0] * step; 3]).collect()
            }
            ColorType::Gray(_) | ColorType::GrayA(_) => pixels.flat_map(|p| [p[0]; 3]).collect(),
            ColorType::Multiband { num_samples: 2, .. } => pixels.flat_map(|p| [p[0]; 3]).collect(),
            ColorType::RGB(_) => levels,
            ColorType::YCbCr(8) => pixels.flat_map(rgb_from_ycbcr).collect(),
            ColorType::RGBA(_) if self.is_premultiplied => {
                pixels.flat_map(|p| [0, 1, 2].map(|c| unpremultiplied(p[c], p[3]))).collect()
            }
            ColorType::RGBA(_) => pixels.flat_map(|p| [p[0], p[1], p[2]]).collect(),
            ColorType::CMYK(8) => pixels.flat_map(rgb_from_cmyk).collect(),
            _ => return None,
        })
    }
}

fn unpremultiplied(level: u8, alpha: u8) -> u8 {
    match u32::from(alpha) {
        0 => 0,
        alpha => (u32::from(level) * 255 / alpha).min(255) as u8,
    }
}

/// By the weights of JPEG, of 16 bits.
fn rgb_from_ycbcr(ycbcr: &[u8]) -> [u8; 3] {
    let [luma, blue, red] = [0, 1, 2].map(|at| i32::from(ycbcr[at]));
    let (blue, red) = (blue - 128, red - 128);
    let rounded = |sum: i32| (luma + ((sum + (1 << 15)) >> 16)).clamp(0, 255) as u8;
    [rounded(91_881 * red), rounded(-22_554 * blue - 46_802 * red), rounded(116_130 * blue)]
}

fn rgb_from_cmyk(cmyk: &[u8]) -> [u8; 3] {
    let light = 255 - u32::from(cmyk[3]);
    [0, 1, 2].map(|channel| {
        let product = u32::from(cmyk[channel]) * light + 128;
        (light - (((product >> 8) + product) >> 8)) as u8
    })
}
