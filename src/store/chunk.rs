//! One Arrow file of a store: mapped, decoded without a copy, read row by row, held against its hashes.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{
    Array, ArrowPrimitiveType, AsArray, FixedSizeListArray, ListArray, PrimitiveArray,
};
use arrow::buffer::Buffer;
use arrow::datatypes::{Float16Type, Float32Type, SchemaRef, UInt32Type};
use arrow::error::ArrowError;
use arrow::ipc::convert::try_fb_to_schema;
use arrow::ipc::reader::{FileDecoder, read_footer_length};
use arrow::ipc::{Block, root_as_footer, root_as_message};
use arrow::record_batch::RecordBatch;
use memmap2::Mmap;

use super::columns::Columns;
use super::content::Stamp;
use super::record::path_from_bytes;
use super::{Record, StoreError, StoreHeader, TensorsRef, digest};
use crate::fs;
use crate::pipeline::TaggerOutput;

/// A chunk of a store: mapped, or unpacked in memory where another program has compressed it.
#[derive(Debug)]
pub struct Chunk {
    header: Arc<StoreHeader>,
    path: PathBuf,
    columns: Columns,
    /// Whether a row's tensors were held against their hash.
    checked: Box<[AtomicBool]>,
}

impl Chunk {
    /// Maps a chunk and checks that it is whole, but for its tensors, and has the store's schema.
    pub(super) fn open(
        path: &Path,
        header: &Arc<StoreHeader>,
        schema: &SchemaRef,
    ) -> Result<Self, StoreError> {
        let io = || StoreError::io("cannot read the store", path);
        let file = fs::open(path).map_err(io())?;
        if file.metadata().map_err(io())?.len() == 0 {
            return Err(StoreError::chunk(path, "the file is empty"));
        }
        let buffer = map_file(&file).map_err(io())?;
        // Arrow asserts some of what a damaged file may break.
        let columns = catch_unwind(AssertUnwindSafe(|| {
            let batch = decode(&buffer, schema, header).map_err(|error| plain(&error))?;
            let columns = Columns::of_batch(&batch, header)
                .ok_or_else(|| "its rows do not fit the store's shapes".to_owned())?;
            match columns.damaged_row() {
                Some(row) => Err(format!("row {row} is not what was written")),
                None => Ok(columns),
            }
        }));
        let columns = columns.unwrap_or_else(|_| Err("its structure makes no sense".into()));
        let columns = columns.map_err(|reason| StoreError::chunk(path, reason))?;
        let checked = (0..columns.path.len()).map(|_| AtomicBool::new(false)).collect();
        Ok(Self { header: header.clone(), path: path.to_owned(), columns, checked })
    }

    /// The hash of its rows' hashes.
    pub(super) fn digest(&self) -> String {
        self.columns.chunk_digest()
    }

    /// Holds a row's tensors against their hash, the first time that they are used.
    fn check_tensors(&self, row: usize) -> Result<(), StoreError> {
        if self.checked[row].load(Ordering::Relaxed) {
            return Ok(());
        }
        let found = digest::of_tensors(&self.columns, row);
        let expected = self.columns.tensors_digest.value(row);
        if found.is_none_or(|found| found.as_bytes() != expected) {
            let image = self.row_at(row).shown_path();
            let reason = format!("the tensors of {image} are not what was written");
            return Err(StoreError::chunk(&self.path, reason));
        }
        self.checked[row].store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Rows in the chunk.
    pub fn len(&self) -> usize {
        self.columns.path.len()
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A row; `None` past the end.
    pub fn row(&self, index: usize) -> Option<Row<'_>> {
        (index < self.len()).then_some(self.row_at(index))
    }

    pub(super) fn row_at(&self, index: usize) -> Row<'_> {
        Row { chunk: self, index }
    }

    /// The rows in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = Row<'_>> {
        (0..self.len()).map(|index| self.row_at(index))
    }
}

/// A row where it lies; nothing is copied until it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    chunk: &'a Chunk,
    index: usize,
}

