//! Parquet and Arrow files (both forms of Arrow's: file and stream; Feather is the first).

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _};
use std::path::Path;

use arrow::array::{Array, ArrayRef, AsArray as _, FixedSizeListArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{Column, MAX_COLUMNS};
use crate::fs;

/// What a file in Arrow's file form begins with.
const ARROW_MAGIC: &[u8] = b"ARROW1";

/// The columns of a Parquet file.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parquet(path: &Path) -> Result<Vec<(String, Column)>, String> {
    let file = fs::open(path).map_err(|error| error.to_string())?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.build());
    columns(reader.map_err(|error| format!("it is no whole Parquet file ({error})"))?)
}

/// The columns of an Arrow file.
///
/// # Errors
/// What is wrong with it.
pub(super) fn ipc(path: &Path) -> Result<Vec<(String, Column)>, String> {
    let mut file = fs::open(path).map_err(|error| error.to_string())?;
    let fault = |error: ArrowError| format!("it is no whole Arrow file ({error})");
    match begins_as_file(&mut file).map_err(|error| error.to_string())? {
        true => columns(FileReader::try_new(BufReader::new(file), None).map_err(fault)?),
        false => columns(StreamReader::try_new(BufReader::new(file), None).map_err(fault)?),
    }
}

fn begins_as_file(file: &mut File) -> std::io::Result<bool> {
    let mut begin = Vec::new();
    file.by_ref().take(ARROW_MAGIC.len() as u64).read_to_end(&mut begin)?;
    file.rewind()?;
    Ok(begin == ARROW_MAGIC)
}

fn columns(
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<Vec<(String, Column)>, String> {
    let mut columns: Vec<(String, Column)> = Vec::new();
    for batch in batches {
        let batch = batch.map_err(|error| format!("a part of it cannot be read ({error})"))?;
        let schema = batch.schema();
        if schema.fields().len() > MAX_COLUMNS {
            return Err(format!("there are more than {MAX_COLUMNS} columns"));
        }
        for (at, (field, array)) in schema.fields().iter().zip(batch.columns()).enumerate() {
            let column = column(array).map_err(|reason| format!("`{}` {reason}", field.name()))?;
            match columns.get_mut(at) {
                None => columns.push((field.name().clone(), column)),
                Some((name, all)) => {
                    append(all, column).map_err(|why| format!("`{name}` {why}"))?
                }
            }
        }
    }
    Ok(columns)
}

/// Adds rows below others of the same kind.
pub(super) fn append(all: &mut Column, further: Column) -> Result<(), String> {
    match (all, further) {
        (Column::Numbers(all), Column::Numbers(further)) => all.extend(further),
        (Column::Texts(all), Column::Texts(further)) => all.extend(further),
        (Column::Rows { width, values }, Column::Rows { width: other, values: further }) => {
            if *width != other {
                return Err(format!("has {width} values in some rows and {other} in others"));
            }
            values.extend(further);
        }
        _ => return Err("holds numbers in one part and something else in another".into()),
    }
    Ok(())
}

/// One array of a batch.
fn column(array: &ArrayRef) -> Result<Column, String> {
    let as_type = |kind: &DataType| cast(array, kind).map_err(|error| error.to_string());
    match array.data_type() {
        DataType::Boolean | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            texts(&as_type(&DataType::Utf8)?)
        }
        DataType::Dictionary(_, of) if !of.is_numeric() => texts(&as_type(&DataType::Utf8)?),
        kind if kind.is_numeric() || matches!(kind, DataType::Dictionary(..) | DataType::Null) => {
            let numbers = as_type(&DataType::Float64)?;
            let numbers = numbers.as_primitive::<Float64Type>();
            Ok(Column::Numbers(numbers.iter().map(|value| value.unwrap_or(f64::NAN)).collect()))
        }
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => rows(array),
        other => Err(format!("is of type {other}, which is neither numbers nor text")),
    }
}

fn texts(array: &ArrayRef) -> Result<Column, String> {
    let texts = array.as_string::<i32>().iter();
    Ok(Column::Texts(texts.map(|text| text.unwrap_or_default().to_owned()).collect()))
}

/// Lists of numbers, all of one length.
fn rows(array: &ArrayRef) -> Result<Column, String> {
    if array.null_count() > 0 {
        let row = (0..array.len()).find(|&row| array.is_null(row)).unwrap_or_default();
        return Err(format!("has no values in row {}", row + 1));
    }
    let width = match array.data_type() {
        DataType::FixedSizeList(_, width) => usize::try_from(*width).unwrap_or_default(),
        DataType::LargeList(_) => {
            array.as_list::<i64>().iter().next().flatten().map_or(0, |r| r.len())
        }
        _ => array.as_list::<i32>().iter().next().flatten().map_or(0, |row| row.len()),
    };
    let mut values = Vec::with_capacity(width * array.len());
    let mut add = |row: usize, of: ArrayRef| {
        if of.len() != width {
            return Err(format!("has {} values in row {}, {width} before", of.len(), row + 1));
        }
        let numbers = cast(&of, &DataType::Float32).map_err(|error| error.to_string())?;
        let numbers = numbers.as_primitive::<Float32Type>();
        values.extend(numbers.iter().map(|value| value.unwrap_or(f32::NAN)));
        Ok(())
    };
    match array.data_type() {
        DataType::FixedSizeList(..) => {
            // One cast for all rows.
            let list: &FixedSizeListArray = array.as_fixed_size_list();
            let all = list.values().slice(list.value_offset_at(0), width * list.len());
            let numbers = cast(&all, &DataType::Float32).map_err(|error| error.to_string())?;
            let numbers = numbers.as_primitive::<Float32Type>();
            values.extend(numbers.iter().map(|value| value.unwrap_or(f32::NAN)));
        }
        DataType::LargeList(_) => {
            for (row, of) in array.as_list::<i64>().iter().enumerate() {
                add(row, of.ok_or("has no values in a row")?)?;
            }
        }
        _ => {
            for (row, of) in array.as_list::<i32>().iter().enumerate() {
                add(row, of.ok_or("has no values in a row")?)?;
            }
        }
    }
    Ok(Column::Rows { width, values })
}
