//! Scenes with their captions, drawn as they are needed.

use std::sync::mpsc::{Receiver, sync_channel};

use rayon::prelude::*;

use super::{ClipTrainConfig, NAMED};
use crate::demo::captions::{Caption, Fact, caption, facts, prompt_of_nothing, prompt_of_tag};
use crate::demo::rng::SceneRng;
use crate::demo::train::cover;
use crate::demo::{ID_CLASSES, Scene, Set, crowded_scene, made_up_scene, mixed_scene, scene_at};
use crate::image::{Normalisation, RgbImage, tensor_data};

/// The domain of captions' random draws, apart from the scenes'.
const CAPTION_DOMAIN: u64 = 40;
/// The domain of prompts' random draws.
const PROMPT_DOMAIN: u64 = 41;

/// Prompts with names of nothing that is shown, in each step.
const NOTHINGS: usize = 24;

/// Some scenes.
#[derive(Clone, Debug, Default)]
pub struct CaptionedBatch {
    /// Normalised images, `[batch, 3, side, side]`.
    pub images: Vec<f32>,
    /// The share of each patch that each named thing covers, `[batch, patches, NAMED]`.
    pub cover: Vec<f32>,
    /// 1 where an object class is shown, `[batch, classes]`.
    pub objects: Vec<f32>,
    /// All that is true of each scene.
    pub facts: Vec<Vec<Fact>>,
    /// A caption of each scene in which anything has a name.
    pub captions: Vec<Caption>,
}

impl CaptionedBatch {
    /// Number of scenes.
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// Up to `parts` batches of equal length, the last perhaps shorter; each has all captions.
    pub fn split(&self, parts: usize) -> Vec<Self> {
        let (all, each) = (self.len(), self.len().div_ceil(parts.max(1)).max(1));
        let cut = |values: &[f32], from: usize, to: usize| {
            let row = values.len() / all.max(1);
            values[from * row..to * row].to_vec()
        };
        (0..all)
            .step_by(each)
            .map(|from| {
                let to = (from + each).min(all);
                Self {
                    images: cut(&self.images, from, to),
                    cover: cut(&self.cover, from, to),
                    objects: cut(&self.objects, from, to),
                    facts: self.facts[from..to].to_vec(),
                    captions: self.captions.clone(),
                }
            })
            .collect()
    }
}

/// A training scene: mostly with objects, some crowded; one of eight without, one with things that
/// exist nowhere.
fn training_scene(seed: u64, index: u64, side: usize) -> Scene {
    match index % 8 {
        0 => scene_at(Set::Context, seed, index, side),
        1 => made_up_scene(seed, index, side),
        2 | 4 | 6 => crowded_scene(seed, index, side),
        _ => mixed_scene(seed, index, side),
    }
}

/// Draws the training scenes `first..first + count` of a seed.
pub fn draw(seed: u64, first: u64, count: usize, side: usize, grid: usize) -> CaptionedBatch {
    let scene = |index: u64| {
        let scene = training_scene(seed, index, side);
        let mut rng = SceneRng::new(CAPTION_DOMAIN, seed, index);
        (pixels(&scene), cover(&scene, grid, NAMED), caption(&scene, &mut rng), scene)
    };
    let drawn: Vec<_> = (first..first + count as u64).into_par_iter().map(scene).collect();
    let mut batch = CaptionedBatch::default();
    for (images, cover, caption, scene) in drawn {
        batch.images.extend(images);
        batch.cover.extend(cover);
        let shown = |class: usize| f32::from(u8::from(scene.tags.contains(&class)));
        batch.objects.extend((0..ID_CLASSES.len()).map(shown));
        batch.facts.push(facts(&scene));
        batch.captions.extend(caption);
    }
    batch
}

/// The network's input `[3, side, side]` of a scene.
fn pixels(scene: &Scene) -> Vec<f32> {
    let side = scene.size as u32;
    let picture = RgbImage::from_raw(side, side, scene.image.clone());
    picture.map(|picture| tensor_data(&picture, &Normalisation::CLIP)).unwrap_or_default()
}

/// Draws batches ahead of the training on a thread of its own, from step `from` on.
pub fn batches(config: &ClipTrainConfig, from: usize) -> Receiver<CaptionedBatch> {
    let (sender, receiver) = sync_channel(2);
    let (seed, batch, steps) = (config.seed, config.batch, config.steps);
    let (side, grid) = (config.clip.image.image, config.clip.image.grid());
    std::thread::spawn(move || {
        for step in from..steps {
            if sender.send(draw(seed, (step * batch) as u64, batch, side, grid)).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Two captions for each of some scenes, for the text side alone, with what is true of the scenes.
pub(super) fn caption_pairs(seed: u64, first: u64, count: usize) -> Vec<([Caption; 2], Vec<Fact>)> {
    // Small: what can be seen is all that counts here.
    const SIDE: usize = 48;
    let pair = |index: u64| {
        let scene = training_scene(seed, index, SIDE);
        let mut rng = SceneRng::new(CAPTION_DOMAIN, seed, index);
        let captions = [caption(&scene, &mut rng)?, caption(&scene, &mut rng)?];
        Some((captions, facts(&scene)))
    };
    (first..first + count as u64).into_par_iter().filter_map(pair).collect()
}

/// One prompt for each of the [`NAMED`] tags, then prompts with names of nothing.
pub(super) fn prompts(seed: u64, step: u64) -> Vec<String> {
    let mut rng = SceneRng::new(PROMPT_DOMAIN, seed, step);
    let mut prompts: Vec<String> =
        (0..NAMED).filter_map(|tag| prompt_of_tag(tag, &mut rng)).collect();
    prompts.extend((0..NOTHINGS).map(|_| prompt_of_nothing(&mut rng)));
    prompts
}
