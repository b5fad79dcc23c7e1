//! From a file, or bytes, to 8-bit RGB.
//!
//! The pixels are those of Pillow's `Image.open(path).convert("RGB")`: alpha is dropped, not
//! composited; palettes are looked up; 16-bit colour keeps its high byte, while 16-bit grey is
//! clipped at 255; of an animation the first frame counts.

use std::error::Error;
use std::fs::File;
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::{fmt, io};

use image::error::UnsupportedErrorKind;
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::{ImageError, RgbImage, gif_canvas, jpeg_stream};

/// What a decoder may allocate beyond the picture itself: tables, colour profiles, text chunks.
const SIDE_DATA_BYTES: u64 = 64 << 20;

/// Limits and choices for decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeOptions {
    /// The most pixels (width × height) a picture may have; default 300 million.
    pub max_pixels: u64,
    /// The most bytes a file may have; default 1 GiB.
    pub max_bytes: u64,
    /// Turn the picture as its EXIF orientation says. Off by default, as in the reference; a TIFF
    /// is turned in any case, as in Pillow.
    pub apply_orientation: bool,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self { max_pixels: 300_000_000, max_bytes: 1 << 30, apply_orientation: false }
    }
}

/// The formats that can be read, told apart by content and never by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// Baseline and progressive; grey, YCbCr, RGB, CMYK and YCCK.
    Jpeg,
    /// All colour types and depths; of an animation, the default image.
    Png,
    /// Lossy and lossless; of an animation, the first frame.
    WebP,
    /// The first frame.
    Gif,
    /// 1 to 32 bits a pixel.
    Bmp,
    /// The first page.
    Tiff,
}

impl FileFormat {
    /// The format that the first bytes show.
    pub fn of_content(bytes: &[u8]) -> Option<Self> {
        match image::guess_format(bytes).ok()? {
            ImageFormat::Jpeg => Some(Self::Jpeg),
            ImageFormat::Png => Some(Self::Png),
            ImageFormat::WebP => Some(Self::WebP),
            ImageFormat::Gif => Some(Self::Gif),
            ImageFormat::Bmp => Some(Self::Bmp),
            ImageFormat::Tiff => Some(Self::Tiff),
            _ => None,
        }
    }

    fn decoder_format(self) -> ImageFormat {
        match self {
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Png => ImageFormat::Png,
            Self::WebP => ImageFormat::WebP,
            Self::Gif => ImageFormat::Gif,
            Self::Bmp => ImageFormat::Bmp,
            Self::Tiff => ImageFormat::Tiff,
        }
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
        })
    }
}

/// A decoded picture and what the file said about it.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The pixels, turned upright if that was asked for.
    pub rgb: RgbImage,
    /// The format of the content.
    pub format: FileFormat,
    /// Whether the file asks for a turn or mirroring, applied or not.
    pub has_orientation: bool,
}

/// Reads and decodes the image at `path`.
///
/// # Errors
/// [`ImageError`]: nothing there, not readable, not an image, damaged, or over a limit.
pub fn decode_file(path: &Path, options: &DecodeOptions) -> Result<Decoded, ImageError> {
    decode_bytes(&path.display().to_string(), &read_file(path, options)?, options)
}

/// Reads the file at `path`, for [`decode_bytes`].
///
/// # Errors
/// [`ImageError`]: nothing there, not readable, or over a limit.
pub fn read_file(path: &Path, options: &DecodeOptions) -> Result<Vec<u8>, ImageError> {
    read_limited(path, &path.display().to_string(), options.max_bytes)
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
    let format = FileFormat::of_content(bytes)
        .ok_or_else(|| ImageError::UnknownFormat { name: name.to_owned() })?;
    let source = Source { name, bytes, format };
    // A batch of a million files must outlive the one that makes a decoder panic.
    catch_unwind(AssertUnwindSafe(|| source.decode(options)))
        .unwrap_or_else(|_| Err(source.damaged("the decoder gave up")))
}

fn read_limited(path: &Path, name: &str, max_bytes: u64) -> Result<Vec<u8>, ImageError> {
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => ImageError::Missing { name: name.to_owned() },
        io::ErrorKind::IsADirectory => ImageError::Folder { name: name.to_owned() },
        _ => ImageError::Unreadable { name: name.to_owned(), source },
    };
    if path.is_dir() {
        return Err(ImageError::Folder { name: name.to_owned() });
    }
    let file = File::open(path).map_err(unreadable)?;
    let too_large = || ImageError::TooLarge { name: name.to_owned(), max_bytes };
    let announced = file.metadata().map_err(unreadable)?.len();
    if announced > max_bytes {
        return Err(too_large());
    }
    // The file may grow, or be a device without a length: read one byte over the limit at most.
    let mut bytes = Vec::with_capacity(announced as usize + 1);
    file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > max_bytes { Err(too_large()) } else { Ok(bytes) }
}

/// Bytes of a known format, with the name for errors.
struct Source<'a> {
    name: &'a str,
    bytes: &'a [u8],
    format: FileFormat,
}

