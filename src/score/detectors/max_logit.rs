use std::sync::Arc;

use crate::score::{Detector, Head, Info, Input, ScoreError, Scorer, Statistics, each, logits};

static INFO: Info = Info {
    id: "max-logit",
    name: "Max logit",
    paper: "Hendrycks et al., Scaling Out-of-Distribution Detection for Real-World Settings, ICML 2022",
    formula: "max_c logits_c",
    needs: &[Input::ClassLogits],
    parameters: &[],
    range: (f32::NEG_INFINITY, f32::INFINITY),
};

/// The largest class logit.
pub(super) struct MaxLogit;

impl Detector for MaxLogit {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn bind(&self, _: &Statistics, _: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        each(|sample| logits::max(sample.class_logits))
    }
}
