//! Which tags there are, when one counts as seen, and which of them stand for in-distribution
//! classes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::lists::{List, ListError};

/// What can be wrong with a list of tags, thresholds or classes.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum VocabularyError {
    /// The file cannot be read, or is no text.
    #[error(transparent)]
    List(#[from] ListError),
    /// A list has another length than the tagger has tags.
    #[error("the list has {found} entries, but the tagger has {expected} tags: {}", path.display())]
    Length { found: usize, expected: usize, path: PathBuf },
    /// A line is not what it should be.
    #[error("line {line}: {reason}: {}", path.display())]
    Line { line: usize, reason: String, path: PathBuf },
    /// Another number of classes than the model has centers.
    #[error("the list names {found} classes, but the model has {expected}: {}", path.display())]
    ClassCount { found: usize, expected: usize, path: PathBuf },
    /// A class that the model has no center of.
    #[error("the model has no class `{class}`: {}", path.display())]
    ClassUnknown {
        /// The class's name in the list.
        class: String,
        /// The file.
        path: PathBuf,
    },
    /// A class of the model that the list does not name.
    #[error("the list has no line for the model's class `{class}`: {}", path.display())]
    ClassMissing { class: String, path: PathBuf },
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

    /// Reads tag names, one a line. A name may occur several times: see [`Vocabulary::tag_reference`].
    ///
    /// # Errors
    /// If the file cannot be read, a line is empty, or there are more or fewer lines than tags.
    pub fn read_tags(&mut self, path: &Path) -> Result<(), VocabularyError> {
        self.take_tags(&List::read(path)?)
    }

    /// As [`Vocabulary::read_tags`], from a list that was read.
    pub(super) fn take_tags(&mut self, list: &List) -> Result<(), VocabularyError> {
        self.check_length(list)?;
        let name = |(line, name): (usize, &str)| match name.is_empty() {
            true => Err(line_error(line, "a tag without a name", list.path())),
            false => Ok(name.to_owned()),
        };
        self.tags = list.entries().map(name).collect::<Result<_, _>>()?;
        let by_name = self.tags_by_name();
        let repeated: Vec<_> = by_name.iter().filter(|(_, tags)| tags.len() > 1).collect();
        if let Some((name, tags)) = repeated.first() {
            let (count, path) = (repeated.len(), list.path().display());
            let [first, second] = [tags[0] + 1, tags[1] + 1];
            log::warn!(
                "{count} tag names occur more than once, such as `{name}` (lines {first} and {second}); \
                 a class with such a tag has all tags of the name, or one alone as `{name} #{first}`: \
                 {path}"
            );
        }
        Ok(())
    }

    /// The tags of each name, ascending.
    fn tags_by_name(&self) -> BTreeMap<&str, Vec<usize>> {
        let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (tag, name) in self.tags.iter().enumerate() {
            by_name.entry(name).or_default().push(tag);
        }
        by_name
    }

    /// What a list of classes calls a tag: its name, or, where several tags have this name, the name
    /// with the tag's line in the list of tags, as in `bass #17`.
    pub fn tag_reference(&self, tag: usize) -> String {
        let name = &self.tags[tag];
        match self.tags.iter().filter(|other| *other == name).count() {
            1 => name.clone(),
            _ => format!("{name} #{}", tag + 1),
        }
    }

    /// Reads thresholds, one a line.
    ///
    /// # Errors
    /// If the file cannot be read, a line is not a number in 0..=1, or their number is wrong.
    pub fn read_thresholds(&mut self, path: &Path) -> Result<(), VocabularyError> {
        self.take_thresholds(&List::read(path)?)
    }

    /// As [`Vocabulary::read_thresholds`], from a list that was read.
    pub(super) fn take_thresholds(&mut self, list: &List) -> Result<(), VocabularyError> {
        self.check_length(list)?;
        let parse = |(line, text): (usize, &str)| {
            let value = text.parse().ok().filter(|value| (0.0..=1.0).contains(value));
            value.ok_or_else(|| line_error(line, "not a threshold between 0 and 1", list.path()))
        };
        self.thresholds = list.entries().map(parse).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Reads the classes and their tags: either lines `CLASS<tab>TAG`, where a class may have
    /// several, or the published form `INDEX WNID NAME,TAG`, whose index is the class's place. Lines
    /// that start with `#` are skipped.
    ///
    /// # Errors
    /// If the file cannot be read or a line names no tag of this tagger.
    pub fn read_classes(&mut self, path: &Path) -> Result<(), VocabularyError> {
        self.take_classes(&List::read(path)?)
    }

    /// As [`Vocabulary::read_classes`], from a list that was read.
    pub(super) fn take_classes(&mut self, list: &List) -> Result<(), VocabularyError> {
        let by_name = self.tags_by_name();
        let mut classes: Vec<(Option<usize>, Class)> = Vec::new();
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for (line, text) in list.entries() {
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let bad = |reason: String| line_error(line, &reason, list.path());
            let ClassLine { index, class, tag } = ClassLine::parse(text)
                .ok_or_else(|| bad("expected CLASS<tab>TAG or INDEX WNID NAME,TAG".to_owned()))?;
            let tags = match tag {
                NO_TAG => Vec::new(),
                _ => self
                    .resolve(&by_name, tag)
                    .ok_or_else(|| bad(format!("the tagger has no tag named `{tag}`")))?,
            };
            let at = *known.entry(class.to_owned()).or_insert_with(|| {
                classes.push((index, Class { name: class.to_owned(), tags: Vec::new() }));
                classes.len() - 1
            });
            classes[at].1.tags.extend(tags);
        }
        if classes.iter().all(|(index, _)| index.is_some()) {
            classes.sort_by_key(|(index, _)| *index);
        }
        let mut classes: Vec<Class> = classes.into_iter().map(|(_, class)| class).collect();
        for class in &mut classes {
            class.tags.sort_unstable();
            class.tags.dedup();
        }
        self.set_classes(classes);
        Ok(())
    }

    /// The tags that a list of classes means by `NAME` or `NAME #LINE`.
    fn resolve(&self, by_name: &BTreeMap<&str, Vec<usize>>, text: &str) -> Option<Vec<usize>> {
        if let Some(tags) = by_name.get(text) {
            return Some(tags.clone());
        }
        let (name, line) = text.rsplit_once(" #")?;
        let tag = line.parse::<usize>().ok()?.checked_sub(1)?;
        (self.tags.get(tag)? == name).then(|| vec![tag])
    }

    /// Puts the classes in the order of a model's class centers, by their names.
    ///
    /// # Errors
    /// If the list, which `path` names, has another number of classes, or other ones.
    pub(super) fn order_by(
        &mut self,
        names: &[String],
        path: &Path,
    ) -> Result<(), VocabularyError> {
        self.check_class_count(names.len(), path)?;
        let find = |name: &String| {
            let found = self.classes.iter().find(|class| class.name == *name).cloned();
            let missing = || (name.clone(), path.to_owned());
            found.ok_or_else(missing)
        };
        let ordered = names.iter().map(find).collect::<Result<_, _>>();
        let ordered =
            ordered.map_err(|(class, path)| VocabularyError::ClassMissing { class, path })?;
        self.set_classes(ordered);
        Ok(())
    }

    /// As [`Vocabulary::order_by`], of a person's list: classes of the model that it leaves out have no
    /// tag, so that no image is known for them. How many these are.
    ///
    /// # Errors
    /// If the list, which `path` names, has a class that the model does not have.
    pub(super) fn narrow(
        &mut self,
        names: &[String],
        path: &Path,
    ) -> Result<usize, VocabularyError> {
        if self.classes.len() > names.len() || self.classes.is_empty() {
            self.check_class_count(names.len(), path)?;
        }
        if let Some(class) = self.classes.iter().find(|class| !names.contains(&class.name)) {
            let (class, path) = (class.name.clone(), path.to_owned());
            return Err(VocabularyError::ClassUnknown { class, path });
        }
        let without = |name: &String| Class { name: name.clone(), tags: Vec::new() };
        let find = |name: &String| self.classes.iter().find(|class| class.name == *name).cloned();
        let left_out = names.len() - self.classes.len();
        self.set_classes(
            names.iter().map(|name| find(name).unwrap_or_else(|| without(name))).collect(),
        );
        Ok(left_out)
    }

    /// Refuses a list of more or fewer classes than a model has.
    pub(super) fn check_class_count(
        &self,
        expected: usize,
        path: &Path,
    ) -> Result<(), VocabularyError> {
        let (found, path) = (self.classes.len(), path.to_owned());
        match found == expected {
            true => Ok(()),
            false => Err(VocabularyError::ClassCount { found, expected, path }),
        }
    }

    /// The classes as an editable file, in the form that [`Vocabulary::read_classes`] reads.
    pub fn classes_text(&self) -> String {
        let mut text = String::from("# class<tab>tag; a class may have several lines\n");
        for class in &self.classes {
            for &tag in &class.tags {
                text += &class_line(&class.name, &self.tag_reference(tag));
            }
            if class.tags.is_empty() {
                text += &class_line(&class.name, NO_TAG);
            }
        }
        text
    }

    fn check_length(&self, list: &List) -> Result<(), VocabularyError> {
        let (found, expected) = (list.len(), self.tags.len());
        match found == expected {
            true => Ok(()),
            false => Err(VocabularyError::Length { found, expected, path: list.path().to_owned() }),
        }
    }
}

/// What stands for the tag of a class that has none.
const NO_TAG: &str = "# no tag";

/// A line of a list of classes, as [`Vocabulary::read_classes`] reads it.
pub fn class_line(class: &str, tag: &str) -> String {
    // A class may be called `#1 mug`, which would read as a comment.
    let mark = if is_like_comment(class) { "\\" } else { "" };
    format!("{mark}{class}\t{tag}\n")
}

/// Whether a class's name is a comment's begin, with or without backslashes before it.
fn is_like_comment(class: &str) -> bool {
    class.trim_start_matches('\\').starts_with('#')
}

/// A parsed line of a list of classes.
struct ClassLine<'a> {
    /// The class's place, in the published form.
    index: Option<usize>,
    class: &'a str,
    tag: &'a str,
}