impl Source<'_> {
    fn decode(&self, options: &DecodeOptions) -> Result<Decoded, ImageError> {
        let mut decoder = self.open(options)?;
        // A damaged note about orientation leaves the picture as it is stored.
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut rgb = self.read_rgb(decoder)?;
        if self.format == FileFormat::Gif {
            self.fill_around_frame(&mut rgb);
        }
        // Pillow turns a TIFF while loading it, asked or not.
        if options.apply_orientation || self.format == FileFormat::Tiff {
            let mut turned = DynamicImage::ImageRgb8(rgb);
            turned.apply_orientation(orientation);
            rgb = turned.into_rgb8();
        }
        let has_orientation = orientation != Orientation::NoTransforms;
        Ok(Decoded { rgb, format: self.format, has_orientation })
    }

    /// Reads the header and holds it against the limits; no pixel memory is taken yet.
    fn open(&self, options: &DecodeOptions) -> Result<impl ImageDecoder, ImageError> {
        if self.format == FileFormat::Jpeg && !jpeg_stream::reaches_end(self.bytes) {
            return Err(self.damaged("the end is missing"));
        }
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(SIDE_DATA_BYTES);
        let mut reader =
            ImageReader::with_format(Cursor::new(self.bytes), self.format.decoder_format());
        reader.limits(limits.clone());
        let mut decoder = reader.into_decoder().map_err(|error| self.error_from_decoder(error))?;
        let (width, height) = decoder.dimensions();
        if width == 0 || height == 0 {
            return Err(self.damaged("it has no pixels"));
        }
        if u64::from(width) * u64::from(height) > options.max_pixels {
            return Err(ImageError::TooManyPixels {
                name: self.name.to_owned(),
                width,
                height,
                max_pixels: options.max_pixels,
            });
        }
        // Twice: TIFF keeps CMYK beside the RGB it becomes, GIF a frame beside the screen.
        let picture_bytes = decoder.total_bytes().saturating_mul(2);
        limits.max_alloc = Some(picture_bytes.saturating_add(SIDE_DATA_BYTES));
        decoder.set_limits(limits).map_err(|error| self.error_from_decoder(error))?;
        Ok(decoder)
    }

    fn read_rgb(&self, decoder: impl ImageDecoder) -> Result<RgbImage, ImageError> {
        let (width, height) = decoder.dimensions();
        let color = decoder.color_type();
        let size =
            usize::try_from(decoder.total_bytes()).map_err(|_| self.damaged("it is too large"))?;
        let mut samples = vec![0; size];
        decoder.read_image(&mut samples).map_err(|error| self.error_from_decoder(error))?;
        let rgb = rgb_from_samples(samples, color)
            .ok_or_else(|| self.unsupported(format!("pixels of type {color:?}")))?;
        RgbImage::from_raw(width, height, rgb)
            .ok_or_else(|| self.damaged("it has fewer pixels than its header says"))
    }

    fn fill_around_frame(&self, screen: &mut RgbImage) {
        let Some(frame) = gif_canvas::first_frame(self.bytes) else { return };
        if frame.covers(0, 0) && frame.covers(screen.width() - 1, screen.height() - 1) {
            return;
        }
        for (x, y, pixel) in screen.enumerate_pixels_mut() {
            if !frame.covers(x, y) {
                pixel.0 = frame.surround;
            }
        }
    }

    fn error_from_decoder(&self, error: image::ImageError) -> ImageError {
        match error {
            image::ImageError::Unsupported(error) => self.unsupported(match error.kind() {
                UnsupportedErrorKind::GenericFeature(feature) => feature,
                UnsupportedErrorKind::Color(color) => format!("pixels of type {color:?}"),
                _ => error.to_string(),
            }),
            image::ImageError::Decoding(error) => match error.source() {
                Some(cause) => self.damaged(&cause.to_string()),
                None => self.damaged(&error.to_string()),
            },
            image::ImageError::Limits(error) => self.unsupported(error.to_string()),
            image::ImageError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.damaged("the end is missing")
            }
            error => self.damaged(&error.to_string()),
        }
    }

    fn unsupported(&self, detail: String) -> ImageError {
        let detail = one_line(&detail);
        ImageError::Unsupported { name: self.name.to_owned(), format: self.format, detail }
    }

    fn damaged(&self, detail: &str) -> ImageError {
        let detail = one_line(detail);
        ImageError::Damaged { name: self.name.to_owned(), format: self.format, detail }
    }
}

/// A decoder's message as part of a sentence.
fn one_line(message: &str) -> String {
    let words: Vec<_> = message.split_whitespace().collect();
    words.join(" ").trim_matches(['"', '.']).to_owned()
}

/// Interleaved native-endian samples to RGB bytes, as Pillow converts each mode.
fn rgb_from_samples(samples: Vec<u8>, color: ColorType) -> Option<Vec<u8>> {
    Some(match color {
        ColorType::Rgb8 => samples,
        ColorType::Rgba8 => samples.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect(),
        ColorType::L8 => samples.iter().flat_map(|&grey| [grey; 3]).collect(),
        ColorType::La8 => samples.chunks_exact(2).flat_map(|p| [p[0]; 3]).collect(),
        ColorType::L16 => words(&samples).flat_map(|grey| [grey.min(255) as u8; 3]).collect(),
        ColorType::La16 => samples.chunks_exact(4).flat_map(|p| [high_byte(&p[..2]); 3]).collect(),
        ColorType::Rgb16 => samples.chunks_exact(2).map(high_byte).collect(),
        ColorType::Rgba16 => samples
            .chunks_exact(8)
            .flat_map(|p| [high_byte(&p[..2]), high_byte(&p[2..4]), high_byte(&p[4..6])])
            .collect(),
        _ => return None,
    })
}

fn words(samples: &[u8]) -> impl Iterator<Item = u16> {
    samples.chunks_exact(2).map(|pair| u16::from_ne_bytes([pair[0], pair[1]]))
}

fn high_byte(pair: &[u8]) -> u8 {
    (u16::from_ne_bytes([pair[0], pair[1]]) >> 8) as u8
}
