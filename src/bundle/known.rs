//! What is known, by name: a CLIP's labels, or some of a tagger's tags.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::vocabulary::{Class, Vocabulary};
use crate::lists::{List, ListError};

/// Names that can be known at once, at most.
pub const MAX_NAMES: usize = 10_000;

/// The template where none is given.
pub const DEFAULT_TEMPLATE: &str = "a photo of a {}.";

/// Where a template takes a name.
const SLOT: &str = "{}";

/// Tokens that begin and end texts for the networks.
const SPECIALS: [&str; 4] =
    ["<|startoftext|>", "<|endoftext|>", "<start_of_text>", "<end_of_text>"];

/// What can be wrong with names or with the texts around them.
#[derive(Debug, Error)]
pub enum KnownError {
    /// The list cannot be read.
    #[error(transparent)]
    List(#[from] ListError),
    /// There is no name.
    #[error("nothing is named as known; give names, as in \"cat, dog\", or a list with one a line")]
    None,
    /// There is no name in a file.
    #[error("there is no name in the list; give one a line: {}", .0.display())]
    Empty(PathBuf),
    /// A name occurs twice.
    #[error("`{0}` is named twice; each name is to be known once")]
    Twice(String),
    /// There are too many names.
    #[error("{0} names are too many; at most {MAX_NAMES} can be known at once")]
    TooMany(usize),
    /// A name holds one of the networks' own tokens.
    #[error("`{name}` holds {special}, which begins or ends texts for the model; take it out")]
    Special {
        /// The name.
        name: String,
        /// The token.
        special: &'static str,
    },
    /// There is no template.
    #[error(
        "there is no template for the names to stand in; give one, as in \"{DEFAULT_TEMPLATE}\""
    )]
    NoTemplate,
    /// A template without a place for the name.
    #[error("the template `{0}` has no {SLOT}, where the name is to stand")]
    Template(String),
    /// A tagger has no such tag.
    #[error("the tagger has no tag named `{name}`{}", near_text(.near))]
    NoTag {
        /// The name.
        name: String,
        /// Tags with names like it.
        near: Vec<String>,
    },
}

fn near_text(near: &[String]) -> String {
    match near {
        [] => String::new(),
        near => format!("; it has {}", near.join(", ")),
    }
}

/// What is asked of a model by name, as a person says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The names that are known; may be none until someone says.
    pub names: Vec<KnownName>,
    /// Texts that a CLIP's names are put into, at `{}`; none for a tagger.
    pub templates: Vec<String>,
    /// The file or folder of a CLIP's negative words.
    pub negatives: Option<PathBuf>,
}

/// A name that is known, with other words for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownName {
    /// The name.
    pub name: String,
    /// Words that mean the same; the features of all are averaged.
    #[serde(default)]
    pub synonyms: Vec<String>,
}

impl KnownName {
    /// From `NAME` or `NAME: SYNONYM, SYNONYM`; blanks around each count nothing.
    pub fn parse(text: &str) -> Self {
        let (name, synonyms) = text.split_once(':').unwrap_or((text, ""));
        let synonyms = synonyms.split(',').map(str::trim).filter(|word| !word.is_empty());
        Self { name: name.trim().to_owned(), synonyms: synonyms.map(str::to_owned).collect() }
    }

    /// The name and the other words for it.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name).chain(&self.synonyms).map(String::as_str)
    }

    /// The texts that it is encoded in: every word for it in every template.
    pub fn texts(&self, templates: &[String]) -> Vec<String> {
        let texts = |word| templates.iter().map(move |template| filled(template, word));
        self.words().flat_map(texts).collect()
    }

    /// As [`KnownName::parse`] reads it.
    pub fn line(&self) -> String {
        match self.synonyms.is_empty() {
            true => self.name.clone(),
            false => format!("{}: {}", self.name, self.synonyms.join(", ")),
        }
    }
}

/// Names as a person types or pastes them: lines of names between commas, of which the last may have
/// synonyms behind a colon. They are not checked yet.
pub fn typed_names(text: &str) -> Vec<KnownName> {
    let of_line = |line: &str| {
        let colon = line.find(':').unwrap_or(line.len());
        // The last name before a colon has what follows; those before it stand alone.
        let last = match colon < line.len() {
            true => line[..colon].rfind(',').map_or(0, |comma| comma + 1),
            false => line.len(),
        };
        let (alone, with_synonyms) = line.split_at(last);
        let names: Vec<KnownName> =
            alone.split(',').chain([with_synonyms]).map(KnownName::parse).collect();
        names
    };
    let names = text.lines().flat_map(of_line);
    names.filter(|known| !known.name.is_empty() || !known.synonyms.is_empty()).collect()
}

