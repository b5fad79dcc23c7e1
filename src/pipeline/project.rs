//! From object tokens to features, on whatever device at the least cost.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};

use super::tagger::Tagger;
use super::{PipelineError, check_finite, floats};
use crate::nn::projector::Projector;

/// On the CPU, images are padded to a multiple of this many tokens, up to [`FEW`], and of twice as
/// many above: to a length that follows from the image alone, so that its sums run in one order,
/// whichever images go with it. On a GPU a batch is padded to its longest.
const STEP: usize = 16;
/// See [`STEP`].
const FEW: usize = 64;
/// Features whose class logits are computed together, always as many: a product's rounding depends
/// on its size.
const ROWS: usize = 16;

/// What the projector makes of the kept tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Projected {
    /// The feature, `[D]`.
    pub feature: Vec<f32>,
    /// Class logits, `[C]`.
    pub class_logits: Vec<f32>,
    /// The feature of the projector trained with cross-entropy alone, if there is one and it was
    /// asked for.
    pub ce_feature: Option<Vec<f32>>,
}

impl Projected {
    /// Refuses values that are not finite, of the image at a place.
    pub(super) fn check(&self, place: usize) -> Result<(), PipelineError> {
        check_finite("features", &self.feature, place)?;
        check_finite("class logits", &self.class_logits, place)?;
        check_finite("features", self.ce_feature.as_deref().unwrap_or_default(), place)
    }
}

impl Tagger {
    /// Projects sets of object tokens (`[n, width]` each, any `n`), in their order; nothing without
    /// a projector. With `ce`, through the one trained with cross-entropy alone too, which costs the
    /// same again.
    ///
    /// # Errors
    /// If the device fails.
    pub(super) fn project_objects(
        &self,
        objects: &[Vec<f32>],
        ce: bool,
    ) -> Result<Vec<Projected>, PipelineError> {
        let Some((projector, _)) = &self.projector else { return Ok(Vec::new()) };
        let mut all = vec![Projected::default(); objects.len()];
        for (length, part) in self.parts(objects) {
            let together: Vec<&[f32]> = part.iter().map(|&at| objects[at].as_slice()).collect();
            let (tokens, lengths) = self.padded(&together, length);
            let rows = |values: Vec<f32>| -> Vec<Vec<f32>> {
                let width = values.len() / part.len();
                values.chunks_exact(width).map(<[f32]>::to_vec).collect()
            };
            let features = |projector: &Projector| {
                floats(projector.features(tokens.clone(), lengths.as_deref())).map(rows)
            };
            let ce = self.projector_ce.as_ref().filter(|_| ce).map(features).transpose()?;
            for (&at, feature) in part.iter().zip(features(projector)?) {
                all[at].feature = feature;
            }
            for (&at, feature) in part.iter().zip(ce.into_iter().flatten()) {
                all[at].ce_feature = Some(feature);
            }
        }
        for rows in all.chunks_mut(ROWS) {
            self.add_class_logits(projector, rows)?;
        }
        Ok(all)
    }

    /// Class logits of at most [`ROWS`] features.
    fn add_class_logits(
        &self,
        projector: &Projector,
        projected: &mut [Projected],
    ) -> Result<(), PipelineError> {
        let Some(first) = projected.first() else { return Ok(()) };
        let width = first.feature.len();
        let mut rows: Vec<f32> = projected.iter().flat_map(|row| &row.feature).copied().collect();
        rows.resize(ROWS * width, 0.0);
        let rows = Tensor::from_data(TensorData::new(rows, [ROWS, width]), &self.device);
        let logits = floats(projector.class_logits(rows))?;
        for (row, logits) in projected.iter_mut().zip(logits.chunks_exact(logits.len() / ROWS)) {
            row.class_logits = logits.to_vec();
        }
        Ok(())
    }

    /// Which objects to project together, and to which length they are padded.
    fn parts(&self, objects: &[Vec<f32>]) -> Vec<(usize, Vec<usize>)> {
        let lengths: Vec<usize> = objects.iter().map(|tokens| self.length(tokens)).collect();
        let most = self.projector.as_ref().map_or(usize::MAX, |(_, shape)| shape.max_tokens);
        match self.device == Device::flex() {
            true => of_one_length(&lengths, most),
            false if lengths.is_empty() => Vec::new(),
            false => {
                let longest = lengths.iter().copied().max().unwrap_or_default().max(1);
                vec![(longest, (0..lengths.len()).collect())]
            }
        }
    }

    pub(super) fn length(&self, tokens: &[f32]) -> usize {
        tokens.len() / self.config.joint
    }

    /// Objects as one batch, padded with zeros to a length, and their lengths if any was padded.
    pub(super) fn padded(
        &self,
        objects: &[&[f32]],
        length: usize,
    ) -> (Tensor<3>, Option<Vec<usize>>) {
        let joint = self.config.joint;
        let lengths: Vec<usize> = objects.iter().map(|tokens| self.length(tokens)).collect();
        let mut padded = vec![0.0f32; objects.len() * length * joint];
        for (row, tokens) in padded.chunks_mut(length * joint).zip(objects) {
            row[..tokens.len()].copy_from_slice(tokens);
        }
        let shape = [objects.len(), length, joint];
        let tokens = Tensor::from_data(TensorData::new(padded, shape), &self.device);
        (tokens, lengths.iter().any(|&n| n < length).then_some(lengths))
    }
}

/// The length that an image of so many tokens is padded to, at most `most`.
fn padded_length(length: usize, most: usize) -> usize {
    let step = if length <= FEW { STEP } else { 2 * STEP };
    // One of more tokens than the projector takes is its error to tell.
    length.max(1).next_multiple_of(step).min(most.max(length))
}

/// Places by the length that they are padded to, the shortest first.
fn of_one_length(lengths: &[usize], most: usize) -> Vec<(usize, Vec<usize>)> {
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, &length) in lengths.iter().enumerate() {
        groups.entry(padded_length(length, most)).or_default().push(at);
    }
    groups.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_padded_alike_in_any_company() {
        let lengths = [100, 3, 97, 0, 50, 16, 0, 144, 99, 145];
        let groups = of_one_length(&lengths, 145);
        let expected =
            vec![(16, vec![1, 3, 5, 6]), (64, vec![4]), (128, vec![0, 2, 8]), (145, vec![7, 9])];
        assert_eq!(groups, expected);
        for (at, &length) in lengths.iter().enumerate() {
            let alone = of_one_length(&[length], 145)[0].0;
            assert!(groups.iter().any(|(padded, group)| *padded == alone && group.contains(&at)));
        }
        assert!(of_one_length(&[], 145).is_empty());
    }
}
