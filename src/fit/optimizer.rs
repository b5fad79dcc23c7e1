//! Adam over a module's parameters, with a state that is saved by name.
//!
//! ```text
//! m ← β₁ m + (1 − β₁) g          v ← β₂ v + (1 − β₂) g²
//! θ ← θ − lr · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε)
//! ```
//!
//! Burn's own optimizers restore their state on the default device, which would open a GPU where
//! one computes on the CPU, and key it by parameter numbers, which differ in every process. Here a
//! run that was cut off goes on with exactly the numbers it would have had.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};

use crate::nn::source::{Source, WeightsError};
use crate::nn::weights::Names;

/// A tensor to be saved: name, shape, values in row-major order.
pub type NamedTensor = (String, Vec<usize>, Vec<f32>);

/// The constants of Adam; the defaults are PyTorch's.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamConfig {
    /// Share of the old mean of gradients, β₁.
    pub beta_1: f64,
    /// Share of the old mean of squared gradients, β₂.
    pub beta_2: f64,
    /// Added to the root of the second moment, ε.
    pub epsilon: f64,
    /// Weight decay; 0 for none.
    pub weight_decay: f64,
    /// Whether weights decay by themselves (AdamW) or through the gradient (L2).
    pub decoupled: bool,
    /// Whether parameters of one dimension decay too: biases and the weights of norms.
    pub decays_vectors: bool,
    /// Largest norm of all gradients together; longer ones are scaled down to it.
    pub clip_norm: Option<f64>,
    /// Share of the old average of the weights, where an average is kept.
    pub average: Option<f64>,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            decoupled: false,
            decays_vectors: true,
            clip_norm: None,
            average: None,
        }
    }
}

impl AdamConfig {
    /// AdamW: weights decay by themselves.
    pub fn adam_w(weight_decay: f64) -> Self {
        Self { weight_decay, decoupled: true, ..Self::default() }
    }
}

/// What is remembered of one parameter, each `[n]` in the parameter's own order.
struct Moments {
    first: Tensor<1>,
    second: Tensor<1>,
    average: Option<Tensor<1>>,
}

/// Adam, with its state.
pub struct Adam {
    config: AdamConfig,
    /// Names of the parameters, for saving.
    names: BTreeMap<ParamId, String>,
    moments: BTreeMap<ParamId, Moments>,
    steps: u64,
    device: Device,
}

impl Adam {
    /// An optimizer for parameters that were built with these names on this device.
    pub fn new(config: AdamConfig, names: &Names, device: &Device) -> Self {
        let names = names.iter().map(|(name, slot)| (slot.id(), name.clone())).collect();
        let device = device.clone().without_autodiff();
        Self { config, names, moments: BTreeMap::new(), steps: 0, device }
    }

    /// How many steps were taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// One step: the module with its parameters moved against their gradients. Parameters without a
    /// gradient stay as they are.
    pub fn step<M: Module>(&mut self, module: M, grads: GradientsParams, lr: f64) -> M {
        self.steps += 1;
        let scale = self.config.clip_norm.and_then(|limit| clip_scale(&module, &grads, limit));
        let steps = self.steps as f64;
        let corrections =
            [self.config.beta_1, self.config.beta_2].map(|beta| 1.0 - beta.powf(steps));
        module.map(&mut AdamStep { adam: self, grads, lr, scale, corrections })
    }

    /// The module with the running average of its weights, where one is kept.
    pub fn averaged<M: Module>(&self, module: M) -> M {
        module.map(&mut Averaged(self))
    }

    /// The state as tensors named `optimizer.NAME.first`, `.second` and `.average`, and
    /// `optimizer.steps`.
    pub fn state(&self) -> Vec<NamedTensor> {
        let mut state = vec![("optimizer.steps".to_owned(), vec![1], vec![self.steps as f32])];
        for (id, moments) in &self.moments {
            let Some(name) = self.names.get(id) else { continue };
            let parts = [
                ("first", Some(&moments.first)),
                ("second", Some(&moments.second)),
                ("average", moments.average.as_ref()),
            ];
            for (part, tensor) in parts {
                let Some(tensor) = tensor else { continue };
                let values: Vec<f32> = tensor.clone().into_data().iter::<f32>().collect();
                state.push((format!("optimizer.{name}.{part}"), vec![values.len()], values));
            }
        }
        state
    }

