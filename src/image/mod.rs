//! From a file to the network's input: decoding, then resizing and normalising.
//!
//! `decode` turns a file, or bytes from the clipboard, into 8-bit RGB as Pillow's
//! `Image.open(path).convert("RGB")` does; `preprocess` turns that into the network's `[3, S, S]`;
//! `walk` finds the image files under the paths a user names.

mod budget;
mod decode;
mod error;
mod format;
mod general;
mod gif;
mod jpeg;
mod jpeg_stream;
mod png;
mod preprocess;
mod resample;
#[cfg(test)]
mod tests;
mod thumbnail;
mod tiff;
mod tiff_palette;
mod walk;

pub use budget::DECODING_BYTES;
pub use decode::{DecodeOptions, Decoded, decode_bytes, decode_file, read_file};
pub use error::ImageError;
pub use format::FileFormat;
pub use png::{png, png_of};
pub use preprocess::{
    CROP_MARGIN_PX, Normalisation, Preparation, Region, Transform, UnknownTransform, tensor_data,
    thumbnail,
};
pub use resample::{Filter, resize};
pub use thumbnail::Thumbnail;
pub use walk::{
    Found, IMAGE_EXTENSIONS, Listing, PassedOver, WalkError, find_images, images_below, list_folder,
};

/// An 8-bit RGB picture, row-major, three bytes a pixel.
pub use image::RgbImage;
