//! What follows τ: map, mask, object tokens, feature, score, verdict.

use super::{
    Column, Cosines, Features, Image, ImageFeature, Inputs, OdinInput, Pipeline, PipelineError,
    Projected, ScorePlan, TaggerOutput, seen,
};
use crate::bundle::manifest::{FeatureChoice, Manifest, Recipe};
use crate::decompose;
use crate::score;
use crate::score::distance::class_scores;
use crate::score::verdict::{Reason, Rejection, Score, Seen, SeenName, Verdict};

impl FeatureChoice {
    /// The tokens that this means at τ.
    pub fn at(self, tau: f32) -> Features {
        match self {
            Self::Objects => Features::Objects { tau },
            Self::WholeImage => Features::WholeImage,
        }
    }
}

/// What a person can turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Relevance above which a token is kept, 0 to 1.
    pub tau: f32,
    /// What becomes an image's feature.
    pub features: FeatureChoice,
    /// The paper's text or the released code.
    pub recipe: Recipe,
    /// The id of the detector that scores, as `--detector` takes it.
    pub detector: String,
    /// A decision threshold in place of the bundle's.
    pub lambda: Option<f32>,
}

impl Settings {
    /// A recipe with its own detector and the bundle's λ.
    pub fn new(tau: f32, recipe: Recipe) -> Self {
        let (features, detector) = (FeatureChoice::default(), recipe.detector().to_owned());
        Self { tau, features, recipe, detector, lambda: None }
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
    /// Index into the vocabulary's classes.
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
    /// Of a CLIP, the feature's cosines with the names and their no side; its patches' are left out.
    pub cosines: Option<Cosines>,
    /// The score, the decision by λ, and the reason in words.
    pub verdict: Verdict,
    /// Time of decomposition, projection and scoring, in milliseconds.
    pub stage_ms: [f32; 3],
}

/// How many of the nearest centers an [`Analysis`] lists.
const NEAREST: usize = 8;

impl Pipeline {
    /// Chooses the tags that count and keeps the tokens above τ.
    pub fn decompose(&self, tagged: &TaggerOutput, tau: f32, recipe: Recipe) -> Decomposition {
        let logits = self.network.logits(tagged);
        let probabilities = seen::probabilities(tagged.arch, &logits);
        let tags = self.network.counting(&probabilities, self.vocabulary(), recipe);
        let layer = self.layer(recipe);
        let relevance = |&tag: &usize| self.network.relevance(tagged, tag, layer);
        let maps: Vec<Vec<f32>> = tags.iter().filter_map(relevance).collect();
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
        let detectors = match self.scores_images() && self.is_something_known() {
            true => vec![self.fitted(&settings.detector)?],
            false => Vec::new(),
        };
        let column = Column { features: settings.features.at(settings.tau), detectors };
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
        let inputs = inputs.filter(|_| self.head().is_some());
        let (projected, names) = match inputs {
            Some(Inputs { projected, names, .. }) => (Some(projected), names),
            None => (None, None),
        };
        let cosines = names.map(|(_, cosines)| cosines.of_image());
        let nearest = self.nearest(projected.as_ref(), settings.recipe);
        let patterns = self.patterns(projected.as_ref(), &nearest, settings.recipe);
        let verdict = match score {
            Some(score) => {
                let near = (&nearest[..], cosines.as_ref());
                self.verdict(tagged, &decomposition, score, near, settings)
            }
            None if self.network.labels().is_some() => Verdict::without_names(),
            None => Verdict::without_projector(),
        };
        Analysis { decomposition, projected, nearest, patterns, cosines, verdict, stage_ms }
    }

    /// Whether anything is known, so that there is something to score by.
    fn is_something_known(&self) -> bool {
        self.head().is_some() || !self.vocabulary().id_tags().is_empty()
    }

    /// λ in force: the settings', the model's own, or the detector's own; `None` where there is none.
    pub fn lambda(&self, settings: &Settings) -> Option<f32> {
        lambda_in_force(self.manifest(), settings)
    }

    fn verdict(
        &self,
        tagged: &TaggerOutput,
        decomposition: &Decomposition,
        score: Score,
        (nearest, cosines): (&[Nearest], Option<&Cosines>),
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
            let seen = Seen {
                tags: tags.collect(),
                nearest: nearest.first().map(|near| vocabulary.class_name(near.class)),
                name: cosines.and_then(|cosines| self.seen_name(cosines)),
            };
            let threshold = |(tag, _): (usize, f32)| vocabulary.thresholds[tag];
            let own = self.judges_by_tags().then(|| self.leading_tag(tagged).map(threshold));
            Verdict::by_seen(score.ranked, (lambda, own.flatten()), seen)
        })
    }

    /// The name with the largest cosine, and what the no side makes of it.
    fn seen_name(&self, cosines: &Cosines) -> Option<SeenName> {
        let by_cosine =
            |a: &(usize, &f32), b: &(usize, &f32)| a.1.total_cmp(b.1).then(b.0.cmp(&a.0));
        let (at, &similarity) = cosines.image.iter().enumerate().max_by(by_cosine)?;
        Some(SeenName {
            name: self.vocabulary().tags.get(at)?.clone(),
            similarity,
            denied: cosines.denied().and_then(|denied| denied.get(at).copied()),
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

/// The threshold that decides: the user's, the one that the model was fitted with, or the one that the
/// detector's paper sets.
pub fn lambda_in_force(manifest: &Manifest, settings: &Settings) -> Option<f32> {
    let fitted = || manifest.lambda(&settings.detector, settings.recipe).map(|own| own.value);
    let own = || score::by_name(&settings.detector).ok()?.own_lambda();
    settings.lambda.or_else(fitted).or_else(own)
}
