//! Decision thresholds from held-out in-distribution images.

use std::collections::BTreeMap;

use super::error::FitError;
use crate::bundle::manifest::{Lambda, Recipe};
use crate::pipeline::{Inputs, Kept, Odin, Pipeline, TaggerOutput};
use crate::score::{FittedDetector, Input, Sample, ScoreError};

/// Images that go through the projector together.
const BATCH: usize = 64;

/// The λ that keeps a share `tpr` (0..1) of in-distribution images, and the share it really keeps.
///
/// `rejected` images have no score, as no tag counts for them: no λ can keep them. Where they alone
/// are too many, λ keeps the share `tpr` of the others. `None` if there is no score.
pub fn lambda_at(scores: &[f32], rejected: usize, tpr: f64) -> Option<(f32, f32)> {
    let mut scores = scores.to_vec();
    scores.sort_by(|a, b| b.total_cmp(a));
    let all = scores.len() + rejected;
    // Rounded down a little first: 0.95 · 20 is 19, not the 20 that its last bit makes of it.
    let needed = |images: usize| ((tpr * images as f64 - 1e-9).ceil() as usize).max(1);
    let wanted = if needed(all) <= scores.len() { needed(all) } else { needed(scores.len()) };
    let lambda = *scores.get(wanted - 1)?;
    let kept = scores.iter().filter(|&&score| score >= lambda).count();
    Some((lambda, kept as f32 / all as f32))
}

/// λ of each of some detectors under one recipe at τ, from held-out in-distribution images as
/// `inspect` would look at them; ODIN moves the tokens. Detectors that need what the model does not
/// have are left out.
///
/// The pipeline has the projector and the vocabulary; the attention of the tags that count has to
/// be there.
///
/// # Errors
/// If the device fails.
pub fn lambdas(
    pipeline: &Pipeline,
    detectors: &[FittedDetector],
    images: &[TaggerOutput],
    (recipe, tau): (Recipe, f32),
    tpr: f64,
) -> Result<Vec<Lambda>, FitError> {
    let wanted = |detector: &FittedDetector| detector.info().needs.contains(&Input::OdinLogits);
    let odin = if detectors.iter().any(wanted) { Odin::Tokens } else { Odin::None };
    let mut scores: BTreeMap<&str, Vec<f32>> = BTreeMap::new();
    let mut rejected = 0;
    for images in images.chunks(BATCH) {
        let analyses: Vec<_> =
            images.iter().map(|tagged| (tagged, pipeline.decompose(tagged, tau, recipe))).collect();
        let kept = analyses.iter().filter(|(_, decomposition)| decomposition.kept() > 0);
        let kept: Vec<Kept> = kept
            .map(|(tagged, d)| Kept { tagged, mask: &d.mask, tag_score: d.tag_score })
            .collect();
        rejected += analyses.len() - kept.len();
        let inputs = pipeline.inputs(&kept, odin, true)?;
        let samples: Vec<Sample> = inputs.iter().map(Inputs::sample).collect();
        for detector in detectors {
            match detector.score_batch(&samples) {
                Ok(found) => scores.entry(detector.info().id).or_default().extend(found),
                Err(ScoreError::MissingInput { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    let lambda = |(detector, scores): (&str, Vec<f32>)| {
        let (value, tpr) = lambda_at(&scores, rejected, tpr)?;
        Some(Lambda { detector: detector.to_owned(), recipe, tau, value, tpr })
    };
    Ok(scores.into_iter().filter_map(lambda).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambda_keeps_the_share_that_was_asked_for() {
        let scores: Vec<f32> = (1..=20).map(|score| score as f32).collect();
        assert_eq!(lambda_at(&scores, 0, 0.95), Some((2.0, 0.95)));
        assert_eq!(lambda_at(&scores, 0, 0.96), Some((1.0, 1.0)));
        assert_eq!(lambda_at(&scores, 0, 0.5), Some((11.0, 0.5)));
        // Ties are kept together.
        assert_eq!(lambda_at(&[1.0, 1.0, 1.0, 2.0], 0, 0.5), Some((1.0, 1.0)));
        // One of 21 has no score: 20 of 21 are enough for 95 %.
        assert_eq!(lambda_at(&scores, 1, 0.95), Some((1.0, 20.0 / 21.0)));
        // Half have none: 95 % of the others.
        assert_eq!(lambda_at(&scores, 20, 0.95), Some((2.0, 0.475)));
        assert_eq!(lambda_at(&[], 3, 0.95), None);
    }
}
