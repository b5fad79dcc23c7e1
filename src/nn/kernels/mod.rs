//! Fused forms of what costs most outside matrix products, for inference on the CPU.
//!
//! Burn's CPU backend runs one operation at a time, each over the whole tensor: window attention
//! would be cut, permuted and copied four times, and `exp` and `erf` are called element by element.
//! Here the same sums are done in place, vectorised for the processor at hand (`pulp`), with small
//! matrix products straight on the strided `qkv` (`faer`). Training and GPUs take Burn's own
//! operations; a test holds both against each other.

mod attention;
mod numbers;

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::activation::{gelu, sigmoid};
use burn::tensor::module::linear;
use burn::tensor::{DType, Device, Tensor, TensorData};
use pulp::Arch;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub(super) use attention::{self_attention, window_attention};
use numbers::{QUICK, gelu_of, gelu_tangent, quick_gelu_of, quick_gelu_tangent};

/// The function between the two linear layers of a feed-forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x Φ(x)`, the exact GELU with erf.
    #[default]
    Gelu,
    /// `x σ(1.702 x)`, as in the CLIP models that OpenAI trained.
    QuickGelu,
}

impl Activation {
    /// The function, by Burn's own operations.
    fn plain<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Gelu => gelu(x),
            Self::QuickGelu => x.clone() * sigmoid(x * QUICK),
        }
    }
}

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

/// An activation as its tangent `slope · x + offset` at each value, which has the same value and
/// gradient. Burn's own call erf or exp element by element, forward and backward: a quarter of a
/// training step.
fn as_tangent<const D: usize>(activation: Activation, x: Tensor<D>) -> Tensor<D> {
    let device = x.device();
    let mut slope = x.clone().without_autodiff().into_data();
    let mut offset = slope.clone();
    match activation {
        Activation::Gelu => tangents(&mut slope, &mut offset, gelu_tangent),
        Activation::QuickGelu => tangents(&mut slope, &mut offset, quick_gelu_tangent),
    }
    x * Tensor::from_data(slope, &device) + Tensor::from_data(offset, &device)
}

/// Turns the values in `slope` into slopes and offsets.
#[inline(always)]
fn tangents(
    slope: &mut TensorData,
    offset: &mut TensorData,
    tangent: impl Fn(f32) -> (f32, f32) + Sync,
) {
    let rows = rows_at_once(1);
    floats_mut(slope).par_chunks_mut(rows).zip(floats_mut(offset).par_chunks_mut(rows)).for_each(
        |(slope, offset)| {
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for (x, offset) in slope.iter_mut().zip(offset) {
                        (*x, *offset) = tangent(*x);
                    }
                },
            );
        },
    );
}

/// `x · weight` with the leading dimensions of `x` laid flat: Burn would lift the weight to the rank
/// of `x`, and its CPU backend copies a transposed weight for that at every call.
///
/// Few rows are filled up with zeros: products of a few take other kernels, which add in another
/// order, and a row's result must not depend on how many rows there are.
fn product<const D: usize>(x: Tensor<D>, weight: Tensor<2>) -> Tensor<D> {
    const ROWS: usize = 16;
    let mut dims = x.dims();
    let [width, d_output] = weight.dims();
    let rows = dims[..D - 1].iter().product::<usize>();
    dims[D - 1] = d_output;
    let x: Tensor<2> = x.reshape([rows, width]);
    if rows >= ROWS {
        return linear(x, weight, None).reshape(dims);
    }
    let zeros = Tensor::zeros([ROWS - rows, width], &x.device());
    let full = linear(Tensor::cat(vec![x, zeros], 0), weight, None);
    full.slice([0..rows, 0..d_output]).reshape(dims)
}

/// `activation(layer(x))`.
pub(super) fn linear_activated<const D: usize>(
    layer: &Linear,
    x: Tensor<D>,
    activation: Activation,
) -> Tensor<D> {
    let Some(bias) = layer.bias.as_ref().filter(|_| runs_on_cpu(&x)) else {
        let x = layer.forward(x);
        return if trains_on_cpu(&x) { as_tangent(activation, x) } else { activation.plain(x) };
    };
    let device = x.device();
    let mut product = product(x, layer.weight.val()).into_data();
    let bias = bias.val().into_data();
    let (values, bias) = (floats_mut(&mut product), floats(&bias));
    match activation {
        Activation::Gelu => add_bias_then(values, bias, gelu_of),
        Activation::QuickGelu => add_bias_then(values, bias, quick_gelu_of),
    }
    Tensor::from_data(product, &device)
}

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

/// Adds `bias` to every row and applies a function, in place.
#[inline(always)]
fn add_bias_then(values: &mut [f32], bias: &[f32], apply: impl Fn(f32) -> f32 + Sync) {
    each_row(
        values,
        bias.len(),
        #[inline(always)]
        |row| row.iter_mut().zip(bias).for_each(|(x, b)| *x = apply(*x + b)),
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
    use super::*;

    type Function = fn(f32) -> f32;

    const BOTH: [(Activation, Function); 2] =
        [(Activation::Gelu, gelu_of), (Activation::QuickGelu, quick_gelu_of)];

    fn values(tensor: Tensor<1>) -> Vec<f32> {
        tensor.into_data().try_to_vec::<f32>().unwrap()
    }

    fn steps() -> Vec<f32> {
        (-4000..4000).map(|i| i as f32 * 2e-3).collect()
    }

    #[test]
    fn activations_are_the_exact_ones() {
        let x = Tensor::<1>::from_data(steps().as_slice(), &Device::flex());
        for (activation, of) in BOTH {
            let expected = values(activation.plain(x.clone()));
            for (x, expected) in steps().into_iter().zip(expected) {
                assert!((of(x) - expected).abs() < 7e-7, "{activation:?}({x})");
            }
        }
    }

    #[test]
    fn tangents_have_the_value_and_the_gradient() {
        let device = Device::flex().autodiff();
        for (activation, _) in BOTH {
            let of = |apply: &dyn Fn(Tensor<1>) -> Tensor<1>| {
                let x = Tensor::<1>::from_data(steps().as_slice(), &device).require_grad();
                let y = apply(x.clone());
                let gradients = (y.clone() * y.clone()).sum().backward();
                let gradient = x.grad(&gradients).unwrap();
                [values(y.without_autodiff()), values(gradient)]
            };
            let [y, gradient] = of(&|x| as_tangent(activation, x));
            let [expected, expected_gradient] = of(&|x| activation.plain(x));
            for (at, x) in steps().into_iter().enumerate() {
                assert!((y[at] - expected[at]).abs() < 1e-6, "{activation:?}({x})");
                let error = (gradient[at] - expected_gradient[at]).abs();
                assert!(error < 2e-6 * (1.0 + expected_gradient[at].abs()), "at {x}");
            }
        }
    }
}
