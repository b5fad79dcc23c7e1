//! Files that a training run is taken up from: whole, or not there.

use std::collections::BTreeMap;
use std::path::Path;

use super::optimizer::NamedTensor;
use crate::bundle::{BundleError, Precision, write_safetensors};

/// Writes tensors to a safetensors file under a temporary name, then renames it, so that a kill
/// leaves the old file or the new one.
///
/// # Errors
/// If the disk cannot be written.
pub fn write(path: &Path, tensors: &[NamedTensor]) -> Result<(), BundleError> {
    let shapes = tensors.iter().map(|(name, shape, _)| (name.clone(), shape.clone())).collect();
    let values: BTreeMap<&str, &[f32]> =
        tensors.iter().map(|(name, _, values)| (name.as_str(), values.as_slice())).collect();
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let io = |source| BundleError::Io {
        action: "cannot keep the state of the training",
        source,
        path: path.to_owned(),
    };
    write_safetensors(&temporary, &shapes, Precision::Single, |name, _| {
        Ok(values.get(name).map(|values| values.to_vec()).unwrap_or_default())
    })
    .and_then(|()| std::fs::rename(&temporary, path).map_err(io))
    .inspect_err(|_| {
        // The error that matters is the first.
        drop(std::fs::remove_file(&temporary));
    })
}
