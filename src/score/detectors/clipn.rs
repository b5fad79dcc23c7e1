//! CLIPN: a second text side that says no.

use std::sync::Arc;

use crate::score::{
    Detector, Head, Info, Input, LOGIT_SCALE, Parameter, ScoreError, Scorer, Statistics, each,
    logits,
};

const PAPER: &str = "Wang, Li, Yao & Li, CLIPN for Zero-Shot OOD Detection: Teaching CLIP to Say No, \
                     ICCV 2023";

const SCALE: Parameter =
    Parameter { name: "scale", value: LOGIT_SCALE as f64, meaning: "multiplies the cosines" };

static CTW: Info = Info {
    id: "clipn-ctw",
    name: "CLIPN-CTW",
    paper: PAPER,
    formula: "1 − p_no,c of the likeliest name c; known at 0.5 and above",
    needs: &[Input::NameCosines, Input::NoCosines],
    parameters: &[SCALE],
    range: (0.0, 1.0),
};

static ATD: Info = Info {
    id: "clipn-atd",
    name: "CLIPN-ATD",
    paper: PAPER,
    formula: "Σ_c p_c (1 − p_no,c)",
    needs: &[Input::NameCosines, Input::NoCosines],
    parameters: &[SCALE],
    range: (0.0, 1.0),
};

static ATD_DECISION: Info = Info {
    id: "clipn-atd-decision",
    name: "CLIPN-ATD (paper's decision)",
    paper: PAPER,
    formula: "max_c p_c (1 − p_no,c) − (1 − Σ_c p_c (1 − p_no,c)); known at 0 and above",
    needs: &[Input::NameCosines, Input::NoCosines],
    parameters: &[SCALE],
    range: (-1.0, 1.0),
};

/// Competing to win: whether the no side denies the likeliest name. The paper decides without a
/// threshold to be set: unknown where p_no exceeds 0.5, which is the λ that this detector brings.
pub static CLIPN_CTW: Clipn =
    Clipn { info: &CTW, own_lambda: Some(0.5), score: |image| image.competing_to_win() };

/// Agreeing to differ, as the released code scores it: the no side is asked about every name, by the
/// name's probability. The score is one minus the probability of "none of these".
pub static CLIPN_ATD: Clipn =
    Clipn { info: &ATD, own_lambda: None, score: |image| image.agreeing_to_differ() };

/// Agreeing to differ, as the paper decides: "none of these" competes with the names as a class of its
/// own, with the probability 1 − Σ p_c (1 − p_no,c). It is taken to compete with p_c (1 − p_no,c), so
/// that all C + 1 numbers add up to 1; with p_c alone, as the paper may be read too, fewer images are
/// refused.
pub static CLIPN_ATD_DECISION: Clipn =
    Clipn { info: &ATD_DECISION, own_lambda: Some(0.0), score: |image| image.margin_over_none() };

/// One of CLIPN's two ways to listen to its no side.
pub struct Clipn {
    info: &'static Info,
    own_lambda: Option<f32>,
    score: fn(&YesNo) -> f64,
}

impl Detector for Clipn {
    fn info(&self) -> &'static Info {
        self.info
    }

    fn own_lambda(&self) -> Option<f32> {
        self.own_lambda
    }

    fn bind(&self, _: &Statistics, _: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        let score = self.score;
        each(move |sample| {
            let names = sample.names.unwrap_or_default();
            score(&YesNo::new(names.image, names.no.unwrap_or_default())) as f32
        })
    }
}

/// What both sides of a CLIPN say of an image, for each of C known names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct YesNo {
    /// `p_c`: softmax over the names of the yes side's logits, `[C]`.
    pub probability: Vec<f64>,
    /// `1 − p_no,c`: that the no side does not deny the name, `[C]`.
    pub agreed: Vec<f64>,
}

impl YesNo {
    /// From the cosines of the image's feature with the names' features of either side, `[C]` each.
    pub fn new(yes: &[f32], no: &[f32]) -> Self {
        let scale = f64::from(LOGIT_SCALE);
        let agreed = |(&yes, &no): (&f32, &f32)| {
            1.0 / (1.0 + (scale * (f64::from(no) - f64::from(yes))).exp())
        };
        Self {
            probability: logits::softmax(yes, 1.0 / scale),
            agreed: yes.iter().zip(no).map(agreed).collect(),
        }
    }

    /// `p_c (1 − p_no,c)` of each name.
    pub fn kept(&self) -> impl Iterator<Item = f64> {
        self.probability.iter().zip(&self.agreed).map(|(p, agreed)| p * agreed)
    }

    /// `1 − p_no,c` of the likeliest name, the first of equals; 0 for no names.
    pub fn competing_to_win(&self) -> f64 {
        let likeliest = |best: (f64, f64), (&p, &agreed): (&f64, &f64)| {
            if p > best.0 { (p, agreed) } else { best }
        };
        self.probability.iter().zip(&self.agreed).fold((f64::NEG_INFINITY, 0.0), likeliest).1
    }

    /// `Σ_c p_c (1 − p_no,c)`.
    pub fn agreeing_to_differ(&self) -> f64 {
        self.kept().sum()
    }

    /// The probability of the class "none of these".
    pub fn none_of_these(&self) -> f64 {
        1.0 - self.agreeing_to_differ()
    }

    /// The best name's `p_c (1 − p_no,c)` less the probability of "none of these".
    pub fn margin_over_none(&self) -> f64 {
        self.kept().fold(0.0, f64::max) - self.none_of_these()
    }
}
