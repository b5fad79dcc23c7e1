//! Gaussians with one shared covariance, for the Mahalanobis detectors.
//!
//! With the eigendecomposition Σ = U Λ Uᵀ of a covariance (maximum likelihood: divided by N), the matrix
//! A = Λ^(−½) Uᵀ turns the Mahalanobis distance into a Euclidean one: (x−μ)ᵀ Σ⁺ (x−μ) = ‖A(x−μ)‖².
//! Directions whose variance is below [`CUTOFF`] of the largest are left out, which makes Σ⁺ the
//! pseudo-inverse. They exist whenever there are fewer samples than channels, and always after a
//! LayerNorm, whose outputs lie in a hyperplane; a plain inverse would blow up rounding errors there.

use faer::{Accum, Mat, Par, Side, linalg::matmul::matmul};

use super::{TrainingSet, class_means::class_means};
use crate::score::{
    Rows, Sample, ScoreError, Statistics,
    matrix::{nearest, normalised, products},
};

/// Variance, relative to the largest, below which a direction counts as having none. Rounding of `f32`
/// features leaves about 1e-14.
const CUTOFF: f64 = 1e-9;
/// Rows added to the covariance at a time.
const BLOCK: usize = 1024;

/// The names under which one family of Gaussians is kept.
pub(crate) struct Names {
    /// Mean of all features `[D]`.
    pub mean: &'static str,
    /// A of the covariance around the class means `[R, D]`.
    pub whitening: &'static str,
    /// Class means minus the mean of all `[P, D]`, P classes that have samples.
    pub class_offsets: &'static str,
    /// A of the covariance around the mean of all `[R, D]`.
    pub background: &'static str,
    /// Whether features are divided by their length first.
    pub normalised: bool,
}

/// Gaussians of the features as they are.
pub(crate) static PLAIN: Names = Names {
    mean: "gaussian.mean",
    whitening: "gaussian.whitening",
    class_offsets: "gaussian.class-offsets",
    background: "gaussian.background-whitening",
    normalised: false,
};

/// Gaussians of the features divided by their length.
pub(crate) static NORMALISED: Names = Names {
    mean: "gaussian-normalised.mean",
    whitening: "gaussian-normalised.whitening",
    class_offsets: "gaussian-normalised.class-offsets",
    background: "gaussian-normalised.background-whitening",
    normalised: true,
};

impl Names {
    /// The feature as this family sees it.
    pub(crate) fn prepared(&self, feature: &[f32]) -> Vec<f32> {
        if self.normalised { normalised(feature).collect() } else { feature.to_vec() }
    }

    /// Keeps mean, class offsets and the whitening around the class means, unless they are there.
    pub(crate) fn keep(
        &self,
        training: &TrainingSet<'_>,
        statistics: &mut Statistics,
    ) -> Result<(), ScoreError> {
        if statistics.get(self.whitening).is_some() {
            return Ok(());
        }
        let (data, width) = (self.prepared_rows(training), training.features.width());
        let rows = Rows::new("training.features", &data, width)?;
        let mean = rows.mean();
        let means = class_means(rows, training.labels, training.classes());
        let whitening = whitening(rows, |row| {
            means[training.labels[row]].as_deref().unwrap_or(mean.as_slice())
        })?;
        let offsets: Vec<f32> = means
            .iter()
            .flatten()
            .flat_map(|class| class.iter().zip(&mean).map(|(c, m)| (c - m) as f32))
            .collect();
        statistics.insert(self.mean, &[width], mean.iter().map(|&v| v as f32).collect())?;
        statistics.insert(self.class_offsets, &[offsets.len() / width, width], offsets)?;
        statistics.insert(self.whitening, &[whitening.len() / width, width], whitening)
    }

    /// Keeps the whitening around the mean of all, unless it is there.
    pub(crate) fn keep_background(
        &self,
        training: &TrainingSet<'_>,
        statistics: &mut Statistics,
    ) -> Result<(), ScoreError> {
        if statistics.get(self.background).is_some() {
            return Ok(());
        }
        let (data, width) = (self.prepared_rows(training), training.features.width());
        let rows = Rows::new("training.features", &data, width)?;
        let mean = rows.mean();
        let whitening = whitening(rows, |_| mean.as_slice())?;
        statistics.insert(self.background, &[whitening.len() / width, width], whitening)
    }

