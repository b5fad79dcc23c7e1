//! What can go wrong between a weights file and a network.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// What can go wrong between a weights file and a network.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum WeightsError {
    /// The file cannot be opened or read.
    #[error("cannot read the weights file: {source}: {}", path.display())]
    Io { source: std::io::Error, path: PathBuf },
    /// The file is neither a PyTorch checkpoint nor safetensors, or is damaged.
    #[error("not a usable PyTorch or safetensors weights file ({reason}): {}", path.display())]
    Malformed { reason: String, path: PathBuf },
    /// A tensor that the network needs is not there.
    #[error("tensor `{name}` {expected:?} is missing; is this a checkpoint of another model? {}", path.display())]
    Missing { name: String, expected: Vec<usize>, path: PathBuf },
    /// A tensor is there with another shape.
    #[error("tensor `{name}` is {found:?}, but the network needs {expected:?}: {}", path.display())]
    Shape { name: String, expected: Vec<usize>, found: Vec<usize>, path: PathBuf },
    /// A tensor holds integers where the network needs real numbers.
    #[error("tensor `{name}` holds {found}, which is not a floating-point type: {}", path.display())]
    Type { name: String, found: String, path: PathBuf },
    /// A tensor holds values that are no numbers.
    #[error(
        "tensor `{name}` holds {count} values that are not finite ({first} is the first); the \
         training that made it diverged, or the file is damaged: {}",
        path.display()
    )]
    NotFinite { name: String, count: usize, first: f32, path: PathBuf },
    /// A tensor holds values that 16 bits cannot hold.
    #[error(
        "tensor `{name}` holds {value}, beyond the largest number of 16 bits (65504); keep 32 \
         bits: {}",
        path.display()
    )]
    Overflow { name: String, value: f32, path: PathBuf },
}

/// That all values of a tensor are finite.
///
/// # Errors
/// If one is infinite or no number.
pub fn check_finite(name: &str, values: &[f32], path: &Path) -> Result<(), WeightsError> {
    let mut strange = values.iter().filter(|value| !value.is_finite());
    let Some(&first) = strange.next() else { return Ok(()) };
    let (name, path) = (name.to_owned(), path.to_owned());
    Err(WeightsError::NotFinite { name, count: 1 + strange.count(), first, path })
}

/// That 16 bits can hold all values of a tensor.
///
/// # Errors
/// If one is beyond the largest number of 16 bits.
pub fn check_half(name: &str, values: &[f32], path: &Path) -> Result<(), WeightsError> {
    let farther = |a: f32, b: &f32| if b.abs() > a.abs() { *b } else { a };
    let value = values.iter().fold(0.0, farther);
    if half::f16::from_f32(value).is_finite() {
        return Ok(());
    }
    Err(WeightsError::Overflow { name: name.to_owned(), value, path: path.to_owned() })
}

pub(super) fn malformed(path: &Path, reason: impl Into<String>) -> WeightsError {
    WeightsError::Malformed { reason: reason.into(), path: path.to_owned() }
}

/// What a file is that was taken for weights, by its first bytes, and what to do about it.
pub(super) fn what_it_is(head: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(head).trim_start().to_ascii_lowercase();
    let starts = |with: &[&str]| with.iter().any(|with| text.starts_with(with));
    if starts(&["version https://git-lfs"]) {
        "a Git LFS pointer that stands for the weights; run `git lfs pull` in its repository, or \
         download the file itself"
    } else if starts(&["<!doctype", "<html", "<?xml", "<head"]) {
        "a web page; download the file itself, not the page about it"
    } else if starts(&["{", "["]) {
        "JSON text; the weights are another file beside it"
    } else if head.starts_with(b"\x1f\x8b") || head.starts_with(b"\xfd7zXZ") {
        "compressed; unpack it first"
    } else if head.starts_with(b"\x89HDF") {
        "HDF5, as TensorFlow writes it; PyTorch's or safetensors weights are needed"
    } else if head.starts_with(b"GGUF") {
        "GGUF, quantised; PyTorch's or safetensors weights are needed"
    } else if head.get(257..262) == Some(b"ustar") {
        "a tar archive; unpack it first"
    } else {
        "it begins like neither"
    }
}
