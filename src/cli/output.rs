//! What the command line says, to readers who may leave before the end.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write as _};

use crate::fs;

/// Prints a line of results to stdout, as `println!` does; its error goes up to the caller.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::cli::output::print_line(format_args!($($text)*))
    };
}

/// Prints a line about the work to stderr, as `eprintln!` does, and does without it where nobody reads.
macro_rules! note {
    ($($text:tt)*) => {
        $crate::cli::output::note_line(format_args!($($text)*))
    };
}

pub(super) use {note, say};

/// Prints a line to stdout.
///
/// # Errors
/// If it cannot be written.
pub(super) fn print_line(text: Arguments<'_>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Prints lines to stderr, if anybody reads them. Names in them cannot steer the terminal.
pub(super) fn note_line(text: Arguments<'_>) {
    let text = text.to_string();
    let lines: Vec<String> = text.split('\n').map(fs::printable_text).collect();
    writeln!(std::io::stderr().lock(), "{}", lines.join("\n")).ok();
}

/// Whether an error says only that the reader of the results has left, as `head` does.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    })
}
