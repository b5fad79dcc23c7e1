//! Scores of open images at other settings than those on show, made while there is nothing else to
//! do.

use std::time::Instant;

use super::message::{Event, ImageId};
use super::work::Work;
use crate::bundle::manifest::Recipe;
use crate::pipeline::{Features, TaggerOutput};
use crate::score::verdict::Score;

/// What to score. A newer survey takes the place of an older one.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Answers carry it.
    pub ticket: u64,
    /// What becomes an image's feature.
    pub features: Features,
    /// Recipe.
    pub recipe: Recipe,
    /// The detectors' ids.
    pub detectors: Vec<&'static str>,
    /// The images, in the order in which they are scored.
    pub images: Vec<ImageId>,
}

/// Some images' scores.
#[derive(Debug)]
pub struct Surveyed {
    /// The survey.
    pub ticket: u64,
    /// The images of this answer.
    pub images: Vec<ImageId>,
    /// Their scores under each detector, `[detectors][images]`; `None` for a detector that needs
    /// what the model does not have.
    pub scores: Vec<Option<Vec<Score>>>,
    /// How many of the survey's images are done, those without a result included.
    pub done: usize,
}

/// A survey and how far it is.
pub(super) struct SurveyInWork {
    survey: Survey,
    done: usize,
}

impl From<Survey> for SurveyInWork {
    fn from(survey: Survey) -> Self {
        Self { survey, done: 0 }
    }
}

impl Work {
    /// Scores the next few images of the survey.
    pub(super) fn survey_on(&mut self) {
        let (Some(pipeline), Some(SurveyInWork { survey, done })) =
            (&self.pipeline, self.survey.take())
        else {
            return;
        };
        let until = (done + self.scoring.count()).min(survey.images.len());
        let (images, tagged): (Vec<ImageId>, Vec<TaggerOutput>) = survey.images[done..until]
            .iter()
            .filter_map(|&image| Some((image, self.recall(image)?)))
            .unzip();
        let tagged: Vec<&TaggerOutput> = tagged.iter().collect();
        let (ticket, at) = (survey.ticket, (survey.recipe, survey.features));
        let started = Instant::now();
        match pipeline.scores(&tagged, at, &survey.detectors) {
            Ok(scores) => {
                self.scoring.measured(until - done, started.elapsed());
                if until < survey.images.len() {
                    self.survey = Some(SurveyInWork { survey, done: until });
                }
                let surveyed = Surveyed { ticket, images, scores, done: until };
                self.outbox.send(Event::Surveyed(surveyed));
            }
            Err(error) => {
                let error = error.to_string();
                self.outbox.send(Event::SurveyFailed { ticket, error });
            }
        }
    }
}
