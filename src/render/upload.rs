//! Data that went to the device once and stays there as long as somebody holds it.

use std::ptr;
use std::sync::{Arc, Weak};

/// What was made on the device of shared slices, known again by their address.
///
/// A `Weak` keeps the address from being given to other data, so that equal addresses mean equal
/// data.
pub(super) struct Uploads<T, R> {
    entries: Vec<(Weak<[T]>, R)>,
}

impl<T, R> Default for Uploads<T, R> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<T, R: Clone> Uploads<T, R> {
    /// What `data` is on the device, uploaded if it is not there yet. `upload` may be handed what
    /// was made of data that nobody holds any more, to write over.
    pub(super) fn get(&mut self, data: &Arc<[T]>, upload: impl FnOnce(Option<R>) -> R) -> R {
        let same = |weak: &Weak<[T]>| ptr::addr_eq(weak.as_ptr(), Arc::as_ptr(data));
        if let Some((_, made)) = self.entries.iter().find(|(weak, _)| same(weak)) {
            return made.clone();
        }
        let mut spare = None;
        self.entries.retain_mut(|(weak, made)| {
            let held = weak.strong_count() > 0;
            if !held {
                spare = Some(made.clone());
            }
            held
        });
        let made = upload(spare);
        self.entries.push((Arc::downgrade(data), made.clone()));
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_goes_up_once_and_leaves_with_its_last_holder() {
        let mut uploads = Uploads::default();
        let first: Arc<[u8]> = Arc::from([1, 2]);
        let second: Arc<[u8]> = Arc::from([1, 2]);
        assert_eq!(uploads.get(&first, |_| 1), 1);
        assert_eq!(uploads.get(&first.clone(), |_| 2), 1);
        assert_eq!(uploads.get(&second, |_| 3), 3);
        drop(first);
        let third: Arc<[u8]> = Arc::from([9]);
        assert_eq!(uploads.get(&third, |spare| spare.unwrap() + 10), 11);
        assert_eq!(uploads.entries.len(), 2);
    }

    #[test]
    fn empty_slices_are_data_too() {
        let mut uploads = Uploads::default();
        let empty: Arc<[u8]> = Arc::from([]);
        assert_eq!(uploads.get(&empty, |_| 1), 1);
        assert_eq!(uploads.get(&empty, |_| 2), 1);
    }
}
