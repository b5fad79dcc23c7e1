//! What follows τ: map, mask, object tokens, feature, score, verdict.

use super::project::Projected;
use super::{
    Column, Features, Image, ImageFeature, OdinInput, Pipeline, PipelineError, ScorePlan,
    TaggerOutput,
};
use crate::bundle::manifest::Recipe;
use crate::decompose::{self, Fallback};
use crate::score::distance::class_scores;
use crate::score::verdict::{Reason, Rejection, Score, Verdict};

/// What a person can turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Relevance above which a token is kept, 0 to 1.
    pub tau: f32,
    /// The paper's text or the released code.
    pub recipe: Recipe,
    /// The detector's name.
    pub detector: String,
    /// A decision threshold in place of the bundle's.
    pub lambda: Option<f32>,
}

impl Settings {
    /// A recipe with its own detector and the bundle's λ.
    pub fn new(tau: f32, recipe: Recipe) -> Self {
        Self { tau, recipe, detector: recipe.detector().to_owned(), lambda: None }
    }
}

/// The tags that count for an image, and what they cover at τ.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decomposition {
    /// In-distribution tags that count, ascending.
    pub tags: Vec<usize>,
    /// The best probability among them, 0 if none counts.
    pub tag_score: f32,
    /// Union of their relevance, `[positions]` in 0..1.
    pub map: Vec<f32>,
    /// Positions above τ, `[positions]`.
    pub mask: Vec<bool>,
}

impl Decomposition {
    /// How many tokens are kept.
    pub fn kept(&self) -> usize {
        self.mask.iter().filter(|&&keep| keep).count()
    }
}

/// A class with its similarity to the feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest {
    /// The class's index.
    pub class: usize,
    /// Cosine to its center: over all channels under the paper's recipe, the mean of the patterns'
    /// under the released one.
    pub similarity: f32,
}

/// One image at one setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Analysis {
    /// Tags, map and mask.
    pub decomposition: Decomposition,
    /// Feature and class logits; `None` without a projector, or where the image is rejected.
    pub projected: Option<Projected>,
    /// The nearest class centers, best first; none where the image is rejected.
    pub nearest: Vec<Nearest>,
    /// Under the released recipe, the cosines of the feature's patterns with the nearest center;
    /// their mean is its similarity. Empty otherwise.
    pub patterns: Vec<f32>,
    /// Score, decision, reason.
    pub verdict: Verdict,
    /// Time of decomposition, projection and scoring, in milliseconds.
    pub stage_ms: [f32; 3],
}

/// How many of the nearest centers an [`Analysis`] lists.
const NEAREST: usize = 8;

impl Pipeline {
    /// Chooses the tags that count and keeps the tokens above τ.
    pub fn decompose(&self, tagged: &TaggerOutput, tau: f32, recipe: Recipe) -> Decomposition {
        let probabilities = tagged.probabilities();
        let fallback = match recipe {
            Recipe::Paper => Fallback::Never,
            Recipe::Released => Fallback::Untagged,
        };
        let vocabulary = self.vocabulary();
        let (thresholds, id_tags) = (&vocabulary.thresholds, vocabulary.id_tags());
        let tags = decompose::select_tags(&probabilities, thresholds, id_tags, fallback);
        let layer = self.layer(recipe);
        let maps: Vec<Vec<f32>> =
            tags.iter().filter_map(|&tag| tagged.attention.relevance(tag, layer)).collect();
        let map = decompose::union(maps.iter().map(Vec::as_slice), tagged.positions());
        let tag_score = tags.iter().map(|&tag| probabilities[tag]).fold(0.0, f32::max);
        Decomposition { mask: decompose::mask(&map, tau), map, tags, tag_score }
    }

    /// Analyses one tagged image at one setting.
    ///
    /// # Errors
    /// If the device fails, or the detector is unknown or lacks an input.
    pub fn analyse(
        &self,
        tagged: &TaggerOutput,
        settings: &Settings,
    ) -> Result<Analysis, PipelineError> {
        let mut analyses = self.analyse_batch(&[tagged], settings)?;
        analyses.pop().ok_or_else(|| PipelineError::Device("no result came back".into()))
    }

