//! Building networks from named weights, stored or random.
//!
//! A layer has one constructor, and asks a [`WeightLoader`] for its tensors by their published names.
//! The builder reads them from a [`Source`], strictly, or draws them for training. What was asked
//! for is recorded, which gives the reverse way too: saving a module under the published names.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::source::{Source, WeightsError, check_half};

/// How a tensor is drawn when it is not read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Zero everywhere.
    Zeros,
    /// One everywhere.
    Ones,
    /// Normal with this standard deviation, cut at two of them.
    Normal(f32),
}

enum Origin<'a> {
    Stored(&'a Source),
    Random(Box<RefCell<ChaCha8Rng>>),
}

/// Where a stored tensor went, so that it can be saved again.
#[derive(Clone, Debug)]
pub struct Slot {
    id: ParamId,
    /// The published shape.
    shape: Vec<usize>,
    /// Whether the parameter is the transpose of what is stored.
    transposed: bool,
}

impl Slot {
    /// The parameter that the tensor became.
    pub fn id(&self) -> ParamId {
        self.id
    }
}

/// Names of the tensors that a module was built from, with the parameters they became.
pub type Names = BTreeMap<String, Slot>;

/// Hands out a network's tensors by name; see the module's documentation.
#[derive(Clone)]
pub struct WeightLoader<'a> {
    origin: Rc<Origin<'a>>,
    names: Rc<RefCell<Names>>,
    prefix: String,
    device: Device,
    dtype: Option<FloatDType>,
}

impl<'a> WeightLoader<'a> {
    /// Tensors read from a source.
    pub fn stored(source: &'a Source, device: &Device) -> Self {
        Self::new(Origin::Stored(source), device)
    }

