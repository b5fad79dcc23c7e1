//! What the tagger made of the open images, kept within a limit of memory: the first images stay
//! there, those beyond the limit go to a file and are read when they are looked at. Looks go over all
//! images in turn, where keeping the latest instead would have every one read.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use super::lock;
use super::message::ImageId;
use super::spill::{Extent, Spill};
use crate::bundle::manifest::Arch;
use crate::bundle::vocabulary::Vocabulary;
use crate::pipeline::{Keep, LabelSet, Pipeline, TaggerOutput};
use crate::store::CompactOutput;

/// Bytes of results in memory.
pub(super) const LIMIT: usize = 512 << 20;

/// The results of all open images.
pub(super) struct TaggerCache {
    limit: usize,
    locations: Mutex<Locations>,
    spill: Mutex<Option<Spill>>,
    /// A CLIP's names in force: its results come with their logits and maps.
    names: Mutex<Option<Arc<Names>>>,
}

struct Names {
    labels: Arc<LabelSet>,
    vocabulary: Vocabulary,
}

#[derive(Default)]
struct Locations {
    of: BTreeMap<ImageId, Location>,
    /// Bytes in memory.
    used: usize,
}

enum Location {
    Memory(Arc<CompactOutput>),
    File(Extent),
}

impl TaggerCache {
    /// An empty cache that keeps at most `limit` bytes in memory.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            locations: Mutex::default(),
            spill: Mutex::default(),
            names: Mutex::default(),
        }
    }

    /// Takes the names that a model has in force, whenever they may have changed.
    pub(super) fn set_names(&self, pipeline: &Pipeline) {
        let names = pipeline.label_set().map(|labels| {
            Arc::new(Names { labels: labels.clone(), vocabulary: pipeline.vocabulary().clone() })
        });
        *lock(&self.names) = names;
    }

    fn named(&self, mut output: TaggerOutput) -> TaggerOutput {
        let names = lock(&self.names).clone();
        if let Some(names) = names.filter(|_| output.arch == Arch::Clip) {
            names.labels.label(&mut output, &names.vocabulary, Keep::Id);
        }
        output
    }

    /// Keeps an image's results, in place of older ones.
    ///
    /// # Errors
    /// If they have to go to the file and it cannot be written; they are in memory then.
    pub(super) fn put(&self, image: ImageId, tagged: &TaggerOutput) -> io::Result<()> {
        self.remove(image);
        let kept = CompactOutput::of(tagged);
        let size = kept.size();
        let (location, outcome) = match lock(&self.locations).used + size <= self.limit {
            true => (Location::Memory(Arc::new(kept)), Ok(())),
            false => match self.write(&kept.to_bytes()) {
                Ok(extent) => (Location::File(extent), Ok(())),
                Err(error) => (Location::Memory(Arc::new(kept)), Err(error)),
            },
        };
        let mut locations = lock(&self.locations);
        if matches!(location, Location::Memory(_)) {
            locations.used += size;
        }
        locations.of.insert(image, location);
        outcome
    }

    /// An image's results, read from the file if they are there; `None` if there are none.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) fn get(&self, image: ImageId) -> io::Result<Option<TaggerOutput>> {
        let extent = match lock(&self.locations).of.get(&image) {
            None => return Ok(None),
            Some(Location::Memory(kept)) => return Ok(Some(self.named(kept.tagged()))),
            Some(&Location::File(extent)) => extent,
        };
        let bytes = lock(&self.spill).as_mut().map(|spill| spill.read(extent));
        let is_still_there = match lock(&self.locations).of.get(&image) {
            Some(Location::File(now)) => *now == extent,
            _ => false,
        };
        match bytes.filter(|_| is_still_there) {
            None => Ok(None),
            Some(bytes) => match CompactOutput::from_bytes(&bytes?) {
                Some(kept) => Ok(Some(self.named(kept.tagged()))),
                None => Err(io::Error::other("the file was changed")),
            },
        }
    }

    /// An image's results if they are in memory.
    pub(super) fn get_from_memory(&self, image: ImageId) -> Option<TaggerOutput> {
        let kept = match lock(&self.locations).of.get(&image) {
            Some(Location::Memory(kept)) => kept.clone(),
            _ => return None,
        };
        Some(self.named(kept.tagged()))
    }

    /// Forgets an image.
    pub(super) fn remove(&self, image: ImageId) {
        let mut locations = lock(&self.locations);
        match locations.of.remove(&image) {
            None => {}
            Some(Location::Memory(kept)) => locations.used -= kept.size(),
            Some(Location::File(extent)) => {
                drop(locations);
                if let Some(spill) = lock(&self.spill).as_mut() {
                    spill.free(extent);
                }
            }
        }
    }

    /// Forgets all images.
    pub(super) fn clear(&self) {
        *lock(&self.locations) = Locations::default();
        *lock(&self.spill) = None;
    }

    /// The images, oldest first.
    pub(super) fn images(&self) -> Vec<ImageId> {
        lock(&self.locations).of.keys().copied().collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::manifest::Arch;
    use crate::pipeline::Attention;

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
        TaggerOutput { arch: Arch::Ram, tokens, width: 8, logits, attention }
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
        let one = CompactOutput::of(&tagged(0)).size();
        let cache = TaggerCache::new(2 * one);
        let ids: Vec<ImageId> = (0..4).map(|_| ImageId::unique()).collect();
        ids.iter().for_each(|&id| cache.put(id, &tagged(1)).unwrap());
        let in_memory = || ids.iter().filter(|&&id| cache.get_from_memory(id).is_some()).count();
        assert_eq!((in_memory(), lock(&cache.locations).used), (2, 2 * one));
        cache.remove(ids[0]);
        cache.remove(ids[3]);
        // One lock after the other: a guard in a tuple lives to the end of the statement.
        assert_eq!((in_memory(), cache.images().len()), (1, 2));
        assert_eq!(lock(&cache.locations).used, one);
        cache.put(ids[0], &tagged(2)).unwrap();
        assert_eq!(cache.get(ids[0]).unwrap(), Some(tagged(2)));
        cache.clear();
        assert!(cache.get(ids[2]).unwrap().is_none());
        assert_eq!(lock(&cache.locations).used, 0);
    }
}
