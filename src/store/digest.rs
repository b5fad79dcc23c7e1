//! Hashes of rows. They are of what the rows say, not of the file's bytes, so that a chunk that another
//! program has compressed or laid out anew is still known to be whole.
//!
//! A row has two: of its tensors, which is held against them when they are first used, and of all the
//! rest with the first, which is held against it when the store is opened. The list of chunks has the
//! hash of each chunk's rows.

use arrow::array::{Array, ArrowPrimitiveType, FixedSizeListArray, ListArray, PrimitiveArray};
use arrow::array::{AsArray, StringArray};
use arrow::datatypes::{Float16Type, Float32Type, UInt32Type};
use blake3::{Hash, Hasher};

use super::columns::Columns;

/// The hash of a row's tensors: that of nothing where the image failed. `None` if they are not where
/// the columns say.
pub(super) fn of_tensors(columns: &Columns, row: usize) -> Option<Hash> {
    let mut hasher = Hasher::new();
    if columns.error.is_null(row) {
        fixed::<Float32Type>(&mut hasher, &columns.logits, row)?;
        fixed::<Float16Type>(&mut hasher, &columns.tokens, row)?;
        list::<UInt32Type>(&mut hasher, &columns.tags, row)?;
        list::<Float32Type>(&mut hasher, &columns.attention, row)?;
    }
    Some(hasher.finalize())
}

/// The hash of all that a row says beside its tensors, and of `tensors`, their hash.
pub(super) fn of_row(columns: &Columns, row: usize, tensors: &[u8]) -> Hash {
    let mut hasher = Hasher::new();
    text(&mut hasher, &columns.path, row);
    let raw = columns.path_bytes.is_valid(row).then(|| columns.path_bytes.value(row));
    bytes(&mut hasher, raw);
    number(&mut hasher, &columns.hash, row, u64::to_le_bytes);
    number(&mut hasher, &columns.size, row, u64::to_le_bytes);
    number(&mut hasher, &columns.modified, row, i64::to_le_bytes);
    text(&mut hasher, &columns.set, row);
    text(&mut hasher, &columns.class, row);
    number(&mut hasher, &columns.width, row, u32::to_le_bytes);
    number(&mut hasher, &columns.height, row, u32::to_le_bytes);
    text(&mut hasher, &columns.error, row);
    hasher.update(tensors);
    hasher.finalize()
}

fn text(hasher: &mut Hasher, column: &StringArray, row: usize) {
    bytes(hasher, column.is_valid(row).then(|| column.value(row).as_bytes()));
}

/// With its length, so that no two rows run together to the same bytes.
fn bytes(hasher: &mut Hasher, value: Option<&[u8]>) {
    let length = value.map_or(u64::MAX, |value| value.len() as u64);
    hasher.update(&length.to_le_bytes()).update(value.unwrap_or_default());
}

fn number<T: ArrowPrimitiveType, const N: usize>(
    hasher: &mut Hasher,
    column: &PrimitiveArray<T>,
    row: usize,
    to_bytes: impl Fn(T::Native) -> [u8; N],
) {
    let value = column.is_valid(row).then(|| to_bytes(column.value(row)));
    bytes(hasher, value.as_ref().map(<[u8; N]>::as_slice));
}

fn fixed<T: ArrowPrimitiveType>(
    hasher: &mut Hasher,
    column: &FixedSizeListArray,
    row: usize,
) -> Option<()> {
    let (from, length) = (column.value_offset_at(row), column.value_length() as usize);
    values::<T>(hasher, column.values().as_primitive_opt()?, from, length)
}

fn list<T: ArrowPrimitiveType>(hasher: &mut Hasher, column: &ListArray, row: usize) -> Option<()> {
    let offsets = column.value_offsets();
    let from = usize::try_from(offsets[row]).ok()?;
    let length = usize::try_from(offsets[row + 1].checked_sub(offsets[row])?).ok()?;
    values::<T>(hasher, column.values().as_primitive_opt()?, from, length)
}

/// Values as they lie: little-endian, as Arrow files have them.
fn values<T: ArrowPrimitiveType>(
    hasher: &mut Hasher,
    column: &PrimitiveArray<T>,
    from: usize,
    length: usize,
) -> Option<()> {
    let size = size_of::<T::Native>();
    let all = column.values().inner().as_slice();
    let own = all.get(from * size..(from + length) * size)?;
    hasher.update(&(length as u64).to_le_bytes()).update(own);
    Some(())
}
