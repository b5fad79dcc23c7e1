//! Paths as a session's file keeps them: any path there can be, also one that is no text.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What stands before the bytes of a path that is no text. No whole path begins so.
#[cfg(unix)]
const BYTES: &str = "bytes:";

/// A path in a session's file.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct SavedPath(PathBuf);

impl From<PathBuf> for SavedPath {
    fn from(path: PathBuf) -> Self {
        Self(path)
    }
}

impl From<SavedPath> for PathBuf {
    fn from(SavedPath(path): SavedPath) -> Self {
        path
    }
}

impl AsRef<Path> for SavedPath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl From<SavedPath> for String {
    fn from(SavedPath(path): SavedPath) -> Self {
        match path.into_os_string().into_string() {
            Ok(text) => text,
            #[cfg(unix)]
            Err(other) => {
                use std::os::unix::ffi::OsStrExt as _;
                let hex = other.as_bytes().iter().map(|byte| format!("{byte:02x}"));
                BYTES.chars().map(String::from).chain(hex).collect()
            }
            #[cfg(not(unix))]
            Err(other) => other.to_string_lossy().into_owned(),
        }
    }
}

impl From<String> for SavedPath {
    fn from(text: String) -> Self {
        #[cfg(unix)]
        if let Some(bytes) = text.strip_prefix(BYTES).and_then(bytes_of) {
            use std::os::unix::ffi::OsStringExt as _;
            return Self(std::ffi::OsString::from_vec(bytes).into());
        }
        Self(text.into())
    }
}

#[cfg(unix)]
fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_goes_round() {
        let there = |path: &Path| {
            let saved = SavedPath::from(path.to_owned());
            let text = serde_json::to_string(&saved).unwrap();
            assert_eq!(serde_json::from_str::<SavedPath>(&text).unwrap(), saved);
            text
        };
        assert_eq!(there(Path::new("/w/größe 1.png")), "\"/w/größe 1.png\"");
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt as _;
            let latin = std::ffi::OsStr::from_bytes(b"/w/gr\xf6sse.png");
            assert_eq!(there(Path::new(latin)), "\"bytes:2f772f6772f67373652e706e67\"");
        }
    }
}
