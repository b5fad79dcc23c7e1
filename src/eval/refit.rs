//! Projectors fitted again in other ways, to see what τ and the tags in fitting are worth: the paper's
//! figure 3 and table 5.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;

use super::gather::{Plan, SetScorer};
use super::report::{
    DetectorResult, RefitOutcome, RefitReport, ReportError, SetFacts, Setting, outcome,
};
use super::scores::{Features, ScoreTable};
use crate::bundle::manifest::Recipe;
use crate::dataset::{Dataset, DatasetError, Item};
use crate::fit::FitError;
use crate::fit::config::TrainConfig;
use crate::fit::objects::Selection;
use crate::fit::stages::{self, Stored, TrainingData};
use crate::fit::train::{EpochLog, TrainRows, TrainRun, TrainWatch};
use crate::image::PassedOver;
use crate::nn::projector::ProjectorConfig;
use crate::pipeline::{FeatureChoice, OdinInput, Pipeline};
use crate::score;
use crate::score::distance::Centers;
use crate::store::Store;

/// One way to fit a projector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variant {
    /// τ in fitting.
    pub tau: f32,
    /// Whether the tokens of the image's own class's tag alone count.
    pub one_tag: bool,
}

impl std::fmt::Display for Variant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "τ = {}{}", self.tau, if self.one_tag { ", one tag" } else { "" })
    }
}

/// The labelled images of some rows of a store, with the model's own classes; rows of other classes,
/// and those that could not be read, are left out.
#[derive(Debug)]
pub struct Labelled {
    /// The images.
    pub dataset: Dataset,
    /// The row of each.
    pub rows: Vec<usize>,
    /// The place of each among the rows that were given.
    pub places: Vec<usize>,
}

impl Labelled {
    /// Picks them.
    pub fn new(name: &str, store: &Store, rows: &[usize], classes: &[String]) -> Self {
        let dataset = Dataset {
            name: name.to_owned(),
            items: Vec::new(),
            classes: classes.to_vec(),
            passed_over: PassedOver::default(),
        };
        let mut labelled = Self { dataset, rows: Vec::new(), places: Vec::new() };
        for (place, &index) in rows.iter().enumerate() {
            let Some(row) = store.row(index).filter(|row| row.error().is_none()) else { continue };
            let class = row.class().and_then(|name| classes.iter().position(|c| c == name));
            if class.is_some() {
                labelled.dataset.items.push(Item { path: row.path(), class });
                labelled.rows.push(index);
                labelled.places.push(place);
            }
        }
        labelled
    }

    /// Half of each class, to fit to; all of a class of one image.
    ///
    /// # Errors
    /// None: the share is a valid one.
    pub fn half(self, seed: u64) -> Result<Self, DatasetError> {
        let held_out = self.dataset.held_out(0.5, seed)?;
        let picked: Vec<usize> = (0..held_out.len()).filter(|&at| !held_out[at]).collect();
        Ok(Self {
            dataset: Dataset {
                items: picked.iter().map(|&at| self.dataset.items[at].clone()).collect(),
                ..self.dataset
            },
            rows: picked.iter().map(|&at| self.rows[at]).collect(),
            places: picked.iter().map(|&at| self.places[at]).collect(),
        })
    }
}

/// Fits projectors again to the same images.
pub struct Refit<'a> {
    /// The model, whose tagger and vocabulary stay.
    pub pipeline: &'a Pipeline,
    /// Where to compute.
    pub device: &'a Device,
    /// The store with the images.
    pub store: &'a Store,
    /// The images.
    pub labelled: &'a Labelled,
    /// The paper's training or that of the released code.
    pub recipe: Recipe,
    /// Passes over the images; as many as they need if `None`.
    pub epochs: Option<usize>,
    /// Seed of weights, centers and order.
    pub seed: u64,
    /// Where trainings are kept, so that they go on after a kill.
    pub folder: PathBuf,
}

/// A projector that was fitted again, in a model of its own.
pub struct Refitted {
    /// How.
    pub variant: Variant,
    /// Images it was fitted to.
    pub images: usize,
    /// Passes over them.
    pub epochs: usize,
    /// The model.
    pub pipeline: Pipeline,
}

