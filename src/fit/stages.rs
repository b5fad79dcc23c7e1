//! The stages of a fit between the feature store and the bundle.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::error::FitError;
use super::lambda::lambdas;
use super::objects::{Objects, Selection};
use super::vocabulary::TagCounts;
use crate::bundle::manifest::{Arch, FeatureChoice, Recipe};
use crate::bundle::{Bundle, Precision, projector_names, write_safetensors};
use crate::dataset::Dataset;
use crate::nn::projector::ProjectorConfig;
use crate::nn::source::{SafetensorsBytes, Source};
use crate::pipeline::{Pipeline, TaggerOutput};
use crate::score::{self, FittedDetector, Rows, Statistics, TrainingSet};
use crate::store::{Store, StoreError, add_attention};

/// A labelled set in a feature store.
pub struct Stored<'a> {
    /// The store.
    pub store: &'a Store,
    /// The labelled set.
    pub dataset: &'a Dataset,
    /// The row of each image; `None` where it has none.
    pub rows: Vec<Option<usize>>,
}

impl Stored<'_> {
    /// Index, class and content of each image that could be read.
    pub(super) fn images(
        &self,
    ) -> impl Iterator<Item = Result<(usize, usize, TaggerOutput), StoreError>> {
        let items = self.dataset.items.iter().zip(&self.rows).enumerate();
        items.filter_map(|(index, (item, row))| {
            let (row, class) = (self.store.row((*row)?)?, item.class?);
            Some(row.tagged().transpose()?.map(|tagged| (index, class, tagged)))
        })
    }

    /// How often each tag is seen in each class.
    ///
    /// # Errors
    /// If a row of the store is not what was written.
    pub fn count_tags(&self, thresholds: &[f32]) -> Result<TagCounts, StoreError> {
        let mut counts = TagCounts::new(self.dataset.classes.clone(), thresholds.len());
        for image in self.images() {
            let (_, class, tagged) = image?;
            counts.add(class, &tagged.logits, thresholds);
        }
        Ok(counts)
    }

    /// Pictures that lie in several classes, by their content: a sentence, if there are any. What a
    /// projector learns of them contradicts itself.
    pub fn contradictions(&self) -> Option<String> {
        let mut first: HashMap<u64, (usize, &str)> = HashMap::new();
        let mut example = None;
        let mut count = 0usize;
        for (item, row) in self.dataset.items.iter().zip(&self.rows) {
            let row = row.and_then(|row| self.store.row(row)).filter(|row| row.error().is_none());
            let Some((row, class)) = row.zip(item.class) else { continue };
            let Some(hash) = row.hash() else { continue };
            let (other, path) = *first.entry(hash).or_insert((class, row.shown_path()));
            if other != class {
                count += 1;
                example.get_or_insert((other, path, class, row.shown_path()));
            }
        }
        let (class, path, other, copy) = example?;
        let name = |class: usize| &self.dataset.classes[class];
        Some(format!(
            "{count} images are the same as one of another class, such as those of `{}` and `{}`, which \
             teaches the projector contradictions: {path} and {copy}",
            name(class),
            name(other)
        ))
    }
}

/// What a fit works on.
#[derive(Debug, Default)]
pub struct TrainingData {
    /// Object tokens of all images.
    pub objects: Objects,
    /// Rows of `objects` to train on.
    pub train: Vec<usize>,
    /// Rows of `objects` that are held out.
    pub validation: Vec<usize>,
    /// The held-out images, those included of which nothing is kept.
    pub held_out: Vec<TaggerOutput>,
}

/// Picks the object tokens of every image, with the pipeline's vocabulary. `held_out` says of each
/// image of the set whether it is; `on_image` is called after each.
///
/// # Errors
/// If the device fails, or a class keeps no image to train on.
pub fn gather(
    stored: &Stored,
    pipeline: &Pipeline,
    selection: &Selection,
    held_out: &[bool],
    on_image: &mut dyn FnMut(),
) -> Result<TrainingData, FitError> {
    let vocabulary = pipeline.vocabulary();
    let mut gathered = TrainingData::default();
    let mut trained = vec![0usize; stored.dataset.classes.len()];
    for image in stored.images() {
        let (index, class, mut tagged) = image?;
        let probabilities = tagged.probabilities();
        let mut tags = selection.tags(&probabilities, class, vocabulary);
        if held_out[index] {
            let looked_at = Recipe::ALL.map(|recipe| pipeline.decompose(&tagged, 1.0, recipe).tags);
            tags.extend(looked_at.concat());
            tags.sort_unstable();
            tags.dedup();
        }
        add_attention(pipeline, &mut tagged, &tags)?;
        let row = gathered.objects.len();
        gathered.objects.add(index, class, &tagged, vocabulary, selection);
        if gathered.objects.len() > row {
            let rows = if held_out[index] { &mut gathered.validation } else { &mut gathered.train };
            rows.push(row);
            trained[class] += usize::from(!held_out[index]);
        }
        if held_out[index] {
            gathered.held_out.push(tagged);
        }
        on_image();
    }
    if gathered.train.is_empty() {
        let skipped = gathered.objects.skipped.len();
        return Err(FitError::NothingKept { tau: selection.tau, skipped });
    }
    match trained.iter().position(|&images| images == 0) {
        Some(class) => Err(FitError::ClassLost(stored.dataset.classes[class].clone())),
        None => Ok(gathered),
    }
}

