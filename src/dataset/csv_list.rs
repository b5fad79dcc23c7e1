//! Reading a labelled set from a CSV of paths and classes.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, Trim};

use super::DatasetError;
use super::csv_text::{self, LineCounter};
use crate::fs;
use crate::image::FileFormat;

/// The listed images and their classes, in the file's order.
pub(super) fn read(file: &Path) -> Result<Vec<(PathBuf, String)>, DatasetError> {
    let text = csv_text::read(file).map_err(|source| match image_format(file) {
        Some(format) => DatasetError::OneImage { path: file.to_owned(), format },
        None => DatasetError::Io { path: file.to_owned(), source },
    })?;
    let mut reader =
        ReaderBuilder::new().trim(Trim::All).flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| csv_error(file, &error))?.clone();
    let path_column = column(&header, "path", file)?;
    let class_column = column(&header, "class", file)?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut lines = LineCounter::new(&text);
    let mut rows = Vec::new();
    let mut missing = Vec::new();
    let mut line_of_path = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(|error| csv_error(file, &error))?;
        let line = lines.line_of(&record);
        csv_text::check_width(&record, header.len()).map_err(|fault| bad_row(file, line, fault))?;
        let cell = |column: usize, name: &str| match record.get(column) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(bad_row(file, line, format!("the {name} is empty"))),
        };
        let path = folder.join(cell(path_column, "path")?);
        let class = cell(class_column, "class")?.to_owned();
        if let Some(first) = line_of_path.insert(path.clone(), line) {
            let fault = format!("{} is listed already on line {first}", fs::printable(&path));
            return Err(bad_row(file, line, fault));
        }
        if !path.is_file() {
            missing.push(format!("{} (line {line})", fs::printable(&path)));
        }
        rows.push((path, class));
    }
    if rows.is_empty() {
        return Err(bad_row(file, 2, "no image is listed".to_owned()));
    }
    if !missing.is_empty() {
        let (path, listed) = (file.to_owned(), rows.len());
        return Err(DatasetError::MissingFiles { path, listed, missing });
    }
    Ok(rows)
}

/// The format of a file that is an image.
fn image_format(file: &Path) -> Option<FileFormat> {
    let mut head = [0; 16];
    fs::open(file).ok()?.read_exact(&mut head).ok()?;
    FileFormat::of_content(&head)
}

fn column(header: &StringRecord, name: &str, file: &Path) -> Result<usize, DatasetError> {
    header.iter().position(|cell| cell.eq_ignore_ascii_case(name)).ok_or_else(|| {
        let found = csv_text::header_names(header);
        bad_row(file, 1, format!("the header must name a column `{name}`; it names: {found}"))
    })
}

fn csv_error(file: &Path, error: &csv::Error) -> DatasetError {
    let line = error.position().map_or(1, |position| position.line() as usize);
    bad_row(file, line, error.to_string())
}

fn bad_row(file: &Path, line: usize, fault: String) -> DatasetError {
    DatasetError::BadRow { path: file.to_owned(), line, fault }
}
