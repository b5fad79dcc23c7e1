//! TagOOD's projector: object tokens to one feature (paper, section 3.4).
//!
//! A class token and the projected object tokens, with learned positions that count the *kept*
//! tokens, go through pre-norm self-attention blocks; the class token after the last norm is the
//! feature.

use std::cell::Cell;

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Int, Tensor, TensorData};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::kernels::{Activation, affine, linear_activated, linear_of};
use super::source::{Source, WeightsError};
use super::weights::{Init, WeightLoader};

/// Added to a variance before its root, in the projector's layer norms.
pub const EPSILON: f64 = 1e-6;

/// The shape of a projector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectorConfig {
    /// Width of image tokens.
    pub joint: usize,
    /// Width of the feature.
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Self-attention blocks.
    pub layers: usize,
    /// Width of the feed-forward layers.
    pub hidden: usize,
    /// Largest number of object tokens; there is one more position, for the class token.
    pub max_tokens: usize,
    /// Number of in-distribution classes.
    pub classes: usize,
    /// Groups of feature channels that the released score compares one by one.
    pub patterns: usize,
}

impl ProjectorConfig {
    /// Reads the shape of a released projector off its tensors; it has eight heads.
    ///
    /// # Errors
    /// If a tensor that carries part of the shape is missing.
    pub fn of_checkpoint(source: &Source) -> Result<Self, WeightsError> {
        let need = |name: &str, rank: usize| {
            source
                .shape(name)
                .filter(|s| s.len() == rank)
                .ok_or_else(|| source.missing(name, &vec![0; rank]))
        };
        let layer = |index: usize| format!("layers.layers.encoder_layer_{index}.mlp.0.weight");
        let image_proj = need("image_proj.weight", 2)?;
        Ok(Self {
            joint: image_proj[1],
            width: image_proj[0],
            heads: 8,
            layers: (0..).take_while(|&i| source.shape(&layer(i)).is_some()).count(),
            hidden: need(&layer(0), 2)?[0],
            max_tokens: need("layers.pos_embedding", 3)?[1].saturating_sub(1),
            classes: need("classifier.weight", 2)?[0],
            patterns: need("w_layer.weight", 2)?[0],
        })
    }
}

#[derive(Module, Debug)]
struct ProjectorBlock {
    ln_1: LayerNorm,
    in_proj: Linear,
    out_proj: Linear,
    ln_2: LayerNorm,
    up: Linear,
    down: Linear,
    heads: usize,
}

impl ProjectorBlock {
    fn new(config: &ProjectorConfig, from: &WeightLoader) -> Result<Self, WeightsError> {
        let width = config.width;
        let attention = from.scope("self_attention");
        let names = ["in_proj_weight", "in_proj_bias"];
        Ok(Self {
            ln_1: from.layer_norm("ln_1", width, EPSILON)?,
            in_proj: attention.linear_named(names, width, 3 * width, true)?,
            out_proj: attention.linear("out_proj", width, width, true)?,
            ln_2: from.layer_norm("ln_2", width, EPSILON)?,
            up: from.linear("mlp.0", width, config.hidden, true)?,
            down: from.linear("mlp.3", config.hidden, width, true)?,
            heads: config.heads,
        })
    }

    fn attend(&self, x: Tensor<3>, padding: Option<Tensor<4, Bool>>) -> Tensor<3> {
        let [batch, n, width] = x.dims();
        let (heads, depth) = (self.heads, width / self.heads);
        let qkv = linear_of(&self.in_proj, x).reshape([batch, n, 3, heads, depth]);
        let qkv = qkv.permute([2, 0, 3, 1, 4]);
        let part = |index: usize| -> Tensor<4> { qkv.clone().narrow(0, index, 1).squeeze_dim(0) };
        let scores = (part(0) / (depth as f32).sqrt()).matmul(part(1).swap_dims(2, 3));
        let scores = match padding {
            Some(padding) => scores.mask_fill(padding.expand([batch, heads, n, n]), -1e30f32),
            None => scores,
        };
        let mixed = softmax(scores, 3).matmul(part(2)).swap_dims(1, 2);
        linear_of(&self.out_proj, mixed.reshape([batch, n, width]))
    }

    fn forward(
        &self,
        x: Tensor<3>,
        padding: Option<Tensor<4, Bool>>,
        dropout: &Dropout,
    ) -> Tensor<3> {
        let attended = self.attend(self.ln_1.forward(x.clone()), padding);
        self.feed_forward(x + dropout.apply(attended), dropout)
    }

