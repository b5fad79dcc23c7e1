//! Files that a training run is taken up from: whole, or not there.

use std::collections::BTreeMap;
use std::path::Path;

use super::optimizer::NamedTensor;
use crate::bundle::{BundleError, Precision, write_safetensors};
use crate::nn::source::{SafetensorsBytes, Source, WeightsError};

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

/// Tensors in memory as a source.
///
/// # Errors
/// If two have one name.
pub fn in_memory(tensors: &[NamedTensor]) -> Result<Source, WeightsError> {
    const NAME: &str = "weights in memory";
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, v)| v.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let malformed = |error: safetensors::SafeTensorError| WeightsError::Malformed {
        reason: error.to_string(),
        path: NAME.into(),
    };
    let mut views = Vec::new();
    for ((name, shape, _), bytes) in tensors.iter().zip(&bytes) {
        let dtype = safetensors::Dtype::F32;
        let view = safetensors::tensor::TensorView::new(dtype, shape.clone(), bytes);
        views.push((name, view.map_err(malformed)?));
    }
    let file = safetensors::serialize(views, None).map_err(malformed)?;
    Source::from_bytes(SafetensorsBytes::Owned(file.into()), NAME)
}
