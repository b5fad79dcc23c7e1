//! The arguments that name a model, shared by the subcommands that use one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, bail};
use clap::{Args, Parser as _};

use crate::bundle::manifest::Recipe;
use crate::bundle::{Bundle, embedded, known, templates};
use crate::gpu::{self, Compute, DeviceChoice};
use crate::image::Transform;
use crate::nn::Activation;
use crate::pipeline::{FeatureChoice, Labels, Pipeline, Remembered, Settings};
use crate::score::negatives::NegativeWords;
use crate::session::SavedModel;
use crate::session::SavedPath;
use crate::session::command::ModelSource;
use crate::store::OutputCache;

/// Which model, and where to run it.
#[derive(Args, Clone, Debug, Default)]
pub struct ModelArgs {
    /// A bundle's folder, or a published checkpoint of RAM, RAM++, CLIP or CLIPN (.pth, .pt, .bin,
    /// .safetensors, or its folder), or `embedded-clip` for the embedded CLIPN; the embedded tagger if
    /// not given
    #[arg(long, value_name = "BUNDLE|CHECKPOINT")]
    pub model: Option<PathBuf>,
    /// A projector in the released layout, for a checkpoint that has none
    #[arg(long, value_name = "FILE")]
    pub projector: Option<PathBuf>,
    /// Names of the tags, one a line
    #[arg(long, value_name = "FILE")]
    pub tags: Option<PathBuf>,
    /// Thresholds of the tags, one a line
    #[arg(long, value_name = "FILE")]
    pub thresholds: Option<PathBuf>,
    /// In-distribution classes and their tags: lines `CLASS<tab>TAG`, or INDEX WNID NAME,TAG
    #[arg(long, value_name = "FILE")]
    pub vocabulary: Option<PathBuf>,
    /// What is known: a file with one name a line (synonyms after a colon), or names between commas.
    /// Of a CLIP any names; of a tagger some of its tags, in place of its classes
    #[arg(long, value_name = "FILE|\"A, B\"")]
    pub known: Option<String>,
    /// A text that a CLIP's names are put into, at `{}`; may be given several times, and `clipn` stands
    /// for CLIPN's released 128 [default: the model's own, mostly `a photo of a {}.`]
    #[arg(long = "template", value_name = "TEXT|clipn")]
    pub templates: Vec<String>,
    /// Words for what is not known, one a line, or WordNet's data files, for a CLIP's neg-label
    #[arg(long, value_name = "FILE|DIR")]
    pub negatives: Option<PathBuf>,
    /// LoCoOp's learned prompts, for a CLIP
    #[arg(long, value_name = "FILE")]
    pub prompts: Option<PathBuf>,
    /// The activation of a CLIP's checkpoint, where nothing beside it says
    #[arg(long, value_name = "gelu|quick_gelu", value_parser = parse_activation)]
    pub activation: Option<Activation>,
    /// How images become the network's input: `ram` (resize), `tagood` (resize larger, crop), `clip`
    /// (resize the shorter side, crop the middle) or `clip-bilinear`
    #[arg(long, value_name = "ram|tagood|clip|clip-bilinear")]
    pub transform: Option<Transform>,
    /// Take images as they are stored, as the released code does; `--orient`, the default, turns them as
    /// their EXIF orientation says
    #[arg(long, overrides_with = "orient")]
    pub no_orient: bool,
    /// Turn images as their EXIF orientation says: the default
    #[arg(long, overrides_with = "no_orient", hide = true)]
    pub orient: bool,
    /// Where to compute
    #[arg(long, value_name = "auto|gpu|cpu", default_value_t)]
    pub device: DeviceChoice,
    /// Tag images that were seen before anew, and keep nothing of them for the next time
    #[arg(long)]
    pub no_cache: bool,
}

