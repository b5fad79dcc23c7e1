//! Where a bundle's files come from: a folder, or the binary.

use std::path::{Path, PathBuf};

use super::BundleError;
use crate::nn::source::{SafetensorsBytes, Source, WeightsError};

/// The files of one bundle.
pub(super) enum Files<'a> {
    /// In a folder.
    Folder(&'a Path),
    /// Part of the binary: names and contents.
    Embedded(&'static [(&'static str, &'static [u8])]),
}

impl Files<'_> {
    /// What messages call a file; the bundle itself where the name is empty.
    pub fn path(&self, name: &str) -> PathBuf {
        match self {
            Self::Folder(folder) if name.is_empty() => folder.to_path_buf(),
            Self::Folder(folder) => folder.join(name),
            Self::Embedded(_) => Path::new("embedded").join(name),
        }
    }

    /// Whether a file is there.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Folder(folder) => folder.join(name).exists(),
            Self::Embedded(_) => self.embedded(name).is_ok(),
        }
    }

    /// A file's text.
    pub fn text(&self, name: &str) -> Result<String, BundleError> {
        let text = match self {
            Self::Folder(folder) => std::fs::read_to_string(folder.join(name)),
            Self::Embedded(_) => self
                .embedded(name)
                .and_then(|bytes| String::from_utf8(bytes.to_vec()).map_err(std::io::Error::other)),
        };
        text.map_err(|source| self.error(name, source))
    }

    /// A file's weights, to be read tensor by tensor.
    pub fn weights(&self, name: &str) -> Result<Source, WeightsError> {
        match self {
            Self::Folder(folder) => Source::open(&folder.join(name)),
            Self::Embedded(_) => {
                let path = self.path(name);
                let io = |source| WeightsError::Io { source, path: path.clone() };
                let bytes = SafetensorsBytes::Static(self.embedded(name).map_err(io)?);
                Source::from_bytes(bytes, &path.to_string_lossy())
            }
        }
    }

    /// A file's bytes.
    pub fn bytes(&self, name: &str) -> Result<SafetensorsBytes, BundleError> {
        let bytes = match self {
            Self::Folder(folder) => {
                std::fs::read(folder.join(name)).map(|b| SafetensorsBytes::Owned(b.into()))
            }
            Self::Embedded(_) => self.embedded(name).map(SafetensorsBytes::Static),
        };
        bytes.map_err(|source| self.error(name, source))
    }

    fn embedded(&self, name: &str) -> std::io::Result<&'static [u8]> {
        let files = match self {
            Self::Folder(_) => &[],
            Self::Embedded(files) => *files,
        };
        let found = files.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes);
        found.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound))
    }

    fn error(&self, name: &str, source: std::io::Error) -> BundleError {
        BundleError::Io { action: "cannot read the bundle", source, path: self.path(name) }
    }
}
