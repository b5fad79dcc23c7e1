//! Repulsion through a grid. As in FIt-SNE (G. C. Linderman et al., "Fast interpolation-based
//! t-SNE", 2019) a convolution on a regular grid, but with two complex transforms an iteration:
//!
//! - points enter and leave the grid through cubic B-splines, whose smoothing is divided out of the
//!   kernel (as in smooth particle-mesh Ewald sums), instead of through Lagrange polynomials of
//!   degree 2 in each box;
//! - the force is convolved with the vector kernel itself, so that one density is enough (FIt-SNE
//!   carries four, whose difference loses digits), f32 is precise, and a point exerts no force on
//!   itself;
//! - `Z` is the density against its own potential, a sum over the spectrum that needs no inverse;
//! - the spacing stays put while the map grows, so that the kernel's transform is kept.

use rayon::prelude::*;

use super::fft::{Fft, LANES, Lanes, Signals, vectorized};
use super::kernel::Kernel;

/// Distance of grid nodes, in units of the map, where the Cauchy kernel has width 1.
const SPACING: f32 = 1.0 / 3.0;
/// The smallest and largest transform.
const LENGTHS: std::ops::RangeInclusive<usize> = 64..=2048;
/// Nodes kept free between the grid and its periodic image: there the splines' ripple dies out.
const MARGIN: usize = 8;
/// Nodes that a stencil needs beyond the span of the points.
const STENCIL: usize = 4;

/// The lower left corner of the points and the longer side of the square around them.
pub(super) fn bounds(y: &[[f32; 2]]) -> ([f32; 2], f32) {
    let (mut low, mut high) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
    for p in y {
        for axis in 0..2 {
            low[axis] = low[axis].min(p[axis]);
            high[axis] = high[axis].max(p[axis]);
        }
    }
    (low, (high[0] - low[0]).max(high[1] - low[1]))
}

/// The transform's length for points that span `span`, and the distance of its nodes: [`SPACING`],
/// finer where that would be less than the shortest transform, coarser where more than the longest.
pub(super) fn length_and_spacing(span: f32) -> (usize, f32) {
    let needed = |spacing: f32| 2 * ((span / spacing).ceil() as usize + STENCIL + MARGIN);
    let cells = |length: usize| (length / 2 - STENCIL - MARGIN) as f32;
    let length = Fft::good_length(needed(SPACING));
    if LENGTHS.contains(&length) {
        return (length, SPACING);
    }
    if length > *LENGTHS.end() {
        return (*LENGTHS.end(), span / cells(*LENGTHS.end()));
    }
    // In steps of an eighth of an octave, so that the kernel can be kept for a while.
    let finest = (span / cells(*LENGTHS.start())).max(1e-12);
    (*LENGTHS.start(), SPACING * (8.0 * (finest / SPACING).log2()).ceil().exp2().powf(0.125))
}

/// The points by the grid row that they lie in.
#[derive(Default)]
pub(super) struct Cells {
    /// Position of each point in the grid, in nodes, sorted by row.
    at: Vec<[f32; 2]>,
    /// First entry of `at` for each row, and the end.
    row_starts: Vec<usize>,
}

impl Cells {
    fn sort(&mut self, y: &[[f32; 2]], rows: usize, in_grid: impl Fn([f32; 2]) -> [f32; 2]) {
        self.row_starts.clear();
        self.row_starts.resize(rows + 1, 0);
        for p in y {
            self.row_starts[in_grid(*p)[1] as usize + 1] += 1;
        }
        for row in 0..rows {
            self.row_starts[row + 1] += self.row_starts[row];
        }
        let mut next = self.row_starts.clone();
        self.at.resize(y.len(), [0.0; 2]);
        for p in y {
            let at = in_grid(*p);
            let slot = &mut next[at[1] as usize];
            self.at[*slot] = at;
            *slot += 1;
        }
    }
}

/// Values of the cubic B-spline at the four nodes around a point that lies `t` past the second.
#[inline(always)]
fn spline(t: f32) -> [f32; 4] {
    let s = 1.0 - t;
    let cube = |a: f32| a * a * a * (1.0 / 6.0);
    [cube(s), 2.0 / 3.0 - t * t * (1.0 - 0.5 * t), 2.0 / 3.0 - s * s * (1.0 - 0.5 * s), cube(t)]
}

/// The grid and its planes. Between passes that run along different axes the planes lie in tiles of
/// 16×16, so that each task reads tiles and writes one contiguous piece.
pub(super) struct Grid {
    kernel: Kernel,
    fft: Fft,
    /// Nodes on a side.
    side: usize,
    /// Spectrum along x of the density: `[row block][kx][row]`.
    rows: Signals,
    /// Spectrum along x of the force: `[kx block][row][kx]`, its x and y component.
    force_x: Signals,
    force_y: Signals,
    /// Force on the nodes, `[row block][x][row]`: x component in `re`, y in `im`.
    field: Signals,
}

