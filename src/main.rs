//! The binary: arguments, logging, then the window or a subcommand.

fn main() -> std::process::ExitCode {
    let level = env_logger::Env::default().default_filter_or("error,tagood_lens=warn");
    env_logger::Builder::from_env(level).init();
    tagood_lens::cli::run()
}
