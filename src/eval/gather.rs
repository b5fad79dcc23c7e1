//! From tagged images to scores: every detector and every τ in one pass over a set.

use super::scores::{
    Column, DetectorFacts, Features, ModelFacts, ScoreTable, ScoredImage, SetScores,
};
use crate::bundle::manifest::Recipe;
use crate::fit::lambda::{TPR, lambda_at};
use crate::pipeline::{
    self, FeatureChoice, Image, ImageFeature, OdinInput, Pipeline, PipelineError, ScorePlan,
    TaggerOutput,
};
use crate::score::{Detector, Input};

/// What to compute of every image.
#[derive(Clone)]
pub struct Plan {
    /// The paper's text or the released code.
    pub recipe: Recipe,
    /// The τ of the main table.
    pub tau: f32,
    /// What becomes an image's feature in the main table.
    pub main: FeatureChoice,
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
        if self.whole_image || self.main == FeatureChoice::WholeImage {
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
        let main = plan.main.at(plan.tau);
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
        if at != self.main && wants_odin(detector) {
            return Some("the second pass is computed at the model's own τ alone".into());
        }
        self.pipeline.why_not(info.id).map(ToString::to_string)
    }

    /// Scores images of a set and adds them to it. A detector that fails gives its reason in place
    /// of its scores; the others go on.
    ///
    /// # Errors
    /// If the device fails, or a number of an image is not finite.
    pub fn add(&self, set: &mut SetScores, images: &[TaggedImage]) -> Result<(), PipelineError> {
        let detectors: Vec<Vec<usize>> =
            set.columns.iter().map(|columns| scored_places(columns)).collect();
        let column = |(features, detectors): (&Features, &Vec<usize>)| {
            let fitted = |&at: &usize| self.pipeline.detector(self.plan.detectors[at].info().id);
            pipeline::Column {
                features: *features,
                detectors: detectors.iter().filter_map(fitted).collect(),
            }
        };
        let plan = ScorePlan {
            recipe: self.plan.recipe,
            odin: self.plan.odin,
            columns: self.features.iter().zip(&detectors).map(column).collect(),
        };
        let given: Vec<Image> = images
            .iter()
            .map(|seen| Image { tagged: &seen.tagged, pixels: seen.pixels.as_deref() })
            .collect();
        let scored = self
            .pipeline
            .score(&given, &plan)
            .map_err(|error| error.naming(|at| Some(images.get(at)?.image.path.clone())))?;
        for (at, scored) in scored.into_iter().enumerate() {
            if at == self.main {
                set.images.extend(images.iter().zip(&scored.images).map(described));
            }
            for (&detector, scores) in detectors[at].iter().zip(scored.scores) {
                set.columns[at][detector].extend(scores);
            }
        }
        Ok(())
    }

    /// The sets as one table.
    pub fn table(&self, id: SetScores, ood: Vec<SetScores>) -> ScoreTable {
        let manifest = self.pipeline.manifest();
        let facts = |(at, detector): (usize, &&dyn Detector)| {
            let info = detector.info();
            let own = manifest.lambda(info.id, self.plan.recipe).map(|lambda| lambda.value);
            let column = id.columns.get(self.main).and_then(|columns| columns.get(at));
            let of_set = || Some(lambda_at_set(column?.scores()?)?.0);
            let lambda = own.or_else(of_set);
            DetectorFacts {
                id: info.id.to_owned(),
                name: info.name.to_owned(),
                formula: info.formula.to_owned(),
                lambda,
                lambda_of_set: own.is_none() && lambda.is_some(),
            }
        };
        let classes = &self.pipeline.vocabulary().classes;
        ScoreTable {
            model: ModelFacts {
                name: manifest.name.clone(),
                recipe: self.plan.recipe,
                tau: self.plan.tau,
                classes: classes.iter().map(|class| class.name.clone()).collect(),
                tags: self.pipeline.vocabulary().tags.len(),
                odin: self.plan.odin,
                arch: manifest.arch,
                detector: self.pipeline.settings_of(self.plan.recipe).detector,
            },
            features: self.features.clone(),
            main: self.main,
            detectors: self.plan.detectors.iter().enumerate().map(facts).collect(),
            id,
            ood,
        }
    }
}

fn wants_odin(detector: &dyn Detector) -> bool {
    detector.info().needs.contains(&Input::OdinLogits)
}

/// The places of the detectors that have scores so far.
fn scored_places(columns: &[Column]) -> Vec<usize> {
    let is_scored = |at: &usize| columns[*at].scores().is_some();
    (0..columns.len()).filter(is_scored).collect()
}

/// The λ of a set's scores; `None` stands for an image that is rejected.
fn lambda_at_set(scores: &[Option<f32>]) -> Option<(f32, f32)> {
    let values: Vec<f32> = scores.iter().copied().flatten().collect();
    lambda_at(&values, scores.len() - values.len(), TPR)
}

/// What is known of an image at the model's own τ.
fn described((seen, feature): (&TaggedImage, &ImageFeature)) -> ScoredImage {
    let logits = feature.inputs.as_ref().map(|inputs| inputs.projected.class_logits.as_slice());
    ScoredImage {
        predicted: logits.and_then(largest),
        rejected: feature.rejected,
        ..seen.image.clone()
    }
}

fn largest(logits: &[f32]) -> Option<usize> {
    let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.map(|(class, _)| class)
}
