//! Reading a matrix of features: NumPy's `.npy` or safetensors.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

use crate::fs;

/// The largest file that is read, in bytes: eight million points of 512 dimensions.
const MAX_BYTES: u64 = 1 << 34;

/// Features `[n, d]`, row by row.
#[derive(Debug)]
pub(super) struct FeatureMatrix {
    /// The values; f64 is rounded to f32.
    pub values: Vec<f32>,
    /// Points.
    pub n: usize,
    /// Dimensions of each.
    pub d: usize,
}

/// Reads the file by its extension.
///
/// # Errors
///
/// A file that cannot be read, another extension, or anything but one matrix of floats.
pub(super) fn read(path: &Path) -> Result<FeatureMatrix> {
    let name = path.display();
    let parse = match path.extension().and_then(|extension| extension.to_str()) {
        Some("npy") => from_npy,
        Some("safetensors") => from_safetensors,
        _ => bail!("features are read from .npy or .safetensors files, not from {name}"),
    };
    let bytes = fs::read(path, MAX_BYTES).with_context(|| format!("cannot read {name}"))?;
    parse(&bytes).with_context(|| format!("no matrix of features in {name}"))
}

/// How an npy file stores a value.
#[derive(Clone, Copy)]
struct NpyType {
    /// Bytes of a value: a float of 2, 4 or 8.
    width: usize,
    big_endian: bool,
}

impl NpyType {
    fn of_descr(descr: &str) -> Result<Self> {
        let known =
            "half, single and double floats ('<f2', '<f4', '<f8', '>f2', '>f4', '>f8') are known";
        let (order, kind) = descr.split_at_checked(1).unwrap_or_default();
        let width = match kind {
            "f2" => 2,
            "f4" => 4,
            "f8" => 8,
            _ => bail!("values of type {descr}; {known}"),
        };
        match order {
            "<" => Ok(Self { width, big_endian: false }),
            ">" => Ok(Self { width, big_endian: true }),
            _ => bail!("values of type {descr}; {known}"),
        }
    }

    /// Values in the order of the file.
    fn values(self, data: &[u8]) -> Vec<f32> {
        let Self { width, big_endian } = self;
        match width {
            2 => each(data, big_endian, |bytes| f16::from_le_bytes(bytes).to_f32()),
            4 => each(data, big_endian, f32::from_le_bytes),
            _ => each(data, big_endian, |bytes| f64::from_le_bytes(bytes) as f32),
        }
    }
}

/// Values of N bytes, by a function that takes the least significant byte first.
fn each<const N: usize>(data: &[u8], big_endian: bool, value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let in_order = |&(mut bytes): &[u8; N]| {
        if big_endian {
            bytes.reverse();
        }
        value(bytes)
    };
    data.as_chunks::<N>().0.iter().map(in_order).collect()
}

