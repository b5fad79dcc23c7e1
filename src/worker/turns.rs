//! Turns at decoding: however many jobs there are, only a few hold decoded images at once.

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::job::JobControl;

/// Threads that decode at once, each a few images on all cores.
const TURNS: usize = 4;
/// How often a thread that waits for its turn looks whether its job was cancelled.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The turns that are free.
#[derive(Clone)]
pub(super) struct Turns {
    give_back: Sender<()>,
    free: Receiver<()>,
}

/// The right to decode a few images, until it is dropped.
pub(super) struct Turn(Sender<()>);

impl Turns {
    pub(super) fn new() -> Self {
        let (give_back, free) = bounded(TURNS);
        for _ in 0..TURNS {
            drop(Turn(give_back.clone()));
        }
        Self { give_back, free }
    }

    /// Waits for a turn; `None` if the job is cancelled.
    pub(super) fn take(&self, control: &JobControl) -> Option<Turn> {
        while !control.is_cancelled() {
            match self.free.recv_timeout(LOOK_EVERY) {
                Ok(()) => return Some(Turn(self.give_back.clone())),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        None
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // There is room: it was taken from there. Nobody is left to want it after the last thread.
        self.0.try_send(()).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_back_and_a_stop_ends_the_wait() {
        let (turns, control) = (Turns::new(), JobControl::default());
        let held: Vec<Turn> = (0..TURNS).filter_map(|_| turns.take(&control)).collect();
        assert_eq!((held.len(), turns.free.len()), (TURNS, 0));
        let waiting = {
            let (turns, control) = (turns.clone(), control.clone());
            std::thread::spawn(move || turns.take(&control).is_some())
        };
        control.cancel();
        assert!(!waiting.join().unwrap());
        drop(held);
        assert_eq!(turns.free.len(), TURNS);
        assert!(turns.take(&JobControl::default()).is_some());
    }
}
