//! One Swin block: window attention and a feed-forward layer, both pre-norm.

use burn::module::Module;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::{Int, Tensor};

use super::attention::WindowAttention;
use super::window::{inverse, window_order};
use super::{EPSILON, SwinConfig};
use crate::nn::kernels::{self, Activation};
use crate::nn::source::WeightsError;
use crate::nn::weights::WeightLoader;

/// `x + attention(norm1(x))`, then `x + mlp(norm2(x))`, with GELU (erf) inside the `mlp`.
#[derive(Module, Debug)]
pub(super) struct Block {
    norm1: LayerNorm,
    attn: WindowAttention,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    order: Tensor<1, Int>,
    unorder: Tensor<1, Int>,
}

impl Block {
    pub(super) fn new(
        config: &SwinConfig,
        stage: usize,
        side: usize,
        shifted: bool,
        from: &WeightLoader,
    ) -> Result<Self, WeightsError> {
        let dim = config.embed << stage;
        // Where the whole map is one window there is nothing to shift.
        let (window, shift) = match side <= config.window {
            true => (side, 0),
            false => (config.window, if shifted { config.window / 2 } else { 0 }),
        };
        let heads = config.heads[stage];
        let order = window_order(side, window, shift);
        let hidden = config.mlp_ratio * dim;
        Ok(Self {
            norm1: from.layer_norm("norm1", dim, EPSILON)?,
            attn: WindowAttention::new(dim, heads, [side, window, shift], &from.scope("attn"))?,
            norm2: from.layer_norm("norm2", dim, EPSILON)?,
            fc1: from.linear("mlp.fc1", dim, hidden, true)?,
            fc2: from.linear("mlp.fc2", hidden, dim, true)?,
            unorder: from.indices(&inverse(&order)),
            order: from.indices(&order),
        })
    }

    /// `[batch, side * side, dim]` to the same.
    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let windows = self.norm1.forward(x.clone()).select(1, self.order.clone());
        let x = x + self.attn.forward(windows).select(1, self.unorder.clone());
        let hidden =
            kernels::linear_activated(&self.fc1, self.norm2.forward(x.clone()), Activation::Gelu);
        kernels::residual_linear(x, &self.fc2, hidden)
    }
}
