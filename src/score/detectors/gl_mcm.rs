//! Maximum concept matching by patches, and both together.

use std::sync::Arc;

use super::mcm::{TEMPERATURE, TEMPERATURE_OF_COSINES, best_share};
use crate::score::{Detector, Head, Info, Input, Parameter, ScoreError, Scorer, Statistics, each};

const PAPER: &str = "Miyai, Yu, Irie & Aizawa, GL-MCM: Global and Local Maximum Concept Matching for \
                     Zero-Shot Out-of-Distribution Detection, IJCV 2025";

/// A share of the local score.
const fn weight(value: f64) -> Parameter {
    Parameter {
        name: "λ",
        value,
        meaning: "weight of the local score: 1 in the paper, 0.5 in the released ImageNet script",
    }
}

static LOCAL: Info = Info {
    id: "l-mcm",
    name: "L-MCM",
    paper: PAPER,
    formula: "max over patches and names of softmax_c(cos_pc / T)",
    needs: &[Input::LocalCosines],
    parameters: &[TEMPERATURE_OF_COSINES],
    range: (0.0, 1.0),
};

static SUM: Info = Info {
    id: "gl-mcm",
    name: "GL-MCM",
    paper: PAPER,
    formula: "MCM + λ L-MCM",
    needs: &[Input::NameCosines, Input::LocalCosines],
    parameters: &[TEMPERATURE_OF_COSINES, weight(1.0)],
    range: (0.0, 2.0),
};

static HALF: Info = Info {
    id: "gl-mcm-half",
    name: "GL-MCM (λ 0.5)",
    paper: PAPER,
    formula: "MCM + λ L-MCM",
    needs: &[Input::NameCosines, Input::LocalCosines],
    parameters: &[TEMPERATURE_OF_COSINES, weight(0.5)],
    range: (0.0, 1.5),
};

/// The best patch's share of its best name, by the patches' local features; 0 where no patch is kept.
pub static L_MCM: GlMcm = GlMcm { info: &LOCAL, global: false, local: 1.0 };

/// Global and local maximum concept matching: the whole image's score and the best patch's, added.
pub static GL_MCM: GlMcm = GlMcm { info: &SUM, global: true, local: 1.0 };

/// [`GL_MCM`] with the weight of the released ImageNet script.
pub static GL_MCM_HALF: GlMcm = GlMcm { info: &HALF, global: true, local: 0.5 };

/// A sum of MCM's score and of its local twin.
pub struct GlMcm {
    info: &'static Info,
    global: bool,
    local: f64,
}

impl Detector for GlMcm {
    fn info(&self) -> &'static Info {
        self.info
    }

    fn bind(&self, _: &Statistics, head: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        let (global, weight, classes) = (self.global, self.local, head.classes());
        each(move |sample| {
            let names = sample.names.unwrap_or_default();
            let whole = if global { best_share(names.image, TEMPERATURE) } else { 0.0 };
            (whole + weight * best_patch(names.local, classes, TEMPERATURE)) as f32
        })
    }
}

/// The largest of the patches' scores, cosines `[N, C]` row-major; 0 for no patch.
pub fn best_patch(cosines: &[f32], classes: usize, temperature: f64) -> f64 {
    let rows = cosines.chunks_exact(classes.max(1));
    rows.map(|row| best_share(row, temperature)).fold(0.0, f64::max)
}
