//! The projector in training: steps, validation, and its state on disk.

use std::path::Path;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::centers::{ClassCenters, losses};
use super::checkpoint;
use super::config::TrainConfig;
use super::error::FitError;
use super::objects::Objects;
use super::optimizer::{Adam, NamedTensor};
use crate::nn::projector::{Dropout, Projector};
use crate::nn::source::Source;
use crate::nn::weights::{Names, WeightLoader, named_tensors};
use crate::pipeline::floats;

/// Images that go through the projector together. A batch is sorted by length and cut into such
/// parts, whose features are joined before the loss: less padding, and tensors that stay in the
/// cache. On two CPU cores a step on 256 images of 15 to 64 tokens takes 1.1 s this way, and six
/// seconds in one piece.
const PART: usize = 32;

/// What a step, or an epoch's mean of them, came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepReport {
    /// The total loss.
    pub loss: f64,
    /// Mean cross-entropy.
    pub cross_entropy: f64,
    /// Mean squared distance to the class's center, unweighted.
    pub center: f64,
    /// Share of images whose class has the highest logit, 0 to 1.
    pub accuracy: f64,
}

/// What a projector makes of some images.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Projections {
    /// Features `[images, width]`.
    pub features: Vec<f32>,
    /// Class logits `[images, classes]`.
    pub logits: Vec<f32>,
}

/// A projector in training.
pub struct Trainer {
    /// How it is trained.
    pub config: TrainConfig,
    /// The class centers.
    pub centers: ClassCenters,
    projector: Projector,
    names: Names,
    adam: Adam,
    device: Device,
}

impl Trainer {
    /// A projector with random weights.
    ///
    /// # Errors
    /// None that a valid shape could cause.
    pub fn new(config: TrainConfig, device: &Device) -> Result<Self, FitError> {
        let device = device.clone().autodiff();
        let from = WeightLoader::random(config.seed, &device);
        let centers = ClassCenters::random(config.center_shape(), config.seed);
        Self::built(config, &from, centers, device)
    }

    /// A projector with the weights, centers and optimizer state that [`Trainer::save`] kept, and
    /// the progress that was kept with them.
    ///
    /// # Errors
    /// If the file cannot be read or does not fit.
    pub fn load(
        config: TrainConfig,
        device: &Device,
        path: &Path,
    ) -> Result<(Self, Vec<f32>), FitError> {
        let device = device.clone().autodiff();
        let source = Source::open(path)?;
        let from = WeightLoader::stored(&source, &device);
        let shape = config.center_shape();
        let centers = ClassCenters { values: source.read("centers", &shape)?, shape };
        let mut trainer = Self::built(config, &from, centers, device.clone())?;
        trainer.adam.restore(&source)?;
        let progress = source.shape("progress").unwrap_or_default();
        Ok((trainer, source.read("progress", &progress)?))
    }

    /// A projector from other weights, such as a published one's.
    ///
    /// # Errors
    /// If a tensor is missing or misshapen.
    pub fn built(
        config: TrainConfig,
        from: &WeightLoader,
        centers: ClassCenters,
        device: Device,
    ) -> Result<Self, FitError> {
        let projector = Projector::new(&config.projector, from)?;
        let names = from.names();
        let adam = Adam::new(config.adam(), &names, &device);
        Ok(Self { config, centers, projector, names, adam, device })
    }

    /// Keeps weights, centers, optimizer state and `progress` in one file.
    ///
    /// # Errors
    /// If the disk cannot be written.
    pub fn save(&self, path: &Path, progress: Vec<f32>) -> Result<(), FitError> {
        let mut tensors = self.weights();
        tensors.extend(self.adam.state());
        tensors.push(("progress".into(), vec![progress.len()], progress));
        Ok(checkpoint::write(path, &tensors)?)
    }

