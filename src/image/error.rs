//! Why an image could not be read.

use std::io;

use super::FileFormat;

/// Why an image could not be read: one sentence each, the file named last.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum ImageError {
    /// No file of that name.
    #[error("there is no such file: {name}")]
    Missing { name: String },
    /// The file is there and cannot be read: permissions, a failing disk.
    #[error("the file cannot be read ({source}): {name}")]
    Unreadable { name: String, source: io::Error },
    /// The path is a folder.
    #[error("this is a folder, not an image: {name}")]
    Folder { name: String },
    /// The file has no bytes.
    #[error("the file is empty: {name}")]
    Empty {
        /// The path, or what the bytes were called.
        name: String,
    },
    /// The file is larger than [`DecodeOptions::max_bytes`](super::DecodeOptions::max_bytes).
    #[error("the file is larger than the limit of {max_bytes} bytes: {name}")]
    TooLarge {
        /// The path, or what the bytes were called.
        name: String,
        max_bytes: u64,
    },
    /// The picture is larger than [`DecodeOptions::max_pixels`](super::DecodeOptions::max_pixels);
    /// known from the header, before any pixel is decoded.
    #[error(
        "the picture has {width}×{height} pixels, more than the limit of {max_pixels} pixels: {name}"
    )]
    TooManyPixels {
        /// The path, or what the bytes were called.
        name: String,
        width: u32,
        height: u32,
        max_pixels: u64,
    },
    /// Decoding would take more memory than there is for all pictures together,
    /// [`DECODING_BYTES`](super::DECODING_BYTES); known from the header.
    #[error(
        "decoding the {width}×{height} pixels takes more than the limit of {max_bytes} bytes: {name}"
    )]
    TooMuchMemory {
        /// The path, or what the bytes were called.
        name: String,
        /// Width in pixels, from the header.
        width: u32,
        /// Height in pixels, from the header.
        height: u32,
        /// The limit.
        max_bytes: u64,
    },
    /// The first bytes are those of no format that is read here.
    #[error("the content is not JPEG, PNG, WebP, GIF, BMP or TIFF{looks_like}: {name}")]
    UnknownFormat {
        /// The path, or what the bytes were called.
        name: String,
        /// What it looks like instead and what to do about it, after a semicolon; or nothing.
        looks_like: &'static str,
    },
    /// A file in order that uses something the decoder does not know.
    #[error("this kind of {format} is not supported ({detail}): {name}")]
    Unsupported {
        /// The path, or what the bytes were called.
        name: String,
        format: FileFormat,
        detail: String,
    },
    /// The file is cut short or its bytes are wrong.
    #[error("the {format} is damaged or cut short ({detail}): {name}")]
    Damaged {
        /// The path, or what the bytes were called.
        name: String,
        format: FileFormat,
        detail: String,
    },
}
