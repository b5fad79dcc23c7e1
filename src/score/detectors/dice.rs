use std::sync::Arc;

use super::shaped_energy::{energies, features};
use crate::score::{
    Detector, Head, Info, Input, Parameter, Sample, ScoreError, Scorer, Statistics, TrainingSet,
    fitting::bank::percentile,
};

const SPARSITY: f64 = 90.0;
const MEAN: &str = "dice.mean-feature";

static INFO: Info = Info {
    id: "dice",
    name: "DICE",
    paper: "Sun & Li, DICE: Leveraging Sparsification for Out-of-Distribution Detection, ECCV 2022",
    formula: "log Σ_c exp(((W ∘ M)·feature + b)_c), M = [W ∘ mean feature > its p-th percentile]",
    needs: &[Input::Feature],
    parameters: &[Parameter {
        name: "p",
        value: SPARSITY,
        meaning: "percent of the classifier's weights that are set to zero",
    }],
    range: (f32::NEG_INFINITY, f32::INFINITY),
};

/// Energy of a sparse classifier: only the weights with the largest mean contribution W_cd · mean(f_d)
/// over the training images stay, strictly above the percentile over all classes and channels.
pub(super) struct Dice;

struct DiceScorer {
    head: Arc<Head>,
    weight: Vec<f32>,
}

impl Detector for Dice {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn reads_head(&self) -> bool {
        true
    }

    fn fit(
        &self,
        training: &TrainingSet<'_>,
        statistics: &mut Statistics,
    ) -> Result<(), ScoreError> {
        let mean = training.features.mean();
        statistics.insert(MEAN, &[mean.len()], mean.into_iter().map(|v| v as f32).collect())
    }

    fn bind(
        &self,
        statistics: &Statistics,
        head: &Arc<Head>,
    ) -> Result<Box<dyn Scorer>, ScoreError> {
        let mean = statistics.values(MEAN, &[head.width()])?;
        let rows = head.weight().chunks_exact(head.width());
        let contributions: Vec<f32> =
            rows.flat_map(|row| row.iter().zip(mean).map(|(w, m)| w * m)).collect();
        let threshold = percentile(&mut contributions.clone(), SPARSITY);
        let kept = head.weight().iter().zip(&contributions);
        let weight = kept.map(|(&w, &c)| if c > threshold { w } else { 0.0 }).collect();
        Ok(Box::new(DiceScorer { head: Arc::clone(head), weight }))
    }
}

impl Scorer for DiceScorer {
    fn score_block(&self, samples: &[Sample<'_>]) -> Vec<f32> {
        let logits = self.head.logits_with(&self.weight, &features(samples));
        energies(&logits, self.head.classes())
    }
}
