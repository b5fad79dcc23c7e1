//! What stands for a letter that no font has: a box with the digits of its code point, as browsers
//! draw it, so that two names that differ do not look the same.
//!
//! The boxes are a TrueType font that is made here: egui draws nothing but fonts' outlines.

use std::collections::BTreeSet;

/// Units of the font's square.
const EM: i16 = 1000;
/// Lowest and highest of the box.
const BOX_Y: [i16; 2] = [-150, 790];
/// Thickness of the box's line and of the digits' strokes.
const LINE: i16 = 50;
/// A digit's strokes, and how far digits stand from each other and from the box.
const DIGIT: [i16; 2] = [320, 290];
const GAP: i16 = 70;

/// Segments of a hexadecimal digit, as on a pocket calculator: top, upper left, upper right, middle,
/// lower left, lower right, bottom.
const SEGMENTS: [u8; 16] = [
    0b1110111, 0b0010010, 0b1011101, 0b1011011, 0b0111010, 0b1101011, 0b1101111, 0b1010010,
    0b1111111, 0b1111011, 0b1111110, 0b0101111, 0b1100101, 0b0011111, 0b1101101, 0b1101100,
];

/// Left, bottom, right, top.
type Rect = [i16; 4];

/// A font that has these letters and no others.
pub(super) fn font_of(letters: &BTreeSet<char>) -> Vec<u8> {
    // Glyph 0 stands for what the font does not have, and is empty.
    let (mut outlines, mut places) = (Vec::new(), vec![0_u32; 2]);
    let mut advances = words(&[EM, 0]);
    for &letter in letters {
        let (width, rects) = outline(letter);
        outlines.extend(padded(glyph(&rects)));
        places.push(outlines.len() as u32);
        advances.extend(words(&[width, 0]));
    }
    let glyphs = 1 + letters.len() as i16;
    let widest = outline(char::MAX).0;
    let tables: [(&[u8; 4], Vec<u8>); 7] = [
        (b"cmap", cmap(letters)),
        (b"glyf", outlines),
        (b"head", head(widest)),
        (
            b"hhea",
            words(&[1, 0, 800, -200, 0, widest, 0, 0, widest, 1, 0, 0, 0, 0, 0, 0, 0, glyphs]),
        ),
        (b"hmtx", advances),
        (b"loca", places.into_iter().flat_map(u32::to_be_bytes).collect()),
        // The most points and contours of a glyph: those of a box with six digits of seven strokes.
        (b"maxp", words(&[1, 0, glyphs, 184, 46, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0])),
    ];
    file(&tables.map(|(tag, bytes)| (*tag, padded(bytes))))
}

/// A letter's width, and the rectangles of the box and of its digits, in two rows.
fn outline(letter: char) -> (i16, Vec<Rect>) {
    let digits = format!("{:04X}", u32::from(letter));
    let columns = digits.len().div_ceil(2) as i16;
    let width = 4 * GAP + columns * DIGIT[0] + (columns - 1) * GAP;
    let (left, right, [bottom, top]) = (GAP, width - GAP, BOX_Y);
    let mut rects = vec![
        [left, top - LINE, right, top],
        [left, bottom, right, bottom + LINE],
        [left, bottom, left + LINE, top],
        [right - LINE, bottom, right, top],
    ];
    for (at, digit) in digits.chars().enumerate() {
        let (column, row) = (at as i16 % columns, at as i16 / columns);
        let x = 2 * GAP + column * (DIGIT[0] + GAP);
        let y = top - 2 * GAP - (row + 1) * DIGIT[1] - row * GAP;
        let segments = SEGMENTS[digit.to_digit(16).unwrap_or(0) as usize];
        let strokes = strokes([x, y]).into_iter().enumerate();
        rects.extend(
            strokes.filter(|(bit, _)| segments >> (6 - bit) & 1 == 1).map(|(_, rect)| rect),
        );
    }
    (width, rects)
}

/// The seven strokes of a digit whose lower left corner is here.
fn strokes([x, y]: [i16; 2]) -> [Rect; 7] {
    let [right, top, middle] = [x + DIGIT[0] - GAP, y + DIGIT[1], y + DIGIT[1] / 2];
    let across = |y: i16| [x, y - LINE / 2, right, y + LINE / 2];
    let up = |x: i16, from: i16, to: i16| [x - LINE / 2, from, x + LINE / 2, to];
    [
        across(top),
        up(x, middle, top),
        up(right, middle, top),
        across(middle),
        up(x, y, middle),
        up(right, y, middle),
        across(y),
    ]
}

