//! Where weights come from: a published `.pth`, a `.safetensors` file, bytes in memory.
//!
//! Every source is lazy: opening one reads names, types and shapes; a tensor's bytes are read when
//! it is asked for, and nothing is kept. Pickles are parsed by `pytorch-reader`, never executed.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use half::{bf16, f16};
use memmap2::Mmap;
use pytorch_reader::{DType, PytorchError, PytorchReader};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, Metadata};
use thiserror::Error;

/// What can go wrong between a weights file and a network.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The file cannot be opened or read.
    #[error("cannot read the weights file: {source}: {}", path.display())]
    Io {
        /// What the system said.
        source: std::io::Error,
        /// The file.
        path: PathBuf,
    },
    /// The file is neither a PyTorch checkpoint nor safetensors, or is damaged.
    #[error("not a usable PyTorch or safetensors weights file ({reason}): {}", path.display())]
    Malformed {
        /// What is wrong with it.
        reason: String,
        /// The file.
        path: PathBuf,
    },
    /// A tensor that the network needs is not there.
    #[error("tensor `{name}` {expected:?} is missing; is this a checkpoint of another model? {}", path.display())]
    Missing {
        /// Its full name.
        name: String,
        /// The shape the network needs.
        expected: Vec<usize>,
        /// The file.
        path: PathBuf,
    },
    /// A tensor is there with another shape.
    #[error("tensor `{name}` is {found:?}, but the network needs {expected:?}: {}", path.display())]
    Shape {
        /// Its full name.
        name: String,
        /// The shape the network needs.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
        /// The file.
        path: PathBuf,
    },
    /// A tensor holds integers where the network needs real numbers.
    #[error("tensor `{name}` holds {found}, which is not a floating-point type: {}", path.display())]
    Type {
        /// Its full name.
        name: String,
        /// The element type in the file.
        found: String,
        /// The file.
        path: PathBuf,
    },
}

/// A tensor's shape and its values in row-major order.
pub type ShapedValues = (Vec<usize>, Vec<f32>);

/// Tensors of a file, by name.
pub enum Source {
    /// A PyTorch checkpoint; names are relative to its `model` (or other) dictionary.
    Pytorch {
        /// The parsed checkpoint.
        reader: PytorchReader,
        /// The prefix that all tensors of this source carry in the file, with its dot.
        root: String,
        /// The file.
        path: PathBuf,
    },
    /// A safetensors file, mapped or in memory.
    Safetensors {
        /// The file's bytes.
        bytes: SafetensorsBytes,
        /// The parsed header.
        metadata: Metadata,
        /// Where the tensors' bytes begin.
        data_start: usize,
        /// The file, or a name for it.
        path: PathBuf,
    },
}

/// The bytes behind a safetensors source.
pub enum SafetensorsBytes {
    /// A mapped file.
    Mapped(Mmap),
    /// Part of the binary.
    Static(&'static [u8]),
    /// Read or made at run time.
    Owned(Arc<[u8]>),
}

impl std::ops::Deref for SafetensorsBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Static(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// Dictionaries in which published checkpoints keep their weights.
const WEIGHT_KEYS: [&str; 4] = ["model", "projector", "state_dict", "module"];

impl Source {
    /// Opens a weights file; its content, not its name, says what it is.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let io = |source| WeightsError::Io { source, path: path.to_owned() };
        let file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if metadata.is_dir() {
            return Err(malformed(path, "it is a folder"));
        }
        if metadata.len() < 8 {
            return Err(malformed(path, "the file is empty or too short"));
        }
        let map = map_file(&file).map_err(io)?;
        if looks_like_safetensors(&map) {
            Self::safetensors(SafetensorsBytes::Mapped(map), path)
        } else {
            Self::pytorch(path)
        }
    }

    /// A safetensors source over bytes that are already there; `name` stands in for its path.
    pub fn from_bytes(bytes: SafetensorsBytes, name: &str) -> Result<Self, WeightsError> {
        Self::safetensors(bytes, Path::new(name))
    }

    fn safetensors(bytes: SafetensorsBytes, path: &Path) -> Result<Self, WeightsError> {
        let (header, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|e| malformed(path, &e.to_string()))?;
        let data_start = header + 8;
        Ok(Self::Safetensors { bytes, metadata, data_start, path: path.to_owned() })
    }

    fn pytorch(path: &Path) -> Result<Self, WeightsError> {
        let reader = PytorchReader::new(path).map_err(|e| match e {
            PytorchError::Io(source) if source.kind() != std::io::ErrorKind::InvalidData => {
                WeightsError::Io { source, path: path.to_owned() }
            }
            other => malformed(path, &other.to_string()),
        })?;
        let root = WEIGHT_KEYS
            .iter()
            .map(|key| format!("{key}."))
            .find(|root| reader.tensors().keys().any(|name| name.starts_with(root)))
            .unwrap_or_default();
        Ok(Self::Pytorch { reader, root, path: path.to_owned() })
    }

    /// The file behind the source.
    pub fn path(&self) -> &Path {
        match self {
            Self::Pytorch { path, .. } | Self::Safetensors { path, .. } => path,
        }
    }

    /// What a safetensors file says of itself under a key; `None` where it says nothing.
    pub fn note(&self, key: &str) -> Option<&str> {
        let Self::Safetensors { metadata, .. } = self else { return None };
        metadata.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// The shape of a tensor, if it is there.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        match self {
            Self::Pytorch { reader, root, .. } => {
                reader.get(&format!("{root}{name}")).map(|t| t.shape().to_vec())
            }
            Self::Safetensors { metadata, .. } => metadata.info(name).map(|t| t.shape.clone()),
        }
    }

