//! What the pipeline asks of a network, whichever kind it is. Everything that is here called a label is
//! a tag of a tagger, or a name that a CLIP was given.

use std::borrow::Cow;
use std::sync::Arc;

use super::tagger::Tagger;
use super::{
    Attention, Features, Keep, LabelSet, Labels, OdinInput, PipelineError, Projected, TaggerOutput,
};
use crate::bundle::manifest::Recipe;
use crate::bundle::vocabulary::Vocabulary;
use crate::score::Input;

/// A network that makes tokens of images, and labels of tokens.
///
/// What depends on the image alone ([`see`](Network::see)) is made once and kept; the rest is asked for
/// at every change of τ, of labels, of settings.
pub(super) trait Network: Send + Sync {
    /// Sees prepared images (`[3, S, S]` each).
    fn see(
        &self,
        images: &[&[f32]],
        vocabulary: &Vocabulary,
        keep: Keep,
    ) -> Result<Vec<TaggerOutput>, PipelineError>;

    /// As [`Network::see`] with the maps of all labels, and beside each image's output the network's
    /// own, of tokens in full precision.
    fn see_unrounded(
        &self,
        images: &[&[f32]],
        vocabulary: &Vocabulary,
    ) -> Result<Vec<(TaggerOutput, TaggerOutput)>, PipelineError>;

    /// Maps of any labels of an image that was seen before; `labels` ascending.
    fn maps_of(&self, seen: &TaggerOutput, labels: &[usize]) -> Result<Attention, PipelineError>;

    /// The labels' logits, `[T]`.
    fn logits<'a>(&self, seen: &'a TaggerOutput) -> Cow<'a, [f32]> {
        Cow::Borrowed(&seen.logits)
    }

    /// A label's relevance `[1 + N]` in 0..1; `None` if its map is not at hand.
    fn relevance(&self, seen: &TaggerOutput, label: usize, layer: usize) -> Option<Vec<f32>> {
        seen.attention.relevance(label, layer)
    }

    /// The labels that count for an image, ascending.
    fn counting(
        &self,
        probabilities: &[f32],
        vocabulary: &Vocabulary,
        recipe: Recipe,
    ) -> Vec<usize>;

    /// The tokens that become an image's feature, `[n, D]`.
    fn object(&self, seen: &TaggerOutput, mask: &[bool], features: Features) -> Vec<f32>;

    /// Features of objects (`[n, D]` each), in their order; nothing where the model makes none.
    fn project(&self, objects: &[Vec<f32>], ce: bool) -> Result<Vec<Projected>, PipelineError>;

    /// Class logits `[C]` of an object after ODIN's step.
    fn odin(
        &self,
        pixels: Option<&[f32]>,
        mask: &[bool],
        object: &[f32],
        moved: OdinInput,
    ) -> Result<Vec<f32>, PipelineError>;

    /// Takes other labels; an error of a network that has its own.
    fn set_labels(&mut self, labels: &Labels) -> Result<(), PipelineError>;

    /// Text features of the labels in force, where the network has a text side.
    fn labels(&self) -> Option<&Arc<LabelSet>> {
        None
    }

    /// Which cosines with names samples of this network have.
    fn offers(&self) -> Vec<Input> {
        Vec::new()
    }

    /// The network, if it is a tagger.
    fn as_tagger(&self) -> Option<&Tagger> {
        None
    }
}
