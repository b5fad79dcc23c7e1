//! The scores of the open sets, sorted and compared: what curves, histograms and counts are drawn
//! from.

use std::ops::Range;

use crate::eval::metrics::Confusion;
use crate::eval::separation::Separation;
use crate::fit::lambda::{TPR, lambda_of};
use crate::pipeline::Settings;
use crate::session::images::SetResults;
use crate::session::sets::{ImageSet, Role};
use crate::worker::ImageId;

/// One set's scores.
#[derive(Clone, Debug)]
pub struct MeasuredSet {
    /// The set, by its place in `Session::sets`.
    pub set: usize,
    /// Its name on show.
    pub title: String,
    /// What its images are.
    pub role: Role,
    /// Scores with their images, ascending.
    pub sorted: Vec<(f32, ImageId)>,
    /// How many of them are rejected without a score, whatever metrics rank them by.
    pub rejected: usize,
    /// Images whose score is still to come.
    pub pending: usize,
    /// Images that cannot be had.
    pub failed: usize,
}

impl MeasuredSet {
    /// The place of the first score that λ keeps.
    pub fn first_kept(&self, lambda: f32) -> usize {
        self.sorted.partition_point(|&(score, _)| score < lambda)
    }

    /// The images that are out-of-distribution outright, without a score.
    pub fn hard_rejected(&self) -> &[(f32, ImageId)] {
        let count = self.sorted.partition_point(|(score, _)| *score == f32::NEG_INFINITY);
        self.sorted.get(..count).unwrap_or_default()
    }

    /// The scores from `low` to below `high`.
    pub fn between(&self, low: f32, high: f32) -> &[(f32, ImageId)] {
        let (from, until) = (self.first_kept(low), self.first_kept(high));
        self.sorted.get(from..until).unwrap_or_default()
    }

    /// The images that λ decides wrongly, the most wrong first.
    pub fn wrong(&self, lambda: f32) -> Vec<(f32, ImageId)> {
        let (lost, missed) = self.sorted.split_at(self.first_kept(lambda));
        match self.role {
            Role::Id => lost.to_vec(),
            Role::Ood => missed.iter().rev().copied().collect(),
            Role::Unused => Vec::new(),
        }
    }

    /// The `count` images whose scores lie nearest to λ, the nearest last.
    pub fn nearest(&self, lambda: f32, count: usize) -> Vec<(f32, ImageId)> {
        let at = self.first_kept(lambda);
        let window: Range<usize> =
            at.saturating_sub(count)..at.saturating_add(count).min(self.sorted.len());
        let mut near = self.sorted[window].to_vec();
        near.sort_by(|a, b| (b.0 - lambda).abs().total_cmp(&(a.0 - lambda).abs()));
        near.split_off(near.len().saturating_sub(count))
    }
}

/// The open sets at one setting.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The model's `scores_revision` that this was made from.
    pub revision: u64,
    /// τ, recipe and detector; λ does not matter here.
    pub settings: Settings,
    /// Every set.
    pub sets: Vec<MeasuredSet>,
    /// ID against OOD; `None` where one of them has no score.
    pub separation: Option<Separation>,
    /// The λ that keeps 95 % of the ID images; `None` where none has a score.
    pub id_lambda: Option<f32>,
}

impl Measured {
    /// Sorts and compares.
    pub fn of(revision: u64, settings: Settings, sets: Vec<(ImageSet, SetResults)>) -> Self {
        let of_id = sets.iter().filter(|(set, _)| set.role == Role::Id);
        let of_id = of_id.flat_map(|(_, scores)| scores.scores.iter().map(|(score, _)| *score));
        let id_lambda = lambda_of(of_id, TPR).map(|found| found.0);
        let measured = |(set, scores): (ImageSet, SetResults)| {
            let rejected = scores.scores.iter().filter(|(s, _)| s.rejected.is_some()).count();
            let ranked = scores.scores.iter().map(|&(score, id)| (score.ranked, id));
            let mut sorted: Vec<(f32, ImageId)> = ranked.collect();
            sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            MeasuredSet {
                rejected,
                set: scores.set,
                title: set.title().to_owned(),
                role: set.role,
                sorted,
                pending: scores.pending,
                failed: scores.failed,
            }
        };
        let sets: Vec<MeasuredSet> = sets.into_iter().map(measured).collect();
        let scores = |set: &MeasuredSet| -> Vec<f32> { set.sorted.iter().map(|s| s.0).collect() };
        let of_role = |role: Role| sets.iter().filter(move |set| set.role == role);
        let id: Vec<f32> = of_role(Role::Id).flat_map(scores).collect();
        let ood: Vec<(&str, Vec<f32>)> =
            of_role(Role::Ood).map(|set| (set.title.as_str(), scores(set))).collect();
        let ood: Vec<(&str, &[f32])> = ood.iter().map(|(name, s)| (*name, s.as_slice())).collect();
        let separation = Separation::of(&id, &ood).ok();
        Self { revision, settings, sets, separation, id_lambda }
    }

