//! What depends on the image alone.

use burn::tensor::{Int, Tensor, TensorData};
use half::f16;

use super::{Pipeline, PipelineError, check_finite, floats};
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

    /// That of some tags alone, ascending; those it does not have are left out.
    pub fn of_tags(&self, tags: &[usize]) -> Self {
        let (layers, heads, positions) = (self.layers, self.heads, self.positions);
        let size = layers * heads * positions;
        let found = tags.iter().filter_map(|tag| Some((*tag, self.tags.binary_search(tag).ok()?)));
        let (tags, rows): (Vec<usize>, Vec<usize>) = found.unzip();
        let values = rows.iter().flat_map(|row| &self.values[row * size..(row + 1) * size]);
        Self { tags, layers, heads, positions, values: values.copied().collect() }
    }

    /// One tag's relevance in one layer, `[P]` in 0..1.
    pub fn relevance(&self, tag: usize, layer: usize) -> Option<Vec<f32>> {
        self.of(tag, layer).map(|attention| decompose::relevance(attention, self.positions))
    }
}

/// What the tagger makes of one image; τ does not matter here.
#[derive(Clone, Debug, PartialEq)]
pub struct TaggerOutput {
    /// Image tokens `[positions, width]`, the global one first, rounded to 16 bits.
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

    /// Refuses values that are not finite, of the image at a place.
    pub(super) fn check(&self, place: usize) -> Result<(), PipelineError> {
        check_finite("image tokens", &self.tokens, place)?;
        check_finite("tag logits", &self.logits, place)?;
        check_finite("attention maps", &self.attention.values, place)
    }
}

/// A value in the precision that tokens are kept in.
fn rounded(value: f32) -> f32 {
    f16::from_f32(value).to_f32()
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
    /// Tokens are rounded to 16 bits before anything is made of them: so the feature store and the
    /// window keep them (half the room: 10,000 images at 145 tokens take 1.9 GB), and so an image has
    /// the same tags, maps and scores whether it comes from a file, a store or the window.
    ///
    /// # Errors
    /// If the device fails, or an image's tokens or logits are not finite.
    pub fn tag(&self, images: &[Vec<f32>], keep: Keep) -> Result<Vec<TaggerOutput>, PipelineError> {
        if images.is_empty() {
            return Ok(Vec::new());
        }
        let tokens = self.encode(images)?;
        self.tag_tokens(tokens.iter().map(|&token| rounded(token)).collect(), images.len(), keep)
    }

    /// As [`Pipeline::tag`], with every tag's attention; and beside each image's output the network's
    /// own, of tokens that were not rounded.
    ///
    /// # Errors
    /// As [`Pipeline::tag`].
    pub fn tag_unrounded(
        &self,
        images: &[Vec<f32>],
    ) -> Result<Vec<(TaggerOutput, TaggerOutput)>, PipelineError> {
        if images.is_empty() {
            return Ok(Vec::new());
        }
        let tokens = self.encode(images)?;
        let all = tokens.iter().map(|&token| rounded(token)).collect();
        let tagged = self.tag_tokens(all, images.len(), Keep::All)?;
        let own = self.tag_tokens(tokens, images.len(), Keep::All)?;
        Ok(tagged.into_iter().zip(own).collect())
    }

    /// Image tokens `[batch, positions, width]` of prepared images.
    fn encode(&self, images: &[Vec<f32>]) -> Result<Vec<f32>, PipelineError> {
        let images: Vec<&[f32]> = images.iter().map(Vec::as_slice).collect();
        floats(self.ram.encode(self.batch(&images)))
    }

    /// Logits and attention of image tokens, `batch` images one after the other.
    fn tag_tokens(
        &self,
        tokens: Vec<f32>,
        batch: usize,
        keep: Keep,
    ) -> Result<Vec<TaggerOutput>, PipelineError> {
        let width = self.manifest.tagger.joint;
        let per_image = tokens.len() / batch;
        let output = self.ram.tag(
            &self.tokens(tokens.clone(), [batch, per_image / width, width]),
            self.queries.as_ref(),
            None,
        );
        let logits = floats(output.logits.clone())?;
        let tags = logits.len() / batch;
        let wanted: Vec<usize> = match keep {
            Keep::All => (0..tags).collect(),
            Keep::Id => {
                let mut wanted: Vec<usize> =
                    logits.chunks(tags).flat_map(|logits| self.kept_tags(logits)).collect();
                wanted.sort_unstable();
                wanted.dedup();
                wanted
            }
        };
        let attention = self.fetch(output, &wanted, batch)?;
        let mut all = Vec::with_capacity(batch);
        for (place, attention) in attention.into_iter().enumerate() {
            let logits = &logits[place * tags..][..tags];
            let tagged = TaggerOutput {
                tokens: tokens[place * per_image..][..per_image].to_vec(),
                width,
                logits: logits.to_vec(),
                // An image's own, whichever images are tagged with it.
                attention: match keep {
                    Keep::All => attention,
                    Keep::Id => attention.of_tags(&self.kept_tags(logits)),
                },
            };
            tagged.check(place)?;
            all.push(tagged);
        }
        Ok(all)
    }

    /// Tokens on the device, in the tagger's type.
    fn tokens(&self, values: Vec<f32>, shape: [usize; 3]) -> Tensor<3> {
        let tokens: Tensor<3> = Tensor::from_data(TensorData::new(values, shape), &self.device);
        match self.dtype {
            Some(dtype) => tokens.cast(dtype),
            None => tokens,
        }
    }

    /// The tags whose attention [`Keep::Id`] keeps of an image with these logits, ascending.
    pub fn kept_tags(&self, logits: &[f32]) -> Vec<usize> {
        let (id_tags, thresholds) = (self.vocabulary.id_tags(), &self.vocabulary.thresholds);
        let seen = |&&tag: &&usize| sigmoid(logits[tag]) > thresholds[tag];
        let best = id_tags.iter().max_by(|a, b| logits[**a].total_cmp(&logits[**b]));
        let mut kept: Vec<usize> = id_tags.iter().filter(seen).chain(best).copied().collect();
        kept.sort_unstable();
        kept.dedup();
        kept
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
        let tokens = self.tokens(tagged.tokens.clone(), shape);
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
