//! Negative words (NegLabel): where they come from, in which texts they stand, and which are taken.
//!
//! Two kinds of file are read: a list of words, one a line, whose every word counts; and WordNet's own
//! `data.noun` and `data.adj` (as Debian's `wordnet-base` installs them), whose words are candidates,
//! of which [`farthest`] takes those that are least like any known name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use thiserror::Error;

use super::matrix::products;

/// The text that a negative noun stands in.
pub const NOUN_TEMPLATE: &str = "the nice {}";

/// The text that a negative adjective stands in.
pub const ADJECTIVE_TEMPLATE: &str = "This is a {} photo";

/// Share of the candidates that are taken, nouns and adjectives apart.
pub const SHARE: f64 = 0.15;

/// The quantile of a candidate's cosines with the known names that says how near it is to them.
const QUANTILE: f64 = 0.95;

/// WordNet's files of animals and of food, left out as published: names in question are often of
/// those kinds.
const LEFT_OUT: [&str; 2] = ["05", "13"];

/// Largest file that is read: five times WordNet's nouns.
const LARGEST: u64 = 80 << 20;

/// What can go wrong with a file of negative words.
#[derive(Debug, Error)]
pub enum NegativesError {
    /// The file cannot be read.
    #[error("cannot read the negative words: {source}: {}", path.display())]
    Io {
        /// What the system said.
        source: std::io::Error,
        /// The file.
        path: PathBuf,
    },
    /// The file is not text.
    #[error("the negative words are no UTF-8 text: {}", .0.display())]
    NotText(PathBuf),
    /// There is no word in it.
    #[error("there is no negative word in this file; give one a line: {}", .0.display())]
    Empty(PathBuf),
    /// It is one of WordNet's indexes, which do not say what kind of thing a word is.
    #[error("this is an index of WordNet; name its data.noun or data.adj instead: {}", .0.display())]
    Index(PathBuf),
    /// A known name is among the negative words.
    #[error("`{name}` is a known name and cannot be a negative word too; remove it from: {}", path.display())]
    Known {
        /// The word.
        name: String,
        /// The file.
        path: PathBuf,
    },
}

/// Negative words as they were read, each once, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NegativeWords {
    /// Nouns.
    pub nouns: Vec<String>,
    /// Adjectives.
    pub adjectives: Vec<String>,
    /// Whether they are candidates to be mined, and not a list to be taken as it is.
    pub is_candidates: bool,
}

impl NegativeWords {
    /// Reads a list of words, one of WordNet's data files, or a folder with both of these.
    ///
    /// # Errors
    /// If the file cannot be read, is no text or an index of WordNet, or holds no word.
    pub fn read(path: &Path) -> Result<Self, NegativesError> {
        if path.is_dir() {
            let nouns = Self::read(&path.join("data.noun"))?;
            let adjectives = Self::read(&path.join("data.adj"))?;
            return Ok(nouns.and(adjectives));
        }
        let io = |source| NegativesError::Io { source, path: path.to_owned() };
        let bytes = crate::fs::read(path, LARGEST).map_err(io)?;
        let text = String::from_utf8(bytes);
        let text = text.map_err(|_| NegativesError::NotText(path.to_owned()))?;
        let words = match text.starts_with("  1 This software and database") {
            true => Self::of_wordnet(&text),
            false => Self::of_list(&text),
        };
        match (&words.nouns[..], &words.adjectives[..], words.is_candidates) {
            ([], [], true) => Err(NegativesError::Index(path.to_owned())),
            ([], [], false) => Err(NegativesError::Empty(path.to_owned())),
            _ => Ok(words),
        }
    }

    fn of_list(text: &str) -> Self {
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
        let words = lines.filter(|line| !line.is_empty()).map(str::to_owned);
        Self { nouns: distinct(words), ..Self::default() }
    }

