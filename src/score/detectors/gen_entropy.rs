use std::sync::Arc;

use crate::score::{
    Detector, Head, Info, Input, Parameter, ScoreError, Scorer, Statistics, each, logits,
};

const GAMMA: f64 = 0.1;
const LARGEST: usize = 100;

static INFO: Info = Info {
    id: "gen",
    name: "GEN",
    paper: "Liu, Lochman & Zach, GEN: Pushing the Limits of Softmax-Based Out-of-Distribution \
            Detection, CVPR 2023",
    formula: "−Σ over the M largest p_c of p_c^γ (1 − p_c)^γ",
    needs: &[Input::ClassLogits],
    parameters: &[
        Parameter { name: "γ", value: GAMMA, meaning: "exponent" },
        Parameter {
            name: "M",
            value: LARGEST as f64,
            meaning: "probabilities that count; all of them where there are fewer classes",
        },
    ],
    range: (f32::NEG_INFINITY, 0.0),
};

/// Generalised entropy of the softmax probabilities, negated: −Σ p^γ (1 − p)^γ over the M largest.
pub(super) struct Gen;

impl Detector for Gen {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn bind(&self, _: &Statistics, _: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        each(|sample| {
            let mut probabilities = logits::softmax(sample.class_logits, 1.0);
            probabilities.sort_unstable_by(|a, b| b.total_cmp(a));
            let terms = probabilities.iter().take(LARGEST).map(|p| (p * (1.0 - p)).powf(GAMMA));
            (0.0 - terms.sum::<f64>()) as f32
        })
    }
}
