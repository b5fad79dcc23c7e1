//! CLIPN's second text side, which learns what a text says is *not* there.
//!
//! Wang et al. 2023, "CLIPN for Zero-Shot OOD Detection: Teaching CLIP to Say No".

use burn::module::{Module, Param};
use burn::tensor::{Int, Tensor, TensorData};

use super::config::ClipConfig;
use super::text::{Side, TextTransformer, ends};
use crate::nn::source::WeightsError;
use crate::nn::weights::{Init, WeightLoader};

/// Which of the learned prompts say "no".
#[derive(Clone, Copy, Debug)]
pub enum NoPrompt<'a> {
    /// The mean of all, as in inference.
    Mean,
    /// One for each text by its number, as training draws them; the number of prompts means the
    /// mean of all.
    Each(&'a [usize]),
}

/// A text side of its own, with learned prompts that are added to the embeddings at every place.
#[derive(Module, Debug)]
pub struct NoSide {
    text: TextTransformer,
    /// `[prompts, context, width]`; none in the hand-crafted variant, whose texts say no in words.
    prompt_no: Option<Param<Tensor<3>>>,
}

impl NoSide {
    /// Builds the no side from the tensors whose names end in `_no`, with as many prompts as the
    /// configuration says.
    ///
    /// # Errors
    /// If a tensor is missing or misshapen.
    pub fn new(config: &ClipConfig, from: &WeightLoader) -> Result<Self, WeightsError> {
        let (context, width) = (config.text.context, config.text.transformer.width);
        let prompt_no = match config.no_prompts.filter(|&prompts| prompts > 0) {
            Some(prompts) => {
                Some(from.param("prompt_no", [prompts, context, width], Init::Zeros)?)
            }
            None => None,
        };
        Ok(Self { text: TextTransformer::new(config, Side::No, from)?, prompt_no })
    }

    /// Number of learned prompts, 0 in the hand-crafted variant.
    pub fn prompts(&self) -> usize {
        self.prompt_no.as_ref().map_or(0, |prompts| prompts.dims()[0])
    }

    /// Encodes texts, `[texts, joint]`, not yet of unit length; see [`TextTransformer::forward`].
    pub fn forward(&self, tokens: &[Vec<u32>], prompt: NoPrompt) -> Tensor<2> {
        self.forward_traced(tokens, prompt, &mut |_, _| {})
    }

    /// As [`NoSide::forward`], showing each block's output under its number.
    pub fn forward_traced(
        &self,
        tokens: &[Vec<u32>],
        prompt: NoPrompt,
        note: &mut dyn FnMut(&str, &Tensor<3>),
    ) -> Tensor<2> {
        let embedded = self.text.embed(tokens);
        let embedded = match self.added(prompt, embedded.dims()[1]) {
            Some(added) => embedded + added,
            None => embedded,
        };
        self.text.forward_traced(embedded, &ends(tokens), note)
    }

    /// What is added to embeddings: `[1 or texts, length, width]`.
    fn added(&self, prompt: NoPrompt, length: usize) -> Option<Tensor<3>> {
        let table = self.prompt_no.as_ref()?.val();
        let [prompts, _, width] = table.dims();
        let table = table.slice([0..prompts, 0..length, 0..width]);
        let mean = table.clone().mean_dim(0);
        match prompt {
            NoPrompt::Mean => Some(mean),
            NoPrompt::Each(numbers) => {
                let numbers: Vec<i32> = numbers.iter().map(|&number| number as i32).collect();
                let texts = numbers.len();
                let numbers = TensorData::new(numbers, [texts]);
                let numbers = Tensor::<1, Int>::from_data(numbers, &table.device());
                Some(Tensor::cat(vec![table, mean], 0).select(0, numbers))
            }
        }
    }
}
