//! Textures of thumbnails and pictures, made when they are first shown and let go when they have not
//! been for long.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{self, ColorImage, Context, TextureHandle, TextureOptions};

use crate::image::{RgbImage, Thumbnail};
use crate::worker::{ImageId, ImageSource};

/// Thumbnails kept on the GPU: several screens full.
const THUMBNAILS: usize = 600;
/// Pictures at full size kept on the GPU.
const PICTURES: usize = 6;

/// A picture at full size, on its way or there.
#[derive(Clone)]
pub enum Picture {
    /// It is being decoded.
    Waiting,
    /// It is there.
    Ready(TextureHandle, Arc<RgbImage>),
    /// It cannot be had.
    Failed(String),
}

/// What has to be decoded.
pub enum PictureRequest {
    /// An image at full size.
    Picture(ImageId, ImageSource),
    /// Small pictures of so many images of a folder, spread over it.
    Samples(PathBuf, usize),
}

/// Small pictures of a folder's images, with numbers for their textures.
pub type Samples = Arc<[(ImageId, Thumbnail)]>;

/// The textures.
#[derive(Default)]
pub struct Pictures {
    thumbnails: HashMap<ImageId, (TextureHandle, u64)>,
    pictures: HashMap<ImageId, (Picture, u64)>,
    /// By folder; empty while they are made, or where there are none.
    samples: HashMap<PathBuf, Samples>,
    wanted: Vec<PictureRequest>,
    clock: u64,
}

fn color_image(rgb: &RgbImage) -> ColorImage {
    ColorImage::from_rgb([rgb.width() as usize, rgb.height() as usize], rgb.as_raw())
}

impl Pictures {
    /// Starts a frame: what is not asked for ages.
    pub fn begin_frame(&mut self) {
        self.clock += 1;
        trim(&mut self.thumbnails, THUMBNAILS);
        trim(&mut self.pictures, PICTURES);
    }

    /// A thumbnail's texture.
    pub fn thumbnail(&mut self, ctx: &Context, id: ImageId, small: &Thumbnail) -> TextureHandle {
        let clock = self.clock;
        let (texture, used) = self.thumbnails.entry(id).or_insert_with(|| {
            let pixels = color_image(&small.rgb());
            (ctx.load_texture("thumbnail", pixels, TextureOptions::LINEAR), clock)
        });
        *used = clock;
        texture.clone()
    }

    /// A picture at full size; the first call has it decoded.
    pub fn picture(&mut self, id: ImageId, source: &ImageSource) -> Picture {
        let (clock, wanted) = (self.clock, &mut self.wanted);
        let (picture, used) = self.pictures.entry(id).or_insert_with(|| {
            wanted.push(PictureRequest::Picture(id, source.clone()));
            (Picture::Waiting, clock)
        });
        *used = clock;
        picture.clone()
    }

    /// Small pictures of some images of a folder; the first call has them made.
    pub fn samples(&mut self, folder: &Path, count: usize) -> Samples {
        if let Some(samples) = self.samples.get(folder) {
            return samples.clone();
        }
        self.wanted.push(PictureRequest::Samples(folder.to_owned(), count));
        self.samples.entry(folder.to_owned()).or_insert_with(|| Arc::from([])).clone()
    }

    /// What was asked for since the last call.
    pub fn take_wanted(&mut self) -> Vec<PictureRequest> {
        std::mem::take(&mut self.wanted)
    }

    /// Takes in a folder's small pictures.
    pub fn receive_samples(&mut self, folder: PathBuf, made: Vec<Thumbnail>) {
        let numbered = made.into_iter().map(|small| (ImageId::unique(), small));
        self.samples.insert(folder, numbered.collect());
    }

    /// Takes in a decoded picture.
    pub fn receive(&mut self, ctx: &Context, id: ImageId, picture: Result<Arc<RgbImage>, String>) {
        let picture = match picture {
            Ok(rgb) => {
                let options = TextureOptions {
                    magnification: egui::TextureFilter::Nearest,
                    ..TextureOptions::LINEAR
                };
                Picture::Ready(ctx.load_texture("picture", color_image(&rgb), options), rgb)
            }
            Err(error) => Picture::Failed(error),
        };
        self.pictures.insert(id, (picture, self.clock));
    }

    /// Whether some picture is on its way.
    pub fn is_waiting(&self) -> bool {
        self.pictures.values().any(|(picture, _)| matches!(picture, Picture::Waiting))
    }
}

/// Drops what was used longest ago.
fn trim<T>(kept: &mut HashMap<ImageId, (T, u64)>, limit: usize) {
    if kept.len() <= limit {
        return;
    }
    let mut ages: Vec<u64> = kept.values().map(|(_, used)| *used).collect();
    ages.sort_unstable();
    let oldest_kept = ages[ages.len() - limit];
    kept.retain(|_, (_, used)| *used >= oldest_kept);
}
