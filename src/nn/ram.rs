//! RAM and RAM++: an image to tag logits, with the attention that led to them.
//!
//! Zhang et al. 2023, "Recognize Anything"; Huang et al. 2023, "Open-Set Image Tagging with
//! Multi-Grained Text Supervision" (RAM++: several descriptions a tag, weighted by the image).

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::{relu, softmax};
use burn::tensor::{Int, Tensor};
use serde::{Deserialize, Serialize};

use super::kernels;
use super::source::{Source, WeightsError};
use super::swin::{Swin, SwinConfig};
use super::tag_decoder::{TagDecoder, TagDecoderConfig, TagQueries};
use super::weights::{Init, WeightLoader};

/// The shape of a tagger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RamConfig {
    /// The image encoder.
    pub swin: SwinConfig,
    /// The tagging head.
    pub decoder: TagDecoderConfig,
    /// Width of the space that image tokens and tag embeddings share (512).
    pub joint: usize,
    /// Number of tags.
    pub tags: usize,
    /// Descriptions of each tag: 1 in RAM, 51 in RAM++.
    pub descriptions: usize,
}

impl RamConfig {
    /// Image tokens: the pooled one and one for each position of the grid.
    pub fn positions(&self) -> usize {
        1 + self.swin.grid() * self.swin.grid()
    }

    /// Reads the shape of a published checkpoint off its tensors. The heads of the tagging head and
    /// the number of descriptions cannot be seen in them: published ones have 4, and 51 in RAM++.
    ///
    /// # Errors
    /// If a tensor that carries part of the shape is missing.
    pub fn of_checkpoint(source: &Source) -> Result<Self, WeightsError> {
        let need = |name: &str, rank: usize| {
            source
                .shape(name)
                .filter(|s| s.len() == rank)
                .ok_or_else(|| source.missing(name, &vec![0; rank]))
        };
        let count = |name: &dyn Fn(usize) -> String| {
            (0..).take_while(|&i| source.shape(&name(i)).is_some()).count()
        };
        let embed_shape = need("visual_encoder.patch_embed.proj.weight", 4)?;
        let (embed, patch) = (embed_shape[0], embed_shape[3]);
        let block = |stage: usize, block: usize| {
            format!(
                "visual_encoder.layers.{stage}.blocks.{block}.attn.relative_position_bias_table"
            )
        };
        let stages = count(&|stage| block(stage, 0));
        let depths: Vec<usize> = (0..stages).map(|s| count(&|b| block(s, b))).collect();
        let tables =
            (0..stages).map(|stage| need(&block(stage, 0), 2)).collect::<Result<Vec<_>, _>>()?;
        let heads = tables.iter().map(|table| table[1]).collect();
        let window = |table: &Vec<usize>| table[0].isqrt().div_ceil(2);
        let first = tables.first().map(window).unwrap_or_default();
        let last = tables.last().map(window).unwrap_or_default();
        // The mask of the first shifted block has one row for each window, which gives the side;
        // without it, the last map is one window.
        let mask = source.shape("visual_encoder.layers.0.blocks.1.attn_mask");
        // A damaged header may say anything.
        let side = match mask {
            Some(mask) => mask.first().copied().unwrap_or_default().isqrt().saturating_mul(first),
            None => (1..stages).fold(last, |side, _| side.saturating_mul(2)),
        };
        let mlp = need("visual_encoder.layers.0.blocks.0.mlp.fc1.weight", 2)?;
        let label = need("label_embed", 2)?;
        let layer = "tagging_head.encoder.layer";
        let width = need(&format!("{layer}.0.crossattention.self.query.weight"), 2)?[0];
        let hidden = need(&format!("{layer}.0.intermediate.dense.weight"), 2)?[0];
        let layers = count(&|i| format!("{layer}.{i}.intermediate.dense.weight"));
        let descriptions = match source.shape("reweight_scale") {
            Some(_) => 51,
            None => 1,
        };
        Ok(Self {
            swin: SwinConfig {
                image: side.saturating_mul(patch),
                patch,
                embed,
                depths,
                heads,
                window: first,
                mlp_ratio: mlp[0] / embed.max(1),
            },
            decoder: TagDecoderConfig { width, heads: 4, hidden, layers },
            joint: label[1],
            tags: label[0] / descriptions,
            descriptions,
        })
    }
}

