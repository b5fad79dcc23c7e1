//! The models and folders that were opened last, for the menu.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::fs;

/// How many of each are kept.
const KEPT: usize = 10;
/// No list has more bytes.
const LARGEST: u64 = 1 << 20;

/// What was opened, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Recent {
    /// Bundles' folders and checkpoints.
    pub models: Vec<PathBuf>,
    /// Folders of images.
    pub folders: Vec<PathBuf>,
    #[serde(skip)]
    file: Option<PathBuf>,
}

impl Recent {
    /// Reads the list beside a saved session; an empty one where there is none that can be read.
    /// Without a session, nothing is kept.
    pub(super) fn beside(session: Option<&Path>) -> Self {
        let file = session.map(|session| session.with_file_name("recent.json"));
        let text = file.as_deref().and_then(|file| fs::read_text(file, LARGEST).ok());
        let read = text.and_then(|text| serde_json::from_str::<Self>(&text).ok());
        Self { file, ..read.unwrap_or_default() }
    }

    /// Puts a model first.
    pub(super) fn note_model(&mut self, path: &Path) {
        put_first(&mut self.models, path);
        self.keep();
    }

    /// Puts the folders among some paths first.
    pub(super) fn note_folders(&mut self, paths: &[PathBuf]) {
        paths.iter().rev().filter(|path| path.is_dir()).for_each(|folder| {
            put_first(&mut self.folders, folder);
        });
        self.keep();
    }

    /// Writes the list on a thread of its own; a menu is worth no message where that fails.
    fn keep(&self) {
        let Some(file) = self.file.clone() else { return };
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        rayon::spawn(move || {
            if let Err(error) = fs::write(&file, text) {
                log::warn!("cannot keep what was opened last: {error}: {}", file.display());
            }
        });
    }
}

fn put_first(list: &mut Vec<PathBuf>, path: &Path) {
    // Relative paths mean another place at the next start.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    list.retain(|other| *other != path);
    list.insert(0, path);
    list.truncate(KEPT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stands_first_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut recent = Recent::beside(None);
        for name in ["a", "b", "a", "not there"] {
            if name != "not there" {
                std::fs::create_dir_all(folder.path().join(name)).unwrap();
            }
            recent.note_folders(&[folder.path().join(name)]);
        }
        assert_eq!(recent.folders, ["a", "b"].map(|name| folder.path().join(name)));
        for number in 0..20 {
            recent.note_model(Path::new(&format!("/models/{number}")));
        }
        assert_eq!(recent.models.len(), KEPT);
        assert_eq!(recent.models[0], Path::new("/models/19"));
    }

    #[test]
    fn what_cannot_be_read_is_an_empty_list() {
        let folder = tempfile::tempdir().unwrap();
        let session = folder.path().join("session.json");
        std::fs::write(folder.path().join("recent.json"), "[1").unwrap();
        let recent = Recent::beside(Some(&session));
        assert!(recent.models.is_empty() && recent.folders.is_empty());
        std::fs::write(folder.path().join("recent.json"), r#"{"models": ["/m"]}"#).unwrap();
        assert_eq!(Recent::beside(Some(&session)).models, [Path::new("/m")]);
    }
}