    fn prepared_rows(&self, training: &TrainingSet<'_>) -> Vec<f32> {
        training.features.iter().flat_map(|row| self.prepared(row)).collect()
    }
}

/// Whitened class means, ready to find the nearest.
pub(crate) struct Whitened {
    names: &'static Names,
    mean: Vec<f32>,
    whitening: Vec<f32>,
    /// Class means `[P, R]`, centered and whitened.
    classes: Vec<f32>,
}

impl Whitened {
    /// Reads what [`Names::keep`] kept.
    pub(crate) fn new(
        names: &'static Names,
        statistics: &Statistics,
        width: usize,
    ) -> Result<Self, ScoreError> {
        let mean = statistics.values(names.mean, &[width])?.to_vec();
        let whitening = statistics.values(names.whitening, &[0, width])?.to_vec();
        let offsets = statistics.values(names.class_offsets, &[0, width])?;
        let classes = products(offsets, &whitening, width);
        Ok(Self { names, mean, whitening, classes })
    }

    /// Features of a block as this family sees them, minus the mean of all, `[n, D]`.
    pub(crate) fn centered(&self, samples: &[Sample<'_>]) -> Vec<f32> {
        let rows = samples.iter().map(|sample| self.names.prepared(sample.feature));
        rows.flat_map(|row| row.into_iter().zip(&self.mean).map(|(v, m)| v - m)).collect()
    }

    /// Squared Mahalanobis distance of every centered row `[n, D]` to the nearest class mean, `[n]`.
    pub(crate) fn nearest_squares(&self, centered: &[f32]) -> Vec<f64> {
        let width = self.mean.len();
        let rank = self.whitening.len() / width;
        if rank == 0 || self.classes.is_empty() {
            return vec![0.0; centered.len() / width];
        }
        let whitened = products(centered, &self.whitening, width);
        nearest(&whitened, &self.classes, rank).into_iter().map(|d| d * d).collect()
    }
}

/// A `[R, D]` of the covariance of the rows around the center of each; R = 0 if they never leave it.
fn whitening<'a>(
    rows: Rows<'_>,
    center: impl Fn(usize) -> &'a [f64],
) -> Result<Vec<f32>, ScoreError> {
    let (variances, axes) = principal_axes(rows, center)?;
    let largest = variances.first().copied().unwrap_or_default();
    let kept = variances.iter().zip(&axes).take_while(|(v, _)| **v > CUTOFF * largest);
    let scaled = kept.flat_map(|(variance, axis)| {
        let scale = 1.0 / variance.sqrt();
        axis.iter().map(move |v| (v * scale) as f32)
    });
    Ok(scaled.collect())
}

/// Variances in descending order and the unit axes `[D, D]` they belong to, of the rows around the
/// center of each.
pub(crate) fn principal_axes<'a>(
    rows: Rows<'_>,
    center: impl Fn(usize) -> &'a [f64],
) -> Result<(Vec<f64>, Vec<Vec<f64>>), ScoreError> {
    let width = rows.width();
    let mut covariance = Mat::<f64>::zeros(width, width);
    for start in (0..rows.len()).step_by(BLOCK) {
        let block = Mat::from_fn(BLOCK.min(rows.len() - start), width, |i, j| {
            f64::from(rows.row(start + i)[j]) - center(start + i)[j]
        });
        let weight = 1.0 / rows.len() as f64;
        matmul(&mut covariance, Accum::Add, block.transpose(), &block, weight, Par::rayon(0));
    }
    let eigen = covariance
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| ScoreError::Decomposition { what: "the covariance of the features" })?;
    let variances = eigen.S().column_vector().iter().copied().rev().collect();
    let axes = (0..width).rev().map(|k| eigen.U().col(k).iter().copied().collect()).collect();
    Ok((variances, axes))
}
