//! `store.toml`: which tagger made the store, and the shapes of what it made.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::identity;
use crate::bundle::Bundle;
use crate::bundle::manifest::Arch;
use crate::fs;
use crate::image::{DecodeOptions, Transform};
use crate::nn::source::WeightsError;

/// The version of the store's layout that this program writes and reads. Version 1 had no hashes of
/// rows, and told taggers apart by some of their weights alone.
pub const FORMAT: u32 = 2;

/// Images in a chunk, if nothing else was said.
pub const ROWS_PER_CHUNK: usize = 256;

/// Images in a chunk, at most.
const MAX_ROWS: usize = 1 << 16;

/// The header's file.
pub(super) const HEADER: &str = "store.toml";

/// Which tagger made a store, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreHeader {
    /// The layout's version.
    pub format: u32,
    /// The program that made the store, with its version.
    pub program: String,
    /// The bundle's name.
    pub bundle: String,
    /// Hash of all of the tagger's weights.
    pub tagger: String,
    /// Hash of the tags' thresholds, which decide whose attention is kept.
    pub thresholds: String,
    /// How images became the network's input.
    pub transform: Transform,
    /// The kind of network.
    #[serde(default)]
    pub arch: Arch,
    /// Whether images were turned as their EXIF orientation says.
    pub upright: bool,
    /// Side of the network's input, in pixels.
    pub image_side: usize,
    /// Image tokens P, the global one included.
    pub positions: usize,
    /// Width of a token W.
    pub width: usize,
    /// Tags T; of a CLIP, whose names may change, the width of the image feature in their place.
    pub tags: usize,
    /// Layers of the tagging head L.
    pub layers: usize,
    /// Images in a chunk; the last one may have fewer.
    pub rows_per_chunk: usize,
}

impl StoreHeader {
    /// The header of stores that a bundle makes, of images as they are decoded by default. Reads all of
    /// the tagger's weights, unless their hash is remembered.
    ///
    /// # Errors
    /// If the weights cannot be read.
    pub fn of_bundle(bundle: &Bundle) -> Result<Self, WeightsError> {
        let manifest = &bundle.manifest;
        let mut thresholds = blake3::Hasher::new();
        bundle.vocabulary.thresholds.iter().for_each(|t| {
            thresholds.update(&t.to_le_bytes());
        });
        Ok(Self {
            format: FORMAT,
            program: format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
            bundle: manifest.name.clone(),
            tagger: identity::of_tagger(&bundle.network)?,
            thresholds: thresholds.finalize().to_hex().to_string(),
            transform: manifest.transform,
            upright: manifest.upright,
            arch: manifest.arch,
            image_side: manifest.image_side(),
            positions: manifest.positions(),
            width: manifest.token_width(),
            tags: match &manifest.tagger {
                Some(tagger) => tagger.tags,
                None => manifest.token_width(),
            },
            layers: manifest.map_layers_and_heads()[0],
            rows_per_chunk: ROWS_PER_CHUNK,
        })
    }

    /// How the store's images are decoded.
    pub fn decode_options(&self) -> DecodeOptions {
        DecodeOptions { apply_orientation: self.upright, ..DecodeOptions::default() }
    }

    /// The most bytes that a row can have, with the attention of every tag.
    pub(super) fn largest_row(&self) -> usize {
        const TEXTS: usize = 1 << 16;
        let of_tag = self.layers.saturating_mul(self.positions).saturating_add(2);
        let floats = of_tag.saturating_mul(self.tags);
        let halves = self.positions.saturating_mul(self.width);
        TEXTS.saturating_add(floats.saturating_mul(4)).saturating_add(halves.saturating_mul(2))
    }

    /// What keeps rows made under `other` from standing beside rows made under this; `None` if
    /// nothing does.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let shape = |h: &Self| [h.image_side, h.positions, h.width, h.tags, h.layers];
        if self.arch != other.arch {
            Some("network is of another kind".into())
        } else if shape(self) != shape(other) {
            Some("tagger's shapes differ".into())
        } else if self.tagger != other.tagger {
            Some("tagger's weights differ".into())
        } else if self.thresholds != other.thresholds {
            Some("tag thresholds differ".into())
        } else if self.transform != other.transform {
            Some(format!(
                "images are prepared in another way (`{}`, not `{}`), so that its tokens differ",
                self.transform, other.transform
            ))
        } else if self.upright != other.upright {
            let how = |header: &Self| match header.upright {
                true => "turned as their EXIF orientation says",
                false => "taken as they are stored",
            };
            Some(format!("images are {}, not {}, so that its rows differ", how(self), how(other)))
        } else {
            None
        }
    }

    /// Refuses a store whose rows another tagger made.
    pub(super) fn check(&self, given: &Self, path: &Path) -> Result<(), StoreError> {
        let Some(difference) = self.difference(given) else { return Ok(()) };
        let (stored, given) = (self.bundle.clone(), given.bundle.clone());
        Err(StoreError::OtherBundle { stored, given, difference, path: path.to_owned() })
    }

    /// Reads the header of the store in `dir`.
    pub(super) fn read(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(HEADER);
        const MAX_BYTES: u64 = 1 << 20;
        let text = match fs::read_text(&path, MAX_BYTES) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::NoStore(dir.to_owned()));
            }
            text => text.map_err(StoreError::io("cannot read the store's header", &path))?,
        };
        let bad = |reason: String| StoreError::Header { reason, path: path.clone() };
        // The version first: another one may have other fields.
        let version: Version = toml::from_str(&text).map_err(|e| bad(e.message().to_owned()))?;
        if version.format < FORMAT {
            return Err(bad(format!(
                "the store's format is {}, of an earlier version of this program, which did not hold \
                 rows against their images and tagger; name another folder, or remove this one, and \
                 run `extract` again",
                version.format
            )));
        }
        if version.format != FORMAT {
            return Err(bad(format!(
                "the store's format is {}, this program reads format {FORMAT}",
                version.format
            )));
        }
        let header: Self = toml::from_str(&text).map_err(|e| bad(e.message().to_owned()))?;
        let sizes =
            [header.positions, header.width, header.tags, header.layers, header.rows_per_chunk];
        let largest = i32::MAX as usize;
        let fits = |size: &usize| (1..=largest).contains(size);
        let product = |a: usize, b: usize| a.checked_mul(b).is_some_and(|n| n <= largest);
        let (tokens, maps) =
            (product(header.positions, header.width), product(header.positions, header.layers));
        match sizes.iter().all(fits) && tokens && maps && header.rows_per_chunk <= MAX_ROWS {
            true => Ok(header),
            false => Err(bad("the store's sizes are out of range".into())),
        }
    }
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}
