//! Text with a separator: commas, semicolons or tabs.

use csv::{ByteRecord, Reader, ReaderBuilder, StringRecord, Trim};

use super::{Column, MAX_COLUMNS};
use crate::lists;

/// How cells are written.
#[derive(Clone, Copy)]
struct Writing {
    separator: u8,
    /// Whether numbers have a comma where others have a point: only beside semicolons.
    comma: bool,
}

impl Writing {
    /// The separator that stands in the header most often, outside of quotes.
    fn of(text: &str) -> Self {
        let header = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let count = |separator: char| {
            let mut quoted = false;
            let outside = |letter: &char| {
                quoted ^= *letter == '"';
                !quoted && *letter == separator
            };
            header.chars().filter(outside).count()
        };
        let separators = [(b'\t', count('\t')), (b';', count(';')), (b',', count(','))];
        // The last of equals: a comma where there is none.
        let best = separators.into_iter().max_by_key(|(_, count)| *count);
        let separator = best.map_or(b',', |(separator, _)| separator);
        Self { separator, comma: separator == b';' }
    }

    fn reader(self, text: &str) -> Reader<&[u8]> {
        let mut builder = ReaderBuilder::new();
        builder.delimiter(self.separator).trim(Trim::All).flexible(true);
        builder.from_reader(text.as_bytes())
    }

    /// A cell as a number; an empty one is none, as NaN.
    fn number(self, cell: &[u8]) -> Option<f64> {
        if cell.is_empty() {
            return Some(f64::NAN);
        }
        let text = std::str::from_utf8(cell).ok()?;
        let read = text.parse().ok();
        match self.comma {
            true => read.or_else(|| text.replacen(',', ".", 1).parse().ok()),
            false => read,
        }
    }
}

/// The columns of a text.
///
/// # Errors
/// What is wrong, with the row: the file is no UTF-8, has no header, or a row has another number of cells.
pub(super) fn columns(bytes: &[u8]) -> Result<Vec<(String, Column)>, String> {
    let text = lists::text_of(bytes)?;
    let writing = Writing::of(text);
    let mut reader = writing.reader(text);
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    check_header(&header, writing)?;
    let (kinds, rows) = kinds(&mut reader, header.len(), writing)?;
    let columns = fill(&mut writing.reader(text), kinds, rows, writing)?;
    Ok(header.iter().map(str::to_owned).zip(columns).collect())
}

fn check_header(header: &StringRecord, writing: Writing) -> Result<(), String> {
    if header.len() > MAX_COLUMNS {
        return Err(format!(
            "{} columns are too many; at most {MAX_COLUMNS} are read",
            header.len()
        ));
    }
    let number = |cell: &&str| !cell.is_empty() && writing.number(cell.as_bytes()).is_some();
    match header.iter().all(|cell| cell.is_empty()) || header.iter().any(|cell| number(&cell)) {
        true => Err("its first line has to name the columns, as in `path,set,label,msp`".into()),
        false => Ok(()),
    }
}

/// Whether each column holds numbers alone, and the number of rows.
fn kinds(
    reader: &mut Reader<&[u8]>,
    columns: usize,
    writing: Writing,
) -> Result<(Vec<bool>, usize), String> {
    let (mut numbers, mut filled) = (vec![true; columns], vec![false; columns]);
    let mut rows = 0;
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| error.to_string())? {
        rows += 1;
        if record.len() != columns {
            let found = record.len();
            return Err(format!(
                "row {rows} has {found} cells, but the header names {columns} columns; put quotes \
                 around a cell that holds the separator"
            ));
        }
        for (at, cell) in record.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            filled[at] = true;
            numbers[at] = numbers[at] && writing.number(cell).is_some();
        }
    }
    let kinds = numbers.into_iter().zip(filled).map(|(number, filled)| number && filled);
    Ok((kinds.collect(), rows))
}

/// The cells of a text whose columns are known.
fn fill(
    reader: &mut Reader<&[u8]>,
    kinds: Vec<bool>,
    rows: usize,
    writing: Writing,
) -> Result<Vec<Column>, String> {
    let empty = |number: bool| match number {
        true => Column::Numbers(Vec::with_capacity(rows)),
        false => Column::Texts(Vec::with_capacity(rows)),
    };
    let mut columns: Vec<Column> = kinds.into_iter().map(empty).collect();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| error.to_string())? {
        for (column, cell) in columns.iter_mut().zip(&record) {
            match column {
                Column::Numbers(values) => {
                    values.push(writing.number(cell.as_bytes()).unwrap_or(f64::NAN));
                }
                Column::Texts(values) => values.push(cell.to_owned()),
                Column::Rows { .. } => {}
            }
        }
    }
    Ok(columns)
}
