//! Fused forms of what costs most outside matrix products, for inference on the CPU.
//!
//! Burn's CPU backend runs one operation at a time, each over the whole tensor: window attention
//! would be cut, permuted and copied four times, and `exp` and `erf` are called element by element.
//! Here the same sums are done in place, vectorised for the processor at hand (`pulp`), with small
//! matrix products straight on the strided `qkv` (`faer`). Training and GPUs take Burn's own
//! operations; a test holds both against each other.

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::activation::gelu;
use burn::tensor::module::linear;
use burn::tensor::{DType, Device, Tensor, TensorData};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use pulp::Arch;
use rayon::prelude::*;

/// Whether the fused forms apply: `f32`, on the CPU backend, with no gradient asked for.
pub(super) fn runs_on_cpu<const D: usize>(x: &Tensor<D>) -> bool {
    let device = x.device();
    x.dtype() == DType::F32 && !device.is_autodiff() && device == Device::flex()
}

/// As [`runs_on_cpu`], with a gradient asked for.
fn trains_on_cpu<const D: usize>(x: &Tensor<D>) -> bool {
    let device = x.device();
    let on_cpu = device.is_autodiff() && device.without_autodiff() == Device::flex();
    on_cpu && x.dtype() == DType::F32
}

/// GELU as its tangent `slope · x + offset` at each value, which has the same value and gradient.
/// Burn's own calls erf element by element, forward and backward: a quarter of a training step.
fn tangent_gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let device = x.device();
    let mut slope = x.clone().without_autodiff().into_data();
    let mut offset = slope.clone();
    let rows = rows_at_once(1);
    floats_mut(&mut slope)
        .par_chunks_mut(rows)
        .zip(floats_mut(&mut offset).par_chunks_mut(rows))
        .for_each(|(slope, offset)| {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (x, offset) in slope.iter_mut().zip(offset) {
                        (*x, *offset) = gelu_tangent(*x);
                    }
                },
            );
        });
    x * Tensor::from_data(slope, &device) + Tensor::from_data(offset, &device)
}

/// `x · weight` with the leading dimensions of `x` laid flat: Burn would lift the weight to the rank
/// of `x`, and its CPU backend copies a transposed weight for that at every call.
fn product<const D: usize>(x: Tensor<D>, weight: Tensor<2>) -> Tensor<D> {
    let mut dims = x.dims();
    let [width, d_output] = weight.dims();
    let rows = dims[..D - 1].iter().product::<usize>();
    dims[D - 1] = d_output;
    linear(x.reshape([rows, width]), weight, None).reshape(dims)
}

/// `gelu(layer(x))`, with the exact (erf) GELU.
pub(super) fn linear_gelu<const D: usize>(layer: &Linear, x: Tensor<D>) -> Tensor<D> {
    let Some(bias) = layer.bias.as_ref().filter(|_| runs_on_cpu(&x)) else {
        let x = layer.forward(x);
        return if trains_on_cpu(&x) { tangent_gelu(x) } else { gelu(x) };
    };
    let device = x.device();
    let mut product = product(x, layer.weight.val()).into_data();
    let bias = bias.val().into_data();
    add_bias_gelu(floats_mut(&mut product), floats(&bias));
    Tensor::from_data(product, &device)
}

/// `layer(x)`.
pub(super) fn linear_of<const D: usize>(layer: &Linear, x: Tensor<D>) -> Tensor<D> {
    affine(x, layer.weight.val(), layer.bias.as_ref().map(Param::val))
}

/// `x · weight + bias`; the bias is added in place, where Burn would write the product anew.
pub(super) fn affine<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    if !runs_on_cpu(&x) {
        return linear(x, weight, bias);
    }
    let device = x.device();
    let product = product(x, weight);
    let Some(bias) = bias else { return product };
    let (mut product, bias) = (product.into_data(), bias.into_data());
    let bias = floats(&bias);
    each_row(
        floats_mut(&mut product),
        bias.len(),
        #[inline(always)]
        |row| row.iter_mut().zip(bias).for_each(|(x, b)| *x += b),
    );
    Tensor::from_data(product, &device)
}

