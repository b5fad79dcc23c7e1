use std::sync::Arc;

use super::shaped_energy::shaped_energy;
use crate::score::{
    Detector, Head, Info, Input, Parameter, ScoreError, Scorer, Statistics, TrainingSet,
    fitting::bank::percentiles,
};

const LOW: f64 = 10.0;
const HIGH: f64 = 95.0;
const ORDER: i32 = 2;
const LIMITS: &str = "lhact.limits";

static INFO: Info = Info {
    id: "lhact",
    name: "LHAct",
    paper: "Yuan, He, Han & Yin, LHAct: Rectifying Extremely Low and High Activations for \
            Out-of-Distribution Detection, ACM MM 2023",
    formula: "log Σ_c exp((W·r(feature) + b)_c), r(x) = y if y < h else y/√(1 + (y/h)^2n) + l, y = max(x, l)",
    needs: &[Input::Feature],
    parameters: &[
        Parameter { name: "n", value: ORDER as f64, meaning: "order of the fall-off" },
        Parameter {
            name: "low",
            value: LOW,
            meaning: "percentile of all training activations that gives l; chosen here",
        },
        Parameter {
            name: "high",
            value: HIGH,
            meaning: "percentile of all training activations that gives h; chosen here",
        },
    ],
    range: (f32::NEG_INFINITY, f32::INFINITY),
};

/// Energy after raising extremely low activations and damping extremely high ones.
///
/// With limits l < h, an activation x becomes y = max(x, l), and where y ≥ h it is damped like a signal
/// by a Butterworth low-pass filter of order n = 2, r = y / √(1 + (y/h)⁴) + l, which falls with y instead
/// of merely saturating.
///
/// This is the function of the authors' released code. There the limits are constants for ResNet-50
/// (l = 0.2194, h = 1.3521), and which percentiles they stand for is not said; ReAct's clip for the same
/// network, its 90th percentile, is 1.0, which puts h near the 95th. Percentiles 95 and 10 of the training
/// activations are therefore a choice made here, and so is leaving the formula as it is where l is
/// negative, as it is after a LayerNorm: damped activations are then shifted down by |l|.
pub(super) struct LhAct;

impl Detector for LhAct {
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
        let limits = percentiles(training.features, [LOW, HIGH]);
        statistics.insert(LIMITS, &[2], limits.to_vec())
    }

    fn bind(
        &self,
        statistics: &Statistics,
        head: &Arc<Head>,
    ) -> Result<Box<dyn Scorer>, ScoreError> {
        let limits = statistics.values(LIMITS, &[2])?;
        let (low, high) = (limits[0], limits[1]);
        shaped_energy(head, move |feature| {
            feature.iter_mut().for_each(|v| *v = rectified(*v, low, high));
        })
    }
}

fn rectified(x: f32, low: f32, high: f32) -> f32 {
    let y = x.max(low);
    if y < high {
        return y;
    }
    // y/h for h = 0 is 0/0 or infinite: both are damped to nothing
    let gain = if high == 0.0 { 0.0 } else { 1.0 / (1.0 + (y / high).powi(2 * ORDER)).sqrt() };
    gain * y + low
}
