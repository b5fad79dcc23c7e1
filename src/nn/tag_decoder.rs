//! The tagging head: tags look at image tokens through cross-attention, layer after layer.
//!
//! There is no self-attention, so tags never see one another: a subset of the tags gives the very
//! rows of the full result. Both halves of a layer are post-norm, as in BERT.

use burn::module::Module;
use burn::nn::{LayerNorm, Linear};
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use serde::{Deserialize, Serialize};

use super::kernels::{self, Activation};
use super::source::WeightsError;
use super::weights::WeightLoader;

/// Added to a variance before its root, in the tagging head's layer norms.
pub const EPSILON: f64 = 1e-12;

/// The shape of the tagging head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagDecoderConfig {
    /// Width of a tag's state (768 in RAM).
    pub width: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width of the feed-forward layer.
    pub hidden: usize,
    /// Number of layers.
    pub layers: usize,
}

/// Cross-attention and feed-forward, both followed by a residual and a norm.
#[derive(Module, Debug)]
struct TagLayer {
    query: Linear,
    key: Linear,
    value: Linear,
    attended: Linear,
    attended_norm: LayerNorm,
    intermediate: Linear,
    output: Linear,
    output_norm: LayerNorm,
    heads: usize,
}

impl TagLayer {
    fn new(
        config: &TagDecoderConfig,
        joint: usize,
        from: &WeightLoader,
    ) -> Result<Self, WeightsError> {
        let width = config.width;
        let cross = from.scope("crossattention");
        Ok(Self {
            query: cross.linear("self.query", width, width, true)?,
            key: cross.linear("self.key", joint, width, true)?,
            value: cross.linear("self.value", joint, width, true)?,
            attended: cross.linear("output.dense", width, width, true)?,
            attended_norm: cross.layer_norm("output.LayerNorm", width, EPSILON)?,
            intermediate: from.linear("intermediate.dense", width, config.hidden, true)?,
            output: from.linear("output.dense", config.hidden, width, true)?,
            output_norm: from.layer_norm("output.LayerNorm", width, EPSILON)?,
            heads: config.heads,
        })
    }

    /// `[batch, n, width]` to `[batch, heads, n, width / heads]`.
    fn split(&self, x: Tensor<3>) -> Tensor<4> {
        let [batch, n, width] = x.dims();
        x.reshape([batch, n, self.heads, width / self.heads]).swap_dims(1, 2)
    }

    /// A tag's queries, scaled: `[batch, tags, width]` to `[batch, heads, tags, width / heads]`.
    fn queries(&self, tags: Tensor<3>) -> Tensor<4> {
        let queries = self.split(kernels::linear_of(&self.query, tags));
        let [_, _, _, depth] = queries.dims();
        queries / (depth as f32).sqrt()
    }

    /// Tags `[batch or 1, tags, width]`, their queries and the image tokens
    /// `[batch, positions, joint]` to the next tags `[batch, tags, width]` and the attention
    /// `[batch, heads, tags, positions]`.
    fn forward(
        &self,
        tags: Tensor<3>,
        queries: Tensor<4>,
        image_tokens: Tensor<3>,
    ) -> (Tensor<3>, Tensor<4>) {
        let [batch, positions, _] = image_tokens.dims();
        let [_, heads, count, depth] = queries.dims();
        let keys = self.split(kernels::linear_of(&self.key, image_tokens.clone()));
        let values = self.split(kernels::linear_of(&self.value, image_tokens));
        let queries = queries.expand([batch, heads, count, depth]);
        let attention = softmax(queries.matmul(keys.swap_dims(2, 3)), 3);
        debug_assert_eq!(attention.dims(), [batch, heads, count, positions]);
        let mixed = attention.clone().matmul(values).swap_dims(1, 2);
        let mixed =
            kernels::linear_of(&self.attended, mixed.reshape([batch, count, heads * depth]));
        let tags = self.attended_norm.forward(mixed + tags);
        let hidden = kernels::linear_activated(&self.intermediate, tags.clone(), Activation::Gelu);
        let tags = self.output_norm.forward(kernels::residual_linear(tags, &self.output, hidden));
        (tags, attention)
    }
}

/// What the first layer needs of a set of tags, and what depends on the tags alone.
#[derive(Clone, Debug)]
pub struct TagQueries {
    /// The tags' initial states, `[batch or 1, tags, width]`.
    pub states: Tensor<3>,
    /// Their queries in the first layer, scaled: `[batch or 1, heads, tags, width / heads]`.
    queries: Tensor<4>,
}

impl TagQueries {
    /// The rows of some tags, in the order given by `indices`.
    pub fn select(&self, indices: Tensor<1, burn::tensor::Int>) -> Self {
        Self {
            states: self.states.clone().select(1, indices.clone()),
            queries: self.queries.clone().select(2, indices),
        }
    }
}

/// The stack of cross-attention layers.
#[derive(Module, Debug)]
pub struct TagDecoder {
    layers: Vec<TagLayer>,
}

impl TagDecoder {
    /// Builds the head from the builder's tensors; `joint` is the width of image tokens.
    ///
    /// # Errors
    /// If a tensor is missing or misshapen.
    pub fn new(
        config: &TagDecoderConfig,
        joint: usize,
        from: &WeightLoader,
    ) -> Result<Self, WeightsError> {
        let layers = (0..config.layers)
            .map(|layer| {
                TagLayer::new(config, joint, &from.scope(&format!("encoder.layer.{layer}")))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { layers })
    }

    /// Prepares initial states `[batch or 1, tags, width]`; done once where they do not depend on
    /// the image.
    pub fn prepare(&self, states: Tensor<3>) -> TagQueries {
        let queries = match self.layers.first() {
            Some(layer) => layer.queries(states.clone()),
            None => states.clone().unsqueeze_dim(1),
        };
        TagQueries { states, queries }
    }

    /// Lets tags look at image tokens.
    ///
    /// # Shapes
    /// - tags: prepared, `[batch or 1, tags, width]`
    /// - image_tokens: `[batch, positions, joint]`
    /// - output: states `[batch, tags, width]` after each layer, and attention
    ///   `[batch, heads, tags, positions]` of each layer (softmax probabilities)
    pub fn forward(
        &self,
        tags: &TagQueries,
        image_tokens: &Tensor<3>,
    ) -> (Vec<Tensor<3>>, Vec<Tensor<4>>) {
        let mut prepared = tags.clone();
        let (mut states, mut attention) = (Vec::new(), Vec::new());
        for (index, layer) in self.layers.iter().enumerate() {
            if index > 0 {
                prepared.queries = layer.queries(prepared.states.clone());
            }
            let (next, map) =
                layer.forward(prepared.states, prepared.queries.clone(), image_tokens.clone());
            states.push(next.clone());
            attention.push(map);
            prepared.states = next;
        }
        (states, attention)
    }
}
