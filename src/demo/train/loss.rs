//! What the embedded tagger is trained to do: to name what a scene shows, and to see it where it is.
//!
//! RAM's tagging loss alone needs far more images than a few hours on a CPU can see: RAM's own
//! encoder comes from large-scale pre-training. A drawn scene knows the outline of every object, so
//! here every image token is told what lies under it, in the space of the tag embeddings that the
//! tagging head asks in, and the head's attention is told where to look.

use std::fmt;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};

use super::batch::SceneBatch;
use crate::demo::ID_CLASSES;
use crate::fit::asymmetric::AsymmetricLoss;
use crate::nn::ram::Ram;

/// Weight of the tags' presence anywhere in the image tokens.
const ALIGNMENT: f32 = 0.5;

/// Weight of the tokens' naming of what lies under them.
const OUTLINE: f32 = 10.0;

/// Weight of the attention's spread over an object.
const ATTENTION: f32 = 1.0;

/// The parts of the loss, unweighted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TaggerLosses {
    /// RAM's asymmetric loss of the tag logits.
    pub tagging: f32,
    /// Binary cross-entropy of each tag's presence in the image tokens.
    pub alignment: f32,
    /// Cross-entropy of the class under each token.
    pub outline: f32,
    /// Cross-entropy of a tag's attention with an even spread over its object.
    pub attention: f32,
}

impl TaggerLosses {
    /// The weighted sum: what is minimised.
    pub fn total(&self) -> f32 {
        self.tagging
            + ALIGNMENT * self.alignment
            + OUTLINE * self.outline
            + ATTENTION * self.attention
    }

    /// Adds a share of others.
    #[must_use]
    pub fn plus(&self, other: &Self, share: f32) -> Self {
        Self {
            tagging: self.tagging + share * other.tagging,
            alignment: self.alignment + share * other.alignment,
            outline: self.outline + share * other.outline,
            attention: self.attention + share * other.attention,
        }
    }
}

impl fmt::Display for TaggerLosses {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { tagging, alignment, outline, attention } = self;
        write!(
            f,
            "loss {:.3} (tagging {tagging:.3}, alignment {alignment:.3}, outline {outline:.4}, \
             attention {attention:.3})",
            self.total()
        )
    }
}

/// The loss of a batch, to go back from, and its parts.
///
/// # Errors
/// If the device fails.
pub(super) fn of_batch(
    ram: &Ram,
    batch: &SceneBatch,
    device: &Device,
) -> anyhow::Result<(Tensor<1>, TaggerLosses)> {
    let (count, classes) = (batch.len(), ID_CLASSES.len());
    let tags = batch.targets.len() / count;
    let cells = batch.cover.len() / count / classes;
    let side = (batch.images.len() / count / 3).isqrt();
    let images = TensorData::new(batch.images.clone(), [count, 3, side, side]);
    let targets = TensorData::new(batch.targets.clone(), [count, tags]);
    let cover = TensorData::new(batch.cover.clone(), [count, cells, classes]);
    let targets: Tensor<2> = Tensor::from_data(targets, device);
    let cover: Tensor<3> = Tensor::from_data(cover, device);
    let tokens = ram.encode(Tensor::from_data(images, device));
    let output = ram.tag(&tokens, None, None);
    let similarity = ram.alignment(&tokens);
    let parts = [
        AsymmetricLoss::default().forward(output.logits, targets.clone()),
        binary_cross_entropy(pooled(similarity.clone()), targets),
        outline(similarity.narrow(2, 0, classes), cover.clone()),
        attention(&output.attention, cover),
    ];
    let values: Vec<f32> = Tensor::cat(parts.to_vec(), 0).try_into_data()?.iter::<f32>().collect();
    let value = |part: usize| values.get(part).copied().unwrap_or(f32::NAN);
    let losses = TaggerLosses {
        tagging: value(0),
        alignment: value(1),
        outline: value(2),
        attention: value(3),
    };
    let [tagging, aligned, outlined, attended] = parts;
    let total = tagging + aligned * ALIGNMENT + outlined * OUTLINE + attended * ATTENTION;
    Ok((total, losses))
}

/// The mean over patches on an exponential scale: `[batch, patches, tags]` to `[batch, tags]`.
fn pooled(similarity: Tensor<3>) -> Tensor<2> {
    // Shifted by the maximum, so that no exponential overflows.
    let top = similarity.clone().max_dim(1).detach();
    let mean = (similarity - top.clone()).exp().mean_dim(1).log() + top;
    mean.squeeze_dim(1)
}

/// Binary cross-entropy of logits `[batch, tags]`, summed over tags, averaged over images.
fn binary_cross_entropy(logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
    let [batch, _] = logits.dims();
    let softplus = (logits.clone().abs().neg().exp() + 1.0).log() + logits.clone().clamp_min(0.0);
    (softplus - logits * targets).sum() / batch as f32
}

/// Cross-entropy of the class under each patch, or of none (whose logit is 0), averaged over
/// patches.
///
/// # Shapes
/// - similarity: `[batch, patches, classes]`
/// - cover: the share of the patch that each class covers, `[batch, patches, classes]`
/// - output: `[1]`
fn outline(similarity: Tensor<3>, cover: Tensor<3>) -> Tensor<1> {
    let [batch, patches, _] = similarity.dims();
    let none = Tensor::zeros([batch, patches, 1], &similarity.device());
    let rest = (cover.clone().sum_dim(2).neg() + 1.0).clamp_min(0.0);
    let found = log_softmax(Tensor::cat(vec![similarity, none], 2), 2);
    let truth = Tensor::cat(vec![cover, rest], 2);
    (found * truth).sum().neg() / (batch * patches) as f32
}

/// Cross-entropy of the attention, averaged over heads, with an even spread over the object of each
/// class that is there; averaged over those classes, images and layers. An even spread, because
/// attention that is merely told to fall on the object falls on its most telling patch alone, and
/// thresholding at τ then keeps one token of it.
///
/// # Shapes
/// - layers: `[batch, heads, tags, positions]` each; the classes are the first tags, position 0 is
///   the global token
/// - cover: `[batch, positions - 1, classes]`
/// - output: `[1]`
fn attention(layers: &[Tensor<4>], cover: Tensor<3>) -> Tensor<1> {
    let [batch, cells, classes] = cover.dims();
    // A patch counts as the object's from half its area on.
    let on_object = (cover * 2.0).clamp_max(1.0).swap_dims(1, 2);
    let present: Tensor<3> = on_object.clone().max_dim(2).greater_elem(0.99).float();
    let count = present.clone().sum().clamp_min(1.0);
    let spread = on_object.clone() / on_object.sum_dim(2).clamp_min(1.0) * present;
    let mut sum = Tensor::zeros([1], &spread.device());
    for map in layers {
        let [_, heads, _, _] = map.dims();
        let map = map.clone().slice([0..batch, 0..heads, 0..classes, 1..cells + 1]);
        let map: Tensor<3> = map.mean_dim(1).squeeze_dim(1);
        let surprise = map.clamp_min(1e-6).log().neg();
        sum = sum + (surprise * spread.clone()).sum() / count.clone();
    }
    sum / layers.len().max(1) as f32
}
