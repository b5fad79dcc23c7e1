//! One image or a batch through all stages: the part that is computed once, and the part that
//! follows τ.
//!
//! [`Pipeline::tag`] makes [`TaggerOutput`], which depends on the image alone and is worth keeping.
//! [`Pipeline::score`] scores any number of them at any number of settings, and is the only way to a
//! score. [`Pipeline::analyse`] shows what it did to one image, as an [`Analysis`]: this is what runs
//! while the slider moves.

mod analysis;
mod clip;
mod features;
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

use burn::tensor::{ExecutionError, FloatDType, Tensor};
use thiserror::Error;

use crate::bundle::known::{KnownError, KnownName, check_names, check_template};
use crate::bundle::manifest::{Lambda, Manifest, Recipe};
use crate::bundle::vocabulary::Vocabulary;
use crate::bundle::{Bundle, BundleError};
use crate::gpu::Compute;
use crate::image::{Region, RgbImage};
use crate::nn::clip::tokenizer::TokenizerError;
use crate::nn::projector::{Projector, ProjectorConfig};
use crate::nn::source::WeightsError;
use crate::score::distance::Centers;
use crate::score::negatives::NegativesError;
use crate::score::{self, FittedDetector, Head, Input, LOGIT_SCALE, ScoreError, Statistics};
use clip::ClipNetwork;
use network::Network;
use tagger::Tagger;

pub use crate::bundle::manifest::FeatureChoice;
pub use analysis::{Analysis, Decomposition, Nearest, Settings, lambda_in_force};
pub use features::{Features, Image, ImageFeature, Inputs};
pub use labels::{Cosines, LabelSet, Labels};
pub use odin::OdinInput;
pub use project::Projected;
pub use remembered::Remembered;
pub use scoring::{Column, ScorePlan, ScoredColumn};
pub use seen::{Attention, Keep, TaggerOutput};
pub use tagger_key::TaggerKey;

/// What can go wrong between an image and its verdict.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum PipelineError {
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Weights(#[from] WeightsError),
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// Names that are known.
    #[error(transparent)]
    Known(#[from] KnownError),
    /// Negative words.
    #[error(transparent)]
    Negatives(#[from] NegativesError),
    /// A CLIP's tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// A text whose feature is not finite.
    #[error(
        "the model makes a feature that is not finite of the text `{0}`; are its weights whole?"
    )]
    Text(String),
    /// Learned prompts of which each belongs to a name.
    #[error(
        "the learned prompts are for {prompts} names, each with its own, but {names} are known"
    )]
    PromptNames {
        /// Names that have prompts.
        prompts: usize,
        /// Names that are known.
        names: usize,
    },
    /// A tagger whose projector was fitted to its own classes.
    #[error(
        "the model has class centers for its own classes, so that its known tags cannot change"
    )]
    HasClasses,
    /// A bundle without a network, or of another kind than is asked for.
    #[error("the model has no network of the kind that this needs")]
    NoNetwork,
    /// A detector that this model was not fitted with.
    #[error("the model was not fitted with the detector `{0}`; run `fit`, or choose another")]
    NotFitted(String),
    /// The network, or a store, holds NaN or an infinity.
    #[error(
        "the {what} are not finite (NaN or infinite): the model's weights or what was stored are \
         damaged: {image}"
    )]
    NotFinite {
        what: &'static str,
        /// The image: its place among those given, until a caller knows its name.
        image: ImageName,
    },
    /// The device failed while it computed.
    #[error("the compute device failed ({0}); try --device cpu or a smaller batch")]
    Device(String),
}

/// Which image an error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageName {
    /// Its place among those that were given.
    Place(usize),
    /// Its file, or its name where it is none.
    Path(String),
}

impl std::fmt::Display for ImageName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Place(place) => write!(f, "image {} of the batch", place + 1),
            Self::Path(path) => f.write_str(path),
        }
    }
}

impl PipelineError {
    /// The same error, with the image called by its name instead of its place.
    pub fn naming(self, name: impl FnOnce(usize) -> Option<String>) -> Self {
        match self {
            Self::NotFinite { what, image: ImageName::Place(place) } => {
                let image = name(place).map_or(ImageName::Place(place), ImageName::Path);
                Self::NotFinite { what, image }
            }
            other => other,
        }
    }
}

/// Refuses NaN and infinities in what was computed or stored of the image at a place.
fn check_finite(what: &'static str, values: &[f32], place: usize) -> Result<(), PipelineError> {
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(()),
        false => Err(PipelineError::NotFinite { what, image: ImageName::Place(place) }),
    }
}

impl From<ExecutionError> for PipelineError {
    fn from(error: ExecutionError) -> Self {
        Self::Device(format!("{error:?}").lines().next().unwrap_or_default().to_owned())
    }
}

