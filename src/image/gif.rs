//! The first frame of a GIF, on its screen.

use gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};
use image::metadata::Orientation;

use super::ImageError;
use super::decode::{Pixels, Source, area};

/// Decodes the picture. As in Pillow, a transparent pixel has the colour of its index, and where the
/// frame does not reach the screen has the colour of the transparent index, or of index 0.
///
/// # Errors
/// A stream that is damaged or cut short, or over a limit.
pub(super) fn decode(source: &Source<'_>) -> Result<Pixels, ImageError> {
    let fault = |error: DecodingError| source.damaged(&error.to_string());
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    // What may be taken is asked for below, when the frame's size is known.
    options.set_memory_limit(MemoryLimit::Unlimited);
    let mut decoder = options.read_info(source.bytes).map_err(fault)?;
    let screen = [u32::from(decoder.width()), u32::from(decoder.height())];
    let Some(frame) = decoder.next_frame_info().map_err(fault)? else {
        return Err(source.damaged("it has no frame"));
    };
    let [left, top, width, height] =
        [frame.left, frame.top, frame.width, frame.height].map(usize::from);
    let surround = frame.transparent.unwrap_or(0);
    let _permit = source.admit(screen, 3 * area(screen) + width as u64 * height as u64)?;
    let mut indices = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut indices).map_err(fault)?;
    let palette = decoder.palette().map_err(fault)?;
    let color = |index: u8| {
        let color = palette.get(3 * usize::from(index)..).and_then(<[u8]>::first_chunk::<3>);
        color.copied().unwrap_or_default()
    };
    let colors: [[u8; 3]; 256] = std::array::from_fn(|index| color(index as u8));
    let screen_width = screen[0] as usize;
    let mut rgb = colors[usize::from(surround)].repeat(screen_width * screen[1] as usize);
    let visible = screen_width.saturating_sub(left).min(width);
    let rows = rgb.chunks_exact_mut(3 * screen_width).skip(top);
    for (row, indices) in rows.zip(indices.chunks_exact(width.max(1)).take(height)) {
        let pixels = row[3 * left.min(screen_width)..].as_chunks_mut::<3>().0;
        for (pixel, &index) in pixels.iter_mut().zip(&indices[..visible]) {
            *pixel = colors[usize::from(index)];
        }
    }
    source.pixels(screen, rgb, Orientation::NoTransforms)
}
