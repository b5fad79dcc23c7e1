use std::sync::Arc;

use super::shaped_energy::features;
use crate::score::{Detector, Head, Info, Input, ScoreError, Scorer, Statistics, blocks};

static INFO: Info = Info {
    id: "tagood-cosine",
    name: "TagOOD (cosine)",
    paper: "Li et al., TagOOD: A Novel Approach to Out-of-Distribution Detection via Vision-Language \
            Representations and Class Center Learning, ACM MM 2024, equation 6",
    formula: "max_c cos(feature, center_c)",
    needs: &[Input::Feature],
    parameters: &[],
    range: (-1.0, 1.0),
};

/// TagOOD as the paper has it: the largest cosine between the feature and a learned class center, over
/// all D channels.
///
/// A zero feature scores 0. Nothing is fitted here; the centers come with the projector.
pub(super) struct TagoodCosine;

impl Detector for TagoodCosine {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn reads_head(&self) -> bool {
        true
    }

    fn bind(&self, _: &Statistics, head: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        let head = Arc::clone(head);
        blocks(move |samples| head.centers().largest_cosines(&features(samples)))
    }
}
