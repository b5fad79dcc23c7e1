//! The way back: what undo goes over.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::Discriminant;

use super::command::Command;
use super::images::Gone;
use super::sets::{Role, SetId};
use crate::bundle::known::Known;
use crate::bundle::manifest::Arch;
use crate::pipeline::Settings;
use crate::worker::{ImageId, JobId};

/// Steps that are kept.
const STEPS: usize = 100;
/// Seconds within which a slider that moves on makes no new step.
const ONE_MOVE: f64 = 1.0;

/// What undo brings back, beside images.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// τ, λ, detector, recipe.
    pub settings: Settings,
    /// The tags on show.
    pub tags: Vec<usize>,
    /// What is known by name, for each kind of model.
    pub known: BTreeMap<Arch, Known>,
    /// What the user said of sets.
    pub roles: BTreeMap<SetId, Role>,
}

/// What a step did to the open images, so that the opposite can be done.
#[derive(Debug)]
pub(super) enum ImageChange {
    /// Nothing.
    None,
    /// It opened the images of a job.
    Opened(JobId),
    /// It brought images back.
    Back(BTreeSet<ImageId>),
    /// It removed images.
    Removed(Gone),
}

/// A state that was left, with what was done to images on leaving it.
#[derive(Debug)]
pub(super) struct Step {
    pub before: Edit,
    pub images: ImageChange,
}

/// States that were left, the last one last.
#[derive(Debug, Default)]
pub(super) struct History {
    undo: Vec<Step>,
    redo: Vec<Step>,
    /// The slider that made the last step, and when it last moved.
    moving: Option<(Discriminant<Command>, f64)>,
}

impl History {
    /// A command has made a step at a time in seconds. A slider that moves makes one step.
    pub(super) fn leave(&mut self, step: Step, slider: Option<Discriminant<Command>>, time: f64) {
        let same =
            |(last, at): (Discriminant<Command>, f64)| slider == Some(last) && time - at < ONE_MOVE;
        let goes_on = self.moving.is_some_and(same);
        self.moving = slider.map(|slider| (slider, time));
        self.redo.clear();
        if !goes_on {
            self.undo.push(step);
            let surplus = self.undo.len().saturating_sub(STEPS);
            self.undo.drain(..surplus);
        }
    }

    /// Forgets the last step if nothing came of it: all is as it was before.
    pub(super) fn forget(&mut self, present: &Edit) {
        let is_void =
            |step: &mut Step| matches!(step.images, ImageChange::None) && step.before == *present;
        self.undo.pop_if(is_void);
    }

    /// Takes the last step, to be undone.
    pub(super) fn pop_undo(&mut self) -> Option<Step> {
        self.moving = None;
        self.undo.pop()
    }

    /// Takes the step that was undone last, to be done again.
    pub(super) fn pop_redo(&mut self) -> Option<Step> {
        self.moving = None;
        self.redo.pop()
    }

    /// Keeps the opposite of a step that was undone.
    pub(super) fn push_redo(&mut self, step: Step) {
        self.redo.push(step);
    }

    /// Keeps the opposite of a step that was done again.
    pub(super) fn push_undo(&mut self, step: Step) {
        self.undo.push(step);
    }
}
