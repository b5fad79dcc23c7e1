//! Pillow's resampling of 8-bit pictures, bit for bit (`Resample.c` of Pillow 10.4): weights of 22
//! bits; the width first, rounded to 8 bits, then the height.
//!
//! A strip of rows is narrowed at a time and added at once to the output rows that it belongs to, so
//! that memory goes with the output, however tall the picture is. Sums of integers do not depend on
//! their order.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::RgbImage;

/// Bits after the point of a weight: 32, less 8 of the pixel, less 2 for sums beyond 0..1.
const WEIGHT_BITS: u32 = 22;
/// What rounds a sum when it is shifted.
const HALF: i32 = 1 << (WEIGHT_BITS - 1);
/// Rows of a strip; a multiple of 8.
const STRIP_ROWS: usize = 32;
/// Input columns of a strip that are turned at once: they stay in cache.
const BLOCK_COLUMNS: usize = 1024;

/// How the pixels around a place are weighted; widened when shrinking, so that none is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// A triangle two pixels wide.
    Bilinear,
    /// Keys' cubic convolution with a = −0.5, four pixels wide.
    Bicubic,
}

impl Filter {
    /// Half its width, in pixels.
    fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    /// Its value at a distance from its middle, in pixels.
    fn at(self, distance: f64) -> f64 {
        const A: f64 = -0.5;
        let x = distance.abs();
        match self {
            Self::Bilinear if x < 1.0 => 1.0 - x,
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            _ => 0.0,
        }
    }
}

/// One side of a resize: all of the picture's pixels become `length`, of which `kept` are made.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub length: usize,
    pub kept: Range<usize>,
}

impl Side {
    /// All of `length` pixels.
    pub(super) fn whole(length: u32) -> Self {
        Self { length: length as usize, kept: 0..length as usize }
    }
}

/// Resizes as Pillow's `resize((width, height), filter)` does, to the last bit.
///
/// A picture without pixels gives a black one.
pub fn resize(picture: &RgbImage, width_px: u32, height_px: u32, filter: Filter) -> RgbImage {
    resize_and_crop(picture, &Side::whole(width_px), &Side::whole(height_px), filter)
}

/// [`resize`], then a crop; only what is kept is computed.
pub(super) fn resize_and_crop(
    picture: &RgbImage,
    width: &Side,
    height: &Side,
    filter: Filter,
) -> RgbImage {
    let mut out = RgbImage::new(width.kept.len() as u32, height.kept.len() as u32);
    if out.is_empty() || picture.is_empty() {
        return out;
    }
    if picture.width() == 1 && out.width() > 1 {
        // Every column is the one there is: a tall line is not widened row by row.
        let column = resize_and_crop(picture, &Side::whole(1), height, filter);
        return RgbImage::from_fn(out.width(), out.height(), |_, y| *column.get_pixel(0, y));
    }
    let columns = taps(filter, picture.width() as usize, width);
    let rows = taps(filter, picture.height() as usize, height);
    resize_rows(picture, &columns, &rows, &mut out);
    out
}

/// The input pixels that one output pixel is made of.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

impl Taps {
    fn end(&self) -> usize {
        self.first + self.weights.len()
    }
}

/// The taps of each pixel kept, among `from` input pixels.
fn taps(filter: Filter, from: usize, side: &Side) -> Vec<Taps> {
    let scale = from as f64 / side.length as f64;
    let widened = scale.max(1.0);
    let support = filter.support() * widened;
    let of_output = |output: usize| {
        let center = (output as f64 + 0.5) * scale;
        let first = (center - support + 0.5).max(0.0) as usize;
        let end = ((center + support + 0.5) as usize).min(from);
        let at = |input: usize| filter.at((input as f64 - center + 0.5) * (1.0 / widened));
        let values: Vec<f64> = (first..end).map(at).collect();
        let sum: f64 = values.iter().sum();
        let weights = values.iter().map(|value| fixed_point(value / sum)).collect();
        Taps { first, weights }
    };
    side.kept.clone().map(of_output).collect()
}

