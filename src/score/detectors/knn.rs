use std::sync::Arc;

use crate::score::{
    Detector, Head, Info, Input, Parameter, Sample, ScoreError, Scorer, Statistics, TrainingSet,
    fitting::bank,
    matrix::{distance, normalised, products},
};

const NEIGHBOUR: usize = 50;
/// On a smaller bank the neighbour asked for is one in this many.
const SHARE: usize = 20;

static INFO: Info = Info {
    id: "knn",
    name: "KNN",
    paper: "Sun, Ming, Zhu & Li, Out-of-Distribution Detection with Deep Nearest Neighbors, ICML 2022",
    formula: "−‖z − z_(k)‖₂, z = f / ‖f‖₂, z_(k) the k-th nearest training feature",
    needs: &[Input::Feature],
    parameters: &[
        Parameter {
            name: "k",
            value: NEIGHBOUR as f64,
            meaning: "which neighbour (the value of OpenOOD; the paper has 1000 for all of ImageNet); \
                      bank/20, at least 1, where the bank has fewer than 1000 features",
        },
        Parameter {
            name: "bank",
            value: bank::CAPACITY as f64,
            meaning: "training features kept at most, a seeded choice; chosen here",
        },
    ],
    range: (-2.0, 0.0),
};

/// Distance to the k-th nearest training feature, negated, all features divided by their length.
///
/// A zero feature has no direction: it lies at distance 1 from all of them and scores −1.
pub(super) struct Knn;

struct KnnScorer {
    bank: Vec<f32>,
    width: usize,
    k: usize,
}

impl Detector for Knn {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn fit(
        &self,
        training: &TrainingSet<'_>,
        statistics: &mut Statistics,
    ) -> Result<(), ScoreError> {
        bank::keep(training, statistics)
    }

    fn bind(
        &self,
        statistics: &Statistics,
        head: &Arc<Head>,
    ) -> Result<Box<dyn Scorer>, ScoreError> {
        let width = head.width();
        let bank = statistics.values(bank::FEATURES, &[0, width])?.to_vec();
        let k = (bank.len() / width / SHARE).clamp(1, NEIGHBOUR);
        Ok(Box::new(KnnScorer { bank, width, k }))
    }
}

impl Scorer for KnnScorer {
    fn score_block(&self, samples: &[Sample<'_>]) -> Vec<f32> {
        let size = self.bank.len() / self.width;
        if size == 0 {
            return vec![INFO.range.0; samples.len()];
        }
        let rows: Vec<f32> = samples.iter().flat_map(|s| normalised(s.feature)).collect();
        let cosines = products(&rows, &self.bank, self.width);
        let mut order: Vec<usize> = (0..size).collect();
        let blocks = rows.chunks_exact(self.width).zip(cosines.chunks_exact(size));
        let scores = blocks.map(|(row, cosines)| {
            let by_cosine = |a: &usize, b: &usize| cosines[*b].total_cmp(&cosines[*a]);
            let (_, &mut found, _) = order.select_nth_unstable_by(self.k - 1, by_cosine);
            // the cosine has too few digits left for a small distance
            -distance(row, &self.bank[found * self.width..][..self.width]) as f32
        });
        scores.collect()
    }
}
