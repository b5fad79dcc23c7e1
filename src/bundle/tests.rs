use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use burn::tensor::Device;
use proptest::prelude::*;

use super::vocabulary::Class;
use super::*;
use crate::damage::{fuzz, one_damaged, one_sentence};
use crate::nn::projector::Projector;
use crate::nn::ram::Ram;
use crate::nn::weights::WeightLoader;

/// The files of a small bundle, with checksums.
fn whole_bundle() -> Vec<(String, Vec<u8>)> {
    static FILES: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    let make = || {
        let tiny = |name: &str| -> PathBuf {
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny").join(name)
        };
        let mut bundle = Bundle::open(&tiny("tiny_ram.pth")).unwrap();
        bundle.attach_projector(&tiny("tiny_projector.pth")).unwrap();
        let class = |tag| Class { name: format!("class {tag}"), tags: vec![tag] };
        bundle.vocabulary.set_classes((0..10).map(class).collect());
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("bundle");
        bundle.write(&folder, None).unwrap();
        let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        files
            .map(|path| {
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                (name, fs::read(&path).unwrap())
            })
            .collect()
    };
    FILES.get_or_init(make).clone()
}

/// A bundle's folder with one file damaged.
fn folder_with(damaged: &str, bytes: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, whole) in whole_bundle() {
        let bytes = if name == damaged { bytes } else { &whole };
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

#[test]
fn the_embedded_bundle_is_what_was_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo-world");
    let bundle = Bundle::open(&folder).unwrap();
    assert_eq!(bundle.manifest.format, FORMAT);
    assert_eq!(bundle.manifest.checksums.len(), 7, "six files and the manifest itself");
    let embedded = embedded::bundle().unwrap();
    assert_eq!(embedded.manifest, bundle.manifest);
    assert_eq!(embedded.vocabulary, bundle.vocabulary);
}

#[test]
fn damaged_bundles_are_refused() {
    let whole: BTreeMap<String, Vec<u8>> = whole_bundle().into_iter().collect();
    let reference = Bundle::open(folder_with("", &[]).path()).unwrap();
    let names = |bundle: &Bundle| -> Vec<String> {
        bundle.vocabulary.classes.iter().map(|class| class.name.clone()).collect()
    };
    fuzz(150, one_damaged(whole_bundle()), |(name, bytes)| {
        let dir = folder_with(&name, &bytes);
        let bundle = match Bundle::open(dir.path()) {
            Ok(bundle) => bundle,
            Err(error) => return one_sentence(&error, ""),
        };
        // Lists may have other line ends, and classes are for editing.
        prop_assert_eq!(&bundle.vocabulary.tags, &reference.vocabulary.tags);
        prop_assert_eq!(&bundle.vocabulary.thresholds, &reference.vocabulary.thresholds);
        prop_assert_eq!(names(&bundle), names(&reference));
        let may_differ = name.ends_with(".txt") || name == CLASSES || name == MANIFEST;
        prop_assert!(may_differ || bytes == whole[&name], "{} was taken", name);
        prop_assert_eq!(
            Manifest { checksums: Checksums::new(), ..bundle.manifest },
            Manifest { checksums: Checksums::new(), ..reference.manifest.clone() }
        );
        Ok(())
    });
}

/// Bundles of before have no checksums: what is damaged in them is refused where it does not fit, and
/// whatever it is, nothing panics and no memory is asked for that the file does not have.
#[test]
fn damaged_bundles_without_checksums_do_no_harm() {
    fuzz(150, one_damaged(whole_bundle()), |(name, bytes)| {
        let dir = folder_with(&name, &bytes);
        let path = dir.path().join(MANIFEST);
        if let Ok(text) = fs::read_to_string(&path) {
            let text =
                text.split("[checksums]").next().unwrap().replace("format = 2", "format = 1");
            fs::write(&path, text)?;
        }
        let bundle = match Bundle::open(dir.path()) {
            Ok(bundle) => bundle,
            Err(error) => return one_sentence(&error, ""),
        };
        let device = Device::flex();
        if let Some(tagger) = &bundle.manifest.tagger {
            drop(Ram::new(tagger, &WeightLoader::stored(&bundle.network, &device)));
        }
        drop(bundle.centers());
        let projector = bundle.projector.iter().zip(&bundle.manifest.projector).next();
        if let Some((source, config)) = projector {
            drop(Projector::new(config, &WeightLoader::stored(source, &device)));
        }
        Ok(())
    });
}
