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
    /// Whether features are a CLIP's, which texts are compared with by their angle alone.
    is_clip: bool,
}

impl Form {
    pub(super) fn of(task: &EmbeddingTask) -> Self {
        Self { metric: task.metric, patterns: task.patterns, is_clip: task.texts.is_some() }
    }

    /// The images' points in both spaces. Of a tagger, the mean of the kept object tokens `[n, 512]`,
    /// and the projected feature `[n, D]`. Of a CLIP, the image's own feature and the mean of the kept
    /// patches', `[n, D]` both. An image that was removed meanwhile lies at the origin.
    pub(super) fn points(self, images: &[EmbeddedImage], recall: &Recall) -> [Matrix; SPACES] {
        if self.is_clip {
            return self.points_of_clip(images, recall);
        }
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

    fn points_of_clip(self, images: &[EmbeddedImage], recall: &Recall) -> [Matrix; SPACES] {
        let both = |image: &EmbeddedImage| {
            let seen = recall(image.id)?;
            let (own, patches) = seen.tokens.split_at_checked(seen.width)?;
            let mask = image.analysis.decomposition.mask.get(1..)?;
            Some([own.to_vec(), mean_token(patches, seen.width, mask)])
        };
        let both: Vec<Option<[Vec<f32>; SPACES]>> = images.par_iter().map(both).collect();
        let width = both.iter().flatten().map(|[own, _]| own.len()).next().unwrap_or(1);
        [0, 1].map(|space| {
            let of = |both: &Option<[Vec<f32>; SPACES]>| match both {
                Some(both) => both[space].clone(),
                None => vec![0.0; width],
            };
            self.shaped(Matrix { values: both.iter().flat_map(of).collect(), width }, 1)
        })
    }

    /// Class centers `[C, D]` in the form of features after projection.
    pub(super) fn centers(self, values: &[f32], width: usize) -> Vec<f32> {
        self.shaped(Matrix { values: values.to_vec(), width }, self.patterns).values
    }

    /// Unit length for each of `groups` channel groups makes squared distances a linear function of
    /// the groups' mean cosine.
    fn shaped(self, mut matrix: Matrix, groups: usize) -> Matrix {
        let group = matrix.width / groups.max(1);
        if (self.metric == FeatureDistance::Cosine || self.is_clip) && group > 0 {
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
