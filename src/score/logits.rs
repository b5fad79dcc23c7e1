//! Softmax and its kin, safe against overflow.

/// Largest value; −∞ for an empty row.
pub(super) fn max(row: &[f32]) -> f32 {
    row.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

/// Index of the largest value, the first of equals; 0 for an empty row.
pub(crate) fn argmax(row: &[f32]) -> usize {
    row.iter().enumerate().fold(0, |best, (i, &v)| if v > row[best] { i } else { best })
}

/// log Σ exp(v).
pub(super) fn log_sum_exp(row: &[f32]) -> f64 {
    let top = f64::from(max(row));
    top + row.iter().map(|&v| (f64::from(v) - top).exp()).sum::<f64>().ln()
}

/// v − log Σ exp(v).
pub(super) fn log_softmax(row: &[f32]) -> impl Iterator<Item = f32> {
    let total = log_sum_exp(row);
    row.iter().map(move |&v| (f64::from(v) - total) as f32)
}

/// exp(v / temperature) over its sum.
pub(crate) fn softmax(row: &[f32], temperature: f64) -> Vec<f64> {
    let top = f64::from(max(row));
    let powers: Vec<f64> =
        row.iter().map(|&v| ((f64::from(v) - top) / temperature).exp()).collect();
    let total: f64 = powers.iter().sum();
    powers.into_iter().map(|p| p / total).collect()
}
