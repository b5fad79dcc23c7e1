//! A map drawn over its image, on the CPU: what `inspect --heatmaps` and reports show. The window
//! draws the same with a shader.

use image::Rgb;

use crate::colormap::viridis_srgb;
use crate::image::{Region, RgbImage};

/// How much of the colours shows over the image.
const OPACITY: f32 = 0.55;

/// Draws `map` (`[1 + grid²]`, the global token first) over the part of the image that the network saw,
/// with the contour of τ. Pixels at or below τ keep the image's own colours, darkened, and so do those
/// that it did not see.
pub fn draw(image: &RgbImage, map: &[f32], tau: f32, seen: &Region) -> RgbImage {
    let patches = map.get(1..).unwrap_or_default();
    let grid = patches.len().isqrt();
    if grid == 0 {
        return image.clone();
    }
    let (width, height) = image.dimensions();
    let at = |x: u32, y: u32| {
        let across = ((x as f32 + 0.5) / width as f32 - seen.left) / seen.width;
        let down = ((y as f32 + 0.5) / height as f32 - seen.top) / seen.height;
        let is_seen = [across, down].iter().all(|place| (0.0..=1.0).contains(place));
        let place = |share: f32| share * grid as f32 - 0.5;
        is_seen.then(|| bilinear(patches, grid, place(across), place(down)))
    };
    // The contour is about three thousandths of the image wide, so that it shows at any size.
    let line = (width.max(height) / 350).max(1);
    RgbImage::from_fn(width, height, |x, y| {
        let value = at(x, y);
        let right = at((x + line).min(width - 1), y);
        let below = at(x, (y + line).min(height - 1));
        let kept = |value: Option<f32>| value.filter(|value| *value > tau);
        let is_kept = kept(value).is_some();
        let crosses = is_kept != kept(right).is_some() || is_kept != kept(below).is_some();
        let Rgb(pixel) = *image.get_pixel(x, y);
        match kept(value) {
            _ if crosses => Rgb([255, 255, 255]),
            Some(value) => blend(pixel, viridis_srgb(value), OPACITY),
            None => blend(pixel, [0, 0, 0], 0.45),
        }
    })
}

fn blend(under: [u8; 3], over: [u8; 3], opacity: f32) -> Rgb<u8> {
    let mix =
        |a: u8, b: u8| (f32::from(a) * (1.0 - opacity) + f32::from(b) * opacity).round() as u8;
    Rgb(std::array::from_fn(|channel| mix(under[channel], over[channel])))
}

/// The value between four positions, `column` and `row` counted from the first position's middle.
fn bilinear(patches: &[f32], grid: usize, column: f32, row: f32) -> f32 {
    let last = (grid - 1) as f32;
    let (column, row) = (column.clamp(0.0, last), row.clamp(0.0, last));
    let (left, top) = (column as usize, row as usize);
    let (right, bottom) = ((left + 1).min(grid - 1), (top + 1).min(grid - 1));
    let (across, down) = (column - left as f32, row - top as f32);
    let value = |row: usize, column: usize| patches[row * grid + column];
    let upper = value(top, left) * (1.0 - across) + value(top, right) * across;
    let lower = value(bottom, left) * (1.0 - across) + value(bottom, right) * across;
    upper * (1.0 - down) + lower * down
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Region = Region { left: 0.0, top: 0.0, width: 1.0, height: 1.0 };

    #[test]
    fn relevance_shows_where_it_is() {
        let image = RgbImage::from_pixel(100, 60, Rgb([100, 100, 100]));
        // Global token, then a 2×2 grid whose lower right position alone is relevant.
        let drawn = draw(&image, &[1.0, 0.0, 0.0, 0.0, 1.0], 0.5, &ALL);
        let Rgb(dim) = *drawn.get_pixel(5, 5);
        let Rgb(bright) = *drawn.get_pixel(95, 55);
        assert_eq!(dim, [55, 55, 55]);
        assert!(bright[0] > 150 && bright[1] > 150 && bright[2] < 100, "{bright:?}");
        assert!(drawn.pixels().any(|p| p.0 == [255, 255, 255]), "the contour of τ");
    }

    #[test]
    fn a_map_lies_over_what_the_network_saw() {
        let image = RgbImage::from_pixel(100, 60, Rgb([100, 100, 100]));
        let middle = Region { left: 0.2, top: 0.0, width: 0.6, height: 1.0 };
        let drawn = draw(&image, &[1.0, 1.0, 1.0, 1.0, 1.0], 0.5, &middle);
        for (x, is_kept) in [(5, false), (15, false), (25, true), (75, true), (85, false)] {
            assert_eq!(drawn.get_pixel(x, 30).0 != [55, 55, 55], is_kept, "column {x}");
        }
    }

    #[test]
    fn a_map_without_patches_leaves_the_image() {
        let image = RgbImage::from_pixel(3, 3, Rgb([1, 2, 3]));
        assert_eq!(draw(&image, &[], 0.5, &ALL), image);
        assert_eq!(draw(&image, &[0.3], 0.5, &ALL), image);
    }
}
