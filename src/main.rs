//! The binary: arguments, logging, then the window or a subcommand.

fn main() -> std::process::ExitCode {
    tagood_lens::cli::run()
}
