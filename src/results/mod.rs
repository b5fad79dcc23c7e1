//! Results of any network, from files: scores, logits, features, one row an image.
//!
//! ```text
//! CSV, TSV, JSON lines, Parquet, Arrow, npy, npz, safetensors ─ read ─▶ Table
//!    ─ join ─▶ one Table ─ Results::of ─▶ sets, ID or OOD, scores, logits [n,C], features [n,D]
//!    ─ score ─▶ a score a row, of each column and of each detector that can do with these
//! ```

mod arrays;
mod arrow_files;
mod columns;
mod delimited;
mod detectors;
mod error;
mod group;
mod join;
mod json_lines;
mod npy;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use columns::{Choice, Results};
pub use detectors::{DetectorScores, Origin, own_detectors, score};
pub use error::ResultsError;
pub use join::join;

use crate::fs;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 34;
/// The most columns that a table may have; in text, each value of a feature has one.
const MAX_COLUMNS: usize = 100_000;

/// One column of a table, for n rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// A number a row `[n]`; NaN where there is none.
    Numbers(Vec<f64>),
    /// A text a row `[n]`; empty where there is none.
    Texts(Vec<String>),
    /// Several numbers a row, `[n, width]`, row-major.
    Rows {
        /// Numbers of a row.
        width: usize,
        /// All of them; NaN where there is none.
        values: Vec<f32>,
    },
}

/// What a file holds, before anything is made of its names.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The file.
    pub path: PathBuf,
    /// Number of rows n.
    pub rows: usize,
    /// Columns by name, in the order of the file; a name stands once.
    pub columns: Vec<(String, Column)>,
}

impl Table {
    /// Joins columns to a table.
    ///
    /// # Errors
    /// A name stands twice, columns have different lengths, or there is no row.
    fn new(path: &Path, columns: Vec<(String, Column)>) -> Result<Self, ResultsError> {
        match Self::joined(path, columns)? {
            Self { rows: 0, .. } => Err(ResultsError::table(path, "there is no row in it".into())),
            table => Ok(table),
        }
    }

    /// As [`Table::new`], also without a row.
    fn joined(path: &Path, columns: Vec<(String, Column)>) -> Result<Self, ResultsError> {
        let fault = |what: String| ResultsError::table(path, what);
        let length = |column: &Column| match column {
            Column::Numbers(values) => values.len(),
            Column::Texts(values) => values.len(),
            Column::Rows { width, values } => values.len() / (*width).max(1),
        };
        let Some((first, column)) = columns.first() else {
            return Err(fault("there is no column in it".into()));
        };
        let rows = length(column);
        for (at, (name, column)) in columns.iter().enumerate() {
            if length(column) != rows {
                let found = length(column);
                return Err(fault(format!("`{name}` has {found} rows, `{first}` has {rows}")));
            }
            let same = |(other, _): &&(String, Column)| other.eq_ignore_ascii_case(name);
            if columns[..at].iter().any(|column| same(&column)) {
                return Err(fault(format!("two columns are named `{name}`; rename one")));
            }
        }
        Ok(Self { path: path.to_owned(), rows, columns })
    }

    /// The column of one of some names, whatever the case; the first name that is there counts.
    fn named(&self, names: &[&str]) -> Option<(&str, &Column)> {
        let find =
            |wanted: &&str| self.columns.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        names.iter().find_map(find).map(|(name, column)| (name.as_str(), column))
    }
}

/// Reads a table, in the format that the file's extension names.
///
/// # Errors
/// Another extension; a file that cannot be read or is damaged; a row that does not fit the others, by its
/// number.
pub fn read(path: &Path) -> Result<Table, ResultsError> {
    Table::new(path, columns_of(path)?)
}

fn columns_of(path: &Path) -> Result<Vec<(String, Column)>, ResultsError> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let extension = extension.map(str::to_ascii_lowercase);
    let bytes =
        || fs::read(path, MAX_BYTES).map_err(|error| ResultsError::table(path, error.to_string()));
    let columns = match extension.as_deref() {
        Some("csv" | "tsv" | "txt") => delimited::columns(&bytes()?),
        Some("jsonl" | "ndjson" | "json") => json_lines::columns(&bytes()?),
        Some("parquet" | "pq") => arrow_files::parquet(path),
        Some("arrow" | "feather" | "ipc") => arrow_files::ipc(path),
        Some("npy") => {
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            arrays::npy(&bytes()?, stem.as_deref().unwrap_or_default())
        }
        Some("npz") => arrays::npz(&bytes()?),
        Some("safetensors") => arrays::safetensors(&bytes()?),
        _ => Err("it is none of the formats that are read (.csv, .tsv, .txt, .jsonl, .json, \
                  .parquet, .arrow, .feather, .npy, .npz, .safetensors)"
            .into()),
    };
    let columns = columns.and_then(group::grouped);
    columns.map_err(|reason| ResultsError::table(path, reason))
}

/// The only matrix of numbers in a table, or that named `features`: `[n, d]`, row by row, and d. It may have
/// no rows.
///
/// # Errors
/// As [`read`]; and if there is no such matrix, or several.
pub fn read_matrix(path: &Path) -> Result<(Vec<f32>, usize), ResultsError> {
    let table = Table::joined(path, columns_of(path)?)?;
    let mut matrices = table.columns.into_iter().filter_map(|(name, column)| match column {
        Column::Rows { width, values } => Some((name, values, width)),
        Column::Numbers(_) | Column::Texts(_) => None,
    });
    let (first, further) = (matrices.next(), matrices.next());
    let named = |matrix: &(String, Vec<f32>, usize)| matrix.0 == "features";
    let fault = |what: &str| ResultsError::table(path, what.to_owned());
    let (_, values, width) = match (first, further) {
        (None, _) => return Err(fault("it holds no matrix: features have two dimensions")),
        (Some(matrix), _) if named(&matrix) => matrix,
        (Some(matrix), None) => matrix,
        (_, Some(matrix)) if named(&matrix) => matrix,
        _ => matrices
            .find(named)
            .ok_or_else(|| fault("it holds several matrices, none of which is named `features`"))?,
    };
    match width {
        0 => Err(fault("its matrix has no columns")),
        width => Ok((values, width)),
    }
}