/// What the tagger makes of a batch of images.
#[derive(Clone, Debug)]
pub struct RamOutput {
    /// Tag logits, before the sigmoid: `[batch, tags]`.
    pub logits: Tensor<2>,
    /// Attention of each layer, first layer first: `[batch, heads, tags, positions]`, softmax
    /// probabilities.
    pub attention: Vec<Tensor<4>>,
    /// The tags' states after each layer: `[batch, tags, width]`.
    pub states: Vec<Tensor<3>>,
}

/// The tagger: Swin, projection into the joint space, tagging head.
#[derive(Module, Debug)]
pub struct Ram {
    visual_encoder: Swin,
    image_proj: Linear,
    tagging_head: TagDecoder,
    label_embed: Param<Tensor<2>>,
    wordvec_proj: Option<Linear>,
    fc: Linear,
    reweight_scale: Option<Param<Tensor<1>>>,
    descriptions: usize,
}

impl Ram {
    /// Builds a tagger from the builder's tensors.
    ///
    /// # Errors
    /// If a tensor is missing or misshapen.
    pub fn new(config: &RamConfig, from: &WeightLoader) -> Result<Self, WeightsError> {
        let (joint, width) = (config.joint, config.decoder.width);
        let rows = config.tags * config.descriptions;
        let unit_length = Init::Normal((1.0 / joint as f32).sqrt());
        Ok(Self {
            visual_encoder: Swin::new(&config.swin, &from.scope("visual_encoder"))?,
            image_proj: from.linear("image_proj", config.swin.width(), joint, true)?,
            tagging_head: TagDecoder::new(&config.decoder, joint, &from.scope("tagging_head"))?,
            label_embed: from.param("label_embed", [rows, joint], unit_length)?,
            // Where both spaces have one width, the released model has no projection.
            wordvec_proj: match joint == width {
                true => None,
                false => Some(from.linear_of_unit_vectors("wordvec_proj", joint, width)?),
            },
            fc: from.linear("fc", width, 1, true)?,
            reweight_scale: match config.descriptions > 1 {
                true => Some(from.scalar("reweight_scale", (1.0f32 / 0.07).ln())?),
                false => None,
            },
            descriptions: config.descriptions,
        })
    }

    /// Encodes normalised images into image tokens.
    ///
    /// # Shapes
    /// - image: `[batch, 3, image, image]`
    /// - output: `[batch, positions, joint]`; token 0 is the global one
    pub fn encode(&self, image: Tensor<4>) -> Tensor<3> {
        kernels::linear_of(&self.image_proj, self.visual_encoder.forward(image))
    }

    /// As [`Ram::encode`], showing the tokens of each Swin stage on the way.
    pub fn encode_traced(
        &self,
        image: Tensor<4>,
        note: &mut dyn FnMut(&str, &Tensor<3>),
    ) -> Tensor<3> {
        kernels::linear_of(&self.image_proj, self.visual_encoder.forward_traced(image, note))
    }

    /// The tags' embeddings, `[tags * descriptions, joint]`; given, not trained.
    fn embeddings(&self) -> Tensor<2> {
        self.label_embed.val().detach()
    }

    /// How much of each tag's own embedding is in each patch token: `[batch, positions, joint]` to
    /// `[batch, positions - 1, tags]`. Training pulls on it, as RAM's pulls image tokens towards
    /// CLIP's; inference has no use for it.
    pub fn alignment(&self, image_tokens: &Tensor<3>) -> Tensor<3> {
        let [_, positions, _] = image_tokens.dims();
        let patches = image_tokens.clone().narrow(1, 1, positions - 1);
        patches.matmul(self.embeddings().transpose().unsqueeze())
    }