    /// Tensors drawn from a seed: the same on every machine.
    pub fn random(seed: u64, device: &Device) -> WeightLoader<'static> {
        WeightLoader::new(
            Origin::Random(Box::new(RefCell::new(ChaCha8Rng::seed_from_u64(seed)))),
            device,
        )
    }

    fn new(origin: Origin<'a>, device: &Device) -> Self {
        Self {
            origin: Rc::new(origin),
            names: Rc::default(),
            prefix: String::new(),
            device: device.clone(),
            dtype: None,
        }
    }

    /// Stores floats on the device in another type (`f16` on a GPU).
    pub fn with_dtype(mut self, dtype: FloatDType) -> Self {
        self.dtype = Some(dtype);
        self
    }

    /// The same builder one name deeper; an empty name stays where it is.
    pub fn scope(&self, name: &str) -> Self {
        let mut inner = self.clone();
        inner.prefix = self.full_name(name);
        inner
    }

    /// The device that tensors are made on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether tensors are to be trained, so that nothing derived from them may be kept.
    pub fn is_trainable(&self) -> bool {
        self.device.is_autodiff()
    }

    /// The shape a stored tensor has; `None` if it is missing or drawn.
    pub fn stored_shape(&self, name: &str) -> Option<Vec<usize>> {
        match &*self.origin {
            Origin::Stored(source) => source.shape(&self.full_name(name)),
            Origin::Random(_) => None,
        }
    }

    /// What has been built so far, by name.
    pub fn names(&self) -> Names {
        self.names.borrow().clone()
    }

    fn full_name(&self, name: &str) -> String {
        match (self.prefix.is_empty(), name.is_empty()) {
            (true, _) => name.to_owned(),
            (_, true) => self.prefix.clone(),
            _ => format!("{}.{name}", self.prefix),
        }
    }

    /// One tensor of the given shape.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn tensor<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
        init: Init,
    ) -> Result<Tensor<D>, WeightsError> {
        Ok(self.constant(self.values(name, &shape, init)?, shape))
    }

    fn values(&self, name: &str, shape: &[usize], init: Init) -> Result<Vec<f32>, WeightsError> {
        match &*self.origin {
            Origin::Stored(source) => {
                let name = self.full_name(name);
                let values = source.read(&name, shape)?;
                if self.dtype == Some(FloatDType::F16) {
                    check_half(&name, &values, source.path())?;
                }
                Ok(values)
            }
            Origin::Random(rng) => Ok(draw(&mut rng.borrow_mut(), shape.iter().product(), init)),
        }
    }

    /// One parameter of the given shape.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn param<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
        init: Init,
    ) -> Result<Param<Tensor<D>>, WeightsError> {
        let param = Param::from_tensor(self.tensor(name, shape, init)?);
        self.register(name, Slot { id: param.id, shape: shape.to_vec(), transposed: false });
        Ok(param)
    }

    /// A parameter that is stored as a scalar, `[]`; `initial` is its value where it is drawn.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn scalar(&self, name: &str, initial: f32) -> Result<Param<Tensor<1>>, WeightsError> {
        let values = match &*self.origin {
            Origin::Stored(source) => source.read(&self.full_name(name), &[])?,
            Origin::Random(_) => vec![initial],
        };
        let param = Param::from_tensor(self.constant(values, [1]));
        self.register(name, Slot { id: param.id, shape: Vec::new(), transposed: false });
        Ok(param)
    }

    fn register(&self, name: &str, slot: Slot) {
        self.names.borrow_mut().insert(self.full_name(name), slot);
    }

    /// A tensor that is computed rather than stored, in the network's type.
    pub fn constant<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
        self.in_dtype(Tensor::from_data(TensorData::new(values, shape), &self.device))
    }

    /// Indices as a tensor.
    pub fn indices(&self, values: &[usize]) -> Tensor<1, Int> {
        let values: Vec<i32> = values.iter().map(|&value| value as i32).collect();
        let length = values.len();
        Tensor::from_data(TensorData::new(values, [length]), &self.device)
    }

    fn in_dtype<const D: usize>(&self, tensor: Tensor<D>) -> Tensor<D> {
        match self.dtype {
            Some(dtype) => tensor.cast(dtype),
            None => tensor,
        }
    }

    /// A linear layer, stored as `weight [d_output, d_input]` and, if `bias`, `bias [d_output]`.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn linear(
        &self,
        name: &str,
        d_input: usize,
        d_output: usize,
        bias: bool,
    ) -> Result<Linear, WeightsError> {
        self.scope(name).linear_named(["weight", "bias"], d_input, d_output, bias)
    }

    /// As [`WeightLoader::linear`], drawn for inputs of unit length rather than of unit variance.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn linear_of_unit_vectors(
        &self,
        name: &str,
        d_input: usize,
        d_output: usize,
    ) -> Result<Linear, WeightsError> {
        let inner = self.scope(name);
        let bias = Some(inner.param("bias", [d_output], Init::Zeros)?);
        let weight = inner.matrix("weight", [d_output, d_input], Init::Normal(1.0))?;
        Ok(Linear { weight, bias })
    }

    /// A linear layer whose tensors have other names than `weight` and `bias`.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn linear_named(
        &self,
        [weight, bias_name]: [&str; 2],
        d_input: usize,
        d_output: usize,
        bias: bool,
    ) -> Result<Linear, WeightsError> {
        let bias = match bias {
            true => Some(self.param(bias_name, [d_output], Init::Zeros)?),
            false => None,
        };
        let spread = Init::Normal((1.0 / d_input as f32).sqrt());
        let weight = self.matrix(weight, [d_output, d_input], spread)?;
        Ok(Linear { weight, bias })
    }

    /// A convolution whose stride is its size, `weight [d_output, channels, size, size]`, as a
    /// linear layer over patches laid out `[channels, size, size]`.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn patch_linear(
        &self,
        name: &str,
        shape: [usize; 4],
        bias: bool,
    ) -> Result<Linear, WeightsError> {
        let inner = self.scope(name);
        let bias = match bias {
            true => Some(inner.param("bias", [shape[0]], Init::Zeros)?),
            false => None,
        };
        let inputs: usize = shape[1..].iter().product();
        let spread = Init::Normal((1.0 / inputs as f32).sqrt());
        Ok(Linear { weight: inner.matrix("weight", shape, spread)?, bias })
    }

    /// A weight stored with its outputs first, as the `[d_input, d_output]` that layers use.
    fn matrix<const D: usize>(
        &self,
        name: &str,
        shape: [usize; D],
        init: Init,
    ) -> Result<Param<Tensor<2>>, WeightsError> {
        let d_input: usize = shape[1..].iter().product();
        let stored = self.values(name, &shape, init)?;
        // The layer multiplies from the right: a transposed view, not a copy. In training it is a
        // copy, laid out as the optimizer will leave it, so that a run goes on to the last bit.
        let weight = match self.is_trainable() {
            true => self.constant(transposed(&stored, d_input), [d_input, shape[0]]),
            false => self.constant(stored, [shape[0], d_input]).transpose(),
        };
        let param = Param::from_tensor(weight);
        self.register(name, Slot { id: param.id, shape: shape.to_vec(), transposed: true });
        Ok(param)
    }

    /// A layer norm with `weight [width]` and `bias [width]`.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn layer_norm(
        &self,
        name: &str,
        width: usize,
        epsilon: f64,
    ) -> Result<LayerNorm, WeightsError> {
        let inner = self.scope(name);
        let mut norm = LayerNormConfig::new(width).with_epsilon(epsilon).init(&self.device);
        norm.gamma = inner.param("weight", [width], Init::Ones)?;
        norm.beta = Some(inner.param("bias", [width], Init::Zeros)?);
        Ok(norm)
    }
}

