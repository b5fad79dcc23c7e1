//! How good a model of the procedural world is, on scenes it has not seen: the tagger against the
//! tags, the maps against the outlines, the detectors against the sets.
//!
//! No published set lets maps be scored: there the outlines are not known.

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use serde::Serialize;
use thiserror::Error;

use super::{ID_CLASSES, SCENE_SIZE, Scene, Set, TAGS, scene};
use crate::decompose;
use crate::eval::gather::{Plan, SetScorer, TaggedImage};
use crate::eval::metrics::RankedScores;
use crate::eval::report::{Report, ReportError};
use crate::eval::scores::ScoredImage;
use crate::image::RgbImage;
use crate::pipeline::{FeatureChoice, Keep, OdinInput, Pipeline, PipelineError, TaggerOutput};
use crate::score::Detector;

use super::rng::SceneRng;

/// What can go wrong.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum EvaluateError {
    /// The model was made for something else.
    #[error("the model has {0} tags, but the procedural world has {count}", count = TAGS.len())]
    OtherTags(usize),
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("stopped")]
    Cancelled,
}

/// What to evaluate on.
#[derive(Clone)]
pub struct DemoOptions {
    /// Scenes of each set.
    pub scenes: usize,
    /// Their seed; training uses others.
    pub seed: u64,
    /// Detectors to compare.
    pub detectors: Vec<&'static dyn Detector>,
    /// τ to compare; the model's own comes with them.
    pub taus: Vec<f32>,
}

/// The tagger against the scenes' tags.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaggerQuality {
    /// Mean average precision over the object tags, 0 to 1.
    pub map_objects: f64,
    /// Mean average precision over all tags that occur.
    pub map_all: f64,
    /// Average precision of each tag, where it occurs.
    pub average_precision: Vec<(String, Option<f64>)>,
    /// Share of ID scenes whose class is among the in-distribution tags that count.
    pub class_named: f64,
}

/// The maps of true object tags against the outlines of their objects.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MapQuality {
    /// Tags of objects that were looked at.
    pub maps: usize,
    /// Share whose highest patch has its middle on the object.
    pub peak_in_mask: f64,
    /// Share whose highest patch touches the object.
    pub peak_touches: f64,
    /// Mean intersection over union of the patches above τ with the object.
    pub iou: Vec<TauIou>,
    /// The same for maps of random values, at τ = 0.5.
    pub iou_random: f64,
    /// The same for the patches that the object covers by half: what the grid allows.
    pub iou_grid: f64,
}

/// Overlap at one τ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TauIou {
    /// Relevance above which a patch counts.
    pub tau: f32,
    /// Mean intersection over union.
    pub iou: f64,
}

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub struct WorldReport {
    /// Scenes of each set.
    pub scenes: usize,
    /// Their seed.
    pub seed: u64,
    /// Tags.
    pub tagger: TaggerQuality,
    /// Maps.
    pub maps: MapQuality,
    /// Detectors.
    pub detectors: Report,
}

/// The τ at which maps are compared with outlines.
const MAP_TAUS: [f32; 4] = [0.0, 0.25, 0.5, 0.75];

/// Scenes that go through the tagger at once.
const BATCH: usize = 16;

/// The domain of the random maps' draws, apart from the scenes'.
const RANDOM_MAP_DOMAIN: u64 = 64;

/// Draws scenes and judges a model by them. `done` is told after each scene.
///
/// # Errors
/// If the model has other tags, the device fails, or `cancel` was set.
pub fn evaluate(
    pipeline: &Pipeline,
    options: &DemoOptions,
    done: &mut dyn FnMut(usize),
    cancel: &AtomicBool,
) -> Result<WorldReport, EvaluateError> {
    let tags = pipeline.vocabulary().tags.len();
    if tags != TAGS.len() {
        return Err(EvaluateError::OtherTags(tags));
    }
    let manifest = pipeline.manifest();
    let plan = Plan {
        recipe: manifest.recipe,
        tau: manifest.tau,
        main: FeatureChoice::Objects,
        taus: options.taus.clone(),
        whole_image: true,
        detectors: options.detectors.clone(),
        odin: OdinInput::Tokens,
    };
    let gather = SetScorer::new(pipeline, plan);
    let (mut tagger, mut maps) = (TaggerTally::default(), MapTally::default());
    let mut sets = Vec::new();
    for set in Set::ALL {
        let mut scores = gather.begin(set.name());
        for first in (0..options.scenes).step_by(BATCH) {
            if cancel.load(Ordering::Relaxed) {
                return Err(EvaluateError::Cancelled);
            }
            let count = BATCH.min(options.scenes - first);
            let (scenes, seen) = see(pipeline, set, options.seed, first as u64, count)?;
            if set == Set::Id {
                for (scene, seen) in scenes.iter().zip(&seen) {
                    tagger.add(pipeline, scene, &seen.tagged);
                    maps.add(pipeline, scene, &seen.tagged)?;
                }
            }
            gather.add(&mut scores, &seen)?;
            done(count);
        }
        sets.push(scores);
    }
    let id = sets.remove(0);
    Ok(WorldReport {
        scenes: options.scenes,
        seed: options.seed,
        tagger: tagger.quality(),
        maps: maps.quality(),
        detectors: Report::new(&gather.table(id, sets), None, Vec::new())?,
    })
}

