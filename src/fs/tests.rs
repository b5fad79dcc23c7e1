//! What stands on the disk after writes that went well, failed, or were killed.

use super::*;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_there_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    write(&path, "first").unwrap();

    let mut file = WholeFile::create(&path).unwrap();
    file.write_all(&[b'x'; 1 << 20]).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "first", "nothing changes before the commit");
    drop(file);
    assert_eq!(names(folder.path()), ["a.csv"], "what was not committed leaves nothing");

    let mut file = WholeFile::create(&path).unwrap();
    file.write_all(b"second").unwrap();
    file.commit().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "second");
    assert_eq!(names(folder.path()), ["a.csv"]);
}

#[test]
fn several_files_change_together() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write(&at("a"), "old").unwrap();
    fs::create_dir(at("b")).unwrap();
    let (path, error) =
        write_all(&[(at("a"), b"new".to_vec()), (at("b"), b"new".to_vec())]).unwrap_err();
    assert_eq!(path, at("b"));
    assert_eq!(error.to_string(), "it is a folder, not a file");
    assert_eq!(fs::read_to_string(at("a")).unwrap(), "old");
    assert_eq!(names(folder.path()), ["a", "b"]);

    write_all(&[(at("a"), b"new".to_vec()), (at("c"), b"new".to_vec())]).unwrap();
    assert_eq!(fs::read_to_string(at("a")).unwrap(), "new");
    assert_eq!(names(folder.path()), ["a", "b", "c"]);
}

#[test]
fn what_killed_runs_left_is_swept_and_what_is_being_written_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let left = |name: &str| folder.path().join(format!(".{name}.1-0{TEMPORARY}"));
    fs::write(left("file"), "half").unwrap();
    fs::create_dir(left("bundle")).unwrap();
    fs::write(left("bundle").join("tagger.safetensors"), "half").unwrap();
    fs::write(folder.path().join(".notes.tmp"), "the user's own").unwrap();
    let mut live = WholeFile::create(&folder.path().join("live")).unwrap();
    live.write_all(b"whole").unwrap();
    let live_folder = WholeFolder::create(&folder.path().join("live folder")).unwrap();
    assert!(!left("file").exists() && !left("bundle").exists(), "{:?}", names(folder.path()));

    sweep(folder.path());
    live.commit().unwrap();
    live_folder.commit().unwrap();
    assert_eq!(names(folder.path()), [".notes.tmp", "live", "live folder"]);
}

#[test]
fn a_folder_is_there_whole_or_not_at_all() {
    let above = tempfile::tempdir().unwrap();
    let target = above.path().join("bundle");
    let begin = || {
        let folder = WholeFolder::create(&target).unwrap();
        write(&folder.path().join("tags.txt"), "cat\n").unwrap();
        folder
    };
    drop(begin());
    assert_eq!(names(above.path()), [""; 0]);

    fs::create_dir(&target).unwrap();
    begin().commit().unwrap();
    assert_eq!(names(&target), ["tags.txt"]);
    assert_eq!(names(above.path()), ["bundle"]);
    let error = WholeFolder::create(&target).unwrap_err();
    assert!(error.to_string().contains("name another folder"), "{error}");
}

#[test]
fn names_as_long_as_the_file_system_takes_are_written() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["é".repeat(127), "x".repeat(255)] {
        write(&folder.path().join(&name), "whole").unwrap();
    }
    assert_eq!(names(folder.path()).len(), 2);
}

#[test]
fn reading_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tags.txt");
    fs::write(&path, "twelve bytes").unwrap();
    assert_eq!(read_text(&path, 12).unwrap(), "twelve bytes");
    let error = read(&path, 11).unwrap_err();
    assert_eq!(error.to_string(), "it has 12 bytes, and at most 11 are taken");
    fs::write(&path, [0xff]).unwrap();
    assert_eq!(read_text(&path, 12).unwrap_err().to_string(), "it is not UTF-8 text");
    let error = read(folder.path(), 12).unwrap_err();
    assert_eq!(error.to_string(), "it is a folder, not a file");
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_neither_read_nor_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.png");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let link = folder.path().join("endless.png");
    std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
    for path in [&pipe, &link] {
        for error in [open(path).err(), WholeFile::create(path).err()] {
            assert_eq!(error.unwrap().to_string(), "it is a pipe or a device, not a file");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_a_file_stays_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    fs::write(&file, "old").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    write(&link, "new").unwrap();
    assert!(link.is_symlink());
    assert_eq!(fs::read_to_string(&file).unwrap(), "new");
}
