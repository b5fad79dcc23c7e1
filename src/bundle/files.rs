//! Where a bundle's files come from: a folder, or the binary.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checksums::{self, Checksums};
use super::{BundleError, VocabularyError};
use crate::fs;
use crate::lists::List;
use crate::nn::source::{SafetensorsBytes, Source, WeightsError};

/// The largest manifest that is read, in bytes.
const MAX_MANIFEST_BYTES: u64 = 16 << 20;

/// The files of one bundle.
pub(super) enum Files<'a> {
    /// In a folder.
    Folder(&'a Path),
    /// Part of the binary: names and contents.
    Embedded(&'static [(&'static str, &'static [u8])]),
}

impl Files<'_> {
    /// What messages call a file; the bundle itself where the name is empty.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        match self {
            Self::Folder(folder) if name.is_empty() => folder.to_path_buf(),
            Self::Folder(folder) => folder.join(name),
            Self::Embedded(_) => Path::new("embedded").join(name),
        }
    }

    /// Whether a file is there.
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::Folder(folder) => folder.join(name).exists(),
            Self::Embedded(_) => self.embedded(name).is_ok(),
        }
    }

    pub(super) fn text(&self, name: &str) -> Result<String, BundleError> {
        let text = match self {
            Self::Folder(folder) => fs::read_text(&folder.join(name), MAX_MANIFEST_BYTES),
            Self::Embedded(_) => self
                .embedded(name)
                .and_then(|bytes| String::from_utf8(bytes.to_vec()).map_err(std::io::Error::other)),
        };
        text.map_err(|source| self.error(name, source))
    }

    /// A list, held against its checksum.
    pub(super) fn list(&self, name: &str, checksums: &Checksums) -> Result<List, BundleError> {
        let path = self.path(name);
        let list = match self {
            Self::Folder(_) => List::read(&path),
            Self::Embedded(_) => {
                let bytes = self.embedded(name).map_err(|source| self.error(name, source))?;
                List::of_bytes(bytes, &path)
            }
        };
        let list = list.map_err(VocabularyError::from)?;
        checksums::check(checksums, name, || Ok(checksums::of_list(&list)), &path)?;
        Ok(list)
    }

    /// A file's weights, to be read tensor by tensor, held against their checksum.
    pub(super) fn weights(&self, name: &str, checksums: &Checksums) -> Result<Source, BundleError> {
        let path = self.path(name);
        match self {
            Self::Folder(_) => {
                drop(fs::open(&path).map_err(|source| self.error(name, source))?);
                let source = Source::open(&path)?;
                checksums::check(checksums, name, || checksums::of_file(&path), &path)?;
                Ok(source)
            }
            // Part of the program, as its code is; a test holds it against its checksum.
            Self::Embedded(_) => {
                let io = |source| WeightsError::Io { source, path: path.clone() };
                let bytes = SafetensorsBytes::Static(self.embedded(name).map_err(io)?);
                Ok(Source::from_bytes(bytes, &path.to_string_lossy())?)
            }
        }
    }

    /// A safetensors file's bytes, held against their checksum.
    pub(super) fn bytes(
        &self,
        name: &str,
        checksums: &Checksums,
    ) -> Result<SafetensorsBytes, BundleError> {
        Ok(self.weights(name, checksums)?.into_bytes()?)
    }

    /// A file's bytes as they are, held against their checksum.
    pub(super) fn raw(&self, name: &str, checksums: &Checksums) -> Result<Arc<[u8]>, BundleError> {
        let bytes = match self {
            Self::Folder(folder) => fs::read(&folder.join(name), super::clip::MAX_TOKENIZER),
            Self::Embedded(_) => self.embedded(name).map(<[u8]>::to_vec),
        };
        let bytes = bytes.map_err(|source| self.error(name, source))?;
        checksums::check(checksums, name, || Ok(checksums::of_bytes(&bytes)), &self.path(name))?;
        Ok(bytes.into())
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
