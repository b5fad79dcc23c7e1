//! LoCoOp's learned prompts: vectors that stand where a text's first words would.
//!
//! Miyai et al. 2023, "LoCoOp: Few-Shot Out-of-Distribution Detection via Prompt Learning".

use burn::tensor::{Device, Tensor, TensorData};

use super::text::{TextTransformer, ends};
use crate::nn::source::{Source, WeightsError};

/// Learned context vectors, one set for all names or one for each.
#[derive(Clone, Debug)]
pub struct LearnedPrompts {
    /// `[1 or names, vectors, width]`.
    context: Tensor<3>,
}

impl LearnedPrompts {
    /// Whether a file is a prompt learner's checkpoint.
    pub fn are_in(source: &Source) -> bool {
        source.shape("ctx").is_some()
    }

    /// Reads them for a text side of this width. The embeddings that a checkpoint holds besides
    /// belong to the names it was trained on and are left.
    ///
    /// # Errors
    /// If they are missing, or for another width.
    pub fn new(source: &Source, width: usize, device: &Device) -> Result<Self, WeightsError> {
        let shape = source.shape("ctx").unwrap_or_default();
        let whole = match *shape {
            [vectors, _] => [1, vectors, width],
            [names, vectors, _] => [names, vectors, width],
            _ => return Err(source.missing("ctx", &[16, width])),
        };
        let expected = &whole[3 - shape.len()..];
        let values = source.read("ctx", expected)?;
        Ok(Self { context: Tensor::from_data(TensorData::new(values, whole), device) })
    }

    /// Number of vectors that stand in front of a name.
    pub fn vectors(&self) -> usize {
        self.context.dims()[1]
    }

    /// Number of names that have vectors of their own; `None` if all share them.
    pub fn names(&self) -> Option<usize> {
        let [names, _, _] = self.context.dims();
        (names > 1).then_some(names)
    }

    /// The text to make tokens of: a placeholder for each vector, then the name.
    pub fn text(&self, name: &str) -> String {
        format!("{}{}.", "X ".repeat(self.vectors()), name.replace('_', " "))
    }

    /// Encodes names, `[names, joint]`, not yet of unit length, from the tokens of
    /// [`LearnedPrompts::text`].
    pub fn forward(&self, side: &TextTransformer, tokens: &[Vec<u32>]) -> Tensor<2> {
        let embedded = side.embed(tokens);
        let [names, length, width] = embedded.dims();
        let vectors = self.vectors().min(length.saturating_sub(1));
        let context = self.context.clone().narrow(1, 0, vectors).expand([names, vectors, width]);
        let parts = vec![
            embedded.clone().narrow(1, 0, 1),
            context,
            embedded.narrow(1, 1 + vectors, length - 1 - vectors),
        ];
        side.forward_embedded(Tensor::cat(parts, 1), &ends(tokens))
    }
}
