//! Decision thresholds from held-out in-distribution images.

use super::error::FitError;
use crate::bundle::manifest::{FeatureChoice, Lambda, Recipe};
use crate::pipeline::{Column, Image, OdinInput, Pipeline, ScorePlan, TaggerOutput};
use crate::score::verdict::Score;
use crate::score::{FittedDetector, ScoreError};

/// The share of in-distribution images that λ keeps, where nobody says another.
pub const TPR: f64 = 0.95;

/// Images that are scored together.
const BATCH: usize = 64;

/// The λ that keeps a share `tpr` (0..1) of in-distribution images, and the share it really keeps.
///
/// `rejected` images have no score: no λ is set by them, whatever metrics rank them by. Where they
/// alone are too many, λ keeps the share `tpr` of the others. `None` if there is no score.
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

/// As [`lambda_at`], of scores with the images that are rejected among them.
pub fn lambda_of(scores: impl IntoIterator<Item = Score>, tpr: f64) -> Option<(f32, f32)> {
    let (mut values, mut rejected) = (Vec::new(), 0);
    for score in scores {
        match score.value {
            Some(value) => values.push(value),
            None => rejected += 1,
        }
    }
    lambda_at(&values, rejected, tpr)
}

/// λ of each of some detectors under one recipe, at τ and a choice of what becomes the feature, from
/// held-out in-distribution images as `inspect` would look at them; ODIN moves the tokens. Detectors that need what the model does not
/// have are left out.
///
/// The pipeline has the projector and the vocabulary; the attention of the tags that count has to
/// be there.
///
/// # Errors
/// If the device fails, or a detector does.
pub fn lambdas(
    pipeline: &Pipeline,
    detectors: &[&FittedDetector],
    images: &[TaggerOutput],
    (recipe, tau, features): (Recipe, f32, FeatureChoice),
    tpr: f64,
) -> Result<Vec<Lambda>, FitError> {
    let column = Column { features: features.at(tau), detectors: detectors.to_vec() };
    let plan = ScorePlan { recipe, odin: OdinInput::Tokens, columns: vec![column] };
    let mut scores: Vec<Vec<Score>> = vec![Vec::new(); detectors.len()];
    for images in images.chunks(BATCH) {
        let images: Vec<Image> = images.iter().map(Image::from).collect();
        let scored = pipeline.score(&images, &plan)?;
        let found = scored.into_iter().flat_map(|column| column.scores);
        for (scores, found) in scores.iter_mut().zip(found) {
            match found {
                Ok(found) => scores.extend(found),
                Err(ScoreError::MissingInput { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    let lambda = |(detector, scores): (&FittedDetector, Vec<Score>)| {
        let (value, tpr) = lambda_of(scores, tpr)?;
        Some(Lambda { detector: detector.info().id.to_owned(), recipe, tau, value, tpr })
    };
    let mut lambdas: Vec<Lambda> =
        detectors.iter().copied().zip(scores).filter_map(lambda).collect();
    lambdas.sort_by(|a, b| a.detector.cmp(&b.detector));
    Ok(lambdas)
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
