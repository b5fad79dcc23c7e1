use std::sync::Arc;

use super::shaped_energy::features;
use crate::score::{Detector, Head, Info, Input, ScoreError, Scorer, Statistics, blocks};

static INFO: Info = Info {
    id: "tagood-kl",
    name: "TagOOD (KL)",
    paper: "Li et al., TagOOD, ACM MM 2024, table 4",
    formula: "1 / min_c (KL(softmax(center_c) ‖ softmax(feature)) / D)",
    needs: &[Input::Feature],
    parameters: &[],
    range: (0.0, f32::INFINITY),
};

/// TagOOD with the Kullback-Leibler divergence: D over the smallest divergence of a learned class center
/// from the feature, both taken as distributions over the D channels by softmax.
///
/// The division by D, the mean over channels, and the direction center ‖ feature are those of the
/// released code; the paper gives neither. A feature that differs from a center by a constant at most
/// scores `f32::MAX`.
pub(super) struct TagoodKl;

impl Detector for TagoodKl {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn reads_head(&self) -> bool {
        true
    }

    fn bind(&self, _: &Statistics, head: &Arc<Head>) -> Result<Box<dyn Scorer>, ScoreError> {
        let head = Arc::clone(head);
        blocks(move |samples| {
            let divergences = head.centers().smallest_kl(&features(samples));
            divergences.into_iter().map(|kl| head.width() as f32 / kl).collect()
        })
    }
}
