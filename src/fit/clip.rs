//! Fitting a CLIP to images of what is known: class centers, detector statistics, λ. Nothing is trained.

use std::sync::Arc;

use super::error::FitError;
use super::lambda::lambdas;
use super::stages::Stored;
use crate::bundle::Bundle;
use crate::bundle::known::{KnownName, plain};
use crate::bundle::manifest::{Arch, FeatureChoice, Recipe};
use crate::gpu::Compute;
use crate::nn::source::SafetensorsBytes;
use crate::pipeline::{
    CLIP_CENTERS, Column, Features, Image, OdinInput, Pipeline, ScorePlan, TaggerOutput,
};
use crate::score::{self, FittedDetector, Rows, Statistics, TrainingSet};

/// Images whose features are made together.
const BATCH: usize = 64;

/// How a CLIP is fitted.
#[derive(Clone, Copy, Debug)]
pub struct ClipFit<'a> {
    /// Which images are held out, to choose λ by; one for each of the set.
    pub held_out: &'a [bool],
    /// What becomes an image's feature.
    pub features: FeatureChoice,
    /// The share of held-out images that λ keeps, above 0, at most 1.
    pub tpr: f64,
}

/// How many images a fit took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FittedTo {
    /// Those that centers and statistics were made of.
    pub images: usize,
    /// Those that λ was set by.
    pub held_out: usize,
    /// Those of which nothing is kept at τ.
    pub skipped: usize,
}

/// What detectors are fitted to.
#[derive(Default)]
struct Samples {
    features: Vec<f32>,
    class_logits: Vec<f32>,
    object_tokens: Vec<f32>,
    labels: Vec<usize>,
    held_out: Vec<TaggerOutput>,
    skipped: usize,
}

/// Fits a CLIP's bundle to a labelled set, whose classes become the known names; names that were known
/// before keep their synonyms. `on_image` is called after each image.
///
/// # Errors
/// If a class cannot be a name, no image of one is left, or the device fails.
pub fn fit_clip(
    bundle: &mut Bundle,
    compute: &Compute,
    stored: &Stored,
    fit: ClipFit<'_>,
    on_image: &mut dyn FnMut(),
) -> Result<FittedTo, FitError> {
    let before = bundle.clip.as_ref().map(|clip| clip.known.clone()).unwrap_or_default();
    let name = |class: &String| {
        let known = before.iter().find(|known| plain(&known.name) == plain(class));
        let synonyms = known.map(|known| known.synonyms.clone()).unwrap_or_default();
        KnownName { name: class.clone(), synonyms }
    };
    bundle.know(stored.dataset.classes.iter().map(name).collect())?;
    bundle.drop_fitted();
    if let Some(part) = &mut bundle.manifest.clip {
        part.features = fit.features;
    }
    let pipeline = Pipeline::load(bundle, compute)?;
    let features = fit.features.at(bundle.manifest.tau);
    let samples = Samples::gather(&pipeline, stored, features, fit.held_out, on_image)?;
    let centers = samples.centers(&stored.dataset.classes)?;
    // The head has the centers before the rest is fitted to it.
    let mut statistics = Statistics::default();
    let width = centers.len() / stored.dataset.classes.len();
    statistics.insert(CLIP_CENTERS, &[stored.dataset.classes.len(), width], centers.clone())?;
    keep(bundle, &statistics)?;
    let pipeline = Pipeline::load(bundle, compute)?;
    let mut statistics = samples.statistics(&pipeline)?;
    statistics.insert(CLIP_CENTERS, &[stored.dataset.classes.len(), width], centers)?;
    keep(bundle, &statistics)?;
    let pipeline = Pipeline::load(bundle, compute)?;
    // A threshold that a paper sets stays in force.
    let detectors: Vec<&FittedDetector> = pipeline
        .detectors()
        .into_iter()
        .filter_map(|info| pipeline.detector(info.id))
        .filter(|detector| detector.own_lambda().is_none())
        .collect();
    for recipe in Recipe::ALL {
        let at = (recipe, bundle.manifest.tau, fit.features);
        let found = lambdas(&pipeline, &detectors, &samples.held_out, at, fit.tpr)?;
        bundle.manifest.lambda.extend(found);
    }
    Ok(FittedTo {
        images: samples.labels.len(),
        held_out: samples.held_out.len(),
        skipped: samples.skipped,
    })
}

