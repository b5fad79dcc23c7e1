//! Textures of thumbnails and pictures, made when they are first shown and let go when they have not
//! been for long.

use std::collections::HashMap;
use std::sync::Arc;

use eframe::egui::{self, ColorImage, Context, TextureHandle, TextureOptions};

use crate::image::{RgbImage, Thumbnail};
use crate::worker::{ImageId, ImageSource, Worker};

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

/// The textures.
#[derive(Default)]
pub struct Pictures {
    thumbnails: HashMap<ImageId, (TextureHandle, u64)>,
    pictures: HashMap<ImageId, (Picture, u64)>,
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
    pub fn picture(&mut self, id: ImageId, source: &ImageSource, worker: &Worker) -> Picture {
        let clock = self.clock;
        let (picture, used) = self.pictures.entry(id).or_insert_with(|| {
            worker.ask_picture(id, source.clone());
            (Picture::Waiting, clock)
        });
        *used = clock;
        picture.clone()
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
