//! Paths on the command line.

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};

/// Takes paths with this ending alone, so that nobody finds a PNG in a file called `.jpg`.
pub(super) fn ending_in(ending: &'static str) -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(move |path| {
        let found = path.extension().map(|found| found.to_string_lossy().to_lowercase());
        match found.as_deref() == Some(ending) {
            true => Ok(path),
            false => Err(format!("the name must end in .{ending}")),
        }
    })
}
