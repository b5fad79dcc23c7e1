//! What the `csv` crate leaves to do: where a record stands in the file.

use csv::StringRecord;

/// The text of a CSV without the mark that some spreadsheets put before UTF-8.
pub(crate) fn without_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
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
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, counted: 0, line: 1 }
    }

    /// The line of a record, which must not stand before the one asked for last.
    pub(crate) fn line_of(&mut self, record: &StringRecord) -> usize {
        let start = record.position().map_or(0, |position| position.byte() as usize);
        let blank = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let start = start + self.text[start..].iter().take_while(blank).count();
        let passed = &self.text[self.counted..start];
        self.line += passed.iter().filter(|&&byte| byte == b'\n').count();
        self.counted = start;
        self.line
    }
}
