//! What detectors read, of many images at once.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Cosines, Decomposition, OdinInput, Pipeline, PipelineError, Projected, TaggerOutput};
use crate::bundle::manifest::Recipe;
use crate::decompose;
use crate::score::verdict::Rejection;
use crate::score::{Sample, unit};

/// Images that go through the projector together: large enough for its products, small enough that
/// a round of them is soon done.
const PART: usize = 32;

/// Which tokens of an image become its feature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "tokens", rename_all = "snake_case")]
pub enum Features {
    /// Those of its in-distribution objects: relevance above τ. An image without an in-distribution
    /// tag, or of which nothing is kept, is rejected without a score.
    Objects {
        /// Relevance above which a token is kept, 0 to 1.
        tau: f32,
    },
    /// All of its tokens, whatever they show.
    WholeImage,
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Objects { tau } => write!(f, "objects at τ = {tau}"),
            Self::WholeImage => f.write_str("whole image"),
        }
    }
}

/// An image on its way to a score.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// What the tagger made of it, with the attention of the tags that count.
    pub tagged: &'a TaggerOutput,
    /// The network's input `[3, S, S]`, where ODIN moves images.
    pub pixels: Option<&'a [f32]>,
}

impl<'a> From<&'a TaggerOutput> for Image<'a> {
    fn from(tagged: &'a TaggerOutput) -> Self {
        Self { tagged, pixels: None }
    }
}

/// Everything that detectors read of one image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs {
    /// Feature and class logits.
    pub projected: Projected,
    /// Best probability among the tags that count, 0 if none does.
    pub tag_score: f32,
    /// Mean of the kept tokens, `[width]`.
    pub object_token: Vec<f32>,
    /// The global token, `[width]`.
    pub image_token: Vec<f32>,
    /// Class logits after ODIN's step, where they were asked for.
    pub odin_logits: Option<Vec<f32>>,
    /// Of a CLIP, the feature at unit length, as detectors are to have it, and the cosines with names.
    pub names: Option<(Vec<f32>, Cosines)>,
}

impl Inputs {
    /// As detectors take it.
    pub fn sample(&self) -> Sample<'_> {
        let names = self.names.as_ref();
        Sample {
            feature: names.map_or(&self.projected.feature, |(unit, _)| unit),
            class_logits: &self.projected.class_logits,
            tag_score: self.tag_score,
            object_token: &self.object_token,
            image_token: &self.image_token,
            ce_feature: self.projected.ce_feature.as_deref(),
            odin_logits: self.odin_logits.as_deref(),
            names: names.map(|(_, cosines)| cosines.view()),
        }
    }
}

/// One image's tokens with what became of them.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageFeature {
    /// The tags that count, their map, and which tokens are kept.
    pub decomposition: Decomposition,
    /// Why the image is out-of-distribution without a score.
    pub rejected: Option<Rejection>,
    /// What detectors read; `None` where the image is rejected or the model has no projector.
    pub inputs: Option<Inputs>,
}

/// What is computed of an image only where a detector reads it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extras {
    /// [`Projected::ce_feature`], which costs as much again as the projection.
    pub ce: bool,
    /// ODIN's second pass, which costs three times what the rest does, and what it moves.
    pub odin: Option<OdinInput>,
    /// The patches' cosines with names, as many times what the image's cost as there are patches.
    pub local: bool,
}

impl Pipeline {
    /// Keeps an image's tokens, and says whether it is rejected.
    pub(super) fn keep(
        &self,
        decomposed: &Decomposition,
        features: Features,
    ) -> (Decomposition, Option<Rejection>) {
        let mut decomposition = decomposed.clone();
        let Features::Objects { tau } = features else {
            decomposition.mask.fill(true);
            return (decomposition, None);
        };
        decomposition.mask = decompose::mask(&decomposition.map, tau);
        let rejected = match (decomposition.tags.is_empty(), decomposition.kept()) {
            (true, _) => Some(Rejection::NoKnownTag),
            (false, 0) => Some(Rejection::NothingKept),
            (false, _) => None,
        };
        (decomposition, rejected)
    }

