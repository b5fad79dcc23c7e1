//! `store.toml`: which tagger made the store, and the shapes of what it made.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::hash::Fnv1a;
use crate::bundle::Bundle;
use crate::image::Transform;
use crate::nn::source::{Source, WeightsError};

/// The version of the store's layout that this program writes and reads.
pub const FORMAT: u32 = 1;

/// Images in a chunk, if nothing else was said.
pub const ROWS_PER_CHUNK: usize = 256;

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
    /// Hash of the tagger's shape and of a sample of its weights.
    pub tagger: String,
    /// Hash of the tags' thresholds, which decide whose attention is kept.
    pub thresholds: String,
    /// How images became the network's input.
    pub transform: Transform,
    /// Side of the network's input, in pixels.
    pub image_side: usize,
    /// Image tokens P, the global one included.
    pub positions: usize,
    /// Width of a token W.
    pub width: usize,
    /// Tags T.
    pub tags: usize,
    /// Layers of the tagging head L.
    pub layers: usize,
    /// Images in a chunk; the last one may have fewer.
    pub rows_per_chunk: usize,
}

impl StoreHeader {
    /// The header of stores that a bundle makes. Reads the bundle's small tensors.
    ///
    /// # Errors
    /// If the weights cannot be read.
    pub fn of_bundle(bundle: &Bundle) -> Result<Self, WeightsError> {
        let (manifest, tagger) = (&bundle.manifest, &bundle.manifest.tagger);
        let mut thresholds = Fnv1a::default();
        bundle.vocabulary.thresholds.iter().for_each(|t| thresholds.write(&t.to_le_bytes()));
        Ok(Self {
            format: FORMAT,
            program: format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
            bundle: manifest.name.clone(),
            tagger: hex(&tagger_hash(&bundle.tagger)?),
            thresholds: hex(&thresholds),
            transform: manifest.transform,
            image_side: tagger.swin.image,
            positions: tagger.positions(),
            width: tagger.joint,
            tags: tagger.tags,
            layers: tagger.decoder.layers,
            rows_per_chunk: ROWS_PER_CHUNK,
        })
    }

    /// What keeps rows made under `other` from standing beside rows made under this; `None` if
    /// nothing does.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let shape = |h: &Self| [h.image_side, h.positions, h.width, h.tags, h.layers];
        if shape(self) != shape(other) {
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
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::NoStore(dir.to_owned()));
            }
            text => text.map_err(StoreError::io("cannot read the store's header", &path))?,
        };
        let bad = |reason: String| StoreError::Header { reason, path: path.clone() };
        // The version first: another one may have other fields.
        let version: Version = toml::from_str(&text).map_err(|e| bad(e.message().to_owned()))?;
        if version.format != FORMAT {
            return Err(bad(format!(
                "the store's format is {}, this program reads format {FORMAT}",
                version.format
            )));
        }
        let header: Self = toml::from_str(&text).map_err(|e| bad(e.message().to_owned()))?;
        let sizes = [header.positions, header.width, header.tags, header.rows_per_chunk];
        let largest = i32::MAX as usize;
        let fits = |size: &usize| (1..=largest).contains(size);
        let tokens = header.positions.checked_mul(header.width).is_some_and(|n| n <= largest);
        match sizes.iter().all(fits) && tokens {
            true => Ok(header),
            false => Err(bad("the store's sizes are out of range".into())),
        }
    }
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// Parts of a checkpoint that make tokens, logits and attention.
const TAGGER_PARTS: [&str; 3] = ["visual_encoder.", "image_proj.", "tagging_head.encoder."];

/// Tensors up to this size are hashed whole, larger ones by shape: biases and norms change with any
/// training, and a checkpoint of gigabytes is still told apart in an instant.
const HASHED_VALUES: usize = 1 << 13;

fn tagger_hash(source: &Source) -> Result<Fnv1a, WeightsError> {
    let mut hash = Fnv1a::default();
    for (name, shape) in source.shapes() {
        let is_weight = name.ends_with(".weight") || name.ends_with(".bias");
        if !is_weight || !TAGGER_PARTS.iter().any(|part| name.starts_with(part)) {
            continue;
        }
        hash.write(name.as_bytes());
        shape.iter().for_each(|&size| hash.write(&(size as u64).to_le_bytes()));
        if shape.iter().product::<usize>() <= HASHED_VALUES {
            let values = source.read(&name, &shape)?;
            values.iter().for_each(|value| hash.write(&value.to_le_bytes()));
        }
    }
    Ok(hash)
}

fn hex(hash: &Fnv1a) -> String {
    format!("{:016x}", hash.finish())
}