/// The `.npy` format, versions 1 to 3: magic, version, length of the header, a Python dictionary, the
/// values row by row or column by column.
fn from_npy(bytes: &[u8]) -> Result<FeatureMatrix> {
    let rest = bytes.strip_prefix(b"\x93NUMPY").context("not an npy file: its magic is missing")?;
    let (length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (u16::from_le_bytes([*a, *b]) as usize, rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        [major, minor, ..] if !(1..=3).contains(major) => {
            bail!("npy version {major}.{minor}; versions 1 to 3 are known")
        }
        _ => bail!("the npy file ends within its header"),
    };
    let (header, data) =
        rest.split_at_checked(length).context("the npy file ends within its header")?;
    let header = std::str::from_utf8(header).context("the npy header is not text")?;
    let kind = NpyType::of_descr(entry(header, "descr")?.trim_matches(['\'', '"']))?;
    let by_column = match entry(header, "fortran_order")? {
        "False" => false,
        "True" => true,
        other => bail!("the order of the values is {other}, neither True nor False"),
    };
    let shape = entry(header, "shape")?;
    let sides = shape.trim_matches(['(', ')']).split(',').map(str::trim);
    let sides: Result<Vec<usize>, _> =
        sides.filter(|side| !side.is_empty()).map(str::parse).collect();
    let sides = sides.with_context(|| format!("the shape {shape} is not understood"))?;
    let (n, d) = matrix(&sides)?;
    let wanted = n.checked_mul(d).and_then(|count| count.checked_mul(kind.width));
    ensure!(
        wanted == Some(data.len()),
        "{} bytes of values do not make a matrix of shape {shape}",
        data.len()
    );
    let values = kind.values(data);
    let values = match by_column {
        false => values,
        true => (0..n).flat_map(|row| values.iter().skip(row).step_by(n).copied()).collect(),
    };
    Ok(FeatureMatrix { values, n, d })
}

/// The text of a value in the header's dictionary.
fn entry<'a>(header: &'a str, key: &str) -> Result<&'a str> {
    let missing = || format!("the npy header has no {key}");
    let quoted = [format!("'{key}'"), format!("\"{key}\"")];
    let found = quoted.iter().find_map(|quoted| header.split_once(quoted.as_str()));
    let (_, rest) = found.with_context(missing)?;
    let value = rest.trim_start().strip_prefix(':').with_context(missing)?.trim_start();
    let end = match value.strip_prefix('(') {
        Some(tuple) => tuple.find(')').map(|at| at + 2),
        None => value.find([',', '}']),
    };
    value.get(..end.with_context(missing)?).map(str::trim).with_context(missing)
}

/// The tensor `features`, or the only matrix there is.
fn from_safetensors(bytes: &[u8]) -> Result<FeatureMatrix> {
    let tensors = SafeTensors::deserialize(bytes).context("not a safetensors file")?;
    let tensor = match tensors.tensor("features") {
        Ok(tensor) => tensor,
        Err(_) => {
            let mut matrices = tensors.iter().filter(|(_, tensor)| tensor.shape().len() == 2);
            match (matrices.next(), matrices.next()) {
                (Some((_, tensor)), None) => tensor,
                (None, _) => bail!("it holds no tensor with two dimensions"),
                _ => bail!("it holds several matrices, none of which is named `features`"),
            }
        }
    };
    let (n, d) = matrix(tensor.shape())?;
    let data = tensor.data();
    let values = match tensor.dtype() {
        Dtype::F32 => data.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        Dtype::F64 => data.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32).collect(),
        Dtype::F16 => data.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
        Dtype::BF16 => {
            data.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()).collect()
        }
        other => bail!("values of type {other:?}; F16, BF16, F32 and F64 are known"),
    };
    Ok(FeatureMatrix { values, n, d })
}

