//! Known names against negative words.

use std::sync::Arc;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::score::{
    Detector, Head, Info, Input, LOGIT_SCALE, Parameter, ScoreError, Scorer, Statistics, each,
    logits,
};

/// Groups that the negative words are dealt into.
pub const GROUPS: usize = 100;

/// Seed of the order in which they are dealt: the released shuffle runs on a GPU and cannot be
/// repeated elsewhere.
const SEED: u64 = 0;

static INFO: Info = Info {
    id: "neg-label",
    name: "NegLabel",
    paper: "Jiang et al., Negative Label Guided OOD Detection with Pretrained Vision-Language Models, \
            ICLR 2024",
    formula: "mean over groups g of Σ_known exp(s cos) / (Σ_known exp(s cos) + Σ_g exp(s cos))",
    needs: &[Input::NameCosines, Input::NegativeCosines],
    parameters: &[
        Parameter {
            name: "groups",
            value: GROUPS as f64,
            meaning: "of negative words, shuffled; what fills no group is dropped; one word a group \
                      where there are fewer words",
        },
        Parameter { name: "s", value: LOGIT_SCALE as f64, meaning: "multiplies the cosines" },
    ],
    range: (0.0, 1.0),
};

/// The known names' share of a softmax over known and negative names, averaged over groups of the
/// negative ones.
pub struct NegLabel;

impl Detector for NegLabel {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn bind(&self, _: &Statistics, _: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        each(|sample| {
            let names = sample.names.unwrap_or_default();
            let negatives = names.negatives.unwrap_or_default();
            let order = shuffled(negatives.len());
            known_share(names.image, negatives, GROUPS.min(negatives.len()), &order) as f32
        })
    }
}

/// The order in which `count` negative words are dealt into groups: the same for every image.
fn shuffled(count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(SEED));
    order
}

/// The score from cosines with known names `[C]` and negative words `[M]`, the latter dealt in this
/// order into `groups` groups of equal size. 1 without groups.
pub fn known_share(known: &[f32], negatives: &[f32], groups: usize, order: &[usize]) -> f64 {
    let each = order.len().checked_div(groups).unwrap_or_default();
    if each == 0 {
        return 1.0;
    }
    let sum = |cosines: &[f32]| {
        let scaled: Vec<f32> = cosines.iter().map(|v| LOGIT_SCALE * v).collect();
        logits::log_sum_exp(&scaled)
    };
    let known = sum(known);
    let share = |group: &[usize]| {
        let group: Vec<f32> = group.iter().map(|&at| negatives[at]).collect();
        1.0 / (1.0 + (sum(&group) - known).exp())
    };
    order.chunks_exact(each).take(groups).map(share).sum::<f64>() / groups as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_a_permutation_that_does_not_change() {
        let order = shuffled(2000);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..2000).collect::<Vec<_>>());
        assert_eq!(order, shuffled(2000));
        assert_ne!(order, sorted);
    }

    #[test]
    fn few_words_make_groups_of_one() {
        let share = known_share(&[0.3, 0.1], &[0.3], 1, &[0]);
        let [a, b] = [30f64, 10.0].map(f64::exp);
        assert!((share - (a + b) / (a + b + a)).abs() < 1e-6);
        assert_eq!(known_share(&[0.3], &[], 0, &[]), 1.0);
    }
}