    /// The projector's weights under their published names, and its `centers`.
    pub fn weights(&self) -> Vec<NamedTensor> {
        let mut tensors = named_tensors(&self.projector, &self.names);
        let centers = &self.centers;
        tensors.push(("centers".into(), centers.shape.to_vec(), centers.values.clone()));
        tensors
    }

    /// The projector, with gradients.
    pub fn projector(&self) -> &Projector {
        &self.projector
    }

    /// Gradients under the published names of their parameters.
    #[cfg(test)]
    pub(super) fn named_gradients(
        &self,
        grads: &GradientsParams,
    ) -> std::collections::BTreeMap<String, Vec<f32>> {
        use burn::module::{ModuleVisitor, Param};

        struct Read<'a>(
            &'a Trainer,
            &'a GradientsParams,
            std::collections::BTreeMap<String, Vec<f32>>,
        );
        impl ModuleVisitor for Read<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let Some(grad) = self.1.get::<D>(param.id) else { return };
                let of = self.0.names.iter().find(|(_, slot)| slot.id() == param.id);
                if let (Some((name, _)), Ok(values)) = (of, floats(grad)) {
                    self.2.insert(name.clone(), values);
                }
            }
        }
        let mut read = Read(self, grads, std::collections::BTreeMap::new());
        self.projector.visit(&mut read);
        read.2
    }

    /// Names of the projector's parameters.
    pub fn names(&self) -> Names {
        self.names.clone()
    }

    /// The projector for inference.
    pub fn inference(&self) -> Projector {
        self.projector.valid()
    }

    /// One pass over some rows in the epoch's own order; `go_on` is asked before each step. `None`
    /// where it said no.
    ///
    /// # Errors
    /// If the device fails or the loss is no longer a number.
    pub fn epoch(
        &mut self,
        objects: &Objects,
        rows: &[usize],
        epoch: usize,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<StepReport>, FitError> {
        let mut order = rows.to_vec();
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed);
        rng.set_stream(epoch as u64 + 1);
        order.shuffle(&mut rng);
        let batch = self.config.batch.max(1);
        let steps = order.len().div_ceil(batch);
        let mut sum = StepReport::default();
        for (index, rows) in order.chunks(batch).enumerate() {
            if !go_on() {
                return Ok(None);
            }
            let lr = self.config.lr_at((epoch * steps + index) as u64, steps);
            let report = self.step(objects, rows, lr)?;
            if !report.loss.is_finite() {
                return Err(FitError::Diverged { epoch: epoch + 1, lr: self.config.lr });
            }
            let weight = rows.len() as f64 / order.len() as f64;
            sum.loss += weight * report.loss;
            sum.cross_entropy += weight * report.cross_entropy;
            sum.center += weight * report.center;
            sum.accuracy += weight * report.accuracy;
        }
        Ok(Some(sum))
    }

    /// One step on a batch: losses against the centers as they are, then the centers' moving
    /// average, then the optimizer.
    ///
    /// # Errors
    /// If the device fails.
    pub fn step(
        &mut self,
        objects: &Objects,
        rows: &[usize],
        lr: f64,
    ) -> Result<StepReport, FitError> {
        let mut rows = rows.to_vec();
        // A stable sort: equal lengths stay in the epoch's order, which `Repeats::Last` looks at.
        rows.sort_by_key(|&row| objects.length(row));
        let labels: Vec<usize> = rows.iter().map(|&row| objects.labels[row]).collect();
        let dropout =
            Dropout::new(self.config.dropout, self.config.seed ^ (self.adam.steps() << 20));
        let features = self.features(&self.projector, objects, &rows, &dropout);
        let for_logits = match self.config.two_passes {
            true => self.features(&self.projector, objects, &rows, &dropout),
            false => features.clone(),
        };
        let logits = self.projector.class_logits(for_logits);
        let losses =
            losses(&self.config.loss, &self.centers, features.clone(), logits.clone(), &labels);
        let features = floats(features.without_autodiff())?;
        let logits = floats(logits.without_autodiff())?;
        let scalar = |tensor: Tensor<1>| -> Result<f64, FitError> {
            Ok(floats(tensor.without_autodiff())?.first().map_or(f64::NAN, |&v| f64::from(v)))
        };
        let report = StepReport {
            loss: scalar(losses.total.clone())?,
            cross_entropy: scalar(losses.cross_entropy)?,
            center: scalar(losses.center)?,
            accuracy: accuracy(&logits, &labels),
        };
        if self.config.loss.center_weight > 0.0 {
            let (keep, repeats) = (self.config.center_keep, self.config.repeats);
            self.centers.update(&features, &labels, keep, repeats);
        }
        let grads = GradientsParams::from_grads(losses.total.backward(), &self.projector);
        self.projector = self.adam.step(self.projector.clone(), grads, lr);
        Ok(report)
    }

    /// Features of rows that are sorted by length, `[rows, width]`.
    fn features(
        &self,
        projector: &Projector,
        objects: &Objects,
        rows: &[usize],
        dropout: &Dropout,
    ) -> Tensor<2> {
        let parts = rows.chunks(PART).map(|rows| {
            let (tokens, lengths) = padded(objects, rows, &self.device);
            projector.features_with_dropout(tokens, lengths.as_deref(), dropout)
        });
        Tensor::cat(parts.collect(), 0)
    }

    /// Features and logits of some rows, in their order, without dropout.
    ///
    /// # Errors
    /// If the device fails.
    pub fn project(&self, objects: &Objects, rows: &[usize]) -> Result<Projections, FitError> {
        let device = self.device.clone().without_autodiff();
        project(&self.inference(), objects, rows, &device)
    }
}