impl<'a> ClassLine<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        if let Some((class, tag)) = line.split_once('\t') {
            let (class, tag) = (class.trim(), tag.trim());
            let class = class.strip_prefix('\\').filter(|c| is_like_comment(c)).unwrap_or(class);
            let whole = !class.is_empty() && !tag.is_empty();
            return whole.then_some(Self { index: None, class, tag });
        }
        let (index, rest) = line.split_once(' ')?;
        let (class, names) = rest.split_once(' ').filter(|(class, _)| !class.is_empty())?;
        let tag = names.rsplit(',').next()?.trim();
        Some(Self { index: Some(index.parse().ok()?), class, tag })
    }
}

fn line_error(line: usize, reason: &str, path: &Path) -> VocabularyError {
    VocabularyError::Line { line, reason: reason.to_owned(), path: path.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::damage::{damaged, fuzz};

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
        // The index is the class's place, wherever its line stands.
        let shuffled = write("2 n03 鱼,fish\n0 n01 鱼,fish\n1 n02 鸡,cock\n");
        again.read_classes(shuffled.path()).unwrap();
        let names: Vec<&str> = again.classes.iter().map(|class| class.name.as_str()).collect();
        assert_eq!(names, ["n01", "n02", "n03"]);
    }

    #[test]
    fn names_that_occur_twice_mean_all_their_tags_or_the_one_with_its_line() {
        let mut vocabulary = Vocabulary::numbered(4);
        vocabulary.read_tags(write("bass \nfish\r\nbass\ncock \n\n").path()).unwrap();
        assert_eq!(vocabulary.tags, ["bass", "fish", "bass", "cock"]);
        vocabulary.read_classes(write("guitar\tbass #3\nperch\tbass\n").path()).unwrap();
        let tags = |vocabulary: &Vocabulary| -> Vec<Vec<usize>> {
            vocabulary.classes.iter().map(|class| class.tags.clone()).collect()
        };
        assert_eq!(tags(&vocabulary), [vec![2], vec![0, 2]]);
        let mut again = vocabulary.clone();
        again.read_classes(write(&vocabulary.classes_text()).path()).unwrap();
        assert_eq!(again, vocabulary);
        // Not a line of that name.
        let error = again.read_classes(write("perch\tbass #2\n").path()).unwrap_err().to_string();
        assert!(error.contains("`bass #2`"), "{error}");
    }

    #[test]
    fn a_class_may_begin_like_a_comment() {
        let mut vocabulary = Vocabulary::numbered(1);
        vocabulary.set_classes(vec![Class { name: "#1 mug".into(), tags: vec![0] }]);
        let mut again = vocabulary.clone();
        again.read_classes(write(&vocabulary.classes_text()).path()).unwrap();
        assert_eq!(again, vocabulary);
    }

    #[test]
    fn classes_follow_the_model_by_name() {
        let mut vocabulary = Vocabulary::numbered(3);
        vocabulary.read_classes(write("a\ttag 0\nb\ttag 1\nc\ttag 2\n").path()).unwrap();
        let names = ["c", "a", "b"].map(str::to_owned);
        let path = Path::new("classes.tsv");
        vocabulary.order_by(&names, path).unwrap();
        assert_eq!(vocabulary.classes[0], Class { name: "c".into(), tags: vec![2] });
        let error = vocabulary.order_by(&names[..2], path).unwrap_err().to_string();
        assert_eq!(error, "the list names 3 classes, but the model has 2: classes.tsv");
        let others = ["c", "a", "x"].map(str::to_owned);
        let error = vocabulary.order_by(&others, path).unwrap_err().to_string();
        assert_eq!(error, "the list has no line for the model's class `x`: classes.tsv");
        // A person's list may leave classes out, and goes round with them.
        let more = ["c", "x", "a", "b"].map(str::to_owned);
        assert_eq!(vocabulary.clone().narrow(&more, path).unwrap(), 1);
        vocabulary.narrow(&more, path).unwrap();
        assert_eq!(vocabulary.classes[1], Class { name: "x".into(), tags: vec![] });
        assert_eq!(vocabulary.id_tags(), [0, 1, 2]);
        let mut again = vocabulary.clone();
        again.read_classes(write(&vocabulary.classes_text()).path()).unwrap();
        assert_eq!(again, vocabulary);
        let error = again.narrow(&names, path).unwrap_err().to_string();
        assert_eq!(error, "the list names 4 classes, but the model has 3: classes.tsv");
        again.read_classes(write("a\ttag 0\nherring\ttag 1\n").path()).unwrap();
        let error = again.narrow(&names, path).unwrap_err().to_string();
        assert_eq!(error, "the model has no class `herring`: classes.tsv");
    }

    #[test]
    fn damaged_class_lists_are_read_or_refused() {
        let tabs = damaged(b"a\ttag 0\nb\ttag 1 #2\n# c\n\\#d\ttag 2\n".to_vec());
        let published = damaged("0 n01 鱼,tag 0\n1 n02 鸡,tag 1\n".as_bytes().to_vec());
        fuzz(4000, prop_oneof![tabs, published], |bytes| {
            let mut vocabulary = Vocabulary::numbered(3);
            let list = List::of_bytes(&bytes, Path::new("classes.tsv"));
            if list.is_ok_and(|list| vocabulary.take_classes(&list).is_ok()) {
                let tags = vocabulary.classes.iter().flat_map(|class| &class.tags);
                prop_assert!(tags.into_iter().all(|&tag| tag < 3));
                // What was read goes round.
                let mut again = Vocabulary::numbered(3);
                let text = vocabulary.classes_text();
                let list = List::of_bytes(text.as_bytes(), Path::new("classes.tsv")).unwrap();
                again.take_classes(&list).unwrap();
                // Lists take blanks off the ends of a line.
                let plain = |class: &Class| (class.name.trim().to_owned(), class.tags.clone());
                let plain = |classes: &[Class]| classes.iter().map(plain).collect::<Vec<_>>();
                prop_assert_eq!(plain(&again.classes), plain(&vocabulary.classes));
            }
            Ok(())
        });
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
