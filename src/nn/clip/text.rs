//! CLIP's text side: a causal transformer, read where the text ends.

use burn::module::{Module, Param};
use burn::nn::LayerNorm;
use burn::tensor::{Int, Tensor, TensorData};

use super::EPSILON;
use super::block::Block;
use super::config::ClipConfig;
use crate::nn::kernels;
use crate::nn::source::WeightsError;
use crate::nn::weights::{Init, WeightLoader};

/// Which of CLIPN's two text sides; CLIP has the first alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What a text says is there.
    Yes,
    /// What a text says is not there.
    No,
}

impl Side {
    /// The published name of one of the side's parts.
    pub(super) fn named(self, part: &str) -> String {
        match self {
            Self::Yes => part.to_owned(),
            Self::No => format!("{part}_no"),
        }
    }
}

/// Tokens, positions, causal blocks, and the projection of the end token.
///
/// Texts are rows of token ids: start token, words, end token, and any padding after it.
#[derive(Module, Debug)]
pub struct TextTransformer {
    token_embedding: Param<Tensor<2>>,
    positional_embedding: Param<Tensor<2>>,
    blocks: Vec<Block>,
    ln_final: LayerNorm,
    text_projection: Param<Tensor<2>>,
}

impl TextTransformer {
    /// Builds a text side from its tensors.
    ///
    /// # Errors
    /// If a tensor is missing or misshapen.
    pub fn new(config: &ClipConfig, side: Side, from: &WeightLoader) -> Result<Self, WeightsError> {
        let (text, joint) = (&config.text, config.joint);
        let width = text.transformer.width;
        let embedding = from.scope(&side.named("token_embedding"));
        let blocks = from.scope(&side.named("transformer"));
        let positions = side.named("positional_embedding");
        let projection = side.named("text_projection");
        let spread = Init::Normal((width as f32).powf(-0.5));
        Ok(Self {
            token_embedding: embedding.param(
                "weight",
                [text.vocabulary, width],
                Init::Normal(0.02),
            )?,
            positional_embedding: from.param(
                &positions,
                [text.context, width],
                Init::Normal(0.01),
            )?,
            blocks: Block::stack(&text.transformer, config.activation, true, &blocks)?,
            ln_final: from.layer_norm(&side.named("ln_final"), width, EPSILON)?,
            text_projection: from.param(&projection, [width, joint], spread)?,
        })
    }

    /// Encodes texts, `[texts, joint]`, not yet of unit length.
    ///
    /// # Panics
    /// If a row is longer than the context, or an id is not in the vocabulary: a tokenizer that
    /// fits the model makes neither.
    pub fn forward(&self, tokens: &[Vec<u32>]) -> Tensor<2> {
        self.forward_embedded(self.embed(tokens), &ends(tokens))
    }

    /// The tokens' embeddings, without positions: `[texts, length, width]`. `length` reaches to the
    /// last end token: nothing that is read looks at what follows.
    pub fn embed(&self, tokens: &[Vec<u32>]) -> Tensor<3> {
        let length = ends(tokens).into_iter().max().map_or(0, |end| end + 1);
        let cut = |row: &Vec<u32>| {
            let row = row.iter().map(|&id| id as i32).chain(std::iter::repeat(0));
            row.take(length).collect::<Vec<_>>()
        };
        let ids: Vec<i32> = tokens.iter().flat_map(cut).collect();
        let (count, table) = (ids.len(), self.token_embedding.val());
        let [_, width] = table.dims();
        let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [count]), &table.device());
        table.select(0, ids).reshape([tokens.len(), length, width])
    }

    /// Encodes texts from their embeddings.
    ///
    /// # Shapes
    /// - embedded: `[texts, length, width]`, without positions
    /// - ends: the place of each text's end token
    /// - output: `[texts, joint]`
    pub fn forward_embedded(&self, embedded: Tensor<3>, ends: &[usize]) -> Tensor<2> {
        self.forward_traced(embedded, ends, &mut |_, _| {})
    }

    /// As [`TextTransformer::forward_embedded`], showing each block's output under its number.
    pub fn forward_traced(
        &self,
        embedded: Tensor<3>,
        ends: &[usize],
        note: &mut dyn FnMut(&str, &Tensor<3>),
    ) -> Tensor<2> {
        let [texts, length, width] = embedded.dims();
        let positions = self.positional_embedding.val().slice([0..length, 0..width]);
        let mut x = embedded + positions.unsqueeze();
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.forward(x);
            note(&index.to_string(), &x);
        }
        let places: Vec<i32> =
            ends.iter().enumerate().map(|(text, end)| (text * length + end) as i32).collect();
        let places = Tensor::<1, Int>::from_data(TensorData::new(places, [texts]), &x.device());
        let last = x.reshape([texts * length, width]).select(0, places);
        kernels::affine(self.ln_final.forward(last), self.text_projection.val(), None)
    }
}

/// The place of each text's end token: the first of its largest ids, since Hugging Face pads with
/// the end token itself.
pub fn ends(tokens: &[Vec<u32>]) -> Vec<usize> {
    let end = |row: &Vec<u32>| {
        let largest = row.iter().max()?;
        row.iter().position(|id| id == largest)
    };
    tokens.iter().map(|row| end(row).unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::ends;

    #[test]
    fn a_text_ends_at_the_first_of_its_largest_ids() {
        let rows = [vec![9, 3, 10, 0, 0], vec![9, 10, 10, 10], vec![10], vec![]];
        assert_eq!(ends(&rows), [2, 1, 0, 0]);
    }
}
