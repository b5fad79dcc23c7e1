//! The image encoder: Swin Transformer (Liu et al. 2021), with RAM's pooled token in front.

mod attention;
mod block;
mod patch;
mod window;

use burn::module::Module;
use burn::nn::LayerNorm;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::source::WeightsError;
use super::weights::WeightLoader;
use block::Block;
pub(super) use patch::patches;
use patch::{PatchEmbed, PatchMerge};

/// Added to a variance before its root, in all of Swin's layer norms.
pub const EPSILON: f64 = 1e-5;

/// The shape of a Swin encoder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwinConfig {
    /// Side of the input image, in pixels.
    pub image: usize,
    /// Side of a patch, in pixels.
    pub patch: usize,
    /// Channels of the first stage; every later stage has twice as many.
    pub embed: usize,
    /// Blocks in each stage.
    pub depths: Vec<usize>,
    /// Attention heads in each stage.
    pub heads: Vec<usize>,
    /// Side of an attention window, in tokens.
    pub window: usize,
    /// Width of a block's hidden layer, as a multiple of its channels.
    pub mlp_ratio: usize,
}

impl SwinConfig {
    /// Side of each stage's square of tokens.
    pub fn sides(&self) -> Vec<usize> {
        (0..self.depths.len()).map(|stage| (self.image / self.patch) >> stage).collect()
    }

    /// Side of the last stage's square of tokens: the grid that maps live on.
    pub fn grid(&self) -> usize {
        self.sides().last().copied().unwrap_or_default()
    }

    /// Channels of the last stage.
    pub fn width(&self) -> usize {
        self.embed << self.depths.len().saturating_sub(1)
    }
}

#[derive(Module, Debug)]
struct Stage {
    blocks: Vec<Block>,
    downsample: Option<PatchMerge>,
}

/// Image to tokens: patch embedding, stages of shifted-window blocks, a final norm, and the mean of
/// the tokens put in front of them.
#[derive(Module, Debug)]
pub struct Swin {
    patch_embed: PatchEmbed,
    layers: Vec<Stage>,
    norm: LayerNorm,
}

impl Swin {
    /// Builds the encoder from the builder's tensors.
    ///
    /// # Errors
    /// If a tensor is missing or misshapen.
    pub fn new(config: &SwinConfig, from: &WeightLoader) -> Result<Self, WeightsError> {
        let sides = config.sides();
        let mut layers = Vec::with_capacity(sides.len());
        for (stage, &side) in sides.iter().enumerate() {
            let from = from.scope(&format!("layers.{stage}"));
            let dim = config.embed << stage;
            let blocks = (0..config.depths[stage])
                .map(|index| {
                    let from = from.scope(&format!("blocks.{index}"));
                    Block::new(config, stage, side, index % 2 == 1, &from)
                })
                .collect::<Result<_, _>>()?;
            let last = stage + 1 == sides.len();
            let downsample = match last {
                true => None,
                false => Some(PatchMerge::new(dim, side, &from.scope("downsample"))?),
            };
            layers.push(Stage { blocks, downsample });
        }
        Ok(Self {
            patch_embed: PatchEmbed::new(config, &from.scope("patch_embed"))?,
            layers,
            norm: from.layer_norm("norm", config.width(), EPSILON)?,
        })
    }

    /// Encodes normalised images.
    ///
    /// # Shapes
    /// - image: `[batch, 3, image, image]`
    /// - output: `[batch, 1 + grid * grid, width]`; token 0 is the mean of the others
    pub fn forward(&self, image: Tensor<4>) -> Tensor<3> {
        self.forward_traced(image, &mut |_, _| {})
    }

    /// As [`Swin::forward`], showing each stage's tokens on the way: `patch_embed`,
    /// `stage0_block0`, `stage1_blocks`, `stage1_merged`, …, `swin_tokens`.
    pub fn forward_traced(
        &self,
        image: Tensor<4>,
        note: &mut dyn FnMut(&str, &Tensor<3>),
    ) -> Tensor<3> {
        let mut x = self.patch_embed.forward(image);
        note("patch_embed", &x);
        for (index, stage) in self.layers.iter().enumerate() {
            for (at, block) in stage.blocks.iter().enumerate() {
                x = block.forward(x);
                note(&format!("stage{index}_block{at}"), &x);
            }
            note(&format!("stage{index}_blocks"), &x);
            if let Some(merge) = &stage.downsample {
                x = merge.forward(x);
                note(&format!("stage{index}_merged"), &x);
            }
        }
        let x = self.norm.forward(x);
        let x = Tensor::cat(vec![x.clone().mean_dim(1), x], 1);
        note("swin_tokens", &x);
        x
    }
}
