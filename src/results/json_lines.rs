//! JSON: an object a line, or one array of objects.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Column, MAX_COLUMNS};
use crate::lists;

/// The values of one key, as far as the rows were read.
enum Builder {
    /// Nothing but null so far.
    Nothing,
    Numbers(Vec<f64>),
    Texts(Vec<String>),
    Rows {
        width: usize,
        values: Vec<f32>,
    },
}

/// The columns of a text: the keys of its objects, in the order in which they first come.
///
/// # Errors
/// What is wrong, with the row: it is no JSON object, or a value does not fit those before it.
pub(super) fn columns(bytes: &[u8]) -> Result<Vec<(String, Column)>, String> {
    let text = lists::text_of(bytes)?;
    let mut keys = Keys::default();
    if text.trim_start().starts_with('[') {
        let objects: Vec<Map<String, Value>> = serde_json::from_str(text)
            .map_err(|error| format!("it is no array of JSON objects ({error})"))?;
        objects.into_iter().try_for_each(|object| keys.add(object))?;
    } else {
        for (line, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
            let object = serde_json::from_str(text)
                .map_err(|error| format!("line {} is no JSON object ({error})", line + 1))?;
            keys.add(object)?;
        }
    }
    keys.finish()
}

#[derive(Default)]
struct Keys {
    rows: usize,
    places: HashMap<String, usize>,
    columns: Vec<(String, Builder)>,
}

impl Keys {
    fn add(&mut self, object: Map<String, Value>) -> Result<(), String> {
        for (key, value) in object {
            let next = self.columns.len();
            let place = *self.places.entry(key.clone()).or_insert(next);
            if place == next {
                if next == MAX_COLUMNS {
                    return Err(format!("there are more than {MAX_COLUMNS} keys"));
                }
                self.columns.push((key, Builder::Nothing));
            }
            let (name, column) = &mut self.columns[place];
            column
                .add(self.rows, value)
                .map_err(|reason| format!("row {}: `{name}` {reason}", self.rows + 1))?;
        }
        self.rows += 1;
        Ok(())
    }

    fn finish(self) -> Result<Vec<(String, Column)>, String> {
        let rows = self.rows;
        let finish = |(name, mut column): (String, Builder)| {
            column.fill(rows);
            let column = match column {
                Builder::Nothing => Column::Texts(vec![String::new(); rows]),
                Builder::Numbers(values) => Column::Numbers(values),
                Builder::Texts(values) => Column::Texts(values),
                Builder::Rows { width, values } => Column::Rows { width, values },
            };
            (name, column)
        };
        Ok(self.columns.into_iter().map(finish).collect())
    }
}

impl Builder {
    /// Fills up to a number of rows with nothing.
    fn fill(&mut self, rows: usize) {
        match self {
            Self::Nothing => {}
            Self::Numbers(values) => values.resize(rows, f64::NAN),
            Self::Texts(values) => values.resize(rows, String::new()),
            Self::Rows { width, values } => values.resize(rows * *width, f32::NAN),
        }
    }

    /// Adds the value of a row, before which there were so many.
    fn add(&mut self, rows: usize, value: Value) -> Result<(), String> {
        if value.is_null() {
            return Ok(());
        }
        if matches!(self, Self::Nothing) {
            *self = match &value {
                Value::String(_) | Value::Bool(_) => Self::Texts(Vec::new()),
                Value::Array(items) => Self::Rows { width: items.len(), values: Vec::new() },
                _ => Self::Numbers(Vec::new()),
            };
        }
        self.fill(rows);
        match (self, value) {
            (Self::Numbers(values), Value::Number(number)) => {
                values.push(number.as_f64().ok_or("is a number that is too large")?);
            }
            (Self::Numbers(values), Value::String(text)) => {
                let number = named_number(&text).ok_or("is text, and a number before")?;
                values.push(number);
            }
            (Self::Texts(values), Value::String(text)) => values.push(text),
            (Self::Texts(values), Value::Bool(flag)) => values.push(flag.to_string()),
            (Self::Rows { width, values }, Value::Array(items)) => {
                if items.len() != *width {
                    return Err(format!("has {} values, and {width} before", items.len()));
                }
                for item in items {
                    values.push(item.as_f64().ok_or("holds what is not a number")? as f32);
                }
            }
            _ => return Err("is of another kind than before".into()),
        }
        Ok(())
    }
}

/// How numbers that JSON does not have are commonly written.
fn named_number(text: &str) -> Option<f64> {
    matches!(text.to_ascii_lowercase().as_str(), "nan" | "inf" | "-inf" | "infinity" | "-infinity")
        .then(|| text.parse().ok())?
}
