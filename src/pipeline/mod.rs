//! One image or a batch through all stages: the part that is computed once, and the part that
//! follows τ.
//!
//! [`Pipeline::tag`] makes [`TaggerOutput`], which depends on the image alone and is worth keeping.
//! [`Pipeline::score`] scores any number of them at any number of settings, and is the only way to a
//! score. [`Pipeline::analyse`] shows what it did to one image, as an [`Analysis`]: this is what runs
//! while the slider moves.

mod analysis;
mod clip;
mod error;
mod features;
mod known;
mod labels;
mod network;
mod odin;
mod project;
mod remembered;
mod scoring;
mod seen;
mod tagger;
mod tagger_key;

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::{FloatDType, Tensor};

use crate::bundle::Bundle;
use crate::bundle::manifest::{Manifest, Recipe};
use crate::bundle::vocabulary::Vocabulary;
use crate::gpu::Compute;
use crate::image::{Region, RgbImage};
use crate::nn::projector::{Projector, ProjectorConfig};
use crate::score::distance::Centers;
use crate::score::{self, FittedDetector, Head, Input, ScoreError, Statistics};
use clip::ClipNetwork;
use error::check_finite;
use known::Own;
use network::Network;
use tagger::Tagger;

pub use crate::bundle::manifest::FeatureChoice;
pub use analysis::{Analysis, Decomposition, Nearest, Settings, lambda_in_force};
pub use clip::NO_TEMPLATE;
pub use error::{ImageName, PipelineError};
pub use features::{Features, Image, ImageFeature, Inputs};
pub use labels::{Cosines, LabelSet, Labels, NamedCosine};
pub use odin::OdinInput;
pub use project::Projected;
pub use remembered::Remembered;
pub use scoring::{Column, ScorePlan, ScoredColumn};
pub use seen::{Attention, Keep, TaggerOutput};
pub use tagger_key::TaggerKey;

/// A model on a device, ready for images.
pub struct Pipeline {
    manifest: Manifest,
    vocabulary: Vocabulary,
    label: String,
    network: Box<dyn Network>,
    head: Option<Arc<Head>>,
    statistics: Statistics,
    detectors: Detectors,
    /// What it knows by itself, with what was fitted to that.
    own: Own,
    /// What it knows now.
    known: Labels,
    tagger_key: Option<TaggerKey>,
}

/// The registry's detectors, ready to score, or why they are not.
type Detectors = BTreeMap<&'static str, Result<FittedDetector, ScoreError>>;

/// The statistic that holds a fitted CLIP's class centers, `[C, D]`.
pub const CLIP_CENTERS: &str = "clip.class-means";

impl Pipeline {
    /// Loads a bundle's networks onto a device.
    ///
    /// # Errors
    /// If weights are missing or misshapen, statistics are damaged, or names cannot be encoded.
    pub fn load(bundle: &Bundle, compute: &Compute) -> Result<Self, PipelineError> {
        Self::load_as(bundle, compute, None)
    }

    /// As [`Pipeline::load`], with a tagger's weights and activations in another type (`f16` on
    /// a GPU); projectors and CLIPs stay in `f32`.
    ///
    /// # Errors
    /// As [`Pipeline::load`].
    pub fn load_as(
        bundle: &Bundle,
        compute: &Compute,
        dtype: Option<FloatDType>,
    ) -> Result<Self, PipelineError> {
        let (manifest, device) = (bundle.manifest.clone(), &compute.device);
        let statistics = match &bundle.statistics {
            Some(bytes) => Statistics::from_bytes(bytes)?,
            None => Statistics::default(),
        };
        let (network, head): (Box<dyn Network>, _) = match (&manifest.tagger, &manifest.clip) {
            (Some(config), _) => {
                let tagger = Tagger::load(bundle, config, device, dtype)?;
                let head = tagger.head(bundle)?;
                (Box::new(tagger), head)
            }
            (None, clip) => {
                let parts = clip.as_ref().zip(bundle.clip.as_ref());
                let parts = parts.ok_or(PipelineError::NoNetwork)?;
                (Box::new(ClipNetwork::load(bundle, parts, device)?), None)
            }
        };
        let own = Own::of(bundle, head.clone());
        let mut pipeline = Self {
            vocabulary: bundle.vocabulary.clone(),
            label: compute.label.clone(),
            network,
            head,
            statistics,
            detectors: Detectors::new(),
            known: own.labels(),
            own,
            tagger_key: None,
            manifest,
        };
        let labels = pipeline.known.clone();
        match pipeline.network.labels() {
            Some(_) if !labels.known.is_empty() => pipeline.set_labels(labels)?,
            _ => pipeline.bind(),
        }
        Ok(pipeline)
    }