/// Draws and tags some scenes.
fn see(
    pipeline: &Pipeline,
    set: Set,
    seed: u64,
    first: u64,
    count: usize,
) -> Result<(Vec<Scene>, Vec<TaggedImage>), PipelineError> {
    let drawn: Vec<(Scene, Vec<f32>)> = (first..first + count as u64)
        .into_par_iter()
        .map(|index| {
            let scene = scene(set, seed, index);
            let side = scene.size as u32;
            let image = RgbImage::from_raw(side, side, scene.image.clone());
            let input = image.map(|image| pipeline.prepare(&image)).unwrap_or_default();
            (scene, input)
        })
        .collect();
    let (scenes, inputs): (Vec<Scene>, Vec<Vec<f32>>) = drawn.into_iter().unzip();
    let tagged = pipeline.tag(&inputs, Keep::Id)?;
    let seen = |(index, (scene, tagged)): (usize, (&Scene, TaggerOutput))| {
        let path = format!("{set}/{}", first + index as u64);
        let class = scene.class.map(|class| ID_CLASSES[class].to_owned());
        TaggedImage {
            image: ScoredImage { path, class, ..ScoredImage::default() },
            tagged,
            pixels: None,
        }
    };
    let seen = scenes.iter().zip(tagged).enumerate().map(seen).collect();
    Ok((scenes, seen))
}

#[derive(Default)]
struct TaggerTally {
    /// For each tag: logits of scenes that show it, and of those that do not.
    logits: Vec<[Vec<f32>; 2]>,
    named: usize,
    scenes: usize,
}

impl TaggerTally {
    fn add(&mut self, pipeline: &Pipeline, scene: &Scene, tagged: &TaggerOutput) {
        self.logits.resize_with(TAGS.len(), Default::default);
        for (tag, (&logit, lists)) in tagged.logits.iter().zip(&mut self.logits).enumerate() {
            lists[usize::from(!scene.tags.contains(&tag))].push(logit);
        }
        let manifest = pipeline.manifest();
        let counted = pipeline.decompose(tagged, manifest.tau, manifest.recipe).tags;
        let wanted = scene.class.map(super::tag_from_class);
        self.named += usize::from(wanted.is_some_and(|tag| counted.contains(&tag)));
        self.scenes += 1;
    }

    fn quality(self) -> TaggerQuality {
        let precision = |[shown, others]: [Vec<f32>; 2]| {
            Some(RankedScores::from_sets(shown, others).ok()?.metrics().average_precision_id)
        };
        let found: Vec<Option<f64>> = self.logits.into_iter().map(precision).collect();
        TaggerQuality {
            map_objects: mean(found.iter().take(ID_CLASSES.len()).flatten().copied()),
            map_all: mean(found.iter().flatten().copied()),
            average_precision: TAGS.iter().map(|&tag| tag.to_owned()).zip(found).collect(),
            class_named: self.named as f64 / self.scenes.max(1) as f64,
        }
    }
}

#[derive(Default)]
struct MapTally {
    peak_in_mask: Vec<f64>,
    peak_touches: Vec<f64>,
    iou: [Vec<f64>; MAP_TAUS.len()],
    iou_random: Vec<f64>,
    iou_grid: Vec<f64>,
}