/// `residual + layer(x)`, in one pass over the product.
pub(super) fn residual_linear<const D: usize>(
    residual: Tensor<D>,
    layer: &Linear,
    x: Tensor<D>,
) -> Tensor<D> {
    let Some(bias) = layer.bias.as_ref().filter(|_| runs_on_cpu(&x)) else {
        return residual + layer.forward(x);
    };
    let device = x.device();
    let mut product = product(x, layer.weight.val()).into_data();
    let (bias, residual) = (bias.val().into_data(), residual.into_data());
    let (bias, residual) = (floats(&bias), floats(&residual));
    let width = bias.len();
    let rows = rows_at_once(width);
    floats_mut(&mut product)
        .par_chunks_mut(rows * width)
        .zip(residual.par_chunks(rows * width))
        .for_each(|(chunk, residual)| {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    let rows = chunk.chunks_exact_mut(width).zip(residual.chunks_exact(width));
                    for (row, residual) in rows {
                        for ((x, b), r) in row.iter_mut().zip(bias).zip(residual) {
                            *x += b + r;
                        }
                    }
                },
            );
        });
    Tensor::from_data(product, &device)
}

/// Attention inside windows.
///
/// # Shapes
/// - qkv: `[all, n, 3 * dim]`, channels `[q | k | v]`, then heads
/// - bias: `[heads, n, n]`
/// - mask: `[windows, n, n]`, with `all` a multiple of `windows`
/// - output: `[all, n, dim]`
pub(super) fn window_attention(
    qkv: Tensor<3>,
    bias: Tensor<3>,
    mask: Option<Tensor<3>>,
    heads: usize,
) -> Tensor<3> {
    let [all, n, triple] = qkv.dims();
    let (dim, device) = (triple / 3, qkv.device());
    let (qkv, bias) = (qkv.into_data(), bias.into_data());
    let (qkv, bias) = (floats(&qkv), floats(&bias));
    let mask = mask.map(Tensor::into_data);
    let mask = mask.as_ref().map(floats);
    let mut output = vec![0.0f32; all * n * dim];
    output.par_chunks_mut(n * dim).zip(qkv.par_chunks(n * triple)).enumerate().for_each_init(
        || vec![0.0f32; n * n],
        |scores, (window, (output, qkv))| {
            let mask = mask.map(|mask| {
                let at = window * n * n % mask.len();
                &mask[at..at + n * n]
            });
            for head in 0..heads {
                let bias = &bias[head * n * n..(head + 1) * n * n];
                attend_head(qkv, output, scores, [n, dim, heads, head], bias, mask);
            }
        },
    );
    Tensor::from_data(TensorData::new(output, [all, n, dim]), &device)
}

/// One head of one window: `qkv [n, 3 * dim]` into its columns of `output [n, dim]`.
fn attend_head(
    qkv: &[f32],
    output: &mut [f32],
    scores: &mut [f32],
    [n, dim, heads, head]: [usize; 4],
    bias: &[f32],
    mask: Option<&[f32]>,
) {
    let depth = dim / heads;
    let part = |index: usize| {
        let from = index * dim + head * depth;
        MatRef::from_row_major_slice_with_stride(&qkv[from..], n, depth, 3 * dim)
    };
    let scale = (depth as f32).powf(-0.5);
    let product = MatMut::from_row_major_slice_mut(&mut *scores, n, n);
    matmul(product, Accum::Replace, part(0), part(1).transpose(), scale, Par::Seq);
    biased_softmax(scores, bias, mask, n);
    let columns = &mut output[head * depth..];
    // By way of the transpose: faer 0.24's row-major strided constructor mixes up its strides.
    let columns = MatMut::from_column_major_slice_with_stride_mut(columns, depth, n, dim);
    let columns = columns.transpose_mut();
    let weights = MatRef::from_row_major_slice(&*scores, n, n);
    matmul(columns, Accum::Replace, weights, part(2), 1.0, Par::Seq);
}

