//! Which tags there are, when one counts as seen, and which of them stand for in-distribution
//! classes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// What can be wrong with a list of tags, thresholds or classes.
#[derive(Debug, Error)]
pub enum VocabularyError {
    /// The file cannot be read.
    #[error("cannot read the list: {source}: {}", path.display())]
    Io {
        /// What the system said.
        source: std::io::Error,
        /// The file.
        path: PathBuf,
    },
    /// A list has another length than the tagger has tags.
    #[error("the list has {found} entries, but the tagger has {expected} tags: {}", path.display())]
    Length {
        /// Entries in the file.
        found: usize,
        /// Tags of the model.
        expected: usize,
        /// The file.
        path: PathBuf,
    },
    /// A line is not what it should be.
    #[error("line {line}: {reason}: {}", path.display())]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
        /// The file.
        path: PathBuf,
    },
}

/// An in-distribution class and the tags that stand for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// Indices of its tags, ascending.
    pub tags: Vec<usize>,
}

/// Tags with their thresholds, and the classes that some of them stand for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vocabulary {
    /// Names of all tags; a tag of an unnamed list is called by its number.
    pub tags: Vec<String>,
    /// Probability above which a tag counts as seen, one for each tag, 0 to 1.
    pub thresholds: Vec<f32>,
    /// The in-distribution classes, in the order of the class logits; may be empty.
    pub classes: Vec<Class>,
    id_tags: Vec<usize>,
}

/// The released scripts' threshold, used where no list is given.
pub const DEFAULT_THRESHOLD: f32 = 0.5;

impl Vocabulary {
    /// Tags known by number alone, all with the default threshold, and no classes.
    pub fn numbered(count: usize) -> Self {
        let tags = (0..count).map(|tag| format!("tag {tag}")).collect();
        Self { tags, thresholds: vec![DEFAULT_THRESHOLD; count], ..Self::default() }
    }

    /// Sets the classes.
    pub fn set_classes(&mut self, classes: Vec<Class>) {
        let mut id_tags: Vec<usize> = classes.iter().flat_map(|c| c.tags.clone()).collect();
        id_tags.sort_unstable();
        id_tags.dedup();
        (self.classes, self.id_tags) = (classes, id_tags);
    }

    /// The distinct tags that stand for a class, ascending.
    pub fn id_tags(&self) -> &[usize] {
        &self.id_tags
    }

    /// Whether a tag stands for a class.
    pub fn is_id(&self, tag: usize) -> bool {
        self.id_tags.binary_search(&tag).is_ok()
    }

    /// The name of a class, or its number where it has none.
    pub fn class_name(&self, class: usize) -> String {
        match self.classes.get(class) {
            Some(class) => class.name.clone(),
            None => format!("class {class}"),
        }
    }

    /// Reads tag names, one a line.
    ///
    /// # Errors
    /// If the file cannot be read or has another number of lines than there are tags.
    pub fn read_tags(&mut self, path: &Path) -> Result<(), VocabularyError> {
        self.parse_tags(&read(path)?, path)
    }

    /// As [`Vocabulary::read_tags`], from the text of the file.
    pub(super) fn parse_tags(&mut self, text: &str, path: &Path) -> Result<(), VocabularyError> {
        let tags: Vec<String> = text.lines().map(str::to_owned).collect();
        self.check_length(tags.len(), path)?;
        self.tags = tags;
        Ok(())
    }

    /// Reads thresholds, one a line.
    ///
    /// # Errors
    /// If the file cannot be read, a line is not a number in 0..=1, or their number is wrong.
    pub fn read_thresholds(&mut self, path: &Path) -> Result<(), VocabularyError> {
        self.parse_thresholds(&read(path)?, path)
    }