fn fixed_point(weight: f64) -> i32 {
    let scaled = weight * f64::from(1 << WEIGHT_BITS);
    (if weight < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
}

/// Makes the output rows. On this thread alone: pictures are many, and a thread that waited for others
/// here could take up another picture meanwhile, and keep both.
fn resize_rows(picture: &RgbImage, columns: &[Taps], rows: &[Taps], out: &mut [u8]) {
    let row_bytes = 3 * columns.len();
    let first = rows.iter().map(|taps| taps.first).min().unwrap_or(0);
    let end = rows.iter().map(Taps::end).max().unwrap_or(0);
    let mut sums = vec![HALF; out.len()];
    let mut strip = Strip::new(row_bytes);
    let mut passed = 0;
    for top in (first..end).step_by(STRIP_ROWS) {
        let bottom = end.min(top + STRIP_ROWS);
        strip.narrow(picture, top..bottom, columns);
        passed += rows[passed..].iter().take_while(|taps| taps.end() <= top).count();
        for (taps, sums) in rows.iter().zip(sums.chunks_exact_mut(row_bytes)).skip(passed) {
            if taps.first >= bottom {
                break;
            }
            let (from, to) = (taps.first.max(top), taps.end().min(bottom));
            let weights = &taps.weights[from - taps.first..to - taps.first];
            let levels = &strip.rows[(from - top) * row_bytes..];
            Arch::new().dispatch(AddWeighted { sums, levels, weights });
        }
    }
    Arch::new().dispatch(Round { sums: &sums, levels: out });
}

/// Rows of the picture, narrowed to the output's width, and what that takes.
struct Strip {
    /// The narrowed rows, one after another.
    rows: Vec<u8>,
    /// A block of the picture's rows, turned: the values of a column follow each other.
    columns: Vec<u8>,
    /// Two and four rows' values, on the way there.
    pairs: Vec<u16>,
    fours: Vec<u32>,
    /// One output pixel of each row.
    sums: Vec<i32>,
}

impl Strip {
    fn new(row_bytes: usize) -> Self {
        Self {
            rows: vec![0; STRIP_ROWS * row_bytes],
            columns: Vec::new(),
            pairs: Vec::new(),
            fours: Vec::new(),
            sums: vec![0; 3 * STRIP_ROWS],
        }
    }

    fn narrow(&mut self, picture: &RgbImage, rows: Range<usize>, columns: &[Taps]) {
        let picture_row = 3 * picture.width() as usize;
        let mut done = 0;
        while done < columns.len() {
            let left = columns[done].first;
            let fits = |taps: &&Taps| taps.end() - left <= BLOCK_COLUMNS;
            let count = columns[done..].iter().take_while(fits).count().max(1);
            let block = &columns[done..done + count];
            let right = block.iter().map(Taps::end).max().unwrap_or(left);
            // Rows below the last one repeat it; what comes of them is not used.
            let row = |offset: usize| {
                let start = (rows.start + offset).min(rows.end - 1) * picture_row;
                &picture.as_raw()[start + 3 * left..start + 3 * right]
            };
            Arch::new().dispatch(Turn { rows: std::array::from_fn(row), strip: self });
            let to = done..columns.len();
            Arch::new().dispatch(Narrow { block, left, to, strip: self });
            done += count;
        }
    }
}

/// Turns the rows of a block into columns, by pairs, fours and eights: each such step vectorises.
struct Turn<'a> {
    rows: [&'a [u8]; STRIP_ROWS],
    strip: &'a mut Strip,
}

impl WithSimd for Turn<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let values = self.rows[0].len();
        let Strip { pairs, fours, columns, .. } = self.strip;
        pairs.resize(4 * values, 0);
        fours.resize(2 * values, 0);
        columns.resize(STRIP_ROWS * values, 0);
        for (group, rows) in self.rows.chunks_exact(8).enumerate() {
            for (pairs, rows) in pairs.chunks_exact_mut(values).zip(rows.chunks_exact(2)) {
                for ((both, &a), &b) in pairs.iter_mut().zip(rows[0]).zip(rows[1]) {
                    *both = u16::from(a) | u16::from(b) << 8;
                }
            }
            for (fours, pairs) in fours.chunks_exact_mut(values).zip(pairs.chunks_exact(2 * values))
            {
                let (a, b) = pairs.split_at(values);
                for ((both, &a), &b) in fours.iter_mut().zip(a).zip(b) {
                    *both = u32::from(a) | u32::from(b) << 16;
                }
            }
            let (a, b) = fours.split_at(values);
            for ((column, &a), &b) in columns.chunks_exact_mut(STRIP_ROWS).zip(a).zip(b) {
                let eight = (u64::from(a) | u64::from(b) << 32).to_le_bytes();
                column[8 * group..8 * group + 8].copy_from_slice(&eight);
            }
        }
    }
}

/// Makes the output pixels of a block, all rows of the strip at once.
struct Narrow<'a> {
    block: &'a [Taps],
    /// The picture's column at which the block starts.
    left: usize,
    /// The output column at which it starts, up to the width of the output.
    to: Range<usize>,
    strip: &'a mut Strip,
}

