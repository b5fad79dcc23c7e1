//! Scores of images under several detectors at once: decomposed and projected once for all.

use super::{Kept, Odin, Pipeline, PipelineError, TaggerOutput};
use crate::bundle::manifest::Recipe;
use crate::score::{Input, Sample, ScoreError};

impl Pipeline {
    /// Scores of tagged images at τ under each detector, `[detectors][images]`, as metrics rank
    /// them: with [`Recipe::hard_reject_score`] for what is out-of-distribution outright. Equal to what [`Pipeline::analyse_batch`]
    /// gives one detector at a time. `None` for a detector that needs what an analysis does not give.
    ///
    /// # Errors
    /// If the device fails, or a detector was not fitted.
    pub fn scores(
        &self,
        tagged: &[&TaggerOutput],
        (recipe, tau): (Recipe, f32),
        detectors: &[&str],
    ) -> Result<Vec<Option<Vec<f32>>>, PipelineError> {
        let decompositions: Vec<_> =
            tagged.iter().map(|tagged| self.decompose(tagged, tau, recipe)).collect();
        let scored: Vec<usize> = (0..tagged.len())
            .filter(|&at| !decompositions[at].tags.is_empty() && decompositions[at].kept() > 0)
            .collect();
        let kept = |&at: &usize| {
            let decomposition = &decompositions[at];
            let (mask, tag_score) = (decomposition.mask.as_slice(), decomposition.tag_score);
            Kept { tagged: tagged[at], mask, tag_score }
        };
        let kept: Vec<Kept> = scored.iter().map(kept).collect();
        let bound = detectors.iter().map(|id| self.bound(id));
        let bound: Vec<&crate::score::FittedDetector> = bound.collect::<Result<_, _>>()?;
        let odin = bound.iter().any(|bound| bound.info().needs.contains(&Input::OdinLogits));
        let odin = if odin { Odin::Tokens } else { Odin::None };
        let ce = detectors.iter().any(|id| self.reads_ce(id));
        let inputs = self.inputs(&kept, odin, ce)?;
        let samples: Vec<Sample> = inputs.iter().map(|inputs| inputs.sample()).collect();
        let score = |detector: &&crate::score::FittedDetector| match detector.score_batch(&samples)
        {
            Ok(found) => {
                let hard_rejected = recipe.hard_reject_score(detector.info().id);
                let mut scores = vec![hard_rejected; tagged.len()];
                for (&at, score) in scored.iter().zip(found) {
                    scores[at] = score;
                }
                Ok(Some(scores))
            }
            Err(ScoreError::MissingInput { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        };
        bound.iter().map(score).collect()
    }
}
