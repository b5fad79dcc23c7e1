//! `bundle.toml`: what a model is made of, apart from its weights and lists.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::checksums::Checksums;
use crate::image::{DecodeOptions, Transform};
use crate::nn::projector::ProjectorConfig;
use crate::nn::ram::RamConfig;

/// The version of the bundle's layout that this program writes. It reads version 1, too, which had no
/// checksums.
pub const FORMAT: u32 = 2;

/// The paper's text or the released code, where the two differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recipe {
    /// Attention of the last layer; an image with no in-distribution tag is out-of-distribution;
    /// cosine to 512-d centers.
    #[default]
    Paper,
    /// Attention of the first layer; an image with no tag at all falls back on its best
    /// in-distribution tag; mean of the patterns' cosines times the tag score.
    Released,
}

impl Recipe {
    /// Both recipes.
    pub const ALL: [Self; 2] = [Self::Paper, Self::Released];

    /// The tagging head's layer whose attention is used, of `layers`.
    pub fn layer(self, layers: usize) -> usize {
        match self {
            Self::Paper => layers.saturating_sub(1),
            Self::Released => 0,
        }
    }

    /// The recipe's own detector.
    pub fn detector(self) -> &'static str {
        match self {
            Self::Paper => "tagood-cosine",
            Self::Released => "tagood-released",
        }
    }

    /// The score by which metrics rank an image that is out-of-distribution outright. The released
    /// code gives it 0, and its own score may be below; everywhere else it is below any score.
    pub fn hard_reject_score(self, detector: &str) -> f32 {
        match self {
            Self::Released if detector == self.detector() => 0.0,
            _ => f32::NEG_INFINITY,
        }
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Paper => "paper",
            Self::Released => "released",
        })
    }
}

impl FromStr for Recipe {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|recipe| recipe.to_string() == text)
            .ok_or_else(|| format!("unknown recipe `{text}`; there are `paper` and `released`"))
    }
}

/// A decision threshold of one detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lambda {
    /// The detector's name.
    pub detector: String,
    /// The recipe it was set under.
    pub recipe: Recipe,
    /// The τ it was set at.
    pub tau: f32,
    /// Scores at or above this are in-distribution.
    pub value: f32,
    /// Share of in-distribution validation images that it keeps, 0 to 1.
    pub tpr: f32,
}

/// What a model is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The layout's version.
    pub format: u32,
    /// What the model is called.
    pub name: String,
    /// The recipe in force by default.
    #[serde(default)]
    pub recipe: Recipe,
    /// How images become the network's input.
    pub transform: Transform,
    /// Whether images are turned as their EXIF orientation says before that. The released code takes
    /// them as they are stored.
    #[serde(default = "by_default")]
    pub upright: bool,
    /// The default τ, 0 to 1.
    pub tau: f32,
    /// The tagger's shape.
    pub tagger: RamConfig,
    /// The projector's shape, if there is one.
    pub projector: Option<ProjectorConfig>,
    /// Decision thresholds, at most one for each detector and recipe.
    #[serde(default)]
    pub lambda: Vec<Lambda>,
    /// Hashes of the files beside it, made when the bundle is written; none in older bundles. The
    /// last field, so that the manifest's own follows it.
    #[serde(default)]
    pub checksums: Checksums,
}

fn by_default() -> bool {
    DecodeOptions::default().apply_orientation
}

impl Manifest {
    /// How images are decoded for the model.
    pub fn decode_options(&self) -> DecodeOptions {
        DecodeOptions { apply_orientation: self.upright, ..DecodeOptions::default() }
    }

    /// The decision threshold of a detector under a recipe, if one was set.
    pub fn lambda(&self, detector: &str, recipe: Recipe) -> Option<&Lambda> {
        self.lambda.iter().find(|l| l.detector == detector && l.recipe == recipe)
    }
}
