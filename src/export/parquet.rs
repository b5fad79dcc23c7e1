//! Rows as Parquet.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float32Array, ListArray, RecordBatch, StringArray, StructArray,
    UInt32Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;

use super::{ImageRow, TagRow};
use crate::pipeline::NamedCosine;
use crate::score::verdict::Rejection;

/// Rows of one row group.
const GROUP: usize = 16_384;

/// One column for each field of [`ImageRow`], `tags` and `labels` as `list<struct<…>>`.
pub(super) fn write(out: &mut (impl Write + Send), rows: &[ImageRow]) -> io::Result<()> {
    let other = |error: ArrowError| io::Error::other(error.to_string());
    let schema = batch(&[]).map_err(other)?.schema();
    let mut writer = ArrowWriter::try_new(out, schema, None).map_err(io::Error::other)?;
    for rows in rows.chunks(GROUP) {
        writer.write(&batch(rows).map_err(other)?).map_err(io::Error::other)?;
    }
    writer.close().map_err(io::Error::other)?;
    Ok(())
}

fn batch(rows: &[ImageRow]) -> Result<RecordBatch, ArrowError> {
    let text = |of: fn(&ImageRow) -> &str| {
        Arc::new(StringArray::from_iter_values(rows.iter().map(of))) as ArrayRef
    };
    let maybe_text = |of: fn(&ImageRow) -> Option<&str>| {
        Arc::new(rows.iter().map(of).collect::<StringArray>()) as ArrayRef
    };
    let number = |of: fn(&ImageRow) -> Option<f32>| {
        Arc::new(rows.iter().map(of).collect::<Float32Array>()) as ArrayRef
    };
    let count = |of: fn(&ImageRow) -> Option<u32>| {
        Arc::new(rows.iter().map(of).collect::<UInt32Array>()) as ArrayRef
    };
    let verdict = rows.iter().map(|row| row.verdict.map(|verdict| verdict.to_string()));
    let verdict = Arc::new(verdict.collect::<StringArray>()) as ArrayRef;
    RecordBatch::try_from_iter_with_nullable([
        ("path", text(|row| &row.path), false),
        ("set", text(|row| &row.set), false),
        ("class", maybe_text(|row| row.class.as_deref()), true),
        ("verdict", verdict, true),
        ("reason", maybe_text(|row| row.reason.as_deref()), true),
        ("score", number(|row| row.score), true),
        ("rejected", maybe_text(|row| row.rejected.map(Rejection::code)), true),
        ("ranked", number(|row| row.ranked), true),
        ("lambda", number(|row| row.lambda), true),
        ("tau", number(|row| Some(row.tau)), true),
        ("detector", text(|row| &row.detector), false),
        ("recipe", text(|row| &row.recipe), false),
        ("nearest", maybe_text(|row| row.nearest.as_deref()), true),
        ("similarity", number(|row| row.similarity), true),
        ("kept_tokens", count(|row| row.kept_tokens), true),
        ("total_tokens", count(|row| row.total_tokens), true),
        ("tags", Arc::new(tags(rows)?) as ArrayRef, false),
        ("labels", Arc::new(labels(rows)?) as ArrayRef, true),
        ("error", maybe_text(|row| row.error.as_deref()), true),
    ])
}

fn tags(rows: &[ImageRow]) -> Result<ListArray, ArrowError> {
    let all = || rows.iter().flat_map(|row| &row.tags);
    let numbers = |of: fn(&TagRow) -> f32| {
        Arc::new(Float32Array::from_iter_values(all().map(of))) as ArrayRef
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(all().map(|tag| &tag.name))),
        numbers(|tag| tag.probability),
        numbers(|tag| tag.threshold),
        Arc::new(BooleanArray::from_iter(all().map(|tag| Some(tag.in_vocabulary)))),
    ];
    let names =
        [("name", false), ("probability", false), ("threshold", false), ("in_vocabulary", false)];
    list(&names, columns, rows.iter().map(|row| row.tags.len()), None)
}

fn labels(rows: &[ImageRow]) -> Result<ListArray, ArrowError> {
    let all = || rows.iter().flat_map(|row| row.labels.iter().flatten());
    let numbers = |of: fn(&NamedCosine) -> Option<f32>| {
        Arc::new(all().map(of).collect::<Float32Array>()) as ArrayRef
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(all().map(|label| &label.name))),
        numbers(|label| Some(label.similarity)),
        numbers(|label| Some(label.probability)),
        numbers(|label| label.denied),
    ];
    let names = [("name", false), ("similarity", false), ("probability", false), ("denied", true)];
    let lengths = rows.iter().map(|row| row.labels.as_ref().map_or(0, Vec::len));
    let there = NullBuffer::from_iter(rows.iter().map(|row| row.labels.is_some()));
    list(&names, columns, lengths, Some(there))
}

/// Rows of structures: names of the fields and whether they may be empty, their columns, and how many
/// structures each row has.
fn list(
    names: &[(&str, bool)],
    columns: Vec<ArrayRef>,
    lengths: impl IntoIterator<Item = usize>,
    there: Option<NullBuffer>,
) -> Result<ListArray, ArrowError> {
    let field = |(&(name, nullable), column): (&(&str, bool), &ArrayRef)| {
        Field::new(name, column.data_type().clone(), nullable)
    };
    let fields: Fields = names.iter().zip(&columns).map(field).collect();
    let structs = StructArray::try_new(fields.clone(), columns, None)?;
    let item = Arc::new(Field::new("item", DataType::Struct(fields), false));
    ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), Arc::new(structs), there)
}
