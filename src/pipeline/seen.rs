//! What depends on the image alone.

use super::{PipelineError, check_finite};
use crate::bundle::manifest::Arch;
use crate::decompose::{self, sigmoid};

/// Maps of some labels over the positions, for every layer and head: of a tagger's tags softmax
/// probabilities of its attention; of a CLIP's names, in one layer and one head, cosines with each
/// patch's local feature.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attention {
    /// Indices of the tags whose attention this is, ascending.
    pub tags: Vec<usize>,
    /// Number of layers L.
    pub layers: usize,
    /// Number of heads H.
    pub heads: usize,
    /// Number of positions P.
    pub positions: usize,
    /// `[tags, L, H, P]`, row-major.
    pub values: Vec<f32>,
}

impl Attention {
    /// One tag's attention in one layer, `[H, P]`; `None` if it was not kept.
    pub fn of(&self, tag: usize, layer: usize) -> Option<&[f32]> {
        let row = self.tags.binary_search(&tag).ok()?;
        let size = self.heads * self.positions;
        let at = (row * self.layers + layer) * size;
        self.values.get(at..at + size).filter(|_| layer < self.layers)
    }

    /// That of some tags alone, ascending; those it does not have are left out.
    pub fn of_tags(&self, tags: &[usize]) -> Self {
        let (layers, heads, positions) = (self.layers, self.heads, self.positions);
        let size = layers * heads * positions;
        let found = tags.iter().filter_map(|tag| Some((*tag, self.tags.binary_search(tag).ok()?)));
        let (tags, rows): (Vec<usize>, Vec<usize>) = found.unzip();
        let values = rows.iter().flat_map(|row| &self.values[row * size..(row + 1) * size]);
        Self { tags, layers, heads, positions, values: values.copied().collect() }
    }

    /// One tag's relevance in one layer, `[P]` in 0..1.
    pub fn relevance(&self, tag: usize, layer: usize) -> Option<Vec<f32>> {
        self.of(tag, layer).map(|attention| decompose::relevance(attention, self.positions))
    }
}

/// What the network makes of one image; τ does not matter here.
///
/// Of a tagger, tokens are its image tokens, rounded to 16 bits. Of a CLIP, they are its features in
/// the joint space, not of unit length: the image's first, as it comes, since the published scores
/// differ in their fifth digit; then the patches' local ones, rounded to 16 bits. Logits and maps are
/// those of the names in force when it was seen, for show: scores are made of the tokens, by the names
/// in force then.
#[derive(Clone, Debug, PartialEq)]
pub struct TaggerOutput {
    /// The kind of network.
    pub arch: Arch,
    /// Image tokens `[positions, width]`, the global one first.
    pub tokens: Vec<f32>,
    /// Width of a token.
    pub width: usize,
    /// Tag logits `[tags]` before the sigmoid; of a CLIP, cosines with the names.
    pub logits: Vec<f32>,
    /// Attention of the tags that were asked for.
    pub attention: Attention,
}

impl TaggerOutput {
    /// The labels' probabilities `[T]`: of a tagger's tags each by itself, of a CLIP's names a share
    /// of the softmax over all.
    pub fn probabilities(&self) -> Vec<f32> {
        probabilities(self.arch, &self.logits)
    }

    /// Number of image tokens, the global one included.
    pub fn positions(&self) -> usize {
        self.tokens.len() / self.width.max(1)
    }

    /// What is kept in 32 bits beside the tokens, which stores and the window keep in 16: a tagger's
    /// logits; of a CLIP the image's own feature, from which the logits of any names are made.
    pub fn in_single(&self) -> &[f32] {
        match self.arch {
            Arch::Ram => &self.logits,
            Arch::Clip => &self.tokens[..self.width],
        }
    }

    /// Back from tokens with their width, what was kept [`in_single`](Self::in_single), and maps.
    pub fn of_kept(
        arch: Arch,
        (mut tokens, width): (Vec<f32>, usize),
        single: Vec<f32>,
        attention: Attention,
    ) -> Self {
        match arch {
            Arch::Ram => Self { arch, tokens, width, logits: single, attention },
            Arch::Clip => {
                tokens.splice(..single.len().min(tokens.len()), single);
                Self { arch, tokens, width, logits: Vec::new(), attention: Attention::default() }
            }
        }
    }

    /// Refuses values that are not finite, of the image at a place.
    pub(super) fn check(&self, place: usize) -> Result<(), PipelineError> {
        check_finite("image tokens", &self.tokens, place)?;
        check_finite("logits", &self.logits, place)?;
        check_finite("maps", &self.attention.values, place)
    }
}

/// See [`TaggerOutput::probabilities`].
pub(super) fn probabilities(arch: Arch, logits: &[f32]) -> Vec<f32> {
    match arch {
        Arch::Ram => logits.iter().copied().map(sigmoid).collect(),
        Arch::Clip => crate::score::softmax(logits, 1.0).into_iter().map(|p| p as f32).collect(),
    }
}

/// Which labels' maps to bring back from the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The in-distribution tags that count, and the best one of each image.
    Id,
    /// Every tag: some 20 MB an image for 4,585 tags.
    All,
}
