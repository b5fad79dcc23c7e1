//! Model bundles: what a model is made of, on disk and embedded.
//!
//! A bundle is a folder:
//!
//! | file | |
//! |---|---|
//! | `bundle.toml` | [`Manifest`] |
//! | `tagger.safetensors` | the tagger, under its published names |
//! | `tags.txt`, `thresholds.txt` | one line for each tag |
//! | `vocabulary.tsv` | classes and their tags, editable |
//! | `projector.safetensors` | the projector and its class `centers` |
//! | `projector_ce.safetensors` | a projector trained with cross-entropy alone, for comparison |
//! | `statistics.safetensors` | what detectors were fitted to |
//!
//! A plain RAM checkpoint works in a bundle's place: it has tags and maps, and no verdict until a
//! projector is named too.

pub mod embedded;
mod files;
pub mod manifest;
pub mod vocabulary;
mod write;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::image::Transform;
use crate::nn::projector::ProjectorConfig;
use crate::nn::ram::RamConfig;
use crate::nn::source::{SafetensorsBytes, Source, WeightsError};
use files::Files;
use manifest::{FORMAT, Manifest, Recipe};
use vocabulary::{Vocabulary, VocabularyError};

pub use write::{BundleFiles, Precision, Weights, write_safetensors};

const MANIFEST: &str = "bundle.toml";
const TAGGER: &str = "tagger.safetensors";
const TAGS: &str = "tags.txt";
const THRESHOLDS: &str = "thresholds.txt";
const CLASSES: &str = "vocabulary.tsv";
const PROJECTOR: &str = "projector.safetensors";
const PROJECTOR_CE: &str = "projector_ce.safetensors";
const STATISTICS: &str = "statistics.safetensors";

/// The τ that the paper found best, and that the released code has as a constant.
pub const DEFAULT_TAU: f32 = 0.5;

/// What can go wrong with a bundle.
#[derive(Debug, Error)]
pub enum BundleError {
    /// A file cannot be read or written.
    #[error("{action}: {source}: {}", path.display())]
    Io {
        /// What was being done, as in "cannot read the bundle".
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
        /// The file.
        path: PathBuf,
    },
    /// `bundle.toml` is not what it should be.
    #[error("{reason}: {}", path.display())]
    Manifest {
        /// What is wrong.
        reason: String,
        /// The file.
        path: PathBuf,
    },
    /// Weights are missing or do not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A list is missing or does not fit.
    #[error(transparent)]
    Vocabulary(#[from] VocabularyError),
}

/// Class centers: values and their shape `[classes, patterns, width / patterns]`.
pub type StoredCenters = (Vec<f32>, [usize; 3]);

/// A model: its manifest, its lists, and where its weights lie.
pub struct Bundle {
    /// Shapes, recipe, thresholds.
    pub manifest: Manifest,
    /// Tags and classes.
    pub vocabulary: Vocabulary,
    /// The tagger's weights.
    pub tagger: Source,
    /// The projector's weights, with its centers.
    pub projector: Option<Source>,
    /// The weights of a projector trained with cross-entropy alone.
    pub projector_ce: Option<Source>,
    /// What detectors were fitted to, as safetensors; `None` where none was.
    pub statistics: Option<SafetensorsBytes>,
    /// Where it came from.
    pub path: PathBuf,
}

impl Bundle {
    /// Opens a bundle's folder, or a plain checkpoint.
    ///
    /// # Errors
    /// If a file is missing, damaged, or does not fit the others.
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        if path.is_dir() { Self::of_files(&Files::Folder(path)) } else { Self::of_checkpoint(path) }
    }

    fn of_files(files: &Files) -> Result<Self, BundleError> {
        let manifest = parse_manifest(&files.text(MANIFEST)?, &files.path(MANIFEST))?;
        let optional = |name: &str| -> Result<Option<Source>, WeightsError> {
            files.has(name).then(|| files.weights(name)).transpose()
        };
        let mut vocabulary = Vocabulary::numbered(manifest.tagger.tags);
        vocabulary.parse_tags(&files.text(TAGS)?, &files.path(TAGS))?;
        vocabulary.parse_thresholds(&files.text(THRESHOLDS)?, &files.path(THRESHOLDS))?;
        if files.has(CLASSES) {
            vocabulary.parse_classes(&files.text(CLASSES)?, &files.path(CLASSES))?;
        }
        Ok(Self {
            vocabulary,
            tagger: files.weights(TAGGER)?,
            projector: manifest.projector.as_ref().map(|_| files.weights(PROJECTOR)).transpose()?,
            projector_ce: optional(PROJECTOR_CE)?,
            statistics: files.has(STATISTICS).then(|| files.bytes(STATISTICS)).transpose()?,
            manifest,
            path: files.path(""),
        })
    }

