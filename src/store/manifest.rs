//! `chunks.toml`: which chunks a store has, and what is in each.
//!
//! It is written before a chunk takes its name, and says what the file held until then: whenever a run
//! is cut off, the file is what one of the two says. What no line names is no part of the store.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::fs;

/// The manifest's file.
pub(super) const MANIFEST: &str = "chunks.toml";

/// The largest manifest that is read, in bytes: some five hundred thousand chunks.
const MAX_BYTES: u64 = 64 << 20;

/// The chunks of a store, in the order of their rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChunkList {
    #[serde(default, rename = "chunk")]
    pub chunks: Vec<ChunkEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChunkEntry {
    /// The file.
    pub name: String,
    pub rows: usize,
    /// The hash of its rows' hashes.
    pub digest: String,
    /// While the file is being replaced: the hash of what it held before, empty if there was no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

impl ChunkEntry {
    /// Whether a file with these rows is the one that the entry means.
    pub(super) fn is_of(&self, digest: &str) -> bool {
        self.digest == digest || self.before.as_deref() == Some(digest)
    }

    /// Whether the file may be missing: it was being written for the first time.
    pub(super) fn may_be_missing(&self) -> bool {
        self.before.as_deref() == Some("")
    }
}

impl ChunkList {
    /// Reads the list of the store in `dir`; a store without chunks has none.
    pub(super) fn read(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(MANIFEST);
        let text = match fs::read_text(&path, MAX_BYTES) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            text => {
                text.map_err(StoreError::io("cannot read the store's list of chunks", &path))?
            }
        };
        let list: Self = toml::from_str(&text).map_err(|error| StoreError::Header {
            reason: format!("the store's list of chunks is damaged ({})", error.message()),
            path: path.clone(),
        })?;
        let mut names: Vec<&str> = list.chunks.iter().map(|chunk| chunk.name.as_str()).collect();
        names.sort_unstable();
        let is_name = |name: &&str| is_chunk_name(name);
        if names.windows(2).any(|pair| pair[0] == pair[1]) || !names.iter().all(is_name) {
            let reason = "the store's list of chunks is damaged (its names make no sense)".into();
            return Err(StoreError::Header { reason, path });
        }
        Ok(list)
    }

    /// Writes the list whole.
    pub(super) fn write(&self, dir: &Path) -> Result<(), StoreError> {
        let path = dir.join(MANIFEST);
        let text = toml::to_string(self)
            .map_err(|e| StoreError::Header { reason: e.to_string(), path: path.clone() })?;
        fs::write(&path, text).map_err(StoreError::io("cannot write the store", &path))
    }
}

/// The name of a chunk's file.
pub(super) fn chunk_name(index: usize) -> String {
    format!("chunk-{index:06}.arrow")
}

/// The number of a chunk by its file's name.
pub(super) fn chunk_index(name: &str) -> Option<usize> {
    let number = name.strip_prefix("chunk-")?.strip_suffix(".arrow")?;
    number.bytes().all(|digit| digit.is_ascii_digit()).then(|| number.parse().ok())?
}

/// Whether a file is called as chunks are.
pub(super) fn is_chunk_name(name: &str) -> bool {
    chunk_index(name).is_some()
}
