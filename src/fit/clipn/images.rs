//! Pairs' images as the network takes them.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::config::Crops;
use super::crop;
use super::pairs::PairImage;
use crate::image::{
    DecodeOptions, Normalisation, RgbImage, Transform, decode_bytes, decode_file, tensor_data,
};

/// How images are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// Side of the square that they become, in pixels.
    pub side: usize,
    /// How they are cut.
    pub crops: Crops,
    /// Of the random cuts.
    pub seed: u64,
    /// What the model's pixels are normalised by.
    pub normalisation: Normalisation,
}

impl Reading {
    /// The network's input `[3, side, side]` for each image, cut as in this epoch; what is wrong with
    /// it where it cannot be read.
    pub(super) fn read(
        &self,
        images: &[(usize, &PairImage)],
        epoch: usize,
    ) -> Vec<Result<Vec<f32>, String>> {
        let read = |&(index, image): &(usize, &PairImage)| {
            let picture = picture(image)?;
            let side = self.side as u32;
            let cut = match self.crops {
                Crops::Centre => Transform::Clip.apply(&picture, side),
                Crops::Random => {
                    let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ (index as u64) << 20);
                    rng.set_stream(epoch as u64 + 1);
                    crop::random(&picture, side, &mut rng)
                }
            };
            Ok(tensor_data(&cut, &self.normalisation))
        };
        images.par_iter().map(read).collect()
    }
}

fn picture(image: &PairImage) -> Result<RgbImage, String> {
    let options = DecodeOptions { apply_orientation: true, ..DecodeOptions::default() };
    let decoded = match image {
        PairImage::File(path) => decode_file(path, &options),
        PairImage::InTar { tar, from, length, .. } => {
            let read = || -> std::io::Result<Vec<u8>> {
                let mut file = File::open(tar)?;
                file.seek(SeekFrom::Start(*from))?;
                let mut bytes = Vec::new();
                file.take((*length).min(options.max_bytes)).read_to_end(&mut bytes)?;
                Ok(bytes)
            };
            let bytes = read().map_err(|error| format!("{error}: {image}"))?;
            decode_bytes(&image.to_string(), &bytes, &options)
        }
    };
    match decoded {
        Ok(decoded) if decoded.rgb.width() > 0 && decoded.rgb.height() > 0 => Ok(decoded.rgb),
        Ok(_) => Err(format!("the image has no pixels: {image}")),
        Err(error) => Err(format!("{error}")),
    }
}
