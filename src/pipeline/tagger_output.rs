//! What depends on the image alone.

use burn::tensor::{Int, Tensor, TensorData};

use super::{Pipeline, PipelineError, floats};
use crate::decompose::{self, sigmoid};
use crate::nn::ram::RamOutput;

/// Attention of some tags over the positions, for every layer and head: softmax probabilities.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attention {
    /// The tags, ascending.
    pub tags: Vec<usize>,
    /// Number of layers L.
    pub layers: usize,
    /// Number of heads H.
    pub heads: usize,
    /// Number of positions P.
    pub positions: usize,
    /// `[tags, L, H, P]`, row-major.
    pub values: Vec<f32>,
}

impl Attention {
    /// One tag's attention in one layer, `[H, P]`; `None` if it was not kept.
    pub fn of(&self, tag: usize, layer: usize) -> Option<&[f32]> {
        let row = self.tags.binary_search(&tag).ok()?;
        let size = self.heads * self.positions;
        let at = (row * self.layers + layer) * size;
        self.values.get(at..at + size).filter(|_| layer < self.layers)
    }

    /// One tag's relevance in one layer, `[P]` in 0..1.
    pub fn relevance(&self, tag: usize, layer: usize) -> Option<Vec<f32>> {
        self.of(tag, layer).map(|attention| decompose::relevance(attention, self.positions))
    }
}

/// What the tagger makes of one image; τ does not matter here.
#[derive(Clone, Debug, PartialEq)]
pub struct TaggerOutput {
    /// Image tokens `[positions, width]`, the global one first.
    pub tokens: Vec<f32>,
    /// Width of a token.
    pub width: usize,
    /// Tag logits `[tags]`.
    pub logits: Vec<f32>,
    /// Attention of the tags that were asked for.
    pub attention: Attention,
}

impl TaggerOutput {
    /// Tag probabilities `[tags]`.
    pub fn probabilities(&self) -> Vec<f32> {
        self.logits.iter().copied().map(sigmoid).collect()
    }

    /// Number of image tokens, the global one included.
    pub fn positions(&self) -> usize {
        self.tokens.len() / self.width.max(1)
    }
}

/// Which tags' attention to bring back from the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The in-distribution tags that count, and the best one of each image.
    Id,
    /// Every tag: some 20 MB an image for 4,585 tags.
    All,
}

impl Pipeline {
    /// Tags a batch of prepared images (`[3, S, S]` each).
    ///
    /// # Errors
    /// If the device fails.
    pub fn tag(&self, images: &[Vec<f32>], keep: Keep) -> Result<Vec<TaggerOutput>, PipelineError> {
        if images.is_empty() {
            return Ok(Vec::new());
        }
        let tokens = self.ram.encode(self.batch(images));
        let output = self.ram.tag(&tokens, self.queries.as_ref(), None);
        let [batch, _, width] = tokens.dims();
        let logits = floats(output.logits.clone())?;
        let tokens = floats(tokens)?;
        let tags = logits.len() / batch;
        let wanted: Vec<usize> = match keep {
            Keep::All => (0..tags).collect(),
            Keep::Id => self.wanted_tags(&logits, tags),
        };
        let attention = self.fetch(output, &wanted, batch)?;
        let per_image = tokens.len() / batch;
        let images = tokens.chunks(per_image).zip(logits.chunks(tags)).zip(attention);
        Ok(images
            .map(|((tokens, logits), attention)| TaggerOutput {
                tokens: tokens.to_vec(),
                width,
                logits: logits.to_vec(),
                attention,
            })
            .collect())
    }

    /// The ID tags above their threshold in any image of the batch, and each image's best.
    fn wanted_tags(&self, logits: &[f32], tags: usize) -> Vec<usize> {
        let id_tags = self.vocabulary.id_tags();
        let thresholds = &self.vocabulary.thresholds;
        let mut wanted = Vec::new();
        for logits in logits.chunks(tags) {
            let seen = |&&tag: &&usize| sigmoid(logits[tag]) > thresholds[tag];
            wanted.extend(id_tags.iter().filter(seen));
            wanted.extend(id_tags.iter().max_by(|a, b| logits[**a].total_cmp(&logits[**b])));
        }
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    /// Brings the attention of some tags back from the device, an entry for each image.
    fn fetch(
        &self,
        output: RamOutput,
        tags: &[usize],
        batch: usize,
    ) -> Result<Vec<Attention>, PipelineError> {
        let layers = output.attention.len();
        let [_, heads, all, positions] = match output.attention.first() {
            Some(map) => map.dims(),
            None => [batch, 0, 0, 0],
        };
        let mut attention: Vec<Attention> = (0..batch)
            .map(|_| Attention {
                tags: tags.to_vec(),
                layers,
                heads,
                positions,
                values: vec![0.0; tags.len() * layers * heads * positions],
            })
            .collect();
        if tags.is_empty() {
            return Ok(attention);
        }
        for (layer, map) in output.attention.into_iter().enumerate() {
            let map = match tags.len() == all {
                true => map,
                false => map.select(2, self.indices(tags)),
            };
            let values = floats(map)?;
            let size = heads * positions;
            for (image, values) in attention.iter_mut().zip(values.chunks(tags.len() * size)) {
                for (head, rows) in values.chunks(tags.len() * positions).enumerate() {
                    for (tag, row) in rows.chunks(positions).enumerate() {
                        let at = (tag * layers + layer) * size + head * positions;
                        image.values[at..at + positions].copy_from_slice(row);
                    }
                }
            }
        }
        Ok(attention)
    }

    fn indices(&self, tags: &[usize]) -> Tensor<1, Int> {
        let tags: Vec<i32> = tags.iter().map(|&tag| tag as i32).collect();
        let length = tags.len();
        Tensor::from_data(TensorData::new(tags, [length]), &self.device)
    }

    /// The attention of any tags of an image that was tagged before, every layer and head; equal to
    /// what [`Pipeline::tag`] would have kept. `tags` ascending.
    ///
    /// # Errors
    /// If the device fails.
    pub fn attention_of(
        &self,
        tagged: &TaggerOutput,
        tags: &[usize],
    ) -> Result<Attention, PipelineError> {
        if tags.is_empty() {
            return Ok(Attention::default());
        }
        let shape = [1, tagged.positions(), tagged.width];
        let data = TensorData::new(tagged.tokens.clone(), shape);
        let tokens: Tensor<3> = Tensor::from_data(data, &self.device);
        let tokens = match self.dtype {
            Some(dtype) => tokens.cast(dtype),
            None => tokens,
        };
        let output = self.ram.tag(&tokens, self.queries.as_ref(), Some(self.indices(tags)));
        let mut attention = Vec::new();
        for map in output.attention {
            attention.push(floats(map)?);
        }
        // `[L][H, tags, P]` to `[tags, L, H, P]`.
        let (layers, positions) = (attention.len(), tagged.positions());
        let heads = self.manifest.tagger.decoder.heads;
        let mut values = Vec::with_capacity(tags.len() * layers * heads * positions);
        for tag in 0..tags.len() {
            for map in &attention {
                for head in 0..heads {
                    let at = (head * tags.len() + tag) * positions;
                    values.extend_from_slice(&map[at..at + positions]);
                }
            }
        }
        Ok(Attention { tags: tags.to_vec(), layers, heads, positions, values })
    }
}
