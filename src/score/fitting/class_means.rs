//! Means of the training rows of each class.

use crate::score::{Rows, ScoreError, Statistics};

/// Class means of the mean object tokens `[P, W]`, P classes that have samples.
pub(crate) const OBJECT_TOKEN: &str = "object-token.class-means";
/// Class means of the cross-entropy projector's features `[P, E]`.
pub(crate) const CE_FEATURE: &str = "ce-feature.class-means";

/// Mean of the rows of each class in `f64`, `None` for a class without rows.
pub(crate) fn class_means(
    rows: Rows<'_>,
    labels: &[usize],
    classes: usize,
) -> Vec<Option<Vec<f64>>> {
    let mut sums = vec![vec![0.0; rows.width()]; classes];
    let mut counts = vec![0_usize; classes];
    for (row, &label) in rows.iter().zip(labels) {
        sums[label].iter_mut().zip(row).for_each(|(sum, &v)| *sum += f64::from(v));
        counts[label] += 1;
    }
    let means = sums.into_iter().zip(counts).map(|(mut sum, count)| {
        sum.iter_mut().for_each(|v| *v /= count as f64);
        (count > 0).then_some(sum)
    });
    means.collect()
}

/// Keeps under `name` the means of the classes that have rows.
pub(crate) fn keep(
    name: &str,
    rows: Rows<'_>,
    labels: &[usize],
    classes: usize,
    statistics: &mut Statistics,
) -> Result<(), ScoreError> {
    let means: Vec<f32> = class_means(rows, labels, classes)
        .into_iter()
        .flatten()
        .flatten()
        .map(|v| v as f32)
        .collect();
    statistics.insert(name, &[means.len() / rows.width(), rows.width()], means)
}
