use std::sync::Arc;

use crate::score::{
    Detector, Head, Info, Input, ScoreError, Scorer, Statistics, TrainingSet, blocks,
    distance::Centers,
    fitting::class_means::{self, CE_FEATURE},
};

static INFO: Info = Info {
    id: "ce-cosine",
    name: "Projector (CE) cosine",
    paper: "Li et al., TagOOD, ACM MM 2024, table 3 ((CE)+CS)",
    formula: "max_c cos(CE feature, mean CE feature of class c)",
    needs: &[Input::CeFeature],
    parameters: &[],
    range: (-1.0, 1.0),
};

/// Largest cosine between the feature of a projector trained with cross-entropy alone and the mean of
/// that over the training images of a class.
///
/// Needs that second projector, when fitting and when scoring. Classes without training images are left
/// out. A zero feature scores 0.
pub(super) struct CeCosine;

impl Detector for CeCosine {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn fit(
        &self,
        training: &TrainingSet<'_>,
        statistics: &mut Statistics,
    ) -> Result<(), ScoreError> {
        let missing = ScoreError::MissingInput { detector: INFO.id, input: Input::CeFeature };
        let rows = training.ce_features.ok_or(missing)?;
        class_means::keep(CE_FEATURE, rows, training.labels, training.classes(), statistics)
    }

    fn bind(&self, statistics: &Statistics, _: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        let means = Centers::from_means(statistics, CE_FEATURE)?;
        // the bound detector has checked that the feature is there
        blocks(move |samples| {
            let features = samples.iter().flat_map(|sample| sample.ce_feature.unwrap_or_default());
            means.largest_cosines(&features.copied().collect::<Vec<f32>>())
        })
    }
}
