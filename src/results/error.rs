use std::path::{Path, PathBuf};

use crate::eval::metrics::MetricsError;
use crate::score::ScoreError;

/// Why results of a network cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// A file is not a table, or what it says cannot be.
    #[error("{what}: {}", .path.display())]
    Table {
        /// What is wrong and what to do.
        what: String,
        /// The file.
        path: PathBuf,
    },
    /// The choice of sets or columns fits no table.
    #[error("{0}")]
    Choice(String),
    /// A detector cannot score these rows.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// There are no metrics of these scores.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

impl ResultsError {
    pub(super) fn table(path: &Path, what: String) -> Self {
        Self::Table { what, path: path.to_owned() }
    }
}
