//! Files of arrays: npy, npz, safetensors. A name is a column.

use std::io::{Cursor, Read as _};

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};
use zip::ZipArchive;

use super::{Column, MAX_BYTES, npy};

/// The one array of an npy file, called by the file's name.
///
/// # Errors
/// What is wrong with it.
pub(super) fn npy(bytes: &[u8], stem: &str) -> Result<Vec<(String, Column)>, String> {
    Ok(vec![(stem.to_owned(), npy::column(bytes)?)])
}

/// The arrays of an npz file.
///
/// # Errors
/// What is wrong with it.
pub(super) fn npz(bytes: &[u8]) -> Result<Vec<(String, Column)>, String> {
    let fault = |error: zip::result::ZipError| format!("it is no whole npz file ({error})");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(fault)?;
    let mut columns = Vec::new();
    let mut left = MAX_BYTES;
    for at in 0..archive.len() {
        let entry = archive.by_index(at).map_err(fault)?;
        let name = entry.name().map_err(fault)?.into_owned();
        let Some(name) = name.strip_suffix(".npy") else { continue };
        // What a packed array says of its size is not believed.
        let mut array = Vec::new();
        entry
            .take(left.saturating_add(1))
            .read_to_end(&mut array)
            .map_err(|error| format!("`{name}` cannot be unpacked ({error})"))?;
        left = left.checked_sub(array.len() as u64).ok_or("its arrays are too large together")?;
        let column = npy::column(&array).map_err(|reason| format!("`{name}`: {reason}"))?;
        columns.push((name.to_owned(), column));
    }
    Ok(columns)
}

/// The tensors of a safetensors file.
///
/// # Errors
/// What is wrong with it.
pub(super) fn safetensors(bytes: &[u8]) -> Result<Vec<(String, Column)>, String> {
    let tensors = SafeTensors::deserialize(bytes)
        .map_err(|error| format!("it is no whole safetensors file ({error})"))?;
    let column = |(name, tensor): (&str, safetensors::tensor::TensorView<'_>)| {
        let values = values(tensor.dtype(), tensor.data())
            .map_err(|reason| format!("`{name}`: {reason}"))?;
        let column = match tensor.shape() {
            [_] => Column::Numbers(values),
            &[_, width] if width > 0 => {
                Column::Rows { width, values: values.into_iter().map(|v| v as f32).collect() }
            }
            &[n, 0] if n > 0 => return Err(format!("`{name}`: the {n} points have no values")),
            shape => {
                return Err(format!(
                    "`{name}`: a column has one or two dimensions, but the shape is {shape:?}"
                ));
            }
        };
        Ok((name.to_owned(), column))
    };
    tensors.iter().map(column).collect()
}

/// Values of a tensor.
fn values(dtype: Dtype, data: &[u8]) -> Result<Vec<f64>, String> {
    fn each<const N: usize>(data: &[u8], value: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        data.as_chunks::<N>().0.iter().map(|&bytes| value(bytes)).collect()
    }
    Ok(match dtype {
        Dtype::F64 => each(data, f64::from_le_bytes),
        Dtype::F32 => each(data, |bytes| f32::from_le_bytes(bytes).into()),
        Dtype::F16 => each(data, |bytes| f16::from_le_bytes(bytes).into()),
        Dtype::BF16 => each(data, |bytes| bf16::from_le_bytes(bytes).into()),
        Dtype::I64 => each(data, |bytes| i64::from_le_bytes(bytes) as f64),
        Dtype::I32 => each(data, |bytes| i32::from_le_bytes(bytes).into()),
        Dtype::I16 => each(data, |bytes| i16::from_le_bytes(bytes).into()),
        Dtype::I8 => each(data, |bytes| i8::from_le_bytes(bytes).into()),
        Dtype::U8 | Dtype::BOOL => each(data, |bytes| u8::from_le_bytes(bytes).into()),
        other => return Err(format!("values of type {other:?} are not read")),
    })
}
