use std::sync::Arc;

use crate::score::{Detector, Head, Info, Input, ScoreError, Scorer, Statistics, each, logits};

static INFO: Info = Info {
    id: "msp",
    name: "MSP",
    paper: "Hendrycks & Gimpel, A Baseline for Detecting Misclassified and Out-of-Distribution \
            Examples in Neural Networks, ICLR 2017",
    formula: "max_c softmax(logits)_c",
    needs: &[Input::ClassLogits],
    parameters: &[],
    range: (0.0, 1.0),
};

/// The largest softmax probability, max_c p_c.
///
/// At least 1/C; `f32` cannot tell probabilities nearer to 1 than 6e-8 apart, so very sure images tie.
pub(super) struct Msp;

impl Detector for Msp {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn bind(&self, _: &Statistics, _: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        each(|sample| {
            let probabilities = logits::softmax(sample.class_logits, 1.0);
            probabilities.into_iter().fold(0.0, f64::max) as f32
        })
    }
}
