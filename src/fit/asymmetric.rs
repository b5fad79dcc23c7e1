//! The asymmetric loss for many labels at once (Ridnik et al. 2021), as RAM is trained with.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

/// How much easy examples count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AsymmetricLoss {
    /// Focusing of present tags, γ₊.
    pub gamma_positive: f32,
    /// Focusing of absent tags, γ₋.
    pub gamma_negative: f32,
    /// Probability below which an absent tag costs nothing, m.
    pub margin: f32,
}

impl Default for AsymmetricLoss {
    /// RAM's settings: γ₊ = 0, γ₋ = 7, m = 0.05.
    fn default() -> Self {
        Self { gamma_positive: 0.0, gamma_negative: 7.0, margin: 0.05 }
    }
}

impl AsymmetricLoss {
    /// `−Σ y (1−p)^γ₊ log p + (1−y) pₘ^γ₋ log(1−pₘ)` with `pₘ = max(p − m, 0)`, summed over tags and
    /// averaged over images. The focusing weights carry no gradient, as in RAM's training.
    ///
    /// # Shapes
    /// - logits, targets: `[batch, tags]`; targets are 0 or 1
    /// - output: `[1]`
    pub fn forward(&self, logits: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
        let [batch, _] = logits.dims();
        let present = sigmoid(logits);
        let absent = (present.clone().neg() + (1.0 + self.margin)).clamp_max(1.0);
        let others = targets.clone().neg() + 1.0;
        let focus_present = (present.clone().detach().neg() + 1.0).powf_scalar(self.gamma_positive);
        let focus_absent = (absent.clone().detach().neg() + 1.0).powf_scalar(self.gamma_negative);
        let floor = 1e-8;
        let positive = targets * present.clamp_min(floor).log() * focus_present;
        let negative = others * absent.clamp_min(floor).log() * focus_absent;
        (positive + negative).sum().neg() / batch as f32
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn it_is_the_formula() {
        let device = Device::flex();
        let logits = Tensor::from_data([[0.3f32, -1.2, 2.0, -4.0]], &device);
        let targets = Tensor::from_data([[1.0f32, 0.0, 0.0, 0.0]], &device);
        let loss = AsymmetricLoss { gamma_positive: 1.0, gamma_negative: 2.0, margin: 0.05 };
        let found = loss.forward(logits, targets).into_scalar::<f32>();
        let p = |x: f64| 1.0 / (1.0 + (-x).exp());
        let absent = |x: f64| {
            let shifted = (p(x) - 0.05f32 as f64).max(0.0);
            shifted.powi(2) * (1.0 - shifted).ln()
        };
        let expected = -((1.0 - p(0.3)) * p(0.3).ln() + absent(-1.2) + absent(2.0) + absent(-4.0));
        assert!((f64::from(found) - expected).abs() < 1e-5, "{found} against {expected}");
    }
}