impl Grid {
    /// A grid for transforms of `length`, nodes `spacing` apart.
    pub(super) fn new(length: usize, spacing: f32) -> Self {
        let fft = Fft::new(length);
        let kernel = Kernel::new(&fft, length, spacing);
        let side = length / 2 - MARGIN;
        let row_blocks = side.div_ceil(2 * LANES) * 2;
        let columns = kernel.column_blocks() * LANES;
        Self {
            kernel,
            fft,
            side,
            rows: Signals::zeros(row_blocks * columns),
            force_x: Signals::zeros(columns * row_blocks),
            force_y: Signals::zeros(columns * row_blocks),
            field: Signals::zeros(row_blocks * side),
        }
    }

    /// Whether the grid is that for this length and spacing.
    pub(super) fn is_for(&self, length: usize, spacing: f32) -> bool {
        self.kernel.is_for(length, spacing)
    }

    /// Forces on all points, and `Z` with the `n` pairs of a point with itself.
    pub(super) fn evaluate(
        &mut self,
        y: &[[f32; 2]],
        low: [f32; 2],
        cells: &mut Cells,
        forces: &mut [[f32; 2]],
    ) -> f64 {
        let (scale, last) = (1.0 / self.kernel.spacing(), (self.side - 3) as f32);
        // Cells run from 1 to side − 3, so that the stencil stays within the grid.
        let in_grid =
            |p: [f32; 2]| [0, 1].map(|axis| ((p[axis] - low[axis]) * scale + 1.0).clamp(1.0, last));
        cells.sort(y, self.side, in_grid);
        self.transform_rows(cells);
        let z = self.convolve_columns();
        self.restore_rows();
        forces.par_chunks_mut(1024).zip(y.par_chunks(1024)).for_each(|(forces, y)| {
            for (force, p) in forces.iter_mut().zip(y) {
                *force = self.sample(in_grid(*p));
            }
        });
        z
    }

    /// Spreads the points over the grid and transforms along x; two blocks of rows at a time, one
    /// as the real part and one as the imaginary.
    fn transform_rows(&mut self, cells: &Cells) {
        let length = self.kernel.length();
        let columns = self.kernel.column_blocks() * LANES;
        let fft = &self.fft;
        let pairs = self.rows.re.par_chunks_mut(2 * columns);
        pairs.zip(self.rows.im.par_chunks_mut(2 * columns)).enumerate().for_each_init(
            || [Signals::zeros(length), Signals::zeros(length)],
            |[density, scratch], (pair, (re, im))| {
                density.re.fill([0.0; LANES]);
                density.im.fill([0.0; LANES]);
                spread(cells, pair * 2 * LANES, density);
                vectorized(
                    #[inline(always)]
                    || {
                        fft.forward(density, scratch);
                        let (re_a, re_b) = re.split_at_mut(columns);
                        let (im_a, im_b) = im.split_at_mut(columns);
                        for k in 0..=length / 2 {
                            let mirror = (length - k) % length;
                            let (fr, fi) = (density.re[k], density.im[k]);
                            let (mr, mi) = (density.re[mirror], density.im[mirror]);
                            for l in 0..LANES {
                                re_a[k][l] = 0.5 * (fr[l] + mr[l]);
                                im_a[k][l] = 0.5 * (fi[l] - mi[l]);
                                re_b[k][l] = 0.5 * (fi[l] + mi[l]);
                                im_b[k][l] = 0.5 * (mr[l] - fr[l]);
                            }
                        }
                    },
                );
            },
        );
    }

    /// Transforms along y, multiplies with the kernel, transforms back. Returns `Z`.
    fn convolve_columns(&mut self) -> f64 {
        let length = self.kernel.length();
        let columns = self.kernel.column_blocks() * LANES;
        let height = self.rows.re.len() / columns * LANES;
        let (fft, kernel, rows) = (&self.fft, &self.kernel, &self.rows);
        let Signals { re: xr, im: xi } = &mut self.force_x;
        let Signals { re: yr, im: yi } = &mut self.force_y;
        let blocks = xr.par_chunks_mut(height).zip(xi.par_chunks_mut(height));
        let blocks = blocks.zip(yr.par_chunks_mut(height).zip(yi.par_chunks_mut(height)));
        let z: Vec<f64> = blocks
            .enumerate()
            .map_init(
                || [(); 3].map(|()| Signals::zeros(length)),
                |[fx, fy, scratch], (block, ((xr, xi), (yr, yi)))| {
                    vectorized(
                        #[inline(always)]
                        || {
                            for row_block in 0..height / LANES {
                                let tile = row_block * columns + block * LANES;
                                let to = row_block * LANES;
                                transpose(&rows.re[tile..], &mut fx.re[to..]);
                                transpose(&rows.im[tile..], &mut fx.im[to..]);
                            }
                            fx.re[height..].fill([0.0; LANES]);
                            fx.im[height..].fill([0.0; LANES]);
                            fft.forward(fx, scratch);
                            let z = kernel.multiply(block, fx, fy);
                            for (force, re, im) in [(fx, xr, xi), (fy, yr, yi)] {
                                fft.inverse_unscaled(force, scratch);
                                re.copy_from_slice(&force.re[..height]);
                                im.copy_from_slice(&force.im[..height]);
                            }
                            z
                        },
                    )
                },
            )
            .collect();
        z.iter().sum()
    }

