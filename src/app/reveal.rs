//! Showing a file in the system's file manager.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// Shows a file, selected where the file manager can do that.
///
/// # Errors
/// If it is gone, or there is no file manager that answers.
pub(super) fn reveal(path: &Path) -> Result<(), String> {
    // Relative paths mean nothing to another program.
    let path = path.canonicalize().map_err(|error| format!("cannot show the file: {error}"))?;
    let works = |command: &mut Command| run(command).is_ok_and(|done| done);
    match commands(&path).iter_mut().any(works) {
        true => Ok(()),
        false => Err("no file manager answers, so the file cannot be shown".into()),
    }
}

/// What to try, one after the other.
fn commands(path: &Path) -> Vec<Command> {
    let command = |program: &str| Command::new(program);
    if cfg!(target_os = "macos") {
        let mut open = command("open");
        open.arg("-R").arg(path);
        return vec![open];
    }
    if cfg!(target_os = "windows") {
        let mut explorer = command("explorer");
        explorer.arg("/select,").arg(path);
        return vec![explorer];
    }
    // The interface that the desktops' file managers share selects the file; where none has it, the
    // folder is opened.
    let mut show = command("dbus-send");
    show.args(["--session", "--print-reply", "--dest=org.freedesktop.FileManager1"]);
    show.args(["/org/freedesktop/FileManager1", "org.freedesktop.FileManager1.ShowItems"]);
    show.arg(format!("array:string:{}", uri(path))).arg("string:");
    let mut open = command("xdg-open");
    open.arg(path.parent().unwrap_or(path));
    vec![show, open]
}

fn run(command: &mut Command) -> io::Result<bool> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().map(|status| status.success())
}

/// A file's address; what a list of addresses could take for a sign of its own is in per cent.
fn uri(path: &Path) -> String {
    let mut uri = String::from("file://");
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => uri.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            byte => uri += &format!("%{byte:02X}"),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_signs_of_its_own() {
        assert_eq!(uri(Path::new("/w/a b,c/ü.png")), "file:///w/a%20b%2Cc/%C3%BC.png");
    }

    #[test]
    fn what_is_gone_cannot_be_shown() {
        let told = reveal(Path::new("/nowhere/at/all.png")).unwrap_err();
        assert!(told.starts_with("cannot show the file: "), "{told}");
    }
}
