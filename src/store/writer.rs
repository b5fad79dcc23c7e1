//! Writing a store, from the beginning or from where it stood.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;

use super::columns::Columns;
use super::header::HEADER;
use super::manifest::{ChunkEntry, ChunkList, chunk_index, chunk_name};
use super::reader::Store;
use super::record::stored_path;
use super::schema::{batch_from_records, check_shapes, schema};
use super::{Record, Row, Stamp, StoreError, StoreHeader};
use crate::fs::{self, WholeFile};

/// Adds rows to a store. Rows are on the disk once their chunk is full, or after
/// [`StoreWriter::finish`].
#[derive(Debug)]
pub struct StoreWriter {
    dir: PathBuf,
    header: StoreHeader,
    /// The chunks on the disk.
    list: ChunkList,
    /// The number of the chunk that `pending` will become.
    chunk: usize,
    pending: Vec<Record>,
    /// How many of `pending` are on the disk already.
    written: usize,
    /// The images that have a row, by set and the bytes of their paths.
    known: HashMap<String, HashMap<Vec<u8>, Known>>,
    _lock: File,
}

/// What is known of an image that has a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Hash of its file's bytes at the time; `None` if they could not be read.
    pub hash: Option<u64>,
    /// Size and time of its file at the time.
    pub stamp: Option<Stamp>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

impl Known {
    /// What a row says.
    pub(super) fn of(row: &Row) -> Self {
        let error = row.error().map(str::to_owned);
        Self { hash: row.hash(), stamp: row.stamp(), error }
    }
}

