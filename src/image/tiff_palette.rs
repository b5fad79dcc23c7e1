//! Palettes in TIFF: the library reads no indices, but it reads grey, which is stored alike.

const PHOTOMETRIC_INTERPRETATION: u16 = 262;
const BLACK_IS_ZERO: u8 = 1;
const PALETTE: u16 = 3;

/// A copy of a palette TIFF that calls its indices grey values; `None` for every other file.
pub(super) fn as_indices(tiff: &[u8]) -> Option<Vec<u8>> {
    let at = interpretation_at(tiff)?;
    if at.file.u16(at.value)? != PALETTE {
        return None;
    }
    let mut grey = tiff.to_vec();
    let value = grey.get_mut(at.value..at.value + 2)?;
    value.copy_from_slice(&if at.file.is_big_endian {
        [0, BLACK_IS_ZERO]
    } else {
        [BLACK_IS_ZERO, 0]
    });
    Some(grey)
}

/// Where the first page says what its samples mean.
struct Interpretation<'a> {
    file: File<'a>,
    value: usize,
}

fn interpretation_at(tiff: &[u8]) -> Option<Interpretation<'_>> {
    let file = File { bytes: tiff, is_big_endian: tiff.starts_with(b"MM") };
    let is_bigtiff = file.u16(2)? == 43;
    let [directory, count, first, entry_bytes, value] = if is_bigtiff {
        let directory = file.unsigned(8, 8)?;
        [directory, file.unsigned(directory, 8)?, directory.checked_add(8)?, 20, 12]
    } else {
        let directory = file.unsigned(4, 4)?;
        [directory, file.unsigned(directory, 2)?, directory.checked_add(2)?, 12, 8]
    };
    debug_assert!(first > directory);
    let entry = |index: usize| first.checked_add(index.checked_mul(entry_bytes)?);
    (0..count).map_while(entry).map_while(|entry| Some((entry, file.u16(entry)?))).find_map(
        |(entry, tag)| {
            (tag == PHOTOMETRIC_INTERPRETATION)
                .then_some(Interpretation { file, value: entry + value })
        },
    )
}

#[derive(Clone, Copy)]
struct File<'a> {
    bytes: &'a [u8],
    is_big_endian: bool,
}

impl File<'_> {
    fn unsigned(&self, at: usize, bytes: usize) -> Option<usize> {
        let digits = self.bytes.get(at..at.checked_add(bytes)?)?;
        let add = |sum: u64, digit: &u8| sum << 8 | u64::from(*digit);
        let value = match self.is_big_endian {
            true => digits.iter().fold(0, add),
            false => digits.iter().rev().fold(0, add),
        };
        value.try_into().ok()
    }

    fn u16(&self, at: usize) -> Option<u16> {
        self.unsigned(at, 2)?.try_into().ok()
    }
}
