//! Reading a store.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::chunk::{Chunk, Row};
use super::record::stored_path;
use super::schema::schema;
use super::{StoreError, StoreHeader};
use crate::bundle::Bundle;
use crate::dataset::Dataset;

/// A store, open for reading: every chunk is mapped, none is read until its rows are.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    header: Arc<StoreHeader>,
    chunks: Vec<Chunk>,
    /// Rows before each chunk, and their number at the end.
    starts: Vec<usize>,
}

impl Store {
    /// Opens the store in a folder. One that is being written may be read: it has the chunks that
    /// were whole by now.
    ///
    /// # Errors
    /// If there is no store, or a chunk is missing, damaged, or of another store.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let header = Arc::new(StoreHeader::read(dir)?);
        let schema = schema(&header);
        let paths = chunk_paths(dir)?;
        let chunks: Vec<Chunk> = paths
            .par_iter()
            .map(|path| Chunk::open(path, &header, &schema))
            .collect::<Result<_, _>>()?;
        let mut starts = vec![0];
        for chunk in &chunks {
            starts.push(starts.last().copied().unwrap_or_default() + chunk.len());
        }
        Ok(Self { dir: dir.to_owned(), header, chunks, starts })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Which tagger made the store, and the shapes of what it made.
    pub fn header(&self) -> &StoreHeader {
        &self.header
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.starts.last().copied().unwrap_or_default()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The chunks, for a scan in parallel: `store.chunks().par_iter()`.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// A row by its number; `None` past the end.
    pub fn row(&self, index: usize) -> Option<Row<'_>> {
        let chunk = self.starts.partition_point(|&start| start <= index).checked_sub(1)?;
        self.chunks.get(chunk)?.row(index - self.starts[chunk])
    }

    /// The rows in order.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.chunks.iter().flat_map(Chunk::rows)
    }

    /// The rows in order, for rayon.
    pub fn par_rows(&self) -> impl IndexedParallelIterator<Item = Row<'_>> {
        (0..self.len()).into_par_iter().map(|index| {
            let chunk = self.starts.partition_point(|&start| start <= index) - 1;
            self.chunks[chunk].row_at(index - self.starts[chunk])
        })
    }

    /// For each image of a data set, the number of its row in the set `set`; `None` where it was
    /// not extracted yet.
    pub fn rows_of(&self, dataset: &Dataset, set: &str) -> Vec<Option<usize>> {
        let of_set = (0..).zip(self.rows()).filter(|(_, row)| row.set() == set);
        let by_path: HashMap<&str, usize> = of_set.map(|(at, row)| (row.path(), at)).collect();
        let find = |path: &Path| by_path.get(stored_path(path).as_str()).copied();
        dataset.items.iter().map(|item| find(&item.path)).collect()
    }

    /// Refuses a bundle whose tagger would make other rows: other weights, shapes, preprocessing or
    /// thresholds. Its classes may differ: the rows hold nothing of them.
    ///
    /// # Errors
    /// If it would, or the bundle's weights cannot be read.
    pub fn check_bundle(&self, bundle: &Bundle) -> Result<(), StoreError> {
        self.header.check(&StoreHeader::of_bundle(bundle)?, &self.dir)
    }
}

/// The name of a chunk's file.
pub(super) fn chunk_name(index: usize) -> String {
    format!("chunk-{index:06}.arrow")
}

/// The chunks in a folder, in order; they must be numbered from 0 without a gap.
fn chunk_paths(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut indices = Vec::new();
    let io = || StoreError::io("cannot list the store", dir);
    for entry in std::fs::read_dir(dir).map_err(io())? {
        let name = entry.map_err(io())?.file_name();
        let number = name.to_str().and_then(|n| n.strip_prefix("chunk-")?.strip_suffix(".arrow"));
        indices.extend(number.and_then(|number| number.parse::<usize>().ok()));
    }
    indices.sort_unstable();
    match indices.iter().enumerate().find(|(expected, index)| expected != *index) {
        Some((missing, _)) => Err(StoreError::MissingChunk(dir.join(chunk_name(missing)))),
        None => Ok(indices.into_iter().map(|index| dir.join(chunk_name(index))).collect()),
    }
}
