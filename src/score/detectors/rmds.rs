use std::sync::Arc;

use crate::score::{
    Detector, Head, Info, Input, Sample, ScoreError, Scorer, Statistics, TrainingSet,
    fitting::gaussian::{NORMALISED, Names, PLAIN, Whitened},
    matrix::{dot, products},
};

static INFO: Info = Info {
    id: "rmds",
    name: "Relative Mahalanobis (RMDS)",
    paper: "Ren, Fort, Liu, Roy, Padhy & Lakshminarayanan, A Simple Fix to Mahalanobis Distance for \
            Improving Near-OOD Detection, 2021",
    formula: "(f − μ)ᵀ Σ₀⁺ (f − μ) − min_c (f − μ_c)ᵀ Σ⁺ (f − μ_c)",
    needs: &[Input::Feature],
    parameters: &[],
    range: (f32::NEG_INFINITY, f32::INFINITY),
};

static INFO_PLUS_PLUS: Info = Info {
    id: "rmds++",
    name: "Relative Mahalanobis++",
    paper: "Müller & Hein, Mahalanobis++: Improving OOD Detection via Feature Normalization, ICML 2025",
    formula: "(z − μ)ᵀ Σ₀⁺ (z − μ) − min_c (z − μ_c)ᵀ Σ⁺ (z − μ_c), z = f / ‖f‖₂",
    needs: &[Input::Feature],
    parameters: &[],
    range: (f32::NEG_INFINITY, f32::INFINITY),
};

/// Mahalanobis distance to the mean of all training features, under their covariance around it, minus
/// that to the nearest class mean, under the covariance around the class means; both squared.
///
/// What makes a feature unusual in every class alike cancels. Both covariances are treated as for
/// [`mds`](super::mds).
pub(super) static RMDS: Rmds = Rmds { info: &INFO, names: &PLAIN };

/// [`RMDS`] on features divided by their length, in fitting and in scoring; a zero feature stays zero.
pub(super) static RMDS_PLUS_PLUS: Rmds = Rmds { info: &INFO_PLUS_PLUS, names: &NORMALISED };

/// The relative Mahalanobis detector on one family of Gaussians.
pub(super) struct Rmds {
    info: &'static Info,
    names: &'static Names,
}

struct RmdsScorer {
    classes: Whitened,
    background: Vec<f32>,
    width: usize,
}

impl Detector for Rmds {
    fn info(&self) -> &'static Info {
        self.info
    }

    fn fit(
        &self,
        training: &TrainingSet<'_>,
        statistics: &mut Statistics,
    ) -> Result<(), ScoreError> {
        self.names.keep(training, statistics)?;
        self.names.keep_background(training, statistics)
    }

    fn bind(
        &self,
        statistics: &Statistics,
        head: &Arc<Head>,
    ) -> Result<Box<dyn Scorer>, ScoreError> {
        let width = head.width();
        let classes = Whitened::new(self.names, statistics, width)?;
        let background = statistics.values(self.names.background, &[0, width])?.to_vec();
        Ok(Box::new(RmdsScorer { classes, background, width }))
    }
}

impl Scorer for RmdsScorer {
    fn score_block(&self, samples: &[Sample<'_>]) -> Vec<f32> {
        let centered = self.classes.centered(samples);
        let squares = self.classes.nearest_squares(&centered);
        let whitened = products(&centered, &self.background, self.width);
        let rank = self.background.len() / self.width;
        let scores = squares.into_iter().enumerate().map(|(i, nearest)| {
            let point = &whitened[i * rank..][..rank];
            (dot(point, point) - nearest) as f32
        });
        scores.collect()
    }
}
