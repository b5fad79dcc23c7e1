//! Attention as one pass over `qkv`: small matrix products straight on its strided channels, and a
//! softmax in place.

use burn::tensor::{Tensor, TensorData};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use pulp::Arch;
use rayon::prelude::*;

use super::floats;
use super::numbers::{exp, maximum, sum};

/// Self-attention over whole sequences.
///
/// # Shapes
/// - qkv: `[batch, n, 3 * dim]`, channels `[q | k | v]`, then heads
/// - output: `[batch, n, dim]`; if `causal`, a position sees itself and those before it
pub(in crate::nn) fn self_attention(qkv: Tensor<3>, heads: usize, causal: bool) -> Tensor<3> {
    let [batch, n, triple] = qkv.dims();
    let (dim, device) = (triple / 3, qkv.device());
    let depth = dim / heads;
    let qkv = qkv.into_data();
    let qkv = floats(&qkv);
    // Heads are what threads share, so each writes apart first.
    let mut apart = vec![0.0f32; batch * n * dim];
    apart.par_chunks_mut((n * depth).max(1)).enumerate().for_each_init(
        || vec![0.0f32; n * n],
        |scores, (at, output)| {
            let (image, head) = (at / heads, at % heads);
            let qkv = &qkv[image * n * triple..(image + 1) * n * triple];
            let output = MatMut::from_row_major_slice_mut(output, n, depth);
            attend_head(qkv, output, scores, [n, dim, heads, head], |scores| match causal {
                true => causal_softmax(scores, n),
                false => softmax(scores, n),
            });
        },
    );
    let mut output = vec![0.0f32; batch * n * dim];
    output.par_chunks_mut((n * dim).max(1)).zip(apart.par_chunks((n * dim).max(1))).for_each(
        |(output, apart)| {
            for (row, output) in output.chunks_exact_mut(dim).enumerate() {
                for (head, output) in output.chunks_exact_mut(depth).enumerate() {
                    output.copy_from_slice(&apart[(head * n + row) * depth..][..depth]);
                }
            }
        },
    );
    Tensor::from_data(TensorData::new(output, [batch, n, dim]), &device)
}

/// Attention inside windows.
///
/// # Shapes
/// - qkv: `[all, n, 3 * dim]`, channels `[q | k | v]`, then heads
/// - bias: `[heads, n, n]`
/// - mask: `[windows, n, n]`, with `all` a multiple of `windows`
/// - output: `[all, n, dim]`
pub(in crate::nn) fn window_attention(
    qkv: Tensor<3>,
    bias: Tensor<3>,
    mask: Option<Tensor<3>>,
    heads: usize,
) -> Tensor<3> {
    let [all, n, triple] = qkv.dims();
    let (dim, device) = (triple / 3, qkv.device());
    let depth = dim / heads;
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
                let columns = &mut output[head * depth..];
                // By way of the transpose: faer 0.24's row-major strided constructor mixes up its
                // strides.
                let columns =
                    MatMut::from_column_major_slice_with_stride_mut(columns, depth, n, dim);
                let columns = columns.transpose_mut();
                attend_head(qkv, columns, scores, [n, dim, heads, head], |scores| {
                    biased_softmax(scores, bias, mask, n);
                });
            }
        },
    );
    Tensor::from_data(TensorData::new(output, [all, n, dim]), &device)
}

/// One head of one sequence: `qkv [n, 3 * dim]` to `output [n, dim / heads]`, with `normalise` the
/// softmax over `scores [n, n]`.
fn attend_head(
    qkv: &[f32],
    output: MatMut<f32>,
    scores: &mut [f32],
    [n, dim, heads, head]: [usize; 4],
    normalise: impl FnOnce(&mut [f32]),
) {
    let depth = dim / heads;
    let part = |index: usize| {
        let from = index * dim + head * depth;
        MatRef::from_row_major_slice_with_stride(&qkv[from..], n, depth, 3 * dim)
    };
    let scale = (depth as f32).powf(-0.5);
    let product = MatMut::from_row_major_slice_mut(&mut *scores, n, n);
    matmul(product, Accum::Replace, part(0), part(1).transpose(), scale, Par::Seq);
    normalise(scores);
    let weights = MatRef::from_row_major_slice(&*scores, n, n);
    matmul(output, Accum::Replace, weights, part(2), 1.0, Par::Seq);
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
                softmax_row(scores);
            }
        },
    );
}

/// `softmax(scores)` along rows of length `n`, in place.
fn softmax(scores: &mut [f32], n: usize) {
    Arch::new().dispatch(
        #[inline(always)]
        || scores.chunks_exact_mut(n).for_each(softmax_row),
    );
}

/// As [`softmax`], with nothing beyond the diagonal.
fn causal_softmax(scores: &mut [f32], n: usize) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for (row, scores) in scores.chunks_exact_mut(n).enumerate() {
                let (seen, unseen) = scores.split_at_mut(row + 1);
                softmax_row(seen);
                unseen.fill(0.0);
            }
        },
    );
}

#[inline(always)]
fn softmax_row(scores: &mut [f32]) {
    let top = maximum(scores);
    scores.iter_mut().for_each(|s| *s = exp(*s - top));
    let scale = 1.0 / sum(scores);
    scores.iter_mut().for_each(|s| *s *= scale);
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution};

    use super::*;

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

    #[test]
    fn self_attention_is_softmax_attention() {
        let device = Device::flex();
        let ([batch, n, dim], heads) = ([2, 21, 8], 2);
        let normal = Distribution::Normal(0.0, 1.0);
        let qkv = Tensor::<3>::random([batch, n, 3 * dim], normal, &device);
        let split = qkv.clone().reshape([batch, n, 3, heads, dim / heads]);
        let split = split.permute([2, 0, 3, 1, 4]);
        let part = |i: usize| -> Tensor<4> { split.clone().narrow(0, i, 1).squeeze_dim::<4>(0) };
        let scores = part(0).matmul(part(1).swap_dims(2, 3)) / ((dim / heads) as f32).sqrt();
        for causal in [false, true] {
            let scores = match causal {
                true => scores.clone().mask_fill(
                    Tensor::<2, burn::tensor::Bool>::tril_mask([n, n], 0, &device).unsqueeze(),
                    -1e30,
                ),
                false => scores.clone(),
            };
            let weights = burn::tensor::activation::softmax(scores, 3);
            let plain = weights.matmul(part(2)).swap_dims(1, 2).reshape([batch, n, dim]);
            let fused = self_attention(qkv.clone(), heads, causal);
            let error = (fused - plain).abs().max().into_scalar::<f32>();
            assert!(error < 1e-5, "{error}");
        }
    }
}
