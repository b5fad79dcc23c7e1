//! The binary: arguments, logging, then the window or a subcommand.

fn main() {}
