//! What a scene shows, in words: "two red apples and a tree in the snow".
//!
//! A caption names some of what can be seen, in words and an order drawn by lot, and keeps what it
//! claims: [`Caption::is_true_of`] another scene if that shows all of it.

use std::collections::BTreeMap;

use super::nouns::{ABSENT, NAMELESS, Noun, any_of, names, places, with_article};
use super::rng::SceneRng;
use super::scene::{Scene, SceneObject};
use super::tags::{Hue, TAGS};

/// Something that may be said of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// Something with this tag is there.
    Shows(usize),
    /// There are this many of it.
    Counts(usize, usize),
    /// One of it has this colour.
    Coloured(usize, usize),
    /// There is something that has no name.
    Nameless,
}

/// A sentence about a scene.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caption {
    /// The words, in lower case.
    pub text: String,
    /// What they claim.
    pub facts: Vec<Fact>,
}

impl Caption {
    /// Whether a scene of which `facts` hold (see [`facts`]) shows all that the caption claims.
    pub fn is_true_of(&self, facts: &[Fact]) -> bool {
        self.facts.iter().all(|fact| facts.contains(fact))
    }
}

/// Sentences around what is named; CLIP's own first.
static TEMPLATES: [&str; 14] = [
    "a photo of {}.",
    "a photo of {}",
    "{}",
    "{}.",
    "a picture of {}.",
    "a drawing of {}.",
    "a painting of {}.",
    "an image of {}.",
    "a cartoon of {}.",
    "there is {}.",
    "this is {}.",
    "here is {}",
    "'a photo of {}.'",
    "we see {} here.",
];

fn sentence(named: &str, rng: &mut SceneRng) -> String {
    let at = if rng.chance(35) { 0 } else { rng.below(TEMPLATES.len()) };
    TEMPLATES[at].replace("{}", named)
}

/// A sentence that says of an image that it shows this, as detectors ask: `a photo of a cat.`
pub(super) fn prompt(name: &str, rng: &mut SceneRng) -> String {
    let named = match rng.below(12) {
        0 => name.to_owned(),
        1 => format!("the {name}"),
        2 => format!("one {name}"),
        3 => format!("a {name}"),
        _ => with_article(name),
    };
    sentence(&named, rng)
}

/// A prompt for the object or clutter with this tag, by one of its names; `None` for other tags.
pub(super) fn prompt_of_tag(tag: usize, rng: &mut SceneRng) -> Option<String> {
    any_of(names(tag), rng).map(|noun| prompt(noun.one, rng))
}

/// A prompt with a name of nothing that training shows: a real word, or letters.
pub(super) fn prompt_of_nothing(rng: &mut SceneRng) -> String {
    let letters = |rng: &mut SceneRng| -> String {
        let count = 3 + rng.below(6);
        (0..count).map(|_| char::from(b'a' + rng.below(26) as u8)).collect()
    };
    match rng.chance(70) {
        true => prompt(ABSENT[rng.below(ABSENT.len())], rng),
        false => {
            let word = letters(rng);
            prompt(&word, rng)
        }
    }
}

/// Everything that can be said of a scene.
pub fn facts(scene: &Scene) -> Vec<Fact> {
    let mut facts: Vec<Fact> = scene.tags.iter().map(|&tag| Fact::Shows(tag)).collect();
    for (tag, things) in named(scene, &scene.objects) {
        facts.push(Fact::Counts(tag, things.len()));
        facts.extend(things.iter().map(|thing| Fact::Coloured(tag, thing.hue.tag())));
    }
    for (tag, things) in named(scene, &scene.clutter) {
        facts.push(Fact::Counts(tag, things.len()));
    }
    if scene.objects.iter().any(is_nameless) {
        facts.push(Fact::Nameless);
    }
    facts
}

fn is_nameless(thing: &SceneObject) -> bool {
    thing.tag.is_none()
}

/// The things with a tag that can be seen, by tag.
fn named<'a>(scene: &Scene, things: &'a [SceneObject]) -> BTreeMap<usize, Vec<&'a SceneObject>> {
    let mut groups: BTreeMap<usize, Vec<&SceneObject>> = BTreeMap::new();
    for thing in things {
        // Too little of it for its tag is too little for words.
        if let Some(tag) = thing.tag.filter(|tag| scene.tags.contains(tag))
            && thing.visible >= 0.3
        {
            groups.entry(tag).or_default().push(thing);
        }
    }
    groups
}