    /// A published RAM or RAM++ checkpoint, with numbered tags and no projector.
    fn of_checkpoint(path: &Path) -> Result<Self, BundleError> {
        let tagger = Source::open(path)?;
        let config = RamConfig::of_checkpoint(&tagger)?;
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        Ok(Self {
            vocabulary: Vocabulary::numbered(config.tags),
            manifest: Manifest {
                format: FORMAT,
                name: name.unwrap_or_default(),
                recipe: Recipe::default(),
                // TagOOD's own: the tagger's tokens are always made with this one.
                transform: Transform::Tagood,
                tau: DEFAULT_TAU,
                tagger: config,
                projector: None,
                lambda: Vec::new(),
            },
            tagger,
            projector: None,
            projector_ce: None,
            statistics: None,
            path: path.to_owned(),
        })
    }

    /// Adds a projector in the released layout (`projector`, `ema`), or from another bundle.
    ///
    /// # Errors
    /// If the file is not a projector, or one for another width of tokens.
    pub fn attach_projector(&mut self, path: &Path) -> Result<(), BundleError> {
        let source = Source::open(path)?;
        let config = ProjectorConfig::of_checkpoint(&source)?;
        if config.joint != self.manifest.tagger.joint {
            return Err(BundleError::Manifest {
                reason: format!(
                    "the projector takes tokens of width {}, but the tagger's are {} wide",
                    config.joint, self.manifest.tagger.joint
                ),
                path: path.to_owned(),
            });
        }
        self.manifest.projector = Some(config);
        self.projector = Some(source);
        Ok(())
    }

    /// The learned class centers, `[classes, patterns, width / patterns]` with their shape.
    ///
    /// # Errors
    /// If the projector's file has none or they do not fit.
    pub fn centers(&self) -> Result<Option<StoredCenters>, BundleError> {
        let (Some(source), Some(config)) = (&self.projector, &self.manifest.projector) else {
            return Ok(None);
        };
        let shape = [config.classes, config.patterns, config.width / config.patterns.max(1)];
        let stored = source.read_beside("ema").or_else(|| source.read_beside("centers"));
        let missing = || WeightsError::Missing {
            name: "centers".into(),
            expected: shape.to_vec(),
            path: source.path().to_owned(),
        };
        let (found, values) = stored.ok_or_else(missing)??;
        if found != shape {
            return Err(BundleError::Weights(WeightsError::Shape {
                name: "centers".into(),
                expected: shape.to_vec(),
                found,
                path: source.path().to_owned(),
            }));
        }
        Ok(Some((values, shape)))
    }
}

fn parse_manifest(text: &str, path: &Path) -> Result<Manifest, BundleError> {
    let bad = |reason: String| BundleError::Manifest { reason, path: path.to_owned() };
    let manifest: Manifest = toml::from_str(text).map_err(|e| bad(e.message().to_owned()))?;
    if manifest.format != FORMAT {
        return Err(bad(format!(
            "the bundle's format is {}, this program reads format {FORMAT}",
            manifest.format
        )));
    }
    if !(0.0..=1.0).contains(&manifest.tau) {
        return Err(bad(format!("tau is {}, but must lie between 0 and 1", manifest.tau)));
    }
    let swin = &manifest.tagger.swin;
    let stages = swin.depths.len();
    let fits = stages > 0
        && stages == swin.heads.len()
        && swin.heads.iter().all(|&heads| heads > 0)
        && swin.patch > 0
        && swin.window > 0
        && stages < 16
        && swin.image.is_multiple_of(swin.patch << (stages - 1))
        && swin.sides().iter().all(|&s| s > 0 && (s <= swin.window || s % swin.window == 0));
    match fits {
        true => Ok(manifest),
        false => Err(bad("the tagger's stages, image side and window do not fit together".into())),
    }
}
