//! Affinities: from neighbours to the joint probabilities `P` that t-SNE approximates.

use rayon::prelude::*;

use super::neighbors::Neighbor;

/// Steps of the search for a kernel's width; each halves the interval or doubles the width.
const SEARCH_STEPS: usize = 100;
/// Where the search ends: relative error of the entropy, in nats.
const ENTROPY_TOLERANCE: f64 = 1e-8;

/// The joint probabilities as a sparse symmetric matrix, row by row; they sum to 1.
pub(super) struct Affinities {
    /// Where each row starts, and the end.
    pub starts: Vec<usize>,
    /// Column and value of each entry, columns ascending in each row.
    pub entries: Vec<(u32, f32)>,
}

impl Affinities {
    /// From the `k` nearest neighbours of each point.
    pub(super) fn new(neighbors: &[Neighbor], k: usize, perplexity: f64) -> Self {
        if k == 0 {
            let n = neighbors.len();
            return Self { starts: vec![0; n + 1], entries: Vec::new() };
        }
        let n = neighbors.len() / k;
        let mut conditional = vec![0.0; neighbors.len()];
        conditional.par_chunks_mut(k).zip(neighbors.par_chunks(k)).for_each(|(p, row)| {
            conditional_from_distances(row, perplexity, p);
        });
        let incoming = Incoming::new(neighbors, k);
        let rows: Vec<Vec<(u32, f32)>> = (0..n)
            .into_par_iter()
            .map(|i| {
                let scale = 0.5 / n as f64;
                let outgoing = (i * k..(i + 1) * k).map(|e| (neighbors[e].1, conditional[e]));
                let incoming = incoming.edges(i).iter().map(|&e| (e / k as u64, e));
                let incoming = incoming.map(|(j, e)| (j as u32, conditional[e as usize]));
                let mut row: Vec<(u32, f64)> = outgoing.chain(incoming).collect();
                row.sort_unstable_by_key(|&(j, _)| j);
                row.dedup_by(|next, kept| {
                    let same = next.0 == kept.0;
                    kept.1 += if same { next.1 } else { 0.0 };
                    same
                });
                row.into_iter().map(|(j, p)| (j, (p * scale) as f32)).collect()
            })
            .collect();
        let mut starts = Vec::with_capacity(n + 1);
        starts.push(0);
        for row in &rows {
            starts.push(starts[starts.len() - 1] + row.len());
        }
        Self { starts, entries: rows.concat() }
    }

    /// The entries of row `i`.
    pub(super) fn row(&self, i: usize) -> &[(u32, f32)] {
        &self.entries[self.starts[i]..self.starts[i + 1]]
    }
}

/// The neighbour relation the other way round.
struct Incoming {
    starts: Vec<usize>,
    edges: Vec<u64>,
}

impl Incoming {
    fn new(neighbors: &[Neighbor], k: usize) -> Self {
        let n = neighbors.len() / k;
        let mut starts = vec![0; n + 1];
        for &(_, j) in neighbors {
            starts[j as usize + 1] += 1;
        }
        for i in 0..n {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        let mut edges = vec![0; neighbors.len()];
        for (edge, &(_, j)) in neighbors.iter().enumerate() {
            edges[next[j as usize]] = edge as u64;
            next[j as usize] += 1;
        }
        Self { starts, edges }
    }

    /// Indices into the list of neighbours of those entries that name point `i`.
    fn edges(&self, i: usize) -> &[u64] {
        &self.edges[self.starts[i]..self.starts[i + 1]]
    }
}

/// Fills `p` with `exp(-β·d²)` over its sum, β such that the distribution has this perplexity. Where
/// more than `perplexity` neighbours are equally near none can: they share alike.
pub(super) fn conditional_from_distances(row: &[Neighbor], perplexity: f64, p: &mut [f64]) {
    let nearest = row.iter().map(|&(d, _)| d).fold(f32::INFINITY, f32::min);
    let excess = |d: f32| f64::from(d) - f64::from(nearest);
    let mean = row.iter().map(|&(d, _)| excess(d)).sum::<f64>() / row.len() as f64;
    let target = perplexity.ln();
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let mut beta = if mean > 0.0 { 1.0 / mean } else { 1.0 };
    for _ in 0..SEARCH_STEPS {
        let (mut sum, mut weighted) = (0.0, 0.0);
        for (p, &(d, _)) in p.iter_mut().zip(row) {
            let x = beta * excess(d);
            *p = (-x).exp();
            sum += *p;
            weighted += x * *p;
        }
        p.iter_mut().for_each(|p| *p /= sum);
        let entropy = sum.ln() + weighted / sum;
        if mean <= 0.0 || (entropy - target).abs() < ENTROPY_TOLERANCE {
            return;
        }
        if entropy > target {
            low = beta;
            beta = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * beta };
        } else {
            high = beta;
            beta = 0.5 * (low + high);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_perplexity_asked_for() {
        let row: Vec<Neighbor> = (0..60).map(|i| (1.0 + 0.1 * i as f32, i)).collect();
        let mut p = vec![0.0; 60];
        conditional_from_distances(&row, 20.0, &mut p);
        let entropy: f64 = -p.iter().map(|p| p * p.ln()).sum::<f64>();
        assert!((entropy.exp() - 20.0).abs() < 1e-4);
    }

    #[test]
    fn equal_neighbours_share_alike() {
        let mut p = vec![0.0; 8];
        conditional_from_distances(&[(0.0, 1); 8], 3.0, &mut p);
        assert!(p.iter().all(|p| (p - 0.125).abs() < 1e-12));
        let mut row = vec![(0.5, 1); 8];
        row[7].0 = 90.0;
        conditional_from_distances(&row, 3.0, &mut p);
        assert!((p[0] - 1.0 / 7.0).abs() < 1e-9 && p[7] < 1e-9);
    }

    #[test]
    fn joint_probabilities_are_symmetric_and_sum_to_one() {
        let neighbors =
            [(1.0, 1), (4.0, 2), (1.0, 0), (1.0, 2), (1.0, 1), (4.0, 0), (9.0, 2), (9.5, 1)];
        let p = Affinities::new(&neighbors, 2, 1.5);
        let sum: f32 = p.entries.iter().map(|e| e.1).sum();
        assert!((sum - 1.0).abs() < 1e-6);
        for i in 0..4 {
            for &(j, value) in p.row(i) {
                let back = p.row(j as usize).iter().find(|e| e.0 == i as u32);
                assert_eq!(back.map(|e| e.1), Some(value));
            }
        }
    }
}
