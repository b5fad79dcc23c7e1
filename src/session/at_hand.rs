//! What has to be at hand for what is on show: tokens and attention of an image or two, of all that
//! are open.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::basis::Basis;
use super::entry::Entry;
use super::request::{Effects, SessionRequest};
use crate::pipeline::TaggerOutput;
use crate::worker::{self, ImageId};

/// How many images' tokens and attention are at hand.
const LIMIT: usize = 12;

/// The images whose results are at hand or on their way, oldest first.
#[derive(Debug, Default)]
pub(super) struct AtHand(VecDeque<ImageId>);

impl AtHand {
    /// Asks for an image's results and for the attention of the tags on show, where they are missing;
    /// those of others are let go when there are many. It is called after every change.
    pub(super) fn want(
        &mut self,
        image: ImageId,
        tags: &[usize],
        basis: &mut Basis,
        effects: &mut Effects,
    ) {
        self.want_results(image, basis, effects);
        want_attention(image, tags, basis, effects);
    }

    fn want_results(&mut self, image: ImageId, basis: &mut Basis, effects: &mut Effects) {
        if self.0.back() == Some(&image) {
            return;
        }
        let before = self.0.len();
        self.0.retain(|other| *other != image);
        let is_new = self.0.len() == before;
        self.0.push_back(image);
        if is_new {
            effects.ask(SessionRequest::Recall(image));
        }
        if self.0.len() > LIMIT
            && let Some(oldest) = self.0.pop_front()
            && let Some(entry) = basis.images.entry_mut(oldest)
        {
            entry.tagged = None;
            entry.extra.clear();
        }
    }

    /// Takes in an image's results, unless they come from another model or are not wanted any more.
    pub(super) fn take(&self, image: ImageId, tagged: Arc<TaggerOutput>, basis: &mut Basis) {
        let tags = basis.info().map(|info| info.vocabulary.tags.len());
        let wanted = tags == Some(tagged.logits.len()) && self.0.contains(&image);
        if let Some(entry) = basis.images.entry_mut(image).filter(|e| wanted && e.is_tagged) {
            entry.tagged = Some(tagged);
        }
    }

    /// Images are gone.
    pub(super) fn remove(&mut self, gone: &BTreeSet<ImageId>) {
        self.0.retain(|id| !gone.contains(id));
    }

    /// All results are another model's.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Asks for the attention of the tags on show that was not kept and not asked for.
fn want_attention(image: ImageId, tags: &[usize], basis: &mut Basis, effects: &mut Effects) {
    let missing = |entry: &Entry, tag: &usize| {
        let kept = entry.tagged.as_ref().map(|tagged| tagged.attention.tags.binary_search(tag));
        matches!(kept, Some(Err(_))) && !entry.extra.contains_key(tag)
    };
    let Some(entry) = basis.images.entry(image) else { return };
    let tags: Vec<usize> = tags.iter().copied().filter(|tag| missing(entry, tag)).collect();
    if tags.is_empty() {
        return;
    }
    if let Some(entry) = basis.images.entry_mut(image) {
        entry.extra.extend(tags.iter().map(|&tag| (tag, None)));
    }
    effects.ask(worker::Request::AttentionOf { image, tags });
}
