use std::sync::Arc;

use super::shaped_energy::{shaped_energy, sharpening, top_sums};
use crate::score::{Detector, Head, Info, Input, Parameter, ScoreError, Scorer, Statistics};

const PERCENTILE: f64 = 85.0;

static INFO: Info = Info {
    id: "scale",
    name: "SCALE",
    paper: "Xu, Chen, Franchi & Yao, Scaling for Training Time and Post-hoc Out-of-distribution Detection \
            Enhancement, ICLR 2024",
    formula: "log Σ_c exp((W·f + b)_c), f = feature·exp(Σ feature / Σ top(feature))",
    needs: &[Input::Feature],
    parameters: &[Parameter {
        name: "p",
        value: PERCENTILE,
        meaning: "percent of the channels of each feature that the sum of the largest leaves out",
    }],
    range: (f32::NEG_INFINITY, f32::INFINITY),
};

/// Energy of the whole feature multiplied by exp(s₁/s₂), s₁ being the sum of its channels and s₂ that of
/// its D − round(D·p/100) largest.
///
/// The method was made for activations after a ReLU; negative ones take part as they are. The exponent
/// is kept within ±20; see [`sharpening`].
pub(super) struct Scale;

impl Detector for Scale {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn reads_head(&self) -> bool {
        true
    }

    fn bind(&self, _: &Statistics, head: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        shaped_energy(head, |feature| {
            let (all, top, _) = top_sums(&mut feature.to_vec(), PERCENTILE);
            let factor = sharpening((all, top));
            feature.iter_mut().for_each(|v| *v *= factor);
        })
    }
}