impl Refit<'_> {
    /// Fits one variant. `on_epoch` is told of each epoch.
    ///
    /// # Errors
    /// If a class keeps no image, the loss is no longer a number, the device or the disk fails, or
    /// `cancelled` is set.
    pub fn fit(
        &self,
        variant: Variant,
        on_epoch: &mut dyn FnMut(&EpochLog),
        cancelled: &AtomicBool,
    ) -> Result<Refitted, FitError> {
        let gathered = self.gather(variant)?;
        let Some(shape) = self.pipeline.manifest().projector.clone() else {
            return Err(FitError::NothingKept { tau: variant.tau, skipped: 0 });
        };
        let mut config = self.config(shape.clone());
        config.seed = self.seed;
        let epochs = config.epochs;
        let tags = if variant.one_tag { "-one-tag" } else { "" };
        let run = TrainRun {
            config,
            recipe: self.recipe,
            objects: &gathered.objects,
            rows: TrainRows { train: &gathered.train, validation: &[] },
            folder: Some(self.folder.join(format!("tau-{}{tags}", variant.tau))),
        };
        let mut watch = TrainWatch { on_epoch, cancelled };
        let trainer = match run.train(self.device, true, &mut watch) {
            Err(FitError::OtherRun { folder, .. }) => {
                // Of other images or settings: this state is of no use to anyone.
                let io = |source| FitError::Io {
                    action: "cannot remove an earlier training",
                    source,
                    path: folder.clone(),
                };
                std::fs::remove_dir_all(&folder).map_err(io)?;
                run.train(self.device, true, &mut watch)?
            }
            outcome => outcome?,
        };
        let centers = Centers::new(trainer.centers.values.clone(), trainer.centers.shape)?;
        Ok(Refitted {
            variant,
            images: gathered.train.len(),
            epochs,
            pipeline: self.pipeline.with_projector(trainer.inference(), shape, centers)?,
        })
    }

    /// How the projectors are trained: batch, learning rate and epochs follow the number of images.
    fn config(&self, shape: ProjectorConfig) -> TrainConfig {
        let images = self.labelled.rows.len();
        let config = TrainConfig::new(self.recipe, shape).for_images(images);
        let epochs = self.epochs.unwrap_or_else(|| config.epochs_for(images));
        config.with_epochs(epochs)
    }

    /// Passes over the images; 0 for a model without a projector, of which nothing is fitted.
    pub fn epochs(&self) -> usize {
        let shape = self.pipeline.manifest().projector.clone();
        shape.map_or(0, |shape| self.config(shape).epochs)
    }

    fn gather(&self, variant: Variant) -> Result<TrainingData, FitError> {
        let stored = Stored {
            store: self.store,
            dataset: &self.labelled.dataset,
            rows: self.labelled.rows.iter().copied().map(Some).collect(),
        };
        let selection = Selection {
            tau: variant.tau,
            recipe: self.recipe,
            layer: self.pipeline.layer(self.recipe),
            one_tag: variant.one_tag,
        };
        let held_out = vec![false; stored.rows.len()];
        stages::gather(&stored, self.pipeline, &selection, &held_out, &mut || ())
    }
}

impl Refitted {
    /// Scores images with the recipe's own detector, at the τ of the fit and at the model's own.
    ///
    /// # Errors
    /// If there is no such detector, which a test rules out.
    pub fn gather(&self, recipe: Recipe, own_tau: f32) -> Result<SetScorer<'_>, score::ScoreError> {
        let plan = Plan {
            recipe,
            tau: self.variant.tau,
            main: FeatureChoice::Objects,
            taus: vec![own_tau],
            whole_image: false,
            detectors: vec![score::by_name(recipe.detector())?],
            odin: OdinInput::Tokens,
        };
        Ok(SetScorer::new(&self.pipeline, plan))
    }

    /// What the scores come to.
    ///
    /// # Errors
    /// If a set has no image.
    pub fn report(&self, table: &ScoreTable) -> Result<RefitReport, ReportError> {
        let mut outcomes = Vec::new();
        for &features in &table.features {
            if let Features::Objects { tau } = features {
                let setting = Setting { features, tag_rule: true };
                outcomes.push(RefitOutcome { tau, outcome: outcome(table, 0, setting, None)? });
            }
        }
        Ok(RefitReport {
            fit_tau: self.variant.tau,
            one_tag: self.variant.one_tag,
            images: self.images,
            epochs: self.epochs,
            accuracy: SetFacts::of(table, &table.id).accuracy,
            outcomes,
        })
    }
}

/// The report on a variant that could not be fitted.
pub fn failed(variant: Variant, epochs: usize, reason: &FitError) -> RefitReport {
    let outcome = DetectorResult::Missing(reason.to_string());
    RefitReport {
        fit_tau: variant.tau,
        one_tag: variant.one_tag,
        images: 0,
        epochs,
        accuracy: None,
        outcomes: vec![RefitOutcome { tau: variant.tau, outcome }],
    }
}
