//! TagOOD's projector: object tokens to one feature (paper, section 3.4).
//!
//! A class token and the projected object tokens, with learned positions that count the *kept*
//! tokens, go through pre-norm self-attention blocks; the class token after the last norm is the
//! feature.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::activation::{gelu, softmax};
use burn::tensor::{Bool, Distribution, Int, Tensor};
use serde::{Deserialize, Serialize};

use super::source::{Source, WeightsError};
use super::weights::{Builder, Init};

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
            source.shape(name).filter(|s| s.len() == rank).ok_or_else(|| WeightsError::Missing {
                name: name.to_owned(),
                expected: vec![0; rank],
                path: source.path().to_owned(),
            })
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
    fn new(config: &ProjectorConfig, from: &Builder) -> Result<Self, WeightsError> {
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
        let qkv = self.in_proj.forward(x).reshape([batch, n, 3, heads, depth]);
        let qkv = qkv.permute([2, 0, 3, 1, 4]);
        let part = |index: usize| -> Tensor<4> { qkv.clone().narrow(0, index, 1).squeeze_dim(0) };
        let scores = (part(0) / (depth as f32).sqrt()).matmul(part(1).swap_dims(2, 3));
        let scores = match padding {
            Some(padding) => scores.mask_fill(padding.expand([batch, heads, n, n]), -1e30f32),
            None => scores,
        };
        let mixed = softmax(scores, 3).matmul(part(2)).swap_dims(1, 2);
        self.out_proj.forward(mixed.reshape([batch, n, width]))
    }

    fn forward(
        &self,
        x: Tensor<3>,
        padding: Option<Tensor<4, Bool>>,
        dropout: &Dropout,
    ) -> Tensor<3> {
        let attended = self.attend(self.ln_1.forward(x.clone()), padding);
        let x = x + dropout.apply(attended);
        let hidden = dropout.apply(gelu(self.up.forward(self.ln_2.forward(x.clone()))));
        x + dropout.apply(self.down.forward(hidden))
    }
}

/// Dropout with a rate that may be zero; at inference it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dropout {
    /// Share of values set to zero, 0 to 1.
    pub rate: f64,
}

impl Dropout {
    fn apply<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        if self.rate <= 0.0 {
            return x;
        }
        let keep = 1.0 - self.rate;
        let kept = Tensor::random(x.dims(), Distribution::Bernoulli(keep), &x.device());
        x * kept / keep
    }
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
    pub fn new(config: &ProjectorConfig, from: &Builder) -> Result<Self, WeightsError> {
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
        self.features_with(tokens, lengths, &Dropout::default(), &mut |_| {})
    }

    /// As [`Projector::features`], with dropout, and showing the tokens after each block.
    pub fn features_with(
        &self,
        tokens: Tensor<3>,
        lengths: Option<&[usize]>,
        dropout: &Dropout,
        note: &mut dyn FnMut(&Tensor<3>),
    ) -> Tensor<2> {
        let [batch, n, _] = tokens.dims();
        let device = tokens.device();
        let class = self.cls_token.val();
        let [_, _, width] = class.dims();
        let projected = self.image_proj.forward(tokens);
        let x = Tensor::cat(vec![class.expand([batch, 1, width]), projected], 1);
        let x = x + self.pos_embedding.val().slice([0..1, 0..n + 1]);
        let mut x = dropout.apply(x);
        let padding = lengths.map(|lengths| {
            let lengths: Vec<i32> = lengths.iter().map(|&length| length as i32).collect();
            let limits: Tensor<1, Int> = Tensor::from_data(lengths.as_slice(), &device);
            let at: Tensor<1, Int> = Tensor::arange(0..n as i64 + 1, &device);
            let at: Tensor<4, Int> = at.reshape([1, 1, 1, n + 1]).expand([batch, 1, 1, n + 1]);
            at.greater(limits.reshape([batch, 1, 1, 1]).expand([batch, 1, 1, n + 1]))
        });
        for block in &self.blocks {
            x = block.forward(x, padding.clone(), dropout);
            note(&x);
        }
        let class = x.slice([0..batch, 0..1]);
        self.ln.forward(class).reshape([batch, width])
    }

    /// Features `[batch, width]` to class logits `[batch, classes]`.
    pub fn class_logits(&self, features: Tensor<2>) -> Tensor<2> {
        self.classifier.forward(features)
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
