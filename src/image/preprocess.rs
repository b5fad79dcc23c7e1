//! From RGB pixels to the network's input `[3, S, S]`, as the released code of each kind of network
//! makes it.

use std::fmt;
use std::str::FromStr;

use super::RgbImage;
use super::resample::{Filter, Side, resize, resize_and_crop};

/// What pixels are normalised by, channel by channel (R, G, B), in 0..1.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Normalisation {
    /// What is taken off.
    pub mean: [f32; 3],
    /// What the rest is divided by.
    pub std: [f32; 3],
}

impl Normalisation {
    /// Mean and standard deviation of ImageNet: what RAM is trained with.
    pub const IMAGENET: Self = Self { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
    /// Mean and standard deviation of CLIP's training pictures.
    pub const CLIP: Self = Self {
        mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
        std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
    };

    /// The normalised value of each of the 256 levels of one channel.
    fn of_levels(&self, channel: usize) -> [f32; 256] {
        let (mean, std) = (self.mean[channel], self.std[channel]);
        std::array::from_fn(|level| (level as f32 / 255.0 - mean) / std)
    }
}

/// How many pixels [`Transform::Tagood`] resizes beyond the side it keeps.
pub const CROP_MARGIN_PX: u32 = 8;

/// How a picture of any size becomes a square of side S.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Transform {
    /// Resize to S×S, whatever the aspect ratio: what RAM's own inference does.
    #[default]
    Ram,
    /// Resize to (S+8)×(S+8), then keep the central S×S: what TagOOD's released code does.
    Tagood,
    /// Resize the shorter side to S with a bicubic filter, then keep the central S×S: what CLIP's
    /// released code does, and CLIPN's and LoCoOp's.
    Clip,
    /// As [`Self::Clip`] with a bilinear filter: how MCM, GL-MCM and NegLabel are evaluated.
    ClipBilinear,
}

/// A rectangle in a picture whose sides count as 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// The left edge.
    pub left: f32,
    /// The upper edge.
    pub top: f32,
    /// From the left edge to the right one.
    pub width: f32,
    /// From the upper edge to the lower one.
    pub height: f32,
}

impl Transform {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Ram, Self::Tagood, Self::Clip, Self::ClipBilinear];

    /// The square of side `side_px` that the network is to see, still 8-bit RGB: Pillow's to the last
    /// bit. A picture without pixels gives a black one.
    pub fn apply(self, picture: &RgbImage, side_px: u32) -> RgbImage {
        let [width, height] = self.sides(picture.dimensions().into(), side_px);
        resize_and_crop(picture, &width, &height, self.filter())
    }

    /// The part of a picture of this size that the network sees.
    pub fn seen(self, size_px: [u32; 2], side_px: u32) -> Region {
        let share = |side: &Side, place: usize| place as f32 / side.length.max(1) as f32;
        let [width, height] = self.sides(size_px, side_px);
        Region {
            left: share(&width, width.kept.start),
            top: share(&height, height.kept.start),
            width: share(&width, width.kept.len()),
            height: share(&height, height.kept.len()),
        }
    }

    /// What both sides become, and what is kept of them.
    fn sides(self, [width, height]: [u32; 2], side_px: u32) -> [Side; 2] {
        let kept = side_px as usize;
        let margin = |length: usize, margin: usize| Side { length, kept: margin..margin + kept };
        match self {
            Self::Ram => [Side::whole(side_px), Side::whole(side_px)],
            Self::Tagood => {
                let (length, start) = (side_px + CROP_MARGIN_PX, CROP_MARGIN_PX / 2);
                [(); 2].map(|()| margin(length as usize, start as usize))
            }
            Self::Clip | Self::ClipBilinear => {
                let shorter = width.min(height);
                [width, height].map(|side| {
                    // The longer side is cut to a whole number, as Python's `int` does.
                    let longer = f64::from(side_px) * f64::from(side) / f64::from(shorter);
                    let length = if side == shorter { kept } else { longer as usize };
                    margin(length, half_to_even(length - kept))
                })
            }
        }
    }

    fn filter(self) -> Filter {
        match self {
            Self::Ram | Self::Tagood | Self::ClipBilinear => Filter::Bilinear,
            Self::Clip => Filter::Bicubic,
        }
    }

    /// The name used in bundles and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ram => "ram",
            Self::Tagood => "tagood",
            Self::Clip => "clip",
            Self::ClipBilinear => "clip-bilinear",
        }
    }
}

/// Half of a number, to the even neighbour where it has two.
fn half_to_even(number: usize) -> usize {
    let half = number / 2;
    half + number % 2 * (half % 2)
}

impl fmt::Display for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no [`Transform`].
#[derive(Debug, thiserror::Error)]
#[error("the transform is ram, tagood, clip or clip-bilinear, not {0}")]
pub struct UnknownTransform(String);

impl FromStr for Transform {
    type Err = UnknownTransform;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|transform| transform.name() == name)
            .ok_or_else(|| UnknownTransform(name.to_owned()))
    }
}

/// How a model wants its pictures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preparation {
    /// How a picture becomes a square.
    pub transform: Transform,
    /// Side of the square, in pixels.
    pub side_px: u32,
    /// What its pixels are normalised by.
    pub pixels: Normalisation,
}