/// Fits every detector to the training images, with the pipeline's projectors.
///
/// # Errors
/// If the device fails or a decomposition does not converge.
pub fn statistics(
    pipeline: &Pipeline,
    objects: &Objects,
    rows: &[usize],
) -> Result<Statistics, FitError> {
    const BATCH: usize = 64;
    let Some(head) = pipeline.head() else { return Ok(Statistics::default()) };
    // Images of one length together: less padding.
    let mut rows = rows.to_vec();
    rows.sort_by_key(|&row| objects.length(row));
    let (mut features, mut logits, mut ce) = (Vec::new(), Vec::new(), Vec::new());
    for rows in rows.chunks(BATCH) {
        let tokens: Vec<Vec<f32>> = rows.iter().map(|&row| objects.tokens(row).to_vec()).collect();
        for projected in pipeline.project(&tokens, true)? {
            features.extend(projected.feature);
            logits.extend(projected.class_logits);
            ce.extend(projected.ce_feature.unwrap_or_default());
        }
    }
    let means: Vec<f32> = rows.iter().flat_map(|&row| objects.mean_token(row)).collect();
    let labels: Vec<usize> = rows.iter().map(|&row| objects.labels[row]).collect();
    let ce_width = ce.len() / labels.len().max(1);
    let training = TrainingSet {
        features: Rows::new("features", &features, head.width())?,
        class_logits: Rows::new("class logits", &logits, head.classes())?,
        object_tokens: Rows::new("object tokens", &means, objects.width)?,
        ce_features: match ce_width {
            0 => None,
            width => Some(Rows::new("cross-entropy features", &ce, width)?),
        },
        labels: &labels,
        head,
    };
    Ok(score::fit_all(&score::all_of(Arch::Ram), &training)?)
}

/// Fits detectors and thresholds of a bundle whose projectors and vocabulary are in place.
///
/// # Errors
/// If the device fails, or the projectors do not fit the bundle.
pub fn fit_detectors(
    bundle: &mut Bundle,
    pipeline: &Pipeline,
    gathered: &TrainingData,
    tpr: f64,
) -> Result<(), FitError> {
    let statistics = statistics(pipeline, &gathered.objects, &gathered.train)?;
    let detectors: Vec<FittedDetector> = match pipeline.head() {
        Some(head) => score::all_of(Arch::Ram)
            .iter()
            .filter_map(|detector| score::bind(*detector, &statistics, head).ok())
            .collect(),
        None => Vec::new(),
    };
    let fitted: Vec<&FittedDetector> = detectors.iter().collect();
    let tau = bundle.manifest.tau;
    bundle.manifest.lambda.clear();
    for recipe in Recipe::ALL {
        let at = (recipe, tau, FeatureChoice::Objects);
        let found = lambdas(pipeline, &fitted, &gathered.held_out, at, tpr)?;
        bundle.manifest.lambda.extend(found);
    }
    let bytes: Arc<[u8]> = statistics.to_bytes()?.into();
    bundle.statistics = Some(SafetensorsBytes::Owned(bytes));
    Ok(())
}

/// A trained projector in 16 bits, written to `path`: half the size, and what is fitted to its
/// features afterwards is fitted to those it will have in use.
///
/// # Errors
/// If a tensor is missing or the file cannot be written.
pub fn halved(source: &Source, config: &ProjectorConfig, path: &Path) -> Result<Source, FitError> {
    let all = source.shapes();
    let names = projector_names(source, config)?;
    let shapes = names.into_iter().filter_map(|name| all.get(&name).map(|s| (name, s.clone())));
    write_safetensors(path, &shapes.collect(), Precision::Half, |name, shape| {
        Ok(source.read(name, shape)?)
    })?;
    Ok(Source::open(path)?)
}
