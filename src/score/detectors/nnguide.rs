use std::sync::Arc;

use crate::score::{
    Detector, Head, Info, Input, Parameter, Sample, ScoreError, Scorer, Statistics, TrainingSet,
    fitting::bank,
    logits::log_sum_exp,
    matrix::{normalised, products},
};

const NEIGHBOURS: usize = 10;
const FRACTION: f64 = 0.01;
/// Fewer bank features than this are not worth the name.
const SMALLEST_BANK: usize = 1000;
const SIZE: &str = "nnguide.bank-size";

static INFO: Info = Info {
    id: "nnguide",
    name: "NNGuide",
    paper: "Park, Jung & Teoh, Nearest Neighbor Guidance for Out-of-Distribution Detection, ICCV 2023",
    formula: "E(x) · mean over the k largest of E(x_i)·cos(f, f_i), E = log Σ_c exp(logits_c)",
    needs: &[Input::Feature, Input::ClassLogits],
    parameters: &[
        Parameter { name: "k", value: NEIGHBOURS as f64, meaning: "neighbours averaged" },
        Parameter {
            name: "α",
            value: FRACTION,
            meaning: "fraction of the training images in the bank; here at least 1000 of them, or all",
        },
    ],
    range: (f32::NEG_INFINITY, f32::INFINITY),
};

/// Energy guided by the neighbours: multiplied by the mean of the k largest products of a training
/// image's energy and the cosine with its feature.
///
/// A zero feature scores 0. Where energies are negative the product of two of them is positive, as in
/// the paper, which supposes confident classifiers.
pub(super) struct NnGuide;

struct NnGuideScorer {
    /// Normalised features times energies `[M, D]`.
    guides: Vec<f32>,
    width: usize,
}

impl Detector for NnGuide {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn fit(
        &self,
        training: &TrainingSet<'_>,
        statistics: &mut Statistics,
    ) -> Result<(), ScoreError> {
        bank::keep(training, statistics)?;
        let size = (FRACTION * training.labels.len() as f64).ceil().max(SMALLEST_BANK as f64);
        statistics.insert(SIZE, &[1], vec![size.min(bank::CAPACITY as f64) as f32])
    }

    fn bind(
        &self,
        statistics: &Statistics,
        head: &Arc<Head>,
    ) -> Result<Box<dyn Scorer>, ScoreError> {
        let width = head.width();
        let features = statistics.values(bank::FEATURES, &[0, width])?;
        let energies = statistics.values(bank::ENERGY, &[features.len() / width])?;
        let rows = features.chunks_exact(width).zip(energies);
        let guides = rows
            .take(statistics.scalar(SIZE)? as usize)
            .flat_map(|(row, energy)| row.iter().map(move |v| v * energy))
            .collect();
        Ok(Box::new(NnGuideScorer { guides, width }))
    }
}

impl Scorer for NnGuideScorer {
    fn score_block(&self, samples: &[Sample<'_>]) -> Vec<f32> {
        let size = self.guides.len() / self.width;
        if size == 0 {
            return vec![0.0; samples.len()];
        }
        let rows: Vec<f32> = samples.iter().flat_map(|s| normalised(s.feature)).collect();
        let mut products = products(&rows, &self.guides, self.width);
        let k = NEIGHBOURS.min(size);
        let scores = samples.iter().zip(products.chunks_exact_mut(size)).map(|(sample, row)| {
            row.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
            let guidance = row[..k].iter().map(|&v| f64::from(v)).sum::<f64>() / k as f64;
            (guidance * log_sum_exp(sample.class_logits)) as f32
        });
        scores.collect()
    }
}
