//! From tagged images to scores: the one way, whoever asks.
//!
//! ```text
//! TaggerOutput ─ decompose ─▶ tags, map ─ keep at τ ─▶ tokens, or a rejection
//!     ─ project ─▶ feature, class logits ─ detector ─▶ Score ─ λ ─▶ verdict
//! ```
//!
//! The live view, background scoring, λ, `inspect`, `evaluate` and `fit` all call [`Pipeline::score`],
//! so that one image at one setting has one score, whichever images came with it: on the CPU to the
//! last bit; on a GPU, whose products depend on the size of the batch, to a relative 1e-5.

use std::time::Instant;

use super::features::{Extras, Features, Image, ImageFeature};
use super::{OdinInput, Pipeline, PipelineError, TaggerOutput};
use crate::bundle::manifest::Recipe;
use crate::score::verdict::Score;
use crate::score::{FittedDetector, Input, Sample, ScoreError};

/// One choice of tokens, and the detectors that score what becomes of them.
#[derive(Clone)]
pub struct Column<'a> {
    /// Which tokens become the feature.
    pub features: Features,
    /// What scores these features, bound to the model's head and statistics.
    pub detectors: Vec<&'a FittedDetector>,
}

/// How images are scored.
#[derive(Clone)]
pub struct ScorePlan<'a> {
    /// The paper's text or the released code.
    pub recipe: Recipe,
    /// What ODIN moves; tokens, for an image without pixels.
    pub odin: OdinInput,
    /// Choices of tokens with their detectors.
    pub columns: Vec<Column<'a>>,
}

/// What one [`Column`] comes to.
#[derive(Debug)]
pub struct ScoredColumn {
    /// The images with their features, in order.
    pub images: Vec<ImageFeature>,
    /// Every image's score under each detector, `[detectors][images]`, or why a detector has none.
    pub scores: Vec<Result<Vec<Score>, ScoreError>>,
    /// Time of keeping tokens, of projection and of scoring, in milliseconds an image.
    pub stage_ms: [f32; 3],
}

impl Pipeline {
    /// Scores images by every column of a plan; decomposed once for all of them.
    ///
    /// A detector that fails gives its reason in place of its scores; the others go on.
    ///
    /// # Errors
    /// If the device fails, or a logit, token or feature is not finite.
    pub fn score(
        &self,
        images: &[Image<'_>],
        plan: &ScorePlan<'_>,
    ) -> Result<Vec<ScoredColumn>, PipelineError> {
        let started = Instant::now();
        let decomposed = self.decompose_all(images, plan.recipe)?;
        let share = |from: Instant| from.elapsed().as_secs_f32() * 1e3 / images.len().max(1) as f32;
        let decompose_ms = share(started);
        let column = |column: &Column| {
            let reads = |input: Input| {
                column.detectors.iter().any(|detector| detector.info().needs.contains(&input))
            };
            let extras = Extras {
                ce: reads(Input::CeFeature),
                odin: reads(Input::OdinLogits).then_some(plan.odin),
                local: reads(Input::LocalCosines) || reads(Input::PromptedLocalCosines),
            };
            let started = Instant::now();
            let images = self.features(images, &decomposed, column.features, extras)?;
            let project_ms = share(started);
            let started = Instant::now();
            let score = |detector: &&FittedDetector| scores(&images, detector, plan.recipe);
            let scores = column.detectors.iter().map(score).collect();
            let stage_ms = [decompose_ms, project_ms, share(started)];
            Ok(ScoredColumn { images, scores, stage_ms })
        };
        plan.columns.iter().map(column).collect()
    }

    /// Scores of tagged images with features of a kind under named detectors, `[detectors][images]`; `None` for a detector
    /// that needs what this model does not have.
    ///
    /// # Errors
    /// As [`Pipeline::score`], or if a detector was not fitted or fails.
    pub fn scores(
        &self,
        tagged: &[&TaggerOutput],
        (recipe, features): (Recipe, Features),
        detectors: &[&str],
    ) -> Result<Vec<Option<Vec<Score>>>, PipelineError> {
        let detectors = detectors.iter().map(|id| self.fitted(id)).collect::<Result<_, _>>()?;
        let column = Column { features, detectors };
        let plan = ScorePlan { recipe, odin: OdinInput::Tokens, columns: vec![column] };
        let images: Vec<Image> = tagged.iter().map(|&tagged| Image::from(tagged)).collect();
        let scored = self.score(&images, &plan)?;
        let scores = scored.into_iter().flat_map(|column| column.scores);
        let there = |scores: Result<Vec<Score>, ScoreError>| match scores {
            Ok(scores) => Ok(Some(scores)),
            Err(ScoreError::MissingInput { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        };
        scores.map(there).collect()
    }

    /// A detector by name.
    ///
    /// # Errors
    /// If there is none of this name, the model lacks what it reads, or was not fitted with it.
    pub(super) fn fitted(&self, detector: &str) -> Result<&FittedDetector, PipelineError> {
        match self.detector(detector) {
            Some(fitted) => Ok(fitted),
            // An unknown name is one error, a detector that was not fitted another.
            None => {
                crate::score::by_name(detector)?;
                Err(match self.why_not(detector) {
                    // No fitting would bring it.
                    Some(&ScoreError::MissingInput { detector, input }) => {
                        ScoreError::MissingInput { detector, input }.into()
                    }
                    _ => PipelineError::NotFitted(detector.to_owned()),
                })
            }
        }
    }
}

/// Scores under one detector; a rejected image has none.
fn scores(
    images: &[ImageFeature],
    detector: &FittedDetector,
    recipe: Recipe,
) -> Result<Vec<Score>, ScoreError> {
    let scored = images.iter().filter_map(|image| image.inputs.as_ref());
    let samples: Vec<Sample> = scored.map(|inputs| inputs.sample()).collect();
    let mut found = detector.score_batch(&samples)?.into_iter();
    let id = detector.info().id;
    let score = |image: &ImageFeature| match (&image.inputs, image.rejected) {
        (_, Some(rejection)) => Some(Score::rejected(rejection, recipe.hard_reject_score(id))),
        (Some(_), None) => found.next().map(Score::of),
        (None, None) => None,
    };
    let missing = || ScoreError::MissingInput { detector: id, input: Input::Feature };
    images.iter().map(score).collect::<Option<_>>().ok_or_else(missing)
}
