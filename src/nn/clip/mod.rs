//! CLIP and CLIPN: images and texts in one space.
//!
//! Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision".
//! Tensors have the names of OpenAI's and open_clip's checkpoints.

mod attention;
mod block;
mod checkpoint;
mod config;
mod image;
mod layout;
mod locoop;
mod no_side;
mod positions;
mod text;
pub mod tokenizer;

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::source::WeightsError;
use super::weights::WeightLoader;

pub use checkpoint::{ActivationSource, Checkpoint, weights_file};
pub use config::{ClipConfig, ImageConfig, TextConfig, TransformerConfig};
pub use image::ImageTransformer;
pub use layout::Layout;
pub use locoop::LearnedPrompts;
pub use no_side::{NoPrompt, NoSide};
pub use positions::PositionResize;
pub use text::{Side, TextTransformer, ends};

/// Added to a variance before its root, in all layer norms of CLIP.
pub const EPSILON: f64 = 1e-5;

/// The logit scale that training starts from: the logarithm of 1 / 0.07.
const INITIAL_LOGIT_SCALE: f32 = 2.659_26;

/// CLIP; with a no side, CLIPN.
#[derive(Module, Debug)]
pub struct Clip {
    /// Images into the joint space.
    pub image: ImageTransformer,
    /// Texts into the joint space.
    pub text: TextTransformer,
    /// What texts say is not there, where the model has it.
    pub no: Option<NoSide>,
    logit_scale: Param<Tensor<1>>,
}

impl Clip {
    /// Builds a model from the loader's tensors.
    ///
    /// # Errors
    /// If a tensor is missing or misshapen.
    pub fn new(config: &ClipConfig, from: &WeightLoader) -> Result<Self, WeightsError> {
        Ok(Self {
            image: ImageTransformer::new(config, from)?,
            text: TextTransformer::new(config, Side::Yes, from)?,
            no: match config.no_prompts {
                Some(_) => Some(NoSide::new(config, from)?),
                None => None,
            },
            logit_scale: from.scalar("logit_scale", INITIAL_LOGIT_SCALE)?,
        })
    }

    /// What cosines are multiplied by to become logits, `[1]`: the exponential of what was learned,
    /// about 100 in published models.
    pub fn logit_scale(&self) -> Tensor<1> {
        self.logit_scale.val().exp()
    }
}
