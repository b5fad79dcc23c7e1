use std::sync::Arc;

use crate::score::{Detector, Head, Info, Input, ScoreError, Scorer, Statistics, each};

static INFO: Info = Info {
    id: "feature-norm",
    name: "FeatureNorm",
    paper: "Yu, Shin, Lee, Jun & Lee, Block Selection Method for Using Feature Norm in \
            Out-of-Distribution Detection, CVPR 2023",
    formula: "‖max(feature, 0)‖₂",
    needs: &[Input::Feature],
    parameters: &[],
    range: (0.0, f32::INFINITY),
};

/// Length of the positive part of the feature.
///
/// The paper takes, for the activations of a convolutional block it selects, the mean over the channels
/// of the length of the rectified activation map. The projector has no such block and its feature no
/// spatial axes: here the D channels of the feature are the one map. The projector's last LayerNorm all
/// but fixes the length of the whole feature, which leaves this detector little to see; the paper on
/// TagOOD reports the same weakness. A feature without a positive channel scores 0.
pub(super) struct FeatureNorm;

impl Detector for FeatureNorm {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn bind(&self, _: &Statistics, _: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        each(|sample| {
            let squares = sample.feature.iter().map(|&v| f64::from(v.max(0.0)).powi(2));
            squares.sum::<f64>().sqrt() as f32
        })
    }
}