    /// WordNet's data lines: offset, lexicographer's file, kind, number of words (hexadecimal), then
    /// each word with its number.
    fn of_wordnet(text: &str) -> Self {
        let (mut nouns, mut adjectives) = (Vec::new(), Vec::new());
        for line in text.lines().filter(|line| !line.starts_with("  ")) {
            let mut fields = line.split(' ').skip(1);
            let [Some(file), Some(kind), Some(count)] =
                [fields.next(), fields.next(), fields.next()]
            else {
                continue;
            };
            let Ok(count) = usize::from_str_radix(count, 16) else { continue };
            let list = match kind {
                "n" if !LEFT_OUT.contains(&file) => &mut nouns,
                "a" | "s" => &mut adjectives,
                _ => continue,
            };
            // An adjective's place in a sentence may follow it: `galore(ip)`.
            let word = |word: &str| word.split('(').next().unwrap_or(word).replace('_', " ");
            list.extend(fields.step_by(2).take(count).map(word));
        }
        let (nouns, adjectives) = (distinct(nouns), distinct(adjectives));
        Self { nouns, adjectives, is_candidates: true }
    }

    /// Both; a word that is a noun is no adjective beside it.
    fn and(mut self, other: Self) -> Self {
        self.nouns = distinct(self.nouns.into_iter().chain(other.nouns));
        let nouns: BTreeSet<&String> = self.nouns.iter().collect();
        let adjectives = self.adjectives.iter().chain(&other.adjectives).cloned();
        self.adjectives = distinct(adjectives.filter(|word| !nouns.contains(word)));
        self.is_candidates |= other.is_candidates;
        self
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.nouns.len() + self.adjectives.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The words without the known names, which a list of a person's own must not hold.
    ///
    /// # Errors
    /// If a word of such a list is a known name, whatever its case.
    pub fn without(mut self, known: &[String], path: &Path) -> Result<Self, NegativesError> {
        let known: BTreeSet<String> = known.iter().map(|name| name.to_lowercase()).collect();
        let is_known = |word: &String| known.contains(&word.to_lowercase());
        let found = self.nouns.iter().chain(&self.adjectives).find(|word| is_known(word));
        match found {
            Some(name) if !self.is_candidates => {
                Err(NegativesError::Known { name: name.clone(), path: path.to_owned() })
            }
            _ => {
                self.nouns.retain(|word| !is_known(word));
                self.adjectives.retain(|word| !is_known(word));
                Ok(self)
            }
        }
    }

    /// What is encoded: nouns, then adjectives, each in its template.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        let nouns = self.nouns.iter().map(|word| NOUN_TEMPLATE.replace("{}", word));
        let adjectives = self.adjectives.iter().map(|word| ADJECTIVE_TEMPLATE.replace("{}", word));
        nouns.chain(adjectives)
    }

    /// Which of [`NegativeWords::texts`] are taken, given their unit features `[M, D]` and those of
    /// the known names `[C, D]`: all of a list; of candidates the farthest 15 % of the nouns, then of
    /// the adjectives.
    pub fn taken(&self, features: &[f32], known: &[f32], width: usize) -> Vec<usize> {
        if !self.is_candidates {
            return (0..self.len()).collect();
        }
        let (nouns, adjectives) = features.split_at((self.nouns.len() * width).min(features.len()));
        let mut taken = farthest(nouns, known, width, SHARE);
        let more = farthest(adjectives, known, width, SHARE);
        taken.extend(more.into_iter().map(|at| at + self.nouns.len()));
        taken
    }
}

fn distinct(words: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    words.into_iter().filter(|word| seen.insert(word.clone())).collect()
}

/// Indices of the candidates farthest from the known names, farthest first: a share of them, by the
/// 0.95 quantile of each one's cosines with the names (linear between ranks).
///
/// # Shapes
/// - candidates: unit features `[M, width]`
/// - known: unit features `[C, width]`
pub fn farthest(candidates: &[f32], known: &[f32], width: usize, share: f64) -> Vec<usize> {
    let names = known.len().checked_div(width).unwrap_or_default();
    if names == 0 {
        return Vec::new();
    }
    // In parts, so that 70,000 words and 1,000 names need no matrix of both.
    let parts = candidates.par_chunks(256 * width);
    let nearness: Vec<f32> = parts
        .flat_map_iter(|part| {
            let mut cosines = products(part, known, width);
            cosines.chunks_exact_mut(names).map(quantile).collect::<Vec<_>>()
        })
        .collect();
    let mut order: Vec<usize> = (0..nearness.len()).collect();
    order.sort_by(|&a, &b| nearness[a].total_cmp(&nearness[b]));
    order.truncate((nearness.len() as f64 * share) as usize);
    order
}

