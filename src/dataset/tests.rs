use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::damage::{damaged, fuzz, one_sentence};

/// A folder with empty files at these paths; listing does not open them.
fn folder_with(files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    folder
}

fn listed(folder: &TempDir, set: &Dataset) -> Vec<(String, Option<usize>)> {
    let relative = |item: &Item| item.path.strip_prefix(folder.path()).unwrap().to_owned();
    let items = set.items.iter();
    items.map(|item| (relative(item).to_string_lossy().into_owned(), item.class)).collect()
}

fn sentence(result: Result<Dataset, DatasetError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn folder_lists_images_below_it_in_order() {
    let folder =
        folder_with(&["b.PNG", "a/2.jpg", "a/1.webp", "notes.txt", ".hidden.png", "c.tif"]);
    let set = Dataset::from_folder(folder.path()).unwrap();
    let expected = ["a/1.webp", "a/2.jpg", "b.PNG", "c.tif"].map(|path| (path.to_owned(), None));
    assert_eq!(listed(&folder, &set), expected);
    assert_eq!(set.classes, [""; 0]);
    assert_eq!(set.name, folder.path().file_name().unwrap().to_string_lossy());
}

#[test]
fn class_folders_are_classes() {
    let folder = folder_with(&["n02/deep/x.jpg", "n01/b.jpg", "n01/a.jpg", "README.md"]);
    let set = Dataset::labelled(folder.path()).unwrap();
    assert_eq!(set.classes, ["n01", "n02"]);
    let expected = [("n01/a.jpg", 0), ("n01/b.jpg", 0), ("n02/deep/x.jpg", 1)];
    assert_eq!(listed(&folder, &set), expected.map(|(path, class)| (path.to_owned(), Some(class))));
    assert!(set.require_several_classes().is_ok());
}

#[test]
fn csv_paths_are_relative_to_it_and_numbers_sort_as_numbers() {
    let folder = folder_with(&["set/images/a.jpg", "set/images/b.jpg", "c.jpg"]);
    let csv = folder.path().join("set/val.csv");
    fs::write(&csv, "class,path\n10,images/b.jpg\n9,images/a.jpg\n10,../c.jpg\n").unwrap();
    let set = Dataset::labelled(&csv).unwrap();
    assert_eq!(
        (set.name.as_str(), set.classes.as_slice()),
        ("val", &["9".into(), "10".into()][..])
    );
    let classes: Vec<_> = set.items.iter().map(|item| item.class).collect();
    assert_eq!(classes, [Some(1), Some(0), Some(1)]);
    assert!(set.items.iter().all(|item| item.path.is_file()));
}

#[test]
fn bad_folders_are_one_clear_sentence() {
    let no_image = folder_with(&["notes.txt"]);
    assert!(sentence(Dataset::from_folder(no_image.path())).starts_with("there is no image (jpg,"));
    assert!(sentence(Dataset::labelled(no_image.path())).contains("needs a folder for each class"));
    let absent = no_image.path().join("absent");
    assert!(sentence(Dataset::from_folder(&absent)).ends_with(absent.to_str().unwrap()));
    let empty_class = folder_with(&["cat/1.jpg", "dog/notes.txt"]);
    assert!(sentence(Dataset::labelled(empty_class.path())).contains("without an image: dog"));
    let beside = folder_with(&["cat/1.jpg", "dog/1.jpg", "3.jpg"]);
    assert!(sentence(Dataset::labelled(beside.path())).contains("have no class: 3.jpg"));
    let one = folder_with(&["cat/1.jpg"]);
    let error = Dataset::labelled(one.path()).unwrap().require_several_classes().unwrap_err();
    assert!(
        error.to_string().contains("has one class only (cat); at least 2 are needed"),
        "{error}"
    );
}

#[test]
fn bad_csvs_are_one_clear_sentence() {
    let folder = folder_with(&["a.jpg"]);
    let csv = folder.path().join("set.csv");
    for (text, expected) in [
        ("path\na.jpg\n", "line 1: the header must name a column `class`; it names: path"),
        ("path,class\n", "no image is listed"),
        ("path,class\na.jpg,\n", "line 2: the class is empty"),
        ("path,class\na.jpg,x\na.jpg,y\n", "is listed already on line 2"),
        ("path,class\na.jpg,x\nb.jpg,x\n", "1 of 2 listed images are missing"),
        ("path,class\n\na.jpg,x\nb.jpg\n", "line 4: the class is empty"),
        (
            "path,class\na.jpg,crane, wading bird\n",
            "line 2: 3 cells, but the header names 2 columns",
        ),
        ("path,class\ra.jpg,x\rb.jpg,y,\r", "line 3: 3 cells"),
        // A quote that is never closed.
        ("\"path,class\na.jpg,x\n", "it names: path,class\\na.jpg,x: in "),
    ] {
        fs::write(&csv, text).unwrap();
        let sentence = sentence(Dataset::labelled(&csv));
        assert!(sentence.contains(expected), "{text:?}: {sentence}");
        assert!(sentence.ends_with("set.csv") && sentence.lines().count() == 1, "{sentence}");
    }
    fs::write(&csv, "path,class\na.jpg,\"crane, wading bird\"\n").unwrap();
    assert_eq!(Dataset::labelled(&csv).unwrap().classes, ["crane, wading bird"]);
    fs::write(&csv, b"\xff\xfep\0").unwrap();
    assert!(sentence(Dataset::labelled(&csv)).contains("UTF-16 text; save it as UTF-8"));
    let many: String = (0..9).map(|i| format!("gone{i}.jpg,x\n")).collect();
    fs::write(&csv, format!("path,class\n{many}")).unwrap();
    assert!(sentence(Dataset::labelled(&csv)).contains("gone4.jpg (line 6) and 4 more"));
}

#[test]
fn one_image_is_no_set() {
    let folder = folder_with(&[]);
    let image = folder.path().join("fish.png");
    fs::write(&image, crate::image::png(&crate::image::RgbImage::new(2, 2)).unwrap()).unwrap();
    let sentence = sentence(Dataset::labelled(&image));
    let expected =
        "this is one image (PNG); name its folder, or a CSV with the columns path,class: ";
    assert!(sentence.starts_with(expected) && sentence.ends_with("fish.png"), "{sentence}");
}

#[cfg(unix)]
#[test]
fn a_link_back_up_is_followed_once() {
    let folder = folder_with(&["a/1.jpg"]);
    std::os::unix::fs::symlink(folder.path(), folder.path().join("a/up")).unwrap();
    assert_eq!(Dataset::from_folder(folder.path()).unwrap().items.len(), 1);
}

fn made_up(images_of_class: &[usize]) -> Dataset {
    let items = images_of_class.iter().enumerate().flat_map(|(class, &count)| {
        (0..count)
            .map(move |i| Item { path: format!("{class}/{i}.jpg").into(), class: Some(class) })
    });
    let classes = (0..images_of_class.len()).map(|class| class.to_string()).collect();
    Dataset {
        name: "made up".to_owned(),
        items: items.collect(),
        classes,
        passed_over: PassedOver::default(),
    }
}

#[test]
fn split_keeps_the_mix_and_repeats() {
    let set = made_up(&[1, 2, 10, 100]);
    let split = set.split(0.2, 5).unwrap();
    let count =
        |part: &Dataset, class| part.items.iter().filter(|i| i.class == Some(class)).count();
    assert_eq!([0, 1, 2, 3].map(|class| count(&split.validation, class)), [0, 1, 2, 20]);
    let mut all = [split.train.items.clone(), split.validation.items.clone()].concat();
    all.sort_by_key(|item| set.items.iter().position(|original| original == item));
    assert_eq!(all, set.items);
    assert_eq!(split.train.classes, set.classes);
    assert_eq!(set.split(0.2, 5).unwrap(), split);
    assert_ne!(set.split(0.2, 6).unwrap(), split);
    assert!(matches!(set.split(1.0, 5), Err(DatasetError::BadShare(_))));
}

#[test]
fn damaged_csvs_are_read_or_refused_in_a_sentence() {
    let folder = folder_with(&["a.jpg", "b, c.jpg"]);
    let csv = folder.path().join("set.csv");
    let whole = "\u{feff}path,class\r\na.jpg,x\r\n\"b, c.jpg\",\"y, z\"\r\n";
    fuzz(500, damaged(whole.into()), |bytes| {
        fs::write(&csv, bytes)?;
        match Dataset::labelled(&csv) {
            Ok(set) => prop_assert!(set.items.iter().all(|item| item.class < Some(2))),
            Err(error) => one_sentence(&error, "set.csv")?,
        }
        Ok(())
    });
}
