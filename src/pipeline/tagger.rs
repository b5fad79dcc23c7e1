//! RAM and RAM++ with TagOOD's projector, as the pipeline's network.

use std::sync::Arc;

use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};
use half::f16;

use super::network::Network;
use super::{
    Attention, Features, Keep, Labels, OdinInput, PipelineError, Projected, TaggerOutput, floats,
};
use crate::bundle::Bundle;
use crate::bundle::manifest::{Arch, Recipe};
use crate::bundle::vocabulary::Vocabulary;
use crate::decompose::{self, Fallback, sigmoid};
use crate::nn::projector::{Projector, ProjectorConfig};
use crate::nn::ram::{Ram, RamConfig, RamOutput};
use crate::nn::source::{Source, WeightsError};
use crate::nn::tag_decoder::TagQueries;
use crate::nn::weights::{self, WeightLoader};
use crate::score::Head;
use crate::score::distance::Centers;

/// Tags whose maps are made together, at least.
const ROWS: usize = 16;

/// A tagger on a device, with the projectors that were fitted to it.
#[derive(Clone)]
pub(super) struct Tagger {
    pub config: RamConfig,
    pub device: Device,
    pub ram: Ram,
    queries: Option<TagQueries>,
    pub projector: Option<(Projector, ProjectorConfig)>,
    pub projector_ce: Option<Projector>,
    dtype: Option<FloatDType>,
}

impl Tagger {
    /// The same network with another projector, and none for the CE rows.
    pub(super) fn with_projector(&self, projector: Projector, shape: ProjectorConfig) -> Self {
        Self { projector: Some((projector, shape)), projector_ce: None, ..self.clone() }
    }

    /// Loads a tagger's bundle, with weights and activations in another type if one is given; the
    /// projectors stay in `f32`.
    pub(super) fn load(
        bundle: &Bundle,
        config: &RamConfig,
        device: &Device,
        dtype: Option<FloatDType>,
    ) -> Result<Self, PipelineError> {
        let mut from = WeightLoader::stored(&bundle.network, device);
        if let Some(dtype) = dtype {
            from = from.with_dtype(dtype);
        }
        let ram = Ram::new(config, &from)?;
        report_unexpected(&bundle.network, &from);
        let shape = bundle.manifest.projector.as_ref();
        let projector = |source: &Option<Source>| -> Result<Option<Projector>, WeightsError> {
            let (Some(source), Some(shape)) = (source, shape) else { return Ok(None) };
            Projector::new(shape, &WeightLoader::stored(source, device)).map(Some)
        };
        Ok(Self {
            config: config.clone(),
            device: device.clone(),
            queries: ram.tag_queries(),
            ram,
            projector: projector(&bundle.projector)?.zip(shape.cloned()),
            projector_ce: projector(&bundle.projector_ce)?,
            dtype,
        })
    }

    /// Classifier and class centers, if there is a projector with some.
    pub(super) fn head(&self, bundle: &Bundle) -> Result<Option<Arc<Head>>, PipelineError> {
        let (Some((projector, _)), Some((values, shape))) = (&self.projector, bundle.centers()?)
        else {
            return Ok(None);
        };
        Ok(Some(head_of(projector, Centers::new(values, shape)?)?))
    }

    /// A batch of prepared images as `[batch, 3, S, S]`.
    pub(super) fn batch(&self, images: &[&[f32]]) -> Tensor<4> {
        let side = self.config.swin.image;
        let data = TensorData::new(images.concat(), [images.len(), 3, side, side]);
        let batch: Tensor<4> = Tensor::from_data(data, &self.device);
        match self.dtype {
            Some(dtype) => batch.cast(dtype),
            None => batch,
        }
    }

    /// Image tokens of prepared images, `[batch, 1 + N, D]`.
    fn encode(&self, images: &[&[f32]]) -> Result<Vec<f32>, PipelineError> {
        floats(self.ram.encode(self.batch(images)))
    }