    /// Images whose score is still to come.
    pub fn pending(&self) -> usize {
        self.sets.iter().map(|set| set.pending).sum()
    }

    /// What λ keeps and rejects, over all sets, in O(log n) for each; `None` unless there are sets of
    /// both roles.
    pub fn counts_at(&self, lambda: f32) -> Option<Confusion> {
        let has = |role| self.sets.iter().any(|set| set.role == role);
        if !has(Role::Id) || !has(Role::Ood) {
            return None;
        }
        let mut counts = Confusion { id_kept: 0, id_lost: 0, ood_caught: 0, ood_missed: 0 };
        for set in &self.sets {
            let rejected = set.first_kept(lambda);
            let kept = set.sorted.len() - rejected;
            match set.role {
                Role::Id => {
                    (counts.id_kept, counts.id_lost) =
                        (counts.id_kept + kept, counts.id_lost + rejected)
                }
                Role::Ood => {
                    (counts.ood_missed, counts.ood_caught) =
                        (counts.ood_missed + kept, counts.ood_caught + rejected)
                }
                Role::Unused => {}
            }
        }
        Some(counts)
    }

    /// Lowest and highest finite score.
    pub fn finite_range(&self) -> Option<(f32, f32)> {
        let bounds = |set: &MeasuredSet| {
            Some((set.sorted.get(set.hard_rejected().len())?.0, set.sorted.last()?.0))
        };
        self.sets.iter().filter_map(bounds).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    fn with_role(&self) -> impl Iterator<Item = &MeasuredSet> {
        self.sets.iter().filter(|set| set.role != Role::Unused)
    }

    /// The images whose scores lie nearest to λ, of every set that has a role, the nearest last.
    pub fn nearest(&self, lambda: f32, count: usize) -> Vec<ImageId> {
        let mut near: Vec<(f32, ImageId)> =
            self.with_role().flat_map(|set| set.nearest(lambda, count)).collect();
        near.sort_by(|a, b| (b.0 - lambda).abs().total_cmp(&(a.0 - lambda).abs()));
        let surplus = near.len().saturating_sub(count);
        near.drain(..surplus);
        near.into_iter().map(|(_, id)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::manifest::Recipe;
    use crate::score::verdict::{Rejection, Score};

    fn measured(id: &[f32], ood: &[f32]) -> Measured {
        let set = |name: &str, role, scores: &[f32]| {
            let score = |score: f32| match score.is_finite() {
                true => Score::of(score),
                false => Score::rejected(Rejection::NoKnownTag, score),
            };
            let scores = scores.iter().map(|&s| (score(s), ImageId::unique())).collect();
            (
                ImageSet { name: name.into(), folder: None, role },
                SetResults { scores, ..SetResults::default() },
            )
        };
        let sets = vec![set("id", Role::Id, id), set("near", Role::Ood, ood)];
        Measured::of(1, Settings::new(0.5, Recipe::Paper), sets)
    }

    #[test]
    fn counts_are_those_of_the_metrics() {
        let measured = measured(&[0.9, 0.5, 0.7], &[0.2, f32::NEG_INFINITY, 0.6, 0.5]);
        let separation = measured.separation.as_ref().unwrap();
        for lambda in [-1.0, 0.2, 0.5, 0.55, 0.9, 1.0] {
            let expected = separation.pooled.counts_at(f64::from(lambda));
            assert_eq!(measured.counts_at(lambda), Some(expected), "{lambda}");
        }
        assert_eq!(measured.finite_range(), Some((0.2, 0.9)));
        assert_eq!(measured.id_lambda, Some(0.5), "all three have to be kept for 95 %");
    }

    #[test]
    fn there_is_nothing_to_count_without_both_roles() {
        let mut measured = measured(&[0.9], &[0.2]);
        for role in [Role::Unused, Role::Ood] {
            measured.sets[0].role = role;
            assert!(measured.counts_at(0.5).is_none());
        }
    }

    #[test]
    fn the_most_wrong_come_first() {
        let measured = measured(&[0.9, 0.1, 0.3], &[0.2, 0.8, 0.6]);
        let wrong = |set: usize| -> Vec<f32> {
            measured.sets[set].wrong(0.5).iter().map(|(score, _)| *score).collect()
        };
        assert_eq!(wrong(0), [0.1, 0.3]);
        assert_eq!(wrong(1), [0.8, 0.6]);
        let near: Vec<f32> = measured.sets[0].nearest(0.32, 2).iter().map(|s| s.0).collect();
        assert_eq!(near, [0.1, 0.3]);
    }
}
