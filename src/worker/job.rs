//! Jobs: something with an end, whose progress shows and which can be cancelled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// A job, unique for the life of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(u64);

impl JobId {
    /// A number that no other job has.
    pub fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A job's progress, shared between the threads that work on it.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    total: AtomicUsize,
    done: AtomicUsize,
    cancelled: AtomicBool,
}

impl Progress {
    /// Sets how much there is to do.
    pub fn set_total(&self, total: usize) {
        self.0.total.store(total, Ordering::Relaxed);
    }

    /// Counts `more` pieces as done; whether that was the last.
    pub fn advance(&self, more: usize) -> bool {
        let done = self.0.done.fetch_add(more, Ordering::AcqRel) + more;
        done >= self.0.total.load(Ordering::Relaxed)
    }

    /// Asks the job to stop.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Release);
    }

    /// Whether the job was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_piece_ends_the_job() {
        let progress = Progress::default();
        progress.set_total(3);
        assert!(!progress.advance(2));
        assert!(progress.advance(1));
        assert!(!progress.is_cancelled());
        progress.clone().cancel();
        assert!(progress.is_cancelled());
    }
}
