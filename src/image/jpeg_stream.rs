//! The marker segments of a JPEG stream.
//!
//! Decoders fill what is missing of a cut file with grey and say nothing. A half-grey picture would be
//! judged like any other, so the end of the stream is looked for first, as Pillow does.

use std::borrow::Cow;

const TEM: u8 = 0x01;
const RST0: u8 = 0xD0;
const RST7: u8 = 0xD7;
const SOI: u8 = 0xD8;
/// The end of the image.
pub(super) const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
/// The distance of restarts.
const DRI: u8 = 0xDD;

/// Whether the marker segments and scans of `jpeg` lead to an end-of-image marker.
///
/// Bytes after that marker (a second picture, a maker's notes) do not matter.
pub(super) fn reaches_end(jpeg: &[u8]) -> bool {
    let mut at = 2;
    loop {
        let Some(marker_at) = next_marker(jpeg, at) else { return false };
        let marker = jpeg[marker_at];
        at = marker_at + 1;
        match marker {
            EOI => return true,
            SOI | TEM => {}
            _ => {
                let Some(length) = jpeg.get(at..at + 2) else { return false };
                let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
                at += length.max(2);
            }
        }
    }
}

/// Whether the one scan of `jpeg`, of `units` coded units (MCUs), starts anew as often as it should; one
/// that never starts anew does, too. What is missing between two restarts is filled in without a word.
pub(super) fn has_all_restarts(jpeg: &[u8], units: usize) -> bool {
    let (mut interval, mut at) = (0, 2);
    loop {
        let Some(marker_at) = next_marker(jpeg, at) else { return false };
        let Some(&[high, low, ref rest @ ..]) = jpeg.get(marker_at + 1..) else { return false };
        at = match jpeg[marker_at] {
            SOI | TEM => marker_at + 1,
            _ => marker_at + 1 + usize::from(u16::from_be_bytes([high, low])).max(2),
        };
        match (jpeg[marker_at], rest) {
            (DRI, &[high, low, ..]) => interval = u16::from_be_bytes([high, low]).into(),
            (SOS, _) => break,
            _ => {}
        }
    }
    let end = next_marker(jpeg, at).unwrap_or(jpeg.len());
    let scan = jpeg.get(at..end).unwrap_or_default();
    let restarts =
        scan.windows(2).filter(|pair| pair[0] == 0xFF && (RST0..=RST7).contains(&pair[1]));
    match interval {
        0 => true,
        interval => restarts.count() + 1 == units.div_ceil(interval) && jpeg.get(end) == Some(&EOI),
    }
}

/// The stream without what stands between segments ahead of the first scan and belongs to none: other
/// decoders pass over it.
pub(super) fn without_stray_bytes(jpeg: &[u8]) -> Cow<'_, [u8]> {
    let mut segments = Vec::new();
    let mut at = 2;
    let mut is_tidy = true;
    while let Some(marker_at) = next_marker(jpeg, at) {
        is_tidy &= jpeg[at..marker_at].iter().all(|&byte| byte == 0xFF);
        let end = match (jpeg[marker_at], jpeg.get(marker_at + 1..marker_at + 3)) {
            (SOI | TEM, _) => marker_at + 1,
            (SOS | EOI, _) | (_, None) => jpeg.len(),
            (_, Some(length)) => {
                let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
                (marker_at + 1 + length.max(2)).min(jpeg.len())
            }
        };
        segments.push(marker_at..end);
        at = end;
    }
    if is_tidy {
        return Cow::Borrowed(jpeg);
    }
    let mut tidy = jpeg[..2].to_vec();
    for segment in segments {
        tidy.push(0xFF);
        tidy.extend(&jpeg[segment]);
    }
    Cow::Owned(tidy)
}

/// The index of the next marker's code at or after `at`, past entropy-coded bytes, stuffing and
/// restart markers.
fn next_marker(jpeg: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += jpeg.get(at..)?.iter().position(|&byte| byte == 0xFF)? + 1;
        match *jpeg.get(at)? {
            // Stuffing and restarts belong to the scan; a repeated 0xFF is padding.
            0x00 | RST0..=RST7 | 0xFF => {}
            _ => return Some(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[u8] = &[
        0xFF, SOI, 0xFF, 0xE0, 0, 4, 0xFF, EOI, 0xFF, SOS, 0, 2, 7, 0xFF, 0, 0xFF, RST0, 0xFF, EOI,
    ];

    #[test]
    fn an_end_marker_inside_a_segment_does_not_count() {
        assert!(reaches_end(WHOLE));
        for cut in 0..WHOLE.len() {
            assert!(!reaches_end(&WHOLE[..cut]), "cut to {cut} bytes");
        }
    }

    #[test]
    fn stray_bytes_between_segments_are_left_out() {
        assert!(matches!(without_stray_bytes(WHOLE), Cow::Borrowed(WHOLE)));
        let stray = [&WHOLE[..2], &[0, 0x11, 0xFF, 0, 0x22], &WHOLE[2..]].concat();
        assert_eq!(*without_stray_bytes(&stray), *WHOLE);
        for cut in 2..stray.len() {
            without_stray_bytes(&stray[..cut]);
        }
    }

    #[test]
    fn restarts_are_counted() {
        let restarting = [&WHOLE[..2], &[0xFF, DRI, 0, 4, 0, 3], &WHOLE[2..]].concat();
        for units in 0..9 {
            assert!(has_all_restarts(WHOLE, units), "none are announced");
            assert_eq!(has_all_restarts(&restarting, units), (4..=6).contains(&units), "{units}");
        }
        for cut in 0..restarting.len() {
            assert!(!has_all_restarts(&restarting[..cut], 4), "cut to {cut} bytes");
        }
    }

    #[test]
    fn trailing_bytes_do_not_matter() {
        assert!(reaches_end(&[WHOLE, b"notes"].concat()));
    }
}
