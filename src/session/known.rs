//! What is known by name, and how it is edited.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::bundle::known::{self, Known, KnownError, KnownName};
use crate::bundle::manifest::Arch;
use crate::bundle::vocabulary::Vocabulary;
use crate::worker::ModelInfo;

/// A change of what is known.
#[derive(Clone, Debug)]
pub enum KnownEdit {
    /// Names more.
    Add(Vec<KnownName>),
    /// Names these and no others.
    Replace(Vec<KnownName>),
    /// Takes a name away.
    Remove(String),
    /// Puts another name in the place of one.
    Rename(String, KnownName),
    /// Puts the names into other texts.
    Templates(Vec<String>),
    /// Takes negative words from this file or folder, or none.
    Negatives(Option<PathBuf>),
    /// Goes back to what the model knows by itself.
    Own,
    /// Says why names that were to come did not.
    Refuse(String),
}

/// What was asked of each kind of model by name, and what came of it.
#[derive(Debug, Default)]
pub struct KnownNames {
    /// What the user chose, for each kind of model; the model's own where there is nothing.
    pub(super) chosen: BTreeMap<Arch, Known>,
    /// What the model in use knows by itself.
    pub(super) own: Known,
    pub(super) asked: Option<Asked>,
    /// Why the last change was refused, or what of it was left out.
    pub error: Option<String>,
}

/// A change that the model has not taken yet.
#[derive(Debug)]
pub(super) struct Asked {
    pub generation: u64,
    pub known: Known,
    /// Whether the detector was chosen for these names: they come from a saved session.
    pub keeps_detector: bool,
}

impl KnownNames {
    /// Whether the model is still to take the last change.
    pub fn is_awaited(&self) -> bool {
        self.asked.is_some()
    }

    /// What the model in use knows by itself.
    pub fn own(&self) -> &Known {
        &self.own
    }

    /// What a model of a kind is to know.
    pub(super) fn wanted(&self, arch: Arch) -> Known {
        self.chosen.get(&arch).unwrap_or(&self.own).clone()
    }

    pub(super) fn choose(&mut self, arch: Arch, known: &Known) {
        match *known == self.own {
            true => self.chosen.remove(&arch),
            false => self.chosen.insert(arch, known.clone()),
        };
    }
}

/// Where tags and classes of an old vocabulary are in a new one.
pub(super) struct Moved {
    /// `None` where tags stay where they are: a tagger's.
    tags: Option<Vec<Option<usize>>>,
    classes: Vec<Option<usize>>,
}

impl Moved {
    pub(super) fn between(old: &ModelInfo, new: &ModelInfo) -> Self {
        fn places<'a>(
            old: impl Iterator<Item = &'a String>,
            new: impl Iterator<Item = &'a String>,
        ) -> Vec<Option<usize>> {
            let new: BTreeMap<&String, usize> =
                new.enumerate().map(|(at, name)| (name, at)).collect();
            old.map(|name| new.get(name).copied()).collect()
        }
        let (before, after): (&Vocabulary, &Vocabulary) = (&old.vocabulary, &new.vocabulary);
        let names = |vocabulary: &'_ Vocabulary| -> Vec<String> {
            vocabulary.classes.iter().map(|class| class.name.clone()).collect()
        };
        let classes = places(names(before).iter(), names(after).iter());
        let is_clip = new.manifest.arch == Arch::Clip;
        let tags = is_clip.then(|| places(before.tags.iter(), after.tags.iter()));
        Self { tags, classes }
    }

    /// A tag's place.
    pub(super) fn tag(&self, tag: usize) -> Option<usize> {
        match &self.tags {
            Some(tags) => tags.get(tag).copied().flatten(),
            None => Some(tag),
        }
    }

    /// A class's place.
    pub(super) fn class(&self, class: usize) -> Option<usize> {
        self.classes.get(class).copied().flatten()
    }
}

/// What is known after an edit, with a sentence on what of it was left out; or a sentence on why it
/// cannot be.
pub(super) fn edited(
    mut present: Known,
    edit: KnownEdit,
    (own, info): (&Known, &ModelInfo),
) -> Result<(Known, Option<String>), String> {
    let mut left_out = None;
    let mut fitting = |names: Vec<KnownName>| match info.manifest.arch {
        Arch::Clip => Ok(names),
        Arch::Ram => tags_alone(names, &info.vocabulary, &mut left_out),
    };
    match edit {
        KnownEdit::Add(names) | KnownEdit::Replace(names) if names.is_empty() => {
            return Err(KnownError::None.to_string());
        }
        KnownEdit::Add(names) => present.names.extend(fitting(names)?),
        KnownEdit::Replace(names) => present.names = fitting(names)?,
        KnownEdit::Remove(name) => present.names.retain(|known| known.name != name),
        KnownEdit::Rename(old, new) => {
            let new = fitting(vec![new])?;
            let place = present.names.iter().position(|known| known.name == old);
            if let Some(at) = place {
                present.names.splice(at..=at, new);
            }
        }
        KnownEdit::Templates(templates) => present.templates = templates,
        KnownEdit::Negatives(path) => present.negatives = path,
        KnownEdit::Own => present = own.clone(),
        KnownEdit::Refuse(sentence) => return Err(sentence),
    }
    let sentence = |error: KnownError| error.to_string();
    // With its last name nothing is known, which is no mistake.
    if !present.names.is_empty() && present.names != own.names {
        present.names = known::check_names(present.names).map_err(sentence)?;
    }
    if info.manifest.arch == Arch::Clip {
        known::check_templates(&present.templates).map_err(sentence)?;
    }
    Ok((present, left_out))
}

/// The names that a tagger has tags of.
fn tags_alone(
    mut names: Vec<KnownName>,
    vocabulary: &Vocabulary,
    left_out: &mut Option<String>,
) -> Result<Vec<KnownName>, String> {
    let all = names.len();
    let missing: Vec<KnownName> = vocabulary.without_tag(&names).into_iter().cloned().collect();
    if missing.len() == all {
        return match vocabulary.clone().know(&names) {
            Err(error) => Err(error.to_string()),
            Ok(()) => Ok(names),
        };
    }
    names.retain(|name| !missing.contains(name));
    if !missing.is_empty() {
        let words: Vec<String> = missing.iter().map(|known| format!("`{}`", known.name)).collect();
        let (count, words) = (missing.len(), words.join(", "));
        let are = if count == 1 { "is no tag" } else { "are no tags" };
        *left_out = Some(format!("{count} of {all} names {are} of this tagger: {words}"));
    }
    Ok(names)
}
