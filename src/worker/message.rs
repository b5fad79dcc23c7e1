//! What the window asks of the worker, and what the worker tells the window.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::embedding::EmbeddingEvent;
use super::fitting::{FitProgress, FitState};
use super::job::{JobControl, JobId};
use super::report::ReportTask;
use super::survey::{Survey, Surveyed};
use crate::bundle::known::Known;
use crate::bundle::manifest::Manifest;
use crate::bundle::vocabulary::Vocabulary;
use crate::demo::World;
use crate::gpu::DeviceChoice;
use crate::image::{RgbImage, Thumbnail};
use crate::pipeline::{
    Analysis, Attention, LabelSet, Pipeline, PipelineError, Settings, TaggerOutput, lambda_in_force,
};
use crate::score;

/// An open image, unique for the life of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageId(u64);

impl ImageId {
    /// A number that no other image has.
    pub fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// A number that says nothing of when the image came: by it, the first of many images stand
    /// fairly for all.
    pub fn scattered(self) -> u64 {
        // The finalizer of SplitMix64.
        let mut bits = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }
}

/// Where an image comes from.
#[derive(Clone, Debug)]
pub enum ImageSource {
    /// A file, read when its turn comes.
    File(PathBuf),
    /// An encoded file in memory, as a drop may bring it.
    Bytes {
        /// What to call it.
        name: String,
        /// The file's content.
        bytes: Arc<[u8]>,
    },
    /// Pixels, as the clipboard brings them.
    Pixels {
        /// What to call it.
        name: String,
        /// The picture.
        rgb: Arc<RgbImage>,
    },
}

impl ImageSource {
    /// The file, if it is one.
    pub fn path(&self) -> Option<&PathBuf> {
        match self {
            Self::File(path) => Some(path),
            Self::Bytes { .. } | Self::Pixels { .. } => None,
        }
    }

    /// What to call the image: a file's own name, without its folder.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => match path.file_name() {
                Some(name) => name.to_string_lossy().into_owned(),
                None => path.display().to_string(),
            },
            Self::Bytes { name, .. } | Self::Pixels { name, .. } => name.clone(),
        }
    }
}

/// Opens a model on a device, on the worker's thread.
pub type OpenModel = Arc<dyn Fn(DeviceChoice) -> anyhow::Result<Pipeline> + Send + Sync>;

/// Has a model know other names or tags.
pub type ChangeLabels = Arc<dyn Fn(&mut Pipeline) -> Result<(), PipelineError> + Send + Sync>;

/// A piece of work on a thread of its own; it looks at the control now and then, and writes nothing
/// once that says stop. What is wrong comes back as a sentence.
pub type Task = Box<dyn FnOnce(&JobControl) -> Result<(), String> + Send>;