    /// Logits and attention of image tokens, `batch` images one after the other.
    fn tag(
        &self,
        tokens: &[f32],
        batch: usize,
        vocabulary: &Vocabulary,
        keep: Keep,
    ) -> Result<Vec<TaggerOutput>, PipelineError> {
        let width = self.config.joint;
        let per_image = tokens.len() / batch;
        let on_device = self.tokens(tokens.to_vec(), [batch, per_image / width, width]);
        let output = self.ram.tag(&on_device, self.queries.as_ref(), None);
        let logits = floats(output.logits.clone())?;
        let tags = logits.len() / batch;
        let wanted: Vec<usize> = match keep {
            Keep::All => (0..tags).collect(),
            Keep::Id => {
                let kept = |logits| kept_tags(logits, vocabulary);
                let mut wanted: Vec<usize> = logits.chunks(tags).flat_map(kept).collect();
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
                arch: Arch::Ram,
                tokens: tokens[place * per_image..][..per_image].to_vec(),
                width,
                logits: logits.to_vec(),
                // An image's own, whichever images are tagged with it.
                attention: match keep {
                    Keep::All => attention,
                    Keep::Id => attention.of_tags(&kept_tags(logits, vocabulary)),
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
}

impl Network for Tagger {
    /// Tokens are rounded to 16 bits before anything is made of them: so the feature store and the
    /// window keep them (half the room: 10,000 images at 145 tokens take 1.9 GB), and so an image has
    /// the same tags, maps and scores whether it comes from a file, a store or the window.
    fn see(
        &self,
        images: &[&[f32]],
        vocabulary: &Vocabulary,
        keep: Keep,
    ) -> Result<Vec<TaggerOutput>, PipelineError> {
        self.tag(&rounded(&self.encode(images)?), images.len(), vocabulary, keep)
    }

    fn see_unrounded(
        &self,
        images: &[&[f32]],
        vocabulary: &Vocabulary,
    ) -> Result<Vec<(TaggerOutput, TaggerOutput)>, PipelineError> {
        let tokens = self.encode(images)?;
        let tagged = self.tag(&rounded(&tokens), images.len(), vocabulary, Keep::All)?;
        let own = self.tag(&tokens, images.len(), vocabulary, Keep::All)?;
        Ok(tagged.into_iter().zip(own).collect())
    }

    fn maps_of(&self, seen: &TaggerOutput, tags: &[usize]) -> Result<Attention, PipelineError> {
        let shape = [1, seen.positions(), seen.width];
        let tokens = self.tokens(seen.tokens.clone(), shape);
        // Filled up with one of them: products of a few rows add in another order than those of all tags,
        // and a tag's map must not depend on how many others are asked for.
        let mut asked = tags.to_vec();
        asked.extend(
            tags.last().map(|&tag| vec![tag; ROWS.saturating_sub(tags.len())]).unwrap_or_default(),
        );
        let output = self.ram.tag(&tokens, self.queries.as_ref(), Some(self.indices(&asked)));
        let mut attention = Vec::new();
        for map in output.attention {
            attention.push(floats(map)?);
        }
        // `[L][H, tags, P]` to `[tags, L, H, P]`.
        let (layers, positions) = (attention.len(), seen.positions());
        let heads = self.config.decoder.heads;
        let mut values = Vec::with_capacity(tags.len() * layers * heads * positions);
        for tag in 0..tags.len() {
            for map in &attention {
                for head in 0..heads {
                    let at = (head * asked.len() + tag) * positions;
                    values.extend_from_slice(&map[at..at + positions]);
                }
            }
        }
        Ok(Attention { tags: tags.to_vec(), layers, heads, positions, values })
    }

    fn counting(
        &self,
        probabilities: &[f32],
        vocabulary: &Vocabulary,
        recipe: Recipe,
    ) -> Vec<usize> {
        let fallback = match recipe {
            Recipe::Paper => Fallback::Never,
            Recipe::Released => Fallback::Untagged,
        };
        let (thresholds, id_tags) = (&vocabulary.thresholds, vocabulary.id_tags());
        decompose::select_tags(probabilities, thresholds, id_tags, fallback)
    }

    fn object(&self, seen: &TaggerOutput, mask: &[bool], _: Features) -> Vec<f32> {
        decompose::object_tokens(&seen.tokens, seen.width, mask)
    }

    fn project(&self, objects: &[Vec<f32>], ce: bool) -> Result<Vec<Projected>, PipelineError> {
        self.project_objects(objects, ce)
    }

    fn odin(
        &self,
        pixels: Option<&[f32]>,
        mask: &[bool],
        object: &[f32],
        moved: OdinInput,
    ) -> Result<Vec<f32>, PipelineError> {
        match (moved, pixels) {
            (OdinInput::Image, Some(pixels)) => self.odin_logits_of_image(pixels, mask),
            _ => self.odin_logits(object),
        }
    }

    fn set_labels(&mut self, _: &Labels) -> Result<(), PipelineError> {
        Ok(())
    }

    fn as_tagger(&self) -> Option<&Tagger> {
        Some(self)
    }
}

/// Classifier and class centers of a projector.
pub(super) fn head_of(projector: &Projector, centers: Centers) -> Result<Arc<Head>, PipelineError> {
    let (weight, bias) = projector.classifier();
    Ok(Arc::new(Head::new(floats(weight)?, floats(bias)?, centers)?))
}

/// The tags whose attention [`Keep::Id`] keeps of an image with these logits, ascending: the ID tags
/// above their thresholds, and the best one.
pub(super) fn kept_tags(logits: &[f32], vocabulary: &Vocabulary) -> Vec<usize> {
    let (id_tags, thresholds) = (vocabulary.id_tags(), &vocabulary.thresholds);
    let seen = |&&tag: &&usize| sigmoid(logits[tag]) > thresholds[tag];
    let best = id_tags.iter().max_by(|a, b| logits[**a].total_cmp(&logits[**b]));
    let mut kept: Vec<usize> = id_tags.iter().filter(seen).chain(best).copied().collect();
    kept.sort_unstable();
    kept.dedup();
    kept
}

/// Values in the precision that tokens are kept in.
fn rounded(values: &[f32]) -> Vec<f32> {
    values.iter().map(|&value| f16::from_f32(value).to_f32()).collect()
}

fn report_unexpected(source: &Source, from: &WeightLoader) {
    let unexpected = weights::unexpected(source, &from.names());
    if let Some(first) = unexpected.first() {
        let (count, path) = (unexpected.len(), source.path().display());
        log::warn!("{count} tensors are not part of this tagger, the first is `{first}`: {path}");
    }
}