/// Table `glyf`: a simple glyph with a contour for each rectangle.
fn glyph(rects: &[Rect]) -> Vec<u8> {
    // Clockwise, which is the inside: where two overlap, both are filled.
    let corners = rects.iter().flat_map(|&[left, bottom, right, top]| {
        [[left, bottom], [left, top], [right, top], [right, bottom]]
    });
    let corners: Vec<[i16; 2]> = corners.collect();
    let extreme = |axis: usize, side: fn(i16, i16) -> i16| {
        corners.iter().map(|corner| corner[axis]).reduce(side).unwrap_or(0)
    };
    let bounds =
        [extreme(0, i16::min), extreme(1, i16::min), extreme(0, i16::max), extreme(1, i16::max)];
    let ends: Vec<i16> = (1..=rects.len() as i16).map(|count| 4 * count - 1).collect();
    let steps = |axis: usize| -> Vec<i16> {
        let before = std::iter::once(0).chain(corners.iter().map(|corner| corner[axis]));
        corners.iter().zip(before).map(|(corner, before)| corner[axis] - before).collect()
    };
    let flags = vec![1_u8; corners.len()]; // On the curve, both coordinates in 16 bits.
    [
        words(&[rects.len() as i16]),
        words(&bounds),
        words(&ends),
        words(&[0]), // No instructions.
        flags,
        words(&steps(0)),
        words(&steps(1)),
    ]
    .concat()
}

/// Table `cmap`: the letters are glyphs 1, 2, …
fn cmap(letters: &BTreeSet<char>) -> Vec<u8> {
    // Format 12 for Windows, full Unicode.
    let count = letters.len() as u32;
    let mut table = vec![12, 12 << 16, 16 + 12 * count, 0, count];
    for (&letter, glyph) in letters.iter().zip(1..) {
        table.extend([u32::from(letter), u32::from(letter), glyph]);
    }
    let table = table.into_iter().flat_map(u32::to_be_bytes);
    words(&[0, 1, 3, 10]).into_iter().chain(table).collect()
}

/// Table `head`.
fn head(width: i16) -> Vec<u8> {
    let magic = [0x0001_0000, 0x0001_0000, 0, 0x5F0F_3CF5_u32].map(u32::to_be_bytes).concat();
    let bounds = [0, BOX_Y[0], width, BOX_Y[1]];
    // Flags, units; two dates; bounds; style, smallest size, direction, long `loca`, format.
    [magic, words(&[0, EM]), vec![0; 16], words(&bounds), words(&[0, 8, 2, 1, 0])].concat()
}

/// A font file of tables, which are in the order of their tags.
fn file(tables: &[([u8; 4], Vec<u8>)]) -> Vec<u8> {
    let count = tables.len() as i16;
    let mut bytes =
        [&0x0001_0000_u32.to_be_bytes()[..], &words(&[count, 64, 2, 16 * count - 64])].concat();
    let mut at = bytes.len() + 16 * tables.len();
    for (tag, table) in tables {
        let sum = table
            .as_chunks::<4>()
            .0
            .iter()
            .fold(0_u32, |sum, word| sum.wrapping_add(u32::from_be_bytes(*word)));
        bytes.extend(tag);
        bytes.extend([sum, at as u32, table.len() as u32].map(u32::to_be_bytes).concat());
        at += table.len();
    }
    bytes.extend(tables.iter().flat_map(|(_, table)| table));
    bytes
}

fn words(values: &[i16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_letter_has_a_box_of_its_own() {
        let letters = ['\u{1F41F}', '\u{1F988}', '\u{0915}', '\u{E000}', '\u{10FFFF}'];
        let bytes = font_of(&BTreeSet::from(letters));
        let face = ttf_parser::Face::parse(&bytes, 0).unwrap();
        assert_eq!((face.units_per_em(), face.number_of_glyphs()), (1000, 6));
        assert_eq!(face.glyph_index('a'), None);
        let outline = |letter: char| {
            let glyph = face.glyph_index(letter).unwrap();
            assert!(face.glyph_hor_advance(glyph).unwrap() > 500);
            let mut drawn = Drawn(String::new());
            let bounds = face.outline_glyph(glyph, &mut drawn).unwrap();
            assert!(bounds.y_min >= BOX_Y[0] && bounds.y_max <= BOX_Y[1], "{bounds:?}");
            drawn.0
        };
        let outlines = letters.map(outline);
        for (at, drawn) in outlines.iter().enumerate() {
            assert!(!outlines[..at].contains(drawn), "{:?}", letters[at]);
        }
    }

    struct Drawn(String);

    impl ttf_parser::OutlineBuilder for Drawn {
        fn move_to(&mut self, x: f32, y: f32) {
            self.0 += &format!("M{x} {y}");
        }

        fn line_to(&mut self, x: f32, y: f32) {
            self.0 += &format!("L{x} {y}");
        }

        fn quad_to(&mut self, _: f32, _: f32, _: f32, _: f32) {
            panic!("rectangles have no curves");
        }

        fn curve_to(&mut self, _: f32, _: f32, _: f32, _: f32, _: f32, _: f32) {
            panic!("rectangles have no curves");
        }

        fn close(&mut self) {}
    }
}
