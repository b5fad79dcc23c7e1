//! The transformed kernels of t-SNE's repulsion on a periodic square grid.

use rayon::prelude::*;

use super::fft::{Fft, LANES, Lanes, Signals, vectorized};

/// Transforms of `1/(1+r²)` and of the two components of `r/(1+r²)²`, for one length and spacing,
/// divided by the transform of the splines through which points enter and leave the grid, and by
/// `length²` for the inverse transform.
pub(super) struct Kernel {
    length: usize,
    spacing: f32,
    /// `[kx block][ky in 0..=length/2][kx]`, as are the others. Real and even in both.
    potential: Vec<Lanes>,
    /// The x component is `-i` times this: real, odd in kx.
    force_x: Vec<Lanes>,
    /// The y component is `-i` times this: real, odd in ky.
    force_y: Vec<Lanes>,
}

impl Kernel {
    /// The kernels for nodes `spacing` apart. `fft` is the plan for `length`.
    pub(super) fn new(fft: &Fft, length: usize, spacing: f32) -> Self {
        let half = length / 2 + 1;
        let blocks = half.div_ceil(LANES);
        let (even, odd) = transform_x(fft, length, spacing);
        let mut potential = vec![[0.0; LANES]; blocks * half];
        let mut force_x = potential.clone();
        let out = potential.par_chunks_mut(half).zip(force_x.par_chunks_mut(half));
        out.enumerate().for_each(|(block, (potential, force_x))| {
            let mut signals = Signals::zeros(length);
            let mut scratch = Signals::zeros(length);
            for y in 0..length {
                let from = y.min(length - y) * blocks + block;
                signals.re[y] = even[from];
                signals.im[y] = odd[from];
            }
            fft.forward(&mut signals, &mut scratch);
            for ky in 0..half {
                for l in 0..LANES {
                    let scale = scale(block * LANES + l, ky, length);
                    potential[ky][l] = scale * signals.re[ky][l];
                    force_x[ky][l] = scale * signals.im[ky][l];
                }
            }
        });
        // The grid is square: the y component is the x component with the axes exchanged.
        let at = |kx: usize, ky: usize| force_x[kx / LANES * half + ky][kx % LANES];
        let mut force_y = vec![[0.0; LANES]; blocks * half];
        for kx in 0..half {
            for ky in 0..half {
                force_y[kx / LANES * half + ky][kx % LANES] = at(ky, kx);
            }
        }
        Self { length, spacing, potential, force_x, force_y }
    }

    /// Whether the kernels are those for this length and spacing.
    pub(super) fn is_for(&self, length: usize, spacing: f32) -> bool {
        self.length == length && self.spacing == spacing
    }

    /// Length of the transforms.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Distance of nodes.
    pub(super) fn spacing(&self) -> f32 {
        self.spacing
    }

    /// Blocks of 16 columns that hold kx in 0..=length/2.
    pub(super) fn column_blocks(&self) -> usize {
        (self.length / 2 + 1).div_ceil(LANES)
    }

    /// Turns the spectrum of the density in `fx` into those of the force's components. Returns this
    /// block's part of the density's sum over its own potential.
    #[inline(always)]
    pub(super) fn multiply(&self, block: usize, fx: &mut Signals, fy: &mut Signals) -> f64 {
        let half = self.length / 2 + 1;
        // kx and −kx are mirror images, of which only one is stored.
        let count: Lanes = std::array::from_fn(|l| match block * LANES + l {
            0 => 1.0,
            kx if kx + 1 == half => 1.0,
            kx if kx < half => 2.0,
            _ => 0.0,
        });
        let mut z = 0.0;
        for ky in 0..self.length {
            let mirrored = ky >= half;
            let at = block * half + if mirrored { self.length - ky } else { ky };
            let sign = if mirrored { -1.0 } else { 1.0 };
            let (p, sx, sy) = (self.potential[at], self.force_x[at], self.force_y[at]);
            let (gr, gi) = (fx.re[ky], fx.im[ky]);
            let mut energy = [0.0; LANES];
            let (mut xr, mut xi, mut yr, mut yi) = (gr, gi, gr, gi);
            for l in 0..LANES {
                energy[l] = count[l] * p[l] * (gr[l] * gr[l] + gi[l] * gi[l]);
                xr[l] = sx[l] * gi[l];
                xi[l] = -sx[l] * gr[l];
                yr[l] = sign * sy[l] * gi[l];
                yi[l] = -sign * sy[l] * gr[l];
            }
            (fx.re[ky], fx.im[ky]) = (xr, xi);
            (fy.re[ky], fy.im[ky]) = (yr, yi);
            z += f64::from(energy.iter().sum::<f32>());
        }
        z
    }
}

/// The kernels in rows `y` of 0..=length/2, transformed along x: the even one and the odd one,
/// `[y][kx block][kx]`. Both are real, and their sum is the real transform of one complex signal.
fn transform_x(fft: &Fft, length: usize, spacing: f32) -> (Vec<Lanes>, Vec<Lanes>) {
    let half = length / 2 + 1;
    let blocks = half.div_ceil(LANES);
    let mut even = vec![[0.0; LANES]; half * blocks];
    let mut odd = even.clone();
    let out = even.par_chunks_mut(LANES * blocks).zip(odd.par_chunks_mut(LANES * blocks));
    out.enumerate().for_each(|(row_block, (even, odd))| {
        let mut signals = Signals::zeros(length);
        let mut scratch = Signals::zeros(length);
        for x in 0..length {
            let dx = if x < half { x as f32 } else { x as f32 - length as f32 } * spacing;
            for l in 0..LANES {
                let dy = (row_block * LANES + l) as f32 * spacing;
                let w = 1.0 / (1.0 + dx * dx + dy * dy);
                signals.re[x][l] = w;
                // Half a period away left and right meet: an odd function is 0 there.
                signals.im[x][l] = if x + 1 == half { 0.0 } else { dx * w * w };
            }
        }
        vectorized(
            #[inline(always)]
            || fft.forward(&mut signals, &mut scratch),
        );
        for (l, (even, odd)) in
            even.chunks_exact_mut(blocks).zip(odd.chunks_exact_mut(blocks)).enumerate()
        {
            for k in 0..half {
                let (f, mirror) = (signals.re[k][l], signals.re[(length - k) % length][l]);
                even[k / LANES][k % LANES] = 0.5 * (f + mirror);
                odd[k / LANES][k % LANES] = 0.5 * (f - mirror);
            }
        }
    });
    (even, odd)
}

/// What undoes the splines' smoothing, on the way in and on the way out, and scales the inverse.
fn scale(kx: usize, ky: usize, length: usize) -> f32 {
    let spline =
        |k: usize| 2.0 / 3.0 + (std::f64::consts::TAU * k as f64 / length as f64).cos() / 3.0;
    let smoothing = spline(kx) * spline(ky);
    (1.0 / (smoothing * smoothing * (length * length) as f64)) as f32
}
