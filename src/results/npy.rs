//! One array of NumPy's: `.npy`, versions 1 to 3.

use half::f16;

use super::Column;

/// Letters in a text of an array, at most.
const MAX_LETTERS: usize = 1 << 16;

/// What an array holds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Bool,
    Float(usize),
    Signed(usize),
    Unsigned(usize),
    /// UTF-32 of so many letters, filled up with zeros.
    Letters(usize),
    /// So many bytes, filled up with zeros.
    Bytes(usize),
}

impl Kind {
    /// Of a type as NumPy writes it, as in `<f4`, and whether the most significant byte is first.
    fn of(descr: &str) -> Result<(Self, bool), String> {
        let unknown = || {
            format!(
                "values of type {descr}; half, single and double floats, integers, booleans and text \
                 of fixed length are known"
            )
        };
        if descr.ends_with('O') {
            return Err(
                "its values are Python objects; save numbers, or text with a fixed length \
                        (as in `np.asarray(names, dtype=\"U\")`)"
                    .into(),
            );
        }
        let (order, kind) = descr.split_at_checked(1).ok_or_else(unknown)?;
        let (letter, width) = kind.split_at_checked(1).ok_or_else(unknown)?;
        let width: usize = width.parse().map_err(|_| unknown())?;
        let kind = match (letter, width) {
            ("b", 1) => Self::Bool,
            ("f", 2 | 4 | 8) => Self::Float(width),
            ("i", 1 | 2 | 4 | 8) => Self::Signed(width),
            ("u", 1 | 2 | 4 | 8) => Self::Unsigned(width),
            ("U", 0..=MAX_LETTERS) => Self::Letters(width),
            ("S", 0..=MAX_LETTERS) => Self::Bytes(width),
            _ => return Err(unknown()),
        };
        match order {
            "<" | "|" | "=" => Ok((kind, false)),
            ">" => Ok((kind, true)),
            _ => Err(unknown()),
        }
    }

    /// Bytes of a value.
    fn width(self) -> usize {
        match self {
            Self::Bool => 1,
            Self::Float(width) | Self::Signed(width) | Self::Unsigned(width) => width,
            Self::Letters(letters) => 4 * letters,
            Self::Bytes(bytes) => bytes,
        }
    }

    /// A value, of its bytes in the least significant first.
    fn number(self, bytes: &[u8]) -> f64 {
        let mut eight = [0_u8; 8];
        eight[..bytes.len()].copy_from_slice(bytes);
        let whole = u64::from_le_bytes(eight);
        let unused = 64 - 8 * bytes.len() as u32;
        match self {
            Self::Float(2) => f16::from_bits(whole as u16).to_f64(),
            Self::Float(4) => f64::from(f32::from_bits(whole as u32)),
            Self::Float(_) => f64::from_bits(whole),
            Self::Signed(_) => (((whole << unused) as i64) >> unused) as f64,
            _ => whole as f64,
        }
    }

    /// A text of its bytes.
    fn text(self, bytes: &[u8], big_endian: bool) -> Result<String, String> {
        let letter = |bytes: &[u8; 4]| match big_endian {
            true => char::from_u32(u32::from_be_bytes(*bytes)),
            false => char::from_u32(u32::from_le_bytes(*bytes)),
        };
        let text: Option<String> = match self {
            Self::Letters(_) => bytes.as_chunks().0.iter().map(letter).collect(),
            _ => std::str::from_utf8(bytes).ok().map(str::to_owned),
        };
        let text = text.ok_or("a text in it is no Unicode")?;
        Ok(text.trim_end_matches('\0').to_owned())
    }
}