/// `softmax(scores + bias + mask)` along rows of length `n`, in place.
fn biased_softmax(scores: &mut [f32], bias: &[f32], mask: Option<&[f32]>, n: usize) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for (row, scores) in scores.chunks_exact_mut(n).enumerate() {
                let bias = &bias[row * n..(row + 1) * n];
                scores.iter_mut().zip(bias).for_each(|(s, b)| *s += b);
                if let Some(mask) = mask {
                    let mask = &mask[row * n..(row + 1) * n];
                    scores.iter_mut().zip(mask).for_each(|(s, m)| *s += m);
                }
                let top = maximum(scores);
                scores.iter_mut().for_each(|s| *s = exp(*s - top));
                let scale = 1.0 / sum(scores);
                scores.iter_mut().for_each(|s| *s *= scale);
            }
        },
    );
}

/// Adds `bias` to every row and applies GELU, in place.
fn add_bias_gelu(values: &mut [f32], bias: &[f32]) {
    each_row(
        values,
        bias.len(),
        #[inline(always)]
        |row| row.iter_mut().zip(bias).for_each(|(x, b)| *x = gelu_of(*x + b)),
    );
}

/// Rows that one thread takes at once: enough to be worth it, few enough to stay in its cache.
fn rows_at_once(width: usize) -> usize {
    (1_usize << 15).div_ceil(width.max(1))
}

/// Applies `change` to every row, in parallel and vectorised.
#[inline(always)]
fn each_row(values: &mut [f32], width: usize, change: impl Fn(&mut [f32]) + Sync) {
    values.par_chunks_mut(rows_at_once(width) * width).for_each(|chunk| {
        Arch::new().dispatch(
            #[inline(always)]
            || chunk.chunks_exact_mut(width).for_each(&change),
        );
    });
}

/// Independent lanes, so that the compiler may reorder what floating-point rules would forbid.
const LANES: usize = 16;

#[inline(always)]
fn maximum(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = if value > *lane { value } else { *lane };
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| a.max(b))
}

#[inline(always)]
fn sum(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    lanes.iter().chain(rest).sum()
}

/// `eˣ` to within two units in the last place for `x` in -87..88, and 0 below.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // Adding and subtracting 1.5·2²³ rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let bounded = if x < -87.0 { -87.0 } else { x };
    let bounded = if bounded > 88.0 { 88.0 } else { bounded };
    let power = (bounded * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = bounded - power * LN_2_HIGH - power * LN_2_LOW;
    // The Taylor series, to where its next term is below rounding for |r| ≤ ln 2 / 2.
    let mut series = 1.0 / 5040.0;
    for term in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = series * r + term;
    }
    // SAFETY of the cast: `power` lies in -126..=127.
    let scale = f32::from_bits(((power as i32 + 127) << 23) as u32);
    if x < -87.0 { 0.0 } else { series * scale }
}

/// `x Φ(x)`.
#[inline(always)]
fn gelu_of(x: f32) -> f32 {
    x * normal_below(x)
}

/// `Φ(x)`, with erf by Abramowitz and Stegun's formula 7.1.26 (error at most 1.5e-7).
#[inline(always)]
fn normal_below(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let mut series = 1.061_405_4;
    for term in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        series = series * t + term;
    }
    let tail = 0.5 * series * t * exp(-z * z);
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// GELU's tangent at `x`: slope `Φ(x) + x φ(x)` and offset `−x² φ(x)`.
#[inline(always)]
fn gelu_tangent(x: f32) -> (f32, f32) {
    const DENSITY_AT_0: f32 = 0.398_942_3;
    let density = x * DENSITY_AT_0 * exp(-0.5 * x * x);
    (normal_below(x) + density, -x * density)
}

#[expect(clippy::expect_used, reason = "callers have checked that the tensor holds f32")]
fn floats(data: &TensorData) -> &[f32] {
    data.as_slice().expect("f32 data")
}