/// What the window asks for.
#[allow(missing_docs, reason = "the names say it all")]
pub enum Request {
    /// Forgets the model at hand; images wait for another.
    UnloadModel,
    /// Loads a model in place of the one at hand, which stays in force until the new one is whole; of
    /// several that were asked for the last is taken.
    LoadModel {
        /// What to call it until it is there.
        name: String,
        open: OpenModel,
        /// Where to compute.
        device: DeviceChoice,
    },
    /// Opens images; folders are expanded, in the background.
    AddPaths {
        job: JobId,
        /// Files and folders.
        paths: Vec<PathBuf>,
    },
    /// Draws scenes of the procedural world where they are not drawn yet, and opens them.
    OpenWorld {
        job: JobId,
        /// Which, and where.
        world: World,
        /// Those that are open already.
        open: BTreeSet<PathBuf>,
    },
    /// Opens images that are not files.
    AddSources { job: JobId, sources: Vec<ImageSource> },
    /// Decodes and tags images anew that have names already, after a change of model.
    Reopen { job: JobId, images: Vec<(ImageId, ImageSource)> },
    /// Analyses all open images at other settings, `focus` first. The newest request wins.
    Analysis {
        /// Counts upward; results carry it.
        generation: u64,
        /// τ, λ, detector, recipe.
        settings: Settings,
        /// The image on show.
        focus: Option<ImageId>,
    },
    /// Has the model know other names (of a CLIP) or tags (of a tagger), and analyses all open images
    /// anew by them, `focus` first; what was made of the images is kept. The newest request wins.
    SetLabels {
        /// Counts upward with those of [`Request::Analysis`]; results carry it.
        generation: u64,
        /// τ, λ, detector, recipe.
        settings: Settings,
        /// The image on show.
        focus: Option<ImageId>,
        /// Names them to the model.
        change: ChangeLabels,
    },
    /// Analyses one image at settings of its own. The newest request wins.
    Compare {
        /// Counts upward; the result carries it.
        generation: u64,
        image: ImageId,
        /// τ, λ, detector, recipe.
        settings: Settings,
    },
    /// Scores images at other settings while nothing else is to do; `None` stops the one at work.
    Survey(Option<Survey>),
    /// Writes the report of `evaluate` on open images, made while nothing else is to do.
    Report(ReportTask),
    /// Does something that takes no model, such as writing a file.
    Run {
        job: JobId,
        /// What to do.
        task: Task,
    },
    /// Brings the attention of tags that were not kept.
    AttentionOf {
        image: ImageId,
        /// The tags, ascending.
        tags: Vec<usize>,
    },
    /// Forgets images.
    Remove(Vec<ImageId>),
    /// Stops a job: before its next image, or before it writes.
    Cancel(JobId),
}

impl Request {
    /// The job that this begins.
    pub(super) fn job(&self) -> Option<JobId> {
        match self {
            Self::AddPaths { job, .. }
            | Self::OpenWorld { job, .. }
            | Self::AddSources { job, .. }
            | Self::Reopen { job, .. }
            | Self::Run { job, .. } => Some(*job),
            Self::Report(task) => Some(task.job),
            _ => None,
        }
    }
}

/// What there is to know of a loaded model without touching it.
#[derive(Debug)]
pub struct ModelInfo {
    /// The bundle's manifest.
    pub manifest: Manifest,
    /// The tags that the network knows, and the classes that they make.
    pub vocabulary: Vocabulary,
    /// What a person calls the device.
    pub device: String,
    /// Classifier and class centers, if there is a projector.
    pub head: Option<Arc<score::Head>>,
    /// The detectors it can score with.
    pub detectors: Vec<&'static score::Info>,
    /// Text features of a CLIP's names in force; `None` for a tagger.
    pub labels: Option<Arc<LabelSet>>,
    /// What it knows, as a person says it.
    pub known: Known,
    /// The settings that its bundle asks for.
    pub defaults: Settings,
    /// How long loading took, in milliseconds.
    pub load_ms: f32,
}

impl ModelInfo {
    /// Gathers what the window shows of a model.
    pub fn of(pipeline: &Pipeline, load_ms: f32) -> Self {
        Self {
            manifest: pipeline.manifest().clone(),
            vocabulary: pipeline.vocabulary().clone(),
            device: pipeline.device_label().to_owned(),
            head: pipeline.head().cloned(),
            detectors: pipeline.detectors(),
            labels: pipeline.label_set().cloned(),
            known: pipeline.known(),
            defaults: pipeline.default_settings(),
            load_ms,
        }
    }

    /// The λ in force: the user's, or the model's own for this detector and recipe.
    pub fn lambda(&self, settings: &Settings) -> Option<f32> {
        lambda_in_force(&self.manifest, settings)
    }

    /// The decoder layer whose attention a recipe uses, counted from 0.
    pub fn layer(&self, settings: &Settings) -> usize {
        settings.recipe.layer(self.manifest.map_layers_and_heads()[0])
    }
}

