//! Scores of a network's results: its own, and those of every detector that needs no more than these.

use std::ops::ControlFlow;
use std::sync::Arc;

use rand::seq::SliceRandom as _;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng as _};

use super::{Results, ResultsError};
use crate::eval::metrics::{Label, RankedScores};
use crate::score::distance::Centers;
use crate::score::logits::argmax;
use crate::score::{
    self, Detector, FittedDetector, Head, Input, Rows, Sample, ScoreError, TrainingSet,
};

/// Rows scored together.
const PART: usize = 4096;

/// Where a score comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A column of the table.
    Column,
    /// Computed here from the table's logits.
    Logits,
    /// Computed here from its features, with its logits where it has any.
    Features,
}

/// One detector's scores of all rows.
#[derive(Clone, Debug)]
pub struct DetectorScores {
    /// The column's name, or the detector's on the command line.
    pub id: String,
    /// Where they come from.
    pub origin: Origin,
    /// The score on one line of plain text, of a detector of ours.
    pub formula: Option<&'static str>,
    /// A score a row `[n]`, higher = more in-distribution.
    pub scores: Vec<f64>,
    /// Whether the column's signs were turned, as higher was less in-distribution (AUROC below 0.5).
    pub flipped: bool,
    /// Rows that it was fitted to, ascending; they take no part in measuring it.
    pub fitted_to: Arc<Vec<usize>>,
}

impl DetectorScores {
    /// Scores of the rows in question that it was not fitted to.
    pub fn of_rows(&self, mut wanted: impl FnMut(usize) -> bool) -> Vec<f64> {
        let measured = |row: &usize| self.fitted_to.binary_search(row).is_err();
        (0..self.scores.len())
            .filter(|row| wanted(*row) && measured(row))
            .map(|row| self.scores[row])
            .collect()
    }
}

/// The detectors that can do with what the table has.
pub fn own_detectors(results: &Results) -> Vec<&'static dyn Detector> {
    let (logits, features) = (results.logits.is_some(), results.features.is_some());
    let there = |input: &Input| match input {
        Input::ClassLogits => logits,
        // The one feature there is stands for the token means of a tagger, too.
        Input::Feature | Input::ObjectToken => features,
        _ => false,
    };
    let fits = |detector: &&&dyn Detector| {
        !detector.reads_head() && detector.info().needs.iter().all(there)
    };
    score::all().iter().filter(fits).copied().collect()
}

