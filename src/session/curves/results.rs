//! What surveys bring: all detectors at the present τ, and the present detector over τ.

use std::collections::{BTreeMap, HashMap};

use super::pinned::Pin;
use crate::bundle::manifest::Recipe;
use crate::eval::metrics::Metrics;
use crate::eval::separation::{CurvePoint, Separation};
use crate::pipeline::{FeatureChoice, Features};
use crate::score::Info;
use crate::score::verdict::Score;
use crate::session::sets::Role;
use crate::worker::ImageId;

/// Steps of the sweep over τ.
const STEPS: usize = 20;

/// One detector on the open sets.
#[derive(Clone, Debug)]
pub struct DetectorRow {
    /// The detector.
    pub info: &'static Info,
    /// Every metric against each OOD set, in the order of [`DetectorTable::sets`].
    pub sets: Vec<Metrics>,
    /// Their mean.
    pub mean: Metrics,
    /// The ROC curve against each OOD set.
    pub curves: Vec<Vec<CurvePoint>>,
    /// The mean curve.
    pub mean_curve: Vec<CurvePoint>,
}

/// What a survey's results hold for.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::session) enum SurveySubject {
    Detectors {
        data: u64,
        recipe: Recipe,
        features: Features,
    },
    Sweep {
        data: u64,
        recipe: Recipe,
        kind: FeatureChoice,
        detector: String,
    },
    /// The setting that a session kept.
    Pin(Pin),
}

/// All detectors on the open sets, at the present τ and recipe.
#[derive(Clone, Debug, Default)]
pub struct DetectorTable {
    /// The OOD sets' names.
    pub sets: Vec<String>,
    /// A row for each detector that can score, in the registry's order.
    pub rows: Vec<DetectorRow>,
    /// Images done, and all.
    pub progress: (usize, usize),
    /// Whether every image is in it.
    pub complete: bool,
    pub(in crate::session) subject: Option<SurveySubject>,
}

/// The present detector at one τ.
#[derive(Clone, Debug)]
pub struct SweepPoint {
    /// Relevance threshold.
    pub tau: f32,
    /// Every metric against each OOD set, by its name.
    pub sets: Vec<(String, Metrics)>,
    /// Their mean.
    pub mean: Metrics,
}

/// The present detector over τ.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    /// What is there so far, by step.
    pub points: BTreeMap<usize, SweepPoint>,
    /// The images of all sets, and those looked at where sets are sampled.
    pub images: (usize, usize),
    pub(in crate::session) subject: Option<SurveySubject>,
}

impl Sweep {
    /// All steps.
    pub fn steps(&self) -> usize {
        STEPS + 1
    }

    /// Whether every step is there.
    pub fn is_complete(&self) -> bool {
        self.points.len() == STEPS + 1
    }
}

/// τ at a step of the sweep.
pub(in crate::session) fn tau_at(step: usize) -> f32 {
    step as f32 / STEPS as f32
}

/// The steps, coarse ones first, so that the curve's shape shows early.
pub(in crate::session) fn steps() -> impl Iterator<Item = usize> {
    let coarse = [10, 0, 20, 5, 15];
    let rest = (0..=STEPS).filter(move |step| !coarse.contains(step));
    coarse.into_iter().chain(rest.clone().filter(|s| s % 2 == 0)).chain(rest.filter(|s| s % 2 == 1))
}

/// One set's scores, by its place in the list of sets.
pub(in crate::session) type Labels = (Vec<(String, Role)>, Vec<usize>);

/// At most `limit` images of each set.
pub(in crate::session) fn sampled(
    images: Vec<(usize, ImageId)>,
    limit: usize,
) -> Vec<(usize, ImageId)> {
    let mut taken: HashMap<usize, usize> = HashMap::new();
    let mut room = |set: usize| {
        let taken = taken.entry(set).or_default();
        *taken += 1;
        *taken <= limit
    };
    images.into_iter().filter(|&(set, _)| room(set)).collect()
}

pub(in crate::session) fn separate(
    (sets, places): &Labels,
    scores: &[Score],
) -> Option<Separation> {
    let mut of_set: Vec<Vec<f32>> = vec![Vec::new(); sets.len()];
    for (&place, score) in places.iter().zip(scores) {
        if let Some(of_set) = of_set.get_mut(place) {
            of_set.push(score.ranked);
        }
    }
    let of_role =
        |role: Role| sets.iter().zip(&of_set).filter(move |((_, other), _)| *other == role);
    let id: Vec<f32> = of_role(Role::Id).flat_map(|(_, scores)| scores.iter().copied()).collect();
    let ood: Vec<(&str, &[f32])> =
        of_role(Role::Ood).map(|((name, _), scores)| (name.as_str(), scores.as_slice())).collect();
    Separation::of(&id, &ood).ok()
}

pub(in crate::session) fn row(id: &str, separation: Separation) -> Option<DetectorRow> {
    let info = crate::score::by_name(id).ok()?.info();
    let (mean, mean_curve) = (separation.mean, separation.mean_curve);
    let (sets, curves) = separation.sets.into_iter().map(|set| (set.metrics, set.curve)).unzip();
    Some(DetectorRow { info, sets, mean, curves, mean_curve })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_comes_once_and_coarse_ones_first() {
        let mut order: Vec<usize> = steps().collect();
        assert_eq!(order[..3], [10, 0, 20]);
        order.sort_unstable();
        assert_eq!(order, (0..=STEPS).collect::<Vec<_>>());
        assert_eq!(tau_at(10), 0.5);
    }

    #[test]
    fn large_sets_are_sampled() {
        let images = (0..100).map(|at| (at % 2, ImageId::unique())).collect();
        assert_eq!(sampled(images, 10).len(), 20);
    }
}
