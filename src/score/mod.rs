//! Detectors: from one image's features to a score.
//!
//! ```text
//! training images ─▶ TrainingSet ─ fit ─▶ Statistics ─┐            (kept in the model bundle)
//!                                                     ├─ bind ─▶ FittedDetector
//! classifier, class centers ─▶ Head ──────────────────┘            │
//! one image at one τ ─▶ Sample ────────────────────────────────────┴─▶ score, higher = more ID
//! ```
//!
//! Every score is higher for images that look more in-distribution (ID), whatever the sign its paper
//! chose. A score is always finite: one that overflows is clamped to the largest finite `f32`, and one
//! that the overflow leaves undefined is `f32::MIN`, the least ID of all. Inputs that are not finite are
//! refused with an error.
//!
//! [`by_name`] finds a detector, [`all`] lists them, [`fit_all`] makes the [`Statistics`] of all of them,
//! [`bind`] joins a detector with those and with the [`Head`], and [`FittedDetector`] scores one image or many.
//!
//! # Adding a detector
//!
//! Write `detectors/NAME.rs` with a unit struct that implements [`Detector`], and name it in the list of
//! `detectors/mod.rs`. Those that compare images with text (MCM, CLIPN and others built on CLIP) read
//! [`NameCosines`]. For a CLIP the [`Head`] has the names' text features as its classifier (times
//! [`LOGIT_SCALE`], bias 0), and as centers those or, after `fit`, the class means: `class_logits` are
//! then CLIP's logits, and `feature` is of unit length.

pub mod detectors;
pub mod distance;
mod error;
mod fitting;
mod head;
pub(crate) mod logits;
mod matrix;
pub mod negatives;
mod sample;
mod statistics;
pub mod verdict;

use std::sync::Arc;

use rayon::prelude::*;

use crate::bundle::manifest::Arch;

pub use detectors::{all, by_name};
pub use error::ScoreError;
pub use fitting::{TrainingSet, fit_all};
pub use head::Head;
pub(crate) use logits::softmax;
pub use matrix::Rows;
pub(crate) use matrix::{normalised as unit, products};
pub use sample::{Input, LOGIT_SCALE, NameCosines, Sample};
pub use statistics::{Statistics, Tensor};

/// The detectors that a kind of model can have, in the order of tables and menus: those of a CLIP's
/// names are not for taggers, and those of a projector's gradients and of a second one not for CLIPs.
pub fn all_of(arch: Arch) -> Vec<&'static dyn Detector> {
    let is_foreign = |input: &Input| match arch {
        Arch::Ram => input.is_of_names(),
        Arch::Clip => matches!(input, Input::OdinLogits | Input::CeFeature),
    };
    let fits = |detector: &&&dyn Detector| !detector.info().needs.iter().any(is_foreign);
    all().iter().filter(fits).copied().collect()
}

/// What a detector is, for lists, tables and help texts.
#[derive(Debug)]
pub struct Info {
    /// The name on the command line and in files, kebab-case: `"tagood-cosine"`.
    pub id: &'static str,
    /// The name people use: `"TagOOD (cosine)"`.
    pub name: &'static str,
    /// Who published it, where and when.
    pub paper: &'static str,
    /// The score on one line of plain text.
    pub formula: &'static str,
    /// What of a [`Sample`] it reads.
    pub needs: &'static [Input],
    /// Its constants, with the values it was published with.
    pub parameters: &'static [Parameter],
    /// Bounds of the score, ends included; infinite where it has none.
    pub range: (f32, f32),
}

/// One constant of a detector.
#[derive(Debug)]
pub struct Parameter {
    /// Its symbol or name in the paper.
    pub name: &'static str,
    /// The value in force.
    pub value: f64,
    /// What it does, and where the value comes from if not from the paper.
    pub meaning: &'static str,
}

/// One way to score images.
pub trait Detector: Send + Sync {
    /// Name, paper, formula, inputs, constants.
    fn info(&self) -> &'static Info;

    /// Adds to `statistics` what [`Detector::bind`] will ask for; nothing by default.
    ///
    /// # Errors
    ///
    /// The training set lacks an input, or a decomposition does not converge.
    fn fit(
        &self,
        _training: &TrainingSet<'_>,
        _statistics: &mut Statistics,
    ) -> Result<(), ScoreError> {
        Ok(())
    }

    /// Whether it reads the classifier's weights or the class centers, beside what it reads of a sample.
    fn reads_head(&self) -> bool {
        false
    }

    /// The threshold that the method itself sets, without in-distribution images to set it by: an image
    /// is known at or above it. `None` for most.
    fn own_lambda(&self) -> Option<f32> {
        None
    }

    /// Joins fitted statistics and the classifier into something that scores. Call [`bind`] instead: it
    /// adds the checks of the inputs.
    ///
    /// # Errors
    ///
    /// A statistic is missing or has another shape than the head asks for.
    fn bind(
        &self,
        statistics: &Statistics,
        head: &Arc<Head>,
    ) -> Result<Box<dyn Scorer>, ScoreError>;
}

