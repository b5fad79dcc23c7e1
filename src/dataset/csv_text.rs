//! What the `csv` crate leaves to do: the file's encoding, where a record stands in the file, rows that
//! are longer than the header, and cells that a spreadsheet would run.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use csv::StringRecord;

use crate::{fs, lists};

/// The largest CSV that is read, in bytes: some ten million rows.
const MAX_BYTES: u64 = 1 << 30;

/// The text of a CSV, without the mark that some spreadsheets put before UTF-8.
///
/// # Errors
/// If the file cannot be read, is a pipe or a device, or is not UTF-8.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let bytes = fs::read(path, MAX_BYTES)?;
    let text = lists::text_of(&bytes);
    text.map(str::to_owned).map_err(|reason| io::Error::new(io::ErrorKind::InvalidData, reason))
}

/// Refuses a row with more cells than the header: an unquoted comma would move what follows it, or
/// cut a name short.
///
/// # Errors
/// What is wrong and what to do, without the line.
pub(crate) fn check_width(record: &StringRecord, columns: usize) -> Result<(), String> {
    match record.len() <= columns {
        true => Ok(()),
        false => Err(format!(
            "{} cells, but the header names {columns} columns; put quotes around a cell that holds \
             a comma",
            record.len()
        )),
    }
}

/// The names in a header for a sentence about it, on one line and not without end: where a quote is
/// missing, a name is the rest of the file.
pub(crate) fn header_names(header: &StringRecord) -> String {
    const MOST: usize = 200;
    let mut names = fs::printable_text(&header.iter().collect::<Vec<_>>().join(", "));
    if names.len() > MOST {
        names.truncate(names.floor_char_boundary(MOST));
        names.push('…');
    }
    names
}

/// A text of the user's as a cell that a spreadsheet shows and does not run: where it begins like a
/// formula, an apostrophe stands before it.
pub(crate) fn safe_cell(text: &str) -> Cow<'_, str> {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        true => Cow::Owned(format!("'{text}")),
        false => Cow::Borrowed(text),
    }
}

/// Counts the lines of a CSV up to its records, going forward through the text once. (The reader's
/// own count stands before the blank lines that it skips ahead of a record.)
pub(crate) struct LineCounter<'a> {
    text: &'a [u8],
    counted: usize,
    line: usize,
}

impl<'a> LineCounter<'a> {
    /// Starts at line 1 of the text that the reader reads.
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text: text.as_bytes(), counted: 0, line: 1 }
    }

    /// The line of a record, which must not stand before the one asked for last.
    pub(crate) fn line_of(&mut self, record: &StringRecord) -> usize {
        let start = record.position().map_or(0, |position| position.byte() as usize);
        let blank = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let start = start + self.text[start..].iter().take_while(blank).count();
        let passed = &self.text[self.counted..start];
        // Each of the ends LF, CR LF and CR ends one line.
        let lone = |pair: &&[u8]| pair[0] == b'\r' && pair[1] != b'\n';
        let feeds = passed.iter().filter(|&&byte| byte == b'\n').count();
        let rest = &self.text[self.counted..self.text.len().min(start + 1)];
        let returns = rest.windows(2).take(passed.len()).filter(lone).count();
        self.line += feeds + returns;
        self.counted = start;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_the_lines_of_an_editor_whatever_ends_them() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "1,2", "", "", "3,4", "5,6"].join(end);
            let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
            let mut lines = LineCounter::new(&text);
            let found: Vec<usize> =
                reader.records().map(|record| lines.line_of(&record.unwrap())).collect();
            assert_eq!(found, [2, 5, 6], "{end:?}");
        }
    }

    #[test]
    fn formulas_are_shown_and_not_run() {
        assert_eq!(safe_cell("=1+1"), "'=1+1");
        assert_eq!(safe_cell("@cat"), "'@cat");
        assert_eq!(safe_cell("cat = dog"), "cat = dog");
    }
}
