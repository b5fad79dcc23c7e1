use std::sync::Arc;

use super::shaped_energy::shaped_energy;
use crate::score::{
    Detector, Head, Info, Input, Parameter, ScoreError, Scorer, Statistics, TrainingSet,
    fitting::bank::percentiles,
};

const PERCENTILE: f64 = 90.0;
const CLIP: &str = "react.clip";

static INFO: Info = Info {
    id: "react",
    name: "ReAct",
    paper: "Sun, Guo & Li, ReAct: Out-of-distribution Detection With Rectified Activations, NeurIPS 2021",
    formula: "log Σ_c exp((W·min(feature, clip) + b)_c)",
    needs: &[Input::Feature],
    parameters: &[Parameter {
        name: "p",
        value: PERCENTILE,
        meaning: "percentile of all training activations that the feature is clipped at",
    }],
    range: (f32::NEG_INFINITY, f32::INFINITY),
};

/// Energy after clipping the feature from above.
///
/// The clip is the 90th percentile of the training activations, all channels together (of a seeded
/// choice of 10,000 images where there are more). Negative activations pass unchanged.
pub(super) struct React;

impl Detector for React {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn reads_head(&self) -> bool {
        true
    }

    fn fit(
        &self,
        training: &TrainingSet<'_>,
        statistics: &mut Statistics,
    ) -> Result<(), ScoreError> {
        let clip = percentiles(training.features, [PERCENTILE]);
        statistics.insert(CLIP, &[1], clip.to_vec())
    }

    fn bind(
        &self,
        statistics: &Statistics,
        head: &Arc<Head>,
    ) -> Result<Box<dyn Scorer>, ScoreError> {
        let clip = statistics.scalar(CLIP)?;
        shaped_energy(head, move |feature| {
            feature.iter_mut().for_each(|v| *v = v.min(clip));
        })
    }
}
