//! What the tagger made of the open images, kept within a limit of memory: the first images stay
//! there, those beyond the limit go to a file and are read when they are looked at. Looks go over all
//! images in turn, where keeping the latest instead would have every one read.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use half::f16;
use half::slice::HalfFloatSliceExt as _;

use super::message::ImageId;
use super::spill::{Extent, Spill};
use crate::pipeline::{Attention, TaggerOutput};

/// Bytes of results in memory.
pub(super) const LIMIT: usize = 512 << 20;

/// The results of all open images.
pub(super) struct TaggerCache {
    limit: usize,
    places: Mutex<Places>,
    spill: Mutex<Option<Spill>>,
}

#[derive(Default)]
struct Places {
    of: BTreeMap<ImageId, Place>,
    /// Bytes in memory.
    used: usize,
}

enum Place {
    Memory(Arc<Kept>),
    File(Extent),
}

/// As [`TaggerOutput`], with tokens in half precision, as the feature store has them.
#[derive(Debug, PartialEq)]
struct Kept {
    tokens: Vec<f16>,
    width: usize,
    logits: Vec<f32>,
    attention: Attention,
}

impl TaggerCache {
    /// An empty cache that keeps at most `limit` bytes in memory.
    pub fn new(limit: usize) -> Self {
        Self { limit, places: Mutex::default(), spill: Mutex::default() }
    }

    /// Keeps an image's results, in place of older ones.
    ///
    /// # Errors
    /// If they have to go to the file and it cannot be written; they are in memory then.
    pub fn put(&self, image: ImageId, tagged: &TaggerOutput) -> io::Result<()> {
        self.remove(image);
        let kept = Kept::of(tagged);
        let size = kept.size();
        let (place, outcome) = match lock(&self.places).used + size <= self.limit {
            true => (Place::Memory(Arc::new(kept)), Ok(())),
            false => match self.write(&kept.to_bytes()) {
                Ok(stretch) => (Place::File(stretch), Ok(())),
                Err(error) => (Place::Memory(Arc::new(kept)), Err(error)),
            },
        };
        let mut places = lock(&self.places);
        if matches!(place, Place::Memory(_)) {
            places.used += size;
        }
        places.of.insert(image, place);
        outcome
    }

    /// An image's results, read from the file if they are there; `None` if there are none.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn get(&self, image: ImageId) -> io::Result<Option<TaggerOutput>> {
        let stretch = match lock(&self.places).of.get(&image) {
            None => return Ok(None),
            Some(Place::Memory(kept)) => return Ok(Some(kept.tagged())),
            Some(&Place::File(stretch)) => stretch,
        };
        let bytes = lock(&self.spill).as_mut().map(|spill| spill.read(stretch));
        let is_still_there = match lock(&self.places).of.get(&image) {
            Some(Place::File(now)) => *now == stretch,
            _ => false,
        };
        match bytes.filter(|_| is_still_there) {
            None => Ok(None),
            Some(bytes) => match Kept::from_bytes(&bytes?) {
                Some(kept) => Ok(Some(kept.tagged())),
                None => Err(io::Error::other("the file was changed")),
            },
        }
    }

    /// An image's results if they are in memory.
    pub fn get_from_memory(&self, image: ImageId) -> Option<TaggerOutput> {
        let kept = match lock(&self.places).of.get(&image) {
            Some(Place::Memory(kept)) => kept.clone(),
            _ => return None,
        };
        Some(kept.tagged())
    }

    /// Forgets an image.
    pub fn remove(&self, image: ImageId) {
        let mut places = lock(&self.places);
        match places.of.remove(&image) {
            None => {}
            Some(Place::Memory(kept)) => places.used -= kept.size(),
            Some(Place::File(stretch)) => {
                drop(places);
                if let Some(spill) = lock(&self.spill).as_mut() {
                    spill.free(stretch);
                }
            }
        }
    }

    /// Forgets all images.
    pub fn clear(&self) {
        *lock(&self.places) = Places::default();
        *lock(&self.spill) = None;
    }

    /// The images, oldest first.
    pub fn images(&self) -> Vec<ImageId> {
        lock(&self.places).of.keys().copied().collect()
    }

    fn write(&self, bytes: &[u8]) -> io::Result<Extent> {
        let mut spill = lock(&self.spill);
        let spill = match &mut *spill {
            Some(spill) => spill,
            none => none.insert(Spill::create()?),
        };
        spill.write(bytes)
    }
}

