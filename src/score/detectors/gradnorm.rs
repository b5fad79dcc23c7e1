use std::sync::Arc;

use crate::score::{Detector, Head, Info, Input, ScoreError, Scorer, Statistics, each, logits};

static INFO: Info = Info {
    id: "gradnorm",
    name: "GradNorm",
    paper: "Huang, Geng & Li, On the Importance of Gradients for Detecting Distributional Shifts in the \
            Wild, NeurIPS 2021",
    formula: "‖∂ KL(u ‖ softmax(logits)) / ∂W‖₁ = ‖feature‖₁ · ‖softmax(logits) − u‖₁, u_c = 1/C",
    needs: &[Input::Feature, Input::ClassLogits],
    parameters: &[],
    range: (0.0, f32::INFINITY),
};

/// L1 norm of the gradient, with respect to the classifier's weight, of the divergence between the
/// uniform distribution and the prediction.
///
/// That gradient is the outer product of softmax(logits) − u and the feature, so its norm is the product
/// of theirs and no backward pass is needed. A zero feature scores 0.
pub(super) struct GradNorm;

impl Detector for GradNorm {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn bind(&self, _: &Statistics, _: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        each(|sample| {
            let probabilities = logits::softmax(sample.class_logits, 1.0);
            let uniform = 1.0 / probabilities.len() as f64;
            let surprise: f64 = probabilities.iter().map(|p| (p - uniform).abs()).sum();
            let size: f64 = sample.feature.iter().map(|v| f64::from(v.abs())).sum();
            (size * surprise) as f32
        })
    }
}
