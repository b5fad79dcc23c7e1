//! The repulsion of t-SNE: for every point `F_i = Σ_j (y_i − y_j)/(1 + |y_i − y_j|²)²`, and the
//! normaliser `Z = Σ_{i≠j} 1/(1 + |y_i − y_j|²)`.
//!
//! Few points: all pairs. Many: a convolution on a grid.

use rayon::prelude::*;

use super::fft::{LANES, vectorized};
use super::grid::{Cells, Grid, bounds, length_and_spacing};

/// Up to so many points every pair is computed.
const EXACT_UP_TO: usize = 3072;
/// Floor of `Z`, for a single point and for points apart beyond all measure.
const LEAST_Z: f64 = 1e-30;
/// Repulsive forces, and the memory needed to compute them again and again.
#[derive(Default)]
pub(super) struct Repulsion {
    grid: Option<Grid>,
    cells: Cells,
}

impl Repulsion {
    /// Fills `forces` for the positions `y` and returns `Z`. Both have one entry a point.
    pub(super) fn evaluate(&mut self, y: &[[f32; 2]], forces: &mut [[f32; 2]]) -> f64 {
        if y.len() <= EXACT_UP_TO { exact(y, forces) } else { self.on_grid(y, forces) }
    }

    fn on_grid(&mut self, y: &[[f32; 2]], forces: &mut [[f32; 2]]) -> f64 {
        let (low, span) = bounds(y);
        let (length, spacing) = length_and_spacing(span);
        let grid = match self.grid.take() {
            Some(grid) if grid.is_for(length, spacing) => grid,
            _ => Grid::new(length, spacing),
        };
        let z = self.grid.insert(grid).evaluate(y, low, &mut self.cells, forces);
        (z - y.len() as f64).max(LEAST_Z)
    }
}

/// Every pair of points.
pub(super) fn exact(y: &[[f32; 2]], forces: &mut [[f32; 2]]) -> f64 {
    let (xs, ys): (Vec<f32>, Vec<f32>) = y.iter().map(|p| (p[0], p[1])).unzip();
    let z: Vec<f64> = y
        .par_iter()
        .zip(&mut *forces)
        .map(|(&at, force)| {
            let (z, f) = vectorized(
                #[inline(always)]
                || repulsion_at(at, &xs, &ys),
            );
            *force = f;
            // less the point itself
            z - 1.0
        })
        .collect();
    z.iter().sum::<f64>().max(LEAST_Z)
}

/// `Σ_j 1/(1 + |at − y_j|²)` and `Σ_j (at − y_j)/(1 + |at − y_j|²)²`.
#[inline(always)]
pub(super) fn repulsion_at(at: [f32; 2], xs: &[f32], ys: &[f32]) -> (f64, [f32; 2]) {
    let (mut z, mut fx, mut fy) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    let (x_blocks, x_rest) = xs.as_chunks::<LANES>();
    let (y_blocks, y_rest) = ys.as_chunks::<LANES>();
    for (bx, by) in x_blocks.iter().zip(y_blocks) {
        for l in 0..LANES {
            let (dx, dy) = (at[0] - bx[l], at[1] - by[l]);
            let w = 1.0 / (1.0 + dx * dx + dy * dy);
            z[l] += w;
            fx[l] += w * w * dx;
            fy[l] += w * w * dy;
        }
    }
    for (l, (x, y)) in x_rest.iter().zip(y_rest).enumerate() {
        let (dx, dy) = (at[0] - x, at[1] - y);
        let w = 1.0 / (1.0 + dx * dx + dy * dy);
        z[l] += w;
        fx[l] += w * w * dx;
        fy[l] += w * w * dy;
    }
    (z.iter().copied().map(f64::from).sum(), [fx.iter().sum(), fy.iter().sum()])
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn relative_error(spread: f32, n: usize) -> (f64, f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let y: Vec<[f32; 2]> = (0..n)
            .map(|_| [spread, 0.7 * spread].map(|side| side * (rng.random::<f32>() - 0.5)))
            .collect();
        let (mut truth, mut ours) = (vec![[0.0; 2]; n], vec![[0.0; 2]; n]);
        let z_truth = exact(&y, &mut truth);
        let z = Repulsion::default().on_grid(&y, &mut ours);
        let square = |v: &[[f32; 2]]| -> f64 {
            v.iter().flatten().map(|&c| f64::from(c) * f64::from(c)).sum()
        };
        let difference: Vec<[f32; 2]> =
            truth.iter().zip(&ours).map(|(a, b)| [a[0] - b[0], a[1] - b[1]]).collect();
        ((square(&difference) / square(&truth)).sqrt(), (z / z_truth - 1.0).abs())
    }

    #[test]
    fn the_grid_agrees_with_all_pairs() {
        for (spread, n) in [(1e-4, 600), (1.0, 900), (9.0, 900), (40.0, 3000), (130.0, 3000)] {
            let (force, z) = relative_error(spread, n);
            assert!(force < 0.01, "spread {spread}: forces off by {force}");
            assert!(z < 0.001, "spread {spread}: Z off by {z}");
        }
    }
}
