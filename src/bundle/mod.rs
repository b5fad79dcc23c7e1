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
//! or, where the manifest's `arch` is `clip`:
//!
//! | file | |
//! |---|---|
//! | `bundle.toml` | [`Manifest`] |
//! | `clip.safetensors` | the networks, under OpenAI's names; with a no side, a CLIPN's |
//! | `tokenizer.json` | where the model has one of its own |
//! | `names.txt` | what is known, one name a line, with synonyms after a colon |
//! | `prompts.safetensors` | LoCoOp's learned prompts |
//! | `statistics.safetensors` | what detectors were fitted to, class centers among it |
//!
//! `bundle.toml` keeps a hash of every other file but `vocabulary.tsv`, and of itself: a damaged bundle
//! is refused. The projector's file names the classes of its centers, so that the lines of
//! `vocabulary.tsv` may stand in any order.
//!
//! A published checkpoint works in a bundle's place. One of RAM's has tags and maps, and scores images
//! by their tags until a projector is named; one of CLIP's waits for names.

mod checksums;
mod clip;
pub mod embedded;
mod files;
pub mod known;
pub mod manifest;
mod shapes;
pub mod templates;
pub mod vocabulary;
mod write;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::image::Transform;
use crate::nn::Activation;
use crate::nn::clip::{Layout, LearnedPrompts, weights_file};
use crate::nn::projector::ProjectorConfig;
use crate::nn::ram::RamConfig;
use crate::nn::source::{SafetensorsBytes, Source, WeightsError};
use files::Files;
use manifest::{Arch, FORMAT, Lambda, Manifest, Recipe};
use vocabulary::{Vocabulary, VocabularyError};

pub use checksums::Checksums;
pub use clip::ClipFiles;
pub use write::{BundleFiles, Precision, Weights, projector_names, write_safetensors};

const MANIFEST: &str = "bundle.toml";
const TAGGER: &str = "tagger.safetensors";
const CLIP: &str = "clip.safetensors";
const TOKENIZER: &str = "tokenizer.json";
const NAMES: &str = "names.txt";
const PROMPTS: &str = "prompts.safetensors";
const TAGS: &str = "tags.txt";
const THRESHOLDS: &str = "thresholds.txt";
const CLASSES: &str = "vocabulary.tsv";
const PROJECTOR: &str = "projector.safetensors";
const PROJECTOR_CE: &str = "projector_ce.safetensors";
const STATISTICS: &str = "statistics.safetensors";

/// Where a projector's file keeps the names of its centers' classes: a JSON array of strings, in the
/// header of the safetensors file.
const CLASS_NAMES: &str = "classes";

/// The τ that the paper found best, and that the released code has as a constant.
pub const DEFAULT_TAU: f32 = 0.5;

