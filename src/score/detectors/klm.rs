use std::sync::Arc;

use crate::score::{
    Detector, Head, Info, Input, Sample, ScoreError, Scorer, Statistics, TrainingSet,
    logits::{argmax, softmax},
    matrix::{dot, most_similar},
};

const LOG_TEMPLATES: &str = "klm.log-templates";
/// Mean probabilities below this count as this, so that its logarithm is finite.
const SMALLEST: f64 = 1e-30;

static INFO: Info = Info {
    id: "klm",
    name: "KL-matching",
    paper: "Hendrycks et al., Scaling Out-of-Distribution Detection for Real-World Settings, ICML 2022",
    formula: "−min_k KL(softmax(logits) ‖ d_k), d_k the mean softmax of training images predicted as k",
    needs: &[Input::ClassLogits],
    parameters: &[],
    range: (f32::NEG_INFINITY, 0.0),
};

/// Divergence of the prediction from the nearest of the class templates, negated.
///
/// The template of class k is the mean softmax of the images that are predicted as k, right or wrong;
/// the paper takes validation images for it, here they are the training images. Classes that are never
/// predicted have no template.
pub(super) struct KlMatching;

struct KlMatchingScorer {
    log_templates: Vec<f32>,
    classes: usize,
}

impl Detector for KlMatching {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn fit(
        &self,
        training: &TrainingSet<'_>,
        statistics: &mut Statistics,
    ) -> Result<(), ScoreError> {
        let classes = training.classes();
        let mut templates = vec![(0_usize, vec![0.0; classes]); classes];
        for logits in training.class_logits.iter() {
            let (count, sum) = &mut templates[argmax(logits)];
            *count += 1;
            sum.iter_mut().zip(softmax(logits, 1.0)).for_each(|(sum, p)| *sum += p);
        }
        let logs: Vec<f32> = templates
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .flat_map(|(count, sum)| {
                sum.into_iter().map(move |p| (p / count as f64).max(SMALLEST).ln() as f32)
            })
            .collect();
        statistics.insert(LOG_TEMPLATES, &[logs.len() / classes, classes], logs)
    }

    fn bind(
        &self,
        statistics: &Statistics,
        head: &Arc<Head>,
    ) -> Result<Box<dyn Scorer>, ScoreError> {
        let classes = head.classes();
        let log_templates = statistics.values(LOG_TEMPLATES, &[0, classes])?.to_vec();
        Ok(Box::new(KlMatchingScorer { log_templates, classes }))
    }
}

impl Scorer for KlMatchingScorer {
    fn score_block(&self, samples: &[Sample<'_>]) -> Vec<f32> {
        let rows: Vec<f32> = samples
            .iter()
            .flat_map(|sample| softmax(sample.class_logits, 1.0).into_iter().map(|p| p as f32))
            .collect();
        let nearest = most_similar(&rows, &self.log_templates, self.classes, |_| 0.0);
        let scores = rows.chunks_exact(self.classes).zip(nearest).map(|(p, best)| {
            let template = &self.log_templates[best * self.classes..][..self.classes];
            // 0 log 0 = 0
            let terms = p.iter().filter(|&&p| p > 0.0).map(|&p| f64::from(p) * f64::from(p).ln());
            (dot(p, template) - terms.sum::<f64>()).min(0.0) as f32
        });
        scores.collect()
    }
}
