//! One transformer block of CLIP: self-attention and a feed-forward layer, both pre-norm.

use burn::module::Module;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;

use super::EPSILON;
use super::attention::SelfAttention;
use super::config::TransformerConfig;
use crate::nn::source::WeightsError;
use crate::nn::weights::WeightLoader;
use crate::nn::{Activation, kernels};

/// `x + attention(ln_1(x))`, then `x + mlp(ln_2(x))`.
#[derive(Module, Debug)]
pub(super) struct Block {
    ln_1: LayerNorm,
    attn: SelfAttention,
    ln_2: LayerNorm,
    c_fc: Linear,
    c_proj: Linear,
    #[module(skip)]
    activation: Activation,
}

impl Block {
    fn new(
        config: &TransformerConfig,
        activation: Activation,
        causal: bool,
        from: &WeightLoader,
    ) -> Result<Self, WeightsError> {
        let TransformerConfig { width, heads, hidden, .. } = *config;
        Ok(Self {
            ln_1: from.layer_norm("ln_1", width, EPSILON)?,
            attn: SelfAttention::new(width, heads, causal, &from.scope("attn"))?,
            ln_2: from.layer_norm("ln_2", width, EPSILON)?,
            c_fc: from.linear("mlp.c_fc", width, hidden, true)?,
            c_proj: from.linear("mlp.c_proj", hidden, width, true)?,
            activation,
        })
    }

    /// The blocks named `resblocks.0`, `resblocks.1`, …
    pub(super) fn stack(
        config: &TransformerConfig,
        activation: Activation,
        causal: bool,
        from: &WeightLoader,
    ) -> Result<Vec<Self>, WeightsError> {
        let block = |index| from.scope(&format!("resblocks.{index}"));
        (0..config.layers).map(|i| Self::new(config, activation, causal, &block(i))).collect()
    }

    /// `[batch, n, width]` to the same.
    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.feed_forward(self.attn.forward(x.clone(), self.ln_1.forward(x)))
    }

    /// As [`Block::forward`], but only position 0 attends to the others; each of them goes on with
    /// its own value alone.
    pub(super) fn forward_first(&self, x: Tensor<3>) -> Tensor<3> {
        self.feed_forward(self.attn.forward_first(x.clone(), self.ln_1.forward(x)))
    }

    /// Position 0 alone, `[batch, 1, width]`.
    pub(super) fn forward_only_first(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, _, width] = x.dims();
        let normed = self.ln_1.forward(x.clone());
        let first = x.slice([0..batch, 0..1, 0..width]);
        self.feed_forward(self.attn.forward_only_first(first, normed))
    }

    fn feed_forward(&self, x: Tensor<3>) -> Tensor<3> {
        let normed = self.ln_2.forward(x.clone());
        let hidden = kernels::linear_activated(&self.c_fc, normed, self.activation);
        kernels::residual_linear(x, &self.c_proj, hidden)
    }
}
