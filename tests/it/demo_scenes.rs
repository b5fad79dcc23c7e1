//! `demo scenes`: files, folders, exit statuses.

use std::fs;
use std::path::Path;

use assert_cmd::Command;

fn scenes(args: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = Command::cargo_bin("tagood-lens").unwrap();
    command.args(["demo", "scenes"]).args(args).assert()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn writes_pictures_masks_and_a_table() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (first, second) = (folder.path().join("a"), folder.path().join("b"));
    for out in [&first, &second] {
        scenes(&["--set", "id", "--count", "3", "--seed", "5", "--out", text(out)]).success();
    }
    let table = fs::read_to_string(first.join("tags.csv")).expect("a table");
    assert_eq!(table, fs::read_to_string(second.join("tags.csv")).expect("a table"));
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    assert_eq!(reader.headers().expect("headers"), vec!["path", "class", "tags"]);
    let mut count = 0;
    for row in reader.records() {
        let row = row.expect("a row");
        let (path, class) = (&row[0], &row[1]);
        assert!(path.starts_with(&format!("id/{class}/")), "{path}");
        assert!(row[2].split(';').any(|tag| tag == class), "{class} is among the tags");
        let bytes = fs::read(first.join(path)).expect("the picture");
        assert_eq!(bytes, fs::read(second.join(path)).expect("the same picture"));
        assert!(first.join("masks/id").join(class).is_dir());
        count += 1;
    }
    assert_eq!(count, 3);
}

#[test]
fn sets_drawn_into_one_folder_share_its_table() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let table = folder.path().join("tags.csv");
    let draw = |set, count, seed| {
        let out = text(folder.path());
        scenes(&["--set", set, "--count", count, "--seed", seed, "--out", out])
    };
    draw("id", "3", "5").success();
    draw("near", "2", "5").success();
    let both = fs::read_to_string(&table).expect("a table");
    let paths = |text: &str| -> Vec<String> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        reader.records().map(|row| row.expect("a row")[0].to_owned()).collect()
    };
    let named = |set: &str| paths(&both).iter().filter(|path| path.starts_with(set)).count();
    assert_eq!((named("id/"), named("near/"), paths(&both).len()), (3, 2, 5));
    assert!(paths(&both).iter().all(|path| folder.path().join(path).is_file()));
    // Drawn again, a set is no new one; drawn further, it grows.
    draw("id", "3", "5").success();
    assert_eq!(fs::read_to_string(&table).expect("a table"), both);
    draw("id", "4", "5").success();
    assert_eq!(paths(&fs::read_to_string(&table).expect("a table")).len(), 6);
    // A table that is somebody else's is left alone.
    fs::write(&table, "name,price\ncup,3\n").expect("written");
    let refused = draw("id", "1", "5").code(1);
    let message = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
    assert!(message.contains("another kind of table") && message.contains("tags.csv"), "{message}");
    assert_eq!(fs::read_to_string(&table).expect("as it was"), "name,price\ncup,3\n");
}

#[test]
fn a_sheet_needs_no_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sheet = folder.path().join("sheet.png");
    scenes(&["--set", "texture", "--count", "4", "--sheet", text(&sheet)]).success();
    let (width, height) = image::image_dimensions(&sheet).expect("a picture");
    assert!(width > height && height > 192);
}

#[test]
fn wrong_usage_and_faults_have_their_statuses() {
    let unknown = scenes(&["--set", "far", "--out", "x"]).code(2);
    let message = String::from_utf8_lossy(&unknown.get_output().stderr).into_owned();
    assert!(message.contains("there is no set called 'far'"), "{message}");
    scenes(&["--set", "id"]).code(2);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, "in the way").expect("a file");
    scenes(&["--set", "id", "--count", "1", "--out", text(&file.join("under"))]).code(1);
}
