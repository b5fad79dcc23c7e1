//! Where the points start: on the plane of the two first principal components.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Standard deviation of the starting positions along the first component.
const SPREAD: f32 = 1e-4;
/// Noise on the positions, relative to [`SPREAD`]: it parts equal points.
const JITTER: f32 = 0.01;
/// Vectors iterated for the two that are wanted.
const SUBSPACE: usize = 10;
/// Rounds of subspace iteration.
const ROUNDS: usize = 12;
/// Points of one task.
const ROWS: usize = 1024;

/// Starting positions from centered features `[n, d]`.
pub(super) fn positions(centered: &[f32], d: usize, seed: u64) -> Vec<[f32; 2]> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let n = centered.len() / d;
    let axes = principal_axes(centered, d, &mut rng);
    let mut y: Vec<[f32; 2]> = centered
        .par_chunks(d)
        .map(|row| {
            let along = |axis: &[f64]| -> f64 {
                row.iter().zip(axis).map(|(&x, axis)| f64::from(x) * axis).sum()
            };
            [along(&axes[..d]) as f32, along(&axes[d..]) as f32]
        })
        .collect();
    let square: f64 = y.iter().map(|p| f64::from(p[0]).powi(2)).sum();
    let deviation = (square / n as f64).sqrt() as f32;
    let scale = if deviation > 0.0 { SPREAD / deviation } else { 0.0 };
    for coordinate in y.iter_mut().flatten() {
        *coordinate = *coordinate * scale + SPREAD * JITTER * normal(&mut rng);
    }
    y
}

/// A standard normal number (Box and Muller).
fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32
}

/// The two first principal axes, `[2, d]`, by subspace iteration; an axis that the data lack is 0.
/// Of both directions the one whose largest coordinate is positive.
fn principal_axes(centered: &[f32], d: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let width = SUBSPACE.min(d);
    let mut basis: Vec<f64> = (0..width * d).map(|_| f64::from(normal(rng))).collect();
    orthonormalize(&mut basis, d);
    let mut image = basis.clone();
    for round in 0..ROUNDS {
        image = times_covariance(centered, d, &basis);
        if round + 1 < ROUNDS {
            basis.clone_from(&image);
            orthonormalize(&mut basis, d);
        }
    }
    // Within the subspace the covariance is a small matrix, whose eigenvectors Jacobi finds.
    let mut small = vec![0.0; width * width];
    for i in 0..width {
        for j in 0..width {
            let (a, b) = (&basis[i * d..(i + 1) * d], &image[j * d..(j + 1) * d]);
            small[i * width + j] = a.iter().zip(b).map(|(a, b)| a * b).sum();
        }
    }
    let vectors = eigenvectors(small, width);
    let mut axes = vec![0.0; 2 * d];
    for (axis, vector) in axes.chunks_exact_mut(d).zip(&vectors) {
        for (weight, basis) in vector.iter().zip(basis.chunks_exact(d)) {
            for (axis, basis) in axis.iter_mut().zip(basis) {
                *axis += weight * basis;
            }
        }
        let largest =
            axis.iter().copied().fold(0.0, |a: f64, b| if b.abs() > a.abs() { b } else { a });
        if largest < 0.0 {
            axis.iter_mut().for_each(|x| *x = -*x);
        }
    }
    axes
}

/// `Xᵀ·X` times each of the basis' vectors `[width, d]`. Summed over blocks of rows in their order,
/// so that the sum does not depend on the number of threads.
fn times_covariance(centered: &[f32], d: usize, basis: &[f64]) -> Vec<f64> {
    let width = basis.len() / d;
    let basis: Vec<f32> = basis.iter().map(|&x| x as f32).collect();
    let parts: Vec<Vec<f32>> = centered
        .par_chunks(ROWS * d)
        .map(|block| {
            let rows = block.len() / d;
            let x = MatRef::from_row_major_slice(block, rows, d);
            let basis = MatRef::from_row_major_slice(&basis, width, d);
            let mut along = vec![0.0; rows * width];
            let mut part = vec![0.0; width * d];
            let into = MatMut::from_row_major_slice_mut(&mut along, rows, width);
            matmul(into, Accum::Replace, x, basis.transpose(), 1.0, Par::Seq);
            let along = MatRef::from_row_major_slice(&along, rows, width);
            let into = MatMut::from_row_major_slice_mut(&mut part, width, d);
            matmul(into, Accum::Replace, along.transpose(), x, 1.0, Par::Seq);
            part
        })
        .collect();
    let mut sum = vec![0.0; width * d];
    for part in parts {
        for (sum, x) in sum.iter_mut().zip(part) {
            *sum += f64::from(x);
        }
    }
    sum
}

/// Gram and Schmidt, twice for precision; what depends on earlier vectors becomes 0.
fn orthonormalize(basis: &mut [f64], d: usize) {
    for i in 0..basis.len() / d {
        let (before, rest) = basis.split_at_mut(i * d);
        let vector = &mut rest[..d];
        let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
        let at_first = norm(vector);
        for other in before.chunks_exact(d).chain(before.chunks_exact(d)) {
            let dot: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
            vector.iter_mut().zip(other).for_each(|(a, b)| *a -= dot * b);
        }
        let left = norm(vector);
        let scale = if left > 1e-12 * at_first { 1.0 / left } else { 0.0 };
        vector.iter_mut().for_each(|x| *x *= scale);
    }
}

/// Eigenvectors of a symmetric matrix, largest eigenvalue first, by Jacobi's rotations.
fn eigenvectors(mut a: Vec<f64>, n: usize) -> Vec<Vec<f64>> {
    let mut vectors = vec![0.0; n * n];
    (0..n).for_each(|i| vectors[i * n + i] = 1.0);
    for _ in 0..30 {
        for p in 0..n {
            for q in p + 1..n {
                let off = 0.5 * (a[p * n + q] + a[q * n + p]);
                if off == 0.0 {
                    continue;
                }
                let theta = 0.5 * (2.0 * off).atan2(a[q * n + q] - a[p * n + p]);
                let (sin, cos) = theta.sin_cos();
                let rotate = |matrix: &mut [f64], ip: usize, iq: usize| {
                    let (x, y) = (matrix[ip], matrix[iq]);
                    matrix[ip] = cos * x - sin * y;
                    matrix[iq] = sin * x + cos * y;
                };
                for i in 0..n {
                    rotate(&mut a, i * n + p, i * n + q);
                }
                for i in 0..n {
                    rotate(&mut a, p * n + i, q * n + i);
                    rotate(&mut vectors, p * n + i, q * n + i);
                }
            }
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| a[j * n + j].total_cmp(&a[i * n + i]));
    order.into_iter().map(|i| vectors[i * n..(i + 1) * n].to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::features::Centered;
    use super::*;

    #[test]
    fn finds_the_axes_of_an_ellipsoid() {
        let (n, d) = (4000, 30);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut x: Vec<f32> = (0..n * d).map(|_| normal(&mut rng)).collect();
        for row in x.chunks_exact_mut(d) {
            row[4] *= 9.0;
            row[11] *= 5.0;
        }
        let axes = principal_axes(&Centered::new(&x, d).values, d, &mut rng);
        assert!(axes[4] > 0.999, "{}", axes[4]);
        assert!(axes[d + 11] > 0.99, "{}", axes[d + 11]);
    }

    #[test]
    fn equal_points_start_apart() {
        let y = positions(&[0.0; 40], 4, 7);
        assert!(y.iter().flatten().all(|c| c.is_finite()));
        assert_ne!(y[0], y[1]);
    }
}