/// The 0.95 quantile of some values, linear between ranks; they come out sorted.
fn quantile(values: &mut [f32]) -> f32 {
    values.sort_unstable_by(f32::total_cmp);
    let last = values.len().saturating_sub(1);
    let rank = QUANTILE * last as f64;
    let below = rank.floor() as usize;
    let [low, high] = [values[below], values[(below + 1).min(last)]].map(f64::from);
    (low + (high - low) * (rank - below as f64)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    const LICENSE: &str = "  1 This software and database is being provided to you\n  2 …\n";

    #[test]
    fn a_list_is_taken_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(&folder, "words.txt", "\u{feff}lamp \r\nold tree\n\nlamp\n");
        let words = NegativeWords::read(&path).unwrap();
        assert_eq!(words.nouns, ["lamp", "old tree"]);
        assert_eq!(words.texts().collect::<Vec<_>>(), ["the nice lamp", "the nice old tree"]);
        assert_eq!(words.taken(&[1.0, 0.0, 0.0, 1.0], &[1.0, 0.0], 2), [0, 1]);
        let message = words.without(&["Lamp".into()], &path).unwrap_err().to_string();
        assert!(message.starts_with("`lamp` is a known name"), "{message}");
        let empty = write(&folder, "empty.txt", " \n\n");
        assert!(matches!(NegativeWords::read(&empty), Err(NegativesError::Empty(_))));
    }

    #[test]
    fn wordnet_gives_nouns_and_adjectives_without_animals_and_food() {
        let folder = tempfile::tempdir().unwrap();
        let noun = "00001740 03 n 02 entity 0 physical_thing 1 001 ~ 00001930 n 0000 | that which is\n\
                    00002000 05 n 01 cat 0 000 | an animal\n00003000 13 n 01 bread 0 000 | food\n\
                    00004000 06 n 01 galore 0 000 | a thing\n";
        let adjective = "00001740 00 a 01 able 0 005 = 05200169 n 0000 | able\n\
                         00005000 00 s 02 galore(ip) 0 far-off 0 000 | in great numbers\n";
        write(&folder, "data.noun", &format!("{LICENSE}{noun}"));
        write(&folder, "data.adj", &format!("{LICENSE}{adjective}"));
        let words = NegativeWords::read(folder.path()).unwrap();
        assert_eq!(words.nouns, ["entity", "physical thing", "galore"]);
        assert_eq!(words.adjectives, ["able", "far-off"]);
        let texts: Vec<String> = words.texts().collect();
        assert_eq!(texts.last().map(String::as_str), Some("This is a far-off photo"));
        let words = words.without(&["Entity".into()], folder.path()).unwrap();
        assert_eq!(words.nouns, ["physical thing", "galore"]);
        let index =
            write(&folder, "index.noun", &format!("{LICENSE}entity n 1 1 ~ 1 1 00001740\n"));
        assert!(matches!(NegativeWords::read(&index), Err(NegativesError::Index(_))));
    }

    #[test]
    fn the_farthest_are_those_with_the_lowest_quantile() {
        // Known: x and y. The second candidate lies opposite to both, the first is one of them.
        let candidates = [1.0, 0.0, -0.6, -0.8, 0.6, -0.8, 0.0, 1.0];
        assert_eq!(farthest(&candidates, &[1.0, 0.0, 0.0, 1.0], 2, 0.5), [1, 2]);
        assert_eq!(farthest(&candidates, &[], 2, 0.5), [0usize; 0]);
    }
}
