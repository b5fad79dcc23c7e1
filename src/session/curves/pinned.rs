//! A setting that is kept for comparison with what comes after it.

use std::collections::HashMap;
use std::sync::Arc;

use super::measured::Measured;
use crate::pipeline::Settings;
use crate::score::verdict::Outcome;
use crate::session::images::{Images, SetResults};
use crate::session::sets::{ImageSet, Role};
use crate::worker::ImageId;

/// What is kept of a setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Pin {
    /// τ, recipe, detector, and λ if the user had set one.
    pub settings: Settings,
    /// λ in force.
    pub lambda: Option<f32>,
}

/// Scores and decisions of images.
pub type Verdicts = HashMap<ImageId, (Option<f32>, Option<Outcome>)>;

/// A setting kept for comparison: "A", while the present one is "B".
#[derive(Debug)]
pub struct Pinned {
    /// τ, recipe, detector, and λ if the user had set one.
    pub settings: Settings,
    /// λ in force.
    pub lambda: Option<f32>,
    /// Score and decision of every image.
    pub verdicts: Verdicts,
    /// Its curves.
    pub measured: Arc<Measured>,
}

/// A setting with all that its curves are made from.
pub struct PinScores {
    pin: Pin,
    verdicts: Verdicts,
    revision: u64,
    sets: Vec<(ImageSet, SetResults)>,
}

impl PinScores {
    /// Of a setting with the verdicts on images, and the scores of their sets.
    pub(in crate::session) fn new(
        pin: Pin,
        verdicts: Verdicts,
        images: &Images,
        scores: Vec<SetResults>,
    ) -> Self {
        let sets = images.sets().iter().cloned().zip(scores).collect();
        Self { pin, verdicts, revision: images.scores_revision(), sets }
    }

    /// Makes the curves.
    pub fn measure(self) -> Pinned {
        let Pin { settings, lambda } = self.pin;
        let measured = Arc::new(Measured::of(self.revision, settings.clone(), self.sets));
        Pinned { settings, lambda, verdicts: self.verdicts, measured }
    }
}

/// An image whose decision differs between two settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flip {
    /// The image.
    pub image: ImageId,
    /// The decision at the pinned setting.
    pub before: Outcome,
    /// The decision now.
    pub after: Outcome,
    /// What its set says it is.
    pub role: Role,
    /// The scores at both.
    pub scores: (Option<f32>, Option<f32>),
}

impl Flip {
    /// Whether the present decision is the right one; `None` where the truth is not known.
    pub fn is_better(&self) -> Option<bool> {
        self.role.truth().map(|truth| truth == self.after)
    }
}
