//! Scores of sets of images under many detectors: plain data, from which reports and plots are made.

use serde::{Deserialize, Serialize};

use crate::bundle::manifest::{Arch, Recipe};
pub use crate::pipeline::Features;
use crate::pipeline::OdinInput;
use crate::score::ScoreError;
use crate::score::verdict::{Rejection, Score};

/// One detector's scores of one set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// One for each image; `None` where the image is rejected.
    Scores(Vec<Option<f32>>),
    /// Why there are none, as a sentence.
    Missing(String),
}

impl Column {
    /// The scores, if there are any.
    pub fn scores(&self) -> Option<&[Option<f32>]> {
        match self {
            Self::Scores(scores) => Some(scores),
            Self::Missing(_) => None,
        }
    }

    /// Adds the scores of further images, or takes the reason why there are none in place of all.
    pub(super) fn extend(&mut self, further: Result<Vec<Score>, ScoreError>) {
        match (&mut *self, further) {
            (Self::Scores(scores), Ok(further)) => {
                scores.extend(further.into_iter().map(|score| score.value));
            }
            (column, Err(error)) => *column = Self::Missing(error.to_string()),
            (Self::Missing(_), Ok(_)) => {}
        }
    }
}

/// An image that was scored.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoredImage {
    /// Where it is.
    pub path: String,
    /// Hash of its file's bytes, if known: finds the same image in two sets.
    pub hash: Option<u64>,
    /// Its class's name, in a set with labels.
    pub class: Option<String>,
    /// The class that the projector sees, by the index in the vocabulary; `None` where nothing is
    /// kept at the model's own τ.
    pub predicted: Option<usize>,
    /// Why it is out-of-distribution without a score, at the model's own τ.
    pub rejected: Option<Rejection>,
}

/// An image that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedImage {
    /// Where it is.
    pub path: String,
    /// Why, as a sentence.
    pub error: String,
}

/// All scores of one set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SetScores {
    /// The set's name.
    pub name: String,
    /// Its images, in order.
    pub images: Vec<ScoredImage>,
    /// Those that could not be read.
    pub failed: Vec<FailedImage>,
    /// `[features][detectors]`, in the order of the table's.
    pub columns: Vec<Vec<Column>>,
}

/// One detector of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectorFacts {
    /// The name on the command line and in files.
    pub id: String,
    /// The name people use.
    pub name: String,
    /// The score on one line of plain text.
    pub formula: String,
    /// The decision threshold under the table's recipe.
    pub lambda: Option<f32>,
    /// Whether that is the one that keeps 95 % of this in-distribution set, as the bundle has none.
    #[serde(default)]
    pub lambda_of_set: bool,
}

/// What the scores were made with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// The bundle's name.
    pub name: String,
    /// The paper's text or the released code.
    pub recipe: Recipe,
    /// The τ of the main table.
    pub tau: f32,
    /// Names of the in-distribution classes.
    pub classes: Vec<String>,
    /// Number of tags; of a CLIP, of names.
    pub tags: usize,
    /// What ODIN moved.
    pub odin: OdinInput,
    /// A tagger or a CLIP.
    #[serde(default)]
    pub arch: Arch,
    /// The detector that decides where nobody says.
    #[serde(default)]
    pub detector: String,
}

impl ModelFacts {
    /// What it knows, in words.
    pub fn labels(&self) -> String {
        match (self.arch, self.classes.len()) {
            (Arch::Ram, classes) => format!("{classes} classes, {} tags", self.tags),
            (Arch::Clip, 1) => "1 known name".to_owned(),
            (Arch::Clip, names) => format!("{names} known names"),
        }
    }

    /// What ODIN moved, in words; `None` of a model that has no ODIN.
    pub fn odin(&self) -> Option<String> {
        (self.arch == Arch::Ram).then(|| format!("ODIN moves the {}", self.odin))
    }
}

/// Scores of an in-distribution set and of others, under many detectors and settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreTable {
    /// What they were made with.
    pub model: ModelFacts,
    /// Which tokens each block of columns is of.
    pub features: Vec<Features>,
    /// The place in `features` of the objects at the model's own τ.
    pub main: usize,
    /// The detectors.
    pub detectors: Vec<DetectorFacts>,
    /// The in-distribution set.
    pub id: SetScores,
    /// The out-of-distribution sets.
    pub ood: Vec<SetScores>,
}

impl ScoreTable {
    /// Every set, the in-distribution one first.
    pub fn sets(&self) -> impl Iterator<Item = &SetScores> {
        std::iter::once(&self.id).chain(&self.ood)
    }

    /// The place of a detector.
    pub fn detector(&self, id: &str) -> Option<usize> {
        self.detectors.iter().position(|detector| detector.id == id)
    }
}
