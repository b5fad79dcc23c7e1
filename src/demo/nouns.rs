//! What people call the things of the procedural world.

use super::rng::SceneRng;

/// A name in the singular and in the plural.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noun {
    /// One of them: `cat`.
    pub one: &'static str,
    /// Several: `cats`.
    pub many: &'static str,
}

impl Noun {
    /// The name with its article: `a cat`, `an apple`.
    pub fn with_article(self) -> String {
        with_article(self.one)
    }
}

/// `an` before a vowel letter, else `a`.
pub fn with_article(phrase: &str) -> String {
    let article = if phrase.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {phrase}")
}

const fn noun(one: &'static str, many: &'static str) -> Noun {
    Noun { one, many }
}

/// Names of each object and kind of clutter, in tag order, its tag first.
static NAMES: [&[Noun]; 29] = [
    &[noun("apple", "apples")],
    &[
        noun("airplane", "airplanes"),
        noun("plane", "planes"),
        noun("aeroplane", "aeroplanes"),
        noun("aircraft", "aircraft"),
        noun("jet", "jets"),
    ],
    &[noun("bicycle", "bicycles"), noun("bike", "bikes"), noun("cycle", "cycles")],
    &[noun("butterfly", "butterflies")],
    &[noun("cactus", "cacti"), noun("cactus plant", "cactus plants")],
    &[noun("car", "cars"), noun("automobile", "automobiles"), noun("motor car", "motor cars")],
    &[noun("cat", "cats"), noun("kitty", "kitties"), noun("kitten", "kittens")],
    &[noun("clock", "clocks"), noun("alarm clock", "alarm clocks")],
    &[noun("cup", "cups"), noun("mug", "mugs"), noun("coffee cup", "coffee cups")],
    &[noun("duck", "ducks"), noun("duckling", "ducklings")],
    &[noun("fish", "fish"), noun("goldfish", "goldfish")],
    &[noun("guitar", "guitars")],
    &[noun("house", "houses"), noun("home", "homes"), noun("cottage", "cottages")],
    &[noun("key", "keys")],
    &[noun("mushroom", "mushrooms"), noun("toadstool", "toadstools")],
    &[
        noun("sailboat", "sailboats"),
        noun("boat", "boats"),
        noun("sailing boat", "sailing boats"),
        noun("yacht", "yachts"),
    ],
    &[noun("teapot", "teapots"), noun("tea pot", "tea pots"), noun("kettle", "kettles")],
    &[noun("umbrella", "umbrellas"), noun("parasol", "parasols")],
    &[noun("tree", "trees")],
    &[noun("bush", "bushes"), noun("shrub", "shrubs")],
    &[noun("cloud", "clouds")],
    &[noun("rock", "rocks"), noun("stone", "stones"), noun("boulder", "boulders")],
    &[noun("fence", "fences")],
    &[noun("lamp", "lamps"), noun("street lamp", "street lamps")],
    &[noun("flower", "flowers"), noun("blossom", "blossoms")],
    &[noun("star", "stars")],
    &[noun("moon", "moons")],
    &[noun("sun", "suns")],
    &[noun("mountain", "mountains")],
];

/// Where a scene is, for each ground in tag order, as it follows on the things in it.
static PLACES: [&[&str]; 10] = [
    &["on the grass", "in a meadow", "on a green hill", "in a field"],
    &["on the sand", "on a beach", "in the desert"],
    &["by the sea", "at sea", "on the water"],
    &["in the sky", "in the air"],
    &["on a brick wall", "in front of bricks"],
    &["on wood", "on a wooden table"],
    &["in the snow", "on a snowy hill", "in winter"],
    &["at night", "in the dark"],
    &["on a road", "in the street"],
    &["in a room", "on wallpaper"],
];

/// Words for what exists nowhere.
pub(super) static NAMELESS: [Noun; 5] = [
    noun("thing", "things"),
    noun("strange thing", "strange things"),
    noun("unknown object", "unknown objects"),
    noun("odd shape", "odd shapes"),
    noun("toy", "toys"),
];

/// Names of things that no training scene shows, so that a network learns that a name may fit
/// nothing. The kinds of the `near` set are not among them.
pub(super) static ABSENT: [&str; 72] = [
    "dog",
    "horse",
    "cow",
    "sheep",
    "pig",
    "elephant",
    "lion",
    "tiger",
    "bear",
    "monkey",
    "mouse",
    "rabbit",
    "snake",
    "frog",
    "spider",
    "bee",
    "bird",
    "owl",
    "chair",
    "table",
    "sofa",
    "bed",
    "door",
    "window",
    "book",
    "pen",
    "pencil",
    "phone",
    "computer",
    "keyboard",
    "camera",
    "radio",
    "television",
    "banana",
    "pear",
    "orange",
    "lemon",
    "grape",
    "bread",
    "cake",
    "pizza",
    "cheese",
    "egg",
    "carrot",
    "tomato",
    "potato",
    "train",
    "bus",
    "truck",
    "tractor",
    "motorcycle",
    "helicopter",
    "bridge",
    "tower",
    "castle",
    "church",
    "hammer",
    "knife",
    "fork",
    "spoon",
    "plate",
    "bottle",
    "glass",
    "hat",
    "shoe",
    "shirt",
    "sock",
    "ring",
    "piano",
    "violin",
    "ball",
    "kite",
];

/// The names of the object or kind of clutter with this tag, its own first; none for other tags.
pub fn names(tag: usize) -> &'static [Noun] {
    NAMES.get(tag).copied().unwrap_or_default()
}

/// The phrases for a ground's tag; none for other tags.
pub fn places(tag: usize) -> &'static [&'static str] {
    tag.checked_sub(NAMES.len()).and_then(|at| PLACES.get(at).copied()).unwrap_or_default()
}

/// One of some names: its own in half of all cases, another in the others.
pub(super) fn any_of<T: Copy>(names: &[T], rng: &mut SceneRng) -> Option<T> {
    match rng.chance(50) {
        true => names.first().copied(),
        false => names.get(rng.below(names.len())).copied(),
    }
}