impl WithSimd for Narrow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Strip { rows, columns, sums, .. } = self.strip;
        let mut levels = [0; 3 * STRIP_ROWS];
        for (taps, column) in self.block.iter().zip(self.to.clone()) {
            sums.fill(HALF);
            let inputs = &columns[3 * STRIP_ROWS * (taps.first - self.left)..];
            AddWeighted { sums, levels: inputs, weights: &taps.weights }.with_simd(simd);
            Round { sums, levels: &mut levels }.with_simd(simd);
            for (at, row) in rows.chunks_exact_mut(3 * self.to.end).enumerate() {
                for channel in 0..3 {
                    row[3 * column + channel] = levels[STRIP_ROWS * channel + at];
                }
            }
        }
    }
}

/// Adds to each sum its level in every row of `levels`, weighted.
struct AddWeighted<'a> {
    sums: &'a mut [i32],
    levels: &'a [u8],
    weights: &'a [i32],
}

impl WithSimd for AddWeighted<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let values = self.sums.len();
        let mut weights = self.weights.chunks_exact(2);
        for (weights, rows) in (&mut weights).zip(self.levels.chunks_exact(2 * values)) {
            let (one, other) = rows.split_at(values);
            for ((sum, &one), &other) in self.sums.iter_mut().zip(one).zip(other) {
                *sum += weights[0] * i32::from(one) + weights[1] * i32::from(other);
            }
        }
        if let [weight] = *weights.remainder() {
            let last = &self.levels[(self.weights.len() - 1) * values..];
            for (sum, &level) in self.sums.iter_mut().zip(last) {
                *sum += weight * i32::from(level);
            }
        }
    }
}

/// Makes levels of sums.
struct Round<'a> {
    sums: &'a [i32],
    levels: &'a mut [u8],
}

impl WithSimd for Round<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (level, &sum) in self.levels.iter_mut().zip(self.sums) {
            *level = (sum >> WEIGHT_BITS).clamp(0, 255) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(width: u32, height: u32) -> RgbImage {
        let level = |x: u32, y: u32, channel: u32| {
            let mixed = (x + 977 * y + 7919 * channel + 1).wrapping_mul(2_654_435_761);
            (mixed >> 24) as u8
        };
        RgbImage::from_fn(width, height, |x, y| image::Rgb([0, 1, 2].map(|c| level(x, y, c))))
    }

    /// One pass by the definition, along the width.
    fn narrowed(picture: &RgbImage, width: u32, filter: Filter) -> RgbImage {
        let columns = taps(filter, picture.width() as usize, &Side::whole(width));
        RgbImage::from_fn(width, picture.height(), |x, y| {
            let taps = &columns[x as usize];
            image::Rgb(std::array::from_fn(|channel| {
                let sum = taps.weights.iter().zip(taps.first as u32..).fold(HALF, |sum, (w, x)| {
                    sum + w * i32::from(picture.get_pixel(x, y).0[channel])
                });
                (sum >> WEIGHT_BITS).clamp(0, 255) as u8
            }))
        })
    }

    fn by_definition(picture: &RgbImage, width: u32, height: u32, filter: Filter) -> RgbImage {
        let turned = |picture: &RgbImage| {
            RgbImage::from_fn(picture.height(), picture.width(), |x, y| *picture.get_pixel(y, x))
        };
        turned(&narrowed(&turned(&narrowed(picture, width, filter)), height, filter))
    }

    #[test]
    fn strips_and_blocks_change_nothing() {
        for (from, to) in [
            ((70, 95), (24, 30)),
            ((2100, 33), (9, 64)),
            ((1, 20_000), (17, 5)),
            ((2, 3), (40, 50)),
            ((5000, 1), (2, 2)),
            ((64, 64), (64, 10)),
        ] {
            let picture = noise(from.0, from.1);
            for filter in [Filter::Bilinear, Filter::Bicubic] {
                let expected = by_definition(&picture, to.0, to.1, filter);
                assert!(
                    resize(&picture, to.0, to.1, filter) == expected,
                    "{from:?} to {to:?}, {filter:?}"
                );
            }
        }
    }

    #[test]
    fn the_same_size_is_a_copy() {
        let picture = noise(41, 27);
        assert!(resize(&picture, 41, 27, Filter::Bicubic) == picture);
    }

    #[test]
    fn a_crop_is_that_part_of_the_whole() {
        let picture = noise(50, 80);
        let whole = resize(&picture, 30, 40, Filter::Bicubic);
        let (width, height) = (Side { length: 30, kept: 3..24 }, Side { length: 40, kept: 11..29 });
        let part = resize_and_crop(&picture, &width, &height, Filter::Bicubic);
        assert!(part == image::imageops::crop_imm(&whole, 3, 11, 21, 18).to_image());
    }

    #[test]
    fn a_picture_without_pixels_gives_a_black_one() {
        assert_eq!(resize(&RgbImage::new(0, 0), 4, 4, Filter::Bilinear), RgbImage::new(4, 4));
    }
}
