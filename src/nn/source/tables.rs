//! Safetensors: a JSON table of names, types, shapes and places, then the values.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, Metadata};

use super::bytes::FileBytes;
use super::strided::{ElementType, Storage, Strided};

/// Largest table that is read, in bytes; a model of a thousand tensors has a tenth of a megabyte.
const MAX_TABLE: u64 = 1 << 25;

/// A safetensors file starts with its table's length and then `{`.
pub(super) fn looks_like_safetensors(head: &[u8]) -> bool {
    head.get(8) == Some(&b'{')
}

/// The tensors of a file by name; what it says of itself goes to `notes`.
pub(super) fn tensors(
    file: &FileBytes,
    notes: &mut BTreeMap<String, String>,
) -> Result<BTreeMap<String, Strided>, String> {
    let cut = |_| "the file is cut short".to_owned();
    let length = file.read(0, 8).map_err(cut)?;
    let length = length.as_chunks::<8>().0.first().map_or(0, |b| u64::from_le_bytes(*b));
    if length > MAX_TABLE {
        return Err(format!("its table claims {length} bytes"));
    }
    let table = file.read(8, length as usize).map_err(cut)?;
    let table: Metadata = serde_json::from_slice(&table).map_err(|e| e.to_string())?;
    notes
        .extend(table.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
    let start = 8 + length;
    let held = file.length() - start;
    let tensor = |name: String, info: &safetensors::tensor::TensorInfo| {
        let (from, to) = info.data_offsets;
        let length = to.checked_sub(from).filter(|_| to as u64 <= held);
        let length = length.ok_or_else(|| "the file is cut short".to_owned())?;
        let dtype = element_type(info.dtype);
        let size = info.shape.iter().try_fold(dtype.size(), |n, &d| n.checked_mul(d));
        if size != Some(length) {
            return Err(format!("tensor `{name}` takes {length} bytes for {:?}", info.shape));
        }
        let storage = Storage { start: start + from as u64, length, crc32: None };
        let view = Strided::contiguous(storage, dtype, info.shape.clone());
        let view = view.map_err(|reason| format!("tensor `{name}` {reason}"))?;
        Ok((name, view))
    };
    table.tensors().into_iter().map(|(name, info)| tensor(name, info)).collect()
}

fn element_type(dtype: Dtype) -> ElementType {
    match dtype {
        Dtype::F64 => ElementType::F64,
        Dtype::F32 => ElementType::F32,
        Dtype::F16 => ElementType::F16,
        Dtype::BF16 => ElementType::BF16,
        Dtype::I64 => ElementType::Other("I64", 8),
        Dtype::U64 => ElementType::Other("U64", 8),
        Dtype::I32 => ElementType::Other("I32", 4),
        Dtype::U32 => ElementType::Other("U32", 4),
        Dtype::I16 => ElementType::Other("I16", 2),
        Dtype::U16 => ElementType::Other("U16", 2),
        Dtype::I8 => ElementType::Other("I8", 1),
        Dtype::U8 => ElementType::Other("U8", 1),
        Dtype::BOOL => ElementType::Other("BOOL", 1),
        _ => ElementType::Other("a type of few bits", 1),
    }
}