    fn project_words(&self, embeddings: Tensor<3>) -> Tensor<3> {
        relu(match &self.wordvec_proj {
            Some(projection) => projection.forward(embeddings),
            None => embeddings,
        })
    }

    /// What depends on the tags alone: RAM's queries, computed once. `None` for RAM++, whose
    /// queries depend on the image.
    pub fn tag_queries(&self) -> Option<TagQueries> {
        if self.descriptions > 1 {
            return None;
        }
        let states = self.project_words(self.embeddings().unsqueeze());
        Some(self.tagging_head.prepare(states))
    }

    /// RAM++: the weights of each tag's descriptions for each image, `[batch, tags, descriptions]`,
    /// from the similarity of the normalised global token.
    fn description_weights(&self, image_tokens: &Tensor<3>, table: Tensor<3>) -> Tensor<3> {
        let [batch, _, joint] = image_tokens.dims();
        let [tags, descriptions, _] = table.dims();
        let global: Tensor<2> =
            image_tokens.clone().slice([0..batch, 0..1]).reshape([batch, joint]);
        let norm = global.clone().powi_scalar(2).sum_dim(1).sqrt();
        let scale = match &self.reweight_scale {
            Some(scale) => scale.val().exp().unsqueeze(),
            None => Tensor::ones([1, 1], &image_tokens.device()),
        };
        let similarity =
            (global / norm).matmul(table.reshape([tags * descriptions, joint]).transpose());
        softmax((similarity * scale).reshape([batch, tags, descriptions]), 2)
    }

    /// RAM++: queries of a batch of images for all tags or some of them.
    fn reweighted_queries(
        &self,
        image_tokens: &Tensor<3>,
        subset: Option<Tensor<1, Int>>,
    ) -> TagQueries {
        let [batch, _, joint] = image_tokens.dims();
        let [rows, _] = self.label_embed.dims();
        let tags = rows / self.descriptions;
        let table = self.embeddings().reshape([tags, self.descriptions, joint]);
        let table = match subset {
            Some(indices) => table.select(0, indices),
            None => table,
        };
        let [tags, descriptions, _] = table.dims();
        let weights = self.description_weights(image_tokens, table.clone());
        // One small product for each tag: [tags, batch, descriptions] x [tags, descriptions, joint].
        let embeddings = weights.swap_dims(0, 1).matmul(table).swap_dims(0, 1);
        debug_assert_eq!(embeddings.dims(), [batch, tags, joint]);
        debug_assert!(descriptions > 1);
        self.tagging_head.prepare(self.project_words(embeddings))
    }

    /// Tags images from their tokens.
    ///
    /// # Shapes
    /// - image_tokens: `[batch, positions, joint]`
    /// - queries: from [`Ram::tag_queries`], or `None` to compute them here
    /// - subset: indices of the tags to compute, or `None` for all; a subset's rows are exactly
    ///   those of the full result
    /// - output: see [`RamOutput`]
    pub fn tag(
        &self,
        image_tokens: &Tensor<3>,
        queries: Option<&TagQueries>,
        subset: Option<Tensor<1, Int>>,
    ) -> RamOutput {
        let prepared = match (queries, subset) {
            (Some(queries), None) => queries.clone(),
            (Some(queries), Some(indices)) => queries.select(indices),
            (None, subset) => match (self.tag_queries(), subset) {
                (Some(queries), Some(indices)) => queries.select(indices),
                (Some(queries), None) => queries,
                (None, subset) => self.reweighted_queries(image_tokens, subset),
            },
        };
        let (states, attention) = self.tagging_head.forward(&prepared, image_tokens);
        let last = states.last().cloned().unwrap_or(prepared.states);
        let logits = self.fc.forward(last).squeeze_dim(2);
        RamOutput { logits, attention, states }
    }
}
