//! What stands beside the image on show: another image, or the same at another τ.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::request::Effects;
use crate::pipeline::{Analysis, Settings};
use crate::worker::{ImageId, Request};

/// What to show beside the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CompareMode {
    /// Nothing.
    #[default]
    Nothing,
    /// The image that was selected before it.
    Image,
    /// The same image at the second τ.
    Tau,
}

/// The comparison.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What is compared.
    pub beside: CompareMode,
    /// The second τ.
    pub tau: f32,
    /// The newest analysis at the second τ, with its image.
    analysis: Option<(ImageId, Arc<Analysis>)>,
    /// What was last asked for, and its number.
    asked: Option<(ImageId, Settings)>,
    generation: u64,
    answered: u64,
}

impl Default for Comparison {
    fn default() -> Self {
        Self {
            beside: CompareMode::Nothing,
            tau: 0.25,
            analysis: None,
            asked: None,
            generation: 0,
            answered: 0,
        }
    }
}

impl Comparison {
    /// Whether every analysis that was asked for is there.
    pub fn is_settled(&self) -> bool {
        self.answered == self.generation
    }

    /// Takes in an answer; older ones than the newest still replace those before them.
    pub(super) fn take(
        &mut self,
        image: ImageId,
        generation: u64,
        analysis: Option<Arc<Analysis>>,
    ) {
        if generation > self.answered {
            (self.answered, self.analysis) =
                (generation, analysis.map(|analysis| (image, analysis)));
        }
    }

    /// The analysis of an image at the second τ; the last one until a new one is there.
    pub(super) fn analysis_of(&self, image: ImageId) -> Option<&Arc<Analysis>> {
        self.analysis.as_ref().filter(|(of, _)| *of == image).map(|(_, analysis)| analysis)
    }

    /// The settings in force, at the second τ.
    pub(super) fn settings(&self, settings: &Settings) -> Settings {
        Settings { tau: self.tau, ..settings.clone() }
    }

    /// Asks for the analysis of the image on show at the second τ, if that is compared and was not
    /// asked for.
    pub(super) fn want(&mut self, shown: Option<&Entry>, basis: &Settings, effects: &mut Effects) {
        let analysed = shown.filter(|entry| entry.analysis.is_some()).map(|entry| entry.id);
        let (CompareMode::Tau, Some(image)) = (self.beside, analysed) else { return };
        let settings = self.settings(basis);
        let wanted = (image, settings.clone());
        if self.asked.as_ref() == Some(&wanted) {
            return;
        }
        self.generation += 1;
        self.asked = Some(wanted);
        effects.ask(Request::Compare { generation: self.generation, image, settings });
    }

    /// What was answered came from another model, or will not come.
    pub(super) fn forget(&mut self) {
        (self.analysis, self.asked, self.answered) = (None, None, self.generation);
    }
}
