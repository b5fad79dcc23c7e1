use std::sync::Arc;

use super::gl_mcm::best_patch;
use super::mcm::{TEMPERATURE, TEMPERATURE_OF_COSINES, best_share};
use crate::score::{Detector, Head, Info, Input, Parameter, ScoreError, Scorer, Statistics, each};

const PAPER: &str = "Miyai, Yu, Irie & Aizawa, LoCoOp: Few-Shot Out-of-Distribution Detection via \
                     Prompt Learning, NeurIPS 2023";

static MCM: Info = Info {
    id: "locoop-mcm",
    name: "LoCoOp (MCM)",
    paper: PAPER,
    formula: "max_c softmax(cos_c / T), names behind learnt prompts",
    needs: &[Input::PromptedCosines],
    parameters: &[TEMPERATURE_OF_COSINES],
    range: (0.0, 1.0),
};

static SUM: Info = Info {
    id: "locoop-gl-mcm",
    name: "LoCoOp (GL-MCM)",
    paper: PAPER,
    formula: "MCM + λ L-MCM, names behind learnt prompts",
    needs: &[Input::PromptedCosines, Input::PromptedLocalCosines],
    parameters: &[
        TEMPERATURE_OF_COSINES,
        Parameter { name: "λ", value: 1.0, meaning: "weight of the local score" },
    ],
    range: (0.0, 2.0),
};

/// MCM with names whose texts begin with the 16 learnt vectors of a prompt-learner checkpoint.
pub(super) static LOCOOP_MCM: LoCoOp = LoCoOp { info: &MCM, local: 0.0 };

/// GL-MCM with such names: the published score.
pub(super) static LOCOOP_GL_MCM: LoCoOp = LoCoOp { info: &SUM, local: 1.0 };

/// MCM's or GL-MCM's formula on learnt prompts.
pub(super) struct LoCoOp {
    info: &'static Info,
    local: f64,
}

impl Detector for LoCoOp {
    fn info(&self) -> &'static Info {
        self.info
    }

    fn bind(&self, _: &Statistics, head: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        let (weight, classes) = (self.local, head.classes());
        each(move |sample| {
            let (image, local) = sample.names.and_then(|names| names.prompted).unwrap_or_default();
            let patches = match weight > 0.0 {
                true => weight * best_patch(local, classes, TEMPERATURE),
                false => 0.0,
            };
            (best_share(image, TEMPERATURE) + patches) as f32
        })
    }
}
