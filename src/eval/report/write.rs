//! Writing a report's files: each whole or not there, all of them or none of the new ones.

use std::path::{Path, PathBuf};

use super::{Report, csv, html, markdown};
use crate::eval::scores::ScoreTable;

/// Why a report was not written.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum ReportWriteError {
    #[error("cannot write the report: {source}: {}", path.display())]
    Io { source: std::io::Error, path: PathBuf },
    /// A table could not be laid out.
    #[error("cannot lay out the table: {0}")]
    Csv(#[from] ::csv::Error),
    /// The numbers could not be laid out.
    #[error("cannot lay out the numbers: {0}")]
    Json(#[from] serde_json::Error),
}

/// Writes `table.md`, `table.csv`, `report.json`, `report.html`, `scores/SET.csv` and `roc/SET.csv`
/// into a folder, made if it is not there. If the disk is full, what was there stays as it was.
///
/// # Errors
/// If the folder cannot be written; nothing new is left in it.
pub fn write(report: &Report, table: &ScoreTable, folder: &Path) -> Result<(), ReportWriteError> {
    let mut files: Vec<(PathBuf, Vec<u8>)> = Vec::new();
    let main = report.settings[0];
    for set in table.sets() {
        let name = format!("{}.csv", set.name);
        files.push((folder.join("scores").join(&name), csv::scores(table, set, main)?));
    }
    for set in &table.ood {
        let name = format!("{}.csv", set.name);
        files.push((folder.join("roc").join(&name), csv::roc(table, set, main)?));
    }
    files.push((folder.join("table.md"), markdown::page(report).into_bytes()));
    files.push((folder.join("table.csv"), csv::table(report)?));
    files.push((folder.join("report.html"), html::page(report, table).into_bytes()));
    let mut json = serde_json::to_vec_pretty(report)?;
    json.push(b'\n');
    files.push((folder.join("report.json"), json));
    for name in ["scores", "roc"] {
        let path = folder.join(name);
        std::fs::create_dir_all(&path).map_err(|source| ReportWriteError::Io { source, path })?;
    }
    crate::fs::write_all(&files).map_err(|(path, source)| ReportWriteError::Io { source, path })
}
