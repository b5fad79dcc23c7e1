//! The vocabulary of the procedural world: what a scene can be said to show.

use super::paint::{Ink, rgb};

/// A named main colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Hue {
    Red,
    Orange,
    Yellow,
    Green,
    Blue,
    Purple,
    Pink,
    Brown,
    White,
    Grey,
}

impl Hue {
    /// All of them, in tag order.
    pub const ALL: [Hue; 10] = [
        Hue::Red,
        Hue::Orange,
        Hue::Yellow,
        Hue::Green,
        Hue::Blue,
        Hue::Purple,
        Hue::Pink,
        Hue::Brown,
        Hue::White,
        Hue::Grey,
    ];

    /// The tag's name.
    pub fn name(self) -> &'static str {
        TAGS[self.tag()]
    }

    /// The tag's index in [`TAGS`].
    pub fn tag(self) -> usize {
        FIRST_HUE + self as usize
    }

    /// The colour at its middle tone.
    pub fn ink(self) -> Ink {
        match self {
            Hue::Red => rgb(214, 69, 65),
            Hue::Orange => rgb(238, 138, 58),
            Hue::Yellow => rgb(247, 203, 82),
            Hue::Green => rgb(92, 164, 98),
            Hue::Blue => rgb(66, 126, 196),
            Hue::Purple => rgb(132, 94, 178),
            Hue::Pink => rgb(240, 140, 166),
            Hue::Brown => rgb(146, 98, 66),
            Hue::White => rgb(246, 241, 232),
            Hue::Grey => rgb(132, 140, 154),
        }
    }
}

/// Every tag: ID objects, clutter, backgrounds, main colours.
pub const TAGS: [&str; 49] = [
    "apple",
    "airplane",
    "bicycle",
    "butterfly",
    "cactus",
    "car",
    "cat",
    "clock",
    "cup",
    "duck",
    "fish",
    "guitar",
    "house",
    "key",
    "mushroom",
    "sailboat",
    "teapot",
    "umbrella", //
    "tree",
    "bush",
    "cloud",
    "rock",
    "fence",
    "lamp",
    "flower",
    "star",
    "moon",
    "sun",
    "mountain",
    "grass",
    "sand",
    "sea",
    "sky",
    "brick",
    "wood",
    "snow",
    "night",
    "road",
    "room", //
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
    "white",
    "grey",
];

const FIRST_CLUTTER: usize = 18;
const FIRST_GROUND: usize = 29;
const FIRST_HUE: usize = 39;

/// The in-distribution classes; class `i` is tag `i`.
pub const ID_CLASSES: [&str; FIRST_CLUTTER] = {
    let mut names = [""; FIRST_CLUTTER];
    let mut i = 0;
    while i < FIRST_CLUTTER {
        names[i] = TAGS[i];
        i += 1;
    }
    names
};

/// What a tag stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagGroup {
    /// An in-distribution object: a class.
    Object,
    /// A thing that stands around.
    Clutter,
    /// Ground, wall or air.
    Background,
    /// A main colour.
    Colour,
}

/// The group of the tag at `index`; indices past the vocabulary count as colours.
pub fn tag_group(index: usize) -> TagGroup {
    match index {
        0..FIRST_CLUTTER => TagGroup::Object,
        FIRST_CLUTTER..FIRST_GROUND => TagGroup::Clutter,
        FIRST_GROUND..FIRST_HUE => TagGroup::Background,
        _ => TagGroup::Colour,
    }
}

/// The tag index of the ID class at `class`.
pub fn tag_from_class(class: usize) -> usize {
    class
}

/// The index of the tag called `name`.
pub fn tag_index(name: &str) -> Option<usize> {
    TAGS.iter().position(|tag| *tag == name)
}
