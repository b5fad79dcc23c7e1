//! Row-major matrices: a borrowed view and the few products that detectors need.

use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};

use super::{ScoreError, logits::argmax};

/// A borrowed row-major matrix `[len, width]`, one row a sample.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    data: &'a [f32],
    len: usize,
    width: usize,
}

impl<'a> Rows<'a> {
    /// Views `data` as rows of `width` values.
    ///
    /// # Errors
    ///
    /// `data` is not a whole number of rows.
    pub fn new(name: &str, data: &'a [f32], width: usize) -> Result<Self, ScoreError> {
        if width == 0 || !data.len().is_multiple_of(width) {
            let (expected, found) = (vec![0, width], vec![data.len()]);
            return Err(ScoreError::Shape { name: name.to_owned(), expected, found });
        }
        Ok(Self { data, len: data.len() / width, width })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Values in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// All values, row after row.
    pub fn data(&self) -> &'a [f32] {
        self.data
    }

    /// One row.
    pub fn row(&self, index: usize) -> &'a [f32] {
        &self.data[index * self.width..][..self.width]
    }

    /// Mean of all rows, summed in `f64`.
    pub fn mean(&self) -> Vec<f64> {
        let mut mean = vec![0.0; self.width];
        for row in self.iter() {
            mean.iter_mut().zip(row).for_each(|(sum, &v)| *sum += f64::from(v));
        }
        mean.iter_mut().for_each(|sum| *sum /= self.len as f64);
        mean
    }

    /// The rows in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [f32]> + use<'a> {
        self.data.chunks_exact(self.width)
    }
}

/// `rows · matrixᵀ`: the inner product of every row `[n, k]` with every row of `matrix` `[m, k]`, as
/// `[n, m]`. Runs on the calling thread: blocks of samples are what is shared out.
pub(crate) fn products(rows: &[f32], matrix: &[f32], k: usize) -> Vec<f32> {
    let (n, m) = (rows.len() / k, matrix.len() / k);
    let mut out = vec![0.0; n * m];
    matmul(
        MatMut::from_row_major_slice_mut(&mut out, n, m),
        Accum::Replace,
        MatRef::from_row_major_slice(rows, n, k),
        MatRef::from_row_major_slice(matrix, m, k).transpose(),
        1.0,
        Par::Seq,
    );
    out
}

/// Sum over the pairs of two equally long rows, in `f64`.
pub(super) fn sum_over_pairs(a: &[f32], b: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    // independent partial sums let the compiler use vector instructions
    let mut lanes = [0.0; 8];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.iter().zip(b) {
        for i in 0..8 {
            lanes[i] += term(f64::from(a[i]), f64::from(b[i]));
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(&a, &b)| term(f64::from(a), f64::from(b)));
    lanes.iter().sum::<f64>() + rest.sum::<f64>()
}

/// Inner product, summed in `f64`.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f64 {
    sum_over_pairs(a, b, |a, b| a * b)
}

/// Euclidean distance, summed in `f64`.
pub(super) fn distance(a: &[f32], b: &[f32]) -> f64 {
    sum_over_pairs(a, b, |a, b| (a - b) * (a - b)).sqrt()
}

/// Euclidean length, summed in `f64`.
pub(super) fn norm(a: &[f32]) -> f64 {
    dot(a, a).sqrt()
}

/// `a` over its length; a zero vector stays zero.
pub(crate) fn normalised(a: &[f32]) -> impl Iterator<Item = f32> {
    let length = norm(a);
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    a.iter().map(move |&v| (f64::from(v) * scale) as f32)
}

/// For every row `[n, k]` the one of `points` `[m, k]` whose inner product with it, plus its offset, is
/// largest; the first of equals. There has to be a point, and k may not be 0.
///
/// One matrix product of `f32` finds them, so that points nearer together than its rounding may be taken
/// for one another.
pub(super) fn most_similar(
    rows: &[f32],
    points: &[f32],
    k: usize,
    offset: impl Fn(usize) -> f32,
) -> Vec<usize> {
    let mut products = products(rows, points, k);
    let best = products.chunks_exact_mut(points.len() / k).map(|row| {
        row.iter_mut().enumerate().for_each(|(i, product)| *product += offset(i));
        argmax(row)
    });
    best.collect()
}

/// Euclidean distance of every row `[n, k]` to the nearest of `points` `[m, k]`, exact for the point
/// found; see [`most_similar`].
pub(super) fn nearest(rows: &[f32], points: &[f32], k: usize) -> Vec<f64> {
    let squares: Vec<f64> = points.chunks_exact(k).map(|point| dot(point, point)).collect();
    let found = most_similar(rows, points, k, |i| (-0.5 * squares[i]) as f32);
    let pairs = rows.chunks_exact(k).zip(found);
    pairs.map(|(row, i)| distance(row, &points[i * k..][..k])).collect()
}
