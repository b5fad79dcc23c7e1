//! What stands beside the image on show: another image, or the same at another τ.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::state::{Entry, Session};
use crate::pipeline::{Analysis, Settings};
use crate::worker::{ImageId, Request, Worker};

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

    /// What was answered came from another model, or will not come.
    pub(super) fn forget(&mut self) {
        (self.analysis, self.asked, self.answered) = (None, None, self.generation);
    }
}

impl Session {
    /// The image to show beside the one on show: the one selected last before it.
    pub fn beside(&self) -> Option<&Entry> {
        let other = |id: &&_| Some(**id) != self.focus;
        self.entry(*self.selected.iter().rev().find(other)?)
    }

    /// The analysis of the image on show at the second τ; the last one until a new one is there.
    pub fn look_beside(&self) -> Option<&Arc<Analysis>> {
        let (image, analysis) = self.comparison.analysis.as_ref()?;
        (Some(*image) == self.focus).then_some(analysis)
    }

    /// The settings in force, at the second τ.
    pub fn settings_beside(&self) -> Settings {
        Settings { tau: self.comparison.tau, ..self.settings.clone() }
    }

    /// Asks for the analysis at the second τ if one is on show and the present one is not the one wanted.
    pub(super) fn want_look_beside(&mut self, worker: &Worker) {
        let looked_at =
            self.focused().filter(|entry| entry.analysis.is_some()).map(|entry| entry.id);
        let (CompareMode::Tau, Some(image)) = (self.comparison.beside, looked_at) else { return };
        let wanted = (image, self.settings_beside());
        if self.comparison.asked.as_ref() == Some(&wanted) {
            return;
        }
        self.comparison.generation += 1;
        let (generation, settings) = (self.comparison.generation, wanted.1.clone());
        self.comparison.asked = Some(wanted);
        worker.ask(Request::Compare { generation, image, settings });
    }
}
