//! The columns of a chunk, by their types.

use arrow::array::{
    Array, AsArray, BinaryArray, FixedSizeBinaryArray, FixedSizeListArray, Int64Array, ListArray,
    RecordBatch, StringArray, UInt32Array, UInt64Array,
};

use super::{StoreHeader, digest};

/// A chunk's columns, in the order of the schema.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub path: StringArray,
    pub path_bytes: BinaryArray,
    pub hash: UInt64Array,
    pub size: UInt64Array,
    pub modified: Int64Array,
    pub set: StringArray,
    pub class: StringArray,
    pub width: UInt32Array,
    pub height: UInt32Array,
    pub error: StringArray,
    pub logits: FixedSizeListArray,
    pub tokens: FixedSizeListArray,
    pub tags: ListArray,
    pub attention: ListArray,
    pub tensors_digest: FixedSizeBinaryArray,
    pub digest: FixedSizeBinaryArray,
}

impl Columns {
    /// The columns of a batch of the store's schema; `None` if its rows do not fit the store's shapes.
    pub(super) fn of_batch(batch: &RecordBatch, header: &StoreHeader) -> Option<Self> {
        let text = |index: usize| batch.column(index).as_string_opt::<i32>().cloned();
        let hashes = |index: usize| batch.column(index).as_fixed_size_binary_opt().cloned();
        let columns = Self {
            path: text(0)?,
            path_bytes: batch.column(1).as_binary_opt()?.clone(),
            hash: batch.column(2).as_primitive_opt()?.clone(),
            size: batch.column(3).as_primitive_opt()?.clone(),
            modified: batch.column(4).as_primitive_opt()?.clone(),
            set: text(5)?,
            class: text(6)?,
            width: batch.column(7).as_primitive_opt()?.clone(),
            height: batch.column(8).as_primitive_opt()?.clone(),
            error: text(9)?,
            logits: batch.column(10).as_fixed_size_list_opt()?.clone(),
            tokens: batch.column(11).as_fixed_size_list_opt()?.clone(),
            tags: batch.column(12).as_list_opt()?.clone(),
            attention: batch.column(13).as_list_opt()?.clone(),
            tensors_digest: hashes(14)?,
            digest: hashes(15)?,
        };
        let per_tag = header.layers * header.positions;
        let fits = |row: usize| {
            let whole = columns.error.is_null(row);
            let (tags, attention) =
                (columns.tags.value_length(row), columns.attention.value_length(row));
            columns.logits.is_valid(row) == whole
                && columns.tokens.is_valid(row) == whole
                && (tags as usize).checked_mul(per_tag) == Some(attention as usize)
        };
        (0..columns.path.len()).all(fits).then_some(columns)
    }

    /// The first row whose hash does not fit what it says beside its tensors.
    pub(super) fn damaged_row(&self) -> Option<usize> {
        let fits = |row: usize| {
            let found = digest::of_row(self, row, self.tensors_digest.value(row));
            found.as_bytes() == self.digest.value(row)
        };
        (0..self.path.len()).find(|&row| !fits(row))
    }

    /// The hash of the rows' hashes.
    pub(super) fn chunk_digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        (0..self.digest.len()).for_each(|row| {
            hasher.update(self.digest.value(row));
        });
        hasher.finalize().to_hex().to_string()
    }
}
