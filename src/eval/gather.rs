//! From tagged images to scores: every detector and every τ in one pass over a set.

use super::scores::{
    Column, DetectorFacts, Features, ModelFacts, ScoreTable, ScoredImage, SetScores,
};
use crate::bundle::manifest::Recipe;
use crate::decompose;
use crate::pipeline::{Inputs, Kept, Odin, OdinInput, Pipeline, PipelineError, TaggerOutput};
use crate::score::{Detector, FittedDetector, Input, Sample};

/// What to compute of every image.
#[derive(Clone)]
pub struct Plan {
    /// The paper's text or the released code.
    pub recipe: Recipe,
    /// The τ of the main table.
    pub tau: f32,
    /// Further τ.
    pub taus: Vec<f32>,
    /// Whether the whole image is scored, too.
    pub whole_image: bool,
    /// The detectors.
    pub detectors: Vec<&'static dyn Detector>,
    /// What ODIN moves.
    pub odin: OdinInput,
}

impl Plan {
    /// The main τ and the others, ascending, then the whole image.
    fn features(&self) -> Vec<Features> {
        let mut taus = self.taus.clone();
        taus.push(self.tau);
        taus.sort_by(f32::total_cmp);
        taus.dedup();
        let mut features: Vec<Features> =
            taus.into_iter().map(|tau| Features::Objects { tau }).collect();
        if self.whole_image {
            features.push(Features::WholeImage);
        }
        features
    }
}

/// An image that was tagged. The attention of the tags that count has to be there.
#[derive(Clone, Debug)]
pub struct TaggedImage {
    /// Path, hash and class; the rest is filled in.
    pub image: ScoredImage,
    /// What the tagger made of it.
    pub tagged: TaggerOutput,
    /// The network's input `[3, S, S]`, if ODIN moves images.
    pub pixels: Option<Vec<f32>>,
}

/// Scores images set by set.
pub struct SetScorer<'a> {
    pipeline: &'a Pipeline,
    plan: Plan,
    features: Vec<Features>,
    main: usize,
}

impl<'a> SetScorer<'a> {
    /// With a model that has a projector; without one, every column will be missing.
    pub fn new(pipeline: &'a Pipeline, plan: Plan) -> Self {
        let features = plan.features();
        let main = Features::Objects { tau: plan.tau };
        let main = features.iter().position(|f| *f == main).unwrap_or_default();
        Self { pipeline, plan, features, main }
    }

    /// A set without images yet.
    pub fn begin(&self, name: &str) -> SetScores {
        let column = |at: usize, detector: &&dyn Detector| match self.missing(at, *detector) {
            Some(reason) => Column::Missing(reason),
            None => Column::Scores(Vec::new()),
        };
        let columns = (0..self.features.len())
            .map(|at| self.plan.detectors.iter().map(|d| column(at, d)).collect())
            .collect();
        SetScores { name: name.to_owned(), columns, ..SetScores::default() }
    }

    fn missing(&self, at: usize, detector: &dyn Detector) -> Option<String> {
        let info = detector.info();
        if self.pipeline.head().is_none() {
            return Some("the model has no projector; make one with `fit`".into());
        }
        if at != self.main && wants_odin(detector) {
            return Some("the second pass is computed at the model's own τ alone".into());
        }
        self.pipeline.why_not(info.id).map(ToString::to_string)
    }

