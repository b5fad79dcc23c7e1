//! What falls on everything: cast shadows, tint, gradient and vignette.

use super::paint::{Painting, Window};
use super::rng::SceneRng;

/// One light for a whole scene.
#[derive(Clone, Copy, Debug)]
pub(super) struct Light {
    /// Gain of each channel at the lit corner, in 256ths.
    lit: [i32; 3],
    /// Gain of each channel at the far corner, in 256ths.
    far: [i32; 3],
    /// The direction the light comes from: which corner.
    corner: usize,
    /// Darkening at the frame's corners, in 256ths.
    vignette: i32,
}

impl Light {
    /// A gentle light drawn by chance.
    pub(super) fn new(rng: &mut SceneRng) -> Self {
        let warm = rng.range(-14.0, 18.0) as i32;
        let level = rng.range(252.0, 282.0) as i32;
        let fall = rng.range(0.0, 40.0) as i32;
        Light {
            lit: [level + warm, level + warm / 3, level - warm],
            far: [level - fall, level - fall + 2, level - fall * 2 / 3],
            corner: rng.below(4),
            vignette: rng.range(0.0, 56.0) as i32,
        }
    }

    /// Lays the light over the finished picture.
    pub(super) fn shine(&self, canvas: &mut Painting) {
        let size = canvas.size();
        let side = size as i32;
        let gains: Vec<[i32; 3]> = (0..2 * side)
            .map(|way| {
                std::array::from_fn(|k| {
                    self.lit[k] + (self.far[k] - self.lit[k]) * way / (2 * side)
                })
            })
            .collect();
        // Squared distance from the center line: 128 at the frame's edge.
        let off: Vec<i32> =
            (0..side).map(|k| (2 * k - side) * (2 * k - side) * 128 / (side * side)).collect();
        let (flip_x, flip_y) = (self.corner % 2 == 1, self.corner / 2 == 1);
        for (y, row) in canvas.pixels_mut().chunks_exact_mut(size).enumerate() {
            let v = if flip_y { size - y } else { y };
            for (x, pixel) in row.iter_mut().enumerate() {
                let u = if flip_x { size - x } else { x };
                let edge = (off[x] + off[y] - 64).max(0);
                let dim = 256 - ((self.vignette * edge) >> 8);
                let gain = gains[(u + v).min(2 * size - 1)];
                for (channel, gain) in pixel.iter_mut().zip(gain) {
                    let lit = ((i32::from(*channel) * gain) >> 8).min(255);
                    *channel = ((lit * dim) >> 8) as u8;
                }
            }
        }
    }
}

/// Cells along a side of the grid that shadows are blurred on.
const GRID: usize = 96;

/// How a thing's silhouette falls on what lies behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct CastShadow {
    /// Shift to the right, in percent of the frame.
    pub right: f32,
    /// Shift downwards, in percent of the frame.
    pub down: f32,
    /// Radius of the blur, in 96ths of the frame.
    pub blur: usize,
    /// Darkness in 256ths.
    pub strength: i32,
}

/// Darkens what lies behind the piece just painted as `label` by its shifted, blurred silhouette.
pub(super) fn cast_shadow(canvas: &mut Painting, label: u8, cast: CastShadow) {
    let size = canvas.size();
    let Some(extent) = canvas.extent(label) else { return };
    let mut shade = silhouette(canvas.opacity(), size, extent);
    for _ in 0..2 {
        shade = blurred(&shade, cast.blur);
    }
    let step = GRID as f32 / size as f32;
    // Two blurs reach twice their radius, and the shift is a few percent at most.
    let reach = size * (2 * cast.blur + 5) / GRID;
    let grown = |(low, high): (usize, usize)| low.saturating_sub(reach)..(high + reach).min(size);
    let column: Vec<(usize, i32)> = (0..size).map(|x| cell(x, step, cast.right)).collect();
    for y in grown(extent.y) {
        let (row, fy) = cell(y, step, cast.down);
        for x in grown(extent.x) {
            let (left, fx) = column[x];
            let i = row * GRID + left;
            let top = shade[i] * (256 - fx) + shade[i + 1] * fx;
            let bottom = shade[i + GRID] * (256 - fx) + shade[i + GRID + 1] * fx;
            let depth = (top * (256 - fy) + bottom * fy) / 65536 * cast.strength / 256;
            if depth > 0 {
                // Shadows keep some blue: red and green lose more.
                canvas.shade_behind(y * size + x, [depth, depth, depth * 3 / 4]);
            }
        }
    }
}

/// The cell left of (or above) a pixel after the shift, and the weight of the next in 256ths.
fn cell(pixel: usize, step: f32, shift: f32) -> (usize, i32) {
    let at = (pixel as f32 + 0.5) * step - 0.5 - shift * GRID as f32 / 100.0;
    let at = at.clamp(0.0, GRID as f32 - 1.001);
    (at as usize, ((at - at.floor()) * 256.0) as i32)
}

/// Mean opacity on the grid, 0 to 255; one spare row for interpolation.
fn silhouette(opacity: &[u8], size: usize, extent: Window) -> Vec<i32> {
    let mut count = vec![0; GRID * (GRID + 1)];
    let cells: Vec<usize> = (0..size).map(|k| k * GRID / size).collect();
    let mut width = [0; GRID];
    for &cell in &cells {
        width[cell] += 1;
    }
    for y in extent.y.0..extent.y.1 {
        for x in extent.x.0..extent.x.1 {
            count[cells[y] * GRID + cells[x]] += i32::from(opacity[y * size + x]);
        }
    }
    for (i, count) in count.iter_mut().take(GRID * GRID).enumerate() {
        *count /= (width[i / GRID] * width[i % GRID]).max(1);
    }
    count
}

/// A box blur along both axes.
fn blurred(shade: &[i32], radius: usize) -> Vec<i32> {
    let along = |from: &[i32], stride: usize, across: usize| {
        let mut to = vec![0; from.len()];
        for line in 0..GRID {
            let at = |k: usize| line * across + k * stride;
            let mut sum: i32 = (0..radius.min(GRID)).map(|k| from[at(k)]).sum();
            for k in 0..GRID {
                if k + radius < GRID {
                    sum += from[at(k + radius)];
                }
                if k > radius {
                    sum -= from[at(k - radius - 1)];
                }
                to[at(k)] = sum / (2 * radius as i32 + 1);
            }
        }
        to
    };
    along(&along(shade, 1, GRID), GRID, 1)
}
