//! Images as CLIP sees them in training: cut to a square, resized by the bicubic filter.

use rand::Rng;

use crate::image::{Filter, RgbImage, resize};

/// Shares of the area that a random cut keeps, as published.
const AREA: [f64; 2] = [0.9, 1.0];

/// Width over height of a random cut.
const ASPECT: [f64; 2] = [3.0 / 4.0, 4.0 / 3.0];

/// How often lots are drawn for a cut that fits into the image before the middle is taken.
const ATTEMPTS: usize = 10;

/// A part of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CropPart {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

/// A part of 0.9 to 1.0 of the area, between 3:4 and 4:3, by lot, resized to `side` × `side`.
pub(super) fn random(picture: &RgbImage, side: u32, rng: &mut impl Rng) -> RgbImage {
    resized(picture, random_part(picture.width(), picture.height(), rng), side)
}

fn middle(width: u32, height: u32, w: u32, h: u32) -> CropPart {
    CropPart { left: (width - w) / 2, top: (height - h) / 2, width: w, height: h }
}

fn random_part(width: u32, height: u32, rng: &mut impl Rng) -> CropPart {
    let area = f64::from(width) * f64::from(height);
    let [low, high] = ASPECT;
    for _ in 0..ATTEMPTS {
        let kept = area * rng.random_range(AREA[0]..=AREA[1]);
        let aspect = rng.random_range(low.ln()..=high.ln()).exp();
        let [w, h] = [kept * aspect, kept / aspect].map(|square| square.sqrt().round() as u32);
        if (1..=width).contains(&w) && (1..=height).contains(&h) {
            let left = rng.random_range(0..=width - w);
            let top = rng.random_range(0..=height - h);
            return CropPart { left, top, width: w, height: h };
        }
    }
    // The whole, but for what makes it longer than the limits allow.
    let aspect = f64::from(width) / f64::from(height.max(1));
    let w = if aspect > high { (f64::from(height) * high).round() as u32 } else { width };
    let h = if aspect < low { (f64::from(width) / low).round() as u32 } else { height };
    middle(width, height, w.clamp(1, width.max(1)), h.clamp(1, height.max(1)))
}

fn resized(picture: &RgbImage, part: CropPart, side: u32) -> RgbImage {
    let CropPart { left, top, width, height } = part;
    // A copy: the filter is not to look beyond the cut.
    let cut = image::imageops::crop_imm(picture, left, top, width, height).to_image();
    resize(&cut, side, side, Filter::Bicubic)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn random_parts_keep_nine_tenths_of_the_area() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut lefts = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let part = random_part(400, 300, &mut rng);
            assert!(part.left + part.width <= 400 && part.top + part.height <= 300);
            let share = f64::from(part.width * part.height) / (400.0 * 300.0);
            assert!((0.89..=1.0).contains(&share), "{part:?}");
            lefts.insert(part.left);
        }
        assert!(lefts.len() > 5);
        // Nothing of such an image fits: the middle, at 4:3.
        let part = random_part(1000, 3, &mut rng);
        assert_eq!(part, CropPart { left: 498, top: 0, width: 4, height: 3 });
        assert_eq!(random(&RgbImage::new(1, 900), 8, &mut rng).dimensions(), (8, 8));
    }
}
