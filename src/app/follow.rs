//! What has to be at hand for what is on show: tokens and attention of an image or two, of all that
//! are open. Asked for after every change, whatever it was that changed.

use std::sync::Arc;

use super::state::{Entry, Session};
use crate::pipeline::TaggerOutput;
use crate::worker::{ImageId, Request, Worker};

/// How many images' tokens and attention are at hand.
const AT_HAND: usize = 12;

impl Session {
    /// Asks the worker for what is on show and not at hand.
    pub fn follow(&mut self, worker: &Worker) {
        let shown = [self.beside(), self.focused()].into_iter().flatten();
        let shown: Vec<ImageId> = shown.filter(|e| e.is_tagged).map(|e| e.id).collect();
        for &image in &shown {
            self.want_results(image, worker);
            self.want_attention(image, worker);
        }
        self.want_look_beside(worker);
    }

    /// Has an image's results at hand; others are let go when there are many.
    fn want_results(&mut self, image: ImageId, worker: &Worker) {
        if self.at_hand.back() == Some(&image) {
            return;
        }
        let before = self.at_hand.len();
        self.at_hand.retain(|other| *other != image);
        let is_new = self.at_hand.len() == before;
        self.at_hand.push_back(image);
        if is_new && let Some(tagged) = worker.recall(image) {
            self.take_results(image, tagged);
        }
        if self.at_hand.len() > AT_HAND
            && let Some(oldest) = self.at_hand.pop_front()
            && let Some(entry) = self.entry_mut(oldest)
        {
            entry.tagged = None;
            entry.extra.clear();
        }
    }

    /// Takes in an image's results, unless they come from another model or are not wanted any more.
    pub(super) fn take_results(&mut self, image: ImageId, tagged: Arc<TaggerOutput>) {
        let tags = self.info().map(|info| info.vocabulary.tags.len());
        let wanted = tags == Some(tagged.logits.len()) && self.at_hand.contains(&image);
        if let Some(entry) = self.entry_mut(image).filter(|entry| wanted && entry.is_tagged) {
            entry.tagged = Some(tagged);
        }
    }

    /// Asks for the attention of the tags on show that was not kept and not asked for.
    fn want_attention(&mut self, image: ImageId, worker: &Worker) {
        let missing = |entry: &Entry, tag: &usize| {
            let kept = entry.tagged.as_ref().map(|tagged| tagged.attention.tags.binary_search(tag));
            matches!(kept, Some(Err(_))) && !entry.extra.contains_key(tag)
        };
        let Some(entry) = self.entry(image) else { return };
        let tags = self.map.tags.iter().copied().filter(|tag| missing(entry, tag));
        let tags: Vec<usize> = tags.collect();
        if tags.is_empty() {
            return;
        }
        if let Some(entry) = self.entry_mut(image) {
            entry.extra.extend(tags.iter().map(|&tag| (tag, None)));
        }
        worker.ask(Request::AttentionOf { image, tags });
    }
}
