//! Exact nearest neighbours from a blocked matrix product.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::fft::{LANES, vectorized};

/// Queries of one matrix product.
const ROWS: usize = 256;
/// Points of one matrix product: with [`ROWS`] a tile that stays in the second-level cache.
const COLUMNS: usize = 1024;
/// Neighbours taken beyond those asked for, since the product's distances are rounded.
const SPARE: usize = 8;

/// A neighbour: squared distance and index.
pub(super) type Neighbor = (f32, u32);

/// Points to search among.
pub(super) struct PointMatrix<'a> {
    /// `[n, d]`, row by row.
    pub values: &'a [f32],
    /// Dimensions of a point, at least 1.
    pub d: usize,
}

impl PointMatrix<'_> {
    fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.d..(index + 1) * self.d]
    }

    fn len(&self) -> usize {
        self.values.len() / self.d
    }

    /// The `k` nearest points of each query `[m, d]`, nearest first, equals by index; `k` each, all
    /// queries in a row. `among_themselves` says that the queries are the points, none of which is
    /// its own neighbour. Returns `None` when `go_on(queries done)` says no.
    pub(super) fn nearest(
        &self,
        queries: &[f32],
        k: usize,
        among_themselves: bool,
        go_on: &(dyn Fn(usize) -> bool + Sync),
    ) -> Option<Vec<Neighbor>> {
        let square = |row: &[f32]| squared_distance(row, None);
        let squares: Vec<f32> = self.values.par_chunks(self.d).map(square).collect();
        let mut found = vec![(0.0, 0); queries.len() / self.d * k];
        if k == 0 {
            return Some(found);
        }
        let done = std::sync::atomic::AtomicUsize::new(0);
        let blocks = found.par_chunks_mut(ROWS * k).zip(queries.par_chunks(ROWS * self.d));
        let finished = blocks.enumerate().try_for_each_init(
            || vec![0.0; ROWS * COLUMNS],
            |products, (block, (found, queries))| {
                let own = |row: usize| among_themselves.then_some((block * ROWS + row) as u32);
                let rows = queries.len() / self.d;
                let mut nearest: Vec<NearestNeighbors> =
                    (0..rows).map(|row| NearestNeighbors::new(k + SPARE, own(row))).collect();
                for first in (0..self.len()).step_by(COLUMNS) {
                    let columns = COLUMNS.min(self.len() - first);
                    let products = &mut products[..rows * columns];
                    self.multiply(queries, first, columns, products);
                    for (row, nearest) in products.chunks_exact(columns).zip(&mut nearest) {
                        vectorized(
                            #[inline(always)]
                            || nearest.offer(first, row, &squares[first..first + columns]),
                        );
                    }
                }
                for ((found, nearest), query) in
                    found.chunks_exact_mut(k).zip(nearest).zip(queries.chunks_exact(self.d))
                {
                    let exact = |index| (squared_distance(query, Some(self.row(index))), index);
                    let mut candidates: Vec<_> =
                        nearest.finish().into_iter().map(|i| exact(i as usize)).collect();
                    candidates.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
                    for (slot, (distance, index)) in found.iter_mut().zip(candidates) {
                        *slot = (distance, index as u32);
                    }
                }
                let before = done.fetch_add(rows, std::sync::atomic::Ordering::Relaxed);
                go_on(before + rows).then_some(())
            },
        );
        finished.map(|()| found)
    }

    /// Inner products `[rows, columns]` of the queries with the points from `first` on.
    fn multiply(&self, queries: &[f32], first: usize, columns: usize, products: &mut [f32]) {
        let (rows, d) = (queries.len() / self.d, self.d);
        let points = &self.values[first * d..(first + columns) * d];
        matmul(
            MatMut::from_row_major_slice_mut(products, rows, columns),
            Accum::Replace,
            MatRef::from_row_major_slice(queries, rows, d),
            MatRef::from_row_major_slice(points, columns, d).transpose(),
            1.0,
            // One task, one thread: the same sums whatever the number of threads.
            Par::Seq,
        );
    }
}