    /// As [`Vocabulary::read_thresholds`], from the text of the file.
    pub(super) fn parse_thresholds(
        &mut self,
        text: &str,
        path: &Path,
    ) -> Result<(), VocabularyError> {
        self.check_length(text.lines().count(), path)?;
        let parse = |(index, line): (usize, &str)| {
            let value = line.trim().parse().ok().filter(|value| (0.0..=1.0).contains(value));
            value.ok_or_else(|| line_error(index, "not a threshold between 0 and 1", path))
        };
        self.thresholds = text.lines().enumerate().map(parse).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Reads the classes and their tags: either lines `CLASS<tab>TAG`, where a class may have
    /// several, or the published form `INDEX WNID NAME,TAG`. Lines that start with `#` are skipped.
    ///
    /// # Errors
    /// If the file cannot be read or a line names no tag of this tagger.
    pub fn read_classes(&mut self, path: &Path) -> Result<(), VocabularyError> {
        self.parse_classes(&read(path)?, path)
    }

    /// As [`Vocabulary::read_classes`], from the text of the file.
    pub(super) fn parse_classes(&mut self, text: &str, path: &Path) -> Result<(), VocabularyError> {
        let by_name: BTreeMap<&str, usize> =
            self.tags.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
        let mut classes: Vec<Class> = Vec::new();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, tag) = class_and_tag(line).ok_or_else(|| {
                line_error(index, "expected CLASS<tab>TAG or INDEX WNID NAME,TAG", path)
            })?;
            let tag = *by_name.get(tag).ok_or_else(|| {
                line_error(index, &format!("the tagger has no tag named `{tag}`"), path)
            })?;
            let class = *known.entry(name.to_owned()).or_insert_with(|| {
                classes.push(Class { name: name.to_owned(), tags: Vec::new() });
                classes.len() - 1
            });
            classes[class].tags.push(tag);
        }
        for class in &mut classes {
            class.tags.sort_unstable();
            class.tags.dedup();
        }
        self.set_classes(classes);
        Ok(())
    }

    /// The classes as an editable file, in the form that [`Vocabulary::read_classes`] reads.
    pub fn classes_text(&self) -> String {
        let mut text = String::from("# class<tab>tag; a class may have several lines\n");
        for class in &self.classes {
            for &tag in &class.tags {
                text += &format!("{}\t{}\n", class.name, self.tags[tag]);
            }
        }
        text
    }

    fn check_length(&self, found: usize, path: &Path) -> Result<(), VocabularyError> {
        let expected = self.tags.len();
        match found == expected {
            true => Ok(()),
            false => Err(VocabularyError::Length { found, expected, path: path.to_owned() }),
        }
    }
}

fn class_and_tag(line: &str) -> Option<(&str, &str)> {
    if let Some((class, tag)) = line.split_once('\t') {
        return Some((class.trim(), tag.trim())).filter(|(c, t)| !c.is_empty() && !t.is_empty());
    }
    let (index, rest) = line.split_once(' ')?;
    index.parse::<usize>().ok()?;
    let (class, names) = rest.split_once(' ')?;
    Some((class, names.rsplit(',').next()?.trim()))
}

fn read(path: &Path) -> Result<String, VocabularyError> {
    let io = |source| VocabularyError::Io { source, path: path.to_owned() };
    std::fs::read_to_string(path).map_err(io)
}

fn line_error(index: usize, reason: &str, path: &Path) -> VocabularyError {
    VocabularyError::Line { line: index + 1, reason: reason.to_owned(), path: path.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn classes_come_in_both_forms_and_go_round() {
        let mut vocabulary = Vocabulary::numbered(3);
        vocabulary.read_tags(write("fish\ncock\nhouse finch\n").path()).unwrap();
        let published = write("0 n01 鱼,fish\n1 n02 鸡,cock\n2 n03 鱼,fish\n");
        vocabulary.read_classes(published.path()).unwrap();
        assert_eq!(vocabulary.id_tags(), [0, 1]);
        assert_eq!(vocabulary.classes[2], Class { name: "n03".into(), tags: vec![0] });
        let mut again = vocabulary.clone();
        again.read_classes(write(&vocabulary.classes_text()).path()).unwrap();
        assert_eq!(again, vocabulary);
    }

    #[test]
    fn bad_lists_name_the_line_and_the_file() {
        let mut vocabulary = Vocabulary::numbered(2);
        let error = vocabulary.read_tags(write("one\n").path()).unwrap_err().to_string();
        assert!(error.contains("1 entries") && error.contains("2 tags"), "{error}");
        let error = vocabulary.read_thresholds(write("0.5\n1.5\n").path()).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
        let error = vocabulary.read_classes(write("a\tnowhere\n").path()).unwrap_err().to_string();
        assert!(error.contains("`nowhere`"), "{error}");
        assert!(vocabulary.read_tags(Path::new("/nonexistent/list.txt")).is_err());
    }
}
