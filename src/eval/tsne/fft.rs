//! Many Fourier transforms of one length at once: sixteen signals side by side, one in each lane, so
//! that every butterfly is plain vector arithmetic whatever the length.
//!
//! Stockham's self-sorting algorithm (W. T. Cochran et al., "What is the fast Fourier transform?",
//! 1967) with radix 4, then 2 and 3.

use std::f64::consts::TAU;

use faer::traits::ComplexField;

/// Signals transformed side by side.
pub(super) const LANES: usize = 16;

/// One value of each of the sixteen signals.
pub(super) type Lanes = [f32; LANES];

/// Runs `work` compiled for the widest vector instructions that this processor has. What is to gain
/// from it must be inlined into the closure.
#[inline(always)]
pub(super) fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    <f32 as ComplexField>::Arch::default().dispatch(work)
}

/// Sixteen complex signals, real and imaginary parts apart: `[length][lane]`.
#[derive(Clone, Default)]
pub(super) struct Signals {
    pub re: Vec<Lanes>,
    pub im: Vec<Lanes>,
}

impl Signals {
    pub(super) fn zeros(length: usize) -> Self {
        Self { re: vec![[0.0; LANES]; length], im: vec![[0.0; LANES]; length] }
    }
}

/// The plan for one length.
pub(super) struct Fft {
    length: usize,
    stages: Vec<Butterfly>,
}

struct Butterfly {
    radix: usize,
    /// `exp(-2πi·p·k/n)` for p in 0..n/radix, k in 1..radix, n being what is left to transform.
    twiddles: Vec<[f32; 2]>,
}

impl Fft {
    /// The plan for `length`, which has no prime factor above 3.
    pub(super) fn new(length: usize) -> Self {
        let mut stages = Vec::new();
        let mut left = length;
        while left > 1 {
            let radix = [4, 2, 3].into_iter().find(|r| left.is_multiple_of(*r)).unwrap_or(left);
            debug_assert!(radix <= 4, "length {length} has a prime factor above 3");
            let twiddles = (0..left / radix)
                .flat_map(|p| (1..radix).map(move |k| (p * k) as f64 / left as f64))
                .map(|turns| [(TAU * turns).cos() as f32, -(TAU * turns).sin() as f32])
                .collect();
            stages.push(Butterfly { radix, twiddles });
            left /= radix;
        }
        Self { length, stages }
    }

    /// The next even length from `at_least` up whose transform is fast.
    pub(super) fn good_length(at_least: usize) -> usize {
        let smooth = |n: &usize| {
            let mut left = *n;
            for prime in [2, 3] {
                while left.is_multiple_of(prime) {
                    left /= prime;
                }
            }
            left == 1
        };
        (at_least.max(2).div_ceil(8)..).map(|n| 8 * n).find(smooth).unwrap_or(at_least)
    }

    /// Transforms in place: `X[k] = Σ x[n]·exp(-2πi·n·k/length)`. `scratch` has the same length.
    #[inline(always)]
    pub(super) fn forward(&self, signals: &mut Signals, scratch: &mut Signals) {
        let mut stride = 1;
        for Butterfly { radix, twiddles } in &self.stages {
            let span = self.length / (radix * stride);
            let (re, im) = (&signals.re, &signals.im);
            let (out_re, out_im) = (&mut scratch.re, &mut scratch.im);
            match radix {
                4 => pass4(span, stride, twiddles, re, im, out_re, out_im),
                2 => pass2(span, stride, twiddles, re, im, out_re, out_im),
                _ => pass3(span, stride, twiddles, re, im, out_re, out_im),
            }
            std::mem::swap(signals, scratch);
            stride *= radix;
        }
    }

    /// The inverse without its factor `1/length`.
    #[inline(always)]
    pub(super) fn inverse_unscaled(&self, signals: &mut Signals, scratch: &mut Signals) {
        std::mem::swap(&mut signals.re, &mut signals.im);
        self.forward(signals, scratch);
        std::mem::swap(&mut signals.re, &mut signals.im);
    }
}

#[inline(always)]
fn pass4(
    span: usize,
    stride: usize,
    twiddles: &[[f32; 2]],
    re: &[Lanes],
    im: &[Lanes],
    out_re: &mut [Lanes],
    out_im: &mut [Lanes],
) {
    let step = span * stride;
    for (p, w) in twiddles.chunks_exact(3).enumerate() {
        let [[w1r, w1i], [w2r, w2i], [w3r, w3i]] = [w[0], w[1], w[2]];
        for q in 0..stride {
            let from = q + stride * p;
            let to = q + stride * 4 * p;
            let (ar, ai) = (re[from], im[from]);
            let (br, bi) = (re[from + step], im[from + step]);
            let (cr, ci) = (re[from + 2 * step], im[from + 2 * step]);
            let (dr, di) = (re[from + 3 * step], im[from + 3 * step]);
            let mut r = [[0.0; LANES]; 4];
            let mut i = [[0.0; LANES]; 4];
            for l in 0..LANES {
                let (acr, aci) = (ar[l] + cr[l], ai[l] + ci[l]);
                let (sr, si) = (ar[l] - cr[l], ai[l] - ci[l]);
                let (bdr, bdi) = (br[l] + dr[l], bi[l] + di[l]);
                // i·(b − d)
                let (jr, ji) = (di[l] - bi[l], br[l] - dr[l]);
                r[0][l] = acr + bdr;
                i[0][l] = aci + bdi;
                let (xr, xi) = (sr - jr, si - ji);
                r[1][l] = w1r * xr - w1i * xi;
                i[1][l] = w1r * xi + w1i * xr;
                let (xr, xi) = (acr - bdr, aci - bdi);
                r[2][l] = w2r * xr - w2i * xi;
                i[2][l] = w2r * xi + w2i * xr;
                let (xr, xi) = (sr + jr, si + ji);
                r[3][l] = w3r * xr - w3i * xi;
                i[3][l] = w3r * xi + w3i * xr;
            }
            for k in 0..4 {
                out_re[to + stride * k] = r[k];
                out_im[to + stride * k] = i[k];
            }
        }
    }
}

