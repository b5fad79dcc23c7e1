use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use burn::tensor::Device;
use proptest::prelude::*;

use super::vocabulary::Class;
use super::*;
use crate::damage::{cases, damaged};
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

fn a_damaged_file() -> impl Strategy<Value = (String, Vec<u8>, Vec<u8>)> {
    prop::sample::select(whole_bundle()).prop_flat_map(|(name, whole)| {
        damaged(whole.clone()).prop_map(move |bytes| (name.clone(), whole.clone(), bytes))
    })
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn damaged_bundles_are_refused((name, whole, bytes) in a_damaged_file()) {
        let dir = folder_with(&name, &bytes);
        match Bundle::open(dir.path()) {
            // Lists may have other line ends, and classes are for editing.
            Ok(bundle) => {
                let reference = folder_with(&name, &whole);
                let reference = Bundle::open(reference.path()).unwrap();
                prop_assert_eq!(&bundle.vocabulary.tags, &reference.vocabulary.tags);
                prop_assert_eq!(&bundle.vocabulary.thresholds, &reference.vocabulary.thresholds);
                let names = |bundle: &Bundle| -> Vec<String> {
                    bundle.vocabulary.classes.iter().map(|class| class.name.clone()).collect()
                };
                prop_assert_eq!(names(&bundle), names(&reference));
                prop_assert!(
                    name.ends_with(".txt") || name == CLASSES || bytes == whole || name == MANIFEST,
                    "{} was taken", name
                );
                prop_assert_eq!(
                    Manifest { checksums: Checksums::new(), ..bundle.manifest },
                    Manifest { checksums: Checksums::new(), ..reference.manifest }
                );
            }
            Err(error) => prop_assert!(error.to_string().lines().count() == 1, "{}", error),
        }
    }

    /// Bundles of before have no checksums: what is damaged in them is refused where it does not fit,
    /// and whatever it is, nothing panics and no memory is asked for that the file does not have.
    #[test]
    fn damaged_bundles_without_checksums_do_no_harm((name, _, bytes) in a_damaged_file()) {
        let dir = folder_with(&name, &bytes);
        let path = dir.path().join(MANIFEST);
        if let Ok(text) = fs::read_to_string(&path) {
            let text = text.split("[checksums]").next().unwrap().replace("format = 2", "format = 1");
            fs::write(&path, text).unwrap();
        }
        if let Ok(bundle) = Bundle::open(dir.path()) {
            let device = Device::flex();
            if let Some(tagger) = &bundle.manifest.tagger {
                drop(Ram::new(tagger, &WeightLoader::stored(&bundle.network, &device)));
            }
            drop(bundle.centers());
            if let Some((source, config)) = bundle.projector.iter().zip(&bundle.manifest.projector).next() {
                drop(Projector::new(config, &WeightLoader::stored(source, &device)));
            }
        }
    }
}