    /// Takes up the state that [`Adam::state`] gave.
    ///
    /// # Errors
    /// If part of the state is missing or damaged.
    pub fn restore(&mut self, from: &Source) -> Result<(), WeightsError> {
        let steps = from.read("optimizer.steps", &[1])?;
        self.steps = steps.first().copied().unwrap_or_default() as u64;
        self.moments.clear();
        for (&id, name) in &self.names {
            let read = |part: &str| -> Result<Option<Tensor<1>>, WeightsError> {
                let name = format!("optimizer.{name}.{part}");
                let Some(shape) = from.shape(&name) else { return Ok(None) };
                let values = from.read(&name, &shape)?;
                let shape = [values.len()];
                Ok(Some(Tensor::from_data(TensorData::new(values, shape), &self.device)))
            };
            // A parameter that never had a gradient has no state.
            if let (Some(first), Some(second)) = (read("first")?, read("second")?) {
                self.moments.insert(id, Moments { first, second, average: read("average")? });
            }
        }
        Ok(())
    }
}

/// One over how many times too long the gradients are together, `[1]` on the device; at most 1.
fn clip_scale<M: Module>(module: &M, grads: &GradientsParams, limit: f64) -> Option<Tensor<1>> {
    struct Squares<'a> {
        grads: &'a GradientsParams,
        sum: Option<Tensor<1>>,
    }

    impl ModuleVisitor for Squares<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let Some(grad) = self.grads.get::<D>(param.id) else { return };
            let squares = grad.square().sum();
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + squares,
                None => squares,
            });
        }
    }

    let mut squares = Squares { grads, sum: None };
    module.visit(&mut squares);
    // Nothing is read back: a step needs no wait for the device.
    squares.sum.map(|sum| (sum.sqrt() + 1e-6).recip().mul_scalar(limit).clamp_max(1.0))
}

struct AdamStep<'a> {
    adam: &'a mut Adam,
    grads: GradientsParams,
    lr: f64,
    scale: Option<Tensor<1>>,
    corrections: [f64; 2],
}

impl AdamStep<'_> {
    /// The new value `[n]` of one parameter.
    fn updated(
        &mut self,
        id: ParamId,
        value: Tensor<1>,
        grad: Tensor<1>,
        dimensions: usize,
    ) -> Tensor<1> {
        let config = &self.adam.config;
        let grad = match &self.scale {
            Some(scale) => grad * scale.clone(),
            None => grad,
        };
        let decays = config.weight_decay > 0.0 && (config.decays_vectors || dimensions > 1);
        let grad = match decays && !config.decoupled {
            true => grad + value.clone().mul_scalar(config.weight_decay),
            false => grad,
        };
        let [new_1, new_2] = [1.0 - config.beta_1, 1.0 - config.beta_2];
        let (first, second) = (grad.clone().mul_scalar(new_1), grad.square().mul_scalar(new_2));
        let old = self.adam.moments.remove(&id);
        let (first, second, average) = match old {
            Some(old) => (
                old.first.mul_scalar(config.beta_1) + first,
                old.second.mul_scalar(config.beta_2) + second,
                old.average,
            ),
            None => (first, second, None),
        };
        let [correction_1, correction_2] = self.corrections;
        let root = second.clone().sqrt().div_scalar(correction_2.sqrt());
        let update = first.clone() / root.add_scalar(config.epsilon);
        let kept = match decays && config.decoupled {
            true => value.mul_scalar(1.0 - self.lr * config.weight_decay),
            false => value,
        };
        let value = kept - update.mul_scalar(self.lr / correction_1);
        // Short at first, so that the average does not drag the random start along.
        let young = (1.0 + self.adam.steps as f64) / (10.0 + self.adam.steps as f64);
        let average = config.average.map(|share| share.min(young)).map(|share| match average {
            Some(old) => old.mul_scalar(share) + value.clone().mul_scalar(1.0 - share),
            None => value.clone(),
        });
        self.adam.moments.insert(id, Moments { first, second, average });
        value
    }
}

impl ModuleMapper for AdamStep<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(grad) = self.grads.remove::<D>(param.id) else { return param };
        let (id, value, mapper) = param.consume();
        let shape = value.dims();
        let count = shape.iter().product::<usize>();
        let value = value.without_autodiff().reshape([count]);
        let grad = grad.without_autodiff().reshape([count]);
        let value = self.updated(id, value, grad, D).reshape(shape);
        Param::from_mapped_value(id, value.autodiff().require_grad(), mapper)
    }
}

struct Averaged<'a>(&'a Adam);

