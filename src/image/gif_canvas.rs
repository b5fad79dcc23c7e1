//! The colour of a GIF's screen where its first frame does not reach.
//!
//! The decoder leaves that part black; Pillow fills it with the frame's transparent index, or
//! index 0, and looks the colour up like any other. So the frame's rectangle and palette are read
//! here from the block structure.

const EXTENSION: u8 = 0x21;
const IMAGE: u8 = 0x2C;
const GRAPHIC_CONTROL: u8 = 0xF9;

/// The first frame's place on the screen and the colour around it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FirstFrame {
    pub left: u32,
    pub top: u32,
    pub width: u32,
    pub height: u32,
    /// The colour of the screen outside the frame.
    pub surround: [u8; 3],
}

impl FirstFrame {
    /// Whether the pixel at `(x, y)` of the screen lies in the frame.
    pub(super) fn covers(&self, x: u32, y: u32) -> bool {
        x.wrapping_sub(self.left) < self.width && y.wrapping_sub(self.top) < self.height
    }
}

/// Reads `gif` up to its first image descriptor; `None` where the blocks make no sense.
pub(super) fn first_frame(gif: &[u8]) -> Option<FirstFrame> {
    let screen_flags = *gif.get(10)?;
    let mut palette_at = 13;
    let mut at = palette_at + palette_bytes(screen_flags);
    let mut transparent = None;
    loop {
        match *gif.get(at)? {
            EXTENSION => {
                if *gif.get(at + 1)? == GRAPHIC_CONTROL {
                    let has_transparent = *gif.get(at + 3)? & 1 == 1;
                    transparent = has_transparent.then_some(*gif.get(at + 6)?);
                }
                at = after_sub_blocks(gif, at + 2)?;
            }
            IMAGE => break,
            _ => return None,
        }
    }
    let word = |offset: usize| {
        let bytes = gif.get(at + offset..at + offset + 2)?;
        Some(u32::from(u16::from_le_bytes([bytes[0], bytes[1]])))
    };
    let frame_flags = *gif.get(at + 9)?;
    if palette_bytes(frame_flags) > 0 {
        palette_at = at + 10;
    }
    let colour_at = palette_at + 3 * usize::from(transparent.unwrap_or(0));
    let colour = gif.get(colour_at..colour_at + 3)?;
    Some(FirstFrame {
        left: word(1)?,
        top: word(3)?,
        width: word(5)?,
        height: word(7)?,
        surround: [colour[0], colour[1], colour[2]],
    })
}

/// The size of the palette that a descriptor's flags announce; 0 without one.
fn palette_bytes(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// The index after a chain of length-prefixed sub-blocks that starts at `at`.
fn after_sub_blocks(gif: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = usize::from(*gif.get(at)?);
        at += 1 + length;
        if length == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 4×3 screen with two colours, a graphic control and a 2×1 frame at (1, 1).
    const BLOCKS: &[u8] = &[
        b'G', b'I', b'F', b'8', b'9', b'a', 4, 0, 3, 0, 0x80, 0, 0, 1, 2, 3, 4, 5, 6, 0x21, 0xF9,
        4, 1, 0, 0, 1, 0, 0x2C, 1, 0, 1, 0, 2, 0, 1, 0, 0,
    ];

    #[test]
    fn the_transparent_colour_surrounds_the_frame() {
        let frame = first_frame(BLOCKS).unwrap();
        assert_eq!(frame.surround, [4, 5, 6]);
        assert!(frame.covers(1, 1) && frame.covers(2, 1));
        assert!(!frame.covers(0, 1) && !frame.covers(3, 1) && !frame.covers(1, 0));
    }

    #[test]
    fn cut_blocks_give_nothing() {
        for cut in 0..BLOCKS.len() {
            assert_eq!(first_frame(&BLOCKS[..cut]), None, "cut to {cut} bytes");
        }
    }
}
