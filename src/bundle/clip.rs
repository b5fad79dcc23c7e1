//! A CLIP's part of a bundle: names, tokenizer, learned prompts.

use std::path::Path;
use std::sync::Arc;

use super::files::Files;
use super::known::{self, DEFAULT_TEMPLATE, KnownName};
use super::manifest::{Arch, ClipPart, FORMAT, FeatureChoice, Manifest, Recipe};
use super::vocabulary::Vocabulary;
use super::{
    Bundle, BundleError, CLIP, Checksums, DEFAULT_TAU, NAMES, PROMPTS, STATISTICS, TOKENIZER,
    shapes,
};
use crate::image::Transform;
use crate::nn::Activation;
use crate::nn::clip::tokenizer::{Tokenizer, TokenizerError};
use crate::nn::clip::{Checkpoint, LearnedPrompts};
use crate::nn::source::Source;

/// What a CLIP has beside its weights.
pub struct ClipFiles {
    /// The names that are known; may be none until someone says.
    pub known: Vec<KnownName>,
    /// Its `tokenizer.json`; OpenAI's tokenizer where there is none.
    pub tokenizer: Option<Arc<[u8]>>,
    /// LoCoOp's learned prompts.
    pub prompts: Option<Source>,
}

impl ClipFiles {
    /// Builds the tokenizer of a model of this shape; `path` is the model's, for messages.
    ///
    /// # Errors
    /// If it does not fit the model.
    pub fn tokenizer(&self, part: &ClipPart, path: &Path) -> Result<Tokenizer, TokenizerError> {
        match &self.tokenizer {
            Some(bytes) => Tokenizer::of_json(bytes, &part.shape.text, &path.join(TOKENIZER)),
            None => Tokenizer::built_in(&part.shape.text, path),
        }
    }
}

impl Bundle {
    /// A CLIP's bundle.
    pub(super) fn of_clip_files(
        files: &Files,
        manifest: Manifest,
        part: &ClipPart,
    ) -> Result<Self, BundleError> {
        let sums = &manifest.checksums;
        let bad = |reason| BundleError::Manifest { reason, path: files.path(super::MANIFEST) };
        let network = files.weights(CLIP, sums)?;
        shapes::check_clip(&part.shape, &network).map_err(bad)?;
        if part.templates.is_empty() {
            return Err(bad("`clip.templates` is empty; one has to take the names".into()));
        }
        for template in &part.templates {
            known::check_template(template)?;
        }
        let known = match files.has(NAMES) {
            true => known::names_of_list(&files.list(NAMES, sums)?)?,
            false => Vec::new(),
        };
        let clip = ClipFiles {
            tokenizer: files.has(TOKENIZER).then(|| files.raw(TOKENIZER, sums)).transpose()?,
            prompts: files.has(PROMPTS).then(|| files.weights(PROMPTS, sums)).transpose()?,
            known,
        };
        let statistics =
            files.has(STATISTICS).then(|| files.bytes(STATISTICS, sums)).transpose()?;
        Ok(Self {
            vocabulary: Vocabulary::of_names(&clip.known),
            network,
            projector: None,
            projector_ce: None,
            statistics,
            clip: Some(clip),
            path: files.path(""),
            manifest,
        })
    }

    /// A published CLIP's or CLIPN's checkpoint, for which nothing is known yet.
    pub(super) fn of_clip_checkpoint(
        source: Source,
        activation: Option<Activation>,
        path: &Path,
    ) -> Result<Self, BundleError> {
        let checkpoint = Checkpoint::of_source(source, activation)?;
        if let Some(warning) = checkpoint.warning() {
            log::warn!("{warning}");
        }
        let part = ClipPart {
            templates: vec![DEFAULT_TEMPLATE.to_owned()],
            features: FeatureChoice::WholeImage,
            pixels: checkpoint.normalisation,
            shape: checkpoint.config.clone(),
        };
        let tokenizer = match &checkpoint.tokenizer_path {
            Some(path) => {
                let io = |source| BundleError::Io {
                    action: "cannot read the tokenizer",
                    source,
                    path: path.clone(),
                };
                Some(crate::fs::read(path, MAX_TOKENIZER).map_err(io)?.into())
            }
            None => None,
        };
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let manifest = Manifest {
            format: FORMAT,
            name: name.unwrap_or_default(),
            recipe: Recipe::default(),
            transform: Transform::Clip,
            upright: true,
            tau: DEFAULT_TAU,
            arch: Arch::Clip,
            tagger: None,
            clip: Some(part),
            projector: None,
            lambda: Vec::new(),
            checksums: Checksums::new(),
        };
        Ok(Self {
            manifest,
            vocabulary: Vocabulary::default(),
            network: checkpoint.source,
            projector: None,
            projector_ce: None,
            statistics: None,
            clip: Some(ClipFiles { known: Vec::new(), tokenizer, prompts: None }),
            path: path.to_owned(),
        })
    }

    /// Says what is known: names of a CLIP's labels, or tags of a tagger. What was fitted to other
    /// names or classes is left behind.
    ///
    /// # Errors
    /// If the tagger has no tag of a name.
    pub fn know(&mut self, names: Vec<KnownName>) -> Result<(), BundleError> {
        match &mut self.clip {
            Some(clip) => {
                let is_same = clip.known == names;
                self.vocabulary = Vocabulary::of_names(&names);
                clip.known = names;
                if !is_same {
                    self.drop_fitted();
                }
            }
            None => {
                let before = self.vocabulary.classes.clone();
                self.vocabulary.know(&names)?;
                if self.vocabulary.classes != before {
                    self.drop_projector();
                }
            }
        }
        Ok(())
    }

    /// Takes templates in place of the model's own, a CLIP's alone. What was fitted with others is left
    /// behind.
    ///
    /// # Errors
    /// If one has no place for the name, or the model is no CLIP.
    pub fn take_templates(&mut self, templates: Vec<String>) -> Result<(), BundleError> {
        templates.iter().try_for_each(|template| known::check_template(template))?;
        let path = self.path.clone();
        let Some(part) = &mut self.manifest.clip else {
            let reason = "templates are for a CLIP, and this is a tagger".into();
            return Err(BundleError::Manifest { reason, path });
        };
        if part.templates != templates {
            part.templates = templates;
            self.drop_fitted();
        }
        Ok(())
    }

    /// Adds LoCoOp's learned prompts to a CLIP.
    ///
    /// # Errors
    /// If the file is no prompt learner's checkpoint, or one for another width, or the model is no CLIP.
    pub fn attach_prompts(&mut self, path: &Path) -> Result<(), BundleError> {
        let bad = |reason: String| BundleError::Manifest { reason, path: path.to_owned() };
        let source = Source::open(path)?;
        let (Some(part), Some(clip)) = (&self.manifest.clip, &mut self.clip) else {
            return Err(bad("learned prompts are for a CLIP, and the model is a tagger".into()));
        };
        if !LearnedPrompts::are_in(&source) {
            return Err(bad("the file holds no learned prompts of LoCoOp's".into()));
        }
        let width = part.shape.text.transformer.width;
        LearnedPrompts::new(&source, width, &burn::tensor::Device::flex())?;
        clip.prompts = Some(source);
        Ok(())
    }

    /// Leaves behind what was fitted to names and images.
    pub fn drop_fitted(&mut self) {
        self.statistics = None;
        self.manifest.lambda.clear();
    }
}

/// Largest `tokenizer.json`, in bytes; CLIP's has two megabytes.
pub(super) const MAX_TOKENIZER: u64 = 1 << 25;
