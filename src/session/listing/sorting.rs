//! Which image is listed first.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::score::verdict::Outcome;
use crate::session::{Session, entry::Entry};

/// What images are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortKey {
    /// When they were opened.
    #[default]
    Opened,
    /// Their names.
    Name,
    /// The names of their sets.
    Set,
    /// The names of the nearest classes.
    Class,
    /// The score; the most out-of-distribution first.
    Score,
    /// The distance to λ; the doubtful ones first.
    Margin,
    /// The object tokens that are kept.
    Kept,
    /// How far they lie on the wrong side of λ, given what their set says they are: the farthest
    /// first; then those on the right side, the farthest last.
    Wrong,
}

impl SortKey {
    /// Every key.
    pub const ALL: [Self; 8] = [
        Self::Opened,
        Self::Name,
        Self::Set,
        Self::Class,
        Self::Score,
        Self::Margin,
        Self::Kept,
        Self::Wrong,
    ];

    /// What to call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "As opened",
            Self::Name => "Name",
            Self::Set => "Set",
            Self::Class => "Nearest class",
            Self::Score => "Score",
            Self::Margin => "Distance to λ",
            Self::Kept => "Kept tokens",
            Self::Wrong => "Most wrong",
        }
    }

    /// Which end comes first, in words.
    pub fn direction(self, reversed: bool) -> &'static str {
        match (self, reversed) {
            (Self::Opened, false) => "oldest first",
            (Self::Opened, true) => "newest first",
            (Self::Name | Self::Set | Self::Class, false) => "A to Z",
            (Self::Name | Self::Set | Self::Class, true) => "Z to A",
            (Self::Score | Self::Kept, false) => "lowest first",
            (Self::Score | Self::Kept, true) => "highest first",
            (Self::Margin, false) => "nearest first",
            (Self::Margin, true) => "farthest first",
            (Self::Wrong, false) => "most wrong first",
            (Self::Wrong, true) => "most right first",
        }
    }
}

/// An order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sorting {
    /// What images are sorted by.
    pub key: SortKey,
    /// Whether the other end comes first.
    pub reversed: bool,
}

impl Sorting {
    /// Sorts images; of equals, those that were opened first come first. Images without what they are
    /// sorted by come last, whichever end comes first.
    pub(super) fn sort(self, entries: &mut [&Entry], session: &Session) {
        let Self { key, reversed } = self;
        let turned = |order: Ordering| if reversed { order.reverse() } else { order };
        match key {
            SortKey::Opened if reversed => entries.reverse(),
            SortKey::Opened => {}
            SortKey::Name => entries.sort_by(|a, b| turned(natural(&a.name, &b.name))),
            SortKey::Set => {
                let title = |entry: &Entry| session.sets().get(entry.set_at).map(|set| set.title());
                let titles = |a, b| natural(title(a).unwrap_or(""), title(b).unwrap_or(""));
                entries.sort_by(|a, b| turned(titles(a, b)));
            }
            SortKey::Class => {
                let vocabulary = session.info().map(|info| &info.vocabulary);
                let name = |entry: &Entry| Some(vocabulary?.class_name(entry.nearest_class()?));
                entries.sort_by_cached_key(|entry| Absent::last(name(entry), reversed));
            }
            SortKey::Kept => {
                let kept = |entry: &Entry| Some(entry.analysis.as_ref()?.decomposition.kept());
                entries.sort_by_cached_key(|entry| Absent::last(kept(entry), reversed));
            }
            SortKey::Score | SortKey::Margin | SortKey::Wrong => {
                let number = |entry: &Entry| match key {
                    SortKey::Score => entry.score(),
                    SortKey::Margin => entry.margin().map(f32::abs),
                    _ => wrongness(entry, session).map(|far| -far),
                };
                entries.sort_by(|a, b| match (number(a), number(b)) {
                    (Some(a), Some(b)) => turned(a.total_cmp(&b)),
                    (a, b) => b.is_some().cmp(&a.is_some()),
                });
            }
        }
    }
}

/// A key of which a missing one is the last, whichever way the others go.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Absent<T> {
    Up(T),
    Down(std::cmp::Reverse<T>),
    Missing,
}

impl<T> Absent<T> {
    fn last(value: Option<T>, reversed: bool) -> Self {
        match value {
            Some(value) if reversed => Self::Down(std::cmp::Reverse(value)),
            Some(value) => Self::Up(value),
            None => Self::Missing,
        }
    }
}

/// Names as people sort them: `2.png` before `10.png`, in any case.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.chars().peekable(), b.chars().peekable());
    loop {
        let (Some(&x), Some(&y)) = (left.peek(), right.peek()) else {
            return left.peek().is_some().cmp(&right.peek().is_some()).then_with(|| a.cmp(b));
        };
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (x, y) = (digits(&mut left), digits(&mut right));
            x.len().cmp(&y.len()).then_with(|| x.cmp(&y))
        } else {
            left.next();
            right.next();
            x.to_lowercase().cmp(y.to_lowercase())
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// The digits that come next, without zeros before them.
fn digits(text: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut digits = String::new();
    while let Some(digit) = text.next_if(char::is_ascii_digit) {
        if digit != '0' || !digits.is_empty() {
            digits.push(digit);
        }
    }
    digits
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