/// The array as a column: `[n]` or `[n, width]`.
///
/// # Errors
/// What is wrong: it is damaged, holds objects, or has no or more than two dimensions.
pub(super) fn column(bytes: &[u8]) -> Result<Column, String> {
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or("not an npy file: its magic is missing")?;
    let (length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (u16::from_le_bytes([*a, *b]) as usize, rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        [major, minor, ..] if !(1..=3).contains(major) => {
            return Err(format!("npy version {major}.{minor}; versions 1 to 3 are known"));
        }
        _ => return Err("the npy file ends within its header".into()),
    };
    let (header, data) =
        rest.split_at_checked(length).ok_or("the npy file ends within its header")?;
    let header = std::str::from_utf8(header).map_err(|_| "the npy header is not text")?;
    let (kind, big_endian) = Kind::of(entry(header, "descr")?.trim_matches(['\'', '"']))?;
    let by_column = match entry(header, "fortran_order")? {
        "False" => false,
        "True" => true,
        other => return Err(format!("the order of the values is {other}, neither True nor False")),
    };
    let shape = entry(header, "shape")?;
    let sides = shape.trim_matches(['(', ')']).split(',').map(str::trim);
    let sides: Result<Vec<usize>, _> =
        sides.filter(|side| !side.is_empty()).map(str::parse).collect();
    let sides = sides.map_err(|_| format!("the shape {shape} is not understood"))?;
    let (n, width) = match sides[..] {
        [n] => (n, 1),
        [n, 0] if n > 0 => return Err(format!("the {n} points have no values")),
        [n, width] => (n, width),
        _ => return Err(format!("a column has one or two dimensions, but the shape is {shape}")),
    };
    let wanted = n.checked_mul(width).and_then(|count| count.checked_mul(kind.width()));
    if wanted != Some(data.len()) {
        return Err(format!(
            "{} bytes of values do not make an array of shape {shape}",
            data.len()
        ));
    }
    // An array of empty texts has no bytes to tell how many.
    if kind.width() == 0 {
        return Err("its texts are all empty".into());
    }
    let of = |data: &[u8]| match big_endian {
        true => kind.number(&data.iter().rev().copied().collect::<Vec<u8>>()),
        false => kind.number(data),
    };
    let cells = data.chunks_exact(kind.width());
    match (kind, sides.len()) {
        (Kind::Letters(_) | Kind::Bytes(_), 1) => {
            let texts = cells.map(|cell| kind.text(cell, big_endian));
            Ok(Column::Texts(texts.collect::<Result<_, _>>()?))
        }
        (Kind::Letters(_) | Kind::Bytes(_), _) => Err("it is a matrix of texts".into()),
        (_, 1) => Ok(Column::Numbers(cells.map(of).collect())),
        _ => {
            let values: Vec<f32> = cells.map(|cell| of(cell) as f32).collect();
            let values = match by_column {
                false => values,
                true => {
                    (0..n).flat_map(|row| values.iter().skip(row).step_by(n).copied()).collect()
                }
            };
            Ok(Column::Rows { width, values })
        }
    }
}

/// The text of a value in the header's dictionary.
fn entry<'a>(header: &'a str, key: &str) -> Result<&'a str, String> {
    let missing = || format!("the npy header has no {key}");
    let quoted = [format!("'{key}'"), format!("\"{key}\"")];
    let found = quoted.iter().find_map(|quoted| header.split_once(quoted.as_str()));
    let (_, rest) = found.ok_or_else(missing)?;
    let value = rest.trim_start().strip_prefix(':').ok_or_else(missing)?.trim_start();
    let end = match value.strip_prefix('(') {
        Some(tuple) => tuple.find(')').map(|at| at + 2),
        None => value.find([',', '}']),
    };
    value.get(..end.ok_or_else(missing)?).map(str::trim).ok_or_else(missing)
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

    fn matrix(bytes: &[u8]) -> (usize, Vec<f32>) {
        match column(bytes).unwrap() {
            Column::Rows { width, values } => (width, values),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn matrices_in_all_versions_widths_and_orders() {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }   \n";
        let data: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
        let row_by_row = vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        for version in [1, 2] {
            assert_eq!(matrix(&npy(version, header, &data)), (3, row_by_row.clone()));
        }
        let header = header.replace("<f4", "<f8").replace("(2, 3)", "(1, 2)");
        let data: Vec<u8> = [0.25_f64, -4.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(matrix(&npy(1, &header, &data)), (2, vec![0.25, -4.0]));
        let header = "{'descr': '>f2', 'fortran_order': True, 'shape': (2, 3), }";
        // [[0, 1, 2], [3, 4, 5]], column by column.
        let values = [0.0, 3.0, 1.0, 4.0, 2.0, 5.0];
        let data: Vec<u8> = values.iter().flat_map(|&v| f16::from_f32(v).to_be_bytes()).collect();
        assert_eq!(matrix(&npy(3, header, &data)), (3, row_by_row.clone()));
        let data: Vec<u8> = values.iter().flat_map(|&v| f64::from(v).to_be_bytes()).collect();
        assert_eq!(matrix(&npy(2, &header.replace(">f2", ">f8"), &data)), (3, row_by_row));
    }

    #[test]
    fn columns_of_integers_booleans_and_text() {
        let of = |descr: &str, n: usize, data: &[u8]| {
            let header =
                format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({n},), }}");
            column(&npy(1, &header, data)).unwrap()
        };
        assert_eq!(of("<i2", 2, &[0xff, 0xff, 3, 0]), Column::Numbers(vec![-1.0, 3.0]));
        assert_eq!(of(">i4", 1, &[0xff, 0xff, 0xff, 0xfe]), Column::Numbers(vec![-2.0]));
        assert_eq!(of("|u1", 2, &[7, 255]), Column::Numbers(vec![7.0, 255.0]));
        assert_eq!(of("|b1", 2, &[1, 0]), Column::Numbers(vec![1.0, 0.0]));
        let letters: Vec<u8> =
            ['é', 'a', 'b', '\0'].iter().flat_map(|&c| (c as u32).to_le_bytes()).collect();
        assert_eq!(of("<U2", 2, &letters), Column::Texts(vec!["éa".into(), "b".into()]));
        assert_eq!(of("|S3", 1, b"id\0"), Column::Texts(vec!["id".into()]));
    }

    #[test]
    fn what_is_no_column_is_refused_with_the_reason() {
        let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
        let refused = |header: &str, data: &[u8]| column(&npy(1, header, data)).unwrap_err();
        assert!(refused(good, &[0; 23]).contains("23 bytes"));
        assert!(refused(&good.replace("False", "0"), &[0; 24]).contains("neither True nor False"));
        assert!(refused(&good.replace("<f4", "f"), &[0; 24]).contains("half, single and double"));
        assert!(column(b"\x93NUMPY\x04\x00").unwrap_err().contains("version 4.0"));
        assert!(refused(&good.replace("<f4", "<c8"), &[0; 48]).contains("<c8"));
        assert!(refused(&good.replace("<f4", "|O"), &[0; 48]).contains("Python objects"));
        assert!(refused(&good.replace("(2, 3)", "(1, 2, 3)"), &[0; 24]).contains("dimensions"));
        assert!(refused(&good.replace("(2, 3)", "(2, -3)"), &[0; 24]).contains("(2, -3)"));
        assert!(refused(&good.replace("shape", "form"), &[0; 24]).contains("shape"));
        let huge = format!("({}, {})", usize::MAX, usize::MAX);
        assert!(refused(&good.replace("(2, 3)", &huge), &[0; 24]).contains("bytes"));
        let whole = npy(1, good, &[0; 24]);
        for cut in 0..whole.len() {
            assert!(column(&whole[..cut]).is_err(), "cut to {cut} bytes");
        }
    }

    #[test]
    fn damaged_files_are_read_or_refused() {
        let header = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }   \n";
        fuzz(2000, damaged(npy(1, header, &[7; 24])), |bytes| {
            match column(&bytes) {
                Ok(Column::Rows { width, values }) => {
                    prop_assert!(width > 0 && values.len() % width == 0);
                }
                Ok(_) => {}
                Err(reason) => one_sentence(&reason, "")?,
            }
            Ok(())
        });
    }
}
