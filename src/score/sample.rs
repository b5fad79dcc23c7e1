use std::{fmt, sync::Arc};

use super::{Head, Statistics};

/// Everything known of one image at one τ.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample<'a> {
    /// Projected feature `[D]`.
    pub feature: &'a [f32],
    /// Class logits `[C]`, the classifier's answer to `feature`.
    pub class_logits: &'a [f32],
    /// Best probability among the in-distribution tags that count, 0 if none does.
    pub tag_score: f32,
    /// Mean of the kept tokens `[W]`, before projection.
    pub object_token: &'a [f32],
    /// Global token `[W]`.
    pub image_token: &'a [f32],
    /// Feature `[E]` of a second projector, trained with cross-entropy only.
    pub ce_feature: Option<&'a [f32]>,
    /// Class logits `[C]` of the input perturbed as ODIN asks for, *not yet divided* by its temperature
    /// ([`odin::TEMPERATURE`](super::detectors::odin::TEMPERATURE)).
    pub odin_logits: Option<&'a [f32]>,
    /// What a CLIP tells of the image beside names; `None` for a tagger.
    pub names: Option<NameCosines<'a>>,
}

/// Cosines of a CLIP's image features with text features, all of unit length: what its detectors read.
///
/// For C known names, N patches and M negative words. The published scores multiply them by
/// [`LOGIT_SCALE`] or divide them by a temperature, each as its paper says. The image's feature is that
/// of the whole image, or the mean of its kept patches' where τ is in force.
#[derive(Clone, Copy, Debug, Default)]
pub struct NameCosines<'a> {
    /// The image's feature with each known name `[C]`.
    pub image: &'a [f32],
    /// Each patch's local feature with each known name `[N, C]`, row-major; with τ in force, those of
    /// the kept patches alone.
    pub local: &'a [f32],
    /// The image's feature with the no side's feature of each known name `[C]` (CLIPN).
    pub no: Option<&'a [f32]>,
    /// The image's feature with each negative word `[M]`, in the order of their list (NegLabel).
    pub negatives: Option<&'a [f32]>,
    /// As [`image`](Self::image) and [`local`](Self::local), with texts that begin with learnt prompts
    /// (LoCoOp): `([C], [N, C])`.
    pub prompted: Option<(&'a [f32], &'a [f32])>,
}

/// What cosines are multiplied by to become CLIP's logits: the constant of the published CLIPN and
/// NegLabel evaluations, to which the learnt scale is bounded in training.
pub const LOGIT_SCALE: f32 = 100.0;

/// One field of a [`Sample`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// [`Sample::feature`]
    Feature,
    /// [`Sample::class_logits`]
    ClassLogits,
    /// [`Sample::tag_score`]
    TagScore,
    /// [`Sample::object_token`]
    ObjectToken,
    /// [`Sample::image_token`]
    ImageToken,
    /// [`Sample::ce_feature`]
    CeFeature,
    /// [`Sample::odin_logits`]
    OdinLogits,
    /// [`NameCosines::image`]
    NameCosines,
    /// [`NameCosines::local`]
    LocalCosines,
    /// [`NameCosines::no`]
    NoCosines,
    /// [`NameCosines::negatives`]
    NegativeCosines,
    /// The image's part of [`NameCosines::prompted`]
    PromptedCosines,
    /// The patches' part of [`NameCosines::prompted`]
    PromptedLocalCosines,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Feature => "the projected feature",
            Self::ClassLogits => "the class logits",
            Self::TagScore => "the tag score",
            Self::ObjectToken => "the mean object token",
            Self::ImageToken => "the global image token",
            Self::CeFeature => "the feature of a projector trained with cross-entropy only",
            Self::OdinLogits => "the class logits of the perturbed input (a second forward pass)",
            Self::NameCosines => "the similarity to each known name (a CLIP)",
            Self::LocalCosines => "each patch's similarity to each known name (a CLIP)",
            Self::NoCosines => "the similarity to each known name's no side (a CLIPN)",
            Self::NegativeCosines => {
                "the similarity to each negative word (a CLIP and --negatives)"
            }
            Self::PromptedCosines => "the similarity to each name behind learnt prompts (LoCoOp)",
            Self::PromptedLocalCosines => {
                "each patch's similarity to each name behind learnt prompts (LoCoOp)"
            }
        })
    }
}

impl<'a> Sample<'a> {
    /// The values of one input, if the sample has it.
    pub fn values(&'a self, input: Input) -> Option<&'a [f32]> {
        let names = self.names.as_ref();
        match input {
            Input::Feature => Some(self.feature),
            Input::ClassLogits => Some(self.class_logits),
            Input::TagScore => Some(std::slice::from_ref(&self.tag_score)),
            Input::ObjectToken => Some(self.object_token),
            Input::ImageToken => Some(self.image_token),
            Input::CeFeature => self.ce_feature,
            Input::OdinLogits => self.odin_logits,
            Input::NameCosines => names.map(|names| names.image),
            Input::LocalCosines => names.map(|names| names.local),
            Input::NoCosines => names?.no,
            Input::NegativeCosines => names?.negatives,
            Input::PromptedCosines => names?.prompted.map(|prompted| prompted.0),
            Input::PromptedLocalCosines => names?.prompted.map(|prompted| prompted.1),
        }
    }
}

impl Input {
    /// Whether it is part of [`NameCosines`], which a CLIP has and a tagger has not.
    pub fn is_of_names(self) -> bool {
        match self {
            Self::Feature
            | Self::ClassLogits
            | Self::TagScore
            | Self::ObjectToken
            | Self::ImageToken
            | Self::CeFeature
            | Self::OdinLogits => false,
            Self::NameCosines
            | Self::LocalCosines
            | Self::NoCosines
            | Self::NegativeCosines
            | Self::PromptedCosines
            | Self::PromptedLocalCosines => true,
        }
    }

    /// How many values the model calls for, where it says.
    pub(super) fn len(self, statistics: &Statistics, head: &Arc<Head>) -> Option<usize> {
        let columns = |name| statistics.get(name).and_then(|t| t.shape.last().copied());
        match self {
            Self::Feature => Some(head.width()),
            Self::ClassLogits
            | Self::OdinLogits
            | Self::NameCosines
            | Self::NoCosines
            | Self::PromptedCosines => Some(head.classes()),
            Self::TagScore => Some(1),
            Self::ObjectToken => columns(super::fitting::class_means::OBJECT_TOKEN),
            Self::CeFeature => columns(super::fitting::class_means::CE_FEATURE),
            Self::ImageToken
            | Self::LocalCosines
            | Self::NegativeCosines
            | Self::PromptedLocalCosines => None,
        }
    }
}