impl StoreWriter {
    /// Makes a store in a new or empty folder, or goes on with the one that is there. Its own
    /// `rows_per_chunk` then counts, and a last chunk that is not full is filled up. Rows of a chunk
    /// that is missing are no longer known, so that they can be added again.
    ///
    /// # Errors
    /// If the folder holds something else, another run writes to it, its store is damaged or was
    /// made by another tagger, or it cannot be written.
    pub fn create_or_resume(dir: &Path, header: &StoreHeader) -> Result<Self, StoreError> {
        std::fs::create_dir_all(dir)
            .map_err(StoreError::io("cannot make the store's folder", dir))?;
        let exists = dir.join(HEADER).exists();
        if !exists && has_foreign_files(dir)? {
            return Err(StoreError::Foreign(dir.to_owned()));
        }
        let lock = lock(dir)?;
        if !exists {
            let text = toml::to_string(header).map_err(|error| StoreError::Header {
                reason: error.to_string(),
                path: dir.join(HEADER),
            })?;
            let path = dir.join(HEADER);
            fs::write(&path, text).map_err(StoreError::io("cannot write the store", &path))?;
        }
        let store = Store::open_as(dir, &|path| {
            log::warn!("a chunk is missing; its images are extracted anew: {}", path.display());
            Ok(())
        })?;
        store.header().check(header, dir)?;
        let mut known: HashMap<String, HashMap<Vec<u8>, Known>> = HashMap::new();
        for row in store.rows() {
            let set = known.entry(row.set().to_owned()).or_default();
            set.insert(row.key().to_vec(), Known::of(&row));
        }
        let header = store.header().clone();
        let entry = |chunk: &super::Chunk| ChunkEntry {
            name: chunk.path().file_name().unwrap_or_default().to_string_lossy().into_owned(),
            rows: chunk.len(),
            digest: chunk.digest(),
            before: None,
        };
        let mut list = ChunkList { chunks: store.chunks().iter().map(entry).collect() };
        let last = store.chunks().last().filter(|chunk| chunk.len() < header.rows_per_chunk);
        let pending: Vec<Record> = match last {
            Some(chunk) => chunk.rows().map(|row| row.to_record()).collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        let last = last.and_then(|_| chunk_index(&list.chunks.last()?.name));
        let next = list.chunks.iter().filter_map(|chunk| chunk_index(&chunk.name)).max();
        let next = next.map_or(0, |index| index + 1);
        list.chunks.iter_mut().for_each(|chunk| chunk.before = None);
        Ok(Self {
            dir: dir.to_owned(),
            list,
            chunk: last.unwrap_or(next),
            written: pending.len(),
            header,
            pending,
            known,
            _lock: lock,
        })
    }

    /// The store's header.
    pub fn header(&self) -> &StoreHeader {
        &self.header
    }

    /// What is known of an image; `None` if it has no row yet.
    pub fn known(&self, set: &str, path: &Path) -> Option<&Known> {
        self.known.get(set)?.get(stored_path(path).as_os_str().as_encoded_bytes())
    }

    /// Adds a row, in place of the one that the image has, if it has one.
    ///
    /// # Errors
    /// If its shapes are not the store's, a number is not finite, or a full chunk cannot be written; no
    /// part of it is then left behind.
    pub fn push(&mut self, record: Record) -> Result<(), StoreError> {
        check_shapes(&record, &self.header)?;
        let set = self.known.entry(record.set.clone()).or_default();
        let (hash, stamp) = (record.hash, record.stamp);
        let image = Known { hash, stamp, error: record.outcome.as_ref().err().cloned() };
        set.insert(record.path.as_os_str().as_encoded_bytes().to_vec(), image);
        self.pending.push(record);
        if self.pending.len() >= self.header.rows_per_chunk {
            self.flush()?;
            self.pending.clear();
            self.written = 0;
            let used = self.list.chunks.iter().filter_map(|chunk| chunk_index(&chunk.name));
            self.chunk = used.max().map_or(0, |index| index + 1);
        }
        Ok(())
    }

    /// Brings all rows to the disk; the last chunk may stay short, and later rows fill it up.
    ///
    /// # Errors
    /// If the chunk cannot be written; no part of it is then left behind.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        if self.pending.len() == self.written {
            return Ok(());
        }
        let path = self.dir.join(chunk_name(self.chunk));
        let write = || -> Result<(WholeFile, String), ArrowError> {
            let batch = batch_from_records(&self.pending, &self.header)?;
            let misshapen = || ArrowError::SchemaError("the rows do not fit".into());
            let columns = Columns::of_batch(&batch, &self.header).ok_or_else(misshapen)?;
            let mut file = WholeFile::create(&path)?;
            let mut writer = FileWriter::try_new(&mut file, &schema(&self.header))?;
            writer.write(&batch)?;
            writer.finish()?;
            drop(writer);
            Ok((file, columns.chunk_digest()))
        };
        let (file, digest) = write().map_err(|error| failed(&path, error))?;
        let list = self.list_with(digest);
        list.write(&self.dir)?;
        file.commit().map_err(|error| failed(&path, error.into()))?;
        (self.list, self.written) = (list, self.pending.len());
        Ok(())
    }

    /// The list with the chunk that `pending` becomes, and with what that was before.
    fn list_with(&self, digest: String) -> ChunkList {
        let (name, rows) = (chunk_name(self.chunk), self.pending.len());
        let mut list = self.list.clone();
        list.chunks.iter_mut().for_each(|chunk| chunk.before = None);
        match list.chunks.iter_mut().find(|chunk| chunk.name == name) {
            Some(chunk) => {
                chunk.before = Some(std::mem::replace(&mut chunk.digest, digest));
                chunk.rows = rows;
            }
            None => list.chunks.push(ChunkEntry { name, rows, digest, before: Some("".into()) }),
        }
        list
    }

    /// Brings all rows to the disk and lets go of the store.
    ///
    /// # Errors
    /// As [`StoreWriter::flush`].
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.flush()?;
        self.list.chunks.iter_mut().for_each(|chunk| chunk.before = None);
        match ChunkList::read(&self.dir)? == self.list {
            true => Ok(()),
            false => self.list.write(&self.dir),
        }
    }
}

fn failed(path: &Path, error: ArrowError) -> StoreError {
    let source = match error {
        ArrowError::IoError(_, source) => source,
        other => std::io::Error::other(other),
    };
    StoreError::io("cannot write the store", path)(source)
}

/// Whether a folder without a header holds anything but what a killed run leaves.
fn has_foreign_files(dir: &Path) -> Result<bool, StoreError> {
    let io = || StoreError::io("cannot list the folder", dir);
    for entry in std::fs::read_dir(dir).map_err(io())? {
        let name = entry.map_err(io())?.file_name();
        if name != fs::FOLDER_LOCK && !fs::is_temporary(&name) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn lock(dir: &Path) -> Result<File, StoreError> {
    let lock = fs::lock_folder(dir).map_err(StoreError::io("cannot write to the store", dir))?;
    lock.ok_or_else(|| StoreError::Busy(dir.to_owned()))
}
