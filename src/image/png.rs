//! Pictures as PNG files.

use std::io::{self, Cursor};

use image::{ExtendedColorType, ImageBuffer, ImageFormat, PixelWithColorType};

/// A picture as the bytes of a PNG file.
///
/// # Errors
/// If it has no pixels.
pub fn png<P>(picture: &ImageBuffer<P, Vec<u8>>) -> io::Result<Vec<u8>>
where
    P: PixelWithColorType<Subpixel = u8>,
{
    png_of(picture.as_raw(), picture.dimensions().into(), P::COLOR_TYPE)
}

/// Pixels, row by row, as the bytes of a PNG file.
///
/// # Errors
/// If they are not as many as the size, in width and height, and the type of colour say.
pub fn png_of(
    pixels: &[u8],
    [width, height]: [u32; 2],
    color: impl Into<ExtendedColorType>,
) -> io::Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    image::write_buffer_with_format(&mut bytes, pixels, width, height, color, ImageFormat::Png)
        .map_err(io::Error::other)?;
    Ok(bytes.into_inner())
}