    /// Names and shapes of all tensors, sorted by name.
    pub fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        match self {
            Self::Pytorch { reader, root, .. } => reader
                .tensors()
                .iter()
                .filter_map(|(name, t)| {
                    Some((name.strip_prefix(root)?.to_owned(), t.shape().to_vec()))
                })
                .collect(),
            Self::Safetensors { metadata, .. } => {
                metadata.tensors().into_iter().map(|(name, t)| (name, t.shape.clone())).collect()
            }
        }
    }

    /// A tensor of a checkpoint that lies outside its weights dictionary (the projector's `ema`).
    pub fn read_beside(&self, name: &str) -> Option<Result<ShapedValues, WeightsError>> {
        let Self::Pytorch { reader, path, .. } = self else {
            let shape = self.shape(name)?;
            return Some(self.read(name, &shape).map(|values| (shape, values)));
        };
        let tensor = reader.get(name)?;
        Some(pytorch_values(tensor, path).map(|values| (tensor.shape().to_vec(), values)))
    }

    /// Reads a tensor as `f32` in row-major order, whatever its stored type.
    ///
    /// # Errors
    /// If it is missing, has another shape, is not floating-point, or cannot be read.
    pub fn read(&self, name: &str, expected: &[usize]) -> Result<Vec<f32>, WeightsError> {
        let path = self.path().to_owned();
        let found = self.shape(name).ok_or_else(|| WeightsError::Missing {
            name: name.to_owned(),
            expected: expected.to_vec(),
            path: path.clone(),
        })?;
        if found != expected {
            let (name, expected) = (name.to_owned(), expected.to_vec());
            return Err(WeightsError::Shape { name, expected, found, path });
        }
        match self {
            Self::Pytorch { reader, root, .. } => match reader.get(&format!("{root}{name}")) {
                Some(tensor) => pytorch_values(tensor, &path),
                None => Err(malformed(&path, "its index changed while it was read")),
            },
            Self::Safetensors { bytes, metadata, data_start, .. } => {
                let Some(info) = metadata.info(name) else {
                    return Err(malformed(&path, "its index changed while it was read"));
                };
                let (from, to) = info.data_offsets;
                let raw = bytes
                    .get(data_start + from..data_start + to)
                    .ok_or_else(|| malformed(&path, "the file is cut short"))?;
                safetensors_values(raw, info.dtype).ok_or_else(|| WeightsError::Type {
                    name: name.to_owned(),
                    found: format!("{:?}", info.dtype),
                    path,
                })
            }
        }
    }
}

fn malformed(path: &Path, reason: &str) -> WeightsError {
    WeightsError::Malformed { reason: reason.to_owned(), path: path.to_owned() }
}

/// A safetensors file starts with its header's length and then `{`.
fn looks_like_safetensors(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return false };
    rest.first() == Some(&b'{') && u64::from_le_bytes(*length) <= rest.len() as u64
}

#[allow(unsafe_code)]
fn map_file(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is read only. If another program shortens the file while it is mapped, reads
    // past its new end fault; weights files are not rewritten in place by this program.
    unsafe { Mmap::map(file) }
}

fn pytorch_values(tensor: &pytorch_reader::Tensor, path: &Path) -> Result<Vec<f32>, WeightsError> {
    let wrong_type = |dtype: DType| WeightsError::Type {
        name: tensor.name.clone(),
        found: format!("{dtype:?}"),
        path: path.to_owned(),
    };
    if !matches!(tensor.dtype(), DType::F32 | DType::F16 | DType::BF16 | DType::F64) {
        return Err(wrong_type(tensor.dtype()));
    }
    let bytes = tensor.read().map_err(|source| match source.kind() {
        std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof => {
            malformed(path, &source.to_string())
        }
        _ => WeightsError::Io { source, path: path.to_owned() },
    })?;
    Ok(match tensor.dtype() {
        DType::F16 => from_le(&bytes, |b| f16::from_le_bytes(b).to_f32()),
        DType::BF16 => from_le(&bytes, |b| bf16::from_le_bytes(b).to_f32()),
        DType::F64 => from_le(&bytes, |b| f64::from_le_bytes(b) as f32),
        _ => from_le(&bytes, f32::from_le_bytes),
    })
}

fn safetensors_values(bytes: &[u8], dtype: Dtype) -> Option<Vec<f32>> {
    Some(match dtype {
        Dtype::F32 => from_le(bytes, f32::from_le_bytes),
        Dtype::F16 => from_le(bytes, |b| f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => from_le(bytes, |b| bf16::from_le_bytes(b).to_f32()),
        Dtype::F64 => from_le(bytes, |b| f64::from_le_bytes(b) as f32),
        _ => return None,
    })
}

fn from_le<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| value(*chunk)).collect()
}
