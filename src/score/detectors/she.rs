use std::sync::Arc;

use crate::score::{
    Detector, Head, Info, Input, ScoreError, Scorer, Statistics, TrainingSet, each,
    fitting::class_means::class_means, logits::argmax, matrix::dot,
};

const PATTERNS: &str = "she.patterns";

static INFO: Info = Info {
    id: "she",
    name: "SHE",
    paper: "Zhang et al., Out-of-Distribution Detection based on In-Distribution Data Patterns Memorization \
            with Modern Hopfield Energy, ICLR 2023",
    formula: "feature · mean feature of the correctly classified training images of the predicted class",
    needs: &[Input::Feature, Input::ClassLogits],
    parameters: &[],
    range: (f32::NEG_INFINITY, f32::INFINITY),
};

/// Inner product of the feature with the stored pattern of the class that the classifier predicts.
///
/// The pattern is the mean feature of the class's training images that are classified correctly; if none
/// is, of all its training images; if it has none, the zero vector, so that an image predicted as that
/// class scores 0. A zero feature scores 0.
pub(super) struct She;

impl Detector for She {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn fit(
        &self,
        training: &TrainingSet<'_>,
        statistics: &mut Statistics,
    ) -> Result<(), ScoreError> {
        let (classes, width) = (training.classes(), training.features.width());
        // an extra class takes the images that are classified wrongly
        let correct: Vec<usize> = training
            .labels
            .iter()
            .zip(training.class_logits.iter())
            .map(|(&label, logits)| if argmax(logits) == label { label } else { classes })
            .collect();
        let means = class_means(training.features, training.labels, classes);
        let patterns = class_means(training.features, &correct, classes + 1);
        let patterns = patterns.into_iter().zip(means).flat_map(|(correct, all)| {
            correct.or(all).unwrap_or_else(|| vec![0.0; width]).into_iter().map(|v| v as f32)
        });
        statistics.insert(PATTERNS, &[classes, width], patterns.collect())
    }

    fn bind(
        &self,
        statistics: &Statistics,
        head: &Arc<Head>,
    ) -> Result<Box<dyn Scorer>, ScoreError> {
        let width = head.width();
        let patterns = statistics.values(PATTERNS, &[head.classes(), width])?.to_vec();
        each(move |sample| {
            let predicted = argmax(sample.class_logits);
            dot(sample.feature, &patterns[predicted * width..][..width]) as f32
        })
    }
}