    /// Scores images of a set and adds them to it. A detector that fails gives its reason in place
    /// of its scores; the others go on.
    ///
    /// # Errors
    /// If the device fails.
    pub fn add(&self, set: &mut SetScores, images: &[TaggedImage]) -> Result<(), PipelineError> {
        let recipe = self.plan.recipe;
        let decomposed: Vec<_> = images
            .iter()
            .map(|seen| self.pipeline.decompose(&seen.tagged, self.plan.tau, recipe))
            .collect();
        let first = set.images.len();
        set.images.extend(images.iter().zip(&decomposed).map(|(seen, decomposition)| {
            ScoredImage { has_id_tag: !decomposition.tags.is_empty(), ..seen.image.clone() }
        }));
        for (at, features) in self.features.iter().enumerate() {
            let masks: Vec<Vec<bool>> = decomposed
                .iter()
                .map(|d| match features {
                    Features::Objects { tau } => decompose::mask(&d.map, *tau),
                    Features::WholeImage => vec![true; d.map.len()],
                })
                .collect();
            let places: Vec<usize> =
                (0..images.len()).filter(|&i| masks[i].contains(&true)).collect();
            let kept: Vec<Kept> = places
                .iter()
                .map(|&i| {
                    let tag_score = decomposed[i].tag_score;
                    Kept { tagged: &images[i].tagged, mask: &masks[i], tag_score }
                })
                .collect();
            let inputs = self.inputs(at, &kept, &places, images)?;
            if at == self.main {
                for (&place, inputs) in places.iter().zip(&inputs) {
                    set.images[first + place].predicted = largest(&inputs.projected.class_logits);
                }
            }
            self.fill(&mut set.columns[at], &inputs, &places, images.len());
        }
        Ok(())
    }

    fn inputs(
        &self,
        at: usize,
        kept: &[Kept],
        places: &[usize],
        images: &[TaggedImage],
    ) -> Result<Vec<Inputs>, PipelineError> {
        if at != self.main || !self.plan.detectors.iter().any(|detector| wants_odin(*detector)) {
            return self.pipeline.inputs(kept, Odin::None, true);
        }
        let pixels: Option<Vec<Vec<f32>>> = match self.plan.odin {
            OdinInput::Tokens => None,
            OdinInput::Image => places.iter().map(|&i| images[i].pixels.clone()).collect(),
        };
        match &pixels {
            Some(pixels) => self.pipeline.inputs(kept, Odin::Images(pixels), true),
            None => self.pipeline.inputs(kept, Odin::Tokens, true),
        }
    }

    /// Adds the scores of images, `places` of which have inputs, to every detector's column.
    fn fill(&self, columns: &mut [Column], inputs: &[Inputs], places: &[usize], images: usize) {
        let samples: Vec<Sample> = inputs.iter().map(Inputs::sample).collect();
        for (detector, column) in self.plan.detectors.iter().zip(columns) {
            let id = detector.info().id;
            let (Column::Scores(scores), Some(bound)) = (&mut *column, self.bound(id)) else {
                continue;
            };
            match bound.score_batch(&samples) {
                Ok(found) => {
                    let first = scores.len();
                    scores.resize(first + images, self.hard_rejected(id));
                    for (&place, score) in places.iter().zip(found) {
                        scores[first + place] = Some(score);
                    }
                }
                Err(error) => *column = Column::Missing(error.to_string()),
            }
        }
    }

    fn bound(&self, id: &str) -> Option<&FittedDetector> {
        self.pipeline.detector(id)
    }

    /// The score of an image that is out-of-distribution outright; `None` below any score.
    fn hard_rejected(&self, detector: &str) -> Option<f32> {
        Some(self.plan.recipe.hard_reject_score(detector)).filter(|score| score.is_finite())
    }

    /// The sets as one table.
    pub fn table(&self, id: SetScores, ood: Vec<SetScores>) -> ScoreTable {
        let manifest = self.pipeline.manifest();
        let facts = |detector: &&dyn Detector| {
            let info = detector.info();
            DetectorFacts {
                id: info.id.to_owned(),
                name: info.name.to_owned(),
                formula: info.formula.to_owned(),
                lambda: manifest.lambda(info.id, self.plan.recipe).map(|lambda| lambda.value),
            }
        };
        let classes = &self.pipeline.vocabulary().classes;
        ScoreTable {
            model: ModelFacts {
                name: manifest.name.clone(),
                recipe: self.plan.recipe,
                tau: self.plan.tau,
                classes: classes.iter().map(|class| class.name.clone()).collect(),
                tags: manifest.tagger.tags,
                odin: self.plan.odin,
            },
            features: self.features.clone(),
            main: self.main,
            detectors: self.plan.detectors.iter().map(facts).collect(),
            id,
            ood,
        }
    }
}

fn wants_odin(detector: &dyn Detector) -> bool {
    detector.info().needs.contains(&Input::OdinLogits)
}

fn largest(logits: &[f32]) -> Option<usize> {
    let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map(|(class, _)| class)
}
