use std::sync::Arc;

use super::shaped_energy::{shaped_energy, sharpening, top_sums};
use crate::score::{Detector, Head, Info, Input, Parameter, ScoreError, Scorer, Statistics};

const PERCENTILE: f64 = 90.0;

static INFO: Info = Info {
    id: "ash-s",
    name: "ASH-S",
    paper: "Djurisic, Bozanic, Ashok & Liu, Extremely Simple Activation Shaping for Out-of-Distribution \
            Detection, ICLR 2023",
    formula: "log Σ_c exp((W·f + b)_c), f = top(feature)·exp(Σ feature / Σ top(feature))",
    needs: &[Input::Feature],
    parameters: &[Parameter {
        name: "p",
        value: PERCENTILE,
        meaning: "percent of the channels of each feature that are set to zero",
    }],
    range: (f32::NEG_INFINITY, f32::INFINITY),
};

/// Energy after pruning and sharpening: of each feature only the D − round(D·p/100) largest channels
/// stay, multiplied by exp(s₁/s₂) with s₁ the sum before and s₂ the sum after pruning.
///
/// The method was made for activations after a ReLU. Here negative ones take part as they are: they
/// lower s₁, so that features with as much below as above zero are sharpened by exp(0) = 1. The
/// exponent is kept within ±20; see [`sharpening`].
pub(super) struct AshS;

impl Detector for AshS {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn reads_head(&self) -> bool {
        true
    }

    fn bind(&self, _: &Statistics, head: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        shaped_energy(head, |feature| {
            let mut sorted = feature.to_vec();
            let (all, top, kept) = top_sums(&mut sorted, PERCENTILE);
            let Some(&least) = sorted[..kept].last() else { return feature.fill(0.0) };
            let factor = sharpening((all, top));
            // of channels equal to the least one kept, the first ones stay
            let mut equal = sorted[..kept].iter().filter(|&&v| v == least).count();
            for v in feature {
                let stays = *v > least || (*v == least && equal > 0);
                equal -= usize::from(stays && *v == least);
                *v = if stays { *v * factor } else { 0.0 };
            }
        })
    }
}
