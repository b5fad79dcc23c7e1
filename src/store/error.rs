//! What can go wrong with a store.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::nn::source::WeightsError;

/// What can go wrong with a store: one sentence each, the path last.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum StoreError {
    #[error("{action}: {source}: {}", path.display())]
    Io {
        /// What was being done, as in "cannot read the store".
        action: &'static str,
        source: std::io::Error,
        path: PathBuf,
    },
    /// A folder to write to that holds something else.
    #[error("the folder holds other files and is no feature store; name a new or empty one: {}", .0.display())]
    Foreign(PathBuf),
    /// A folder to read from without `store.toml`.
    #[error("there is no feature store here (no store.toml); make one with `extract`: {}", .0.display())]
    NoStore(PathBuf),
    /// `store.toml` is not what it should be.
    #[error("{reason}: {}", path.display())]
    Header { reason: String, path: PathBuf },
    /// A chunk that is not what was written.
    #[error(
        "the chunk is damaged ({reason}); move it away and run `extract` again, which makes its rows \
         anew: {}", path.display()
    )]
    Chunk { reason: String, path: PathBuf },
    /// A chunk that is gone.
    #[error(
        "a chunk is missing; run `extract` again, which makes its rows anew: {}", .0.display()
    )]
    MissingChunk(PathBuf),
    /// A file that is called as chunks are.
    #[error(
        "the file is no chunk of this store, whose chunks.toml does not name it; move it away: {}",
        .0.display()
    )]
    UnknownChunk(PathBuf),
    /// A store that another tagger made.
    #[error(
        "the store was made with the model `{stored}`, whose {difference} from those of `{given}`; \
         use that model, or another folder: {}", path.display()
    )]
    OtherBundle {
        stored: String,
        given: String,
        /// What differs, as in "tag thresholds differ".
        difference: String,
        path: PathBuf,
    },
    /// Two runs on one store.
    #[error("another run is writing to this store: {}", .0.display())]
    Busy(PathBuf),
    /// A row that does not fit the header.
    #[error("{what} has {found} values where the store's tagger makes {expected}: {}", path.display())]
    Shape { what: &'static str, found: usize, expected: usize, path: PathBuf },
    /// A row with NaN or an infinity.
    #[error("the tagger's numbers for the image are not finite in the store's precision: {}", .0.display())]
    NotFinite(PathBuf),
    /// The model's weights, which the store is to be compared with.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

impl StoreError {
    /// For `map_err`: a fault of the disk.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, source, path }
    }

    /// For `map_err`: a damaged chunk.
    pub(super) fn chunk(path: &Path, reason: impl ToString) -> Self {
        Self::Chunk { reason: reason.to_string(), path: path.to_owned() }
    }
}