impl ModelArgs {
    /// Opens the model's files.
    ///
    /// # Errors
    /// If a file is missing, damaged, or does not fit the others.
    pub fn bundle(&self) -> anyhow::Result<Bundle> {
        let mut bundle = self.open()?;
        if let Some(path) = &self.projector {
            bundle.attach_projector(path)?;
        }
        self.read_lists(&mut bundle)?;
        let has_classes = !bundle.vocabulary.classes.is_empty();
        if self.vocabulary.is_some() || (self.projector.is_some() && has_classes) {
            let own = bundle.path.clone();
            bundle.tie_classes(self.vocabulary.as_ref().unwrap_or(&own))?;
        }
        if let Some(known) = &self.known {
            let had_projector = bundle.projector.is_some();
            bundle.know(known::read_names(known)?)?;
            if had_projector && bundle.projector.is_none() {
                super::output::note!(
                    "note: the projector is left out: its centers are of other classes than --known"
                );
            }
        }
        Ok(bundle)
    }

    /// What is asked of a CLIP: its bundle's names and templates, with the negative words that were
    /// named here; `None` where nothing is to be asked beyond the bundle.
    fn labels(&self, pipeline: &Pipeline) -> anyhow::Result<Option<Labels>> {
        let Some(path) = &self.negatives else { return Ok(None) };
        if pipeline.label_set().is_none() {
            bail!("--negatives is for a CLIP, and this is a tagger");
        }
        let words = Arc::new(NegativeWords::read(path)?);
        Ok(Some(Labels { negatives: Some((words, path.clone())), ..pipeline.labels().clone() }))
    }

    /// Opens the tagger alone, with lists of classes that no projector knows yet.
    ///
    /// # Errors
    /// As [`ModelArgs::bundle`].
    pub fn tagger(&self) -> anyhow::Result<Bundle> {
        let mut bundle = self.open()?;
        bundle.drop_projector();
        self.read_lists(&mut bundle)?;
        if let (Some(_), Some(known)) = (&bundle.clip, &self.known) {
            bundle.know(known::read_names(known)?)?;
        }
        Ok(bundle)
    }

    fn open(&self) -> anyhow::Result<Bundle> {
        let mut bundle = match &self.model {
            Some(path) if path.as_os_str() == embedded::CLIP_MODEL => embedded::clip_bundle()?,
            Some(path) => Bundle::open_with(path, self.activation)?,
            None => embedded::bundle()?,
        };
        if let Some(path) = &self.prompts {
            bundle.attach_prompts(path)?;
        }
        if !self.templates.is_empty() {
            let texts = |given: &String| templates::set(given).unwrap_or(vec![given.clone()]);
            bundle.take_templates(self.templates.iter().flat_map(texts).collect())?;
        }
        bundle.manifest.transform = self.transform.unwrap_or(bundle.manifest.transform);
        bundle.manifest.upright = match (self.orient, self.no_orient) {
            (_, true) => false,
            (true, _) => true,
            _ => bundle.manifest.upright,
        };
        Ok(bundle)
    }

    fn read_lists(&self, bundle: &mut Bundle) -> anyhow::Result<()> {
        if let Some(path) = &self.tags {
            bundle.vocabulary.read_tags(path)?;
        }
        if let Some(path) = &self.thresholds {
            bundle.vocabulary.read_thresholds(path)?;
        }
        if let Some(path) = &self.vocabulary {
            bundle.vocabulary.read_classes(path)?;
        }
        Ok(())
    }

