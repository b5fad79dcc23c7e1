//! `tags.csv`: what is in the scenes of a folder, one line for each picture.
//!
//! Several sets may be drawn into one folder, one after another: the table grows by the pictures
//! that it does not name yet, and the lines of those drawn again are replaced.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::write::SceneWriteError;
use crate::fs;

const COLUMNS: [&str; 3] = ["path", "class", "tags"];

/// A table and its file; lines are kept by path.
pub(super) struct TagTable {
    path: PathBuf,
    /// Class and tags by path.
    lines: BTreeMap<String, [String; 2]>,
}

impl TagTable {
    /// Reads the table of a folder, which is empty where there is none yet.
    ///
    /// # Errors
    /// If the file cannot be read, or is another kind of table.
    pub(super) fn open(folder: &Path) -> Result<Self, SceneWriteError> {
        let path = folder.join("tags.csv");
        let failed = |source| SceneWriteError::Table { path: path.clone(), source };
        let file = match fs::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { path, lines: BTreeMap::new() });
            }
            Err(error) => return Err(failed(error.into())),
        };
        let mut reader = csv::Reader::from_reader(file);
        if reader.headers().map_err(failed)? != COLUMNS[..] {
            return Err(SceneWriteError::OtherTable { path });
        }
        let line = |record: Result<csv::StringRecord, csv::Error>| {
            let record = record.map_err(failed)?;
            let cell = |at: usize| record.get(at).unwrap_or_default().to_owned();
            Ok((cell(0), [cell(1), cell(2)]))
        };
        let lines = reader.records().map(line).collect::<Result<_, SceneWriteError>>()?;
        Ok(Self { path, lines })
    }

    /// Adds a picture, or replaces what was said of it.
    pub(super) fn insert(&mut self, picture: String, class: &str, tags: &[&str]) {
        self.lines.insert(picture, [class.to_owned(), tags.join(";")]);
    }

    /// Writes the table, whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(super) fn write(&self) -> Result<(), SceneWriteError> {
        let failed = |source| SceneWriteError::Table { path: self.path.clone(), source };
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(COLUMNS).map_err(failed)?;
        for (picture, [class, tags]) in &self.lines {
            writer.write_record([picture, class, tags]).map_err(failed)?;
        }
        let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
        fs::write(&self.path, bytes).map_err(|error| failed(error.into()))
    }
}
