//! Position embeddings for images of another size than a model was trained on.
//!
//! All published code resizes the square of embeddings by bicubic interpolation, and does so in
//! three ways that give different features, for larger images as for smaller ones.

use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// How a square of position embeddings is resized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PositionResize {
    /// Antialiased, Keys' kernel with a = −0.5: open_clip.
    #[default]
    Antialiased,
    /// Four neighbours, a = −0.75: transformers, and CLIPN's forward pass.
    Plain,
    /// As `Plain`, with corners on corners: CLIPN where it loads a checkpoint.
    CornersAligned,
}

impl PositionResize {
    /// Resizes a table `[1 + own², width]`, the class token's row first, to `[1 + side², width]`.
    pub(super) fn apply(self, table: Tensor<2>, side: usize) -> Tensor<2> {
        let [rows, width] = table.dims();
        let own = rows.saturating_sub(1).isqrt();
        if own == side {
            return table;
        }
        let axis = self.axis(own, side);
        // One row for each pixel of the new square; embeddings mix by both axes' weights at once.
        let mut weights = Vec::with_capacity(side * side * own * own);
        for vertical in axis.chunks(own) {
            for horizontal in axis.chunks(own) {
                for v in vertical {
                    weights.extend(horizontal.iter().map(|h| (v * h) as f32));
                }
            }
        }
        let weights = TensorData::new(weights, [side * side, own * own]);
        let weights = Tensor::<2>::from_data(weights, &table.device()).cast(table.dtype());
        let grid = weights.matmul(table.clone().slice([1..rows, 0..width]));
        Tensor::cat(vec![table.slice([0..1, 0..width]), grid], 0)
    }

    /// The weights of `own` old places in each of `side` new ones: `[side, own]`.
    fn axis(self, own: usize, side: usize) -> Vec<f64> {
        let mut weights = vec![0.0; side * own];
        let scale = own as f64 / side as f64;
        for (at, row) in weights.chunks_mut(own).enumerate() {
            match self {
                Self::Antialiased => antialiased(row, scale * (at as f64 + 0.5), scale.max(1.0)),
                Self::Plain => four_neighbours(row, scale * (at as f64 + 0.5) - 0.5),
                Self::CornersAligned => {
                    let steps = side.saturating_sub(1).max(1) as f64;
                    four_neighbours(row, at as f64 * (own - 1) as f64 / steps);
                }
            }
        }
        weights
    }
}

/// Weights around `center`, in old places from the left edge, by a kernel as wide as a new place.
fn antialiased(row: &mut [f64], center: f64, stretch: f64) {
    let support = 2.0 * stretch;
    let from = (center - support + 0.5).max(0.0) as usize;
    let to = ((center + support + 0.5) as usize).min(row.len());
    for (at, weight) in row.iter_mut().enumerate().take(to).skip(from) {
        *weight = cubic((at as f64 - center + 0.5) / stretch, -0.5);
    }
    let sum: f64 = row.iter().sum();
    row.iter_mut().for_each(|weight| *weight /= sum);
}

/// Weights of the four old places around `at`; places beyond an edge are those at the edge.
fn four_neighbours(row: &mut [f64], at: f64) {
    let first = at.floor() - 1.0;
    for offset in 0..4 {
        let place = first + f64::from(offset);
        let inside = place.clamp(0.0, (row.len() - 1) as f64) as usize;
        row[inside] += cubic(place - at, -0.75);
    }
}

/// Keys' cubic convolution kernel (1981).
fn cubic(x: f64, a: f64) -> f64 {
    let x = x.abs();
    match x {
        ..1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
        1.0..2.0 => ((x - 5.0) * x + 8.0) * x * a - 4.0 * a,
        _ => 0.0,
    }
}
