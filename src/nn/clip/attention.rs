//! Self-attention over all positions, or over those before one.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::softmax;
use burn::tensor::{Bool, Tensor};

use crate::nn::kernels;
use crate::nn::source::WeightsError;
use crate::nn::weights::WeightLoader;

/// `softmax(q kᵀ / √d) v`, heads side by side, then a linear layer.
#[derive(Module, Debug)]
pub(super) struct SelfAttention {
    in_proj: Linear,
    out_proj: Linear,
    heads: usize,
    causal: bool,
}

impl SelfAttention {
    pub(super) fn new(
        width: usize,
        heads: usize,
        causal: bool,
        from: &WeightLoader,
    ) -> Result<Self, WeightsError> {
        let names = ["in_proj_weight", "in_proj_bias"];
        Ok(Self {
            in_proj: from.linear_named(names, width, 3 * width, true)?,
            out_proj: from.linear("out_proj", width, width, true)?,
            heads,
            causal,
        })
    }

    /// `residual + attention(x)`, both `[batch, n, width]`.
    pub(super) fn forward(&self, residual: Tensor<3>, x: Tensor<3>) -> Tensor<3> {
        let qkv = kernels::linear_of(&self.in_proj, x);
        let mixed = match kernels::runs_on_cpu(&qkv) {
            true => kernels::self_attention(qkv, self.heads, self.causal),
            false => self.attend(qkv),
        };
        kernels::residual_linear(residual, &self.out_proj, mixed)
    }

    /// As [`SelfAttention::forward`], but only position 0 looks around; every other one takes its
    /// own value.
    pub(super) fn forward_first(&self, residual: Tensor<3>, x: Tensor<3>) -> Tensor<3> {
        let [batch, n, width] = x.dims();
        let qkv = kernels::linear_of(&self.in_proj, x);
        let others = qkv.clone().slice([0..batch, 1..n, 2 * width..3 * width]);
        let mixed = Tensor::cat(vec![self.attend_first(qkv), others], 1);
        kernels::residual_linear(residual, &self.out_proj, mixed)
    }

    /// Position 0 alone: `residual [batch, 1, width]` and `x [batch, n, width]` to
    /// `[batch, 1, width]`.
    pub(super) fn forward_only_first(&self, residual: Tensor<3>, x: Tensor<3>) -> Tensor<3> {
        let mixed = self.attend_first(kernels::linear_of(&self.in_proj, x));
        kernels::residual_linear(residual, &self.out_proj, mixed)
    }

    /// `[batch, n, 3 * width]` to what position 0 gathers, `[batch, 1, width]`.
    fn attend_first(&self, qkv: Tensor<3>) -> Tensor<3> {
        let [batch, n, triple] = qkv.dims();
        let (width, heads) = (triple / 3, self.heads);
        let qkv = qkv.reshape([batch, n, 3, heads, width / heads]).permute([2, 0, 3, 1, 4]);
        let part = |index: usize| -> Tensor<4> { qkv.clone().narrow(0, index, 1).squeeze_dim(0) };
        let query = part(0).narrow(2, 0, 1) / ((width / heads) as f32).sqrt();
        let weights = softmax(query.matmul(part(1).swap_dims(2, 3)), 3);
        weights.matmul(part(2)).swap_dims(1, 2).reshape([batch, 1, width])
    }

    /// The plain form, for GPUs and for training: `[batch, n, 3 * width]` to `[batch, n, width]`.
    fn attend(&self, qkv: Tensor<3>) -> Tensor<3> {
        let [batch, n, triple] = qkv.dims();
        let (width, heads) = (triple / 3, self.heads);
        let depth = width / heads;
        let qkv = qkv.reshape([batch, n, 3, heads, depth]).permute([2, 0, 3, 1, 4]);
        let part = |index: usize| -> Tensor<4> { qkv.clone().narrow(0, index, 1).squeeze_dim(0) };
        let scores = (part(0) / (depth as f32).sqrt()).matmul(part(1).swap_dims(2, 3));
        let scores = match self.causal {
            true => {
                let later = Tensor::<2, Bool>::tril_mask([n, n], 0, &scores.device());
                scores.mask_fill(later.unsqueeze::<4>().expand([batch, heads, n, n]), -1e4f32)
            }
            false => scores,
        };
        softmax(scores, 3).matmul(part(2)).swap_dims(1, 2).reshape([batch, n, width])
    }
}