    /// The arguments that name the same model to another run of the program.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        let mut add = |name: &str, value: OsString| arguments.extend([name.into(), value]);
        let files = [
            ("--model", &self.model),
            ("--projector", &self.projector),
            ("--tags", &self.tags),
            ("--thresholds", &self.thresholds),
            ("--prompts", &self.prompts),
        ];
        for template in &self.templates {
            add("--template", template.into());
        }
        if let Some(activation) = self.activation {
            add("--activation", activation_name(activation).into());
        }
        for (name, file) in files {
            if let Some(file) = file {
                add(name, file.clone().into());
            }
        }
        if let Some(transform) = self.transform {
            add("--transform", transform.to_string().into());
        }
        let orientation = [("--orient", self.orient), ("--no-orient", self.no_orient)];
        add("--device", self.device.to_string().into());
        let cache = ("--no-cache", self.no_cache);
        let given = orientation.into_iter().chain([cache]).filter(|(_, given)| *given);
        arguments.extend(given.map(|(name, _)| name.into()));
        arguments
    }

    /// The model for a window. `wanted` is the content that it had when a session was saved: another one
    /// is not taken for it.
    pub fn source(self, wanted: Option<String>) -> ModelSource {
        let args = self.with_whole_paths();
        let name = match &args.model {
            None => "the embedded model".into(),
            Some(path) if path.as_os_str() == embedded::CLIP_MODEL => "the embedded CLIP".into(),
            Some(path) => path.display().to_string(),
        };
        let content = Arc::new(OnceLock::new());
        let (arguments, named) = (args.arguments(), args.whole_arguments());
        let (device, found) = (args.device, content.clone());
        let is_told_names = args.known.is_some();
        let open = move |device| {
            if let Some(now) = args.content(wanted.is_some())? {
                if let Some(wanted) = &wanted
                    && *wanted != now
                {
                    let path = args.model.as_deref().unwrap_or(Path::new("")).display();
                    bail!(
                        "the session's model has changed since; open it again to judge by it as it \
                         is now: {path}"
                    );
                }
                // Opened once more on another device, it is the same.
                found.set(now).ok();
            }
            ModelArgs { device, ..args.clone() }.load()
        };
        ModelSource { name, arguments, named, content, open: Arc::new(open), device, is_told_names }
    }

    /// A hash of the files that make the model; `None` where it is part of the program.
    fn content(&self, is_awaited: bool) -> anyhow::Result<Option<String>> {
        let is_file = |path: &&PathBuf| path.as_os_str() != embedded::CLIP_MODEL;
        let known = self.known.as_ref().map(PathBuf::from).filter(|path| path.exists());
        let files = [&self.model, &self.projector, &self.tags, &self.thresholds];
        let more = [&self.vocabulary, &self.negatives, &self.prompts, &known];
        let files = files.into_iter().chain(more).flatten().filter(is_file);
        let files: Vec<&Path> = files.map(PathBuf::as_path).collect();
        if files.is_empty() {
            return Ok(None);
        }
        match Remembered::default().of_files(files) {
            Ok(content) => Ok(Some(content.to_hex().to_string())),
            Err((path, error)) if is_awaited => {
                bail!("the session's model cannot be read any more: {error}: {}", path.display())
            }
            // Opening it says what is wrong.
            Err(_) => Ok(None),
        }
    }

    /// From another folder relative paths would name other files.
    fn with_whole_paths(mut self) -> Self {
        let is_embedded = |path: &PathBuf| path.as_os_str() == embedded::CLIP_MODEL;
        let files = [&mut self.model, &mut self.projector, &mut self.tags, &mut self.thresholds];
        let more = [&mut self.vocabulary, &mut self.negatives, &mut self.prompts];
        for path in files.into_iter().chain(more).flatten().filter(|path| !is_embedded(path)) {
            *path = std::path::absolute(&*path).unwrap_or(std::mem::take(path));
        }
        if let Some(known) = &mut self.known
            && Path::new(known).exists()
            && let Ok(path) = std::path::absolute(&*known)
            && let Ok(path) = path.into_os_string().into_string()
        {
            *known = path;
        }
        self
    }

    /// All arguments that name the model, those too that a fit does without.
    fn whole_arguments(&self) -> Vec<SavedPath> {
        let mut arguments = self.arguments();
        let files = [("--vocabulary", &self.vocabulary), ("--negatives", &self.negatives)];
        for (name, file) in files {
            arguments.extend(file.iter().flat_map(|file| [name.into(), file.clone().into()]));
        }
        arguments.extend(self.known.iter().flat_map(|known| ["--known".into(), known.into()]));
        arguments.into_iter().map(|argument| PathBuf::from(argument).into()).collect()
    }

    /// Whether the command line names a model, and not the one that the program begins with.
    pub fn names_a_model(&self) -> bool {
        self.whole_arguments() != Self::default().whole_arguments()
    }

    /// Opens the device.
    ///
    /// # Errors
    /// If a GPU was asked for and there is none.
    pub fn compute(&self) -> anyhow::Result<Compute> {
        Ok(gpu::compute(self.device)?)
    }

    /// Opens the model and loads it onto the device.
    ///
    /// # Errors
    /// As [`ModelArgs::bundle`] and [`ModelArgs::compute`].
    pub fn load(&self) -> anyhow::Result<Pipeline> {
        let (bundle, compute) = (self.bundle()?, self.compute()?);
        self.pipeline(&bundle, &compute)
    }

    /// Loads a model that was opened onto a device.
    ///
    /// # Errors
    /// If weights are missing or misshapen.
    pub fn pipeline(&self, bundle: &Bundle, compute: &Compute) -> anyhow::Result<Pipeline> {
        let pipeline = match self.no_cache {
            true => Pipeline::load(bundle, compute),
            false => Pipeline::load_keyed(bundle, compute),
        };
        let mut pipeline = pipeline.context("cannot load the model")?;
        if let Some(labels) = self.labels(&pipeline)? {
            pipeline.set_labels(labels)?;
        }
        Ok(pipeline)
    }

    /// What was made of images before; `None` if it is not to be used.
    pub fn outputs(&self) -> Option<OutputCache> {
        (!self.no_cache).then(OutputCache::of_user)
    }
}

