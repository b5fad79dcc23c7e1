//! Names as a CLIP sees them: what is asked, and the text features it comes to.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::{Analysis, Attention, Keep, TaggerOutput};
use crate::bundle::known::KnownName;
use crate::bundle::vocabulary::Vocabulary;
use crate::decompose::{self, Fallback};
use crate::score::negatives::NegativeWords;
use crate::score::{LOGIT_SCALE, NameCosines, products, softmax, unit};

/// What is asked of a network by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels {
    /// The names that are known.
    pub known: Vec<KnownName>,
    /// Texts that names are put into, at `{}`.
    pub templates: Vec<String>,
    /// Words for what is not known, with the file they come from.
    pub negatives: Option<(Arc<NegativeWords>, PathBuf)>,
}

/// Text features of the names in force, all of unit length. Plain data: threads may share it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabelSet {
    /// Width D of the joint space.
    pub width: usize,
    /// Texts that the names were put into, at `{}`; their features are averaged.
    pub templates: Vec<String>,
    /// The names' `[C, D]`.
    pub features: Vec<f32>,
    /// Their no side's `[C, D]`, of a CLIPN.
    pub no: Option<Vec<f32>>,
    /// The negative words' `[M, D]`.
    pub negatives: Option<Vec<f32>>,
    /// The names' behind learned prompts `[C, D]`, of LoCoOp.
    pub prompted: Option<Vec<f32>>,
}

/// Cosines of one image with everything that a [`LabelSet`] has; empty or `None` where nobody asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cosines {
    /// The feature with each name `[C]`.
    pub image: Vec<f32>,
    /// Each patch's local feature with each name `[N, C]`.
    pub local: Vec<f32>,
    /// The feature with each name's no side `[C]`.
    pub no: Option<Vec<f32>>,
    /// The feature with each negative word `[M]`.
    pub negatives: Option<Vec<f32>>,
    /// The feature `[C]` and the patches `[N, C]` with each name behind learned prompts.
    pub prompted: Option<(Vec<f32>, Vec<f32>)>,
}

/// A known name, with what a CLIP makes of it for one image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NamedCosine {
    /// The name.
    pub name: String,
    /// Cosine of the image's feature with the name's, −1 to 1.
    pub similarity: f32,
    /// Its share of the softmax over all names, 0 to 1.
    pub probability: f32,
    /// The no side's probability that the image does not show it, 0 to 1; of a CLIPN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied: Option<f32>,
}

impl Cosines {
    /// What each name has, the most similar first.
    pub fn named(&self, names: &[String]) -> Vec<NamedCosine> {
        let (probabilities, denied) = (self.probabilities(), self.denied());
        let named = |(at, name): (usize, &String)| {
            Some(NamedCosine {
                name: name.clone(),
                similarity: *self.image.get(at)?,
                probability: *probabilities.get(at)?,
                denied: denied.as_ref().and_then(|denied| denied.get(at).copied()),
            })
        };
        let mut all: Vec<NamedCosine> = names.iter().enumerate().filter_map(named).collect();
        all.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
        all
    }

    /// Those of the image's feature with names alone.
    pub fn of_image(self) -> Self {
        Self { image: self.image, no: self.no, ..Self::default() }
    }

    /// The names' probabilities `[C]`: softmax of their logits.
    pub fn probabilities(&self) -> Vec<f32> {
        let shares = softmax(&self.image, 1.0 / f64::from(LOGIT_SCALE));
        shares.into_iter().map(|share| share as f32).collect()
    }

    /// The no side's probability for each name that the image does not show it `[C]`; of a CLIPN.
    pub fn denied(&self) -> Option<Vec<f32>> {
        let denied = |(&yes, &no): (&f32, &f32)| 1.0 / (1.0 + (LOGIT_SCALE * (yes - no)).exp());
        Some(self.image.iter().zip(self.no.as_ref()?).map(denied).collect())
    }

    /// As detectors take them.
    pub fn view(&self) -> NameCosines<'_> {
        NameCosines {
            image: &self.image,
            local: &self.local,
            no: self.no.as_deref(),
            negatives: self.negatives.as_deref(),
            prompted: self.prompted.as_ref().map(|(image, local)| (&image[..], &local[..])),
        }
    }
}