fn matrix(shape: &[usize]) -> Result<(usize, usize)> {
    match shape {
        [n, 0] if *n > 0 => bail!("the {n} points have no values"),
        [n, d] => Ok((*n, *d)),
        _ => bail!("features have two dimensions, points and values, but the shape is {shape:?}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::damage::{damaged, fuzz, one_sentence};

    fn npy(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([version, 0]);
        match version {
            1 => bytes.extend((header.len() as u16).to_le_bytes()),
            _ => bytes.extend((header.len() as u32).to_le_bytes()),
        }
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn npy_in_both_versions_and_widths() {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n";
        let data: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
        for version in [1, 2] {
            let features = from_npy(&npy(version, header, &data)).unwrap();
            assert_eq!((features.n, features.d), (2, 3));
            assert_eq!(features.values, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        }
        let header = header.replace("<f4", "<f8").replace("(2, 3)", "(1, 2)");
        let data: Vec<u8> = [0.25_f64, -4.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(from_npy(&npy(1, &header, &data)).unwrap().values, [0.25, -4.0]);
    }

    #[test]
    fn npy_in_other_orders_of_values_and_bytes() {
        let header = "{'descr': '>f2', 'fortran_order': True, 'shape': (2, 3), }";
        // [[0, 1, 2], [3, 4, 5]], column by column.
        let values = [0.0, 3.0, 1.0, 4.0, 2.0, 5.0];
        let row_by_row = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        let data: Vec<u8> =
            values.iter().flat_map(|&value| f16::from_f32(value).to_be_bytes()).collect();
        assert_eq!(from_npy(&npy(3, header, &data)).unwrap().values, row_by_row);
        let header = header.replace(">f2", ">f8");
        let data: Vec<u8> =
            values.iter().flat_map(|&value| f64::from(value).to_be_bytes()).collect();
        assert_eq!(from_npy(&npy(2, &header, &data)).unwrap().values, row_by_row);
    }

    #[test]
    fn npy_that_is_no_matrix_of_floats_is_refused_with_the_reason() {
        let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
        let refused = |header: &str, data: &[u8]| {
            format!("{:#}", from_npy(&npy(1, header, data)).unwrap_err())
        };
        assert!(refused(good, &[0; 23]).contains("23 bytes"));
        assert!(refused(&good.replace("False", "0"), &[0; 24]).contains("neither True nor False"));
        assert!(refused(&good.replace("<f4", "f"), &[0; 24]).contains("half, single and double"));
        assert!(from_npy(b"\x93NUMPY\x04\x00").unwrap_err().to_string().contains("version 4.0"));
        assert!(refused(&good.replace("<f4", "<i8"), &[0; 24]).contains("<i8"));
        assert!(refused(&good.replace("(2, 3)", "(6,)"), &[0; 24]).contains("two dimensions"));
        assert!(refused(&good.replace("(2, 3)", "(2, -3)"), &[0; 24]).contains("(2, -3)"));
        assert!(refused(&good.replace("shape", "form"), &[0; 24]).contains("shape"));
        let huge = format!("({}, {})", usize::MAX, usize::MAX);
        assert!(refused(&good.replace("(2, 3)", &huge), &[0; 24]).contains("bytes"));
        let whole = npy(1, good, &[0; 24]);
        for cut in 0..whole.len() {
            assert!(from_npy(&whole[..cut]).is_err(), "cut to {cut} bytes");
        }
    }

    #[test]
    fn damaged_files_are_read_or_refused() {
        use safetensors::tensor::{TensorView, serialize};
        let header = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }   \n";
        let view = TensorView::new(Dtype::F32, vec![2, 3], &[7; 24]).unwrap();
        let files = prop_oneof![
            damaged(npy(1, header, &[7; 24])),
            damaged(serialize([("features", view)], None).unwrap()),
        ];
        fuzz(4000, files, |bytes| {
            for parse in [from_npy, from_safetensors] {
                match parse(&bytes) {
                    Ok(features) => {
                        prop_assert_eq!(features.values.len(), features.n * features.d);
                    }
                    Err(error) => one_sentence(&format!("{error:#}"), "")?,
                }
            }
            Ok(())
        });
    }

    #[test]
    fn safetensors_by_name_or_as_the_only_matrix() {
        use safetensors::tensor::{TensorView, serialize};
        let data: Vec<u8> = [1.0_f32, 2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let view = |shape: Vec<usize>| TensorView::new(Dtype::F32, shape, &data).unwrap();
        let read =
            |tensors: Vec<(&str, TensorView)>| from_safetensors(&serialize(tensors, None).unwrap());
        let named = read(vec![("a", view(vec![2, 1])), ("features", view(vec![1, 2]))]).unwrap();
        assert_eq!((named.n, named.d, named.values), (1, 2, vec![1.0, 2.0]));
        let only = read(vec![("a", view(vec![2])), ("b", view(vec![2, 1]))]).unwrap();
        assert_eq!((only.n, only.d), (2, 1));
        assert!(read(vec![("a", view(vec![2, 1])), ("b", view(vec![2, 1]))]).is_err());
        assert!(read(vec![("a", view(vec![2]))]).is_err());
    }
}
