//! What a bundle's files were when they were written: a BLAKE3 hash of each, kept in `bundle.toml`,
//! which in turn ends in a hash of itself. A flipped bit in weights or a threshold gives another
//! model, and nothing else would tell.
//!
//! Lists are hashed by their entries, so that an editor may change their line ends. Classes have no
//! hash: `vocabulary.tsv` is for editing, and is tied to the weights by the classes' names.

use std::collections::BTreeMap;
use std::path::Path;

use super::{BundleError, MANIFEST};
use crate::lists::List;

/// Hashes by the names of files.
pub type Checksums = BTreeMap<String, String>;

/// The hash of bytes.
pub(super) fn of_bytes(bytes: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update_rayon(bytes);
    hasher.finalize().to_hex().to_string()
}

/// The hash of a file, which is mapped and hashed on all cores.
pub(super) fn of_file(path: &Path) -> std::io::Result<String> {
    // Not opened by the hasher, which would wait on a pipe.
    drop(crate::fs::open(path)?);
    Ok(blake3::Hasher::new().update_mmap_rayon(path)?.finalize().to_hex().to_string())
}

/// The hash of a list's entries.
pub(super) fn of_list(list: &List) -> String {
    let mut hasher = blake3::Hasher::new();
    for (_, entry) in list.entries() {
        hasher.update(entry.as_bytes()).update(b"\n");
    }
    hasher.finalize().to_hex().to_string()
}

/// Refuses a file that is another one than was written.
pub(super) fn check(
    checksums: &Checksums,
    name: &str,
    found: impl FnOnce() -> std::io::Result<String>,
    path: &Path,
) -> Result<(), BundleError> {
    let bad = |reason: &str| BundleError::Manifest { reason: reason.into(), path: path.to_owned() };
    if checksums.is_empty() {
        return Ok(());
    }
    let Some(expected) = checksums.get(name) else {
        return Err(bad("the file is not one of the bundle's; take it out"));
    };
    let found = found().map_err(|source| BundleError::Io {
        action: "cannot read the bundle",
        source,
        path: path.to_owned(),
    })?;
    match found == *expected {
        true => Ok(()),
        false => Err(bad(
            "the file is damaged, or another one than was written (its checksum differs); copy the \
             bundle again",
        )),
    }
}

/// The begin of the line with the hash of the manifest's lines above.
fn seal_key() -> String {
    format!("\"{MANIFEST}\" = \"")
}

/// A manifest's text, which ends in its checksums, with the hash of itself.
pub(super) fn sealed(text: &str) -> String {
    format!("{text}{}{}\"\n", seal_key(), of_bytes(text.as_bytes()))
}

/// Refuses a manifest that was changed since it was written. Version 1 had no seal.
pub(super) fn check_seal(text: &str, format: u32) -> Result<(), String> {
    let text = text.replace("\r\n", "\n");
    let Some(at) = text.rfind(&seal_key()) else {
        return match format {
            1 => Ok(()),
            _ => {
                Err("the manifest is cut short (its checksum is missing); copy the bundle again"
                    .into())
            }
        };
    };
    let (above, seal) = text.split_at(at);
    let hash = seal.strip_prefix(&seal_key()).and_then(|rest| rest.trim_end().strip_suffix('"'));
    match hash == Some(&of_bytes(above.as_bytes())) {
        true => Ok(()),
        false => Err(
            "the manifest is damaged or was edited (its checksum differs); to keep an edit, set \
             `format = 1` and remove `[checksums]` and what follows"
                .into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_a_sealed_manifest_is_seen() {
        let text = sealed("tau = 0.5\n\n[checksums]\n");
        assert_eq!(check_seal(&text, 2), Ok(()));
        assert_eq!(check_seal(&text.replace('\n', "\r\n"), 2), Ok(()));
        let edited = text.replace("0.5", "0.6");
        assert!(check_seal(&edited, 2).unwrap_err().contains("set `format = 1`"));
        assert!(check_seal(&edited, 1).is_err());
        let unsealed = text.split("[checksums]").next().unwrap();
        assert_eq!(check_seal(unsealed, 1), Ok(()));
        assert!(check_seal(unsealed, 2).unwrap_err().contains("cut short"));
    }
}