    fn feed_forward(&self, x: Tensor<3>, dropout: &Dropout) -> Tensor<3> {
        let hidden = dropout.apply(linear_activated(
            &self.up,
            self.ln_2.forward(x.clone()),
            Activation::Gelu,
        ));
        x + dropout.apply(linear_of(&self.down, hidden))
    }

    /// The class token alone, `[batch, 1, width]`: in the last block nothing else is looked at, and
    /// most of its work can be left out.
    fn forward_class(
        &self,
        x: Tensor<3>,
        padding: Option<Tensor<4, Bool>>,
        dropout: &Dropout,
    ) -> Tensor<3> {
        let [batch, n, width] = x.dims();
        let (heads, depth) = (self.heads, width / self.heads);
        let normed = self.ln_1.forward(x.clone());
        let (weight, bias) =
            (self.in_proj.weight.val(), self.in_proj.bias.as_ref().map(Param::val));
        // Channels of the fused projection are [q | k | v].
        let project = |x: Tensor<3>, from: usize, to: usize| {
            let weight = weight.clone().slice([0..width, from * width..to * width]);
            let bias = bias.clone().map(|bias| bias.narrow(0, from * width, (to - from) * width));
            affine(x, weight, bias)
        };
        let query = project(normed.clone().slice([0..batch, 0..1]), 0, 1);
        let query = query.reshape([batch, 1, heads, depth]).swap_dims(1, 2);
        let both = project(normed, 1, 3).reshape([batch, n, 2, heads, depth]);
        let both = both.permute([2, 0, 3, 1, 4]);
        let part = |index: usize| -> Tensor<4> { both.clone().narrow(0, index, 1).squeeze_dim(0) };
        let scores = (query / (depth as f32).sqrt()).matmul(part(0).swap_dims(2, 3));
        let scores = match padding {
            Some(padding) => {
                let padding = padding.slice([0..batch, 0..1, 0..1]);
                scores.mask_fill(padding.expand([batch, heads, 1, n]), -1e30f32)
            }
            None => scores,
        };
        let mixed = softmax(scores, 3).matmul(part(1)).swap_dims(1, 2);
        let attended = linear_of(&self.out_proj, mixed.reshape([batch, 1, width]));
        let class = x.slice([0..batch, 0..1]);
        self.feed_forward(class + dropout.apply(attended), dropout)
    }
}

/// Dropout whose masks follow from a seed: the same on every device, and after a restart.
#[derive(Debug, Default)]
pub struct Dropout {
    rate: f64,
    /// Stream of the next mask.
    next: Cell<u64>,
}

impl Dropout {
    /// Sets a share `rate` of values to zero, 0 to 1; the masks follow from `seed`.
    pub fn new(rate: f64, seed: u64) -> Self {
        Self { rate, next: Cell::new(mix(seed)) }
    }

    fn apply<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        if self.rate <= 0.0 {
            return x;
        }
        let mask = TensorData::new(self.mask(x.dims().iter().product()), x.dims());
        let mask = Tensor::from_data(mask, &x.device());
        x * mask
    }

    /// Zeros, and factors that keep the sum.
    fn mask(&self, count: usize) -> Vec<f32> {
        const CHUNK: usize = 1 << 14;
        let stream = self.next.get();
        self.next.set(mix(stream));
        let dropped = (self.rate * 65536.0).round() as u64;
        let kept = (1.0 / (1.0 - self.rate)) as f32;
        let mut mask = vec![0.0; count];
        mask.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, mask)| {
            let mut state = mix(stream ^ mix(chunk as u64 + 1));
            for four in mask.chunks_mut(4) {
                state = state.wrapping_add(GOLDEN_RATIO);
                let bits = finish(state);
                for (lane, value) in four.iter_mut().enumerate() {
                    let dropped = (bits >> (16 * lane)) & 0xffff < dropped;
                    *value = if dropped { 0.0 } else { kept };
                }
            }
        });
        mask
    }
}

/// 2⁶⁴ over the golden ratio: the step of the SplitMix64 generator.
const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;

/// One draw of SplitMix64 (Steele, Lea and Flood, 2014).
fn mix(state: u64) -> u64 {
    finish(state.wrapping_add(GOLDEN_RATIO))
}