/// A caption of a scene by lot; `None` where nothing in it has a name.
pub(super) fn caption(scene: &Scene, rng: &mut SceneRng) -> Option<Caption> {
    let (mut phrases, mut claimed) = (Vec::new(), Vec::new());
    for (tag, things) in named(scene, &scene.objects) {
        phrases.push(object_phrase(tag, &things, rng, &mut claimed)?);
    }
    if scene.objects.iter().any(is_nameless) {
        phrases.push(nameless_phrase(&scene.objects, rng));
        claimed.push(Fact::Nameless);
    }
    shuffle(&mut phrases, rng);
    let around = named(scene, &scene.clutter);
    let mention = if phrases.is_empty() { 100 } else { 30 };
    for (tag, things) in around {
        if phrases.len() < 3 && rng.chance(mention) {
            phrases.push(clutter_phrase(tag, things.len(), rng, &mut claimed)?);
        }
    }
    let mut named = listed(&phrases);
    let place = scene.ground.and_then(|tag| Some((tag, any_of(places(tag), rng)?)));
    if let Some((tag, place)) = place.filter(|_| rng.chance(60)) {
        named =
            if named.is_empty() { format!("nothing {place}") } else { format!("{named} {place}") };
        claimed.push(Fact::Shows(tag));
    }
    let text = (!named.is_empty()).then(|| sentence(&named, rng))?;
    Some(Caption { text, facts: claimed })
}

/// A caption of a scene, or, in half of all cases, a prompt that names one of its objects.
pub(super) fn either(scene: &Scene, rng: &mut SceneRng) -> Option<String> {
    let shown: Vec<usize> = named(scene, &scene.objects).into_keys().collect();
    match shown.get(rng.below(shown.len())).copied().filter(|_| rng.chance(50)) {
        Some(tag) => prompt_of_tag(tag, rng),
        None => caption(scene, rng).map(|caption| caption.text),
    }
}

fn object_phrase(
    tag: usize,
    things: &[&SceneObject],
    rng: &mut SceneRng,
    claimed: &mut Vec<Fact>,
) -> Option<String> {
    let (noun, first) = (any_of(names(tag), rng)?, things.first()?);
    claimed.push(Fact::Shows(tag));
    let alike = things.iter().all(|thing| thing.hue == first.hue);
    let hue = (alike && rng.chance(60)).then_some(first.hue);
    if let Some(hue) = hue {
        claimed.push(Fact::Coloured(tag, hue.tag()));
    }
    Some(counted(noun, things.len(), hue, tag, rng, claimed))
}

fn clutter_phrase(
    tag: usize,
    count: usize,
    rng: &mut SceneRng,
    claimed: &mut Vec<Fact>,
) -> Option<String> {
    let noun = any_of(names(tag), rng)?;
    claimed.push(Fact::Shows(tag));
    Some(counted(noun, count, None, tag, rng, claimed))
}

fn nameless_phrase(things: &[SceneObject], rng: &mut SceneRng) -> String {
    // The kinds of the `near` set have names, and no tags.
    let noun = NAMELESS[rng.below(NAMELESS.len())];
    match things.iter().find(|thing| thing.tag.is_none() && thing.name != "made up") {
        Some(thing) => with_article(thing.name),
        None => noun.with_article(),
    }
}

/// A noun with its number and colour: `two red apples`.
fn counted(
    noun: Noun,
    count: usize,
    hue: Option<Hue>,
    tag: usize,
    rng: &mut SceneRng,
    claimed: &mut Vec<Fact>,
) -> String {
    let coloured = |name: &str| match hue {
        Some(hue) => format!("{} {name}", hue.name()),
        None => name.to_owned(),
    };
    if count < 2 {
        return with_article(&coloured(noun.one));
    }
    let number = ["two", "three", "four"].get(count - 2).filter(|_| rng.chance(70));
    match number {
        Some(number) => {
            claimed.push(Fact::Counts(tag, count));
            format!("{number} {}", coloured(noun.many))
        }
        None => coloured(noun.many),
    }
}

/// `a, b and c`.
fn listed(phrases: &[String]) -> String {
    match phrases {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn shuffle<T>(items: &mut [T], rng: &mut SceneRng) {
    for at in (1..items.len()).rev() {
        items.swap(at, rng.below(at + 1));
    }
}

/// Every word that a caption or prompt may hold, each as often as templates and names hold it: what
/// the tokenizer is made from.
pub fn words() -> Vec<String> {
    let nouns = (0..TAGS.len()).flat_map(names).chain(&NAMELESS);
    let nouns = nouns.flat_map(|noun| [noun.one, noun.many]);
    let places = (0..TAGS.len()).flat_map(places).copied();
    let hues = Hue::ALL.iter().map(|hue| hue.name());
    let rest = ["a", "an", "the", "one", "two", "three", "four", "and", "nothing"];
    TEMPLATES
        .into_iter()
        .chain(nouns)
        .chain(places)
        .chain(hues)
        .chain(ABSENT)
        .chain(rest)
        .map(|text| text.replace("{}", ""))
        .collect()
}