/// The names that count for an image, ascending: those above their threshold, or the best one. Nothing
/// is out-of-distribution for its names alone.
pub(super) fn counting(probabilities: &[f32], vocabulary: &Vocabulary) -> Vec<usize> {
    let all: Vec<usize> = (0..probabilities.len()).collect();
    decompose::select_tags(probabilities, &vocabulary.thresholds, &all, Fallback::Always)
}

impl LabelSet {
    /// Number of names C.
    pub fn len(&self) -> usize {
        self.features.len() / self.width.max(1)
    }

    /// Whether nothing is named.
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    /// The names' logits `[C]` for an image feature `[D]`: [`LOGIT_SCALE`] times their cosines.
    pub fn logits(&self, feature: &[f32]) -> Vec<f32> {
        let scaled = |cosine| LOGIT_SCALE * cosine;
        self.with(&self.features, feature).into_iter().map(scaled).collect()
    }

    /// The no side's logits `[C]` for an image feature `[D]`; of a CLIPN.
    pub fn no_logits(&self, feature: &[f32]) -> Option<Vec<f32>> {
        let cosines = self.with(self.no.as_ref()?, feature);
        Some(cosines.into_iter().map(|cosine| LOGIT_SCALE * cosine).collect())
    }

    /// Puts logits, and maps of the names that count or of all, beside an image's features.
    pub fn label(&self, seen: &mut TaggerOutput, vocabulary: &Vocabulary, keep: Keep) {
        seen.logits = self.logits(&seen.tokens[..seen.width]);
        let labels: Vec<usize> = match keep {
            Keep::All => (0..self.len()).collect(),
            Keep::Id => counting(&seen.probabilities(), vocabulary),
        };
        seen.attention = self.maps(seen, &labels);
    }

    /// Cosines of features `[n, D]` with text features `[m, D]` of unit length, `[n, m]`.
    fn with(&self, texts: &[f32], features: &[f32]) -> Vec<f32> {
        if texts.is_empty() || features.is_empty() {
            return Vec::new();
        }
        let units: Vec<f32> = features.chunks_exact(self.width).flat_map(unit).collect();
        products(&units, texts, self.width)
    }

    /// All cosines of an image whose feature and kept patches are these; those of patches only if
    /// `local`.
    pub fn cosines(&self, feature: &[f32], patches: &[f32], local: bool) -> Cosines {
        let patches = if local { patches } else { &[] };
        let of = |texts: &Vec<f32>| self.with(texts, feature);
        Cosines {
            image: of(&self.features),
            local: self.with(&self.features, patches),
            no: self.no.as_ref().map(of),
            negatives: self.negatives.as_ref().map(of),
            prompted: self.prompted.as_ref().map(|texts| (of(texts), self.with(texts, patches))),
        }
    }

    /// What each name has of an image: by the feature that is judged, or by the image's own where it is
    /// rejected.
    pub fn named(
        &self,
        names: &[String],
        seen: &TaggerOutput,
        analysis: Option<&Analysis>,
    ) -> Vec<NamedCosine> {
        let judged = analysis.and_then(|analysis| analysis.cosines.clone());
        let own = || self.cosines(seen.tokens.get(..seen.width).unwrap_or_default(), &[], false);
        judged.unwrap_or_else(own).named(names)
    }

    /// Maps of some names: their cosines with each patch. The image's own feature, at position 0, lies
    /// nowhere: it has the lowest patch's value, so that no τ keeps it.
    pub fn maps(&self, seen: &TaggerOutput, labels: &[usize]) -> Attention {
        let (positions, width) = (seen.positions(), self.width.max(1));
        let patches = seen.tokens.get(width..).unwrap_or_default();
        let texts: Vec<f32> = labels
            .iter()
            .filter_map(|&label| self.features.get(label * width..(label + 1) * width))
            .flatten()
            .copied()
            .collect();
        // Each name by itself: its map must not depend on which others are asked for.
        let map = |text: &[f32]| {
            let map = self.with(text, patches);
            let lowest = map.iter().copied().fold(f32::INFINITY, f32::min);
            std::iter::once(lowest).chain(map).collect::<Vec<f32>>()
        };
        let values = texts.chunks_exact(width).flat_map(map).collect();
        Attention { tags: labels.to_vec(), layers: 1, heads: 1, positions, values }
    }
}
