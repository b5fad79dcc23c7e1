//! From RGB pixels to the network's input `[3, S, S]`.
//!
//! Resizing follows Pillow's bilinear filter (a triangle widened when shrinking), so that the
//! network sees what it saw in training.

use std::fmt;
use std::str::FromStr;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use super::RgbImage;

/// Mean of each channel (R, G, B) over ImageNet, in 0..1.
pub const PIXEL_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of each channel (R, G, B) over ImageNet, in 0..1.
pub const PIXEL_STD: [f32; 3] = [0.229, 0.224, 0.225];
/// How many pixels [`Transform::Tagood`] resizes beyond the side it keeps.
pub const CROP_MARGIN_PX: u32 = 8;

/// How a picture of any size becomes a square of side S. Neither keeps the aspect ratio.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Transform {
    /// Resize to S×S: what RAM's own inference does.
    #[default]
    Ram,
    /// Resize to (S+8)×(S+8), then keep the central S×S: what TagOOD's released code does.
    Tagood,
}

impl Transform {
    /// The square of side `side_px` that the network is to see, still 8-bit RGB.
    pub fn apply(self, picture: &RgbImage, side_px: u32) -> RgbImage {
        match self {
            Self::Ram => resize_bilinear(picture, side_px, side_px),
            Self::Tagood => {
                let larger_px = side_px + CROP_MARGIN_PX;
                let larger = resize_bilinear(picture, larger_px, larger_px);
                let offset_px = CROP_MARGIN_PX / 2;
                image::imageops::crop_imm(&larger, offset_px, offset_px, side_px, side_px)
                    .to_image()
            }
        }
    }

    /// The name used in bundles and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ram => "ram",
            Self::Tagood => "tagood",
        }
    }
}

impl fmt::Display for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no [`Transform`].
#[derive(Debug, thiserror::Error)]
#[error("the transform is either ram or tagood, not {0}")]
pub struct UnknownTransform(String);

impl FromStr for Transform {
    type Err = UnknownTransform;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Ram, Self::Tagood]
            .into_iter()
            .find(|transform| transform.name() == name)
            .ok_or_else(|| UnknownTransform(name.to_owned()))
    }
}

/// Resizes as Pillow's `resize((width, height), BILINEAR)` does: two passes, width first, rounded
/// to 8 bits between them. The order matters, and the resizer alone would choose the other one:
/// height first moves up to a sixth of the values by 1. What is left is its 16-bit weights against
/// Pillow's 22 bits, which moves fewer than one value in two hundred, nearly all of them by 1.
///
/// A picture without pixels gives a black one.
pub fn resize_bilinear(picture: &RgbImage, width_px: u32, height_px: u32) -> RgbImage {
    if picture.width() == width_px {
        return resize_pass(picture, width_px, height_px);
    }
    let narrowed = resize_pass(picture, width_px, picture.height());
    if narrowed.height() == height_px {
        return narrowed;
    }
    resize_pass(&narrowed, width_px, height_px)
}

/// One call of the resizer; bit-equal to a copy where the size stays.
fn resize_pass(picture: &RgbImage, width_px: u32, height_px: u32) -> RgbImage {
    let mut out = RgbImage::new(width_px, height_px);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .use_alpha(false);
    let (width, height) = picture.dimensions();
    let views = (
        TypedImageRef::<U8x3>::from_buffer(width, height, picture.as_raw()),
        TypedImage::<U8x3>::from_buffer(width_px, height_px, &mut out),
    );
    if let (Ok(source), Ok(mut target)) = views {
        let outcome = Resizer::new().resize_typed(&source, &mut target, &options);
        debug_assert!(
            outcome.is_ok(),
            "without a crop box there is nothing to refuse: {outcome:?}"
        );
    }
    out
}

/// The picture as the network takes it: `(value / 255 − mean) / std`, channels first.
///
/// # Shapes
/// - input: `H × W` pixels
/// - output: `[3, H, W]`, row-major
pub fn tensor_data(picture: &RgbImage) -> Vec<f32> {
    let pixels = picture.as_raw();
    let plane = pixels.len() / 3;
    let mut data = Vec::with_capacity(3 * plane);
    for channel in 0..3 {
        let table = normalised_levels(channel);
        data.extend(pixels[channel..].iter().step_by(3).map(|&level| table[usize::from(level)]));
    }
    data
}

/// The normalised value of each of the 256 levels of one channel.
fn normalised_levels(channel: usize) -> [f32; 256] {
    std::array::from_fn(|level| (level as f32 / 255.0 - PIXEL_MEAN[channel]) / PIXEL_STD[channel])
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
    resize_bilinear(picture, scaled(width), scaled(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, (x + y) as u8]))
    }

    #[test]
    fn channels_come_first_and_are_normalised() {
        let data = tensor_data(&ramp(5, 4));
        assert_eq!(data.len(), 3 * 20);
        let (x, y) = (3, 2);
        for (channel, level) in [3.0_f32, 2.0, 5.0].into_iter().enumerate() {
            let expected = (level / 255.0 - PIXEL_MEAN[channel]) / PIXEL_STD[channel];
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
    fn names_go_both_ways() {
        for transform in [Transform::Ram, Transform::Tagood] {
            assert_eq!(transform.to_string().parse::<Transform>().unwrap(), transform);
        }
        assert!("clip".parse::<Transform>().is_err());
    }

    #[test]
    fn a_picture_without_pixels_gives_a_black_one() {
        let black = resize_bilinear(&RgbImage::new(0, 0), 4, 4);
        assert_eq!(black, RgbImage::new(4, 4));
    }
}
