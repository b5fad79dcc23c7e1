//! What is kept between two runs: images, settings, layout.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::layout::PanelLayout;
use crate::fs;
use crate::panels::PANELS;
use crate::panels::map_view::ColorBy;
use crate::session::Session;
use crate::session::saved::SavedState;

/// The version of the file's layout.
const FORMAT: u32 = 1;
/// No session has more bytes: a million long paths.
const LARGEST: u64 = 1 << 28;

/// The panels that there were before sessions named them.
fn first_panels() -> BTreeSet<String> {
    ["gallery", "image", "explain", "verdict", "tags", "scores", "log"].map(str::to_owned).into()
}

/// What can go wrong with a session's file.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum SessionError {
    /// The file cannot be read or written.
    #[error("{action}: {source}: {}", path.display())]
    Io { action: &'static str, source: std::io::Error, path: PathBuf },
    /// The file is not a session of this program.
    #[error("not a session of this program ({reason}): {}", path.display())]
    Content { reason: String, path: PathBuf },
}

/// A session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedSession {
    format: u32,
    /// Images, sets, settings.
    #[serde(flatten)]
    pub state: SavedState,
    /// What its colours mean.
    #[serde(default)]
    pub color_by: ColorBy,
    /// What panels show and how, by their names.
    #[serde(default)]
    pub panels: BTreeMap<String, serde_json::Value>,
    /// The panels' places.
    pub layout: PanelLayout,
    /// The panels that the program knew that saved this: those of them that have no place were closed.
    #[serde(default = "first_panels")]
    pub known_panels: BTreeSet<String>,
    /// Whether the theme is dark.
    pub dark: bool,
    /// Scale of the window's content.
    pub zoom: f32,
}

/// What of the window is none of the session's.
pub struct Looks {
    /// What colours mean in the map of features.
    pub color_by: ColorBy,
    /// What panels show and how, by their names.
    pub panels: BTreeMap<String, serde_json::Value>,
    /// The panels' places.
    pub layout: PanelLayout,
    /// Whether the theme is dark.
    pub dark: bool,
    /// Scale of the window's content.
    pub zoom: f32,
}

impl SavedSession {
    /// What is open now.
    pub fn of(session: &Session, looks: Looks) -> Self {
        Self {
            format: FORMAT,
            state: session.saved(),
            color_by: looks.color_by,
            panels: looks.panels,
            layout: looks.layout,
            known_panels: PANELS.iter().map(|panel| panel.name.to_owned()).collect(),
            dark: looks.dark,
            zoom: looks.zoom,
        }
    }

    /// Reads a session.
    ///
    /// # Errors
    /// If the file cannot be read or is not a session.
    pub fn read(path: &Path) -> Result<Self, SessionError> {
        let text = fs::read_text(path, LARGEST).map_err(|source| SessionError::Io {
            action: "cannot read the session",
            source,
            path: path.to_owned(),
        })?;
        let bad = |reason: String| SessionError::Content { reason, path: path.to_owned() };
        // The version first: another one may have other fields.
        let version: SavedFormat =
            serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        match version.format {
            FORMAT => serde_json::from_str(&text).map_err(|error| bad(error.to_string())),
            other => Err(bad(format!("its format is {other}, this program reads {FORMAT}"))),
        }
    }

    /// Writes the session, whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), SessionError> {
        let io = |source| SessionError::Io {
            action: "cannot save the session",
            source,
            path: path.to_owned(),
        };
        let text = serde_json::to_string_pretty(self).map_err(|error| SessionError::Content {
            reason: error.to_string(),
            path: path.to_owned(),
        })?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(io)?;
        }
        fs::write(path, text).map_err(io)
    }
}

#[derive(Deserialize)]
struct SavedFormat {
    format: u32,
}

/// Gives a session that cannot be read another name, so that the next one does not take its place: the
/// first free of `session-1.json`, `session-2.json`, ….
///
/// # Errors
/// If it cannot be renamed.
pub fn keep_aside(path: &Path) -> std::io::Result<PathBuf> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let names = (1..).map(|number: u32| path.with_file_name(format!("{stem}-{number}.json")));
    let free = names.into_iter().find(|name| name.symlink_metadata().is_err());
    let free = free.ok_or(std::io::ErrorKind::AlreadyExists)?;
    std::fs::rename(path, &free)?;
    Ok(free)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::damage::{damaged, fuzz, one_sentence};
    use crate::session::Command;

    #[test]
    fn damaged_sessions_are_read_or_refused() {
        let looks = Looks {
            color_by: ColorBy::default(),
            panels: BTreeMap::new(),
            layout: super::super::layout::initial(),
            dark: true,
            zoom: 1.0,
        };
        let saved = SavedSession::of(&Session::default(), looks);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.json");
        saved.write(&path).unwrap();
        fuzz(500, damaged(std::fs::read(&path).unwrap()), |bytes| {
            std::fs::write(&path, bytes)?;
            match SavedSession::read(&path) {
                Ok(saved) => {
                    let mut session = Session::default();
                    session.apply(Command::Restore(Box::new(saved.state)));
                    let settings = session.settings();
                    prop_assert!((0.0..=1.0).contains(&settings.tau), "{settings:?}");
                    prop_assert!(settings.lambda.is_none_or(f32::is_finite), "{settings:?}");
                }
                Err(error) => one_sentence(&error, "session.json")?,
            }
            Ok(())
        });
    }

    #[test]
    fn a_session_of_a_later_version_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.json");
        let later = r#"{"format": 99, "things": []}"#;
        for name in ["session-1.json", "session-2.json"] {
            std::fs::write(&path, later).unwrap();
            let error = SavedSession::read(&path).unwrap_err().to_string();
            assert!(error.contains("its format is 99, this program reads"), "{error}");
            assert_eq!(keep_aside(&path).unwrap(), folder.path().join(name));
            assert!(!path.exists());
            assert_eq!(std::fs::read_to_string(folder.path().join(name)).unwrap(), later);
        }
    }
}
