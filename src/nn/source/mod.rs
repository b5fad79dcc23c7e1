//! Where weights come from: a published checkpoint, a `.safetensors` file, bytes in memory.
//!
//! Every source is lazy: opening one reads names, types and shapes; a tensor's bytes are read when
//! it is asked for, and nothing is kept. Pickles are read as data, never executed.

mod archive;
mod bytes;
mod error;
mod legacy;
mod machine;
mod names;
mod pickle;
mod strided;
mod tables;
#[cfg(test)]
mod tests;
mod torch;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use bytes::FileBytes;
pub use bytes::SafetensorsBytes;
pub use error::{WeightsError, check_finite, check_half};
use error::{malformed, what_it_is};
use strided::{ElementType, Strided};

/// A tensor's shape and its values in row-major order.
pub type ShapedValues = (Vec<usize>, Vec<f32>);

/// What kind of file a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A safetensors file.
    Safetensors,
    /// What `torch.save` writes.
    Pytorch,
    /// A TorchScript archive, as OpenAI published CLIP.
    TorchScript,
}

/// Tensors of a file, by name.
pub struct Source {
    bytes: FileBytes,
    format: Format,
    /// A network's own, by the names that it has for them.
    tensors: BTreeMap<String, Stored>,
    /// What the file holds besides.
    beside: BTreeMap<String, Stored>,
    /// What a safetensors file says of itself.
    notes: BTreeMap<String, String>,
    /// What the file calls a tensor that a network asks for, for messages.
    published: fn(&str) -> String,
    path: PathBuf,
}

/// A tensor as a network takes it: views of the file, one below the other along the first axis.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    shape: Vec<usize>,
    parts: Vec<Strided>,
}

impl Stored {
    /// The transpose of a matrix.
    pub(super) fn transposed(self) -> Self {
        let mut shape = self.shape;
        shape.reverse();
        Self { shape, parts: self.parts.into_iter().map(Strided::transposed).collect() }
    }

    /// Tensors one below the other; `None` if they have not the same rows.
    pub(super) fn stacked(tensors: Vec<Self>) -> Option<Self> {
        let mut shape = tensors.first()?.shape.clone();
        if tensors.iter().any(|tensor| tensor.shape.get(1..) != shape.get(1..)) {
            return None;
        }
        *shape.first_mut()? = tensors.iter().filter_map(|tensor| tensor.shape.first()).sum();
        Some(Self { shape, parts: tensors.into_iter().flat_map(|tensor| tensor.parts).collect() })
    }
}

impl From<Strided> for Stored {
    fn from(part: Strided) -> Self {
        Self { shape: part.shape().to_vec(), parts: vec![part] }
    }
}

impl Source {
    /// Opens a weights file; its content, not its name, says what it is.
    ///
    /// # Errors
    /// If it cannot be read, or holds no weights.
    pub fn open(path: &Path) -> Result<Self, WeightsError> {
        let io = |source| WeightsError::Io { source, path: path.to_owned() };
        let bytes = FileBytes::open(path).map_err(io)?;
        Self::of_bytes(bytes, path)
    }

    /// A safetensors source over bytes that are already there; `name` stands in for its path.
    ///
    /// # Errors
    /// If it is no safetensors file.
    pub fn from_bytes(bytes: SafetensorsBytes, name: &str) -> Result<Self, WeightsError> {
        Self::of_bytes(FileBytes::Memory(bytes), Path::new(name))
    }

    fn of_bytes(bytes: FileBytes, path: &Path) -> Result<Self, WeightsError> {
        let count = bytes.length().min(512) as usize;
        let head = bytes.read(0, count);
        let head = head.map_err(|source| WeightsError::Io { source, path: path.to_owned() })?;
        let mut notes = BTreeMap::new();
        let (format, found) = if head.starts_with(archive::MAGIC) {
            archive::tensors(&bytes)
        } else if head.starts_with(legacy::MAGIC) {
            legacy::tensors(&bytes).map(|tensors| (Format::Pytorch, tensors))
        } else if tables::looks_like_safetensors(&head) {
            tables::tensors(&bytes, &mut notes).map(|tensors| (Format::Safetensors, tensors))
        } else if count < 8 {
            Err("the file is empty or too short".into())
        } else {
            Err(what_it_is(&head).into())
        }
        .map_err(|reason| malformed(path, reason))?;
        let found = names::unwrapped(found);
        let root = root_of(&found, format, path);
        let (mut tensors, mut beside) = (BTreeMap::new(), BTreeMap::new());
        for (name, tensor) in found {
            match name.strip_prefix(&root) {
                Some(own) => tensors.insert(own.to_owned(), tensor.into()),
                None => beside.insert(name, tensor.into()),
            };
        }
        let path = path.to_owned();
        Ok(Self { bytes, format, tensors, beside, notes, published: str::to_owned, path })
    }

    /// The same tensors under the names that a network has for them; `published` turns those back
    /// into the file's, for messages.
    pub(super) fn renamed(
        mut self,
        rename: impl FnOnce(BTreeMap<String, Stored>) -> BTreeMap<String, Stored>,
        published: fn(&str) -> String,
    ) -> Self {
        self.tensors = rename(self.tensors);
        self.published = published;
        self
    }

    /// The file behind the source.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All its bytes, where they are in memory.
    pub fn in_memory(&self) -> Option<&[u8]> {
        match &self.bytes {
            FileBytes::Memory(bytes) => Some(bytes),
            FileBytes::File { .. } => None,
        }
    }

