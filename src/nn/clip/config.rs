//! The shape of a CLIP, and how to read it off a checkpoint.

use serde::{Deserialize, Serialize};

use super::positions::PositionResize;
use super::text::Side;
use crate::nn::Activation;
use crate::nn::source::{Source, WeightsError};

/// Channels of an attention head, where nothing says otherwise.
const HEAD: usize = 64;

/// The shape of a stack of transformer blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransformerConfig {
    /// Channels of a token.
    pub width: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width of a block's hidden layer.
    pub hidden: usize,
}

/// The shape of the image side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// Side of the images it was trained on, in pixels.
    pub image: usize,
    /// Side of a patch, in pixels.
    pub patch: usize,
    /// Its blocks.
    pub transformer: TransformerConfig,
}

impl ImageConfig {
    /// Side of the square of patches.
    pub fn grid(&self) -> usize {
        self.image / self.patch.max(1)
    }
}

/// The shape of a text side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextConfig {
    /// Longest text, in tokens with start and end.
    pub context: usize,
    /// Number of token ids; the last is the end token, the one before it the start token.
    pub vocabulary: usize,
    /// Its blocks.
    pub transformer: TransformerConfig,
}

/// The shape of a CLIP or a CLIPN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClipConfig {
    /// Width of the space that images and texts share.
    pub joint: usize,
    /// Inside the blocks of all sides.
    pub activation: Activation,
    /// How position embeddings meet images of another size.
    #[serde(default)]
    pub positions: PositionResize,
    /// The image side.
    pub image: ImageConfig,
    /// The text side.
    pub text: TextConfig,
    /// Number of learned "no" prompts of CLIPN's second text side; 0 for its hand-crafted variant,
    /// `None` where there is no such side.
    pub no_prompts: Option<usize>,
}

impl ClipConfig {
    /// Reads the shape off tensors with OpenAI's names. Two things cannot be seen in them: the
    /// activation, and the heads, which are 64 channels wide but in the largest image sides.
    ///
    /// # Errors
    /// If a tensor that carries part of the shape is missing, or has an impossible shape.
    pub fn of_checkpoint(source: &Source, activation: Activation) -> Result<Self, WeightsError> {
        let [width, _, _, patch] = dims(source, "visual.conv1.weight")?;
        let [positions, _] = dims(source, "visual.positional_embedding")?;
        let [_, joint] = dims(source, "visual.proj")?;
        let grid = positions.saturating_sub(1).isqrt();
        if grid == 0 || grid * grid + 1 != positions {
            let expected = [grid * grid + 1, width];
            return Err(source.misshapen("visual.positional_embedding", &expected));
        }
        let [context, text_width] = dims(source, "positional_embedding")?;
        let [vocabulary, _] = dims(source, "token_embedding.weight")?;
        let has_no_side = source.shape(&Side::No.named("text_projection")).is_some();
        let prompts = source.shape("prompt_no").and_then(|shape| shape.first().copied());
        Ok(Self {
            joint,
            activation,
            positions: PositionResize::default(),
            image: ImageConfig {
                image: grid * patch,
                patch,
                transformer: blocks(source, "visual.transformer", width, image_heads(width))?,
            },
            text: TextConfig {
                context,
                vocabulary,
                transformer: blocks(source, "transformer", text_width, text_width / HEAD)?,
            },
            no_prompts: has_no_side.then_some(prompts.unwrap_or(0)),
        })
    }
}

/// Heads of the image side: open_clip's huge and giant models are the only ones with wider heads.
fn image_heads(width: usize) -> usize {
    match width {
        1280 | 1408 | 1664 => 16,
        _ => width / HEAD,
    }
}

fn blocks(
    source: &Source,
    name: &str,
    width: usize,
    heads: usize,
) -> Result<TransformerConfig, WeightsError> {
    let block = |index: usize| format!("{name}.resblocks.{index}.mlp.c_fc.weight");
    let [hidden, _] = dims(source, &block(0))?;
    let layers = (0..).take_while(|&i| source.shape(&block(i)).is_some()).count();
    if heads == 0 || !width.is_multiple_of(heads) {
        return Err(source.misshapen(&block(0), &[hidden, width.next_multiple_of(HEAD)]));
    }
    Ok(TransformerConfig { width, layers, heads, hidden })
}

/// A tensor's shape, where it has `D` dimensions and is not empty.
fn dims<const D: usize>(source: &Source, name: &str) -> Result<[usize; D], WeightsError> {
    let shape = source.shape(name).and_then(|shape| <[usize; D]>::try_from(shape).ok());
    // Without a zero among them, sizes are no larger than the file.
    shape.filter(|shape| !shape.contains(&0)).ok_or_else(|| source.missing(name, &[0; D]))
}
