//! Writing a store, from the beginning or from where it stood.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use arrow::error::ArrowError;
use arrow::ipc::writer::FileWriter;

use super::header::HEADER;
use super::reader::{Store, chunk_name};
use super::schema::{batch_from_records, check_shapes, schema};
use super::{Record, StoreError, StoreHeader};
use crate::fs::{self, WholeFile};

/// Held while a run writes; the system lets go of it when the process ends, however it ends.
const LOCK: &str = ".lock";

/// Adds rows to a store. Rows are on the disk once their chunk is full, or after
/// [`StoreWriter::finish`].
#[derive(Debug)]
pub struct StoreWriter {
    dir: PathBuf,
    header: StoreHeader,
    /// The chunk that `pending` will become.
    chunk: usize,
    pending: Vec<Record>,
    /// How many of `pending` are on the disk already.
    written: usize,
    /// The images that have a row, by set and path.
    known: HashMap<String, HashMap<String, Known>>,
    _lock: File,
}

/// What is known of an image that has a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Hash of its file's bytes at the time; `None` if they could not be read.
    pub hash: Option<u64>,
    /// Whether its row is an error.
    pub failed: bool,
}

impl StoreWriter {
    /// Makes a store in a new or empty folder, or goes on with the one that is there. Its own
    /// `rows_per_chunk` then counts, and a last chunk that is not full is filled up.
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
        let store = Store::open(dir)?;
        store.header().check(header, dir)?;
        let mut known: HashMap<String, HashMap<String, Known>> = HashMap::new();
        for row in store.rows() {
            let set = known.entry(row.set().to_owned()).or_default();
            let image = Known { hash: row.hash(), failed: row.error().is_some() };
            set.insert(row.path().to_owned(), image);
        }
        let header = store.header().clone();
        let last = store.chunks().last().filter(|chunk| chunk.len() < header.rows_per_chunk);
        let pending: Vec<Record> =
            last.map(|chunk| chunk.rows().map(|row| row.to_record()).collect()).unwrap_or_default();
        Ok(Self {
            dir: dir.to_owned(),
            chunk: store.chunks().len() - usize::from(last.is_some()),
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
    pub fn known(&self, set: &str, path: &str) -> Option<Known> {
        self.known.get(set)?.get(path).copied()
    }

    /// Adds a row.
    ///
    /// # Errors
    /// If its shapes are not the store's, or a full chunk cannot be written; no part of it is then
    /// left behind.
    pub fn push(&mut self, record: Record) -> Result<(), StoreError> {
        check_shapes(&record, &self.header)?;
        let set = self.known.entry(record.set.clone()).or_default();
        let image = Known { hash: record.hash, failed: record.outcome.is_err() };
        set.insert(record.path.clone(), image);
        self.pending.push(record);
        if self.pending.len() >= self.header.rows_per_chunk {
            self.flush()?;
            self.pending.clear();
            self.written = 0;
            self.chunk += 1;
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
        let (header, records) = (&self.header, &self.pending);
        write_whole(&self.dir.join(chunk_name(self.chunk)), |file| {
            let batch = batch_from_records(records, header)?;
            let mut writer = FileWriter::try_new(file, &schema(header))?;
            writer.write(&batch)?;
            writer.finish()
        })?;
        self.written = self.pending.len();
        Ok(())
    }

    /// Brings all rows to the disk and lets go of the store.
    ///
    /// # Errors
    /// As [`StoreWriter::flush`].
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.flush()
    }
}

/// Whether a folder without a header holds anything but what a killed run leaves.
fn has_foreign_files(dir: &Path) -> Result<bool, StoreError> {
    let io = || StoreError::io("cannot list the folder", dir);
    for entry in std::fs::read_dir(dir).map_err(io())? {
        let name = entry.map_err(io())?.file_name();
        if name != LOCK && !fs::is_temporary(&name) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join(LOCK);
    let io = || StoreError::io("cannot write to the store", &path);
    let file = File::create(&path).map_err(io())?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Busy(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(io()(error)),
    }
}

/// Writes a file whole, or not at all.
fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut WholeFile) -> Result<(), ArrowError>,
) -> Result<(), StoreError> {
    let attempt = || -> Result<(), ArrowError> {
        let mut file = WholeFile::create(path)?;
        write(&mut file)?;
        Ok(file.commit()?)
    };
    attempt().map_err(|error| {
        let source = match error {
            ArrowError::IoError(_, source) => source,
            other => std::io::Error::other(other),
        };
        StoreError::io("cannot write the store", path)(source)
    })
}
