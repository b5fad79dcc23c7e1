use std::sync::Arc;

use super::shaped_energy::features;
use crate::score::{Detector, Head, Info, Input, ScoreError, Scorer, Statistics, blocks};

static INFO: Info = Info {
    id: "tagood-released",
    name: "TagOOD (released code)",
    paper: "Li et al., TagOOD, ACM MM 2024: the authors' released inference script",
    formula: "tag score · max_c mean_g cos(feature_g, center_cg)",
    needs: &[Input::Feature, Input::TagScore],
    parameters: &[],
    range: (-1.0, 1.0),
};

/// TagOOD as the released script computes it: each of the G channel groups ("patterns") is compared on
/// its own, the mean of the G cosines is taken, and the largest over the classes is multiplied by the
/// best tag probability.
///
/// G is that of the centers, 4 in the released ones. A negative cosine gives a negative score, so that
/// a low tag score then *raises* it, as in the script.
pub(super) struct TagoodReleased;

impl Detector for TagoodReleased {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn reads_head(&self) -> bool {
        true
    }

    fn bind(&self, _: &Statistics, head: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        let head = Arc::clone(head);
        blocks(move |samples| {
            let cosines = head.centers().largest_pattern_cosines(&features(samples));
            cosines.into_iter().zip(samples).map(|(c, sample)| c * sample.tag_score).collect()
        })
    }
}
