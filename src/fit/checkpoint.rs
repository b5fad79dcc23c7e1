//! Files that a training run is taken up from: whole, or not there.

use std::collections::BTreeMap;
use std::path::Path;

use super::optimizer::NamedTensor;
use crate::bundle::{BundleError, Precision, write_safetensors};

/// Writes tensors to a safetensors file, whole or not at all.
///
/// # Errors
/// If the disk cannot be written.
pub fn write(path: &Path, tensors: &[NamedTensor]) -> Result<(), BundleError> {
    let shapes = tensors.iter().map(|(name, shape, _)| (name.clone(), shape.clone())).collect();
    let values: BTreeMap<&str, &[f32]> =
        tensors.iter().map(|(name, _, values)| (name.as_str(), values.as_slice())).collect();
    write_safetensors(path, &shapes, Precision::Single, |name, _| {
        Ok(values.get(name).map(|values| values.to_vec()).unwrap_or_default())
    })
}
