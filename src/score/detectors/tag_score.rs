use std::sync::Arc;

use crate::score::{Detector, Head, Info, Input, ScoreError, Scorer, Statistics, each};

static INFO: Info = Info {
    id: "tag-score",
    name: "Tag score",
    paper: "Li et al., TagOOD, ACM MM 2024, table 3 (first row)",
    formula: "max over the in-distribution tags that count of P(tag)",
    needs: &[Input::TagScore],
    parameters: &[],
    range: (0.0, 1.0),
};

/// The tagger's own confidence: the best probability among the in-distribution tags that count.
///
/// Reads no feature and is not fitted; the baseline of the paper's ablation.
pub(super) struct TagScore;

impl Detector for TagScore {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn bind(&self, _: &Statistics, _: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        each(|sample| sample.tag_score)
    }
}
