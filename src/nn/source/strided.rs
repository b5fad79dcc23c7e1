//! A tensor as files keep it: a strided view of a run of bytes.

use std::ops::Range;

use half::{bf16, f16};

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ElementType {
    F64,
    F32,
    F16,
    BF16,
    /// Anything else, by its name and size in bytes: not a weight.
    Other(&'static str, usize),
}

impl ElementType {
    pub(super) fn size(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Other(_, size) => size,
        }
    }

    pub(super) fn is_float(self) -> bool {
        !matches!(self, Self::Other(..))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::F64 => "F64",
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Other(name, _) => name,
        }
    }

    /// Appends values as `f32`; none where they are no real numbers.
    fn append(self, bytes: &[u8], values: &mut Vec<f32>) {
        match self {
            Self::F64 => from_le(bytes, values, |b| f64::from_le_bytes(b) as f32),
            Self::F32 => from_le(bytes, values, f32::from_le_bytes),
            Self::F16 => from_le(bytes, values, |b| f16::from_le_bytes(b).to_f32()),
            Self::BF16 => from_le(bytes, values, |b| bf16::from_le_bytes(b).to_f32()),
            Self::Other(..) => {}
        }
    }
}

fn from_le<const N: usize>(bytes: &[u8], values: &mut Vec<f32>, value: impl Fn([u8; N]) -> f32) {
    values.extend(bytes.as_chunks::<N>().0.iter().map(|chunk| value(*chunk)));
}

/// A run of bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Storage {
    /// Where it begins, in bytes from the file's start.
    pub(super) start: u64,
    /// Its length in bytes.
    pub(super) length: usize,
    /// The checksum of all of it, where the file has one.
    pub(super) crc32: Option<u32>,
}

/// A view of a storage; strides count elements.
#[derive(Clone, Debug)]
pub(super) struct Strided {
    storage: Storage,
    dtype: ElementType,
    shape: Vec<usize>,
    strides: Vec<usize>,
    /// The elements that it touches, first to last.
    span: Range<usize>,
}

/// Most elements that a view may repeat its storage to: a file cannot ask for more memory than it
/// is large, but for this much.
const MAX_REPEATED: usize = 1 << 24;

impl Strided {
    /// A view, if it stays inside its storage.
    pub(super) fn new(
        storage: Storage,
        dtype: ElementType,
        offset: usize,
        shape: Vec<usize>,
        strides: Vec<usize>,
    ) -> Result<Self, &'static str> {
        if strides.len() != shape.len() {
            return Err("has as many strides as it has not dimensions");
        }
        let count = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let count = count.ok_or("is too large")?;
        let held = storage.length / dtype.size().max(1);
        let last = shape.iter().zip(&strides).try_fold(offset, |at, (&extent, &stride)| {
            at.checked_add(extent.saturating_sub(1).checked_mul(stride)?)
        });
        let span = match (count, last) {
            (0, _) => offset..offset,
            (_, Some(last)) if last < held => offset..last + 1,
            _ => return Err("reaches beyond its storage"),
        };
        if count > held.max(MAX_REPEATED) {
            return Err("repeats its values too often");
        }
        Ok(Self { storage, dtype, shape, strides, span })
    }

    /// A view of all of a storage in row-major order.
    pub(super) fn contiguous(
        storage: Storage,
        dtype: ElementType,
        shape: Vec<usize>,
    ) -> Result<Self, &'static str> {
        let mut strides = vec![1usize; shape.len()];
        for at in (1..shape.len()).rev() {
            strides[at - 1] = strides[at].checked_mul(shape[at]).ok_or("is too large")?;
        }
        Self::new(storage, dtype, 0, shape, strides)
    }

    pub(super) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(super) fn dtype(&self) -> ElementType {
        self.dtype
    }

    /// The same values with their two dimensions exchanged.
    pub(super) fn transposed(mut self) -> Self {
        self.shape.reverse();
        self.strides.reverse();
        self
    }

    /// Where its bytes lie in the file: start and length.
    pub(super) fn bytes(&self) -> (u64, usize) {
        let size = self.dtype.size();
        (self.storage.start + (self.span.start * size) as u64, self.span.len() * size)
    }

    /// The checksum of its bytes, where they are all of a storage that has one.
    pub(super) fn crc32(&self) -> Option<u32> {
        let whole = self.bytes() == (self.storage.start, self.storage.length);
        self.storage.crc32.filter(|_| whole)
    }

    /// Appends what its bytes hold, in the order of the file; nothing where they are no real
    /// numbers.
    pub(super) fn append(&self, bytes: &[u8], values: &mut Vec<f32>) {
        self.dtype.append(bytes, values);
    }

    /// Number of values that its bytes hold.
    pub(super) fn held(&self) -> usize {
        self.span.len()
    }

    /// Its values in row-major order from those that its bytes hold.
    pub(super) fn in_order(&self, held: Vec<f32>) -> Vec<f32> {
        if self.is_contiguous() {
            return held;
        }
        let count = self.shape.iter().product();
        let mut gathered = Vec::with_capacity(count);
        let mut index = vec![0; self.shape.len()];
        let mut at = 0;
        while gathered.len() < count {
            gathered.push(held[at]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                at += self.strides[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= index[axis] * self.strides[axis];
                index[axis] = 0;
            }
        }
        gathered
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&extent, &stride)| {
            let fits = extent <= 1 || stride == expected;
            expected *= extent;
            fits
        })
    }
}
