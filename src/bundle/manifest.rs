//! `bundle.toml`: what a model is made of, apart from its weights and lists.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::checksums::Checksums;
use crate::image::{DecodeOptions, Normalisation, Preparation, Transform};
use crate::nn::clip::ClipConfig;
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

/// What becomes an image's feature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureChoice {
    /// The tokens of its objects above τ: TagOOD's.
    #[default]
    Objects,
    /// The whole image: of a CLIP the image's own feature, as its detectors are published with; of a
    /// tagger all tokens.
    WholeImage,
}

impl FeatureChoice {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Objects, Self::WholeImage];
}

impl fmt::Display for FeatureChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Objects => "objects",
            Self::WholeImage => "whole-image",
        })
    }
}

impl FromStr for FeatureChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|choice| choice.to_string() == text);
        found.ok_or_else(|| format!("there are `objects` and `whole-image`, not `{text}`"))
    }
}

/// The kind of a model's network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// A tagger, RAM or RAM++: its labels are tags that it was trained on.
    #[default]
    Ram,
    /// A CLIP or a CLIPN: its labels are names, whichever are typed.
    Clip,
}

/// What there is to know of a CLIP apart from its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipPart {
    /// Texts that names are put into, at `{}`; their features are averaged.
    pub templates: Vec<String>,
    /// What becomes an image's feature, where nobody says: what its statistics were fitted to.
    #[serde(default = "whole_image")]
    pub features: FeatureChoice,
    /// What pixels are normalised by.
    pub pixels: Normalisation,
    /// Widths, depths and patch size of the image and text side.
    pub shape: ClipConfig,
}

fn whole_image() -> FeatureChoice {
    FeatureChoice::WholeImage
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
    /// Version of the bundle's layout; another one may have other fields.
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
    /// The kind of its network, whose shape follows under a name of its own.
    #[serde(default)]
    pub arch: Arch,
    /// The tagger's shape; there where the kind is `ram`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tagger: Option<RamConfig>,
    /// The CLIP's shape, templates and pixels; there where the kind is `clip`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<ClipPart>,
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

    /// Side of the square that images become, in pixels.
    pub fn image_side(&self) -> usize {
        match (&self.tagger, &self.clip) {
            (Some(tagger), _) => tagger.swin.image,
            (None, clip) => clip.as_ref().map_or(0, |clip| clip.shape.image.image),
        }
    }

    /// Image tokens, the global one included.
    pub fn positions(&self) -> usize {
        match (&self.tagger, &self.clip) {
            (Some(tagger), _) => tagger.positions(),
            (None, clip) => clip.as_ref().map_or(0, |clip| 1 + clip.shape.image.grid().pow(2)),
        }
    }

    /// Channels of an image token.
    pub fn token_width(&self) -> usize {
        match (&self.tagger, &self.clip) {
            (Some(tagger), _) => tagger.joint,
            (None, clip) => clip.as_ref().map_or(0, |clip| clip.shape.joint),
        }
    }

    /// Layers and heads that a label has maps of; one of each for a CLIP, whose maps are similarities.
    pub fn map_layers_and_heads(&self) -> [usize; 2] {
        match &self.tagger {
            Some(tagger) => [tagger.decoder.layers, tagger.decoder.heads],
            None => [1, 1],
        }
    }

    /// How images become the network's input.
    pub fn preparation(&self) -> Preparation {
        let pixels = self.clip.as_ref().map_or(Normalisation::IMAGENET, |clip| clip.pixels);
        Preparation { transform: self.transform, side_px: self.image_side() as u32, pixels }
    }

    /// The decision threshold of a detector under a recipe, if one was set.
    pub fn lambda(&self, detector: &str, recipe: Recipe) -> Option<&Lambda> {
        self.lambda.iter().find(|l| l.detector == detector && l.recipe == recipe)
    }
}