    /// The same tagger with another projector and its centers; of the detectors, those that need no
    /// statistics.
    ///
    /// # Errors
    /// If the centers do not fit the projector, or the model is no tagger.
    pub fn with_projector(
        &self,
        projector: Projector,
        shape: ProjectorConfig,
        centers: Centers,
    ) -> Result<Self, PipelineError> {
        let head = tagger::head_of(&projector, centers)?;
        let tagger = self.network.as_tagger().ok_or(PipelineError::NoNetwork)?;
        let tagger = tagger.with_projector(projector, shape);
        let mut manifest = self.manifest.clone();
        manifest.lambda.clear();
        let mut pipeline = Self {
            manifest,
            vocabulary: self.vocabulary.clone(),
            label: self.label.clone(),
            network: Box::new(tagger),
            head: Some(head.clone()),
            statistics: Statistics::default(),
            detectors: Detectors::new(),
            own: self.own.with_head(head),
            known: self.known.clone(),
            tagger_key: self.tagger_key,
        };
        pipeline.bind();
        Ok(pipeline)
    }

    /// Binds the detectors to the head, or, without one, those that need none.
    fn bind(&mut self) {
        self.detectors = bind_all(&self.statistics, self.head.as_ref(), &*self.network);
    }

    /// The bundle's manifest, with the λ in force for the names that are known.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// As [`Pipeline::load`], with a [`TaggerKey`] where one can be had: what it makes of files may be
    /// kept, and found again.
    ///
    /// # Errors
    /// As [`Pipeline::load`].
    pub fn load_keyed(bundle: &Bundle, compute: &Compute) -> Result<Self, PipelineError> {
        let pipeline = Self::load(bundle, compute)?;
        match TaggerKey::of(bundle, compute) {
            Ok(key) => Ok(pipeline.with_tagger_key(key)),
            Err(error) => {
                log::warn!("what is made of images is not kept: {error}");
                Ok(pipeline)
            }
        }
    }

    /// With the key by which what it makes of files is found again.
    pub fn with_tagger_key(self, key: TaggerKey) -> Self {
        Self { tagger_key: Some(key), ..self }
    }

    /// Gives it another key: after a change of what it knows.
    pub fn set_tagger_key(&mut self, key: TaggerKey) {
        self.tagger_key = Some(key);
    }

    /// The key by which what it makes of files is kept; `None` where nothing is.
    pub fn tagger_key(&self) -> Option<TaggerKey> {
        self.tagger_key
    }

    /// The tags that the network knows, and which of them make the in-distribution classes.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The part of a picture of this size that the network sees, and that maps lie over.
    pub fn seen(&self, size_px: [u32; 2]) -> Region {
        self.manifest.transform.seen(size_px, self.image_side())
    }

    /// What a person calls the device.
    pub fn device_label(&self) -> &str {
        &self.label
    }

    /// The classifier and class centers: of a projector, or of a CLIP's names.
    pub fn head(&self) -> Option<&Arc<Head>> {
        self.head.as_ref()
    }

    /// A detector that this model can score with.
    pub fn detector(&self, id: &str) -> Option<&FittedDetector> {
        self.detectors.get(id)?.as_ref().ok()
    }

    /// Why this model cannot score with a detector; `None` if it can, or if there is no such detector.
    pub fn why_not(&self, id: &str) -> Option<&ScoreError> {
        self.detectors.get(id)?.as_ref().err()
    }

