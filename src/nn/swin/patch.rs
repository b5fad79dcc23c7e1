//! From pixels to tokens, and from four tokens to one.

use burn::module::Module;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;

use super::{EPSILON, SwinConfig};
use crate::nn::kernels::linear_of;
use crate::nn::source::WeightsError;
use crate::nn::weights::WeightLoader;

/// Cuts the image into patches and projects each: a convolution whose stride is its size, done as
/// one matrix product.
#[derive(Module, Debug)]
pub(super) struct PatchEmbed {
    proj: Linear,
    norm: LayerNorm,
    patch: usize,
}

impl PatchEmbed {
    pub(super) fn new(config: &SwinConfig, from: &WeightLoader) -> Result<Self, WeightsError> {
        let (patch, embed) = (config.patch, config.embed);
        let proj = from.patch_linear("proj", [embed, 3, patch, patch], true)?;
        Ok(Self { proj, norm: from.layer_norm("norm", embed, EPSILON)?, patch })
    }

    /// `[batch, 3, image, image]` to `[batch, side * side, embed]`.
    pub(super) fn forward(&self, image: Tensor<4>) -> Tensor<3> {
        self.norm.forward(self.proj.forward(patches(image, self.patch)))
    }
}

/// Cuts `[batch, channels, height, width]` into squares of side `patch`, in reading order:
/// `[batch, patches, channels * patch * patch]`.
pub(in crate::nn) fn patches(image: Tensor<4>, patch: usize) -> Tensor<3> {
    let [batch, channels, height, width] = image.dims();
    let (rows, columns) = (height / patch, width / patch);
    image
        .reshape([batch, channels, rows, patch, columns, patch])
        .permute([0, 2, 4, 1, 3, 5])
        .reshape([batch, rows * columns, channels * patch * patch])
}

/// Joins each 2×2 tokens: their channels in the order (row, column) 00, 10, 01, 11, normalised and
/// projected from `4 * dim` to `2 * dim`.
#[derive(Module, Debug)]
pub(super) struct PatchMerge {
    reduction: Linear,
    norm: LayerNorm,
    side: usize,
}

impl PatchMerge {
    pub(super) fn new(dim: usize, side: usize, from: &WeightLoader) -> Result<Self, WeightsError> {
        Ok(Self {
            reduction: from.linear("reduction", 4 * dim, 2 * dim, false)?,
            norm: from.layer_norm("norm", 4 * dim, EPSILON)?,
            side,
        })
    }

    /// `[batch, side * side, dim]` to `[batch, side * side / 4, 2 * dim]`.
    pub(super) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, _, dim] = x.dims();
        let half = self.side / 2;
        let joined: Tensor<3> = x
            .reshape([batch, half, 2, half, 2, dim])
            .permute([0, 1, 3, 4, 2, 5])
            .reshape([batch, half * half, 4 * dim]);
        linear_of(&self.reduction, self.norm.forward(joined))
    }
}