/// Names from a list with one a line where `text` is a file, else as [`typed_names`] reads them.
///
/// # Errors
/// If the list cannot be read, or the names are wrong: see [`check_names`].
pub fn read_names(text: &str) -> Result<Vec<KnownName>, KnownError> {
    let path = Path::new(text);
    if path.exists() {
        return names_of_list(&List::read(path)?);
    }
    check_names(typed_names(text))
}

/// Names from a list with one a line; empty lines and those that start with `#` count nothing.
///
/// # Errors
/// If there are none, or they are wrong: see [`check_names`].
pub fn names_of_list(list: &List) -> Result<Vec<KnownName>, KnownError> {
    let lines = list.entries().map(|(_, line)| line);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    match check_names(lines.map(KnownName::parse).collect()) {
        Err(KnownError::None) => Err(KnownError::Empty(list.path().to_owned())),
        other => other,
    }
}

/// Gives names back that can be known together.
///
/// # Errors
/// If there is none, there are too many, one occurs twice (its case does not count), or one holds a
/// token of the networks' own.
pub fn check_names(names: Vec<KnownName>) -> Result<Vec<KnownName>, KnownError> {
    if names.is_empty() {
        return Err(KnownError::None);
    }
    if names.len() > MAX_NAMES {
        return Err(KnownError::TooMany(names.len()));
    }
    let mut seen = BTreeMap::new();
    for name in &names {
        if name.name.is_empty() {
            return Err(KnownError::None);
        }
        let special = |word: &str| {
            SPECIALS.iter().copied().find(|special| word.to_lowercase().contains(special))
        };
        if let Some(special) = name.words().find_map(special) {
            return Err(KnownError::Special { name: name.name.clone(), special });
        }
        if seen.insert(plain(&name.name), ()).is_some() {
            return Err(KnownError::Twice(name.name.clone()));
        }
    }
    Ok(names)
}

/// Refuses to have no template.
///
/// # Errors
/// If there is none, or one has no place for the name.
pub fn check_templates(templates: &[String]) -> Result<(), KnownError> {
    match templates {
        [] => Err(KnownError::NoTemplate),
        templates => templates.iter().try_for_each(|template| check_template(template)),
    }
}

/// Refuses a template without a place for the name.
///
/// # Errors
/// If there is none.
pub fn check_template(template: &str) -> Result<(), KnownError> {
    match template.contains(SLOT) {
        true => Ok(()),
        false => Err(KnownError::Template(template.to_owned())),
    }
}

/// A template's text for a name, whose `_` are spaces.
pub fn filled(template: &str, name: &str) -> String {
    template.replace(SLOT, &name.replace('_', " "))
}

/// A name as it is compared: without case, with a space for `_` and `-`.
pub fn plain(name: &str) -> String {
    name.replace(['_', '-'], " ").trim().to_lowercase()
}

impl Vocabulary {
    /// A CLIP's names: every one is a label and a class of its own.
    pub fn of_names(names: &[KnownName]) -> Self {
        let class =
            |(tag, known): (usize, &KnownName)| Class { name: known.name.clone(), tags: vec![tag] };
        let mut vocabulary = Self::default();
        vocabulary.tags = names.iter().map(|known| known.name.clone()).collect();
        vocabulary.thresholds = vec![NAME_THRESHOLD; names.len()];
        vocabulary.set_classes(names.iter().enumerate().map(class).collect());
        vocabulary
    }

    /// The classes as names, with their tags as other words.
    pub fn known(&self) -> Vec<KnownName> {
        let name = |class: &Class| {
            let tags = class.tags.iter().filter_map(|&tag| self.tags.get(tag));
            let other = |tag: &&String| plain(tag) != plain(&class.name);
            KnownName { name: class.name.clone(), synonyms: tags.filter(other).cloned().collect() }
        };
        self.classes.iter().map(name).collect()
    }