    /// The detectors that this model can score with, in the registry's order.
    pub fn detectors(&self) -> Vec<&'static score::Info> {
        let bound = |d: &&dyn score::Detector| self.detector(d.info().id).is_some();
        score::all().iter().copied().filter(bound).map(|d| d.info()).collect()
    }

    /// Whether images can be scored: there is a projector, or something is known by name.
    pub fn scores_images(&self) -> bool {
        self.detectors.values().any(Result::is_ok)
    }

    /// Whether images are judged by their tags alone, for lack of a projector.
    fn judges_by_tags(&self) -> bool {
        self.head.is_none() && self.network.labels().is_none()
    }

    /// The settings that the model starts with: its recipe and τ, and the recipe's detector for this
    /// kind of model.
    pub fn default_settings(&self) -> Settings {
        self.settings_of(self.manifest.recipe)
    }

    /// The settings that the model starts with under a recipe.
    pub fn settings_of(&self, recipe: Recipe) -> Settings {
        let own = Settings::new(self.manifest.tau, recipe);
        let Some(part) = &self.manifest.clip else {
            let detector = if self.judges_by_tags() { "tag-score" } else { &own.detector };
            return Settings { detector: detector.to_owned(), ..own };
        };
        // The paper's decision needs no λ; the released scores do.
        let of_clipn = match recipe {
            Recipe::Paper => "clipn-atd-decision",
            Recipe::Released => "clipn-atd",
        };
        let there = |id: &&str| self.detector(id).is_some();
        let detector = [of_clipn, "locoop-gl-mcm"].into_iter().find(there).unwrap_or("mcm");
        Settings { features: part.features, detector: detector.to_owned(), ..own }
    }

    /// The layer whose maps a recipe uses.
    pub fn layer(&self, recipe: Recipe) -> usize {
        recipe.layer(self.manifest.map_layers_and_heads()[0])
    }

    /// Side of the square that images become, in pixels.
    pub fn image_side(&self) -> u32 {
        self.manifest.image_side() as u32
    }

    /// The network's input for a decoded image: `[3, S, S]`, row-major.
    pub fn prepare(&self, image: &RgbImage) -> Vec<f32> {
        self.manifest.preparation().apply(image)
    }

    /// Sees a batch of prepared images (`[3, S, S]` each).
    ///
    /// # Errors
    /// If the device fails, or an image's tokens or logits are not finite.
    pub fn tag(&self, images: &[Vec<f32>], keep: Keep) -> Result<Vec<TaggerOutput>, PipelineError> {
        let images: Vec<&[f32]> = images.iter().map(Vec::as_slice).collect();
        match images.is_empty() {
            true => Ok(Vec::new()),
            false => self.network.see(&images, &self.vocabulary, keep),
        }
    }

    /// As [`Pipeline::tag`], with every label's maps; and beside each image's output the network's
    /// own, of tokens that were not rounded.
    ///
    /// # Errors
    /// As [`Pipeline::tag`].
    pub fn tag_unrounded(
        &self,
        images: &[Vec<f32>],
    ) -> Result<Vec<(TaggerOutput, TaggerOutput)>, PipelineError> {
        let images: Vec<&[f32]> = images.iter().map(Vec::as_slice).collect();
        match images.is_empty() {
            true => Ok(Vec::new()),
            false => self.network.see_unrounded(&images, &self.vocabulary),
        }
    }

    /// Puts the logits and maps of the names in force beside a CLIP's features, of which nothing else is
    /// kept; a tagger's output stays as it is.
    pub fn label(&self, seen: &mut TaggerOutput) {
        if let Some(labels) = self.network.labels() {
            labels.label(seen, &self.vocabulary, Keep::Id);
        }
    }

    /// The tags whose attention [`Keep::Id`] keeps of an image with these logits, ascending.
    pub fn kept_tags(&self, logits: &[f32]) -> Vec<usize> {
        tagger::kept_tags(logits, &self.vocabulary)
    }

    /// The maps of any labels of an image that was seen before, every layer and head; equal to
    /// what [`Pipeline::tag`] would have kept. `labels` ascending.
    ///
    /// # Errors
    /// If the device fails.
    pub fn attention_of(
        &self,
        tagged: &TaggerOutput,
        labels: &[usize],
    ) -> Result<Attention, PipelineError> {
        match labels.is_empty() {
            true => Ok(Attention::default()),
            false => self.network.maps_of(tagged, labels),
        }
    }

    /// Projects sets of object tokens (`[n, width]` each, any `n`), in their order; nothing without
    /// a projector. With `ce`, through the one trained with cross-entropy alone too, which costs the
    /// same again.
    ///
    /// # Errors
    /// If the device fails.
    pub fn project(&self, objects: &[Vec<f32>], ce: bool) -> Result<Vec<Projected>, PipelineError> {
        self.network.project(objects, ce)
    }
}

/// Binds every detector that has what it reads.
fn bind_all(statistics: &Statistics, head: Option<&Arc<Head>>, network: &dyn Network) -> Detectors {
    // Read by those detectors alone that a model without a projector has.
    let unused = || Arc::new(Head::unused());
    let (shared, lacks): (_, fn(Input) -> bool) = match (head, network.labels()) {
        (Some(head), None) => (head.clone(), |_| false),
        (Some(head), Some(_)) => {
            (head.clone(), |input| matches!(input, Input::OdinLogits | Input::CeFeature))
        }
        (None, None) => (unused(), |input| input != Input::TagScore),
        (None, Some(_)) => (unused(), |_| true),
    };
    let bind = |detector: &&dyn score::Detector| {
        let info = detector.info();
        let fitted = match info.needs.iter().find(|input| lacks(**input)) {
            Some(&input) => Err(ScoreError::MissingInput { detector: info.id, input }),
            None => score::bind(*detector, statistics, &shared),
        };
        (info.id, fitted)
    };
    score::all().iter().map(bind).collect()
}

/// A tensor's values in row-major order.
pub(crate) fn floats<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, PipelineError> {
    let data = tensor.cast(FloatDType::F32).try_into_data()?;
    data.try_into_vec::<f32>().map_err(|error| PipelineError::Device(format!("{error:?}")))
}