/// Scores every row: with the table's columns of scores, and with detectors of ours.
///
/// Those that are fitted take `fit` as their examples, or, where that is empty, half of the
/// in-distribution rows, drawn with the seed. `progress` hears of every detector that is done.
///
/// # Errors
/// The shapes of logits and features do not fit their detectors, or nothing is in-distribution.
pub fn score(
    results: &Results,
    detectors: &[&'static dyn Detector],
    fit: &[usize],
    seed: u64,
    mut progress: impl FnMut() -> ControlFlow<()>,
) -> Result<(Vec<DetectorScores>, Vec<String>), ResultsError> {
    let mut notes = Vec::new();
    let mut all = Vec::new();
    for (id, scores) in &results.scores {
        let (scores, flipped) = turned(results, scores.clone())?;
        if flipped {
            notes.push(format!(
                "`{id}` is higher for OOD rows (AUROC below 0.5); its signs were turned"
            ));
        }
        let fitted_to = Arc::default();
        let id = id.clone();
        all.push(DetectorScores {
            id,
            origin: Origin::Column,
            formula: None,
            scores,
            flipped,
            fitted_to,
        });
    }
    if detectors.is_empty() {
        return Ok((all, notes));
    }
    let examples = match fit.is_empty() {
        false => fit.to_vec(),
        true => half_of_id(results, seed),
    };
    let training = Examples::of(results, examples, &mut notes)?;
    for &detector in detectors {
        if progress().is_break() {
            break;
        }
        match training.scores(results, detector) {
            Ok(mut scores) => {
                if all.iter().any(|other| other.id == scores.id) {
                    scores.id = format!("{} (computed)", scores.id);
                }
                all.push(scores);
            }
            Err(error) => notes.push(error.to_string()),
        }
    }
    Ok((all, notes))
}

/// Scores of which higher is more in-distribution, and whether that took a turn of their signs.
fn turned(results: &Results, scores: Vec<f64>) -> Result<(Vec<f64>, bool), ResultsError> {
    let rows = scores.iter().copied().zip(results.roles.iter().copied());
    let auroc = RankedScores::from_labelled(rows)?.metrics().auroc;
    match auroc < 0.5 {
        true => Ok((scores.into_iter().map(|score| -score).collect(), true)),
        false => Ok((scores, false)),
    }
}

fn half_of_id(results: &Results, seed: u64) -> Vec<usize> {
    let is_id = |row: &usize| results.roles[*row] == Label::Id;
    let mut rows: Vec<usize> = (0..results.rows()).filter(is_id).collect();
    rows.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    // One of two is kept to measure with.
    rows.truncate(rows.len() / 2);
    rows
}

/// In-distribution rows that detectors are fitted to.
struct Examples {
    rows: Arc<Vec<usize>>,
    labels: Vec<usize>,
    logits: Vec<f32>,
    features: Vec<f32>,
    width: usize,
    classes: usize,
    head: Arc<Head>,
}

impl Examples {
    fn of(
        results: &Results,
        mut rows: Vec<usize>,
        notes: &mut Vec<String>,
    ) -> Result<Self, ResultsError> {
        rows.sort_unstable();
        let classes = match &results.logits {
            Some((_, classes)) => *classes,
            None => results.classes.len().max(1),
        };
        // A class that the logits do not have is none; without classes, it is the predicted ones that
        // tell examples apart.
        let label = |&row: &usize| {
            let class = results.class_of[row].filter(|&class| class < classes);
            match row_of(&results.logits, row) {
                [] => class.unwrap_or_default(),
                logits => class.unwrap_or_else(|| argmax(logits)),
            }
        };
        let labels: Vec<usize> = rows.iter().map(label).collect();
        if results.features.is_some() && results.classes.is_empty() {
            notes.push(
                match results.logits {
                    Some(_) => {
                        "there is no column of classes: examples count as what the logits predict"
                    }
                    None => "there is no column of classes: all examples count as one class",
                }
                .to_owned(),
            );
        }
        let width = results.features.as_ref().map_or(1, |(_, width)| *width);
        let features = match &results.features {
            Some((values, width)) => pick(values, *width, &rows),
            None => vec![0.0; rows.len()],
        };
        let logits = match &results.logits {
            Some((values, classes)) => pick(values, *classes, &rows),
            None => vec![0.0; rows.len() * classes],
        };
        // No detector that is used here reads classifier or centers.
        let centers = Centers::new(vec![0.0; classes * width], [classes, 1, width])?;
        let head = Head::new(vec![0.0; classes * width], vec![0.0; classes], centers)?;
        Ok(Self {
            rows: Arc::new(rows),
            labels,
            logits,
            features,
            width,
            classes,
            head: Arc::new(head),
        })
    }

    fn fitted(&self, detector: &dyn Detector) -> Result<(FittedDetector, bool), ScoreError> {
        if let Ok(fitted) = score::bind(detector, &score::Statistics::default(), &self.head) {
            return Ok((fitted, false));
        }
        let training = TrainingSet {
            features: Rows::new("features", &self.features, self.width)?,
            class_logits: Rows::new("logits", &self.logits, self.classes)?,
            object_tokens: Rows::new("features", &self.features, self.width)?,
            ce_features: None,
            labels: &self.labels,
            head: &self.head,
        };
        let statistics = score::fit_all(&[detector], &training)?;
        Ok((score::bind(detector, &statistics, &self.head)?, true))
    }

    fn scores(
        &self,
        results: &Results,
        detector: &dyn Detector,
    ) -> Result<DetectorScores, ScoreError> {
        let (fitted, used) = self.fitted(detector)?;
        let info = detector.info();
        let mut scores = Vec::with_capacity(results.rows());
        for start in (0..results.rows()).step_by(PART) {
            let sample = |row: usize| {
                let feature = row_of(&results.features, row);
                let class_logits = row_of(&results.logits, row);
                Sample { feature, class_logits, object_token: feature, ..Sample::default() }
            };
            let end = results.rows().min(start + PART);
            let samples: Vec<Sample> = (start..end).map(sample).collect();
            scores.extend(fitted.score_batch(&samples)?.into_iter().map(f64::from));
        }
        let of_features = info.needs.iter().any(|input| *input != Input::ClassLogits);
        Ok(DetectorScores {
            id: info.id.to_owned(),
            origin: if of_features { Origin::Features } else { Origin::Logits },
            formula: Some(info.formula),
            scores,
            flipped: false,
            fitted_to: if used { Arc::clone(&self.rows) } else { Arc::default() },
        })
    }
}

/// A row of a matrix; nothing where there is none.
fn row_of(matrix: &Option<(Vec<f32>, usize)>, row: usize) -> &[f32] {
    matrix.as_ref().map_or(&[], |(values, width)| &values[row * width..][..*width])
}

fn pick(values: &[f32], width: usize, rows: &[usize]) -> Vec<f32> {
    rows.iter().flat_map(|row| values[row * width..][..width].iter().copied()).collect()
}