impl MapTally {
    fn add(
        &mut self,
        pipeline: &Pipeline,
        scene: &Scene,
        tagged: &TaggerOutput,
    ) -> Result<(), PipelineError> {
        let classes = 0..ID_CLASSES.len();
        let tags: Vec<usize> =
            scene.tags.iter().copied().filter(|tag| classes.contains(tag)).collect();
        let attention = pipeline.attention_of(tagged, &tags)?;
        let layer = pipeline.layer(pipeline.manifest().recipe);
        let grid = (tagged.positions() - 1).isqrt();
        for &tag in &tags {
            let Some(map) = attention.relevance(tag, layer) else { continue };
            let outline = Outline::of(scene, tag, grid);
            // Position 0 is the global token, which lies nowhere.
            self.add_map(&outline, &map[1..]);
            let mut rng =
                SceneRng::new(RANDOM_MAP_DOMAIN, tag as u64, self.iou_random.len() as u64);
            let random: Vec<bool> = (0..grid * grid).map(|_| rng.unit() > 0.5).collect();
            self.iou_random.push(outline.iou(&random));
        }
        Ok(())
    }

    fn add_map(&mut self, outline: &Outline, map: &[f32]) {
        let highest = (0..map.len()).max_by(|&a, &b| map[a].total_cmp(&map[b])).unwrap_or(0);
        self.peak_in_mask.push(f64::from(u8::from(outline.middle(highest))));
        self.peak_touches.push(f64::from(u8::from(outline.covered[highest] > 0)));
        for (tau, list) in MAP_TAUS.iter().zip(&mut self.iou) {
            list.push(outline.iou(&decompose::mask(map, *tau)));
        }
        let half = outline.cell * outline.cell / 2;
        let best: Vec<bool> = outline.covered.iter().map(|&covered| covered > half).collect();
        self.iou_grid.push(outline.iou(&best));
    }

    fn quality(self) -> MapQuality {
        let iou = MAP_TAUS.iter().zip(&self.iou);
        MapQuality {
            maps: self.peak_in_mask.len(),
            peak_in_mask: mean(self.peak_in_mask.iter().copied()),
            peak_touches: mean(self.peak_touches.iter().copied()),
            iou: iou.map(|(&tau, l)| TauIou { tau, iou: mean(l.iter().copied()) }).collect(),
            iou_random: mean(self.iou_random.iter().copied()),
            iou_grid: mean(self.iou_grid.iter().copied()),
        }
    }
}

/// Where the objects of one tag are, pixel by pixel.
struct Outline {
    mask: Vec<bool>,
    grid: usize,
    /// Pixels along a patch's side.
    cell: usize,
    /// Pixels of each patch that lie on the object, `[grid * grid]`.
    covered: Vec<usize>,
    pixels: usize,
}

impl Outline {
    fn of(scene: &Scene, tag: usize, grid: usize) -> Self {
        let mut labels = [false; 256];
        for object in scene.objects.iter().filter(|object| object.tag == Some(tag)) {
            labels[usize::from(object.label)] = true;
        }
        let mask: Vec<bool> =
            scene.labels.iter().map(|&label| labels[usize::from(label)]).collect();
        let cell = SCENE_SIZE / grid.max(1);
        let mut covered = vec![0; grid * grid];
        for (at, _) in mask.iter().enumerate().filter(|(_, on)| **on) {
            let [row, column] = [at / SCENE_SIZE / cell, at % SCENE_SIZE / cell];
            covered[row.min(grid - 1) * grid + column.min(grid - 1)] += 1;
        }
        let pixels = covered.iter().sum();
        Self { mask, grid, cell, covered, pixels }
    }

    /// Whether the middle of a patch lies on the object.
    fn middle(&self, patch: usize) -> bool {
        let [row, column] = [patch / self.grid, patch % self.grid];
        let middle = |index: usize| index * self.cell + self.cell / 2;
        self.mask.get(middle(row) * SCENE_SIZE + middle(column)).copied().unwrap_or_default()
    }

    /// Intersection over union of some patches with the object, in pixels.
    fn iou(&self, patches: &[bool]) -> f64 {
        let area = self.cell * self.cell;
        let chosen = patches.iter().filter(|&&chosen| chosen).count() * area;
        let shared: usize =
            self.covered.iter().zip(patches).filter(|(_, on)| **on).map(|(n, _)| n).sum();
        shared as f64 / (chosen + self.pixels - shared).max(1) as f64
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), v| (sum + v, count + 1));
    sum / count.max(1) as f64
}
