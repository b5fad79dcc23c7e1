//! From a file, or bytes, to 8-bit RGB.
//!
//! The pixels are those of Pillow's `Image.open(path).convert("RGB")`: alpha is dropped, not
//! composited; palettes are looked up; 16-bit colour keeps its high byte, while 16-bit grey is
//! clipped at 255; of an animation the first frame counts.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat};

use super::budget::{self, DECODING_BYTES, Permit};
use super::format::{FileFormat, described};
use super::{ImageError, RgbImage, general, gif, jpeg, tiff};
use crate::fs;

/// What a decoder may allocate beyond the picture itself: tables, colour profiles, text chunks.
pub(super) const SIDE_DATA_BYTES: u64 = 64 << 20;

/// Limits and choices for decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeOptions {
    /// The most pixels (width × height) a picture may have; default 300 million.
    pub max_pixels: u64,
    /// The most bytes a file may have; default 1 GiB.
    pub max_bytes: u64,
    /// Turn the picture as its EXIF orientation says, which is the default; the released code takes
    /// it as it is stored. A TIFF is turned in any case, as in Pillow.
    pub apply_orientation: bool,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self { max_pixels: 300_000_000, max_bytes: 1 << 30, apply_orientation: true }
    }
}

/// A decoded picture and what the file said about it.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The pixels, turned upright unless that was not asked for.
    pub rgb: RgbImage,
    /// The format of the content.
    pub format: FileFormat,
    /// Whether the file asks for a turn or mirroring, applied or not.
    pub has_orientation: bool,
}

/// Reads and decodes the image at `path`, when there is memory for it (see [`DECODING_BYTES`]).
///
/// # Errors
/// [`ImageError`]: nothing there, not readable, not an image, damaged, or over a limit.
pub fn decode_file(path: &Path, options: &DecodeOptions) -> Result<Decoded, ImageError> {
    decode_bytes(&fs::printable(path), &read_file(path, options)?, options)
}

/// Reads the file at `path`, for [`decode_bytes`].
///
/// # Errors
/// [`ImageError`]: nothing there, not a regular file, not readable, or over a limit.
pub fn read_file(path: &Path, options: &DecodeOptions) -> Result<Vec<u8>, ImageError> {
    let name = || fs::printable(path);
    fs::read(path, options.max_bytes).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => ImageError::Missing { name: name() },
        io::ErrorKind::FileTooLarge => {
            ImageError::TooLarge { name: name(), max_bytes: options.max_bytes }
        }
        _ if path.is_dir() => ImageError::Folder { name: name() },
        _ => ImageError::Unreadable { name: name(), source },
    })
}

/// Decodes `bytes`, which errors call `name`: what was pasted or dropped.
///
/// # Errors
/// [`ImageError`]: empty, not an image, damaged, or over a limit.
pub fn decode_bytes(
    name: &str,
    bytes: &[u8],
    options: &DecodeOptions,
) -> Result<Decoded, ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty { name: name.to_owned() });
    }
    if bytes.len() as u64 > options.max_bytes {
        return Err(ImageError::TooLarge { name: name.to_owned(), max_bytes: options.max_bytes });
    }
    let format = FileFormat::of_content(bytes).ok_or_else(|| ImageError::UnknownFormat {
        name: name.to_owned(),
        looks_like: described(bytes),
    })?;
    let source = Source { name, bytes, format, options };
    // A batch of a million files must outlive the one that makes a decoder panic.
    catch_unwind(AssertUnwindSafe(|| source.decode()))
        .unwrap_or_else(|_| Err(source.damaged("the decoder gave up")))
}

/// A picture as it is stored.
pub(super) struct Pixels {
    pub rgb: RgbImage,
    /// How the file asks to turn it.
    pub orientation: Orientation,
}

/// Width times height.
pub(super) fn area([width, height]: [u32; 2]) -> u64 {
    u64::from(width) * u64::from(height)
}

/// Bytes of a known format, with the name for errors.
pub(super) struct Source<'a> {
    name: &'a str,
    pub bytes: &'a [u8],
    pub format: FileFormat,
    options: &'a DecodeOptions,
}

impl Source<'_> {
    fn decode(&self) -> Result<Decoded, ImageError> {
        let Pixels { mut rgb, orientation } = match self.format {
            FileFormat::Jpeg => jpeg::decode(self),
            FileFormat::Gif => gif::decode(self),
            FileFormat::Tiff => tiff::decode(self),
            FileFormat::Png => general::decode(self, ImageFormat::Png),
            FileFormat::WebP => general::decode(self, ImageFormat::WebP),
            FileFormat::Bmp => general::decode(self, ImageFormat::Bmp),
        }?;
        let has_orientation = orientation != Orientation::NoTransforms;
        // Pillow turns a TIFF while loading it, asked or not.
        if has_orientation && (self.options.apply_orientation || self.format == FileFormat::Tiff) {
            let mut turned = DynamicImage::ImageRgb8(rgb);
            turned.apply_orientation(orientation);
            rgb = turned.into_rgb8();
        }
        Ok(Decoded { rgb, format: self.format, has_orientation })
    }

    /// Holds what the header says against the limits, then waits for `working_bytes` of memory.
    /// Nothing of the picture's size is allocated before.
    pub(super) fn admit(
        &self,
        size: [u32; 2],
        working_bytes: u64,
    ) -> Result<Permit<'static>, ImageError> {
        let ([width, height], name) = (size, self.name.to_owned());
        let max_pixels = self.options.max_pixels;
        match area(size) {
            0 => Err(self.damaged("it has no pixels")),
            pixels if pixels > max_pixels => {
                Err(ImageError::TooManyPixels { name, width, height, max_pixels })
            }
            _ => budget::wait_for(working_bytes).ok_or(ImageError::TooMuchMemory {
                name,
                width,
                height,
                max_bytes: DECODING_BYTES,
            }),
        }
    }

    /// A picture of these pixels.
    pub(super) fn pixels(
        &self,
        [width, height]: [u32; 2],
        rgb: Vec<u8>,
        orientation: Orientation,
    ) -> Result<Pixels, ImageError> {
        let rgb = RgbImage::from_raw(width, height, rgb)
            .ok_or_else(|| self.damaged("it has fewer pixels than its header says"))?;
        Ok(Pixels { rgb, orientation })
    }

    /// The content is of a kind that is not read.
    pub(super) fn unsupported(&self, detail: &str) -> ImageError {
        let detail = one_line(detail);
        ImageError::Unsupported { name: self.name.to_owned(), format: self.format, detail }
    }

    /// The content is wrong.
    pub(super) fn damaged(&self, detail: &str) -> ImageError {
        let detail = one_line(detail);
        ImageError::Damaged { name: self.name.to_owned(), format: self.format, detail }
    }

    /// The content could not be read to where it should end.
    pub(super) fn read_fault(&self, error: &io::Error) -> ImageError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("the end is missing"),
            _ => self.damaged(&error.to_string()),
        }
    }
}

/// A decoder's message as part of a sentence.
fn one_line(message: &str) -> String {
    let words: Vec<_> = message.split_whitespace().collect();
    words.join(" ").trim_matches(['"', '.']).to_owned()
}
