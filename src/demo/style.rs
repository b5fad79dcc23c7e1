//! Unusual renderings: the same objects, drawn as the tagger never saw them.

use super::rng::SceneRng;
use super::scene::Scene;

/// The renderings' names.
pub const STYLES: [&str; 6] = ["lineart", "negative", "blur", "halftone", "posterised", "mosaic"];

/// Redraws `scene` in a style drawn by chance and files it under that style.
pub(super) fn render(scene: &mut Scene, rng: &mut SceneRng) {
    let which = rng.below(STYLES.len());
    scene.kind = STYLES[which];
    match which {
        0 => lineart(scene),
        1 => scene.image.iter_mut().for_each(|value| *value = 255 - *value),
        2 => blur(scene, 24 + rng.below(16)),
        3 => halftone(scene, rng),
        4 => posterise(scene, rng),
        _ => mosaic(scene, 14 + rng.below(10)),
    }
}

/// Brightness 0 to 255.
fn luma(pixel: &[u8]) -> i32 {
    (i32::from(pixel[0]) * 77 + i32::from(pixel[1]) * 150 + i32::from(pixel[2]) * 29) >> 8
}

/// Ink lines on cream paper where brightness or ownership changes.
fn lineart(scene: &mut Scene) {
    let size = scene.size;
    let light: Vec<i32> = scene.image.chunks_exact(3).map(luma).collect();
    let (paper, ink) = ([250, 245, 232], [44, 40, 62]);
    for y in 0..size {
        for x in 0..size {
            let (left, right) = (x.saturating_sub(1), (x + 1).min(size - 1));
            let (top, bottom) = (y.saturating_sub(1), (y + 1).min(size - 1));
            let at = |x: usize, y: usize| light[y * size + x];
            let slope = (at(right, y) - at(left, y)).abs() + (at(x, bottom) - at(x, top)).abs();
            let owner = |x: usize, y: usize| scene.labels[y * size + x];
            let rim = owner(right, y) != owner(left, y) || owner(x, bottom) != owner(x, top);
            let dark = if rim { 255 } else { (slope * 5 - 40).clamp(0, 255) };
            for channel in 0..3 {
                let value = paper[channel] + (ink[channel] - paper[channel]) * dark / 255;
                scene.image[(y * size + x) * 3 + channel] = value as u8;
            }
        }
    }
}

/// Three box blurs with a radius of one `part`th of the frame.
fn blur(scene: &mut Scene, part: usize) {
    let radius = (scene.size / part).max(1);
    for _ in 0..3 {
        let rows = box_blur(&scene.image, scene.size, radius, 3, scene.size * 3);
        scene.image = box_blur(&rows, scene.size, radius, scene.size * 3, 3);
    }
}

/// Averages along lines: `stride` between neighbours, `across` between lines.
fn box_blur(from: &[u8], size: usize, radius: usize, stride: usize, across: usize) -> Vec<u8> {
    let mut to = vec![0; from.len()];
    let width = 2 * radius as u32 + 1;
    for line in 0..size {
        for channel in 0..3 {
            let at = |k: usize| line * across + k.min(size - 1) * stride + channel;
            let mut sum = u32::from(from[at(0)]) * radius as u32;
            sum += (0..radius).map(|k| u32::from(from[at(k)])).sum::<u32>();
            for k in 0..size {
                sum += u32::from(from[at(k + radius)]);
                to[at(k)] = (sum / width) as u8;
                sum -= u32::from(from[at(k.saturating_sub(radius))]);
            }
        }
    }
    to
}

/// Dots whose size follows darkness, one ink on paper.
fn halftone(scene: &mut Scene, rng: &mut SceneRng) {
    let size = scene.size;
    let pitch = (size / (44 + rng.below(20))).max(2);
    let paper = rng.pick([[250u8, 244, 228], [255, 250, 240], [242, 232, 214]]);
    let ink = rng.pick([[42u8, 40, 78], [150, 32, 60], [20, 84, 96]]);
    let light: Vec<i32> = scene.image.chunks_exact(3).map(luma).collect();
    let rank = ranks(&light);
    for y in 0..size {
        for x in 0..size {
            let shift = if (y / pitch).is_multiple_of(2) { 0 } else { pitch / 2 };
            let cx = ((x + shift) / pitch * pitch + pitch / 2).saturating_sub(shift).min(size - 1);
            let cy = (y / pitch * pitch + pitch / 2).min(size - 1);
            let dark = 255 - rank[light[cy * size + cx] as usize & 255];
            let (dx, dy) = (2 * (x as i32 - cx as i32), 2 * (y as i32 - cy as i32));
            let reach = (pitch * pitch) as i32 * dark * 2 / 255;
            let colour = if dx * dx + dy * dy < reach { ink } else { paper };
            scene.image[(y * size + x) * 3..][..3].copy_from_slice(&colour);
        }
    }
}

/// For each brightness the share of darker pixels, 0 to 255: evens out the contrast.
fn ranks(light: &[i32]) -> [i32; 256] {
    let mut count = [0usize; 256];
    for &value in light {
        count[value as usize & 255] += 1;
    }
    let mut darker = 0;
    count.map(|count| {
        let rank = (darker + count / 2) * 255 / light.len().max(1);
        darker += count;
        rank as i32
    })
}

/// Channels exchanged and cut to three levels.
fn posterise(scene: &mut Scene, rng: &mut SceneRng) {
    let order = rng.pick([[1, 2, 0], [2, 0, 1], [2, 1, 0]]);
    for pixel in scene.image.chunks_exact_mut(3) {
        let turned = order.map(|channel| pixel[channel]);
        for (value, turned) in pixel.iter_mut().zip(turned) {
            *value = [24, 132, 240][usize::from(turned) * 3 / 256];
        }
    }
}

/// Square tiles of one colour, `across` of them along a side.
fn mosaic(scene: &mut Scene, across: usize) {
    let size = scene.size;
    let tile = size.div_ceil(across);
    for top in (0..size).step_by(tile) {
        for left in (0..size).step_by(tile) {
            let (bottom, right) = ((top + tile).min(size), (left + tile).min(size));
            let mut sum = [0u32; 3];
            let inside =
                || (top..bottom).flat_map(move |y| (left..right).map(move |x| y * size + x));
            for i in inside() {
                for (sum, value) in sum.iter_mut().zip(&scene.image[i * 3..]) {
                    *sum += u32::from(*value);
                }
            }
            let count = ((bottom - top) * (right - left)) as u32;
            let mean = sum.map(|sum| (sum / count) as u8);
            for i in inside() {
                scene.image[i * 3..][..3].copy_from_slice(&mean);
            }
        }
    }
}