    /// Which of some names, with all their synonyms, are no tag's.
    pub fn without_tag<'a>(&self, names: &'a [KnownName]) -> Vec<&'a KnownName> {
        let tags: BTreeSet<String> = self.tags.iter().map(|tag| plain(tag)).collect();
        let is_none = |known: &&KnownName| !known.words().any(|word| tags.contains(&plain(word)));
        names.iter().filter(is_none).collect()
    }

    /// Names the in-distribution tags of a tagger: each name is a class, with the tags that are called
    /// so, or like one of its synonyms.
    ///
    /// # Errors
    /// If a name, and every synonym of it, is no tag's.
    pub fn know(&mut self, names: &[KnownName]) -> Result<(), KnownError> {
        let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (tag, name) in self.tags.iter().enumerate() {
            by_name.entry(plain(name)).or_default().push(tag);
        }
        let class = |known: &KnownName| {
            let found = known.words().filter_map(|word| by_name.get(&plain(word)));
            let mut tags: Vec<usize> = found.flatten().copied().collect();
            tags.sort_unstable();
            tags.dedup();
            match tags.is_empty() {
                true => Err(KnownError::NoTag {
                    name: known.name.clone(),
                    near: self.tags_like(&known.name),
                }),
                false => Ok(Class { name: known.name.clone(), tags }),
            }
        };
        let classes = names.iter().map(class).collect::<Result<_, _>>()?;
        self.set_classes(classes);
        Ok(())
    }

    /// A few tags with a name like this one.
    fn tags_like(&self, name: &str) -> Vec<String> {
        const FEW: usize = 4;
        let name = plain(name);
        let is_like = |tag: &&String| {
            let tag = plain(tag);
            tag.contains(&name) || tag.split(' ').any(|word| name.split(' ').any(|n| n == word))
        };
        self.tags.iter().filter(is_like).take(FEW).map(|tag| format!("`{tag}`")).collect()
    }
}

/// Share of the softmax over the names above which one counts for an image beside the best one, so
/// that its patches are kept too. Chosen here; two names can share an image.
const NAME_THRESHOLD: f32 = 0.2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_a_text_or_a_list() {
        let names = |text: &str| -> Vec<String> {
            read_names(text).unwrap().into_iter().map(|known| known.line()).collect()
        };
        assert_eq!(
            names("orangutan,  radio telescope ,sandal,"),
            ["orangutan", "radio telescope", "sandal"]
        );
        assert_eq!(names("cat: kitty, tom\ndog, sea lion"), ["cat: kitty, tom", "dog", "sea lion"]);
        assert_eq!(names("dog, cat: kitty, tom"), ["dog", "cat: kitty, tom"]);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "# mine\ncat: kitty , tom\r\n\ndog\n").unwrap();
        assert_eq!(names(file.path().to_str().unwrap()), ["cat: kitty, tom", "dog"]);
    }

    #[test]
    fn wrong_names_are_refused_in_a_sentence() {
        let refused = |text: &str| read_names(text).unwrap_err().to_string();
        assert!(refused(" , ").starts_with("nothing is named as known"));
        assert_eq!(refused("cat, dog, Cat"), "`Cat` is named twice; each name is to be known once");
        assert!(refused("a <|endoftext|>").contains("<|endoftext|>"));
        let many: Vec<String> = (0..20_000).map(|name| format!("n{name}")).collect();
        assert!(refused(&many.join(",")).starts_with("20000 names are too many"));
        assert!(check_template("a photo").unwrap_err().to_string().contains("no {}"));
        assert_eq!(filled("the {} of {}.", "sea_lion"), "the sea lion of sea lion.");
    }

    #[test]
    fn a_tagger_s_tags_are_named() {
        let mut vocabulary = Vocabulary::numbered(4);
        vocabulary.tags = ["cat", "sea lion", "lion", "cat"].map(str::to_owned).to_vec();
        vocabulary.know(&read_names("Cat, sea_lion").unwrap()).unwrap();
        assert_eq!(vocabulary.id_tags(), [0, 1, 3]);
        assert_eq!(vocabulary.classes[0].tags, [0, 3]);
        let mut again = vocabulary.clone();
        again.know(&vocabulary.known()).unwrap();
        assert_eq!(again, vocabulary);
        let names = read_names("lion, tiger, big cat").unwrap();
        let missing = vocabulary.without_tag(&names);
        assert_eq!(missing, [&names[1], &names[2]]);
        let error = vocabulary.know(&read_names("lions den, lion king").unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "the tagger has no tag named `lions den`");
        let error = vocabulary.know(&read_names("lion king").unwrap()).unwrap_err().to_string();
        assert!(error.ends_with("it has `sea lion`, `lion`"), "{error}");
    }
}
