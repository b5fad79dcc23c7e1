//! What the user is told.

/// How many are kept.
const KEPT: usize = 200;

/// Sentences for the user, newest last.
#[derive(Debug, Default)]
pub(super) struct Notices(Vec<String>);

impl Notices {
    /// All of them, newest last.
    pub(super) fn all(&self) -> &[String] {
        &self.0
    }

    /// Keeps one, unless it was the last thing said.
    pub(super) fn add(&mut self, sentence: String) {
        if self.0.last() == Some(&sentence) {
            return;
        }
        log::warn!("{sentence}");
        self.0.push(sentence);
        let surplus = self.0.len().saturating_sub(KEPT);
        self.0.drain(..surplus);
    }
}
