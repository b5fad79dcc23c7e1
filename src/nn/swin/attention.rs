//! Self-attention inside windows, with a learned bias for each relative position.

use burn::module::Module;
use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::activation::softmax;
use burn::tensor::{Int, Tensor};

use super::window::{regions, relative_index};
use crate::nn::kernels;
use crate::nn::source::WeightsError;
use crate::nn::weights::{Init, WeightLoader};

/// Added to the scores between tokens of different regions of a shifted window.
const SHIFT_MASK: f32 = -100.0;

/// `softmax(q kᵀ / √d + bias + mask) v` in each window, heads side by side.
#[derive(Module, Debug)]
pub(super) struct WindowAttention {
    qkv: Linear,
    proj: Linear,
    relative_position_bias_table: Param<Tensor<2>>,
    relative_index: Tensor<1, Int>,
    /// The bias laid out `[heads, n, n]`; `None` while the table is being trained.
    bias: Option<Tensor<3>>,
    /// `[windows, n, n]`, for shifted blocks.
    mask: Option<Tensor<3>>,
    heads: usize,
    slots: usize,
}

impl WindowAttention {
    /// `[side, window, shift]` are in tokens.
    pub(super) fn new(
        dim: usize,
        heads: usize,
        [side, window, shift]: [usize; 3],
        from: &WeightLoader,
    ) -> Result<Self, WeightsError> {
        let slots = window * window;
        let rows = (2 * window - 1) * (2 * window - 1);
        let table = "relative_position_bias_table";
        let mut attention = Self {
            qkv: from.linear("qkv", dim, 3 * dim, true)?,
            proj: from.linear("proj", dim, dim, true)?,
            relative_position_bias_table: from.param(table, [rows, heads], Init::Normal(0.02))?,
            relative_index: from.indices(&relative_index(window)),
            bias: None,
            mask: (shift > 0).then(|| shift_mask(side, window, shift, from)),
            heads,
            slots,
        };
        if !from.is_trainable() {
            attention.bias = Some(attention.bias());
        }
        Ok(attention)
    }

    /// The bias of each head and pair of slots, `[heads, n, n]`.
    fn bias(&self) -> Tensor<3> {
        if let Some(bias) = &self.bias {
            return bias.clone();
        }
        let table = self.relative_position_bias_table.val();
        table
            .select(0, self.relative_index.clone())
            .transpose()
            .reshape([self.heads, self.slots, self.slots])
    }

    /// Window-major tokens `[batch, windows * n, dim]` to the same.
    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, tokens, dim] = x.dims();
        let windows = tokens / self.slots;
        let qkv = kernels::linear_of(&self.qkv, x).reshape([batch * windows, self.slots, 3 * dim]);
        let mask = self.mask.clone();
        let mixed = match kernels::runs_on_cpu(&qkv) {
            true => kernels::window_attention(qkv, self.bias(), mask, self.heads),
            false => self.attend(qkv, mask, windows),
        };
        kernels::linear_of(&self.proj, mixed.reshape([batch, tokens, dim]))
    }

    /// The plain form, for GPUs and for training: `[batch * windows, n, 3 * dim]` to
    /// `[batch * windows, n, dim]`.
    fn attend(&self, qkv: Tensor<3>, mask: Option<Tensor<3>>, windows: usize) -> Tensor<3> {
        let [all, slots, triple] = qkv.dims();
        let (dim, heads) = (triple / 3, self.heads);
        let qkv = qkv.reshape([all, slots, 3, heads, dim / heads]).permute([2, 0, 3, 1, 4]);
        let part = |index: usize| -> Tensor<4> { qkv.clone().narrow(0, index, 1).squeeze_dim(0) };
        let scale = ((dim / heads) as f32).powf(-0.5);
        let scores = (part(0) * scale).matmul(part(1).swap_dims(2, 3));
        let mut scores = scores + self.bias().unsqueeze();
        if let Some(mask) = mask {
            let shape = [all / windows, windows, heads, slots, slots];
            let mask: Tensor<4> = mask.unsqueeze_dim(1);
            scores = (scores.reshape(shape) + mask.unsqueeze()).reshape([all, heads, slots, slots]);
        }
        softmax(scores, 3).matmul(part(2)).swap_dims(1, 2).reshape([all, slots, dim])
    }
}

fn shift_mask(side: usize, window: usize, shift: usize, from: &WeightLoader) -> Tensor<3> {
    let slots = window * window;
    let regions = regions(side, window, shift);
    let mut mask = Vec::with_capacity(regions.len() * slots);
    for one in regions.chunks(slots) {
        for query in one {
            mask.extend(one.iter().map(|key| if key == query { 0.0 } else { SHIFT_MASK }));
        }
    }
    from.constant(mask, [regions.len() / slots, slots, slots])
}
