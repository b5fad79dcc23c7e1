//! What the tagger made of one image, in few bytes: for memory, and for files.

use half::f16;
use half::slice::HalfFloatSliceExt as _;

use crate::bundle::manifest::Arch;
use crate::pipeline::{Attention, TaggerOutput};

/// As [`TaggerOutput`], with tokens in 16 bits where they have no more, and what is kept in single
/// precision beside them.
#[derive(Debug, PartialEq)]
pub(crate) struct CompactOutput {
    arch: Arch,
    tokens: Tokens,
    width: usize,
    logits: Vec<f32>,
    attention: Attention,
}

#[derive(Debug, PartialEq)]
enum Tokens {
    Half(Vec<f16>),
    Single(Vec<f32>),
}

impl Tokens {
    /// In 16 bits if every value comes back as it was.
    fn of(values: &[f32]) -> Self {
        let mut half = vec![f16::ZERO; values.len()];
        half.convert_from_f32_slice(values);
        let is_same = |(half, value): (&f16, &f32)| half.to_f32().to_bits() == value.to_bits();
        match half.iter().zip(values).all(is_same) {
            true => Self::Half(half),
            false => Self::Single(values.to_vec()),
        }
    }

    fn values(&self) -> Vec<f32> {
        match self {
            Self::Half(values) => values.to_f32_vec(),
            Self::Single(values) => values.clone(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Half(values) => values.len(),
            Self::Single(values) => values.len(),
        }
    }

    /// Bytes of a value.
    fn width(&self) -> usize {
        match self {
            Self::Half(_) => size_of::<f16>(),
            Self::Single(_) => size_of::<f32>(),
        }
    }
}

impl CompactOutput {
    pub(crate) fn of(tagged: &TaggerOutput) -> Self {
        let (arch, width, logits) = (tagged.arch, tagged.width, tagged.in_single().to_vec());
        let (tokens, attention) = match arch {
            Arch::Ram => (Tokens::of(&tagged.tokens), tagged.attention.clone()),
            // The image's own feature stands beside; maps of names are made anew whenever names may
            // have changed.
            Arch::Clip => {
                let mut tokens = tagged.tokens.clone();
                tokens[..width].fill(0.0);
                (Tokens::of(&tokens), Attention::default())
            }
        };
        Self { arch, tokens, width, logits, attention }
    }

    pub(crate) fn tagged(&self) -> TaggerOutput {
        let tokens = (self.tokens.values(), self.width);
        TaggerOutput::of_kept(self.arch, tokens, self.logits.clone(), self.attention.clone())
    }

    /// Bytes in memory.
    pub(crate) fn size(&self) -> usize {
        let Attention { tags, values, .. } = &self.attention;
        size_of::<Self>()
            + self.tokens.len() * self.tokens.width()
            + size_of_val(&self.logits[..])
            + size_of_val(&tags[..])
            + size_of_val(&values[..])
    }

    /// The kind and nine counts, then the numbers, all little-endian.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let Attention { tags, layers, heads, positions, values } = &self.attention;
        let counts = [
            usize::from(self.arch == Arch::Clip),
            self.tokens.len(),
            self.tokens.width(),
            self.width,
            self.logits.len(),
            tags.len(),
            *layers,
            *heads,
            *positions,
            values.len(),
        ];
        let mut bytes = Vec::with_capacity(self.size() + size_of_val(&counts));
        let numbers = counts.iter().chain(tags).map(|&number| (number as u64).to_le_bytes());
        bytes.extend(numbers.flatten());
        bytes.extend(self.logits.iter().chain(values).copied().flat_map(f32::to_le_bytes));
        match &self.tokens {
            Tokens::Half(values) => bytes.extend(values.iter().flat_map(|v| v.to_le_bytes())),
            Tokens::Single(values) => bytes.extend(values.iter().flat_map(|v| v.to_le_bytes())),
        }
        bytes
    }

    /// Reads what [`CompactOutput::to_bytes`] made; `None` of anything else.
    pub(crate) fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let counts = numbers(take(&mut bytes, 10, 8)?, u64::from_le_bytes);
        let counts: Vec<usize> =
            counts.map(|count| usize::try_from(count).ok()).collect::<Option<_>>()?;
        let &[kind, tokens, token_width, width, logits, tags, layers, heads, positions, values] =
            counts.as_slice()
        else {
            return None;
        };
        let tags = numbers(take(&mut bytes, tags, 8)?, u64::from_le_bytes);
        let tags = tags.map(|tag| tag as usize).collect();
        let logits = numbers(take(&mut bytes, logits, 4)?, f32::from_le_bytes).collect();
        let values = numbers(take(&mut bytes, values, 4)?, f32::from_le_bytes).collect();
        let tokens = match token_width {
            2 => Tokens::Half(numbers(take(&mut bytes, tokens, 2)?, f16::from_le_bytes).collect()),
            4 => {
                Tokens::Single(numbers(take(&mut bytes, tokens, 4)?, f32::from_le_bytes).collect())
            }
            _ => return None,
        };
        let attention = Attention { tags, layers, heads, positions, values };
        let arch = if kind == 0 { Arch::Ram } else { Arch::Clip };
        bytes.is_empty().then_some(Self { arch, tokens, width, logits, attention })
    }
}

/// Takes `count` numbers of `size` bytes off the front; `None` if there are not that many.
fn take<'a>(bytes: &mut &'a [u8], count: usize, size: usize) -> Option<&'a [u8]> {
    let (front, rest) = bytes.split_at_checked(count.checked_mul(size)?)?;
    *bytes = rest;
    Some(front)
}

fn numbers<const N: usize, T>(bytes: &[u8], read: fn([u8; N]) -> T) -> impl Iterator<Item = T> {
    bytes.as_chunks::<N>().0.iter().map(move |chunk| read(*chunk))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Numbers that half precision has exactly.
    pub(crate) fn tagged(number: usize) -> TaggerOutput {
        let at = |i: usize| (number * 7 + i) as f32 * 0.125;
        let attention = Attention {
            tags: vec![1, 4],
            layers: 2,
            heads: 1,
            positions: 5,
            values: (0..20).map(at).collect(),
        };
        let (tokens, logits) = ((0..40).map(at).collect(), (0..6).map(at).collect());
        TaggerOutput { arch: Arch::Ram, tokens, width: 8, logits, attention }
    }

    #[test]
    fn tokens_lose_nothing() {
        let halves = tagged(3);
        let mut singles = tagged(3);
        singles.tokens[7] = 0.1;
        singles.tokens[8] = -0.0;
        for (output, width) in [(halves, 2), (singles, 4)] {
            let compact = CompactOutput::of(&output);
            assert_eq!((compact.tokens.width(), &compact.tagged()), (width, &output));
            assert_eq!(CompactOutput::from_bytes(&compact.to_bytes()), Some(compact));
        }
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let kept = CompactOutput::of(&tagged(3));
        let bytes = kept.to_bytes();
        assert_eq!(CompactOutput::from_bytes(&bytes).as_ref(), Some(&kept));
        assert!(CompactOutput::from_bytes(&bytes[..bytes.len() - 1]).is_none());
        assert!(CompactOutput::from_bytes(&[255; 64]).is_none());
    }
}
