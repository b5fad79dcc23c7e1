//! Chance that is the same on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A stream of random draws fixed by a domain, a seed and an index.
pub(super) struct SceneRng(ChaCha8Rng);

impl SceneRng {
    /// The stream of `(domain, seed, index)`; no two such triples share one.
    pub(super) fn new(domain: u64, seed: u64, index: u64) -> Self {
        let mut key = [0; 32];
        for (slot, value) in key.chunks_exact_mut(8).zip([domain, seed, index, 0x7461_676f_6f64]) {
            slot.copy_from_slice(&value.to_le_bytes());
        }
        SceneRng(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in `0.0..1.0`, in steps of 2⁻²⁴.
    pub(super) fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / 16_777_216.0
    }

    /// Uniform in `low..high`.
    pub(super) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Uniform in `0..count`; 0 if `count` is 0.
    pub(super) fn below(&mut self, count: usize) -> usize {
        ((u64::from(self.0.next_u32()) * count as u64) >> 32) as usize
    }

    /// True in `percent` of 100 draws.
    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<T: Copy, const N: usize>(&mut self, items: [T; N]) -> T {
        items[self.below(N)]
    }
}
