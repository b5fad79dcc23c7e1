//! A model as a session's file names it.

use serde::{Deserialize, Serialize};

use super::saved_path::SavedPath;

/// The model that a session was judged by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SavedModel {
    /// What names it on the command line, the device with it; paths are whole.
    pub named: Vec<SavedPath>,
    /// A hash of its files; `None` for an embedded one, and for one that was never there.
    pub content: Option<String>,
}
