//! One Arrow file of a store: mapped, decoded without a copy, read row by row.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Arc;

use arrow::array::{
    Array, AsArray, FixedSizeListArray, ListArray, PrimitiveArray, RecordBatch, StringArray,
    UInt32Array, UInt64Array,
};
use arrow::buffer::Buffer;
use arrow::datatypes::{ArrowPrimitiveType, Float16Type, Float32Type, SchemaRef, UInt32Type};
use arrow::error::ArrowError;
use arrow::ipc::convert::try_fb_to_schema;
use arrow::ipc::reader::{FileDecoder, read_footer_length};
use arrow::ipc::root_as_footer;
use memmap2::Mmap;

use super::{Record, StoreError, StoreHeader, TensorsRef};
use crate::pipeline::TaggerOutput;

/// A mapped chunk of a store.
#[derive(Debug)]
pub struct Chunk {
    header: Arc<StoreHeader>,
    path: PathBuf,
    path_column: StringArray,
    hash: UInt64Array,
    set: StringArray,
    class: StringArray,
    width: UInt32Array,
    height: UInt32Array,
    error: StringArray,
    logits: FixedSizeListArray,
    tokens: FixedSizeListArray,
    tags: ListArray,
    attention: ListArray,
}

impl Chunk {
    /// Maps a chunk and checks that it is whole and has the store's schema.
    pub(super) fn open(
        path: &Path,
        header: &Arc<StoreHeader>,
        schema: &SchemaRef,
    ) -> Result<Self, StoreError> {
        let io = || StoreError::io("cannot read the store", path);
        let file = File::open(path).map_err(io())?;
        if file.metadata().map_err(io())?.len() == 0 {
            return Err(StoreError::chunk(path, "the file is empty"));
        }
        let buffer = map_file(&file).map_err(io())?;
        // Arrow asserts some of what a damaged file may break.
        let chunk = catch_unwind(AssertUnwindSafe(|| {
            let batch = decode(&buffer, schema).map_err(|error| plain(&error))?;
            Self::of_batch(path, header, &batch)
                .ok_or_else(|| "its rows do not fit the store's shapes".to_owned())
        }));
        let chunk = chunk.unwrap_or_else(|_| Err("its structure makes no sense".into()));
        chunk.map_err(|reason| StoreError::chunk(path, reason))
    }

    fn of_batch(path: &Path, header: &Arc<StoreHeader>, batch: &RecordBatch) -> Option<Self> {
        let text = |index: usize| batch.column(index).as_string_opt::<i32>().cloned();
        let chunk = Self {
            header: header.clone(),
            path: path.to_owned(),
            path_column: text(0)?,
            hash: batch.column(1).as_primitive_opt()?.clone(),
            set: text(2)?,
            class: text(3)?,
            width: batch.column(4).as_primitive_opt()?.clone(),
            height: batch.column(5).as_primitive_opt()?.clone(),
            error: text(6)?,
            logits: batch.column(7).as_fixed_size_list_opt()?.clone(),
            tokens: batch.column(8).as_fixed_size_list_opt()?.clone(),
            tags: batch.column(9).as_list_opt()?.clone(),
            attention: batch.column(10).as_list_opt()?.clone(),
        };
        let per_tag = header.layers * header.positions;
        let fits = |row: usize| {
            let whole = !chunk.error.is_valid(row);
            let (tags, attention) =
                (chunk.tags.value_length(row), chunk.attention.value_length(row));
            chunk.logits.is_valid(row) == whole
                && chunk.tokens.is_valid(row) == whole
                && tags as usize * per_tag == attention as usize
        };
        (0..chunk.len()).all(fits).then_some(chunk)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Rows in the chunk.
    pub fn len(&self) -> usize {
        self.path_column.len()
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
    /// Where the image is.
    pub fn path(&self) -> &'a str {
        self.chunk.path_column.value(self.index)
    }

    /// Hash of the file's bytes; `None` if they could not be read.
    pub fn hash(&self) -> Option<u64> {
        self.chunk.hash.is_valid(self.index).then(|| self.chunk.hash.value(self.index))
    }

    /// The set's name.
    pub fn set(&self) -> &'a str {
        self.chunk.set.value(self.index)
    }

    /// The class's name; `None` in a set without labels.
    pub fn class(&self) -> Option<&'a str> {
        self.chunk.class.is_valid(self.index).then(|| self.chunk.class.value(self.index))
    }

    /// Width and height of the image in pixels; zeros if it failed.
    pub fn size(&self) -> (u32, u32) {
        (self.chunk.width.value(self.index), self.chunk.height.value(self.index))
    }

    /// Why the image failed; `None` if it did not.
    pub fn error(&self) -> Option<&'a str> {
        self.chunk.error.is_valid(self.index).then(|| self.chunk.error.value(self.index))
    }

    /// The tensors, as they lie in the mapped file; `None` if the image failed.
    pub fn tensors(&self) -> Option<TensorsRef<'a>> {
        let (chunk, index) = (self.chunk, self.index);
        if chunk.error.is_valid(index) {
            return None;
        }
        Some(TensorsRef {
            logits: fixed::<Float32Type>(&chunk.logits, index)?,
            tokens: fixed::<Float16Type>(&chunk.tokens, index)?,
            tags: list::<UInt32Type>(&chunk.tags, index)?,
            attention: list::<Float32Type>(&chunk.attention, index)?,
        })
    }

    /// What the pipeline works on; `None` if the image failed.
    pub fn tagged(&self) -> Option<TaggerOutput> {
        self.tensors().map(|tensors| tensors.to_tagged(&self.chunk.header))
    }

    /// A copy that outlives the store.
    pub fn to_record(&self) -> Record {
        let (width, height) = self.size();
        Record {
            path: self.path().to_owned(),
            hash: self.hash(),
            set: self.set().to_owned(),
            class: self.class().map(str::to_owned),
            width,
            height,
            outcome: match self.tensors() {
                Some(tensors) => Ok(tensors.to_owned()),
                None => Err(self.error().unwrap_or_default().to_owned()),
            },
        }
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

/// The one record batch of an Arrow file, over the file's own bytes.
fn decode(file: &Buffer, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
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
    FileDecoder::new(schema.clone(), footer.version())
        .with_require_alignment(true)
        .read_record_batch(&block, &data)?
        .ok_or_else(cut)
}

/// An Arrow error without its kind, which says nothing to people.
fn plain(error: &ArrowError) -> String {
    let text = error.to_string();
    match text.split_once(": ") {
        Some((_, reason)) => reason.to_owned(),
        None => text,
    }
}