    /// The tags that count for each image with their map, at no τ yet.
    pub(super) fn decompose_all(
        &self,
        images: &[Image<'_>],
        recipe: Recipe,
    ) -> Result<Vec<Decomposition>, PipelineError> {
        let decompose = |(place, image): (usize, &Image)| {
            image.tagged.check(place)?;
            Ok(self.decompose(image.tagged, 1.0, recipe))
        };
        images.iter().enumerate().map(decompose).collect()
    }

    /// What detectors read of each image at one choice of tokens. Rejected images have nothing to be
    /// read, and so has a model without a projector.
    pub(super) fn features(
        &self,
        images: &[Image<'_>],
        decomposed: &[Decomposition],
        features: Features,
        extras: Extras,
    ) -> Result<Vec<ImageFeature>, PipelineError> {
        let mut all: Vec<ImageFeature> = decomposed
            .iter()
            .map(|decomposed| {
                let (decomposition, rejected) = self.keep(decomposed, features);
                ImageFeature { decomposition, rejected, inputs: None }
            })
            .collect();
        if self.judges_by_tags() {
            for (image, feature) in images.iter().zip(&mut all) {
                self.judge_by_tags(image.tagged, feature);
            }
            return Ok(all);
        }
        if self.head().is_none() {
            return Ok(all);
        }
        // Images of like length together, for the least padding.
        let mut order: Vec<usize> =
            (0..all.len()).filter(|&at| all[at].rejected.is_none()).collect();
        order.sort_by_key(|&at| all[at].decomposition.kept());
        for part in order.chunks(PART) {
            let objects: Vec<Vec<f32>> = part
                .iter()
                .map(|&at| {
                    self.network.object(images[at].tagged, &all[at].decomposition.mask, features)
                })
                .collect();
            let projected = self.network.project(&objects, extras.ce)?;
            for ((&at, tokens), projected) in part.iter().zip(&objects).zip(projected) {
                projected.check(at)?;
                let (tagged, decomposition) = (images[at].tagged, &all[at].decomposition);
                let mask = &decomposition.mask;
                let odin = |moved| self.network.odin(images[at].pixels, mask, tokens, moved);
                let names = self.network.labels().map(|labels| {
                    let patches = self.network.object(tagged, mask, PATCHES);
                    let cosines = labels.cosines(&projected.feature, &patches, extras.local);
                    (unit(&projected.feature).collect(), cosines)
                });
                all[at].inputs = Some(Inputs {
                    projected,
                    tag_score: decomposition.tag_score,
                    object_token: decompose::mean_token(
                        &tagged.tokens,
                        tagged.width,
                        &decomposition.mask,
                    ),
                    image_token: tagged.tokens[..tagged.width].to_vec(),
                    odin_logits: extras.odin.map(odin).transpose()?,
                    names,
                });
            }
        }
        Ok(all)
    }

    /// Without a projector, an image's score is that of its tags: the best known one's probability,
    /// whether or not it counts, so that none is rejected.
    fn judge_by_tags(&self, tagged: &TaggerOutput, feature: &mut ImageFeature) {
        feature.rejected = None;
        let leading = self.leading_tag(tagged);
        feature.inputs = leading.map(|(_, tag_score)| Inputs { tag_score, ..Inputs::default() });
    }

    /// The known tag that speaks for an image with its probability: the most probable of those above
    /// their thresholds, or of all where none is.
    pub(super) fn leading_tag(&self, tagged: &TaggerOutput) -> Option<(usize, f32)> {
        let probabilities = tagged.probabilities();
        let vocabulary = self.vocabulary();
        let key =
            |&tag: &usize| (probabilities[tag] > vocabulary.thresholds[tag], probabilities[tag]);
        let better = |a: &usize, b: &usize| {
            let ((a, p), (b, q)) = (key(a), key(b));
            a.cmp(&b).then(p.total_cmp(&q))
        };
        let tag = vocabulary.id_tags().iter().copied().max_by(better)?;
        Some((tag, probabilities[tag]))
    }
}

/// The tokens that lie under a mask, whichever become the feature.
const PATCHES: Features = Features::Objects { tau: 0.0 };