    /// What kind of file it is.
    pub fn format(&self) -> Format {
        self.format
    }

    /// What a safetensors file says of itself under a key; `None` where it says nothing.
    pub fn note(&self, key: &str) -> Option<&str> {
        self.notes.get(key).map(String::as_str)
    }

    /// All bytes of a safetensors file.
    ///
    /// # Errors
    /// If the file is of another kind, or cannot be read.
    pub fn into_bytes(self) -> Result<SafetensorsBytes, WeightsError> {
        match (self.format, self.bytes) {
            (Format::Safetensors, FileBytes::Memory(bytes)) => Ok(bytes),
            (Format::Safetensors, file) => match file.read(0, file.length() as usize) {
                Ok(bytes) => Ok(SafetensorsBytes::Owned(bytes.into())),
                Err(source) => Err(WeightsError::Io { source, path: self.path }),
            },
            _ => Err(malformed(&self.path, "not a safetensors file")),
        }
    }

    /// The shape of a tensor, if it is there.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.tensors.get(name).map(|tensor| tensor.shape.clone())
    }

    /// Names and shapes of all tensors, sorted by name.
    pub fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        self.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone())).collect()
    }

    /// Whether all real numbers are stored in IEEE's 16 bits, so that a copy needs no more.
    pub fn is_half(&self) -> bool {
        let parts = self.tensors.values().flat_map(|tensor| &tensor.parts);
        let mut floats = parts.map(Strided::dtype).filter(|dtype| dtype.is_float()).peekable();
        floats.peek().is_some() && floats.all(|dtype| dtype == ElementType::F16)
    }

    /// A tensor of a checkpoint, also one that lies outside its weights dictionary (the
    /// projector's `ema`).
    pub fn read_beside(&self, name: &str) -> Option<Result<ShapedValues, WeightsError>> {
        let tensor = self.beside.get(name).or_else(|| self.tensors.get(name))?;
        Some(self.values(name, tensor).map(|values| (tensor.shape.clone(), values)))
    }

    /// Reads a tensor as `f32` in row-major order, whatever its stored type.
    ///
    /// # Errors
    /// If it is missing, has another shape, is not floating-point, holds a value that is not
    /// finite, or cannot be read.
    pub fn read(&self, name: &str, expected: &[usize]) -> Result<Vec<f32>, WeightsError> {
        let Some(tensor) = self.tensors.get(name) else {
            return Err(self.missing(name, expected));
        };
        if tensor.shape != expected {
            return Err(self.misshapen(name, expected));
        }
        self.values(name, tensor)
    }

    /// That a tensor is not there.
    pub(super) fn missing(&self, name: &str, expected: &[usize]) -> WeightsError {
        let (name, expected) = ((self.published)(name), expected.to_vec());
        WeightsError::Missing { name, expected, path: self.path.clone() }
    }

    /// That a tensor has another shape.
    pub(super) fn misshapen(&self, name: &str, expected: &[usize]) -> WeightsError {
        WeightsError::Shape {
            name: (self.published)(name),
            expected: expected.to_vec(),
            found: self.shape(name).unwrap_or_default(),
            path: self.path.clone(),
        }
    }

    fn values(&self, name: &str, tensor: &Stored) -> Result<Vec<f32>, WeightsError> {
        let mut values = Vec::new();
        for part in &tensor.parts {
            let read = self.part(name, part)?;
            // Most tensors are one part, which need not be copied.
            match values.is_empty() {
                true => values = read,
                false => values.extend(read),
            }
        }
        check_finite(&(self.published)(name), &values, &self.path)?;
        Ok(values)
    }

    fn part(&self, name: &str, part: &Strided) -> Result<Vec<f32>, WeightsError> {
        if !part.dtype().is_float() {
            return Err(WeightsError::Type {
                name: name.to_owned(),
                found: part.dtype().name().to_owned(),
                path: self.path.clone(),
            });
        }
        let (start, count) = part.bytes();
        let cut = || malformed(&self.path, "the file is cut short");
        // Before memory is asked for: a damaged file may claim any size.
        let is_held = start.checked_add(count as u64).is_some_and(|end| end <= self.bytes.length());
        if !is_held {
            return Err(cut());
        }
        let mut held = Vec::with_capacity(part.held());
        let mut sum = crc32fast::Hasher::new();
        let read = self.bytes.for_each_piece(start, count, |piece| {
            if part.crc32().is_some() {
                sum.update(piece);
            }
            part.append(piece, &mut held);
        });
        read.map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => cut(),
            _ => WeightsError::Io { source, path: self.path.clone() },
        })?;
        if part.crc32().is_some_and(|expected| expected != sum.finalize()) {
            let reason = format!("tensor `{name}` does not match its checksum");
            return Err(malformed(&self.path, reason));
        }
        Ok(part.in_order(held))
    }
}

/// The prefix of the weights in a file; says which are left where there are several to choose from.
fn root_of(found: &BTreeMap<String, Strided>, format: Format, path: &Path) -> String {
    let mut roots = names::roots(found).into_iter();
    let Some(root) = roots.next() else {
        // Safetensors has no dictionaries.
        return match format {
            Format::Safetensors => String::new(),
            _ => names::dictionary(found).unwrap_or_default(),
        };
    };
    let others: Vec<String> = roots.filter(|other| !names::is_average(other)).collect();
    if !root.is_empty() && !others.is_empty() {
        let others = others.join(", ");
        log::warn!("weights are taken from {root}, and not from {others}: {}", path.display());
    }
    root
}
