//! ODIN; its constants are public because the perturbation is computed elsewhere.

use std::sync::Arc;

use crate::score::{
    Detector, Head, Info, Input, Parameter, ScoreError, Scorer, Statistics, each, logits,
};

/// Temperature that the logits are divided by, before the gradient and before the score.
pub const TEMPERATURE: f64 = 1000.0;

/// Step along the sign of the input's gradient, for images scaled to 0..1: divide it by a channel's
/// standard deviation where the input is normalised.
pub const EPSILON: f64 = 0.0014;

static INFO: Info = Info {
    id: "odin",
    name: "ODIN",
    paper: "Liang, Li & Srikant, Enhancing the Reliability of Out-of-distribution Image Detection in \
            Neural Networks, ICLR 2018",
    formula: "max_c softmax(logits(x − ε·sign(−∇ₓ log max_c softmax(logits(x)/T)))/T)_c",
    needs: &[Input::OdinLogits],
    parameters: &[
        Parameter { name: "T", value: TEMPERATURE, meaning: "temperature" },
        Parameter { name: "ε", value: EPSILON, meaning: "size of the perturbation of the input" },
    ],
    range: (0.0, 1.0),
};

/// The largest softmax probability at a high temperature, after a small step of the input towards the
/// predicted class.
///
/// The step needs the gradient of the network, so that the logits of the perturbed input come in as
/// [`Sample::odin_logits`](crate::score::Sample::odin_logits), not yet divided by [`TEMPERATURE`]; what
/// was perturbed (the image or the tokens) is for the caller to say. At T = 1000 all scores lie just
/// above 1/C.
pub struct Odin;

impl Detector for Odin {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn bind(&self, _: &Statistics, _: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        // the bound detector has checked that the logits are there
        each(|sample| {
            let logits = sample.odin_logits.unwrap_or_default();
            logits::softmax(logits, TEMPERATURE).into_iter().fold(0.0, f64::max) as f32
        })
    }
}