/// What the worker tells.
#[allow(missing_docs, reason = "the names say it all")]
pub enum Event {
    /// A model is being loaded.
    ModelLoading(String),
    /// The model is there.
    ModelReady(Arc<ModelInfo>),
    /// A model could not be loaded, and the one at hand stays in force; the sentence says why.
    ModelFailed(String),
    /// The model knows other names or tags now.
    LabelsSet {
        /// The request this answers.
        generation: u64,
        info: Arc<ModelInfo>,
    },
    /// The model knows what it knew.
    LabelsRefused {
        /// The request this answers.
        generation: u64,
        /// Why.
        error: String,
    },
    /// A job that draws scenes has got so far.
    Drawn {
        job: JobId,
        /// Scenes that are there now.
        scenes: usize,
    },
    /// A job's images are known, or a part of them where they are many.
    Listed {
        job: JobId,
        /// The images, in order.
        images: Vec<(ImageId, ImageSource)>,
        /// The folders among what was opened.
        folders: Vec<PathBuf>,
        /// Whether more of them are to be told.
        more: bool,
    },
    /// An image was decoded.
    Decoded {
        image: ImageId,
        /// A small picture of it.
        thumbnail: Arc<Thumbnail>,
        /// Width and height, in pixels.
        size: [u32; 2],
        /// Times of decoding and preprocessing, in milliseconds.
        stage_ms: [f32; 2],
    },
    /// An image cannot be had; the sentence says why.
    Failed {
        image: ImageId,
        /// Why.
        error: String,
    },
    /// The tagger has seen an image.
    TaggerOutput {
        image: ImageId,
        /// The tagger's share of time, in milliseconds.
        tagger_ms: f32,
    },
    /// What the tagger made of an image, which was asked for.
    Recalled {
        image: ImageId,
        /// Tokens, logits, attention.
        tagged: Arc<TaggerOutput>,
    },
    /// An image was looked at at settings of its own, beside the others.
    Compared {
        image: ImageId,
        /// The request this answers.
        generation: u64,
        /// Map, mask, feature, verdict; `None` if it cannot be looked at.
        analysis: Option<Arc<Analysis>>,
    },
    /// An image was looked at.
    Analysed {
        image: ImageId,
        /// The request this answers.
        generation: u64,
        /// Map, mask, feature, verdict.
        analysis: Arc<Analysis>,
    },
    /// Images could not be analysed: the device failed, or the detector cannot score them.
    AnalysisFailed {
        images: Vec<ImageId>,
        /// The request this answers.
        generation: u64,
        /// Why.
        error: String,
    },
    /// Some images of a survey were scored.
    Surveyed(Surveyed),
    /// A survey ended early; the sentence says why.
    SurveyFailed {
        /// The survey.
        ticket: u64,
        /// Why.
        error: String,
    },
    /// The attention that was asked for.
    Attention {
        image: ImageId,
        /// Of the tags asked for.
        attention: Arc<Attention>,
    },
    /// The picture at full size (or the longest side that is shown).
    Picture {
        image: ImageId,
        /// Pixels, or why there are none.
        picture: Result<Arc<RgbImage>, String>,
    },
    /// Small pictures of some images of a folder; one that cannot be read has none.
    Samples { folder: PathBuf, pictures: Vec<Thumbnail> },
    /// The map of features has moved, or there is none.
    Embedding {
        /// The run this belongs to.
        run: u64,
        /// What happened.
        event: EmbeddingEvent,
    },
    /// A fit is this far.
    Fit {
        /// The start this belongs to.
        run: u64,
        /// How far it is.
        state: FitState,
        /// What it has told.
        progress: FitProgress,
    },
    /// A job that is not counted by its images is this far.
    Advanced {
        job: JobId,
        /// Pieces done.
        done: usize,
    },
    /// A job has ended, by itself or cancelled.
    JobEnded(JobId),
    /// Something failed that concerns no single image.
    Trouble(String),
}
