//! An open image with its results.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::map_view::MapView;
use crate::decompose;
use crate::image::Thumbnail;
use crate::pipeline::{Analysis, Attention, Settings, TaggerOutput};
use crate::score::verdict::Outcome;
use crate::worker::{ImageId, ImageSource, JobId, ModelInfo};

/// A set's name, which its images share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetName(Arc<str>);

impl SetName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both are one in memory.
    pub(super) fn is_shared(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Default for SetName {
    fn default() -> Self {
        Self::from("")
    }
}

impl From<&str> for SetName {
    fn from(name: &str) -> Self {
        Self(Arc::from(name))
    }
}

impl Deref for SetName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<&str> for SetName {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An open image with what is known of it so far.
#[derive(Debug)]
pub struct Entry {
    /// What the worker knows the image by.
    pub id: ImageId,
    /// Where it comes from.
    pub source: ImageSource,
    /// What to call it.
    pub name: String,
    /// The set it belongs to, by name.
    pub set: SetName,
    /// The set, by its place in [`Images::sets`](super::images::Images::sets).
    pub set_at: usize,
    /// The folder that its file lies in, by its place in [`Folders`](super::sets::Folders).
    pub(super) folder: Option<usize>,
    /// The job that opened it.
    pub(super) opened_by: Option<JobId>,
    /// The job that is to decode and tag it.
    pub(super) job: Option<JobId>,
    /// The model's class that a folder above it is called after.
    pub class: Option<usize>,
    /// The picture made small, for the gallery; `None` until it is decoded.
    pub thumbnail: Option<Arc<Thumbnail>>,
    /// Width and height, in pixels.
    pub size: Option<[u32; 2]>,
    /// Times of decoding, preprocessing and tagging, in milliseconds.
    pub stage_ms: [f32; 3],
    /// Whether the tagger has seen it.
    pub is_tagged: bool,
    /// Tokens, logits, attention of the tags that count; at hand for images on show alone.
    pub tagged: Option<Arc<TaggerOutput>>,
    /// The newest analysis, perhaps of earlier settings; `None` until there is one.
    pub analysis: Option<Arc<Analysis>>,
    /// The request that the analysis answers.
    pub generation: u64,
    /// The newest request that it could not be looked at for.
    pub failed_generation: Option<u64>,
    /// Attention of other tags; `None` while it is on its way.
    pub extra: BTreeMap<usize, Option<Arc<Attention>>>,
    /// Why there is no result.
    pub error: Option<String>,
}

impl Entry {
    /// An image of which nothing is known yet.
    pub fn new(id: ImageId, source: ImageSource) -> Self {
        Self {
            set: SetName::default(),
            set_at: 0,
            folder: None,
            opened_by: None,
            job: None,
            class: None,
            name: source.name(),
            id,
            source,
            thumbnail: None,
            size: None,
            stage_ms: [0.0; 3],
            is_tagged: false,
            tagged: None,
            analysis: None,
            generation: 0,
            failed_generation: None,
            extra: BTreeMap::new(),
            error: None,
        }
    }

    /// Forgets what the model made of it.
    pub(super) fn forget_results(&mut self) {
        (self.tagged, self.is_tagged, self.analysis) = (None, false, None);
        self.extra.clear();
    }

    /// The name of the folder that its file lies in.
    pub fn folder_name(&self) -> Option<String> {
        let folder = self.source.path()?.parent()?.file_name()?;
        Some(folder.to_string_lossy().into_owned())
    }

    /// The class whose center lies nearest, where the image has a feature.
    pub fn nearest_class(&self) -> Option<usize> {
        Some(self.analysis.as_ref()?.nearest.first()?.class)
    }

    /// The known tags that speak for it, by their indices.
    pub fn counting_tags(&self) -> &[usize] {
        self.analysis.as_ref().map_or(&[], |analysis| &analysis.decomposition.tags)
    }

    /// The decision, where there is one.
    pub fn outcome(&self) -> Option<Outcome> {
        self.analysis.as_ref()?.verdict.outcome
    }

    /// The present detector's score; `None` without one, or where the image was rejected.
    pub fn score(&self) -> Option<f32> {
        self.analysis.as_ref()?.verdict.score
    }

    /// How far the score lies above λ.
    pub fn margin(&self) -> Option<f32> {
        self.analysis.as_ref()?.verdict.margin()
    }

    /// A tag's attention in one layer, `[H, P]`, if it is at hand.
    pub fn attention(&self, tag: usize, layer: usize) -> Option<&[f32]> {
        let kept = self.tagged.as_ref().and_then(|tagged| tagged.attention.of(tag, layer));
        kept.or_else(|| self.extra.get(&tag)?.as_ref()?.of(tag, layer))
    }

    /// The relevance on show, `[P]` in 0..1: the union of the chosen tags, or of those that count
    /// where none is chosen. `None` while it is not at hand.
    pub fn map(&self, view: &MapView, model: &ModelInfo, settings: &Settings) -> Option<Vec<f32>> {
        let analysis = self.analysis.as_ref()?;
        let positions = analysis.decomposition.map.len();
        let plain = view.layer.is_none() && view.head.is_none();
        let tags = match view.tags.is_empty() {
            true if plain => return Some(analysis.decomposition.map.clone()),
            true => &analysis.decomposition.tags,
            false => &view.tags,
        };
        let layer = view.layer.unwrap_or_else(|| model.layer(settings));
        let maps: Vec<Vec<f32>> = tags
            .iter()
            .filter_map(|&tag| {
                let attention = self.attention(tag, layer)?;
                let attention = match view.head {
                    Some(head) => attention.chunks_exact(positions).nth(head)?,
                    None => attention,
                };
                Some(decompose::relevance(attention, positions))
            })
            .collect();
        (!maps.is_empty() || tags.is_empty())
            .then(|| decompose::union(maps.iter().map(Vec::as_slice), positions))
    }
}
