//! Maximum concept matching.

use std::sync::Arc;

use crate::score::{
    Detector, Head, Info, Input, Parameter, ScoreError, Scorer, Statistics, each, logits,
};

/// What cosines are divided by. At the published 1 the scores lie near 1/C and differ in late digits;
/// at 0.01, the inverse of CLIP's logit scale, the score is that of MSP.
pub const TEMPERATURE: f64 = 1.0;

pub(super) const TEMPERATURE_OF_COSINES: Parameter =
    Parameter { name: "T", value: TEMPERATURE, meaning: "divides the cosines" };

static INFO: Info = Info {
    id: "mcm",
    name: "MCM",
    paper: "Ming et al., Delving into Out-of-Distribution Detection with Vision-Language \
            Representations, NeurIPS 2022",
    formula: "max_c softmax(cos_c / T), cos_c of image and name",
    needs: &[Input::NameCosines],
    parameters: &[TEMPERATURE_OF_COSINES],
    range: (0.0, 1.0),
};

/// Maximum concept matching: the share of the best name in a softmax over the names' cosines.
pub struct Mcm;

impl Detector for Mcm {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn bind(&self, _: &Statistics, _: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        each(|sample| {
            let names = sample.names.unwrap_or_default();
            best_share(names.image, TEMPERATURE) as f32
        })
    }
}

/// max softmax(cos / T) over cosines with names `[C]`; 0 for none.
pub fn best_share(cosines: &[f32], temperature: f64) -> f64 {
    let top = f64::from(logits::max(cosines));
    let sum: f64 = cosines.iter().map(|&v| ((f64::from(v) - top) / temperature).exp()).sum();
    if sum > 0.0 { 1.0 / sum } else { 0.0 }
}