#[expect(clippy::expect_used, reason = "callers have checked that the tensor holds f32")]
fn floats_mut(data: &mut TensorData) -> &mut [f32] {
    data.as_mut_slice().expect("f32 data")
}

#[cfg(test)]
mod tests {
    use burn::tensor::Distribution;

    use super::*;

    #[test]
    fn exp_is_exact_to_rounding() {
        for step in -86_000..88_000 {
            let x = step as f32 * 1e-3;
            let exact = (x as f64).exp();
            assert!(((exp(x) as f64 - exact) / exact).abs() < 3e-7, "exp({x})");
        }
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn gelu_is_the_exact_one() {
        let x = Tensor::<1>::from_data(
            (-4000..4000).map(|i| i as f32 * 2e-3).collect::<Vec<_>>().as_slice(),
            &Device::flex(),
        );
        let expected = gelu(x.clone()).into_data().try_to_vec::<f32>().unwrap();
        for (x, expected) in x.into_data().try_to_vec::<f32>().unwrap().into_iter().zip(expected) {
            assert!((gelu_of(x) - expected).abs() < 5e-7, "gelu({x})");
        }
    }

    #[test]
    fn the_tangent_has_the_value_and_the_gradient_of_gelu() {
        let values: Vec<f32> = (-4000..4000).map(|i| i as f32 * 2e-3).collect();
        let device = Device::flex().autodiff();
        let of = |apply: fn(Tensor<1>) -> Tensor<1>| {
            let x = Tensor::<1>::from_data(values.as_slice(), &device).require_grad();
            let y = apply(x.clone());
            let gradients = (y.clone() * y.clone()).sum().backward();
            let gradient = x.grad(&gradients).unwrap();
            [y.without_autodiff(), gradient].map(|t| t.into_data().try_to_vec::<f32>().unwrap())
        };
        let ([y, gradient], [expected, expected_gradient]) = (of(tangent_gelu), of(gelu));
        for at in 0..values.len() {
            assert!((y[at] - expected[at]).abs() < 1e-6, "gelu({})", values[at]);
            let error = (gradient[at] - expected_gradient[at]).abs();
            assert!(error < 2e-6 * (1.0 + expected_gradient[at].abs()), "at {}", values[at]);
        }
    }

    #[test]
    fn lanes_cover_every_length() {
        for length in 1..70 {
            let values: Vec<f32> = (0..length).map(|i| ((i * 37) % 11) as f32 - 20.0).collect();
            assert_eq!(sum(&values), values.iter().sum::<f32>());
            assert_eq!(maximum(&values), values.iter().copied().fold(f32::MIN, f32::max));
        }
    }

    #[test]
    fn window_attention_is_softmax_attention() {
        let device = Device::flex();
        let ([all, n, dim], heads, windows) = ([6, 9, 8], 2, 3);
        let normal = Distribution::Normal(0.0, 1.0);
        let qkv = Tensor::<3>::random([all, n, 3 * dim], normal, &device);
        let bias = Tensor::<3>::random([heads, n, n], normal, &device);
        let mask = Tensor::<3>::random([windows, n, n], normal, &device);
        let fused = window_attention(qkv.clone(), bias.clone(), Some(mask.clone()), heads);

        let split = qkv.reshape([all, n, 3, heads, dim / heads]).permute([2, 0, 3, 1, 4]);
        let part = |i: usize| -> Tensor<4> { split.clone().narrow(0, i, 1).squeeze_dim::<4>(0) };
        let scores = part(0).matmul(part(1).swap_dims(2, 3)) / ((dim / heads) as f32).sqrt();
        let mask: Tensor<4> = mask.repeat_dim(0, all / windows).unsqueeze_dim(1);
        let weights = burn::tensor::activation::softmax(scores + bias.unsqueeze() + mask, 3);
        let plain = weights.matmul(part(2)).swap_dims(1, 2).reshape([all, n, dim]);
        let error = (fused - plain).abs().max().into_scalar::<f32>();
        assert!(error < 1e-5, "{error}");
    }
}