impl<'a> Row<'a> {
    /// Where the image is, for people: bytes that are no UTF-8 as `\\xE9`.
    pub fn shown_path(&self) -> &'a str {
        self.chunk.columns.path.value(self.index)
    }

    /// Where the image is.
    pub fn path(&self) -> PathBuf {
        path_from_bytes(self.key(), self.shown_path())
    }

    /// The bytes of the path, by which an image is known within its set.
    pub(super) fn key(&self) -> &'a [u8] {
        let columns = &self.chunk.columns;
        match columns.path_bytes.is_valid(self.index) {
            true => columns.path_bytes.value(self.index),
            false => columns.path.value(self.index).as_bytes(),
        }
    }

    /// Hash of the file's bytes; `None` if they could not be read.
    pub fn hash(&self) -> Option<u64> {
        let hash = &self.chunk.columns.hash;
        hash.is_valid(self.index).then(|| hash.value(self.index))
    }

    /// Size and time of the file when it was read.
    pub fn stamp(&self) -> Option<Stamp> {
        let (size, modified) = (&self.chunk.columns.size, &self.chunk.columns.modified);
        let known = size.is_valid(self.index) && modified.is_valid(self.index);
        known.then(|| Stamp {
            size: size.value(self.index),
            modified_ns: modified.value(self.index),
        })
    }

    /// The set's name.
    pub fn set(&self) -> &'a str {
        self.chunk.columns.set.value(self.index)
    }

    /// The class's name; `None` in a set without labels.
    pub fn class(&self) -> Option<&'a str> {
        let class = &self.chunk.columns.class;
        class.is_valid(self.index).then(|| class.value(self.index))
    }

    /// Width and height of the image in pixels; zeros if it failed.
    pub fn size(&self) -> (u32, u32) {
        let columns = &self.chunk.columns;
        (columns.width.value(self.index), columns.height.value(self.index))
    }

    /// Why the image failed; `None` if it did not.
    pub fn error(&self) -> Option<&'a str> {
        let error = &self.chunk.columns.error;
        error.is_valid(self.index).then(|| error.value(self.index))
    }

    /// The tensors, as they lie in the mapped file; `None` if the image failed.
    ///
    /// # Errors
    /// If they are not what was written: they are held against their hash the first time.
    pub fn tensors(&self) -> Result<Option<TensorsRef<'a>>, StoreError> {
        let (chunk, index) = (self.chunk, self.index);
        if chunk.columns.error.is_valid(index) {
            return Ok(None);
        }
        chunk.check_tensors(index)?;
        let columns = &chunk.columns;
        let tensors = || {
            Some(TensorsRef {
                logits: fixed::<Float32Type>(&columns.logits, index)?,
                tokens: fixed::<Float16Type>(&columns.tokens, index)?,
                tags: list::<UInt32Type>(&columns.tags, index)?,
                attention: list::<Float32Type>(&columns.attention, index)?,
            })
        };
        let damaged = || StoreError::chunk(&chunk.path, "its rows do not fit the store's shapes");
        tensors().ok_or_else(damaged).map(Some)
    }

    /// What the pipeline works on; `None` if the image failed.
    ///
    /// # Errors
    /// As [`Row::tensors`].
    pub fn tagged(&self) -> Result<Option<TaggerOutput>, StoreError> {
        Ok(self.tensors()?.map(|tensors| tensors.to_tagged(&self.chunk.header)))
    }

    /// A copy that outlives the store.
    ///
    /// # Errors
    /// As [`Row::tensors`].
    pub fn to_record(&self) -> Result<Record, StoreError> {
        let (width, height) = self.size();
        Ok(Record {
            path: self.path(),
            hash: self.hash(),
            stamp: self.stamp(),
            set: self.set().to_owned(),
            class: self.class().map(str::to_owned),
            width,
            height,
            outcome: match self.tensors()? {
                Some(tensors) => Ok(tensors.to_owned()),
                None => Err(self.error().unwrap_or_default().to_owned()),
            },
        })
    }
}

fn fixed<T: ArrowPrimitiveType>(lists: &FixedSizeListArray, row: usize) -> Option<&[T::Native]> {
    let values: &PrimitiveArray<T> = lists.values().as_primitive_opt()?;
    let (from, size) = (lists.value_offset_at(row), lists.value_length() as usize);
    values.values().get(from..from + size)
}

fn list<T: ArrowPrimitiveType>(lists: &ListArray, row: usize) -> Option<&[T::Native]> {
    let values: &PrimitiveArray<T> = lists.values().as_primitive_opt()?;
    let offsets = lists.value_offsets();
    values.values().get(offsets[row] as usize..offsets[row + 1] as usize)
}