    /// Transforms back along x: both components of the force as one complex signal.
    fn restore_rows(&mut self) {
        let length = self.kernel.length();
        let columns = self.kernel.column_blocks() * LANES;
        let height = self.rows.re.len() / columns * LANES;
        let (side, fft, force_x, force_y) = (self.side, &self.fft, &self.force_x, &self.force_y);
        let blocks = self.field.re.par_chunks_mut(side);
        blocks.zip(self.field.im.par_chunks_mut(side)).enumerate().for_each_init(
            || [Signals::zeros(length), Signals::zeros(length)],
            |[force, scratch], (row_block, (re, im))| {
                vectorized(
                    #[inline(always)]
                    || {
                        for block in 0..columns / LANES {
                            let tile = block * height + row_block * LANES;
                            let mut parts = [[[0.0; LANES]; LANES]; 4];
                            let planes = [&force_x.re, &force_x.im, &force_y.re, &force_y.im];
                            for (part, plane) in parts.iter_mut().zip(planes) {
                                transpose(&plane[tile..], part);
                            }
                            let k_block = block * LANES;
                            for offset in 0..LANES.min(length / 2 + 1 - k_block) {
                                let k = k_block + offset;
                                let [xr, xi, yr, yi] = parts.map(|part| part[offset]);
                                let mirror = (length - k) % length;
                                for l in 0..LANES {
                                    force.re[mirror][l] = xr[l] + yi[l];
                                    force.im[mirror][l] = yr[l] - xi[l];
                                }
                                for l in 0..LANES {
                                    force.re[k][l] = xr[l] - yi[l];
                                    force.im[k][l] = yr[l] + xi[l];
                                }
                            }
                        }
                        fft.inverse_unscaled(force, scratch);
                        re.copy_from_slice(&force.re[..side]);
                        im.copy_from_slice(&force.im[..side]);
                    },
                );
            },
        );
    }

    /// The force at a place in the grid.
    #[inline]
    fn sample(&self, at: [f32; 2]) -> [f32; 2] {
        let (x, row) = (at[0] as usize, at[1] as usize);
        let wx = spline(at[0] - x as f32);
        let wy = spline(at[1] - row as f32);
        let mut force = [0.0; 2];
        for (j, wy) in wy.into_iter().enumerate() {
            let (block, lane) = ((row + j - 1) / LANES, (row + j - 1) % LANES);
            let start = block * self.side + x - 1;
            let re = &self.field.re[start..start + 4];
            let im = &self.field.im[start..start + 4];
            for i in 0..4 {
                let w = wx[i] * wy;
                force[0] += w * re[i][lane];
                force[1] += w * im[i][lane];
            }
        }
        force
    }
}

/// Adds the points' splines to 32 rows of the density from `first_row` on: the first 16 rows are
/// the lanes of `re`, the others those of `im`.
fn spread(cells: &Cells, first_row: usize, density: &mut Signals) {
    let rows = cells.row_starts.len() - 1;
    // Rows whose points reach into ours: a stencil covers the rows from one below to two above.
    let from = first_row.saturating_sub(2).min(rows);
    let to = (first_row + 2 * LANES + 1).min(rows);
    for at in &cells.at[cells.row_starts[from]..cells.row_starts[to]] {
        let (x, row) = (at[0] as usize, at[1] as usize);
        let wx = spline(at[0] - x as f32);
        let wy = spline(at[1] - row as f32);
        for (j, wy) in wy.into_iter().enumerate() {
            let Some(lane) = (row + j - 1).checked_sub(first_row) else { continue };
            let plane = match lane / LANES {
                0 => &mut density.re,
                1 => &mut density.im,
                _ => continue,
            };
            for (node, wx) in plane[x - 1..x + 3].iter_mut().zip(wx) {
                node[lane % LANES] += wx * wy;
            }
        }
    }
}

/// `to[i][j] = from[j][i]` for a tile of 16×16.
#[inline(always)]
fn transpose(from: &[Lanes], to: &mut [Lanes]) {
    let (from, to) = (&from[..LANES], &mut to[..LANES]);
    for i in 0..LANES {
        for j in 0..LANES {
            to[i][j] = from[j][i];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_outlier_coarsens_the_grid_instead_of_exhausting_memory() {
        assert_eq!(length_and_spacing(1e6).0, *LENGTHS.end());
    }
}
