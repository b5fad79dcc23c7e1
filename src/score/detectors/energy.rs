use std::sync::Arc;

use crate::score::{Detector, Head, Info, Input, ScoreError, Scorer, Statistics, each, logits};

static INFO: Info = Info {
    id: "energy",
    name: "Energy",
    paper: "Liu, Wang, Owens & Li, Energy-based Out-of-distribution Detection, NeurIPS 2020",
    formula: "log Σ_c exp(logits_c)",
    needs: &[Input::ClassLogits],
    parameters: &[crate::score::Parameter {
        name: "T",
        value: 1.0,
        meaning: "temperature of the sum",
    }],
    range: (f32::NEG_INFINITY, f32::INFINITY),
};

/// The negative free energy of the class logits at temperature 1, log Σ_c exp(logits_c).
pub(super) struct Energy;

impl Detector for Energy {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn bind(&self, _: &Statistics, _: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        each(|sample| logits::log_sum_exp(sample.class_logits) as f32)
    }
}
