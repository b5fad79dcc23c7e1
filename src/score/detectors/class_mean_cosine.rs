use std::sync::Arc;

use crate::score::{
    Detector, Head, Info, Input, ScoreError, Scorer, Statistics, TrainingSet, blocks,
    distance::Centers,
    fitting::class_means::{self, OBJECT_TOKEN},
};

static INFO: Info = Info {
    id: "class-mean-cosine",
    name: "Class-mean cosine",
    paper: "Li et al., TagOOD, ACM MM 2024, table 3 (CS without projector)",
    formula: "max_c cos(object token, mean object token of class c)",
    needs: &[Input::ObjectToken],
    parameters: &[],
    range: (-1.0, 1.0),
};

/// Largest cosine between the mean of the image's object tokens, not projected, and the mean of that
/// over the training images of a class.
///
/// Classes without training images are left out. A zero token scores 0.
pub(super) struct ClassMeanCosine;

impl Detector for ClassMeanCosine {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn fit(
        &self,
        training: &TrainingSet<'_>,
        statistics: &mut Statistics,
    ) -> Result<(), ScoreError> {
        let (rows, classes) = (training.object_tokens, training.classes());
        class_means::keep(OBJECT_TOKEN, rows, training.labels, classes, statistics)
    }

    fn bind(&self, statistics: &Statistics, _: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        let means = Centers::from_means(statistics, OBJECT_TOKEN)?;
        blocks(move |samples| {
            let tokens = samples.iter().flat_map(|sample| sample.object_token);
            means.largest_cosines(&tokens.copied().collect::<Vec<f32>>())
        })
    }
}