/// A mapped file as an Arrow buffer, which keeps the mapping alive.
#[allow(unsafe_code)]
fn map_file(file: &File) -> std::io::Result<Buffer> {
    // SAFETY: the map is read only, and a store's files are never changed in place, only replaced by
    // renaming. Should another program shorten one while it is mapped, reads past its new end fault.
    let map = Arc::new(unsafe { Mmap::map(file) }?);
    let (start, length) = (NonNull::from(&map[..]).cast::<u8>(), map.len());
    // SAFETY: `start` is valid for `length` bytes for as long as the map lives, and the buffer owns
    // the map.
    Ok(unsafe { Buffer::from_custom_allocation(start, length, map) })
}

/// The one record batch of an Arrow file, over the file's own bytes; unpacked where it is compressed.
fn decode(
    file: &Buffer,
    schema: &SchemaRef,
    header: &StoreHeader,
) -> Result<RecordBatch, ArrowError> {
    let cut = || ArrowError::ParseError("the file is cut short".into());
    let (rest, trailer) = file.split_last_chunk::<10>().ok_or_else(cut)?;
    let footer_start = rest.len().checked_sub(read_footer_length(*trailer)?).ok_or_else(cut)?;
    let footer = root_as_footer(&rest[footer_start..])
        .map_err(|error| ArrowError::ParseError(error.to_string()))?;
    let stored = try_fb_to_schema(footer.schema().ok_or_else(cut)?)?;
    if stored.fields() != schema.fields() {
        return Err(ArrowError::SchemaError("its columns are not those of the store".into()));
    }
    let block = match footer.recordBatches() {
        Some(blocks) if blocks.len() == 1 => *blocks.get(0),
        _ => return Err(ArrowError::ParseError("it has not exactly one record batch".into())),
    };
    let start = usize::try_from(block.offset()).map_err(|_| cut())?;
    let length = i64::from(block.metaDataLength()).checked_add(block.bodyLength());
    let length = length.and_then(|length| usize::try_from(length).ok()).ok_or_else(cut)?;
    if start.checked_add(length).is_none_or(|end| end > footer_start) {
        return Err(cut());
    }
    let data = file.slice_with_length(start, length);
    check_sizes(&data, &block, header)?;
    FileDecoder::new(schema.clone(), footer.version())
        .read_record_batch(&block, &data)?
        .ok_or_else(cut)
}

/// Bounds what a batch may be unpacked to by the store's shapes, before memory is asked for.
fn check_sizes(data: &Buffer, block: &Block, header: &StoreHeader) -> Result<(), ArrowError> {
    let bad = |reason: &str| ArrowError::ParseError(reason.into());
    let cut = || bad("the file is cut short");
    let metadata = usize::try_from(block.metaDataLength()).map_err(|_| cut())?;
    let (message, body) = data.as_slice().split_at_checked(metadata).ok_or_else(cut)?;
    // The length stands before the message, and before that, in all but old files, a marker.
    let prefix = if message.starts_with(&[0xff; 4]) { 8 } else { 4 };
    let message = message.get(prefix..).ok_or_else(cut)?;
    let message = root_as_message(message).map_err(|e| bad(&e.to_string()))?;
    let batch = message.header_as_record_batch().ok_or_else(|| bad("it holds no rows"))?;
    let rows =
        usize::try_from(batch.length()).map_err(|_| bad("its number of rows is negative"))?;
    if rows > header.rows_per_chunk {
        return Err(bad("it has more rows than a chunk of this store"));
    }
    if batch.compression().is_none() {
        return Ok(());
    }
    let largest = rows.saturating_mul(header.largest_row()).saturating_add(1 << 20);
    let mut total = 0usize;
    for buffer in batch.buffers().iter().flatten() {
        let at = usize::try_from(buffer.offset()).map_err(|_| cut())?;
        if buffer.length() == 0 {
            continue;
        }
        let prefix = body.get(at..).and_then(|bytes| bytes.first_chunk::<8>()).ok_or_else(cut)?;
        // −1: not compressed after all.
        let size = match i64::from_le_bytes(*prefix) {
            -1 => buffer.length(),
            size => size,
        };
        total = total.saturating_add(usize::try_from(size).map_err(|_| cut())?);
        if total > largest {
            return Err(bad("it unpacks to more than rows of this store can have"));
        }
    }
    Ok(())
}

/// An Arrow error without its kind, which says nothing to people, and without the trace below it.
fn plain(error: &ArrowError) -> String {
    let text = error.to_string();
    let reason = text.split_once(": ").map_or(text.as_str(), |(_, reason)| reason);
    reason.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}