impl ModuleMapper for Averaged<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let average = self.0.moments.get(&param.id).and_then(|moments| moments.average.clone());
        let Some(average) = average else { return param };
        param.map(|value| {
            let average = average.reshape(value.dims());
            match value.is_autodiff() {
                true => average.autodiff().require_grad(),
                false => average,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::Linear;
    use burn::tensor::Device;

    use super::*;
    use crate::nn::weights::WeightLoader;

    const LR: f64 = 0.1;

    fn layer(device: &Device) -> (Linear, Names) {
        let from = WeightLoader::random(3, device);
        let layer = from.linear("layer", 3, 2, true).unwrap();
        (layer, from.names())
    }

    /// Gradients of `Σ x W · weights`, known in advance: column `j` of W has gradient `x w_j`.
    fn grads(layer: &Linear, x: [f32; 3], device: &Device) -> GradientsParams {
        let x = Tensor::<2>::from_data([x], device);
        let loss = (layer.forward(x) * Tensor::<2>::from_data([[1.0, -2.0]], device)).sum();
        GradientsParams::from_grads(loss.backward(), layer)
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
        tensor.into_data().iter::<f32>().map(f64::from).collect()
    }

    /// Adam in f64, straight from its formula.
    fn closed_form(config: &AdamConfig, start: f64, grads: &[f64]) -> f64 {
        let (mut value, mut m, mut v) = (start, 0.0, 0.0);
        for (step, &grad) in (1..).zip(grads) {
            let grad = match config.decoupled {
                true => grad,
                false => grad + config.weight_decay * value,
            };
            m = config.beta_1 * m + (1.0 - config.beta_1) * grad;
            v = config.beta_2 * v + (1.0 - config.beta_2) * grad * grad;
            let m_hat = m / (1.0 - config.beta_1.powi(step));
            let v_hat = v / (1.0 - config.beta_2.powi(step));
            let decay = if config.decoupled { LR * config.weight_decay * value } else { 0.0 };
            value -= decay + LR * m_hat / (v_hat.sqrt() + config.epsilon);
        }
        value
    }

    #[test]
    fn steps_follow_the_formula() {
        let device = Device::flex().autodiff();
        let inputs = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.5], [0.1, 0.2, 0.3]];
        let l2 = AdamConfig { weight_decay: 0.05, ..AdamConfig::default() };
        for config in [AdamConfig::default(), AdamConfig::adam_w(0.05), l2] {
            let (mut layer, names) = layer(&device);
            let start = values(layer.weight.val());
            let mut adam = Adam::new(config.clone(), &names, &device);
            for x in inputs {
                let grads = grads(&layer, x, &device);
                layer = adam.step(layer, grads, LR);
            }
            let found = values(layer.weight.val());
            for (index, (start, found)) in start.into_iter().zip(found).enumerate() {
                let weight = [1.0, -2.0][index % 2];
                let grads = inputs.map(|x| f64::from(x[index / 2]) * weight);
                let expected = closed_form(&config, start, &grads);
                assert!((found - expected).abs() < 1e-6, "{index}: {found} for {expected}");
            }
        }
    }

    #[test]
    fn long_gradients_are_scaled_to_the_limit() {
        let device = Device::flex().autodiff();
        let (layer, _) = layer(&device);
        let x = [3.0, 0.0, 4.0];
        let grads = grads(&layer, x, &device);
        // Columns x and −2x, and the bias's 1 and −2.
        let norm = (25.0f64 + 100.0 + 1.0 + 4.0).sqrt();
        let scale = values(clip_scale(&layer, &grads, 1.0).unwrap())[0];
        assert!((scale * norm - 1.0).abs() < 1e-5, "{scale}");
        assert_eq!(values(clip_scale(&layer, &grads, 20.0).unwrap()), [1.0]);
    }

    #[test]
    fn a_restored_optimizer_goes_on_with_the_same_numbers() {
        let device = Device::flex().autodiff();
        let config = AdamConfig { average: Some(0.5), ..AdamConfig::adam_w(0.1) };
        let (mut first, names) = layer(&device);
        let mut adam = Adam::new(config.clone(), &names, &device);
        let x = [0.5, -1.0, 2.0];
        for _ in 0..3 {
            let grads = grads(&first, x, &device);
            first = adam.step(first, grads, LR);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.safetensors");
        let weights = crate::nn::weights::named_tensors(&first, &names);
        crate::fit::checkpoint::write(&path, &[adam.state(), weights].concat()).unwrap();

        let source = Source::open(&path).unwrap();
        let from = WeightLoader::stored(&source, &device);
        let mut second = from.linear("layer", 3, 2, true).unwrap();
        let mut restored = Adam::new(config, &from.names(), &device);
        restored.restore(&source).unwrap();
        assert_eq!(restored.steps(), 3);
        for _ in 0..2 {
            let (a, b) = (grads(&first, x, &device), grads(&second, x, &device));
            first = adam.step(first, a, LR);
            second = restored.step(second, b, LR);
        }
        assert_eq!(values(first.weight.val()), values(second.weight.val()));
        let averages = [adam.averaged(first), restored.averaged(second)].map(|layer| {
            assert!(layer.weight.val().is_require_grad());
            values(layer.weight.val())
        });
        assert_eq!(averages[0], averages[1]);
    }
}