fn finish(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The projector.
#[derive(Module, Debug)]
pub struct Projector {
    cls_token: Param<Tensor<3>>,
    image_proj: Linear,
    pos_embedding: Param<Tensor<3>>,
    blocks: Vec<ProjectorBlock>,
    ln: LayerNorm,
    classifier: Linear,
    w_layer: Linear,
}

impl Projector {
    /// Builds a projector from the builder's tensors.
    ///
    /// # Errors
    /// If a tensor is missing or misshapen.
    pub fn new(config: &ProjectorConfig, from: &WeightLoader) -> Result<Self, WeightsError> {
        let (width, layers) = (config.width, from.scope("layers"));
        let blocks = (0..config.layers)
            .map(|i| {
                ProjectorBlock::new(config, &layers.scope(&format!("layers.encoder_layer_{i}")))
            })
            .collect::<Result<_, _>>()?;
        let positions = [1, config.max_tokens + 1, width];
        Ok(Self {
            cls_token: from.param("cls_token", [1, 1, width], Init::Zeros)?,
            image_proj: from.linear("image_proj", config.joint, width, true)?,
            pos_embedding: layers.param("pos_embedding", positions, Init::Normal(0.02))?,
            blocks,
            ln: layers.layer_norm("ln", width, EPSILON)?,
            classifier: from.linear("classifier", width, config.classes, true)?,
            w_layer: from.linear("w_layer", width, config.patterns, true)?,
        })
    }

    /// Object tokens to features.
    ///
    /// # Shapes
    /// - tokens: `[batch, n, joint]`, padded at the end
    /// - lengths: the number of real tokens of each image, if there is padding; padding is never
    ///   attended to, so every image comes out as if it were alone
    /// - output: `[batch, width]`
    pub fn features(&self, tokens: Tensor<3>, lengths: Option<&[usize]>) -> Tensor<2> {
        self.features_with_dropout(tokens, lengths, &Dropout::default())
    }

    /// As [`Projector::features`], with dropout, as in training.
    pub fn features_with_dropout(
        &self,
        tokens: Tensor<3>,
        lengths: Option<&[usize]>,
        dropout: &Dropout,
    ) -> Tensor<2> {
        let (mut x, padding) = self.embed(tokens, lengths, dropout);
        if let Some((last, others)) = self.blocks.split_last() {
            for block in others {
                x = block.forward(x, padding.clone(), dropout);
            }
            x = last.forward_class(x, padding, dropout);
        }
        self.class_feature(x)
    }

    /// Class token and projected tokens with their positions, and where padding is.
    fn embed(
        &self,
        tokens: Tensor<3>,
        lengths: Option<&[usize]>,
        dropout: &Dropout,
    ) -> (Tensor<3>, Option<Tensor<4, Bool>>) {
        let [batch, n, _] = tokens.dims();
        let device = tokens.device();
        let class = self.cls_token.val();
        let [_, _, width] = class.dims();
        let projected = linear_of(&self.image_proj, tokens);
        let x = Tensor::cat(vec![class.expand([batch, 1, width]), projected], 1);
        let x = dropout.apply(x + self.pos_embedding.val().slice([0..1, 0..n + 1]));
        let padding = lengths.map(|lengths| {
            let lengths: Vec<i32> = lengths.iter().map(|&length| length as i32).collect();
            let limits: Tensor<1, Int> = Tensor::from_data(lengths.as_slice(), &device);
            let at: Tensor<1, Int> = Tensor::arange(0..n as i64 + 1, &device);
            let at: Tensor<4, Int> = at.reshape([1, 1, 1, n + 1]).expand([batch, 1, 1, n + 1]);
            at.greater(limits.reshape([batch, 1, 1, 1]).expand([batch, 1, 1, n + 1]))
        });
        (x, padding)
    }

    fn class_feature(&self, x: Tensor<3>) -> Tensor<2> {
        let [batch, _, width] = x.dims();
        self.ln.forward(x.slice([0..batch, 0..1])).reshape([batch, width])
    }

    /// Features `[batch, width]` to class logits `[batch, classes]`.
    pub fn class_logits(&self, features: Tensor<2>) -> Tensor<2> {
        linear_of(&self.classifier, features)
    }

    /// Features `[batch, width]` to the released model's pattern weights `[batch, patterns]`,
    /// which its score does not use.
    pub fn pattern_logits(&self, features: Tensor<2>) -> Tensor<2> {
        self.w_layer.forward(features)
    }

    /// The classifier's weight `[classes, width]` and bias `[classes]`, as detectors use them.
    pub fn classifier(&self) -> (Tensor<2>, Tensor<1>) {
        let weight = self.classifier.weight.val().transpose();
        let [classes, _] = weight.dims();
        let bias = match &self.classifier.bias {
            Some(bias) => bias.val(),
            None => Tensor::zeros([classes], &weight.device()),
        };
        (weight, bias)
    }
}
