//! What detectors learn from the training images; what several need is worked out once.

pub(super) mod bank;
pub(super) mod class_means;
pub(super) mod gaussian;

use std::sync::Arc;

use super::{Detector, Head, Input, Rows, ScoreError, Statistics, head::check};

/// Features of the in-distribution training images, one row an image, N in all.
#[derive(Clone, Copy, Debug)]
pub struct TrainingSet<'a> {
    /// Projected features `[N, D]`.
    pub features: Rows<'a>,
    /// Class logits `[N, C]`.
    pub class_logits: Rows<'a>,
    /// Means of the kept tokens `[N, W]`, before projection.
    pub object_tokens: Rows<'a>,
    /// Features `[N, E]` of a projector trained with cross-entropy only, where there is one.
    pub ce_features: Option<Rows<'a>>,
    /// Class of every image `[N]`, below C.
    pub labels: &'a [usize],
    /// Classifier and centers of the projector that made `features`.
    pub head: &'a Arc<Head>,
}

impl TrainingSet<'_> {
    /// Number of classes C.
    pub fn classes(&self) -> usize {
        self.head.classes()
    }

    /// Whether it has what a detector reads of it. Tag scores, perturbed logits and cosines with names
    /// are never fitted on.
    fn offers(&self, input: Input) -> bool {
        input != Input::CeFeature || self.ce_features.is_some()
    }

    fn validate(&self) -> Result<(), ScoreError> {
        let (n, classes) = (self.labels.len(), self.classes());
        if n == 0 {
            return Err(ScoreError::NoSamples { what: "detectors" });
        }
        let rows = [
            ("training.features", Some(self.features), self.head.width()),
            ("training.class_logits", Some(self.class_logits), classes),
            ("training.object_tokens", Some(self.object_tokens), self.object_tokens.width()),
            ("training.ce_features", self.ce_features, self.ce_features.map_or(0, |r| r.width())),
        ];
        for (name, rows, width) in rows {
            if let Some(rows) = rows {
                check(name, rows.data(), &[n, width])?;
            }
        }
        match self.labels.iter().position(|&label| label >= classes) {
            Some(row) => Err(ScoreError::Label { row, label: self.labels[row], classes }),
            None => Ok(()),
        }
    }
}

/// Fits every detector of `detectors` whose inputs the training set has; the others are left out, and
/// [`bind`](super::bind) will say so.
///
/// # Errors
///
/// The training set is empty, its shapes do not fit together, a value is not finite, a label is not a
/// class, or a decomposition does not converge.
pub fn fit_all(
    detectors: &[&dyn Detector],
    training: &TrainingSet<'_>,
) -> Result<Statistics, ScoreError> {
    training.validate()?;
    let mut statistics = Statistics::default();
    for detector in detectors {
        if detector.info().needs.iter().all(|&input| training.offers(input)) {
            detector.fit(training, &mut statistics)?;
        }
    }
    Ok(statistics)
}