/// The scoring part of a bound detector, which may trust that the inputs it needs are there, finite and
/// of the right length.
pub trait Scorer: Send + Sync {
    /// Scores of a block of samples, in their order.
    fn score_block(&self, samples: &[Sample<'_>]) -> Vec<f32>;
}

/// A closure as a [`Scorer`].
struct Blocks<F>(F);

impl<F: Fn(&[Sample<'_>]) -> Vec<f32> + Send + Sync> Scorer for Blocks<F> {
    fn score_block(&self, samples: &[Sample<'_>]) -> Vec<f32> {
        (self.0)(samples)
    }
}

/// Scores a block of samples with a closure.
fn blocks(
    score: impl Fn(&[Sample<'_>]) -> Vec<f32> + Send + Sync + 'static,
) -> Result<Box<dyn Scorer>, ScoreError> {
    Ok(Box::new(Blocks(score)))
}

/// Scores one sample at a time with a closure.
fn each(
    score: impl Fn(&Sample<'_>) -> f32 + Send + Sync + 'static,
) -> Result<Box<dyn Scorer>, ScoreError> {
    blocks(move |samples| samples.iter().map(&score).collect())
}

/// Samples scored together, always as many: a product's rounding depends on its size, and a score
/// must not depend on its company. Large enough for the products, small enough to share them out.
const BLOCK: usize = 16;

/// A detector ready to score.
pub struct FittedDetector {
    info: &'static Info,
    own_lambda: Option<f32>,
    lengths: Vec<(Input, usize)>,
    scorer: Box<dyn Scorer>,
}

/// Joins `detector` with fitted statistics and the classifier.
///
/// # Errors
///
/// A statistic is missing (the bundle was fitted without this detector) or has the wrong shape, or the
/// detector reads what only a CLIP with names, a no side, negative words or learnt prompts has.
pub fn bind(
    detector: &dyn Detector,
    statistics: &Statistics,
    head: &Arc<Head>,
) -> Result<FittedDetector, ScoreError> {
    let info = detector.info();
    if let Some(&input) = info.needs.iter().find(|input| !head.offers(**input)) {
        return Err(ScoreError::MissingInput { detector: info.id, input });
    }
    let scorer = detector.bind(statistics, head)?;
    let lengths =
        info.needs.iter().filter_map(|&input| Some((input, input.len(statistics, head)?)));
    let own_lambda = detector.own_lambda();
    Ok(FittedDetector { info, own_lambda, lengths: lengths.collect(), scorer })
}

impl FittedDetector {
    /// The detector this is.
    pub fn info(&self) -> &'static Info {
        self.info
    }

    /// See [`Detector::own_lambda`].
    pub fn own_lambda(&self) -> Option<f32> {
        self.own_lambda
    }

    /// Score of one image; higher = more in-distribution, always finite.
    ///
    /// # Errors
    ///
    /// An input is missing, has the wrong length, or is not finite.
    pub fn score(&self, sample: &Sample<'_>) -> Result<f32, ScoreError> {
        self.score_batch(std::slice::from_ref(sample))
            .map(|scores| scores.first().copied().unwrap_or(f32::MIN))
    }

    /// Scores of many images, in their order, on all cores; each is the same in any company.
    ///
    /// # Errors
    ///
    /// As [`FittedDetector::score`], for any of them.
    pub fn score_batch(&self, samples: &[Sample<'_>]) -> Result<Vec<f32>, ScoreError> {
        let blocks = samples.par_chunks(BLOCK).map(|block| {
            block.iter().try_for_each(|sample| self.check(sample))?;
            // A block that is not full is filled up with its last sample.
            let last = block.iter().copied().last();
            let full = block.iter().copied().chain(last.into_iter().cycle()).take(BLOCK);
            let mut scores = self.scorer.score_block(&full.collect::<Vec<_>>());
            scores.truncate(block.len());
            Ok(scores)
        });
        let blocks: Vec<Vec<f32>> = blocks.collect::<Result<_, ScoreError>>()?;
        Ok(blocks.into_iter().flatten().map(finite).collect())
    }

    fn check(&self, sample: &Sample<'_>) -> Result<(), ScoreError> {
        let detector = self.info.id;
        for &input in self.info.needs {
            let values =
                sample.values(input).ok_or(ScoreError::MissingInput { detector, input })?;
            let expected =
                self.lengths.iter().find(|(of, _)| *of == input).map_or(values.len(), |e| e.1);
            if values.len() != expected {
                let found = values.len();
                return Err(ScoreError::InputLength { detector, input, expected, found });
            }
            if !values.iter().all(|v| v.is_finite()) {
                return Err(ScoreError::NotFinite { detector, input });
            }
        }
        Ok(())
    }
}

/// Clamps infinities; an undefined score becomes the least in-distribution one.
fn finite(score: f32) -> f32 {
    if score.is_nan() { f32::MIN } else { score.clamp(f32::MIN, f32::MAX) }
}
