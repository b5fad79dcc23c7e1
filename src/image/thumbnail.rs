//! Small pictures, kept by the thousand.

use image::codecs::jpeg::JpegEncoder;

use super::RgbImage;
use super::preprocess::thumbnail;

/// Of 100; above this, files grow faster than pictures get better.
const QUALITY: u8 = 88;

/// A small picture as a JPEG in memory: a tenth of the size of its pixels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnail {
    /// Width and height, in pixels.
    pub size: [u32; 2],
    jpeg: Box<[u8]>,
}

impl Thumbnail {
    /// A copy of `picture` whose longer side is at most `max_side_px`.
    pub fn of(picture: &RgbImage, max_side_px: u32) -> Self {
        let small = thumbnail(picture, max_side_px);
        let mut jpeg = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut jpeg, QUALITY);
        if let Err(error) = small.write_with_encoder(encoder) {
            log::error!("cannot make a thumbnail: {error}");
        }
        Self { size: small.dimensions().into(), jpeg: jpeg.into() }
    }

    /// Its pixels; grey if it could not be made.
    pub fn rgb(&self) -> RgbImage {
        match image::load_from_memory_with_format(&self.jpeg, image::ImageFormat::Jpeg) {
            Ok(picture) => picture.into_rgb8(),
            Err(error) => {
                log::error!("cannot read a thumbnail: {error}");
                RgbImage::from_pixel(self.size[0], self.size[1], image::Rgb([128; 3]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbnail_is_small_and_looks_alike() {
        let paint = |x: u32, y: u32| image::Rgb([(x / 4) as u8, (y / 4) as u8, 90]);
        let picture = RgbImage::from_fn(800, 600, paint);
        let small = Thumbnail::of(&picture, 192);
        assert_eq!(small.size, [192, 144]);
        assert!(small.jpeg.len() * 10 < 192 * 144 * 3, "{} bytes", small.jpeg.len());
        let (back, exact) = (small.rgb(), thumbnail(&picture, 192));
        let pairs = back.as_raw().iter().zip(exact.as_raw());
        assert!(pairs.map(|(a, b)| a.abs_diff(*b)).max() <= Some(24));
    }
}
