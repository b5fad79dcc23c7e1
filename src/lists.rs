//! Lists that people write, a line for each entry: tags, thresholds, classes, names.
//!
//! There is one reader for all of them, so that a list that an editor, a spreadsheet or another
//! program has saved reads the same everywhere: a byte order mark, the line ends of any system,
//! blanks around an entry and empty lines at the end count nothing.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::fs;

/// The largest list that is read, in bytes; RAM's 4,585 tags are 40 KB.
const MAX_BYTES: u64 = 64 << 20;

/// What can be wrong with a list, whatever it is of.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum ListError {
    /// The file cannot be read.
    #[error("cannot read the list: {source}: {}", path.display())]
    Io { source: std::io::Error, path: PathBuf },
    /// The file is not text in UTF-8.
    #[error("{reason}: {}", path.display())]
    Encoding {
        /// What it is, and what to do.
        reason: String,
        path: PathBuf,
    },
}

/// The lines of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    entries: Vec<String>,
    path: PathBuf,
}

impl List {
    /// Reads a list.
    ///
    /// # Errors
    /// If the file cannot be read, is a pipe or a device, or is not UTF-8 text.
    pub fn read(path: &Path) -> Result<Self, ListError> {
        let io = |source| ListError::Io { source, path: path.to_owned() };
        Self::of_bytes(&fs::read(path, MAX_BYTES).map_err(io)?, path)
    }

    /// A list from the bytes of its file; `path` is what errors call it.
    ///
    /// # Errors
    /// If it is not UTF-8 text.
    pub fn of_bytes(bytes: &[u8], path: &Path) -> Result<Self, ListError> {
        let text = text_of(bytes)
            .map_err(|reason| ListError::Encoding { reason, path: path.to_owned() })?;
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut entries: Vec<String> = text.split('\n').map(|line| line.trim().into()).collect();
        let filled = entries.iter().rposition(|entry| !entry.is_empty()).map_or(0, |last| last + 1);
        entries.truncate(filled);
        Ok(Self { entries, path: path.to_owned() })
    }

    /// The entries with the numbers of their lines, from 1; one in between may be empty.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (usize, &str)> {
        self.entries.iter().enumerate().map(|(index, entry)| (index + 1, entry.as_str()))
    }

    /// Number of lines up to the last that is not empty.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no line holds anything.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The file, or what stands for it.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The text of a file that should be UTF-8, without its byte order mark.
///
/// # Errors
/// If it is not, in words that say what to do.
pub fn text_of(bytes: &[u8]) -> Result<&str, String> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("the file is UTF-16 text; save it as UTF-8".into());
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.contains(&0) {
        return Err("the file holds zero bytes, so it is no UTF-8 text (perhaps UTF-16); save it \
                    as UTF-8"
            .into());
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count();
        format!("line {line} is not UTF-8 text; save the file as UTF-8")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::damage::{damaged, fuzz, one_sentence};

    fn entries(bytes: &[u8]) -> Vec<String> {
        let list = List::of_bytes(bytes, Path::new("list.txt")).unwrap();
        list.entries().map(|(_, entry)| entry.to_owned()).collect()
    }

    #[test]
    fn however_a_list_was_saved_it_reads_the_same() {
        let texts: [&[u8]; 6] = [
            b"fish\nsea bird\n",
            b"fish\nsea bird",
            b"fish \r\nsea bird\t\r\n",
            b"\xef\xbb\xbffish\r\nsea bird\r\n\r\n  \r\n",
            b"fish\rsea bird\r",
            "fish\u{3000}\nsea bird\u{a0}\n".as_bytes(),
        ];
        for text in texts {
            assert_eq!(entries(text), ["fish", "sea bird"], "{text:?}");
        }
        assert_eq!(entries(b"a\n\nb\n"), ["a", "", "b"]);
        assert!(entries(b"\xef\xbb\xbf\r\n").is_empty());
    }

    #[test]
    fn other_encodings_are_refused_in_a_sentence() {
        let refused =
            |bytes: &[u8]| List::of_bytes(bytes, Path::new("list.txt")).unwrap_err().to_string();
        assert_eq!(refused(b"\xff\xfef\0"), "the file is UTF-16 text; save it as UTF-8: list.txt");
        assert!(refused(b"f\0i\0").contains("perhaps UTF-16"));
        assert!(refused(b"fish\n\xcc\xec\n").starts_with("line 2 is not UTF-8"));
    }

    #[test]
    fn damaged_lists_are_read_or_refused_in_a_sentence() {
        let whole = "\u{feff}鱼 \r\nfish\tfish\r\n# 3\r\n\r\n".as_bytes().to_vec();
        fuzz(2000, damaged(whole), |bytes| {
            match List::of_bytes(&bytes, Path::new("list.txt")) {
                Ok(list) => prop_assert!(list.entries().all(|(_, entry)| entry == entry.trim())),
                Err(error) => one_sentence(&error, ": list.txt")?,
            }
            Ok(())
        });
    }

    #[cfg(unix)]
    #[test]
    fn what_never_ends_is_not_begun() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("tags.txt");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        let error = List::read(&link).unwrap_err().to_string();
        assert!(error.contains("device") && error.ends_with("tags.txt"), "{error}");
    }
}