#[inline(always)]
fn pass2(
    span: usize,
    stride: usize,
    twiddles: &[[f32; 2]],
    re: &[Lanes],
    im: &[Lanes],
    out_re: &mut [Lanes],
    out_im: &mut [Lanes],
) {
    let step = span * stride;
    for (p, &[wr, wi]) in twiddles.iter().enumerate() {
        for q in 0..stride {
            let from = q + stride * p;
            let to = q + stride * 2 * p;
            let (ar, ai) = (re[from], im[from]);
            let (br, bi) = (re[from + step], im[from + step]);
            let mut r = [[0.0; LANES]; 2];
            let mut i = [[0.0; LANES]; 2];
            for l in 0..LANES {
                r[0][l] = ar[l] + br[l];
                i[0][l] = ai[l] + bi[l];
                let (xr, xi) = (ar[l] - br[l], ai[l] - bi[l]);
                r[1][l] = wr * xr - wi * xi;
                i[1][l] = wr * xi + wi * xr;
            }
            for k in 0..2 {
                out_re[to + stride * k] = r[k];
                out_im[to + stride * k] = i[k];
            }
        }
    }
}

/// Radix 3, by the definition of the small transform.
#[inline(always)]
fn pass3(
    span: usize,
    stride: usize,
    twiddles: &[[f32; 2]],
    re: &[Lanes],
    im: &[Lanes],
    out_re: &mut [Lanes],
    out_im: &mut [Lanes],
) {
    const R: usize = 3;
    let step = span * stride;
    let roots: [[f32; 2]; R] = std::array::from_fn(|k| {
        let turns = k as f64 / R as f64;
        [(TAU * turns).cos() as f32, -(TAU * turns).sin() as f32]
    });
    for (p, rest) in twiddles.chunks_exact(R - 1).enumerate() {
        let w: [[f32; 2]; R] =
            std::array::from_fn(|k| if k == 0 { [1.0, 0.0] } else { rest[k - 1] });
        for q in 0..stride {
            let from = q + stride * p;
            let mut xr = [[0.0; LANES]; R];
            let mut xi = [[0.0; LANES]; R];
            for m in 0..R {
                xr[m] = re[from + m * step];
                xi[m] = im[from + m * step];
            }
            let mut r = [[0.0; LANES]; R];
            let mut i = [[0.0; LANES]; R];
            for l in 0..LANES {
                for k in 0..R {
                    let (mut sum_r, mut sum_i) = (xr[0][l], xi[0][l]);
                    for m in 1..R {
                        let [cr, ci] = roots[m * k % R];
                        sum_r += cr * xr[m][l] - ci * xi[m][l];
                        sum_i += cr * xi[m][l] + ci * xr[m][l];
                    }
                    let [wr, wi] = w[k];
                    r[k][l] = wr * sum_r - wi * sum_i;
                    i[k][l] = wr * sum_i + wi * sum_r;
                }
            }
            let to = q + stride * R * p;
            for k in 0..R {
                out_re[to + stride * k] = r[k];
                out_im[to + stride * k] = i[k];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_definition() {
        for length in [8, 16, 24, 48, 64, 72, 128, 216] {
            let fft = Fft::new(length);
            let mut signals = Signals::zeros(length);
            for n in 0..length {
                for lane in 0..LANES {
                    signals.re[n][lane] = ((n * 7 + lane * 3) % 11) as f32 - 5.0;
                    signals.im[n][lane] = ((n * 5 + lane) % 13) as f32 - 6.0;
                }
            }
            let (input, mut scratch) = (signals.clone(), Signals::zeros(length));
            fft.forward(&mut signals, &mut scratch);
            for k in 0..length {
                for lane in [0, 9] {
                    let (mut re, mut im) = (0.0, 0.0);
                    for n in 0..length {
                        let (sin, cos) = (-TAU * (n * k % length) as f64 / length as f64).sin_cos();
                        let (x, y) = (f64::from(input.re[n][lane]), f64::from(input.im[n][lane]));
                        re += x * cos - y * sin;
                        im += x * sin + y * cos;
                    }
                    let error = (re - f64::from(signals.re[k][lane])).abs()
                        + (im - f64::from(signals.im[k][lane])).abs();
                    assert!(error < 1e-3, "length {length}, k {k}: error {error}");
                }
            }
            fft.inverse_unscaled(&mut signals, &mut scratch);
            for (back, there) in signals.re.iter().zip(&input.re) {
                assert!((back[3] / length as f32 - there[3]).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn good_lengths_are_smooth_multiples_of_eight() {
        assert_eq!([1, 9, 97, 300, 769].map(Fft::good_length), [8, 16, 128, 384, 864]);
    }
}
