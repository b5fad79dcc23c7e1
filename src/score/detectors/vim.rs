use std::sync::Arc;

use faer::MatRef;

use crate::score::{
    Detector, Head, Info, Input, Parameter, Sample, ScoreError, Scorer, Statistics, TrainingSet,
    fitting::gaussian::principal_axes,
    logits::{log_sum_exp, max},
    matrix::{norm, products},
};

const ORIGIN: &str = "vim.origin";
const RESIDUAL: &str = "vim.residual-axes";
const ALPHA: &str = "vim.alpha";
const SHARE: f64 = 0.5;
/// Singular values of the classifier below this share of the largest count as zero.
const CUTOFF: f64 = 1e-6;

static INFO: Info = Info {
    id: "vim",
    name: "ViM",
    paper: "Wang, Li, Feng & Zhang, ViM: Out-Of-Distribution with Virtual-logit Matching, CVPR 2022",
    formula: "log Σ_c exp(logits_c) − α‖Rᵀ(f − o)‖₂, o = −W⁺b, R the residual axes of f − o",
    needs: &[Input::Feature, Input::ClassLogits],
    parameters: &[Parameter {
        name: "principal share",
        value: SHARE,
        meaning: "share of the D channels in the principal space (OpenOOD's for D = 512); 1000 \
                  dimensions if D ≥ 2048 and 512 if D ≥ 768, as in the authors' code",
    }],
    range: (f32::NEG_INFINITY, f32::INFINITY),
};

/// Energy minus a virtual logit: the length of the part of the feature that the principal space of the
/// training features misses, seen from the point o where the classifier answers with zero.
///
/// α makes the mean virtual logit of the training images equal to their mean largest logit. If the
/// training features leave no residual α is 0 and the score is the energy.
pub(super) struct Vim;

struct VimScorer {
    origin: Vec<f32>,
    residual: Vec<f32>,
    alpha: f64,
}

impl Detector for Vim {
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
        let width = training.features.width();
        let origin = origin(training.head)?;
        let (_, axes) = principal_axes(training.features, |_| origin.as_slice())?;
        let residual: Vec<f32> =
            axes[dimensions(width)..].iter().flatten().map(|&v| v as f32).collect();
        let origin: Vec<f32> = origin.into_iter().map(|v| v as f32).collect();
        let lengths: f64 =
            training.features.iter().map(|row| residual_length(row, &origin, &residual)).sum();
        let largest: f64 = training.class_logits.iter().map(|row| f64::from(max(row))).sum();
        let alpha = if lengths > 0.0 { largest / lengths } else { 0.0 };
        statistics.insert(ALPHA, &[1], vec![alpha as f32])?;
        statistics.insert(ORIGIN, &[width], origin)?;
        statistics.insert(RESIDUAL, &[residual.len() / width, width], residual)
    }

    fn bind(
        &self,
        statistics: &Statistics,
        head: &Arc<Head>,
    ) -> Result<Box<dyn Scorer>, ScoreError> {
        let width = head.width();
        let origin = statistics.values(ORIGIN, &[width])?.to_vec();
        let residual = statistics.values(RESIDUAL, &[0, width])?.to_vec();
        let alpha = f64::from(statistics.scalar(ALPHA)?);
        Ok(Box::new(VimScorer { origin, residual, alpha }))
    }
}

impl Scorer for VimScorer {
    fn score_block(&self, samples: &[Sample<'_>]) -> Vec<f32> {
        let scores = samples.iter().map(|sample| {
            let length = residual_length(sample.feature, &self.origin, &self.residual);
            (log_sum_exp(sample.class_logits) - self.alpha * length) as f32
        });
        scores.collect()
    }
}

/// Dimensions of the principal space for features of this width.
fn dimensions(width: usize) -> usize {
    match width {
        2048.. => 1000,
        768.. => 512,
        _ => (SHARE * width as f64) as usize,
    }
}

/// ‖Rᵀ(f − o)‖.
fn residual_length(feature: &[f32], origin: &[f32], residual: &[f32]) -> f64 {
    let offset: Vec<f32> = feature.iter().zip(origin).map(|(f, o)| f - o).collect();
    norm(&products(&offset, residual, origin.len()))
}

/// The point −W⁺b that the classifier maps nearest to zero, `[D]`.
fn origin(head: &Head) -> Result<Vec<f64>, ScoreError> {
    let weight = MatRef::from_row_major_slice(head.weight(), head.classes(), head.width());
    let weight = faer::Mat::from_fn(head.classes(), head.width(), |i, j| f64::from(weight[(i, j)]));
    let svd = weight
        .thin_svd()
        .map_err(|_| ScoreError::Decomposition { what: "the classifier's weight" })?;
    let sizes: Vec<f64> = svd.S().column_vector().iter().copied().collect();
    let largest = sizes.first().copied().unwrap_or_default();
    let mut origin = vec![0.0; head.width()];
    for (k, size) in sizes.into_iter().enumerate().filter(|(_, size)| *size > CUTOFF * largest) {
        let bias = head.bias().iter().map(|&b| f64::from(b));
        let along: f64 = svd.U().col(k).iter().zip(bias).map(|(u, b)| u * b).sum();
        origin.iter_mut().zip(svd.V().col(k).iter()).for_each(|(o, v)| *o -= along / size * v);
    }
    Ok(origin)
}
