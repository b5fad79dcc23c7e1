//! What the pages for contributors say is in the source: modules, functions, files.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}: {}", path.display()))
}

/// All Rust files below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The modules of the crate, in their order.
fn modules() -> Vec<String> {
    let module = |line: &str| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned());
    read("src/lib.rs").lines().filter_map(module).collect()
}

#[test]
fn every_module_has_its_floor_and_its_line() {
    let page = read("docs/architecture.md");
    let floors = page.split("```").nth(1).unwrap();
    // A line is `group  module  what it is`, the group only where it changes.
    let drawn: Vec<&str> = floors
        .lines()
        .filter_map(|line| line.get(13..)?.split_whitespace().next())
        .filter(|word| !word.is_empty())
        .collect();
    assert_eq!(drawn, modules(), "docs/architecture.md draws other floors than src/lib.rs has");
    let about = read("src/lib.rs");
    for module in modules() {
        let line = format!("//! - [`{module}`] – ");
        assert!(about.contains(&line), "src/lib.rs does not say what `{module}` is");
    }
}

/// What stands between backticks outside of blocks of code.
fn quoted(page: &str) -> Vec<&str> {
    let text = page.split("```").step_by(2);
    text.flat_map(|text| text.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn what_is_named_is_there() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let code: Vec<(PathBuf, String)> =
        files.into_iter().map(|file| (file.clone(), read(file))).collect();
    let modules = modules();
    // What a module is said to have must be in its own files.
    let is_defined = |name: &str, of: &str| {
        let kinds = ["fn", "struct", "enum", "trait", "mod", "type", "const", "static"];
        let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let home = root().join("src").join(of);
        let is_home = |file: &Path| {
            !modules.iter().any(|module| module == of)
                || file.starts_with(&home)
                || file == home.with_extension("rs")
        };
        let after = |start: &str| {
            let there = |text: &str| {
                text.match_indices(start).any(|(at, _)| ends(&text[at + start.len()..]))
            };
            code.iter().any(|(file, text)| is_home(file) && there(text))
        };
        // A variant stands alone at the beginning of its line.
        kinds.iter().any(|kind| after(&format!("{kind} {name}"))) || after(&format!("    {name}"))
    };
    let mut missing = Vec::new();
    for page in ["docs/architecture.md", "CONTRIBUTING.md"] {
        for name in quoted(&read(page)) {
            let is_path = name.contains('/') && !name.contains(' ') && !name.contains('*');
            let words: Vec<&str> = name.split("::").collect();
            let is_name = words.len() > 1
                && words.iter().all(|word| {
                    !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_')
                });
            let is_outside = ["std", "clap"].contains(&words[0]);
            if is_path && !root().join(name).exists()
                || is_name
                    && !is_outside
                    && !(is_defined(words[0], "lib")
                        && words[1..].iter().all(|word| is_defined(word, words[0])))
            {
                missing.push(format!("{page}: `{name}`"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
