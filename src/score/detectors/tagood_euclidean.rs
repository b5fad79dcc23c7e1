use std::sync::Arc;

use super::shaped_energy::features;
use crate::score::{Detector, Head, Info, Input, ScoreError, Scorer, Statistics, blocks};

static INFO: Info = Info {
    id: "tagood-euclidean",
    name: "TagOOD (Euclidean)",
    paper: "Li et al., TagOOD, ACM MM 2024, table 4",
    formula: "1 / min_c ‖feature − center_c‖₂",
    needs: &[Input::Feature],
    parameters: &[],
    range: (0.0, f32::INFINITY),
};

/// TagOOD with the Euclidean distance: one over the distance to the nearest learned class center.
///
/// A feature that is a center scores `f32::MAX`.
pub(super) struct TagoodEuclidean;

impl Detector for TagoodEuclidean {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn reads_head(&self) -> bool {
        true
    }

    fn bind(&self, _: &Statistics, head: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        let head = Arc::clone(head);
        blocks(move |samples| {
            let distances = head.centers().smallest_distances(&features(samples));
            distances.into_iter().map(|distance| 1.0 / distance).collect()
        })
    }
}
