//! Which of the open images are listed, in which order, and how many there are of each kind.

mod filter;
mod origins;
mod sorting;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use filter::{Kind, ListFilter};
pub use origins::Origins;
pub use sorting::{SortKey, Sorting};

use super::Session;
use super::entry::Entry;
use crate::worker::ImageId;

/// The images of a session that pass a filter, sorted, with what there is to choose from.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The images to list.
    pub order: Vec<ImageId>,
    /// How many images of each [`Kind::ALL`] pass the rest of the filter.
    pub kinds: [usize; Kind::ALL.len()],
    /// The sets by their names, with how many of their images pass the rest of the filter.
    pub sets: Vec<(String, usize)>,
    /// The nearest classes by index, with how many images that pass the rest have them.
    pub classes: BTreeMap<usize, usize>,
    /// The tags that count in some image, with how many images that pass the rest have them.
    pub tags: BTreeMap<usize, usize>,
    /// The lowest and the highest finite score of all images.
    pub scores: Option<[f32; 2]>,
}

impl Listing {
    /// Lists the images of a session.
    pub fn of(session: &Session, filter: &ListFilter, sorting: Sorting) -> Self {
        let mut listing = Self::default();
        // Sets stand in the order in which they were opened, and those that pass nothing stay.
        let titles = session.sets().iter().map(|set| (set.name.clone(), 0));
        listing.sets = titles.collect();
        let needle = filter.needle();
        let mut shown: Vec<&Entry> = Vec::new();
        for entry in session.entries() {
            if let Some(score) = entry.score().filter(|score| score.is_finite()) {
                let [low, high] = listing.scores.unwrap_or([score; 2]);
                listing.scores = Some([low.min(score), high.max(score)]);
            }
            let passes = filter.passes(entry, &needle, session);
            if passes.all_but_kind() {
                for (count, kind) in listing.kinds.iter_mut().zip(Kind::ALL) {
                    *count += usize::from(kind.holds(entry));
                }
            }
            if passes.all_but_set()
                && let Some((_, count)) = listing.sets.get_mut(entry.set_at)
            {
                *count += 1;
            }
            if passes.all_but_class()
                && let Some(class) = entry.nearest_class()
            {
                *listing.classes.entry(class).or_default() += 1;
            }
            if passes.all_but_tag() {
                for &tag in entry.counting_tags() {
                    *listing.tags.entry(tag).or_default() += 1;
                }
            }
            if passes.all() {
                shown.push(entry);
            }
        }
        sorting.sort(&mut shown, session);
        listing.order = shown.into_iter().map(|entry| entry.id).collect();
        listing
    }
}

/// The images from one to another in an order, the second last.
pub fn range(order: &[ImageId], from: ImageId, to: ImageId) -> Option<Vec<ImageId>> {
    let place = |id: ImageId| order.iter().position(|&other| other == id);
    let (from, to) = (place(from)?, place(to)?);
    let mut range = order.get(from.min(to)..=from.max(to))?.to_vec();
    if to < from {
        range.reverse();
    }
    Some(range)
}

/// A verdict as text to paste elsewhere: the file, the decision with its numbers and setting, the
/// reason.
pub fn verdict_text(entry: &Entry, session: &Session) -> String {
    let name = match entry.source.path() {
        Some(path) => path.display().to_string(),
        None => entry.name.clone(),
    };
    let analysis = match (&entry.error, &entry.analysis) {
        (Some(error), _) => return format!("{name}: cannot open: {error}"),
        (None, None) => return format!("{name}: not looked at yet"),
        (None, Some(analysis)) => analysis,
    };
    let verdict = &analysis.verdict;
    let outcome = match verdict.outcome {
        Some(crate::score::verdict::Outcome::Id) => "in-distribution (ID)",
        Some(crate::score::verdict::Outcome::Ood) => "out-of-distribution (OOD)",
        None => "no verdict",
    };
    let score = match (verdict.score, verdict.lambda) {
        (Some(score), Some(lambda)) => format!("score {score:.4}, λ {lambda:.4}"),
        (Some(score), None) => format!("score {score:.4}, no λ"),
        (None, _) => "no score".into(),
    };
    let settings = session.settings();
    let model = session.info().map_or("no model", |info| info.manifest.name.as_str());
    format!(
        "{name}: {outcome}, {score}\n{}\nModel {model}, detector {}, τ {}, {} recipe",
        verdict.reason, settings.detector, settings.tau, settings.recipe
    )
}
