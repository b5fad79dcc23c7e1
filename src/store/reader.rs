//! Reading a store.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use rayon::prelude::*;

use super::chunk::{Chunk, Row};
use super::manifest::{ChunkEntry, ChunkList, is_chunk_name};
use super::record::stored_path;
use super::schema::schema;
use super::{StoreError, StoreHeader};
use crate::bundle::Bundle;
use crate::dataset::Dataset;

/// How often a store is read that is written to meanwhile.
const ATTEMPTS: usize = 8;

/// A store, open for reading: every chunk is mapped, and its tensors are not read until its rows are.
///
/// Its rows are one for each image of each set: where an image was extracted anew, the last one, in the
/// place of the first.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    header: Arc<StoreHeader>,
    chunks: Vec<Chunk>,
    /// Chunk and row in it of each row that counts.
    rows: Vec<(u32, u32)>,
}

impl Store {
    /// Opens the store in a folder. One that is being written may be read: it has the chunks that
    /// were whole by now. All that rows say is held against their hashes, but for their tensors, which
    /// are when they are first used.
    ///
    /// # Errors
    /// If there is no store, or a chunk is missing, damaged, or of another store.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_as(dir, &|path| Err(StoreError::MissingChunk(path)))
    }

    /// As [`Store::open`]; `missing` says whether to go on without a chunk.
    pub(super) fn open_as(
        dir: &Path,
        missing: &(dyn Fn(PathBuf) -> Result<(), StoreError> + Sync),
    ) -> Result<Self, StoreError> {
        let header = Arc::new(StoreHeader::read(dir)?);
        let schema = schema(&header);
        let mut list = ChunkList::read(dir)?;
        for _ in 1..ATTEMPTS {
            let opened = open_chunks(dir, &list, &header, &schema, missing);
            // Another run may have replaced a chunk between two looks.
            let again = ChunkList::read(dir)?;
            if opened.is_ok() || again == list {
                return Ok(Self::of_chunks(dir, header, opened?));
            }
            list = again;
        }
        let chunks = open_chunks(dir, &list, &header, &schema, missing)?;
        Ok(Self::of_chunks(dir, header, chunks))
    }

    fn of_chunks(dir: &Path, header: Arc<StoreHeader>, chunks: Vec<Chunk>) -> Self {
        let mut rows: Vec<(u32, u32)> = Vec::new();
        let mut places: HashMap<(&str, &[u8]), usize> = HashMap::new();
        for (number, chunk) in (0..).zip(&chunks) {
            for (at, row) in (0..).zip(chunk.rows()) {
                let place = *places.entry((row.set(), row.key())).or_insert(rows.len());
                match rows.get_mut(place) {
                    Some(superseded) => *superseded = (number, at),
                    None => rows.push((number, at)),
                }
            }
        }
        drop(places);
        Self { dir: dir.to_owned(), header, chunks, rows }
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
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The chunks, with rows that no longer count.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// A row by its number; `None` past the end.
    pub fn row(&self, index: usize) -> Option<Row<'_>> {
        self.rows.get(index).map(|&place| self.row_at(place))
    }

    fn row_at(&self, (chunk, row): (u32, u32)) -> Row<'_> {
        self.chunks[chunk as usize].row_at(row as usize)
    }

    /// The rows in order.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|&place| self.row_at(place))
    }

    /// The rows in order, for rayon.
    pub fn par_rows(&self) -> impl IndexedParallelIterator<Item = Row<'_>> {
        self.rows.par_iter().map(|&place| self.row_at(place))
    }

    /// For each image of a data set, the number of its row in the set `set`; `None` where it was
    /// not extracted yet.
    pub fn rows_of(&self, dataset: &Dataset, set: &str) -> Vec<Option<usize>> {
        let of_set = (0..).zip(self.rows()).filter(|(_, row)| row.set() == set);
        let by_path: HashMap<&[u8], usize> = of_set.map(|(at, row)| (row.key(), at)).collect();
        let find =
            |path: &Path| by_path.get(stored_path(path).as_os_str().as_encoded_bytes()).copied();
        dataset.items.iter().map(|item| find(&item.path)).collect()
    }

    /// Refuses a bundle whose tagger would make other rows: other weights, shapes, preprocessing or
    /// thresholds. Its classes may differ: the rows hold nothing of them.
    ///
    /// # Errors
    /// If it would, or the bundle's weights cannot be read.
    pub fn check_bundle(&self, bundle: &Bundle) -> Result<(), StoreError> {
        self.check_header(&StoreHeader::of_bundle(bundle)?)
    }

    /// As [`Store::check_bundle`], by the header of the bundle's stores. How images are turned is the
    /// store's own to say.
    ///
    /// # Errors
    /// If the bundle would make other rows.
    pub fn check_header(&self, header: &StoreHeader) -> Result<(), StoreError> {
        let given = StoreHeader { upright: self.header.upright, ..header.clone() };
        self.header.check(&given, &self.dir)
    }
}

/// Opens the chunks of a list, and refuses others beside them.
fn open_chunks(
    dir: &Path,
    list: &ChunkList,
    header: &Arc<StoreHeader>,
    schema: &SchemaRef,
    missing: &(dyn Fn(PathBuf) -> Result<(), StoreError> + Sync),
) -> Result<Vec<Chunk>, StoreError> {
    let open = |entry: &ChunkEntry| -> Result<Option<Chunk>, StoreError> {
        let path = dir.join(&entry.name);
        if !path.exists() {
            return match entry.may_be_missing() {
                true => Ok(None),
                false => missing(path).map(|()| None),
            };
        }
        let chunk = Chunk::open(&path, header, schema)?;
        let digest = chunk.digest();
        if entry.is_of(&digest) {
            return Ok(Some(chunk));
        }
        let reason = match list.chunks.iter().find(|other| other.digest == digest) {
            Some(other) => format!("it is a copy of {}", other.name),
            None => "it is another one than was written here".into(),
        };
        Err(StoreError::chunk(&path, reason))
    };
    let chunks: Vec<Option<Chunk>> = list.chunks.par_iter().map(open).collect::<Result<_, _>>()?;
    let io = || StoreError::io("cannot list the store", dir);
    for entry in std::fs::read_dir(dir).map_err(io())? {
        let name = entry.map_err(io())?.file_name();
        let Some(name) = name.to_str().filter(|name| is_chunk_name(name)) else { continue };
        if !list.chunks.iter().any(|chunk| chunk.name == name) {
            return Err(StoreError::UnknownChunk(dir.join(name)));
        }
    }
    Ok(chunks.into_iter().flatten().collect())
}