/// What a projector makes of some rows, in their order.
///
/// # Errors
/// If the device fails.
pub fn project(
    projector: &Projector,
    objects: &Objects,
    rows: &[usize],
    device: &Device,
) -> Result<Projections, FitError> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&at| objects.length(rows[at]));
    let mut sorted = Vec::with_capacity(rows.len());
    for part in order.chunks(PART) {
        let part: Vec<usize> = part.iter().map(|&at| rows[at]).collect();
        let (tokens, lengths) = padded(objects, &part, device);
        let features = projector.features(tokens, lengths.as_deref());
        let logits = floats(projector.class_logits(features.clone()))?;
        let features = floats(features)?;
        let (width, classes) = (features.len() / part.len(), logits.len() / part.len());
        let rows = features.chunks(width).zip(logits.chunks(classes));
        sorted.extend(rows.map(|(feature, logits)| (feature.to_vec(), logits.to_vec())));
    }
    let mut places: Vec<usize> = vec![0; rows.len()];
    order.iter().enumerate().for_each(|(place, &at)| places[at] = place);
    Ok(Projections {
        features: places.iter().flat_map(|&place| sorted[place].0.iter().copied()).collect(),
        logits: places.iter().flat_map(|&place| sorted[place].1.iter().copied()).collect(),
    })
}

fn padded(objects: &Objects, rows: &[usize], device: &Device) -> (Tensor<3>, Option<Vec<usize>>) {
    let (values, lengths) = objects.padded(rows);
    let longest = values.len() / (rows.len() * objects.width).max(1);
    let tokens = TensorData::new(values, [rows.len(), longest, objects.width]);
    let even = lengths.iter().all(|&length| length == longest);
    (Tensor::from_data(tokens, device), (!even).then_some(lengths))
}

/// Share of rows `[labels, classes]` whose label has the highest logit; 0 for none.
pub fn accuracy(logits: &[f32], labels: &[usize]) -> f64 {
    if labels.is_empty() {
        return 0.0;
    }
    let classes = logits.len() / labels.len();
    let right = logits.chunks(classes.max(1)).zip(labels).filter(|(logits, label)| {
        let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        best.is_some_and(|(class, _)| class == **label)
    });
    right.count() as f64 / labels.len() as f64
}
