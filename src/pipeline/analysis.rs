//! What follows τ: map, mask, object tokens, feature, score, verdict.

use std::time::Instant;

use super::project::Projected;
use super::{Pipeline, PipelineError, TaggerOutput};
use crate::bundle::manifest::Recipe;
use crate::decompose::{self, Fallback};
use crate::score::distance::class_scores;
use crate::score::verdict::{Reason, Verdict};
use crate::score::{Input, Sample};

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
    /// Feature and class logits; `None` without a projector or where the verdict needs none.
    pub projected: Option<Projected>,
    /// The nearest class centers, best first.
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
        let started = Instant::now();
        let decompositions: Vec<Decomposition> = tagged
            .iter()
            .map(|tagged| self.decompose(tagged, settings.tau, settings.recipe))
            .collect();
        let objects: Vec<Vec<f32>> = decompositions
            .iter()
            .zip(tagged)
            .map(|(d, tagged)| decompose::object_tokens(&tagged.tokens, tagged.width, &d.mask))
            .collect();
        let decomposed = Instant::now();
        let projected = self.project(&objects, self.reads_ce(&settings.detector))?;
        let projected_at = Instant::now();
        let share = |from: Instant, to: Instant| {
            (to - from).as_secs_f32() * 1e3 / tagged.len().max(1) as f32
        };
        let times = [share(started, decomposed), share(decomposed, projected_at)];
        let mut projected = projected.into_iter().map(Some);
        let mut analyses = Vec::with_capacity(tagged.len());
        for (decomposition, tagged) in decompositions.into_iter().zip(tagged) {
            let projected = projected.next().flatten();
            let at = Instant::now();
            let verdict = self.judge(tagged, &decomposition, projected.as_ref(), settings)?;
            let nearest = self.nearest(projected.as_ref(), settings.recipe);
            let patterns = self.patterns(projected.as_ref(), &nearest, settings.recipe);
            let stage_ms = [times[0], times[1], at.elapsed().as_secs_f32() * 1e3];
            analyses.push(Analysis {
                decomposition,
                projected,
                nearest,
                patterns,
                verdict,
                stage_ms,
            });
        }
        Ok(analyses)
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

    fn judge(
        &self,
        tagged: &TaggerOutput,
        decomposition: &Decomposition,
        projected: Option<&Projected>,
        settings: &Settings,
    ) -> Result<Verdict, PipelineError> {
        let Some(projected) = projected else {
            let reason = Reason::NoProjector;
            return Ok(Verdict { outcome: None, score: None, ranked: None, lambda: None, reason });
        };
        let detector = self.bound(&settings.detector)?;
        let lambda = settings.lambda.or_else(|| {
            let recipe = settings.recipe;
            self.manifest().lambda(&settings.detector, recipe).map(|lambda| lambda.value)
        });
        // The lowest score there is stands for "directly out-of-distribution".
        let floor = match settings.recipe {
            Recipe::Paper => detector.info().range.0,
            Recipe::Released => 0.0,
        };
        let rejected = |reason| {
            let ranked = settings.recipe.hard_reject_score(&settings.detector);
            Verdict::hard_rejected(floor.is_finite().then_some(floor), ranked, lambda, reason)
        };
        if decomposition.tags.is_empty() {
            return Ok(rejected(Reason::NoIdTag { best: self.best_id_tag(tagged) }));
        }
        if decomposition.kept() == 0 {
            return Ok(rejected(Reason::NothingKept { tau: settings.tau }));
        }
        let object_token = decompose::mean_token(&tagged.tokens, tagged.width, &decomposition.mask);
        let odin_logits = match detector.info().needs.contains(&Input::OdinLogits) {
            true => {
                let mask = &decomposition.mask;
                let tokens = decompose::object_tokens(&tagged.tokens, tagged.width, mask);
                self.odin_logits(&[tokens])?.pop()
            }
            false => None,
        };
        let score = detector.score(&Sample {
            feature: &projected.feature,
            class_logits: &projected.class_logits,
            tag_score: decomposition.tag_score,
            object_token: &object_token,
            image_token: &tagged.tokens[..tagged.width],
            ce_feature: projected.ce_feature.as_deref(),
            odin_logits: odin_logits.as_deref(),
            names: None,
        })?;
        let names = decomposition.tags.iter().map(|&tag| self.vocabulary().tags[tag].clone());
        let nearest = self.nearest(Some(projected), settings.recipe);
        let nearest = nearest.first().map(|nearest| self.vocabulary().class_name(nearest.class));
        Ok(Verdict::by_threshold(score, lambda, names.collect(), nearest))
    }

    pub(super) fn bound(
        &self,
        detector: &str,
    ) -> Result<&crate::score::FittedDetector, PipelineError> {
        match self.detector(detector) {
            Some(bound) => Ok(bound),
            // An unknown name is one error, a detector that was not fitted another.
            None => {
                crate::score::by_name(detector)?;
                Err(PipelineError::NotFitted(detector.to_owned()))
            }
        }
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
