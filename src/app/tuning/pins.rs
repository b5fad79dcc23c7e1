//! A setting that is kept for comparison with what comes after it.

use std::collections::HashMap;
use std::sync::Arc;

use super::measured::Measured;
use super::{Answer, Tuning};
use crate::app::sets::{ImageSet, Role, SetScores};
use crate::app::state::{Entry, Session};
use crate::pipeline::Settings;
use crate::score::verdict::Outcome;
use crate::worker::{ImageId, Worker};

/// What is kept of a setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Pin {
    /// τ, recipe, detector, and λ if the user had set one.
    pub settings: Settings,
    /// λ in force.
    pub lambda: Option<f32>,
}

/// A setting kept for comparison: "A", while the present one is "B".
#[derive(Debug)]
pub struct Pinned {
    /// τ, recipe, detector, and λ if the user had set one.
    pub settings: Settings,
    /// λ in force.
    pub lambda: Option<f32>,
    /// Score and decision of every image.
    pub verdicts: HashMap<ImageId, (Option<f32>, Option<Outcome>)>,
    /// Its curves.
    pub measured: Arc<Measured>,
}

/// Scores and decisions of images.
type Verdicts = HashMap<ImageId, (Option<f32>, Option<Outcome>)>;

impl Tuning {
    /// What a session keeps of the pinned setting.
    pub(in crate::app) fn kept_pin(&self) -> Option<Pin> {
        let of =
            |pinned: &Arc<Pinned>| Pin { settings: pinned.settings.clone(), lambda: pinned.lambda };
        self.pinned.as_ref().map(of).or_else(|| self.pin.clone())
    }
}

impl Session {
    /// Keeps the present setting for comparison.
    pub(in crate::app) fn pin(&mut self, worker: &Worker) {
        let pin = Pin { settings: self.settings.clone(), lambda: self.lambda() };
        let verdict = |entry: &Entry| (entry.id, (entry.score(), entry.outcome()));
        let verdicts =
            self.entries().iter().filter(|e| e.analysis.is_some()).map(verdict).collect();
        let sets = self.snapshot();
        self.keep(pin, verdicts, sets, worker);
    }

    /// Forgets the setting that was kept.
    pub(in crate::app) fn unpin(&mut self) {
        (self.tuning.pinned, self.tuning.pin) = (None, None);
    }

    /// Whether a setting that a session kept is still to be scored.
    pub(super) fn awaits_pin(&self) -> bool {
        let tuning = &self.tuning;
        tuning.pin.is_some()
            && !tuning.paused
            && self.info().is_some()
            && self.entries().iter().any(|entry| entry.is_tagged)
    }

    /// Keeps the setting that a session kept, with the scores that images have at it.
    pub(super) fn pin_with(&mut self, images: &[ImageId], scores: &[f32], worker: &Worker) {
        let Some(pin) = self.tuning.pin.clone() else { return };
        let outcome = |score: f32| match (score, pin.lambda) {
            (f32::NEG_INFINITY, _) => Some(Outcome::Ood),
            (_, None) => None,
            (score, Some(lambda)) if score >= lambda => Some(Outcome::Id),
            _ => Some(Outcome::Ood),
        };
        let mut verdicts = Verdicts::with_capacity(images.len());
        let empty = |set| SetScores { set, ..SetScores::default() };
        let mut of_set: Vec<SetScores> = (0..self.sets().len()).map(empty).collect();
        for (&id, &score) in images.iter().zip(scores) {
            let Some(entry) = self.entry(id) else { continue };
            verdicts.insert(id, (Some(score).filter(|score| score.is_finite()), outcome(score)));
            if let Some(set) = of_set.get_mut(entry.set_at) {
                set.scores.push((score, id));
            }
        }
        let sets = self.sets().iter().cloned().zip(of_set).collect();
        self.keep(pin, verdicts, sets, worker);
    }

    fn keep(
        &mut self,
        Pin { settings, lambda }: Pin,
        verdicts: Verdicts,
        sets: Vec<(ImageSet, SetScores)>,
        worker: &Worker,
    ) {
        let revision = self.scores_revision;
        (self.tuning.pinning, self.tuning.pin) = (true, None);
        self.tuning.spawn(worker, move || {
            let measured = Arc::new(Measured::of(revision, settings.clone(), sets));
            Answer::Pinned(Box::new(Pinned { settings, lambda, verdicts, measured }))
        });
    }

    /// The images whose decision differs between the pinned setting and the present one.
    pub fn flips(&self) -> Vec<Flip> {
        let Some(pinned) = &self.tuning.pinned else { return Vec::new() };
        let flip = |entry: &Entry| {
            let &(score, outcome) = pinned.verdicts.get(&entry.id)?;
            let (before, after) = (outcome?, entry.outcome()?);
            let role = self.sets().get(entry.set_at).map_or(Role::Unused, |set| set.role);
            let scores = (score, entry.score());
            (before != after).then_some(Flip { image: entry.id, before, after, role, scores })
        };
        self.entries().iter().filter_map(flip).collect()
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