/// Arguments that name a model, as a session's file keeps them.
#[derive(clap::Parser)]
#[command(no_binary_name = true)]
struct NamedModel {
    #[command(flatten)]
    model: ModelArgs,
}

/// The model that a session's file names.
pub fn saved_model(saved: &SavedModel) -> ModelSource {
    let arguments = saved.named.iter().cloned().map(PathBuf::from);
    match NamedModel::try_parse_from(arguments) {
        // Names that were chosen in the session hold in place of those of its command line.
        Ok(named) => {
            ModelSource { is_told_names: false, ..named.model.source(saved.content.clone()) }
        }
        Err(error) => {
            let sentence = error.to_string().lines().next().unwrap_or_default().to_owned();
            let open = move |_| bail!("the session's model is named in an unknown way: {sentence}");
            ModelSource::unnamed("the session's model", Arc::new(open), DeviceChoice::default())
        }
    }
}

/// What the method leaves open.
#[derive(Args, Clone, Debug, Default)]
pub struct MethodArgs {
    /// Relevance above which an image token is kept, 0 to 1; the model's own if not given
    #[arg(long, value_name = "0..1", value_parser = parse_tau)]
    pub tau: Option<f32>,
    /// The paper's text or the released code, where they differ; the model's own if not given
    #[arg(long, value_name = "paper|released")]
    pub recipe: Option<Recipe>,
}

fn parse_activation(text: &str) -> Result<Activation, String> {
    let all = [Activation::Gelu, Activation::QuickGelu];
    let found = all.into_iter().find(|activation| activation_name(*activation) == text);
    found.ok_or_else(|| "there are `gelu` and `quick_gelu`".into())
}

fn activation_name(activation: Activation) -> &'static str {
    match activation {
        Activation::Gelu => "gelu",
        Activation::QuickGelu => "quick_gelu",
    }
}

/// How to look at images.
#[derive(Args, Clone, Debug, Default)]
pub struct SettingsArgs {
    #[command(flatten)]
    method: MethodArgs,
    /// The detector whose score decides; the recipe's own if not given
    #[arg(long, value_name = "NAME", value_parser = parse_detector)]
    pub detector: Option<String>,
    /// What becomes an image's feature: the tokens of its objects above τ, or all of it; a tagger's
    /// objects, a CLIP's whole image if not given
    #[arg(long, value_name = "objects|whole-image")]
    pub features: Option<FeatureChoice>,
    /// Decision threshold on the score; the model's own if not given
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = parse_finite::<f32>)]
    pub lambda: Option<f32>,
}

