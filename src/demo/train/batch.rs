//! Scenes drawn for training, with their truth.

use std::sync::mpsc::{Receiver, sync_channel};

use rayon::prelude::*;

use super::TaggerTrainConfig;
use crate::demo::{ID_CLASSES, Scene, Set, TAGS, made_up_scene, mixed_scene, scene_at};
use crate::image::{Normalisation, RgbImage, tensor_data};

/// A batch of drawn scenes.
#[derive(Clone, Debug)]
pub struct SceneBatch {
    /// Normalised images, `[batch, 3, side, side]`.
    pub images: Vec<f32>,
    /// 1 where a tag is true, `[batch, tags]`.
    pub targets: Vec<f32>,
    /// The share of each grid cell that each object class covers, `[batch, cells, classes]`.
    pub cover: Vec<f32>,
}

impl SceneBatch {
    /// Number of scenes.
    pub fn len(&self) -> usize {
        self.targets.len() / TAGS.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Up to `parts` batches of equal length, the last perhaps shorter.
    pub fn split(&self, parts: usize) -> Vec<SceneBatch> {
        let each = self.len().div_ceil(parts).max(1);
        let row = |values: &[f32]| each * values.len() / self.len().max(1);
        let chunk = |values: &[f32], at: usize| -> Vec<f32> {
            values.chunks(row(values).max(1)).nth(at).unwrap_or_default().to_vec()
        };
        (0..self.len().div_ceil(each))
            .map(|at| SceneBatch {
                images: chunk(&self.images, at),
                targets: chunk(&self.targets, at),
                cover: chunk(&self.cover, at),
            })
            .collect()
    }
}

/// Of as many training scenes, one shows no object at all and one shows things that exist nowhere,
/// so that the tagger learns that there may be nothing to name. The kinds of the sets that it is
/// judged by are never shown.
const ROUND: u64 = 5;

/// Draws the scenes `first..first + count` of a training seed at the network's size, with outlines
/// on a grid of `grid` × `grid` cells.
pub fn draw_batch(seed: u64, first: u64, count: usize, side: usize, grid: usize) -> SceneBatch {
    let drawn: Vec<(Vec<f32>, Vec<f32>, Vec<usize>)> = (first..first + count as u64)
        .into_par_iter()
        .map(|index| {
            let mut scene = match index % ROUND {
                0 => scene_at(Set::Context, seed, index, side),
                1 => made_up_scene(seed, index, side),
                _ => mixed_scene(seed, index, side),
            };
            let cover = cover(&scene, grid, ID_CLASSES.len());
            let pixels = std::mem::take(&mut scene.image);
            let image = RgbImage::from_raw(side as u32, side as u32, pixels);
            let input = image.map(|image| tensor_data(&image, &Normalisation::IMAGENET));
            (input.unwrap_or_default(), cover, scene.tags)
        })
        .collect();
    let mut batch = SceneBatch {
        images: Vec::new(),
        targets: vec![0.0; count * TAGS.len()],
        cover: Vec::new(),
    };
    for ((image, cover, tags), row) in drawn.into_iter().zip(batch.targets.chunks_mut(TAGS.len())) {
        batch.images.extend(image);
        batch.cover.extend(cover);
        tags.into_iter().for_each(|tag| row[tag] = 1.0);
    }
    batch
}

/// The share of each cell of a `grid` × `grid` grid that things with each of the first `tags` tags
/// cover, `[cells, tags]`.
pub(in crate::demo) fn cover(scene: &Scene, grid: usize, tags: usize) -> Vec<f32> {
    let cell = (scene.size / grid.max(1)).max(1);
    let mut cover = vec![0.0f32; grid * grid * tags];
    let one = 1.0 / (cell * cell) as f32;
    let mut tag_of = [None; 256];
    for thing in scene.objects.iter().chain(&scene.clutter) {
        tag_of[usize::from(thing.label)] = thing.tag.filter(|&tag| tag < tags);
    }
    for (at, &label) in scene.labels.iter().enumerate() {
        let Some(tag) = tag_of[usize::from(label)] else { continue };
        let [row, column] = [at / scene.size / cell, at % scene.size / cell];
        if row < grid && column < grid {
            cover[(row * grid + column) * tags + tag] += one;
        }
    }
    cover
}

/// Draws batches ahead of the training on a thread of its own, from step `from` on.
pub fn batches(config: &TaggerTrainConfig, from: usize) -> Receiver<SceneBatch> {
    let (sender, receiver) = sync_channel(2);
    let (seed, batch) = (config.seed, config.batch);
    let (side, grid) = (config.tagger.swin.image, config.tagger.swin.grid());
    let steps = from..config.steps;
    std::thread::spawn(move || {
        for step in steps {
            let first = (step * batch) as u64;
            if sender.send(draw_batch(seed, first, batch, side, grid)).is_err() {
                return;
            }
        }
    });
    receiver
}
