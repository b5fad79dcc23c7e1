//! From analyses to the matrices that t-SNE takes.

use rayon::prelude::*;

use super::{EmbeddedImage, EmbeddingTask, FeatureDistance, Recall, SPACES};
use crate::decompose::mean_token;

/// Points of one space, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Matrix {
    /// `[points, width]`.
    pub values: Vec<f32>,
    /// Dimensions of a point.
    pub width: usize,
}

impl Matrix {
    /// Number of points.
    pub(super) fn len(&self) -> usize {
        self.values.len() / self.width.max(1)
    }
}

/// How features are brought into the form that distances are taken in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    metric: FeatureDistance,
    patterns: usize,
}

impl Form {
    pub(super) fn of(task: &EmbeddingTask) -> Self {
        Self { metric: task.metric, patterns: task.patterns }
    }

    /// The images' points in both spaces: the mean of the kept object tokens `[n, 512]`, and the
    /// projected feature `[n, D]`. An image that was removed meanwhile lies at the origin.
    pub(super) fn points(self, images: &[EmbeddedImage], recall: &Recall) -> [Matrix; SPACES] {
        let mean = |image: &EmbeddedImage| {
            let tagged = recall(image.id)?;
            Some(mean_token(&tagged.tokens, tagged.width, &image.analysis.decomposition.mask))
        };
        let means: Vec<Option<Vec<f32>>> = images.par_iter().map(mean).collect();
        let width = means.iter().flatten().map(Vec::len).next().unwrap_or(1);
        let before = means.into_iter().flat_map(|mean| mean.unwrap_or_else(|| vec![0.0; width]));
        let before = before.collect();
        let after = images.iter().filter_map(|image| image.analysis.projected.as_ref());
        let after = after.flat_map(|projected| &projected.feature).copied().collect();
        let matrix =
            |values: Vec<f32>| Matrix { width: values.len() / images.len().max(1), values };
        [self.shaped(matrix(before), 1), self.shaped(matrix(after), self.patterns)]
    }

    /// Class centers `[C, D]` in the form of features after projection.
    pub(super) fn centers(self, values: &[f32], width: usize) -> Vec<f32> {
        self.shaped(Matrix { values: values.to_vec(), width }, self.patterns).values
    }

    /// Unit length for each of `groups` channel groups makes squared distances a linear function of
    /// the groups' mean cosine.
    fn shaped(self, mut matrix: Matrix, groups: usize) -> Matrix {
        let group = matrix.width / groups.max(1);
        if self.metric == FeatureDistance::Cosine && group > 0 {
            for channels in matrix.values.chunks_mut(group) {
                let norm = channels.iter().map(|x| x * x).sum::<f32>().sqrt();
                if norm > 0.0 {
                    channels.iter_mut().for_each(|x| *x /= norm);
                }
            }
        }
        matrix
    }
}
