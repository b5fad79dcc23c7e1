//! The line of progress that every subcommand shows: on stderr, hidden where that is no terminal and
//! where `--quiet` was given.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar with count, rate and remaining time; `what` is counted, as in "images". The total may be said
/// later.
pub(super) fn progress_line(quiet: bool, total: Option<u64>, what: &str) -> ProgressBar {
    let hidden = quiet || !std::io::stderr().is_terminal();
    let target = if hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let template = "{bar:30} {pos}/{len} {msg}, {per_sec}, {eta} left";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(total, target).with_style(style);
    bar.with_message(what.to_owned())
}