fn keep(bundle: &mut Bundle, statistics: &Statistics) -> Result<(), FitError> {
    let bytes: Arc<[u8]> = statistics.to_bytes()?.into();
    bundle.statistics = Some(SafetensorsBytes::Owned(bytes));
    Ok(())
}

impl Samples {
    fn gather(
        pipeline: &Pipeline,
        stored: &Stored,
        features: Features,
        held_out: &[bool],
        on_image: &mut dyn FnMut(),
    ) -> Result<Self, FitError> {
        let mut samples = Self::default();
        let mut waiting: Vec<(usize, TaggerOutput)> = Vec::with_capacity(BATCH);
        for image in stored.images() {
            let (index, class, seen) = image?;
            on_image();
            match held_out[index] {
                true => samples.held_out.push(seen),
                false => waiting.push((class, seen)),
            }
            if waiting.len() == BATCH {
                samples.add(pipeline, features, &waiting)?;
                waiting.clear();
            }
        }
        samples.add(pipeline, features, &waiting)?;
        Ok(samples)
    }

    fn add(
        &mut self,
        pipeline: &Pipeline,
        features: Features,
        images: &[(usize, TaggerOutput)],
    ) -> Result<(), FitError> {
        let column = Column { features, detectors: Vec::new() };
        // No recipe changes a CLIP's features.
        let recipe = Recipe::default();
        let plan = ScorePlan { recipe, odin: OdinInput::Tokens, columns: vec![column] };
        let given: Vec<Image> = images.iter().map(|(_, seen)| Image::from(seen)).collect();
        let scored = pipeline.score(&given, &plan)?;
        let seen = scored.iter().flat_map(|column| &column.images);
        for ((class, _), image) in images.iter().zip(seen) {
            let Some(inputs) = &image.inputs else {
                self.skipped += 1;
                continue;
            };
            let sample = inputs.sample();
            self.features.extend(sample.feature);
            self.class_logits.extend(sample.class_logits);
            self.object_tokens.extend(sample.object_token);
            self.labels.push(*class);
        }
        Ok(())
    }

    /// The means of the classes' features, `[C, D]`.
    fn centers(&self, classes: &[String]) -> Result<Vec<f32>, FitError> {
        let width = self.features.len() / self.labels.len().max(1);
        let mut sums = vec![0.0f64; classes.len() * width];
        let mut counts = vec![0usize; classes.len()];
        for (feature, &class) in self.features.chunks_exact(width.max(1)).zip(&self.labels) {
            let sum = &mut sums[class * width..(class + 1) * width];
            sum.iter_mut().zip(feature).for_each(|(sum, &value)| *sum += f64::from(value));
            counts[class] += 1;
        }
        if let Some(class) = counts.iter().position(|&count| count == 0) {
            return Err(FitError::ClassLost(classes[class].clone()));
        }
        let mean = |(at, sum): (usize, f64)| (sum / counts[at / width] as f64) as f32;
        Ok(sums.into_iter().enumerate().map(mean).collect())
    }

    fn statistics(&self, pipeline: &Pipeline) -> Result<Statistics, FitError> {
        let Some(head) = pipeline.head() else { return Ok(Statistics::default()) };
        let training = TrainingSet {
            features: Rows::new("features", &self.features, head.width())?,
            class_logits: Rows::new("class logits", &self.class_logits, head.classes())?,
            object_tokens: Rows::new("object tokens", &self.object_tokens, head.width())?,
            ce_features: None,
            labels: &self.labels,
            head,
        };
        Ok(score::fit_all(&score::all_of(Arch::Clip), &training)?)
    }
}
