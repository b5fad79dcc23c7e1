//! Which images the gallery shows, and in which order.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::score::verdict::Outcome;
use crate::session::{Session, entry::Entry};
use crate::worker::ImageId;

/// Images of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Every image.
    #[default]
    All,
    /// In-distribution.
    Id,
    /// Out-of-distribution.
    Ood,
    /// Those with errors.
    Errors,
}

impl Kind {
    /// Every kind, with its name.
    pub(super) const ALL: [(Self, &'static str); 4] =
        [(Self::All, "All"), (Self::Id, "ID"), (Self::Ood, "OOD"), (Self::Errors, "Errors")];

    /// Whether an image is of this kind.
    pub(super) fn holds(self, entry: &Entry) -> bool {
        match self {
            Self::All => true,
            Self::Id => entry.outcome() == Some(Outcome::Id),
            Self::Ood => entry.outcome() == Some(Outcome::Ood),
            Self::Errors => entry.error.is_some(),
        }
    }
}

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sort {
    /// As they were opened.
    #[default]
    Opened,
    /// By name.
    Name,
    /// The most out-of-distribution first.
    Score,
    /// The nearest to λ first: the doubtful ones.
    Margin,
    /// The farthest on the wrong side of λ first, given what its set says it is; then those on the
    /// right side, the farthest last.
    Wrong,
}

impl Sort {
    /// Every order, with its name.
    pub(super) const ALL: [(Self, &'static str); 5] = [
        (Self::Opened, "As opened"),
        (Self::Name, "Name"),
        (Self::Score, "Score, lowest first"),
        (Self::Margin, "Nearest to λ"),
        (Self::Wrong, "Most wrong first"),
    ];

    fn compare(self, a: &Entry, b: &Entry, session: &Session) -> Ordering {
        // Images without a score come last, whatever the order.
        let by = |a: Option<f32>, b: Option<f32>| match (a, b) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        };
        match self {
            Self::Opened => Ordering::Equal,
            Self::Name => a.name.cmp(&b.name),
            Self::Score => by(a.score(), b.score()),
            Self::Margin => by(a.margin().map(f32::abs), b.margin().map(f32::abs)),
            Self::Wrong => {
                let right = |entry: &Entry| wrongness(entry, session).map(|far| -far);
                by(right(a), right(b))
            }
        }
    }
}

/// How far an image lies on the wrong side of λ, negative on the right one; `None` where what it is,
/// its score or λ is not known. One that is rejected outright lies infinitely far below λ.
fn wrongness(entry: &Entry, session: &Session) -> Option<f32> {
    let verdict = &entry.analysis.as_ref()?.verdict;
    let above = verdict.ranked? - verdict.lambda?;
    match session.truth(entry.set_at)? {
        Outcome::Id => Some(-above),
        Outcome::Ood => Some(above),
    }
}

/// What the user asked to see.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct GalleryFilter {
    /// Part of a name, a set's or a counting tag's name, in any case.
    pub text: String,
    pub kind: Kind,
    /// One set, by its name.
    pub set: Option<String>,
    /// These images alone.
    pub only: Option<BTreeSet<ImageId>>,
    /// The order.
    pub sort: Sort,
}

impl GalleryFilter {
    /// The images to show.
    pub(super) fn order(&self, session: &Session) -> Vec<ImageId> {
        let needle = self.text.trim().to_lowercase();
        let mut shown: Vec<&Entry> = session
            .entries()
            .iter()
            .filter(|entry| self.kind.holds(entry))
            .filter(|entry| self.set.as_ref().is_none_or(|set| **set == *entry.set))
            .filter(|entry| self.only.as_ref().is_none_or(|only| only.contains(&entry.id)))
            .filter(|entry| needle.is_empty() || mentions(entry, &needle, session))
            .collect();
        shown.sort_by(|a, b| self.sort.compare(a, b, session));
        shown.into_iter().map(|entry| entry.id).collect()
    }
}

fn mentions(entry: &Entry, needle: &str, session: &Session) -> bool {
    let tagged = || {
        let tags = &entry.analysis.as_ref()?.decomposition.tags;
        let names = &session.info()?.vocabulary.tags;
        Some(
            tags.iter()
                .filter_map(|&tag| names.get(tag))
                .any(|name| name.to_lowercase().contains(needle)),
        )
    };
    entry.name.to_lowercase().contains(needle)
        || entry.set.to_lowercase().contains(needle)
        || tagged().unwrap_or(false)
}

/// How many images there are of each kind, and the sets' names.
pub(super) fn survey(session: &Session) -> ([usize; 4], Vec<String>) {
    let count = |kind: Kind| session.entries().iter().filter(|entry| kind.holds(entry)).count();
    let sets: BTreeSet<&str> = session.entries().iter().map(|entry| &*entry.set).collect();
    let counts = Kind::ALL.map(|(kind, _)| count(kind));
    (counts, sets.into_iter().filter(|set| !set.is_empty()).map(str::to_owned).collect())
}
