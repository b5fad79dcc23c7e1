//! What stands beside the image on show: another image, or the same at another τ.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::state::{Entry, Model};
use crate::pipeline::{Look, Settings};
use crate::worker::{ImageId, Request, Worker};

/// What to show beside the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Beside {
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
    pub beside: Beside,
    /// The second τ.
    pub tau: f32,
    /// The newest look at the second τ, with its image.
    look: Option<(ImageId, Arc<Look>)>,
    /// What was last asked for, and its number.
    asked: Option<(ImageId, Settings)>,
    generation: u64,
    answered: u64,
}

impl Default for Comparison {
    fn default() -> Self {
        Self {
            beside: Beside::Nothing,
            tau: 0.25,
            look: None,
            asked: None,
            generation: 0,
            answered: 0,
        }
    }
}

impl Comparison {
    /// Whether every look that was asked for is there.
    pub fn is_settled(&self) -> bool {
        self.answered == self.generation
    }

    /// Takes in an answer; older ones than the newest still replace those before them.
    pub(super) fn take(&mut self, image: ImageId, generation: u64, look: Option<Arc<Look>>) {
        if generation > self.answered {
            (self.answered, self.look) = (generation, look.map(|look| (image, look)));
        }
    }

    /// What was answered came from another model, or will not come.
    pub(super) fn forget(&mut self) {
        (self.look, self.asked, self.answered) = (None, None, self.generation);
    }
}

impl Model {
    /// The image to show beside the one on show: the one selected last before it.
    pub fn beside(&self) -> Option<&Entry> {
        let other = |id: &&_| Some(**id) != self.focus;
        self.entry(*self.selected.iter().rev().find(other)?)
    }

    /// The look at the image on show at the second τ; the last one until a new one is there.
    pub fn look_beside(&self) -> Option<&Arc<Look>> {
        let (image, look) = self.comparison.look.as_ref()?;
        (Some(*image) == self.focus).then_some(look)
    }

    /// The settings in force, at the second τ.
    pub fn settings_beside(&self) -> Settings {
        Settings { tau: self.comparison.tau, ..self.settings.clone() }
    }

    /// Asks for the look at the second τ if one is on show and the present one is not the one wanted.
    pub(super) fn want_look_beside(&mut self, worker: &Worker) {
        let looked_at = self.focused().filter(|entry| entry.look.is_some()).map(|entry| entry.id);
        let (Beside::Tau, Some(image)) = (self.comparison.beside, looked_at) else { return };
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
