//! The way back: what undo goes over.

use std::collections::BTreeMap;
use std::mem::Discriminant;

use super::command::Command;
use super::sets::Role;
use crate::pipeline::Settings;

/// Steps that are kept.
const STEPS: usize = 100;
/// Seconds within which a slider that moves on makes no new step.
const ONE_MOVE: f64 = 1.0;

/// What undo brings back.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// τ, λ, detector, recipe.
    pub settings: Settings,
    /// The tags on show.
    pub tags: Vec<usize>,
    /// What the user said of sets, by name.
    pub roles: BTreeMap<String, Role>,
}

/// States that were left, the last one last.
#[derive(Debug, Default)]
pub(super) struct History {
    undo: Vec<Edit>,
    redo: Vec<Edit>,
    /// The slider that made the last step, and when it last moved.
    moving: Option<(Discriminant<Command>, f64)>,
}

impl History {
    /// A command has left a state behind at a time in seconds. A slider that moves makes one step.
    pub(super) fn leave(&mut self, before: Edit, slider: Option<Discriminant<Command>>, time: f64) {
        let same =
            |(last, at): (Discriminant<Command>, f64)| slider == Some(last) && time - at < ONE_MOVE;
        let goes_on = self.moving.is_some_and(same);
        self.moving = slider.map(|slider| (slider, time));
        self.redo.clear();
        if !goes_on {
            self.undo.push(before);
            let surplus = self.undo.len().saturating_sub(STEPS);
            self.undo.drain(..surplus);
        }
    }

    /// The state before the present one.
    pub(super) fn undo(&mut self, present: Edit) -> Option<Edit> {
        let before = self.undo.pop()?;
        self.redo.push(present);
        self.moving = None;
        Some(before)
    }

    /// The state that [`History::undo`] left.
    pub(super) fn redo(&mut self, present: Edit) -> Option<Edit> {
        let after = self.redo.pop()?;
        self.undo.push(present);
        self.moving = None;
        Some(after)
    }
}
