//! CLIP's image side: a vision transformer, seen through the projection into the joint space.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;

use super::EPSILON;
use super::block::Block;
use super::config::ClipConfig;
use super::positions::PositionResize;
use crate::nn::kernels;
use crate::nn::source::WeightsError;
use crate::nn::swin::patches;
use crate::nn::weights::{Init, WeightLoader};

/// Patches, a class token in front of them, positions, blocks, and the projection.
#[derive(Module, Debug)]
pub struct ImageTransformer {
    conv1: Linear,
    class_embedding: Param<Tensor<1>>,
    positional_embedding: Param<Tensor<2>>,
    ln_pre: LayerNorm,
    blocks: Vec<Block>,
    ln_post: LayerNorm,
    proj: Param<Tensor<2>>,
    patch: usize,
    #[module(skip)]
    positions: PositionResize,
}

impl ImageTransformer {
    /// Builds the image side from the tensors under `visual`.
    ///
    /// # Errors
    /// If a tensor is missing or misshapen.
    pub fn new(config: &ClipConfig, from: &WeightLoader) -> Result<Self, WeightsError> {
        let from = from.scope("visual");
        let (image, joint) = (&config.image, config.joint);
        let (patch, width) = (image.patch, image.transformer.width);
        let spread = Init::Normal((width as f32).powf(-0.5));
        let positions = image.grid() * image.grid() + 1;
        let blocks = from.scope("transformer");
        Ok(Self {
            conv1: from.patch_linear("conv1", [width, 3, patch, patch], false)?,
            class_embedding: from.param("class_embedding", [width], spread)?,
            positional_embedding: from.param("positional_embedding", [positions, width], spread)?,
            ln_pre: from.layer_norm("ln_pre", width, EPSILON)?,
            blocks: Block::stack(&image.transformer, config.activation, false, &blocks)?,
            ln_post: from.layer_norm("ln_post", width, EPSILON)?,
            proj: from.param("proj", [width, joint], spread)?,
            patch,
            positions: config.positions,
        })
    }

    /// Encodes normalised images into tokens of the joint space, not yet of unit length. Token 0 is
    /// the image's feature. The others are the patches' local features, as GL-MCM takes them
    /// (Miyai et al. 2025, "GL-MCM"): in the last block a patch goes on with its own value alone,
    /// instead of what attention mixes, so that the feature stays at its place.
    ///
    /// # Shapes
    /// - image: `[batch, 3, side, side]`; positions are resized where `side` is not the trained one
    /// - output: `[batch, 1 + patches, joint]`, patches in reading order
    pub fn forward(&self, image: Tensor<4>) -> Tensor<3> {
        self.forward_traced(image, &mut |_, _| {})
    }

    /// As [`ImageTransformer::forward`], showing the tokens on the way: `embedded`, then the output
    /// of each block but the last under its number.
    pub fn forward_traced(
        &self,
        image: Tensor<4>,
        note: &mut dyn FnMut(&str, &Tensor<3>),
    ) -> Tensor<3> {
        let mut x = self.embed(image);
        note("embedded", &x);
        if let Some((last, others)) = self.blocks.split_last() {
            for (index, block) in others.iter().enumerate() {
                x = block.forward(x);
                note(&index.to_string(), &x);
            }
            x = last.forward_first(x);
        }
        kernels::affine(self.ln_post.forward(x), self.proj.val(), None)
    }

    /// The images' features alone, `[batch, joint]`: a twelfth of the work less for ViT-B.
    pub fn features(&self, image: Tensor<4>) -> Tensor<2> {
        let mut x = self.embed(image);
        let [batch, _, width] = x.dims();
        if let Some((last, others)) = self.blocks.split_last() {
            for block in others {
                x = block.forward(x);
            }
            x = last.forward_only_first(x);
        }
        let class = x.slice([0..batch, 0..1]).reshape([batch, width]);
        kernels::affine(self.ln_post.forward(class), self.proj.val(), None)
    }

    /// `[batch, 3, side, side]` to the blocks' input `[batch, 1 + patches, width]`.
    fn embed(&self, image: Tensor<4>) -> Tensor<3> {
        let [batch, _, side, _] = image.dims();
        let x = kernels::linear_of(&self.conv1, patches(image, self.patch));
        let [_, _, width] = x.dims();
        let class = self.class_embedding.val().reshape([1, 1, width]).expand([batch, 1, width]);
        let positions = self.positions.apply(self.positional_embedding.val(), side / self.patch);
        self.ln_pre.forward(Tensor::cat(vec![class, x], 1) + positions.unsqueeze())
    }
}
