//! How long the start took: the log tells, at level `info`.

use std::time::Instant;

use crate::session::Session;

/// What has been reached since the program started.
pub(super) struct Milestones {
    started: Instant,
    frame: bool,
    verdict: bool,
}

impl Milestones {
    /// None yet.
    pub(super) fn since(started: Instant) -> Self {
        Self { started, frame: false, verdict: false }
    }

    /// A frame was laid out.
    pub(super) fn frame(&mut self, session: &Session) {
        let after_ms = self.started.elapsed().as_millis();
        if !std::mem::replace(&mut self.frame, true) {
            log::info!("first frame laid out {after_ms} ms after the start");
        }
        if !self.verdict && session.focused().is_some_and(|entry| entry.analysis.is_some()) {
            self.verdict = true;
            log::info!("first verdict {after_ms} ms after the start");
        }
    }
}