/// A thread that panicked while it held the lock left whole values behind: every change is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    fn of(tagged: &TaggerOutput) -> Self {
        let mut tokens = vec![f16::ZERO; tagged.tokens.len()];
        tokens.convert_from_f32_slice(&tagged.tokens);
        let (logits, attention) = (tagged.logits.clone(), tagged.attention.clone());
        Self { tokens, width: tagged.width, logits, attention }
    }

    fn tagged(&self) -> TaggerOutput {
        TaggerOutput {
            tokens: self.tokens.to_f32_vec(),
            width: self.width,
            logits: self.logits.clone(),
            attention: self.attention.clone(),
        }
    }

    /// Bytes in memory.
    fn size(&self) -> usize {
        let Attention { tags, values, .. } = &self.attention;
        size_of::<Self>()
            + size_of_val(&self.tokens[..])
            + size_of_val(&self.logits[..])
            + size_of_val(&tags[..])
            + size_of_val(&values[..])
    }

    /// Eight counts, then the numbers, all little-endian.
    fn to_bytes(&self) -> Vec<u8> {
        let Attention { tags, layers, heads, positions, values } = &self.attention;
        let counts = [
            self.tokens.len(),
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
        bytes.extend(self.tokens.iter().copied().flat_map(f16::to_le_bytes));
        bytes
    }

    fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let counts = numbers(take(&mut bytes, 8, 8)?, u64::from_le_bytes);
        let counts: Vec<usize> =
            counts.map(|count| usize::try_from(count).ok()).collect::<Option<_>>()?;
        let &[tokens, width, logits, tags, layers, heads, positions, values] = counts.as_slice()
        else {
            return None;
        };
        let tags = numbers(take(&mut bytes, tags, 8)?, u64::from_le_bytes);
        let tags = tags.map(|tag| tag as usize).collect();
        let logits = numbers(take(&mut bytes, logits, 4)?, f32::from_le_bytes).collect();
        let values = numbers(take(&mut bytes, values, 4)?, f32::from_le_bytes).collect();
        let tokens = numbers(take(&mut bytes, tokens, 2)?, f16::from_le_bytes).collect();
        let attention = Attention { tags, layers, heads, positions, values };
        bytes.is_empty().then_some(Self { tokens, width, logits, attention })
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
mod tests {
    use super::*;

    fn tagged(number: usize) -> TaggerOutput {
        let at = |i: usize| (number * 7 + i) as f32 * 0.125;
        let attention = Attention {
            tags: vec![1, 4],
            layers: 2,
            heads: 1,
            positions: 5,
            values: (0..20).map(at).collect(),
        };
        let (tokens, logits) = ((0..40).map(at).collect(), (0..6).map(at).collect());
        TaggerOutput { tokens, width: 8, logits, attention }
    }

    #[test]
    fn what_is_in_the_file_comes_back_as_from_memory() {
        let (all, none) = (TaggerCache::new(usize::MAX), TaggerCache::new(0));
        let ids: Vec<ImageId> = (0..5).map(|_| ImageId::unique()).collect();
        for (number, &id) in ids.iter().enumerate() {
            all.put(id, &tagged(number)).unwrap();
            none.put(id, &tagged(number)).unwrap();
        }
        for (number, &id) in ids.iter().enumerate() {
            assert_eq!(all.get(id).unwrap(), Some(tagged(number)));
            assert_eq!(none.get(id).unwrap(), Some(tagged(number)));
            assert!(none.get_from_memory(id).is_none());
        }
        assert_eq!(none.images(), ids);
    }

    #[test]
    fn memory_has_a_limit_and_is_given_back() {
        let one = Kept::of(&tagged(0)).size();
        let cache = TaggerCache::new(2 * one);
        let ids: Vec<ImageId> = (0..4).map(|_| ImageId::unique()).collect();
        ids.iter().for_each(|&id| cache.put(id, &tagged(1)).unwrap());
        let in_memory = || ids.iter().filter(|&&id| cache.get_from_memory(id).is_some()).count();
        assert_eq!((in_memory(), lock(&cache.places).used), (2, 2 * one));
        cache.remove(ids[0]);
        cache.remove(ids[3]);
        // One lock after the other: a guard in a tuple lives to the end of the statement.
        assert_eq!((in_memory(), cache.images().len()), (1, 2));
        assert_eq!(lock(&cache.places).used, one);
        cache.put(ids[0], &tagged(2)).unwrap();
        assert_eq!(cache.get(ids[0]).unwrap(), Some(tagged(2)));
        cache.clear();
        assert!(cache.get(ids[2]).unwrap().is_none());
        assert_eq!(lock(&cache.places).used, 0);
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let kept = Kept::of(&tagged(3));
        let bytes = kept.to_bytes();
        assert_eq!(Kept::from_bytes(&bytes).as_ref(), Some(&kept));
        assert!(Kept::from_bytes(&bytes[..bytes.len() - 1]).is_none());
        assert!(Kept::from_bytes(&[255; 64]).is_none());
    }
}
