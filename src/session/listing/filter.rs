//! What of the open images is listed.

use std::collections::BTreeSet;

use crate::score::verdict::Outcome;
use crate::session::{Session, entry::Entry};
use crate::worker::ImageId;

/// Images of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Every image.
    #[default]
    All,
    /// In-distribution.
    Id,
    /// Out-of-distribution.
    Ood,
    /// Out-of-distribution outright, without a score.
    NotScored,
    /// Those with errors.
    Errors,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::All, Self::Id, Self::Ood, Self::NotScored, Self::Errors];

    /// What to call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "All",
            Self::Id => "ID",
            Self::Ood => "OOD",
            Self::NotScored => "Not scored",
            Self::Errors => "Errors",
        }
    }

    /// Whether an image is of this kind.
    pub fn holds(self, entry: &Entry) -> bool {
        let rejected = || entry.analysis.as_ref().is_some_and(|a| a.verdict.rejected.is_some());
        match self {
            Self::All => true,
            Self::Id => entry.outcome() == Some(Outcome::Id),
            Self::Ood => entry.outcome() == Some(Outcome::Ood),
            Self::NotScored => rejected(),
            Self::Errors => entry.error.is_some(),
        }
    }
}

/// What the user asked to see; all of it has to hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListFilter {
    /// Part of the name of an image, its set, its class folder or a known tag of it, in any case.
    pub text: String,
    /// What the verdict is.
    pub kind: Kind,
    /// One set, by its name.
    pub set: Option<String>,
    /// The nearest class, by its index.
    pub class: Option<usize>,
    /// A known tag that counts, by its index.
    pub tag: Option<usize>,
    /// The lowest and the highest score; images without one do not pass.
    pub score: Option<[f32; 2]>,
    /// These images alone.
    pub only: Option<BTreeSet<ImageId>>,
}

impl ListFilter {
    /// Whether it lets every image pass.
    pub fn is_open(&self) -> bool {
        *self == Self { text: self.text.clone(), ..Self::default() } && self.needle().is_empty()
    }

    pub(super) fn needle(&self) -> String {
        self.text.trim().to_lowercase()
    }

    pub(super) fn passes(&self, entry: &Entry, needle: &str, session: &Session) -> Passes {
        let in_range = |[low, high]: [f32; 2]| {
            entry.score().is_some_and(|score| (low..=high).contains(&score))
        };
        Passes {
            kind: self.kind.holds(entry),
            set: self.set.as_ref().is_none_or(|set| **set == *entry.set),
            class: self.class.is_none_or(|class| entry.nearest_class() == Some(class)),
            tag: self.tag.is_none_or(|tag| entry.counting_tags().contains(&tag)),
            rest: self.score.is_none_or(in_range)
                && self.only.as_ref().is_none_or(|only| only.contains(&entry.id))
                && (needle.is_empty() || mentions(entry, needle, session)),
        }
    }
}

/// Which parts of a filter an image passes.
#[derive(Clone, Copy)]
pub(super) struct Passes {
    kind: bool,
    set: bool,
    class: bool,
    tag: bool,
    rest: bool,
}

impl Passes {
    pub(super) fn all(self) -> bool {
        self.kind && self.all_but_kind()
    }

    pub(super) fn all_but_kind(self) -> bool {
        self.set && self.class && self.tag && self.rest
    }

    pub(super) fn all_but_set(self) -> bool {
        self.kind && self.class && self.tag && self.rest
    }

    pub(super) fn all_but_class(self) -> bool {
        self.kind && self.set && self.tag && self.rest
    }

    pub(super) fn all_but_tag(self) -> bool {
        self.kind && self.set && self.class && self.rest
    }
}

fn mentions(entry: &Entry, needle: &str, session: &Session) -> bool {
    let holds = |text: &str| text.to_lowercase().contains(needle);
    let tags = session.info().map_or(&[][..], |info| &info.vocabulary.tags);
    let tagged = || entry.counting_tags().iter().filter_map(|&tag| tags.get(tag)).any(|t| holds(t));
    holds(&entry.name)
        || holds(&entry.set)
        || entry.folder_name().is_some_and(|folder| holds(&folder))
        || tagged()
}
