//! Whether a JPEG stream runs to its end.
//!
//! The decoder fills what is missing of a cut file with grey and says nothing. A half-grey picture
//! would be judged like any other, so the end of the stream is looked for first, as Pillow does.

const TEM: u8 = 0x01;
const RST0: u8 = 0xD0;
const RST7: u8 = 0xD7;
const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;

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

    const SOS: u8 = 0xDA;
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
    fn trailing_bytes_do_not_matter() {
        assert!(reaches_end(&[WHOLE, b"notes"].concat()));
    }
}