    /// Analyses several tagged images at one setting; the projector runs once for all of them.
    ///
    /// # Errors
    /// As [`Pipeline::analyse`].
    pub fn analyse_batch(
        &self,
        tagged: &[&TaggerOutput],
        settings: &Settings,
    ) -> Result<Vec<Analysis>, PipelineError> {
        let detectors = match self.head() {
            Some(_) => vec![self.fitted(&settings.detector)?],
            None => Vec::new(),
        };
        let column = Column { features: Features::Objects { tau: settings.tau }, detectors };
        let recipe = settings.recipe;
        let plan = ScorePlan { recipe, odin: OdinInput::Tokens, columns: vec![column] };
        let images: Vec<Image> = tagged.iter().map(|&tagged| Image::from(tagged)).collect();
        let mut analyses = Vec::with_capacity(tagged.len());
        for column in self.score(&images, &plan)? {
            let stage_ms = column.stage_ms;
            let mut scores = column.scores.into_iter().next().transpose()?.unwrap_or_default();
            scores.reverse();
            for (image, tagged) in column.images.into_iter().zip(tagged) {
                analyses.push(self.analysis(image, tagged, scores.pop(), settings, stage_ms));
            }
        }
        Ok(analyses)
    }

    fn analysis(
        &self,
        image: ImageFeature,
        tagged: &TaggerOutput,
        score: Option<Score>,
        settings: &Settings,
        stage_ms: [f32; 3],
    ) -> Analysis {
        let ImageFeature { decomposition, inputs, .. } = image;
        let projected = inputs.map(|inputs| inputs.projected);
        let nearest = self.nearest(projected.as_ref(), settings.recipe);
        let patterns = self.patterns(projected.as_ref(), &nearest, settings.recipe);
        let verdict = match score {
            Some(score) => self.verdict(tagged, &decomposition, score, &nearest, settings),
            None => Verdict::without_projector(),
        };
        Analysis { decomposition, projected, nearest, patterns, verdict, stage_ms }
    }

    /// λ in force: the settings', or the bundle's own.
    pub fn lambda(&self, settings: &Settings) -> Option<f32> {
        let own = || self.manifest().lambda(&settings.detector, settings.recipe);
        settings.lambda.or_else(|| own().map(|lambda| lambda.value))
    }

    fn verdict(
        &self,
        tagged: &TaggerOutput,
        decomposition: &Decomposition,
        score: Score,
        nearest: &[Nearest],
        settings: &Settings,
    ) -> Verdict {
        let lambda = self.lambda(settings);
        let rejected = |rejection: Rejection| {
            let reason = match rejection {
                Rejection::NoKnownTag => Reason::NoIdTag { best: self.best_id_tag(tagged) },
                Rejection::NothingKept => Reason::NothingKept { tau: settings.tau },
            };
            Verdict::rejected(rejection, score.ranked, lambda, reason)
        };
        score.rejected.map(rejected).unwrap_or_else(|| {
            let vocabulary = self.vocabulary();
            let tags = decomposition.tags.iter().map(|&tag| vocabulary.tags[tag].clone());
            let nearest = nearest.first().map(|near| vocabulary.class_name(near.class));
            Verdict::by_threshold(score.ranked, lambda, tags.collect(), nearest)
        })
    }

    /// The class centers nearest to a feature, best first.
    pub fn nearest(&self, projected: Option<&Projected>, recipe: Recipe) -> Vec<Nearest> {
        let (Some(head), Some(projected)) = (self.head(), projected) else { return Vec::new() };
        let Ok(scores) = class_scores(&projected.feature, head.centers()) else {
            return Vec::new();
        };
        let similarities = match recipe {
            Recipe::Paper => scores.cosine,
            Recipe::Released => scores.cosine_pattern,
        };
        let mut nearest: Vec<Nearest> = similarities
            .into_iter()
            .enumerate()
            .map(|(class, similarity)| Nearest { class, similarity })
            .collect();
        nearest.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.class.cmp(&b.class)));
        nearest.truncate(NEAREST);
        nearest
    }

    fn patterns(
        &self,
        projected: Option<&Projected>,
        nearest: &[Nearest],
        recipe: Recipe,
    ) -> Vec<f32> {
        let (Recipe::Released, Some(head), Some(projected), [nearest, ..]) =
            (recipe, self.head(), projected, nearest)
        else {
            return Vec::new();
        };
        head.centers().pattern_cosines(&projected.feature, nearest.class).unwrap_or_default()
    }

    fn best_id_tag(&self, tagged: &TaggerOutput) -> Option<(String, f32, f32)> {
        let vocabulary = self.vocabulary();
        let logits = &tagged.logits;
        let by_logit = |a: &&usize, b: &&usize| logits[**a].total_cmp(&logits[**b]);
        let &best = vocabulary.id_tags().iter().max_by(by_logit)?;
        let probability = decompose::sigmoid(logits[best]);
        Some((vocabulary.tags[best].clone(), probability, vocabulary.thresholds[best]))
    }
}