/// `|a − b|²`, or `|a|²` without a `b`.
fn squared_distance(a: &[f32], b: Option<&[f32]>) -> f32 {
    vectorized(
        #[inline(always)]
        || {
            let mut sums = [0.0; LANES];
            let (a_blocks, a_rest) = a.as_chunks::<LANES>();
            let (b_blocks, b_rest) = b.unwrap_or_default().as_chunks::<LANES>();
            for (i, a) in a_blocks.iter().enumerate() {
                let b = b_blocks.get(i).copied().unwrap_or_default();
                for l in 0..LANES {
                    sums[l] += (a[l] - b[l]) * (a[l] - b[l]);
                }
            }
            for (i, a) in a_rest.iter().enumerate() {
                let b = b_rest.get(i).copied().unwrap_or_default();
                sums[i] += (a - b) * (a - b);
            }
            sums.iter().sum()
        },
    )
}

/// The nearest points seen so far by one query.
struct NearestNeighbors {
    wanted: usize,
    own: Option<u32>,
    /// What a candidate must stay below to be taken.
    bound: f32,
    candidates: Vec<Neighbor>,
}

impl NearestNeighbors {
    fn new(wanted: usize, own: Option<u32>) -> Self {
        Self { wanted, own, bound: f32::INFINITY, candidates: Vec::with_capacity(4 * wanted) }
    }

    /// Takes in points from `first` on by their inner products with the query and their squares:
    /// `|p|² − 2·p·q` orders them as the distance does.
    #[inline(always)]
    fn offer(&mut self, first: usize, products: &[f32], squares: &[f32]) {
        for (block, (products, squares)) in
            products.chunks(LANES).zip(squares.chunks(LANES)).enumerate()
        {
            let mut keys = [f32::INFINITY; LANES];
            let mut any = false;
            for ((key, product), square) in keys.iter_mut().zip(products).zip(squares) {
                *key = square - 2.0 * product;
            }
            for key in keys {
                any |= key < self.bound;
            }
            if any {
                self.take(first + block * LANES, &keys);
            }
        }
    }

    #[inline(never)]
    fn take(&mut self, first: usize, keys: &[f32; LANES]) {
        for (l, &key) in keys.iter().enumerate() {
            let index = (first + l) as u32;
            if key < self.bound && Some(index) != self.own {
                self.candidates.push((key, index));
            }
        }
        if self.candidates.len() + LANES > 4 * self.wanted {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        if self.candidates.len() > self.wanted {
            let order = |a: &Neighbor, b: &Neighbor| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
            let (_, &mut (bound, _), _) =
                self.candidates.select_nth_unstable_by(self.wanted - 1, order);
            self.candidates.truncate(self.wanted);
            self.bound = bound;
        }
    }

    /// The indices, in no order.
    fn finish(mut self) -> Vec<u32> {
        self.shrink();
        self.candidates.into_iter().map(|(_, index)| index).collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn finds_what_a_full_sort_finds() {
        let (n, d, k) = (1500, 19, 31);
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut values: Vec<f32> = (0..n * d).map(|_| rng.random::<f32>() - 0.5).collect();
        // duplicates
        values.copy_within(0..40 * d, 700 * d);
        let points = PointMatrix { values: &values, d };
        let found = points.nearest(&values, k, true, &|_| true).unwrap();
        for i in (0..n).step_by(37) {
            let mut all: Vec<(f32, usize)> = (0..n)
                .filter(|&j| j != i)
                .map(|j| (squared_distance(points.row(i), Some(points.row(j))), j))
                .collect();
            all.sort_by(|a, b| a.partial_cmp(b).unwrap());
            let ours: Vec<_> = found[i * k..][..k].iter().map(|&(_, j)| j as usize).collect();
            let truth: Vec<_> = all[..k].iter().map(|&(_, j)| j).collect();
            assert_eq!(ours, truth, "point {i}");
        }
    }

    #[test]
    fn stops_when_told_to() {
        let values = vec![0.0; 1000];
        let points = PointMatrix { values: &values, d: 1 };
        assert!(points.nearest(&values, 3, true, &|done| done < 300).is_none());
    }
}
