//! From object tokens to features, on whatever device at the least cost.

use burn::tensor::{Device, Tensor, TensorData};

use super::{Pipeline, PipelineError, floats};
use crate::nn::projector::Projector;
use crate::score::Input;

/// Padding that a batch may carry on the CPU, as a share of its tokens; on a GPU there is no limit.
const PADDING: f32 = 0.2;
/// Tokens of padding that cost less than one batch more, which lays out the weights anew.
const FREE_TOKENS: f32 = 64.0;

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

impl Pipeline {
    /// Projects sets of object tokens (`[n, width]` each, any `n`), in their order; nothing without
    /// a projector. With `ce`, through the one trained with cross-entropy alone too, which costs the
    /// same again.
    ///
    /// # Errors
    /// If the device fails.
    pub fn project(&self, objects: &[Vec<f32>], ce: bool) -> Result<Vec<Projected>, PipelineError> {
        let Some(projector) = &self.projector else { return Ok(Vec::new()) };
        let mut all = vec![Projected::default(); objects.len()];
        for part in self.parts(objects) {
            let together: Vec<&[f32]> = part.iter().map(|&at| objects[at].as_slice()).collect();
            let (tokens, lengths) = self.padded(&together);
            let features = projector.features(tokens.clone(), lengths.as_deref());
            let logits = floats(projector.class_logits(features.clone()))?;
            let features = floats(features)?;
            let of_ce = |projector: &Projector| {
                floats(projector.features(tokens.clone(), lengths.as_deref()))
            };
            let ce_features = self.projector_ce.as_ref().filter(|_| ce).map(of_ce).transpose()?;
            let row = |values: &[f32], index: usize| {
                let width = values.len() / part.len();
                values[index * width..(index + 1) * width].to_vec()
            };
            for (index, &at) in part.iter().enumerate() {
                all[at] = Projected {
                    feature: row(&features, index),
                    class_logits: row(&logits, index),
                    ce_feature: ce_features.as_ref().map(|values| row(values, index)),
                };
            }
        }
        Ok(all)
    }

    /// Whether a detector reads [`Projected::ce_feature`].
    pub(super) fn reads_ce(&self, detector: &str) -> bool {
        self.detector(detector).is_some_and(|bound| bound.info().needs.contains(&Input::CeFeature))
    }

    /// Which objects to project together.
    fn parts(&self, objects: &[Vec<f32>]) -> Vec<Vec<usize>> {
        let lengths: Vec<usize> = objects.iter().map(|tokens| self.length(tokens)).collect();
        match self.device == Device::flex() {
            true => of_like_length(&lengths),
            false if lengths.is_empty() => Vec::new(),
            false => vec![(0..lengths.len()).collect()],
        }
    }

    fn length(&self, tokens: &[f32]) -> usize {
        tokens.len() / self.manifest().tagger.joint
    }

    /// Objects as one batch, padded with zeros to the longest, and their lengths if any was padded.
    pub(super) fn padded(&self, objects: &[&[f32]]) -> (Tensor<3>, Option<Vec<usize>>) {
        let joint = self.manifest().tagger.joint;
        let lengths: Vec<usize> = objects.iter().map(|tokens| self.length(tokens)).collect();
        let longest = lengths.iter().copied().max().unwrap_or_default().max(1);
        let mut padded = vec![0.0f32; objects.len() * longest * joint];
        for (row, tokens) in padded.chunks_mut(longest * joint).zip(objects) {
            row[..tokens.len()].copy_from_slice(tokens);
        }
        let shape = [objects.len(), longest, joint];
        let tokens = Tensor::from_data(TensorData::new(padded, shape), &self.device);
        (tokens, lengths.iter().any(|&n| n < longest).then_some(lengths))
    }
}

/// Groups of places whose lengths are so alike that padding each to the longest of its group adds
/// little: the shortest first, as many as fit.
fn of_like_length(lengths: &[usize]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&at| lengths[at]);
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut tokens = 0;
    for at in order {
        tokens += lengths[at];
        match groups.last_mut() {
            Some(group) if fits(lengths[at] * (group.len() + 1), tokens) => group.push(at),
            _ => {
                tokens = lengths[at];
                groups.push(vec![at]);
            }
        }
    }
    groups
}

fn fits(padded: usize, tokens: usize) -> bool {
    padded as f32 <= tokens as f32 * (1.0 + PADDING) + FREE_TOKENS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_carry_little_padding_and_leave_nobody_out() {
        let lengths = [100, 3, 97, 0, 50, 3, 0, 144, 99, 2];
        let groups = of_like_length(&lengths);
        let of_group =
            |group: &Vec<usize>| -> Vec<usize> { group.iter().map(|&at| lengths[at]).collect() };
        let found: Vec<Vec<usize>> = groups.iter().map(of_group).collect();
        let wanted: [&[usize]; 3] = [&[0, 0, 2, 3, 3], &[50, 97, 99, 100], &[144]];
        assert_eq!(found, wanted);
        let mut places = groups.concat();
        places.sort_unstable();
        assert_eq!(places, (0..lengths.len()).collect::<Vec<_>>());
        assert!(of_like_length(&[]).is_empty());
    }
}