/// What can go wrong with a bundle.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum BundleError {
    /// A file cannot be read or written.
    #[error("{action}: {source}: {}", path.display())]
    Io {
        /// What was being done, as in "cannot read the bundle".
        action: &'static str,
        source: std::io::Error,
        path: PathBuf,
    },
    /// `bundle.toml` is not what it should be.
    #[error("{reason}: {}", path.display())]
    Manifest { reason: String, path: PathBuf },
    /// Weights are missing or do not fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A list is missing or does not fit.
    #[error(transparent)]
    Vocabulary(#[from] VocabularyError),
    /// Names or templates are wrong.
    #[error(transparent)]
    Known(#[from] known::KnownError),
}

impl BundleError {
    /// The same fault of a file that is to be in another folder.
    fn renamed(mut self, from: &Path, to: &Path) -> Self {
        if let Self::Io { path, .. } | Self::Manifest { path, .. } = &mut self
            && let Ok(inside) = path.strip_prefix(from)
        {
            *path = to.join(inside);
        }
        self
    }
}

/// Class centers: values and their shape `[classes, patterns, width / patterns]`.
pub type StoredCenters = (Vec<f32>, [usize; 3]);

/// A model: its manifest, its lists, and where its weights lie.
pub struct Bundle {
    /// What `bundle.toml` says: shapes, recipe, τ, λ.
    pub manifest: Manifest,
    /// The tags that the network knows, their thresholds, and the classes that they make.
    pub vocabulary: Vocabulary,
    /// The network's weights, read tensor by tensor when the network is built.
    pub network: Source,
    /// The projector's weights, with its centers.
    pub projector: Option<Source>,
    /// The weights of a projector trained with cross-entropy alone.
    pub projector_ce: Option<Source>,
    /// What detectors were fitted to, as safetensors; `None` where none was.
    pub statistics: Option<SafetensorsBytes>,
    /// What a CLIP has beside its weights; `None` for a tagger.
    pub clip: Option<ClipFiles>,
    /// Where it came from.
    pub path: PathBuf,
}

impl Bundle {
    /// Opens a bundle's folder, or a plain checkpoint.
    ///
    /// # Errors
    /// If a file is missing, damaged, or does not fit the others.
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        Self::open_with(path, None)
    }

    /// As [`Bundle::open`], with the activation of a CLIP's checkpoint, which its weights do not say.
    ///
    /// # Errors
    /// As [`Bundle::open`].
    pub fn open_with(path: &Path, activation: Option<Activation>) -> Result<Self, BundleError> {
        let weights = weights_file(path);
        match path.is_dir() && (path.join(MANIFEST).exists() || weights == path) {
            true => Self::of_files(&Files::Folder(path)),
            false => Self::of_checkpoint(&weights, activation),
        }
    }

    fn of_files(files: &Files) -> Result<Self, BundleError> {
        let manifest = parse_manifest(&files.text(MANIFEST)?, &files.path(MANIFEST))?;
        let sums = &manifest.checksums;
        let is_missing = |name: &&String| *name != MANIFEST && !files.has(name);
        if let Some(name) = sums.keys().find(is_missing) {
            let reason = "the bundle's file is missing; copy the bundle again".into();
            return Err(BundleError::Manifest { reason, path: files.path(name) });
        }
        let optional = |name: &str| -> Result<Option<Source>, BundleError> {
            files.has(name).then(|| files.weights(name, sums)).transpose()
        };
        let bad = |reason| BundleError::Manifest { reason, path: files.path(MANIFEST) };
        let config = match (manifest.arch, &manifest.tagger, &manifest.clip) {
            (Arch::Ram, Some(config), None) => config.clone(),
            (Arch::Clip, None, Some(part)) => {
                let part = part.clone();
                return Self::of_clip_files(files, manifest, &part);
            }
            _ => return Err(bad("`arch` and the network's shape do not fit together".into())),
        };
        let network = files.weights(TAGGER, sums)?;
        shapes::check_tagger(&config, &network).map_err(bad)?;
        let projector =
            manifest.projector.as_ref().map(|_| files.weights(PROJECTOR, sums)).transpose()?;
        let projector_ce = optional(PROJECTOR_CE)?;
        if let Some(projected) = &manifest.projector {
            for weights in projector.iter().chain(&projector_ce) {
                shapes::check_projector(projected, &config, weights).map_err(bad)?;
            }
        }
        let mut vocabulary = Vocabulary::numbered(config.tags);
        vocabulary.take_tags(&files.list(TAGS, sums)?)?;
        vocabulary.take_thresholds(&files.list(THRESHOLDS, sums)?)?;
        let classes = files.has(CLASSES);
        if classes {
            vocabulary.take_classes(&files.list(CLASSES, &Checksums::new())?)?;
        }
        let statistics =
            files.has(STATISTICS).then(|| files.bytes(STATISTICS, sums)).transpose()?;
        let path = files.path("");
        let clip = None;
        let mut bundle =
            Self { manifest, vocabulary, network, projector, projector_ce, statistics, clip, path };
        if classes {
            bundle.tie_own_classes(&files.path(CLASSES))?;
        }
        Ok(bundle)
    }

    /// Ties a person's list of classes to the projector's centers, where there is a projector: by name
    /// where its file says which class each center is of; classes that the list leaves out then have no
    /// tag, with a word. Otherwise in the order of the list, with a word.
    ///
    /// # Errors
    /// If the list, which `path` names, has other classes than the projector, or, where these have no
    /// names, another number of them.
    pub fn tie_classes(&mut self, path: &Path) -> Result<(), BundleError> {
        let Some(names) = self.class_names()? else { return self.take_order(path) };
        let left_out = self.vocabulary.narrow(&names, path)?;
        if left_out > 0 {
            let (all, path) = (names.len(), path.display());
            log::warn!(
                "the list leaves out {left_out} of the model's {all} classes: they have no tag, so that \
                 no image is known for them: {path}"
            );
        }
        Ok(())
    }

    /// Ties the bundle's own list, which names every class.
    fn tie_own_classes(&mut self, path: &Path) -> Result<(), BundleError> {
        match self.class_names()? {
            Some(names) => Ok(self.vocabulary.order_by(&names, path)?),
            None => self.take_order(path),
        }
    }

    /// Takes the centers in the order of the list, where nothing says which class each is of.
    fn take_order(&self, path: &Path) -> Result<(), BundleError> {
        let Some(config) = &self.manifest.projector else { return Ok(()) };
        let classes = config.classes;
        self.vocabulary.check_class_count(classes, path)?;
        log::warn!(
            "the projector's file does not say which class each of its {classes} centers is of; they are \
             taken in the order of the list: {}",
            path.display()
        );
        Ok(())
    }

    /// The names of the classes in the order of the centers, if the projector's file has them.
    fn class_names(&self) -> Result<Option<Vec<String>>, BundleError> {
        let (Some(source), Some(config)) = (&self.projector, &self.manifest.projector) else {
            return Ok(None);
        };
        let Some(text) = source.note(CLASS_NAMES) else { return Ok(None) };
        let names = serde_json::from_str(text).ok();
        let names = names.filter(|names: &Vec<String>| names.len() == config.classes);
        let damaged = || BundleError::Manifest {
            reason: format!("the names of the {} class centers are damaged", config.classes),
            path: source.path().to_owned(),
        };
        names.ok_or_else(damaged).map(Some)
    }

    /// Leaves the projector, and all that was fitted with it, behind: what remains is the tagger.
    pub fn drop_projector(&mut self) {
        (self.manifest.projector, self.projector, self.projector_ce) = (None, None, None);
        self.statistics = None;
        self.manifest.lambda.clear();
    }

    /// A published checkpoint: a CLIP's, or a RAM's or RAM++'s with numbered tags and no projector.
    fn of_checkpoint(path: &Path, activation: Option<Activation>) -> Result<Self, BundleError> {
        let network = Source::open(path)?;
        if Layout::of(&network).is_some() {
            return Self::of_clip_checkpoint(network, activation, path);
        }
        if LearnedPrompts::are_in(&network) {
            let reason = "these are LoCoOp's learned prompts, not a model; name them with --prompts, \
                          beside a CLIP";
            let path = path.to_owned();
            return Err(BundleError::Manifest { reason: reason.into(), path });
        }
        let config = RamConfig::of_checkpoint(&network)?;
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        Ok(Self {
            vocabulary: Vocabulary::numbered(config.tags),
            manifest: Manifest {
                format: FORMAT,
                name: name.unwrap_or_default(),
                recipe: Recipe::default(),
                // TagOOD's own: the tagger's tokens are always made with this one.
                transform: Transform::Tagood,
                upright: true,
                tau: DEFAULT_TAU,
                arch: Arch::Ram,
                tagger: Some(config),
                clip: None,
                projector: None,
                lambda: Vec::new(),
                checksums: Checksums::new(),
            },
            network,
            projector: None,
            projector_ce: None,
            statistics: None,
            clip: None,
            path: path.to_owned(),
        })
    }

    /// Takes a projector in the released layout (`projector`, `ema`), or from another bundle, in place
    /// of the bundle's own and all that was fitted with that. A list of classes is yet to be tied to
    /// it: see [`Bundle::tie_classes`].
    ///
    /// # Errors
    /// If the file is not a projector, or one for another tagger.
    pub fn attach_projector(&mut self, path: &Path) -> Result<(), BundleError> {
        let source = Source::open(path)?;
        let config = ProjectorConfig::of_checkpoint(&source)?;
        let bad = |reason| BundleError::Manifest { reason, path: path.to_owned() };
        let Some(tagger) = &self.manifest.tagger else {
            return Err(bad("a projector is for a tagger, and the model is a CLIP".into()));
        };
        shapes::check_projector(&config, tagger, &source).map_err(bad)?;
        self.drop_projector();
        (self.manifest.projector, self.projector) = (Some(config), Some(source));
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
        if !values.iter().all(|value| value.is_finite()) {
            let reason = "the class centers hold a value that is not finite".into();
            return Err(BundleError::Manifest { reason, path: source.path().to_owned() });
        }
        Ok(Some((values, shape)))
    }
}

#[derive(serde::Deserialize)]
struct Version {
    format: u32,
}

fn parse_manifest(text: &str, path: &Path) -> Result<Manifest, BundleError> {
    let bad = |reason: String| BundleError::Manifest { reason, path: path.to_owned() };
    // The version first: another one may have other fields.
    let version: Version = toml::from_str(text).map_err(|e| bad(e.message().to_owned()))?;
    if !(1..=FORMAT).contains(&version.format) {
        return Err(bad(format!(
            "the bundle's format is {}, this program reads formats 1 to {FORMAT}",
            version.format
        )));
    }
    checksums::check_seal(text, version.format).map_err(bad)?;
    let manifest: Manifest = toml::from_str(text).map_err(|e| bad(e.message().to_owned()))?;
    if !(0.0..=1.0).contains(&manifest.tau) {
        return Err(bad(format!("tau is {}, but must lie between 0 and 1", manifest.tau)));
    }
    for lambda in &manifest.lambda {
        let Lambda { detector, value, tpr, tau, .. } = lambda;
        if !value.is_finite() || !(0.0..=1.0).contains(tau) || !(0.0..=1.0).contains(tpr) {
            return Err(bad(format!("the threshold of `{detector}` is not a number in its range")));
        }
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests;
