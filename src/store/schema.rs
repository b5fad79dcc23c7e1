//! The columns: records to an Arrow batch.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, FixedSizeBinaryArray, FixedSizeListArray, Float16Array, Float32Array,
    Int64Array, ListArray, RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use half::f16;

use super::columns::Columns;
use super::{Record, StoreError, StoreHeader, Tensors, digest};
use crate::bundle::manifest::Arch;
use crate::fs::shown_path;

/// Bytes of a hash.
const DIGEST: i32 = 32;

/// The schema of a store's chunks.
pub(super) fn schema(header: &StoreHeader) -> SchemaRef {
    let fixed = |kind: DataType, size: usize| DataType::FixedSizeList(item(kind), size as i32);
    let fields = vec![
        Field::new("path", DataType::Utf8, false),
        Field::new("path_bytes", DataType::Binary, true),
        Field::new("hash", DataType::UInt64, true),
        Field::new("size", DataType::UInt64, true),
        Field::new("modified_ns", DataType::Int64, true),
        Field::new("set", DataType::Utf8, false),
        Field::new("class", DataType::Utf8, true),
        Field::new("width", DataType::UInt32, false),
        Field::new("height", DataType::UInt32, false),
        Field::new("error", DataType::Utf8, true),
        Field::new(in_single(header), fixed(DataType::Float32, header.tags), true),
        Field::new("tokens", fixed(DataType::Float16, header.positions * header.width), true),
        Field::new("tags", DataType::List(item(DataType::UInt32)), true),
        Field::new("attention", DataType::List(item(DataType::Float32)), true),
        Field::new("tensors_digest", DataType::FixedSizeBinary(DIGEST), false),
        Field::new("digest", DataType::FixedSizeBinary(DIGEST), false),
    ];
    let metadata = [
        ("tokens_shape", format!("[{}, {}]", header.positions, header.width)),
        ("attention_shape", format!("[tags, {}, {}]", header.layers, header.positions)),
        ("bundle", header.bundle.clone()),
        ("tagger", header.tagger.clone()),
        ("hash", "BLAKE3, first 64 bits".to_owned()),
    ];
    let metadata: HashMap<String, String> =
        metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

/// What is kept in 32 bits: a tagger's logits; of a CLIP the image's feature, from which the logits of
/// any names are made.
fn in_single(header: &StoreHeader) -> &'static str {
    match header.arch {
        Arch::Ram => "logits",
        Arch::Clip => "image_feature",
    }
}

fn item(kind: DataType) -> FieldRef {
    Arc::new(Field::new_list_field(kind, false))
}

/// Refuses a record whose tensors are not of the header's shapes.
pub(super) fn check_shapes(record: &Record, header: &StoreHeader) -> Result<(), StoreError> {
    let Ok(tensors) = &record.outcome else { return Ok(()) };
    let attention = tensors.tags.len() * header.layers * header.positions;
    let columns = [
        ("logits", tensors.logits.len(), header.tags),
        ("tokens", tensors.tokens.len(), header.positions * header.width),
        ("attention", tensors.attention.len(), attention),
    ];
    if !tensors.are_finite() {
        return Err(StoreError::NotFinite(record.path.clone()));
    }
    for (what, found, expected) in columns {
        if found != expected {
            let path = record.path.clone();
            return Err(StoreError::Shape { what, found, expected, path });
        }
    }
    Ok(())
}

