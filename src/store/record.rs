//! One row: an image, and what the tagger made of it.

use std::path::{Path, PathBuf};

use half::f16;
use half::slice::HalfFloatSliceExt as _;

use super::{Stamp, StoreHeader};
use crate::pipeline::{Attention, TaggerOutput};

/// One image with its tensors, or with the reason why there are none.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Where the image is; see [`stored_path`].
    pub path: PathBuf,
    /// Hash of the file's bytes; `None` if they cannot be read. See [`super::hash_file`].
    pub hash: Option<u64>,
    /// Size and time of the file before it was read.
    pub stamp: Option<Stamp>,
    /// The set that the image belongs to.
    pub set: String,
    /// The class's name; `None` in a set without labels.
    pub class: Option<String>,
    /// Width of the image in pixels, 0 if it failed.
    pub width: u32,
    /// Height of the image in pixels, 0 if it failed.
    pub height: u32,
    /// The tensors, or why the image failed.
    pub outcome: Result<Tensors, String>,
}

/// What the tagger made of an image, in the precision of the store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensors {
    /// Tag logits `[T]`.
    pub logits: Vec<f32>,
    /// Image tokens `[P, W]`.
    pub tokens: Vec<f16>,
    /// Tags whose attention is kept, ascending.
    pub tags: Vec<u32>,
    /// Their attention summed over heads, `[tags, L, P]`.
    pub attention: Vec<f32>,
}

/// [`Tensors`] where they lie, without a copy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TensorsRef<'a> {
    /// Tag logits `[T]`.
    pub logits: &'a [f32],
    /// Image tokens `[P, W]`.
    pub tokens: &'a [f16],
    /// Tags whose attention is kept, ascending.
    pub tags: &'a [u32],
    /// Their attention summed over heads, `[tags, L, P]`.
    pub attention: &'a [f32],
}

impl Tensors {
    /// Takes over what the tagger made, with the attention of `keep` (ascending) so far as it is
    /// there: tokens rounded to `f16`, attention summed over heads.
    pub fn from_tagged(tagged: &TaggerOutput, keep: &[usize]) -> Self {
        let attention = &tagged.attention;
        let mut tensors = Self {
            logits: tagged.in_single().to_vec(),
            tokens: vec![f16::ZERO; tagged.tokens.len()],
            ..Self::default()
        };
        tensors.tokens.convert_from_f32_slice(&tagged.tokens);
        for &tag in keep.iter().filter(|tag| attention.tags.binary_search(tag).is_ok()) {
            tensors.tags.push(tag as u32);
            for layer in 0..attention.layers {
                let heads = attention.of(tag, layer).unwrap_or_default();
                tensors.attention.extend(sum_of_heads(heads, attention.positions));
            }
        }
        tensors
    }

    /// The same without a copy.
    pub fn view(&self) -> TensorsRef<'_> {
        TensorsRef {
            logits: &self.logits,
            tokens: &self.tokens,
            tags: &self.tags,
            attention: &self.attention,
        }
    }
}

/// `[H, P]` to `[P]`, added in the order in which a relevance map adds them, so that it comes out
/// the same to the last bit.
pub(super) fn sum_of_heads(heads: &[f32], positions: usize) -> Vec<f32> {
    let mut sum = vec![0.0f32; positions];
    for head in heads.chunks_exact(positions.max(1)) {
        sum.iter_mut().zip(head).for_each(|(sum, value)| *sum += value);
    }
    sum
}

impl TensorsRef<'_> {
    /// Back to what the pipeline works on, with one head that stands for the sum of all.
    pub fn to_tagged(&self, header: &StoreHeader) -> TaggerOutput {
        let attention = Attention {
            tags: self.tags.iter().map(|&tag| tag as usize).collect(),
            layers: header.layers,
            heads: 1,
            positions: header.positions,
            values: self.attention.to_vec(),
        };
        let (tokens, single) = (self.tokens.to_f32_vec(), self.logits.to_vec());
        TaggerOutput::of_kept(header.arch, (tokens, header.width), single, attention)
    }

    /// A copy that outlives the store.
    pub fn to_owned(&self) -> Tensors {
        Tensors {
            logits: self.logits.to_vec(),
            tokens: self.tokens.to_vec(),
            tags: self.tags.to_vec(),
            attention: self.attention.to_vec(),
        }
    }
}

impl Tensors {
    /// Whether every number is finite.
    pub fn are_finite(&self) -> bool {
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        let tokens = self.tokens.iter().all(|token| token.is_finite());
        finite(&self.logits) && finite(&self.attention) && tokens
    }
}

/// How a store names an image: its absolute path, links left as they are, so that a store does not
/// depend on the working directory.
pub fn stored_path(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A path from the bytes that a store has of it.
#[cfg(unix)]
pub(super) fn path_from_bytes(bytes: &[u8], _shown: &str) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

/// A path from the bytes that a store has of it; where they are no text, as it is shown.
#[cfg(not(unix))]
pub(super) fn path_from_bytes(bytes: &[u8], shown: &str) -> PathBuf {
    PathBuf::from(std::str::from_utf8(bytes).unwrap_or(shown))
}