/// Rows of length `width` as columns.
fn transposed(rows: &[f32], width: usize) -> Vec<f32> {
    (0..width).flat_map(|at| rows.iter().skip(at).step_by(width).copied()).collect()
}

fn draw(rng: &mut ChaCha8Rng, count: usize, init: Init) -> Vec<f32> {
    match init {
        Init::Zeros => vec![0.0; count],
        Init::Ones => vec![1.0; count],
        // A sum of uniforms needs no logarithm, so that every machine draws the same bits.
        Init::Normal(spread) => (0..count)
            .map(|_| {
                loop {
                    let sum: f32 = (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0;
                    if sum.abs() <= 2.0 {
                        break sum * spread;
                    }
                }
            })
            .collect(),
    }
}

/// A module's parameters as `(name, shape, values)`, under the names they were built with; linear
/// weights are turned back to `[d_output, d_input]`.
pub fn named_tensors<M: Module>(module: &M, names: &Names) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    struct Collect<'a> {
        by_id: BTreeMap<ParamId, (&'a str, &'a Slot)>,
        tensors: Vec<(String, Vec<usize>, Vec<f32>)>,
    }

    impl ModuleVisitor for Collect<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let Some((name, slot)) = self.by_id.get(&param.id) else { return };
            let value = param.val().detach();
            let value = if slot.transposed { value.transpose() } else { value };
            let values = value.into_data().iter::<f32>().collect();
            self.tensors.push(((*name).to_owned(), slot.shape.clone(), values));
        }
    }

    let by_id = names.iter().map(|(name, slot)| (slot.id, (name.as_str(), slot))).collect();
    let mut collect = Collect { by_id, tensors: Vec::new() };
    module.visit(&mut collect);
    collect.tensors.sort_by(|a, b| a.0.cmp(&b.0));
    collect.tensors
}

/// Parts of published checkpoints that the networks here do not use, and that are not worth a word:
/// caption models, derived buffers, the sizes that OpenAI's archives name.
const KNOWN_FOREIGN: [&str; 8] = [
    "tag_encoder.",
    "text_decoder.",
    "relative_position_index",
    "attn_mask",
    "position_ids",
    "input_resolution",
    "context_length",
    "vocab_size",
];

/// Tensors of a source that were not asked for and are not of a known foreign kind.
pub fn unexpected(source: &Source, used: &Names) -> Vec<String> {
    let known = |name: &str| KNOWN_FOREIGN.iter().any(|part| name.contains(part));
    source.shapes().into_keys().filter(|name| !used.contains_key(name) && !known(name)).collect()
}
