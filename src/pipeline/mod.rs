//! One image or a batch through all stages: the part that is computed once, and the part that
//! follows τ.
//!
//! [`Pipeline::tag`] makes [`TaggerOutput`], which depends on the image alone and is worth keeping.
//! [`Pipeline::score`] scores any number of them at any number of settings, and is the only way to a
//! score. [`Pipeline::analyse`] shows what it did to one image, as an [`Analysis`]: this is what runs
//! while the slider moves.

mod analysis;
mod features;
mod odin;
mod project;
mod scoring;
mod tagger_key;
mod tagger_output;

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::{Device, ExecutionError, FloatDType, Tensor, TensorData};
use thiserror::Error;

use crate::bundle::manifest::{Manifest, Recipe};
use crate::bundle::vocabulary::Vocabulary;
use crate::bundle::{Bundle, BundleError};
use crate::gpu::Compute;
use crate::image::{Normalisation, Region, RgbImage, tensor_data};
use crate::nn::projector::Projector;
use crate::nn::ram::Ram;
use crate::nn::source::WeightsError;
use crate::nn::tag_decoder::TagQueries;
use crate::nn::weights::{self, WeightLoader};
use crate::score::distance::Centers;
use crate::score::{self, FittedDetector, Head, ScoreError, Statistics};

pub use analysis::{Analysis, Decomposition, Nearest, Settings};
pub use features::{Features, Image, ImageFeature, Inputs};
pub use odin::OdinInput;
pub use project::Projected;
pub use scoring::{Column, ScorePlan, ScoredColumn};
pub use tagger_key::TaggerKey;
pub use tagger_output::{Attention, Keep, TaggerOutput};

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
    device: Device,
    label: String,
    ram: Ram,
    queries: Option<TagQueries>,
    projector: Option<Projector>,
    projector_ce: Option<Projector>,
    head: Option<Arc<Head>>,
    detectors: BTreeMap<&'static str, Result<FittedDetector, ScoreError>>,
    dtype: Option<FloatDType>,
    tagger_key: Option<TaggerKey>,
}

impl Pipeline {
    /// Loads a bundle's networks onto a device.
    ///
    /// # Errors
    /// If weights are missing or misshapen, or statistics are damaged.
    pub fn load(bundle: &Bundle, compute: &Compute) -> Result<Self, PipelineError> {
        Self::load_as(bundle, compute, None)
    }

    /// As [`Pipeline::load`], with the tagger's weights and activations in another type (`f16` on
    /// a GPU); the projector stays in `f32`.
    ///
    /// # Errors
    /// As [`Pipeline::load`].
    pub fn load_as(
        bundle: &Bundle,
        compute: &Compute,
        dtype: Option<FloatDType>,
    ) -> Result<Self, PipelineError> {
        let (manifest, device) = (bundle.manifest.clone(), &compute.device);
        let mut from = WeightLoader::stored(&bundle.tagger, device);
        if let Some(dtype) = dtype {
            from = from.with_dtype(dtype);
        }
        let ram = Ram::new(&manifest.tagger, &from)?;
        report_unexpected(&bundle.tagger, &from);
        let queries = ram.tag_queries();
        let load_projector = |source: &Option<_>| -> Result<Option<Projector>, WeightsError> {
            let (Some(source), Some(config)) = (source, &manifest.projector) else {
                return Ok(None);
            };
            Projector::new(config, &WeightLoader::stored(source, device)).map(Some)
        };
        let projector = load_projector(&bundle.projector)?;
        let projector_ce = load_projector(&bundle.projector_ce)?;
        let head = match (&projector, bundle.centers()?) {
            (Some(projector), Some((values, shape))) => {
                let (weight, bias) = projector.classifier();
                let (weight, bias) = (floats(weight)?, floats(bias)?);
                Some(Arc::new(Head::new(weight, bias, Centers::new(values, shape)?)?))
            }
            _ => None,
        };
        let statistics = match &bundle.statistics {
            Some(bytes) => Statistics::from_bytes(bytes)?,
            None => Statistics::default(),
        };
        let detectors = head.as_ref().map(|head| bind_all(&statistics, head)).unwrap_or_default();
        Ok(Self {
            vocabulary: bundle.vocabulary.clone(),
            device: device.clone(),
            label: compute.label.clone(),
            ram,
            queries,
            projector,
            projector_ce,
            head,
            detectors,
            dtype,
            tagger_key: None,
            manifest,
        })
    }

