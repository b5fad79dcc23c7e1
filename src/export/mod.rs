//! Results as files: tables of images (CSV, JSON, Parquet) and figures of sets. Nothing here draws on a
//! screen; every file is written whole or not at all.

mod parquet;
pub mod plots;
mod table;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::fs::WholeFile;
pub use table::{ExportedImage, ImageRow, TagRow};

/// Why there is no file.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum ExportError {
    /// The file cannot be written.
    #[error("cannot write the export: {source}: {}", path.display())]
    Io { source: io::Error, path: PathBuf },
    /// The name says nothing of a form that can be written.
    #[error("the name must end in {expected}: {}", path.display())]
    Form { expected: &'static str, path: PathBuf },
}

/// The forms of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableForm {
    /// One line for each image; tags and labels as `name=probability` joined by semicolons.
    Csv,
    /// An array of objects.
    Json,
    /// Columns; tags and labels as lists of structures.
    Parquet,
}

impl TableForm {
    /// The endings of files, in the order of a dialogue.
    pub const ENDINGS: [&'static str; 3] = ["csv", "json", "parquet"];

    /// What a file's name asks for.
    ///
    /// # Errors
    /// If its ending is none of [`TableForm::ENDINGS`].
    pub fn of(path: &Path) -> Result<Self, ExportError> {
        match ending(path).as_str() {
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            "parquet" => Ok(Self::Parquet),
            _ => Err(ExportError::Form {
                expected: ".csv, .json or .parquet",
                path: path.to_owned(),
            }),
        }
    }
}

/// The forms of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FigureForm {
    /// Lines and text, to be scaled and edited.
    Svg,
    /// Pixels.
    Png,
}

impl FigureForm {
    /// The endings of files, in the order of a dialogue.
    pub const ENDINGS: [&'static str; 2] = ["svg", "png"];

    /// What a file's name asks for.
    ///
    /// # Errors
    /// If its ending is none of [`FigureForm::ENDINGS`].
    pub fn of(path: &Path) -> Result<Self, ExportError> {
        match ending(path).as_str() {
            "svg" => Ok(Self::Svg),
            "png" => Ok(Self::Png),
            _ => Err(ExportError::Form { expected: ".svg or .png", path: path.to_owned() }),
        }
    }
}

fn ending(path: &Path) -> String {
    path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// Writes images as a table, in the form that the file's name asks for.
///
/// # Errors
/// If the name asks for no form, or the file cannot be written.
pub fn write_table(path: &Path, rows: &[ImageRow]) -> Result<(), ExportError> {
    match TableForm::of(path)? {
        TableForm::Csv => write_whole(path, |out| table::write_csv(out, rows)),
        TableForm::Json => write_whole(path, |out| table::write_json(out, rows)),
        TableForm::Parquet => write_whole(path, |out| parquet::write(out, rows)),
    }
}

/// Writes a file whole, or not at all.
///
/// # Errors
/// If it cannot be written; what was there before then still is.
pub fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut WholeFile) -> io::Result<()>,
) -> Result<(), ExportError> {
    let whole = || {
        let mut file = WholeFile::create(path)?;
        write(&mut file)?;
        file.commit()
    };
    whole().map_err(|source| ExportError::Io { source, path: path.to_owned() })
}

#[cfg(test)]
mod tests;
