//! A module uses those above it in `src/lib.rs` and none below, and the files of the session do not
//! hang on one another in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A path in the code, from the crate's root, with the line it stands in.
type Import = (Vec<String>, usize);

/// The code of a file without its comments and its tests, which stand last.
fn code(text: &str) -> String {
    let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let without = |line: &str| line.split("//").next().unwrap_or_default().to_owned() + "\n";
    text[..tests].lines().map(without).collect()
}

/// The module that a file is, from the crate's root.
fn module_of(src: &Path, file: &Path) -> Vec<String> {
    let inside = file.strip_prefix(src).unwrap().with_extension("");
    let mut segments: Vec<String> =
        inside.iter().map(|segment| segment.to_string_lossy().into_owned()).collect();
    if segments.last().is_some_and(|last| last == "mod") {
        segments.pop();
    }
    segments
}

/// The paths that begin with `start`, with what braces hold told apart.
fn expand(start: &[String], text: &str, found: &mut Vec<Vec<String>>) -> usize {
    let mut path = start.to_vec();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !word.is_empty() {
            at += word.len();
            path.push(word);
        } else if rest.starts_with('{') {
            at += 1;
            loop {
                at += text[at..].len() - text[at..].trim_start_matches([' ', '\n', ',']).len();
                if text[at..].starts_with('}') || text[at..].is_empty() {
                    return at + 1;
                }
                let taken = expand(&path, &text[at..], found);
                // What is no path, such as `*`.
                at += taken.max(1);
            }
        }
        match text[at..].strip_prefix("::") {
            Some(_) => at += 2,
            None => break,
        }
    }
    if path.len() > start.len() {
        found.push(path);
    }
    at
}

/// What a file uses of this crate.
fn imports(
    module: &[String],
    is_folder: bool,
    text: &str,
    modules: &BTreeSet<Vec<String>>,
) -> Vec<Import> {
    let code = code(text);
    let mut imports = Vec::new();
    let line = |at: usize| code[..at].matches('\n').count() + 1;
    let mut note = |at: usize, start: &[String], rest: usize| {
        let mut found = Vec::new();
        expand(start, &code[rest..], &mut found);
        imports.extend(found.into_iter().map(|path| (path, line(at))));
    };
    let is_word = |at: usize| {
        // `pub(in path)` uses nothing.
        let before = code[..at].chars().next_back().filter(|_| !code[..at].ends_with("pub(in "));
        at == 0 || before.is_some_and(|c| !(c.is_alphanumeric() || c == '_' || c == ':'))
    };
    for (at, _) in code.match_indices("crate::").filter(|(at, _)| is_word(*at)) {
        note(at, &[], at + "crate::".len());
    }
    for (at, _) in code.match_indices("super::").filter(|(at, _)| is_word(*at)) {
        let (mut up, mut rest) = (0, at);
        while code[rest..].starts_with("super::") {
            (up, rest) = (up + 1, rest + "super::".len());
        }
        note(at, &module[..module.len().saturating_sub(up)], rest);
    }
    // `use part::Thing` of a folder's own parts.
    for (at, _) in code.match_indices("use ").filter(|(at, _)| is_word(*at) && is_folder) {
        let rest = at + "use ".len();
        let word: String =
            code[rest..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let part: Vec<String> = module.iter().cloned().chain([word]).collect();
        if modules.contains(&part) {
            note(at, module, rest);
        }
    }
    imports
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            files(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(path);
        }
    }
}

/// Every file of the crate with what it uses, by its module.
fn uses(src: &Path) -> BTreeMap<Vec<String>, (PathBuf, Vec<Import>)> {
    let mut all = Vec::new();
    files(src, &mut all);
    let modules: BTreeSet<Vec<String>> = all.iter().map(|file| module_of(src, file)).collect();
    let uses = |file: PathBuf| {
        let module = module_of(src, &file);
        let is_folder = file.file_name().is_some_and(|name| name == "mod.rs");
        let imports = imports(&module, is_folder, &fs::read_to_string(&file).unwrap(), &modules);
        (module, (file, imports))
    };
    all.into_iter().map(uses).collect()
}