impl SettingsArgs {
    /// The settings, with the model's own where nothing was said.
    pub fn settings(&self, pipeline: &Pipeline) -> Settings {
        let recipe = self.method.recipe.unwrap_or(pipeline.manifest().recipe);
        let mut settings = pipeline.settings_of(recipe);
        settings.tau = self.method.tau.unwrap_or(settings.tau);
        settings.features = self.features.unwrap_or(settings.features);
        if let Some(detector) = &self.detector {
            settings.detector.clone_from(detector);
        }
        settings.lambda = self.lambda;
        settings
    }
}

/// A detector's id.
fn parse_detector(text: &str) -> Result<String, String> {
    let found = crate::score::by_name(text).map_err(|error| error.to_string())?;
    Ok(found.info().id.to_owned())
}

/// τ, from 0 to 1.
pub(super) fn parse_tau(text: &str) -> Result<f32, String> {
    let tau: f32 = parse_finite(text)?;
    match (0.0..=1.0).contains(&tau) {
        true => Ok(tau),
        false => Err("must lie between 0 and 1".into()),
    }
}

/// A number that can be compared with others: NaN and the infinities are refused.
pub(super) fn parse_finite<N: FromStr + Copy + Into<f64>>(text: &str) -> Result<N, String> {
    let number: N = text.trim().parse().map_err(|_| "not a number".to_owned())?;
    match number.into().is_finite() {
        true => Ok(number),
        false => Err("must be finite".into()),
    }
}

/// A finite number above 0.
pub(super) fn parse_positive(text: &str) -> Result<f64, String> {
    match parse_finite(text)? {
        number if number > 0.0 => Ok(number),
        _ => Err("must lie above 0".into()),
    }
}

/// A share above 0 and below 1.
pub(super) fn parse_part(text: &str) -> Result<f64, String> {
    match parse_positive(text)? {
        share if share < 1.0 => Ok(share),
        _ => Err("must lie above 0 and below 1".into()),
    }
}

/// A share above 0, at most 1.
pub(super) fn parse_share(text: &str) -> Result<f64, String> {
    match parse_positive(text)? {
        share if share <= 1.0 => Ok(share),
        _ => Err("must lie above 0, up to 1".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_model_is_the_same_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let (model, tags) = (folder.path().join("model.pth"), folder.path().join("tags.txt"));
        std::fs::write(&model, b"weights").unwrap();
        std::fs::write(&tags, b"cat").unwrap();
        let args = ModelArgs {
            model: Some(model.clone()),
            tags: Some(tags.clone()),
            known: Some("cat, dog".into()),
            templates: vec!["a {}".into()],
            no_orient: true,
            device: DeviceChoice::Cpu,
            ..ModelArgs::default()
        };
        let named = args.clone().source(None).named;
        let content = args.content(true).unwrap();
        let saved = SavedModel { named: named.clone(), content: content.clone() };
        assert_eq!(saved_model(&saved).named, named, "it is named in the same way again");
        let open = || {
            let source = saved_model(&saved);
            (source.open)(DeviceChoice::Cpu).err().unwrap().to_string()
        };
        assert!(!open().contains("has changed"), "{}", open());
        std::fs::write(&tags, b"dog").unwrap();
        assert!(open().contains("the session's model has changed since"), "{}", open());
        std::fs::remove_file(&model).unwrap();
        let error = open();
        assert!(
            error.contains("cannot be read any more") && error.ends_with("model.pth"),
            "{error}"
        );
        assert!(args.names_a_model() && !ModelArgs::default().names_a_model());
        let embedded = ModelArgs::default().source(None);
        assert_eq!(ModelArgs::default().content(true).unwrap(), None);
        assert_eq!(
            saved_model(&SavedModel { named: embedded.named, content: None }).name,
            embedded.name
        );
    }
}