impl Preparation {
    /// The network's input for a picture: `[3, S, S]`, row-major.
    pub fn apply(&self, picture: &RgbImage) -> Vec<f32> {
        tensor_data(&self.transform.apply(picture, self.side_px), &self.pixels)
    }
}

/// The picture as the network takes it: `(value / 255 − mean) / std`, channels first.
///
/// # Shapes
/// - input: `H × W` pixels
/// - output: `[3, H, W]`, row-major
pub fn tensor_data(picture: &RgbImage, normalisation: &Normalisation) -> Vec<f32> {
    let pixels = picture.as_raw();
    let plane = pixels.len() / 3;
    let mut data = Vec::with_capacity(3 * plane);
    for channel in 0..3 {
        let values = normalisation.of_levels(channel);
        data.extend(
            pixels.iter().skip(channel).step_by(3).map(|&level| values[usize::from(level)]),
        );
    }
    data
}

/// A copy whose longer side is at most `max_side_px`; smaller pictures stay as they are.
pub fn thumbnail(picture: &RgbImage, max_side_px: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let longer = width.max(height);
    if longer <= max_side_px {
        return picture.clone();
    }
    let scaled = |side: u32| {
        let rounded =
            (u64::from(side) * u64::from(max_side_px) + u64::from(longer) / 2) / u64::from(longer);
        (rounded as u32).max(1)
    };
    resize(picture, scaled(width), scaled(height), Filter::Bilinear)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, (x + y) as u8]))
    }

    #[test]
    fn channels_come_first_and_are_normalised() {
        let data = tensor_data(&ramp(5, 4), &Normalisation::CLIP);
        assert_eq!(data.len(), 3 * 20);
        let (x, y) = (3, 2);
        for (channel, level) in [3.0_f32, 2.0, 5.0].into_iter().enumerate() {
            let Normalisation { mean, std } = Normalisation::CLIP;
            let expected = (level / 255.0 - mean[channel]) / std[channel];
            assert_eq!(data[channel * 20 + y * 5 + x], expected);
        }
    }

    #[test]
    fn tagood_keeps_the_centre_of_a_larger_square() {
        let picture = ramp(90, 50);
        let cut = Transform::Tagood.apply(&picture, 24);
        let larger = Transform::Ram.apply(&picture, 32);
        assert_eq!(cut.dimensions(), (24, 24));
        assert!(
            cut.enumerate_pixels().all(|(x, y, pixel)| pixel == larger.get_pixel(x + 4, y + 4))
        );
    }

    #[test]
    fn thumbnails_keep_the_aspect_and_at_least_one_pixel() {
        assert_eq!(thumbnail(&ramp(200, 100), 64).dimensions(), (64, 32));
        assert_eq!(thumbnail(&ramp(100, 200), 64).dimensions(), (32, 64));
        assert_eq!(thumbnail(&ramp(255, 1), 16).dimensions(), (16, 1));
        assert_eq!(thumbnail(&ramp(30, 20), 64), ramp(30, 20));
    }

    #[test]
    fn clip_keeps_the_middle_of_the_longer_side() {
        // 45 × 31 becomes int(32 · 45 / 31) = 46 wide; 14 is left over, 7 on each side.
        let [width, height] = Transform::Clip.sides([45, 31], 32);
        assert_eq!((width.length, width.kept), (46, 7..39));
        assert_eq!((height.length, height.kept), (32, 0..32));
        // Left over 1, 3, 5, 7: round(0.5) = 0, round(1.5) = 2, round(2.5) = 2, round(3.5) = 4.
        assert_eq!([1, 3, 5, 7].map(half_to_even), [0, 2, 2, 4]);
    }

    #[test]
    fn the_part_seen_is_the_part_kept() {
        let seen = |transform: Transform| transform.seen([400, 200], 24);
        assert_eq!(seen(Transform::Ram), Region { left: 0.0, top: 0.0, width: 1.0, height: 1.0 });
        let margin = Region { left: 0.125, top: 0.125, width: 0.75, height: 0.75 };
        assert_eq!(seen(Transform::Tagood), margin);
        assert_eq!(seen(Transform::Clip), Region { left: 0.25, top: 0.0, width: 0.5, height: 1.0 });
    }

    #[test]
    fn a_line_of_a_million_pixels_gives_a_square() {
        for transform in Transform::ALL {
            let line = RgbImage::from_pixel(1, 1_000_000, image::Rgb([9, 99, 199]));
            let square = transform.apply(&line, 8);
            assert_eq!(square, RgbImage::from_pixel(8, 8, image::Rgb([9, 99, 199])), "{transform}");
        }
    }

    #[test]
    fn names_go_both_ways() {
        for transform in Transform::ALL {
            assert_eq!(transform.to_string().parse::<Transform>().unwrap(), transform);
            assert_eq!(serde_json::to_value(transform).unwrap(), transform.name());
        }
        assert!("crop".parse::<Transform>().is_err());
    }

    #[test]
    fn a_picture_without_pixels_gives_a_black_one() {
        for transform in Transform::ALL {
            assert_eq!(transform.apply(&RgbImage::new(0, 0), 4), RgbImage::new(4, 4));
        }
    }
}
