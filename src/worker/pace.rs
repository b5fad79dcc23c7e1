//! How many images to do between two looks at the requests.

use std::time::Duration;

/// The worker looks at the requests at least as often as this, or after each image where one takes
/// longer.
const RESPONSE: Duration = Duration::from_millis(150);

/// Adapts the size of batches to the time that an image takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    most: usize,
    count: usize,
}

impl Pace {
    /// One image first, and at most `most` together when it is known how long they take.
    pub(super) fn new(most: usize) -> Self {
        Self { most, count: 1 }
    }

    /// Images to do next.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Starts again with one image, which is on show and waits for no other.
    pub(super) fn restart(&mut self) {
        self.count = 1;
    }

    /// Takes in how long `images` took together. At most twice as many come next, so that one quick
    /// batch does not make a slow one.
    pub(super) fn measured(&mut self, images: usize, took: Duration) {
        let each = took.as_secs_f64() / images.max(1) as f64;
        let within = (RESPONSE.as_secs_f64() / each.max(1e-9)) as usize;
        self.count = within.clamp(1, self.most.min(2 * images.max(1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_images_come_one_by_one_and_quick_ones_together() {
        let mut pace = Pace::new(8);
        assert_eq!(pace.count(), 1, "before anything is known");
        pace.measured(1, Duration::from_millis(2100));
        assert_eq!(pace.count(), 1, "RAM on a CPU");
        for expected in [2, 4, 8, 8] {
            pace.measured(pace.count(), Duration::from_millis(10) * pace.count() as u32);
            assert_eq!(pace.count(), expected);
        }
        pace.measured(8, Duration::from_millis(8 * 70));
        assert_eq!(pace.count(), 2, "two of 70 ms fit into 150 ms");
        pace.restart();
        assert_eq!(pace.count(), 1);
        pace.measured(1, Duration::ZERO);
        assert_eq!(pace.count(), 2);
    }
}
