//! Memory for decoding, shared by all threads: whoever decodes waits until there is enough of it.

use std::sync::{Condvar, Mutex, PoisonError};

/// The most bytes that pictures being decoded take together, and so the most that one may take.
pub const DECODING_BYTES: u64 = 2 << 30;

static SHARED: Budget = Budget::new(DECODING_BYTES);

/// Bytes that are lent out up to a limit.
struct Budget {
    limit: u64,
    lent: Mutex<u64>,
    returned: Condvar,
}

/// Bytes lent until this is dropped.
pub(super) struct Permit<'a> {
    budget: &'a Budget,
    bytes: u64,
}

/// Waits for memory to decode a picture. Nothing that waits for other threads may run while it is
/// held. `None` if it is more than there is for all.
pub(super) fn wait_for(bytes: u64) -> Option<Permit<'static>> {
    SHARED.wait_for(bytes)
}

impl Budget {
    const fn new(limit: u64) -> Self {
        Self { limit, lent: Mutex::new(0), returned: Condvar::new() }
    }

    fn wait_for(&self, bytes: u64) -> Option<Permit<'_>> {
        if bytes > self.limit {
            return None;
        }
        let lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        let too_much = |lent: &mut u64| *lent + bytes > self.limit;
        let lent = self.returned.wait_while(lent, too_much);
        *lent.unwrap_or_else(PoisonError::into_inner) += bytes;
        Some(Permit { budget: self, bytes })
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.budget.lent.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.budget.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn no_more_is_lent_than_there_is() {
        let budget = Budget::new(10);
        let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (budget, now, most) = (&budget, &now, &most);
                scope.spawn(move || {
                    for round in 0..200 {
                        let bytes = 1 + (thread + round) % 10;
                        let permit = budget.wait_for(bytes).unwrap();
                        most.fetch_max(
                            now.fetch_add(bytes, Ordering::SeqCst) + bytes,
                            Ordering::SeqCst,
                        );
                        now.fetch_sub(bytes, Ordering::SeqCst);
                        drop(permit);
                    }
                });
            }
        });
        assert!(most.into_inner() <= 10);
        assert!(budget.wait_for(10).is_some(), "all of it came back");
        assert!(budget.wait_for(11).is_none());
    }
}