/// Records as a batch of the store's schema, with their hashes; their shapes have been checked.
pub(super) fn batch_from_records(
    records: &[Record],
    header: &StoreHeader,
) -> Result<RecordBatch, ArrowError> {
    let tensors: Vec<Option<&Tensors>> = records.iter().map(|r| r.outcome.as_ref().ok()).collect();
    let whole: NullBuffer = tensors.iter().map(Option::is_some).collect::<Vec<bool>>().into();
    let nulls = (whole.null_count() > 0).then_some(whole);
    let logits = fixed_rows(&tensors, header.tags, |t| &t.logits);
    let tokens = fixed_rows::<f16>(&tensors, header.positions * header.width, |t| &t.tokens);
    let fixed = |kind, size: usize, values, nulls| {
        FixedSizeListArray::try_new(item(kind), size as i32, values, nulls)
    };
    let logits: ArrayRef = Arc::new(Float32Array::from(logits));
    let tokens_size = header.positions * header.width;
    let tokens: ArrayRef = Arc::new(Float16Array::from(tokens));
    let (tag_offsets, tags) = list_rows(&tensors, |t| &t.tags);
    let (attention_offsets, attention) = list_rows(&tensors, |t| &t.attention);
    let (tags, attention) = (UInt32Array::from(tags), Float32Array::from(attention));
    let list =
        |kind, offsets, values, nulls| ListArray::try_new(item(kind), offsets, values, nulls);
    let raw = |r: &'_ Record| match r.path.to_str() {
        Some(_) => None,
        None => Some(r.path.as_os_str().as_encoded_bytes().to_vec()),
    };
    let empty: ArrayRef = hashes(records.iter().map(|_| [0; DIGEST as usize]))?;
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(records.iter().map(|r| shown_path(&r.path)))),
        Arc::new(BinaryArray::from_iter(records.iter().map(raw))),
        Arc::new(UInt64Array::from_iter(records.iter().map(|r| r.hash))),
        Arc::new(UInt64Array::from_iter(records.iter().map(|r| r.stamp.map(|s| s.size)))),
        Arc::new(Int64Array::from_iter(records.iter().map(|r| r.stamp.map(|s| s.modified_ns)))),
        Arc::new(StringArray::from_iter_values(records.iter().map(|r| &r.set))),
        Arc::new(StringArray::from_iter(records.iter().map(|r| r.class.as_ref()))),
        Arc::new(UInt32Array::from_iter_values(records.iter().map(|r| r.width))),
        Arc::new(UInt32Array::from_iter_values(records.iter().map(|r| r.height))),
        Arc::new(StringArray::from_iter(records.iter().map(|r| r.outcome.as_ref().err()))),
        Arc::new(fixed(DataType::Float32, header.tags, logits, nulls.clone())?),
        Arc::new(fixed(DataType::Float16, tokens_size, tokens, nulls.clone())?),
        Arc::new(list(DataType::UInt32, tag_offsets, Arc::new(tags), nulls.clone())?),
        Arc::new(list(DataType::Float32, attention_offsets, Arc::new(attention), nulls)?),
        empty.clone(),
        empty,
    ];
    let schema = schema(header);
    let misshapen = || ArrowError::SchemaError("the rows do not fit the store's shapes".into());
    let of_batch = |columns: &[ArrayRef]| {
        let batch = RecordBatch::try_new(schema.clone(), columns.to_vec())?;
        Columns::of_batch(&batch, header).ok_or_else(misshapen)
    };
    let typed = of_batch(&columns)?;
    let of_tensors = |row| digest::of_tensors(&typed, row).ok_or_else(misshapen);
    let tensors = (0..records.len()).map(of_tensors).collect::<Result<Vec<_>, _>>()?;
    let rows = (0..).zip(&tensors).map(|(row, hash)| digest::of_row(&typed, row, hash.as_bytes()));
    let rows: Vec<blake3::Hash> = rows.collect();
    let at = columns.len() - 2;
    columns[at] = hashes(tensors.iter().map(|hash| *hash.as_bytes()))?;
    columns[at + 1] = hashes(rows.iter().map(|hash| *hash.as_bytes()))?;
    RecordBatch::try_new(schema, columns)
}

fn hashes(values: impl Iterator<Item = [u8; DIGEST as usize]>) -> Result<ArrayRef, ArrowError> {
    let values: Vec<u8> = values.flatten().collect();
    Ok(Arc::new(FixedSizeBinaryArray::try_new(DIGEST, values.into(), None)?))
}

/// Values of a column of fixed size; zeros stand where an image failed.
fn fixed_rows<V: Copy + Default>(
    tensors: &[Option<&Tensors>],
    size: usize,
    column: impl Fn(&Tensors) -> &[V],
) -> Vec<V> {
    let mut values = Vec::with_capacity(tensors.len() * size);
    for tensors in tensors {
        match tensors {
            Some(tensors) => values.extend_from_slice(column(tensors)),
            None => values.resize(values.len() + size, V::default()),
        }
    }
    values
}

/// Offsets and values of a column of lists.
fn list_rows<V: Copy>(
    tensors: &[Option<&Tensors>],
    column: impl Fn(&Tensors) -> &[V],
) -> (OffsetBuffer<i32>, Vec<V>) {
    let rows = || tensors.iter().map(|tensors| tensors.map(&column).unwrap_or_default());
    (OffsetBuffer::from_lengths(rows().map(<[V]>::len)), rows().flatten().copied().collect())
}
