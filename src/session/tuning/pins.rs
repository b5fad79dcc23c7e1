//! The setting that is kept for comparison.

use std::sync::Arc;

use crate::score::verdict::Score;
use crate::session::basis::Basis;
use crate::session::curves::{Flip, Pin, PinScores, Pinned, Verdicts};
use crate::session::entry::Entry;
use crate::session::images::{Images, SetResults};
use crate::session::sets::Role;
use crate::worker::ImageId;

/// What a survey of the awaited setting came to.
pub(super) enum PinSurvey {
    /// Its images with their scores.
    Scored(Vec<ImageId>, Vec<Score>),
    /// It cannot be made; the sentence says why.
    Failed(String),
}

/// The setting that is kept, and one that a saved session kept, whose scores are to come.
#[derive(Debug, Default)]
pub(super) struct Pins {
    pinned: Option<Arc<Pinned>>,
    awaited: Option<Pin>,
    /// Whether the curves of one are being made.
    working: bool,
}

impl Pins {
    /// What is kept, with its curves.
    pub(super) fn pinned(&self) -> Option<&Arc<Pinned>> {
        self.pinned.as_ref()
    }

    /// What a saved session keeps of it.
    pub(super) fn kept(&self) -> Option<Pin> {
        let of =
            |pinned: &Arc<Pinned>| Pin { settings: pinned.settings.clone(), lambda: pinned.lambda };
        self.pinned.as_ref().map(of).or_else(|| self.awaited.clone())
    }

    /// The setting whose scores are to come, once there are images to score.
    pub(super) fn awaited(&self, basis: &Basis) -> Option<&Pin> {
        let can_be =
            basis.info().is_some() && basis.images.entries().iter().any(|entry| entry.is_tagged);
        self.awaited.as_ref().filter(|_| can_be)
    }

    /// Whether curves are being made.
    pub(super) fn is_working(&self) -> bool {
        self.working
    }

    /// Keeps the present setting: what to make its curves from.
    pub(super) fn pin(&mut self, basis: &Basis, lambda: Option<f32>) -> PinScores {
        let pin = Pin { settings: basis.settings.clone(), lambda };
        let verdict = |entry: &Entry| (entry.id, (entry.score(), entry.outcome()));
        let entries = basis.images.entries().iter();
        let verdicts = entries.filter(|entry| entry.analysis.is_some()).map(verdict).collect();
        self.keep(pin, verdicts, &basis.images, basis.images.set_scores())
    }

    /// Forgets the setting that was kept.
    pub(super) fn unpin(&mut self) {
        (self.pinned, self.awaited) = (None, None);
    }

    /// Has a setting scored that a saved session kept.
    pub(super) fn restore(&mut self, pin: Option<Pin>) {
        (self.pinned, self.awaited) = (None, pin);
    }

    /// Keeps the awaited setting, whose scores are there: what to make its curves from.
    pub(super) fn score(
        &mut self,
        scored: &[ImageId],
        scores: &[Score],
        images: &Images,
    ) -> Option<PinScores> {
        let pin = self.awaited.clone()?;
        let mut verdicts = Verdicts::with_capacity(scored.len());
        let empty = |set| SetResults { set, ..SetResults::default() };
        let mut of_set: Vec<SetResults> = (0..images.sets().len()).map(empty).collect();
        for (&id, &score) in scored.iter().zip(scores) {
            let Some(entry) = images.entry(id) else { continue };
            verdicts.insert(id, (score.value, score.outcome(pin.lambda)));
            if let Some(set) = of_set.get_mut(entry.set_at) {
                set.scores.push((score, id));
            }
        }
        Some(self.keep(pin, verdicts, images, of_set))
    }

    fn keep(
        &mut self,
        pin: Pin,
        verdicts: Verdicts,
        images: &Images,
        scores: Vec<SetResults>,
    ) -> PinScores {
        (self.working, self.awaited) = (true, None);
        PinScores::new(pin, verdicts, images, scores)
    }

    /// Takes in the curves.
    pub(super) fn take(&mut self, pinned: Arc<Pinned>) {
        (self.working, self.pinned) = (false, Some(pinned));
    }

    /// The images whose decision differs between the kept setting and the present one.
    pub(super) fn flips(&self, images: &Images) -> Vec<Flip> {
        let Some(pinned) = &self.pinned else { return Vec::new() };
        let flip = |entry: &Entry| {
            let &(score, outcome) = pinned.verdicts.get(&entry.id)?;
            let (before, after) = (outcome?, entry.outcome()?);
            let role = images.sets().get(entry.set_at).map_or(Role::Unused, |set| set.role);
            let scores = (score, entry.score());
            (before != after).then_some(Flip { image: entry.id, before, after, role, scores })
        };
        images.entries().iter().filter_map(flip).collect()
    }
}