/// A model on a device, ready for images.
pub struct Pipeline {
    manifest: Manifest,
    vocabulary: Vocabulary,
    label: String,
    network: Box<dyn Network>,
    head: Option<Arc<Head>>,
    statistics: Statistics,
    detectors: Detectors,
    /// What a CLIP's statistics and thresholds were fitted with.
    fitted: Option<Fitted>,
    tagger_key: Option<TaggerKey>,
}

/// The registry's detectors, ready to score, or why they are not.
type Detectors = BTreeMap<&'static str, Result<FittedDetector, ScoreError>>;

/// The names that a CLIP was fitted with, and what came of it.
struct Fitted {
    known: Vec<KnownName>,
    templates: Vec<String>,
    lambda: Vec<Lambda>,
}

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
        let fitted = manifest.clip.as_ref().zip(bundle.clip.as_ref()).map(|(part, files)| Fitted {
            known: files.known.clone(),
            templates: part.templates.clone(),
            lambda: manifest.lambda.clone(),
        });
        let mut pipeline = Self {
            vocabulary: bundle.vocabulary.clone(),
            label: compute.label.clone(),
            network,
            head,
            statistics,
            detectors: Detectors::new(),
            fitted,
            tagger_key: None,
            manifest,
        };
        match pipeline.labels() {
            Some(labels) if !labels.known.is_empty() => pipeline.set_labels(labels)?,
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
            head: Some(head),
            statistics: Statistics::default(),
            detectors: Detectors::new(),
            fitted: None,
            tagger_key: self.tagger_key,
        };
        pipeline.bind();
        Ok(pipeline)
    }

    /// What a CLIP was last asked, as its bundle has it; `None` for a tagger.
    pub fn labels(&self) -> Option<Labels> {
        let fitted = self.fitted.as_ref()?;
        let (known, templates) = (fitted.known.clone(), fitted.templates.clone());
        Some(Labels { known, templates, negatives: None })
    }

    /// Text features of a CLIP's names in force; `None` for a tagger.
    pub fn label_set(&self) -> Option<&Arc<LabelSet>> {
        self.network.labels()
    }

    /// Takes other names: of a CLIP, any; of a tagger without projector, some of its tags. Images that
    /// were seen before are judged by them at the next [`Pipeline::score`]; texts that were encoded
    /// before are remembered, so that a change of one name costs one text.
    ///
    /// Statistics and thresholds that a CLIP was fitted with hold for its own names and templates, and
    /// rest while others are in force.
    ///
    /// # Errors
    /// If there is no name, or names cannot be encoded; if a tagger has no tag of a name, or class
    /// centers of its own.
    pub fn set_labels(&mut self, labels: Labels) -> Result<(), PipelineError> {
        let labels = Labels { known: check_names(labels.known)?, ..labels };
        if self.network.labels().is_none() {
            if self.head.is_some() {
                return Err(PipelineError::HasClasses);
            }
            self.vocabulary.know(&labels.known)?;
            self.bind();
            return Ok(());
        }
        labels.templates.iter().try_for_each(|template| check_template(template))?;
        self.network.set_labels(&labels)?;
        self.vocabulary = Vocabulary::of_names(&labels.known);
        self.bind_names(&labels)
    }

    /// Makes classifier and centers of a CLIP's names, and binds the detectors to them.
    fn bind_names(&mut self, labels: &Labels) -> Result<(), PipelineError> {
        let Some(set) = self.network.labels().cloned() else { return Ok(()) };
        let (names, width) = (set.len(), set.width);
        let fitted = self.fitted.as_ref();
        let is_own =
            fitted.is_some_and(|f| f.known == labels.known && f.templates == labels.templates);
        let means = self.statistics.values(CLIP_CENTERS, &[names, width]).ok();
        let centers = means.filter(|_| is_own).unwrap_or(&set.features).to_vec();
        let weight = set.features.iter().map(|value| LOGIT_SCALE * value).collect();
        let centers = Centers::new(centers, [names, 1, width])?;
        let head = Head::new(weight, vec![0.0; names], centers)?;
        self.head = Some(Arc::new(head.with_names(&self.network.offers())));
        self.manifest.lambda = match fitted {
            Some(fitted) if is_own => fitted.lambda.clone(),
            _ => Vec::new(),
        };
        let none = Statistics::default();
        let statistics = if is_own { &self.statistics } else { &none };
        self.detectors = bind_all(statistics, self.head.as_ref(), &*self.network);
        Ok(())
    }

    /// Binds the detectors to the head, or, without one, those that need none.
    fn bind(&mut self) {
        self.detectors = bind_all(&self.statistics, self.head.as_ref(), &*self.network);
    }

    /// Shapes, recipe, thresholds.
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

    /// Tags and classes.
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