/// The modules of `src/lib.rs`, in their order.
fn order(src: &Path) -> Vec<String> {
    let text = fs::read_to_string(src.join("lib.rs")).unwrap();
    let name = |line: &str| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned());
    text.lines().filter_map(name).collect()
}

/// What goes from a module to itself or to one below it.
fn upward(src: &Path) -> Vec<String> {
    let order = order(src);
    let place = |name: &str| order.iter().position(|other| other == name);
    let mut wrong = Vec::new();
    for (module, (file, imports)) in uses(src) {
        let Some(own) = module.first().and_then(|name| place(name)) else { continue };
        for (path, line) in imports {
            let Some(used) = path.first().filter(|name| place(name).is_some_and(|at| at > own))
            else {
                continue;
            };
            let file = file.strip_prefix(src).unwrap().display();
            wrong.push(format!("src/{file}:{line}: {} uses {used}, which is below it", order[own]));
        }
    }
    wrong
}

/// A circle among the files of a top-level module, if there is one: their modules, the first again
/// at the end.
fn circle(src: &Path, top: &str) -> Option<Vec<String>> {
    let uses = uses(src);
    let inside = |module: &&Vec<String>| module.first().is_some_and(|first| first == top);
    let modules: Vec<&Vec<String>> = uses.keys().filter(inside).collect();
    // A path names an item of the longest module that begins it.
    let home = |path: &[String]| {
        let begins = |module: &&&Vec<String>| path.starts_with(module);
        modules.iter().filter(begins).max_by_key(|module| module.len()).copied()
    };
    let edges = |module: &Vec<String>| -> BTreeSet<&Vec<String>> {
        let homes = uses[module].1.iter().filter_map(|(path, _)| home(path));
        homes.filter(|other| *other != module).collect()
    };
    let edges: BTreeMap<&Vec<String>, BTreeSet<&Vec<String>>> =
        modules.iter().map(|module| (*module, edges(module))).collect();
    let mut done = BTreeSet::new();
    let mut way: Vec<&Vec<String>> = Vec::new();
    fn walk<'a>(
        at: &'a Vec<String>,
        edges: &BTreeMap<&'a Vec<String>, BTreeSet<&'a Vec<String>>>,
        (way, done): (&mut Vec<&'a Vec<String>>, &mut BTreeSet<&'a Vec<String>>),
    ) -> Option<Vec<String>> {
        if let Some(from) = way.iter().position(|module| *module == at) {
            return Some(way[from..].iter().chain([&at]).map(|m| m.join("::")).collect());
        }
        if !done.insert(at) {
            return None;
        }
        way.push(at);
        let found = edges[at].iter().find_map(|next| walk(next, edges, (way, done)));
        way.pop();
        found
    }
    modules.iter().find_map(|module| walk(module, &edges, (&mut way, &mut done)))
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn modules_use_only_those_above_them() {
    let wrong = upward(&src());
    assert!(wrong.is_empty(), "{} imports go upward:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_session_has_no_circle() {
    let found = circle(&src(), "session");
    assert!(
        found.is_none(),
        "the session's files hang in a circle: {}",
        found.unwrap().join(" → ")
    );
}

/// That both are found where they are.
#[test]
fn what_is_wrong_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let src = folder.path();
    let write = |name: &str, text: &str| {
        let path = src.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("lib.rs", "pub mod low;\npub mod high;\n");
    write(
        "low.rs",
        "// crate::high in a comment\nuse std::fmt;\nuse crate::{high::part::Thing, low};\n",
    );
    write("high/mod.rs", "mod part;\nmod other;\nuse part::Thing;\npub use other::Other;\n");
    write("high/part.rs", "use super::other::{Other, more};\nuse crate::low::{self, Low};\n");
    write("high/other.rs", "fn f() { super::Thing::new(); }\n");
    assert_eq!(upward(src), ["src/low.rs:3: low uses high, which is below it"]);
    let found = circle(src, "high").unwrap();
    assert_eq!(found.first(), found.last());
    assert!(found.contains(&"high::other".to_owned()), "{found:?}");
    write("high/other.rs", "#[cfg(test)]\nmod tests {\n    use super::Thing;\n}\n");
    assert_eq!(circle(src, "high"), None);
}
