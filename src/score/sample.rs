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
}

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
        })
    }
}

impl<'a> Sample<'a> {
    /// The values of one input, if the sample has it.
    pub fn values(&'a self, input: Input) -> Option<&'a [f32]> {
        match input {
            Input::Feature => Some(self.feature),
            Input::ClassLogits => Some(self.class_logits),
            Input::TagScore => Some(std::slice::from_ref(&self.tag_score)),
            Input::ObjectToken => Some(self.object_token),
            Input::ImageToken => Some(self.image_token),
            Input::CeFeature => self.ce_feature,
            Input::OdinLogits => self.odin_logits,
        }
    }
}

impl Input {
    /// How many values the model calls for, where it says.
    pub(super) fn len(self, statistics: &Statistics, head: &Arc<Head>) -> Option<usize> {
        let columns = |name| statistics.get(name).and_then(|t| t.shape.last().copied());
        match self {
            Self::Feature => Some(head.width()),
            Self::ClassLogits | Self::OdinLogits => Some(head.classes()),
            Self::TagScore => Some(1),
            Self::ObjectToken => columns(super::fitting::class_means::OBJECT_TOKEN),
            Self::CeFeature => columns(super::fitting::class_means::CE_FEATURE),
            Self::ImageToken => None,
        }
    }
}
