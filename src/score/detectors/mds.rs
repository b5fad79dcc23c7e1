use std::sync::Arc;

use crate::score::{
    Detector, Head, Info, Input, Sample, ScoreError, Scorer, Statistics, TrainingSet,
    fitting::gaussian::{NORMALISED, Names, PLAIN, Whitened},
};

static INFO: Info = Info {
    id: "mds",
    name: "Mahalanobis (MDS)",
    paper: "Lee, Lee, Lee & Shin, A Simple Unified Framework for Detecting Out-of-Distribution Samples and \
            Adversarial Attacks, NeurIPS 2018",
    formula: "−min_c (f − μ_c)ᵀ Σ⁺ (f − μ_c)",
    needs: &[Input::Feature],
    parameters: &[],
    range: (f32::NEG_INFINITY, 0.0),
};

static INFO_PLUS_PLUS: Info = Info {
    id: "mds++",
    name: "Mahalanobis++",
    paper: "Müller & Hein, Mahalanobis++: Improving OOD Detection via Feature Normalization, ICML 2025",
    formula: "−min_c (z − μ_c)ᵀ Σ⁺ (z − μ_c), z = f / ‖f‖₂",
    needs: &[Input::Feature],
    parameters: &[],
    range: (f32::NEG_INFINITY, 0.0),
};

/// Mahalanobis distance of the feature to the nearest class mean, negated and squared, under one
/// covariance shared by all classes.
///
/// Only the feature before the classifier is used: no input perturbation and no combination of layers,
/// as the method is run since. Directions in which the training features do not vary do not count
/// (pseudo-inverse), so an image that leaves the training features' subspace is not punished for it. If
/// no class has two different features there is no covariance, and every image scores 0.
pub(super) static MDS: Mds = Mds { info: &INFO, names: &PLAIN };

/// [`MDS`] on features divided by their length, in fitting and in scoring; a zero feature stays zero.
pub(super) static MDS_PLUS_PLUS: Mds = Mds { info: &INFO_PLUS_PLUS, names: &NORMALISED };

/// The Mahalanobis detector on one family of Gaussians.
pub(super) struct Mds {
    info: &'static Info,
    names: &'static Names,
}

impl Detector for Mds {
    fn info(&self) -> &'static Info {
        self.info
    }

    fn fit(
        &self,
        training: &TrainingSet<'_>,
        statistics: &mut Statistics,
    ) -> Result<(), ScoreError> {
        self.names.keep(training, statistics)
    }

    fn bind(
        &self,
        statistics: &Statistics,
        head: &Arc<Head>,
    ) -> Result<Box<dyn Scorer>, ScoreError> {
        Ok(Box::new(Whitened::new(self.names, statistics, head.width())?))
    }
}

impl Scorer for Whitened {
    fn score_block(&self, samples: &[Sample<'_>]) -> Vec<f32> {
        let squares = self.nearest_squares(&self.centered(samples));
        squares.into_iter().map(|square| -square as f32).collect()
    }
}