    /// The same tagger with another projector and its centers; of the detectors, those that need no
    /// statistics.
    ///
    /// # Errors
    /// If the centers do not fit the projector.
    pub fn with_projector(
        &self,
        projector: Projector,
        centers: Centers,
    ) -> Result<Self, PipelineError> {
        let (weight, bias) = projector.classifier();
        let head = Arc::new(Head::new(floats(weight)?, floats(bias)?, centers)?);
        let mut manifest = self.manifest.clone();
        manifest.lambda.clear();
        Ok(Self {
            manifest,
            vocabulary: self.vocabulary.clone(),
            device: self.device.clone(),
            label: self.label.clone(),
            ram: self.ram.clone(),
            queries: self.queries.clone(),
            projector: Some(projector),
            projector_ce: None,
            detectors: bind_all(&Statistics::default(), &head),
            head: Some(head),
            dtype: self.dtype,
            tagger_key: self.tagger_key,
        })
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

    /// The classifier and class centers, if there is a projector.
    pub fn head(&self) -> Option<&Arc<Head>> {
        self.head.as_ref()
    }

    /// A detector that this model can score with.
    pub fn detector(&self, id: &str) -> Option<&FittedDetector> {
        self.detectors.get(id)?.as_ref().ok()
    }

    /// Why this model cannot score with a detector; `None` if it can, if there is no such detector,
    /// or if it has no projector at all.
    pub fn why_not(&self, id: &str) -> Option<&ScoreError> {
        self.detectors.get(id)?.as_ref().err()
    }

    /// The detectors that this model can score with, in the registry's order.
    pub fn detectors(&self) -> Vec<&'static score::Info> {
        let bound = |d: &&dyn score::Detector| self.detector(d.info().id).is_some();
        score::all().iter().copied().filter(bound).map(|d| d.info()).collect()
    }

    /// The settings that the model starts with: its recipe and τ, and the recipe's detector.
    pub fn default_settings(&self) -> Settings {
        let recipe = self.manifest.recipe;
        Settings::new(self.manifest.tau, recipe)
    }

    /// The tagging head's layer whose attention a recipe uses.
    pub fn layer(&self, recipe: Recipe) -> usize {
        recipe.layer(self.manifest.tagger.decoder.layers)
    }

    /// Side of the square that images become, in pixels.
    pub fn image_side(&self) -> u32 {
        self.manifest.tagger.swin.image as u32
    }

    /// The network's input for a decoded image: `[3, S, S]`, row-major.
    pub fn prepare(&self, image: &RgbImage) -> Vec<f32> {
        let square = self.manifest.transform.apply(image, self.image_side());
        tensor_data(&square, &Normalisation::IMAGENET)
    }

    /// A batch of prepared images as `[batch, 3, S, S]`.
    fn batch(&self, images: &[&[f32]]) -> Tensor<4> {
        let side = self.manifest.tagger.swin.image;
        let values: Vec<f32> = images.concat();
        let data = TensorData::new(values, [images.len(), 3, side, side]);
        let batch: Tensor<4> = Tensor::from_data(data, &self.device);
        match self.dtype {
            Some(dtype) => batch.cast(dtype),
            None => batch,
        }
    }
}

fn report_unexpected(source: &crate::nn::source::Source, from: &WeightLoader) {
    let unexpected = weights::unexpected(source, &from.names());
    if let Some(first) = unexpected.first() {
        let (count, path) = (unexpected.len(), source.path().display());
        log::warn!("{count} tensors are not part of this tagger, the first is `{first}`: {path}");
    }
}

fn bind_all(
    statistics: &Statistics,
    head: &Arc<Head>,
) -> BTreeMap<&'static str, Result<FittedDetector, ScoreError>> {
    let bind = |detector: &&dyn score::Detector| {
        (detector.info().id, score::bind(*detector, statistics, head))
    };
    score::all().iter().map(bind).collect()
}

/// A tensor's values in row-major order.
pub(crate) fn floats<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, PipelineError> {
    let data = tensor.cast(FloatDType::F32).try_into_data()?;
    data.try_into_vec::<f32>().map_err(|error| PipelineError::Device(format!("{error:?}")))
}
