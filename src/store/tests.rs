use std::fs;
use std::path::{Path, PathBuf};

use half::f16;
use rayon::iter::ParallelIterator;

use super::reader::chunk_name;
use super::*;
use crate::image::Transform;

/// A small store's header: 5 tokens of width 3, 4 tags, 2 layers, 4 rows a chunk.
fn header() -> StoreHeader {
    StoreHeader {
        format: FORMAT,
        program: "test".into(),
        bundle: "tiny".into(),
        tagger: "0123".into(),
        thresholds: "4567".into(),
        transform: Transform::Ram,
        image_side: 8,
        positions: 5,
        width: 3,
        tags: 4,
        layers: 2,
        rows_per_chunk: 4,
    }
}

fn record(number: usize) -> Record {
    let n = number as f32;
    let failed = number % 5 == 3;
    let tags: Vec<u32> = (0..4).filter(|tag| (number >> tag) & 1 == 1).collect();
    let tensors = Tensors {
        logits: (0..4).map(|tag| n - tag as f32 * 0.3).collect(),
        tokens: (0..15).map(|at| f16::from_f32(n * 0.1 - at as f32)).collect(),
        attention: (0..tags.len() * 10).map(|at| n + at as f32 * 1e-4).collect(),
        tags,
    };
    Record {
        path: format!("/photos/größe {number}.jpg"),
        hash: (!failed).then_some(u64::MAX - number as u64),
        set: if number < 6 { "known" } else { "unknown" }.into(),
        class: number.is_multiple_of(2).then(|| format!("class {}", number % 3)),
        width: if failed { 0 } else { 640 },
        height: if failed { 0 } else { 480 },
        outcome: if failed {
            Err(format!("the JPEG is damaged: {number}.jpg"))
        } else {
            Ok(tensors)
        },
    }
}

/// Writes records in several runs, one for each range.
fn write(dir: &Path, runs: &[std::ops::Range<usize>]) {
    for run in runs {
        let mut writer = StoreWriter::create_or_resume(dir, &header()).unwrap();
        for record in run.clone().map(record) {
            assert!(writer.known(&record.set, &record.path).is_none());
            writer.push(record).unwrap();
        }
        writer.finish().unwrap();
    }
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

fn message(outcome: Result<impl std::fmt::Debug, StoreError>) -> String {
    outcome.unwrap_err().to_string()
}

#[test]
fn records_go_round() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), std::slice::from_ref(&(0..11)));
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.header(), &header());
    assert_eq!((store.len(), store.chunks().len()), (11, 3));
    let expected: Vec<Record> = (0..11).map(record).collect();
    let read: Vec<Record> = store.rows().map(|row| row.to_record()).collect();
    assert_eq!(read, expected);
    let parallel: Vec<Record> = store.par_rows().map(|row| row.to_record()).collect();
    assert_eq!(parallel, expected);
    assert_eq!(store.row(7).unwrap().path(), expected[7].path);
    assert!(store.row(11).is_none());
    let tagged = store.row(7).unwrap().tagged().unwrap();
    assert_eq!((tagged.positions(), tagged.width), (5, 3));
    assert_eq!(
        tagged.attention.of(2, 1).unwrap(),
        &expected[7].outcome.as_ref().unwrap().attention[25..30]
    );
}

#[cfg(target_os = "linux")]
#[test]
fn columns_lie_in_the_mapped_file() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), std::slice::from_ref(&(0..3)));
    let store = Store::open(dir.path()).unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let file = dir.path().join(chunk_name(0));
    let line = maps.lines().find(|line| line.ends_with(file.to_str().unwrap())).unwrap();
    let (from, to) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
    let address = |hex: &str| usize::from_str_radix(hex, 16).unwrap();
    let mapped = address(from)..address(to);
    let tensors = store.row(2).unwrap().tensors().unwrap();
    assert!(mapped.contains(&tensors.tokens.as_ptr().addr()));
    assert!(mapped.contains(&tensors.logits.as_ptr().addr()));
    assert!(mapped.contains(&tensors.attention.as_ptr().addr()));
    assert!(mapped.contains(&store.row(2).unwrap().path().as_ptr().addr()));
}

#[test]
fn runs_that_were_cut_end_in_the_same_files() {
    let whole = tempfile::tempdir().unwrap();
    write(whole.path(), std::slice::from_ref(&(0..11)));
    let resumed = tempfile::tempdir().unwrap();
    write(resumed.path(), &[0..0, 0..2, 2..3, 3..8, 8..8, 8..10, 10..11]);
    // What a kill in the middle of a chunk leaves behind.
    fs::write(resumed.path().join(".chunk-000002.arrow.1-0.tagood-lens.tmp"), b"half").unwrap();
    write(resumed.path(), std::slice::from_ref(&(11..12)));
    write(whole.path(), std::slice::from_ref(&(11..12)));
    assert_eq!(files(resumed.path()), files(whole.path()));
}

#[test]
fn a_dropped_writer_loses_the_chunk_in_work_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = StoreWriter::create_or_resume(dir.path(), &header()).unwrap();
    (0..7).map(record).for_each(|record| writer.push(record).unwrap());
    drop(writer);
    assert_eq!(Store::open(dir.path()).unwrap().len(), 4);
}

#[test]
fn two_runs_on_one_store_are_kept_apart() {
    let dir = tempfile::tempdir().unwrap();
    let first = StoreWriter::create_or_resume(dir.path(), &header()).unwrap();
    let error = message(StoreWriter::create_or_resume(dir.path(), &header()));
    assert!(error.contains("another run"), "{error}");
    drop(first);
    StoreWriter::create_or_resume(dir.path(), &header()).unwrap();
}

#[test]
fn damaged_chunks_are_refused_wherever_they_are_cut() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), std::slice::from_ref(&(0..8)));
    let path = dir.path().join(chunk_name(0));
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(7) {
        fs::write(&path, &whole[..length]).unwrap();
        let error = message(Store::open(dir.path()));
        assert!(error.contains("damaged") && error.ends_with("chunk-000000.arrow"), "{error}");
    }
    // Any byte of the structure may be wrong; there is an error or a store, never a panic.
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        fs::write(&path, &bytes).unwrap();
        if let Ok(store) = Store::open(dir.path()) {
            let records: Vec<Record> = store.rows().map(|row| row.to_record()).collect();
            assert_eq!(records.len(), store.len());
        }
    }
    fs::remove_file(&path).unwrap();
    let error = message(Store::open(dir.path()));
    assert!(error.contains("missing") && error.ends_with("chunk-000000.arrow"), "{error}");
}

#[test]
fn foreign_folders_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("letter.txt"), "Dear").unwrap();
    let error = message(StoreWriter::create_or_resume(dir.path(), &header()));
    assert!(error.contains("no feature store"), "{error}");
    assert_eq!(files(dir.path()).len(), 1);
    let error = message(Store::open(dir.path()));
    assert!(error.contains("make one with `extract`"), "{error}");
    let file = dir.path().join("letter.txt");
    assert!(StoreWriter::create_or_resume(&file, &header()).is_err());
    let missing = message(Store::open(&PathBuf::from("/nowhere/at/all")));
    assert!(missing.contains("no feature store"), "{missing}");
}

#[test]
fn other_taggers_are_refused_and_say_what_differs() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), std::slice::from_ref(&(0..2)));
    let change = |change: &dyn Fn(&mut StoreHeader)| {
        let mut other = StoreHeader { bundle: "other".into(), ..header() };
        change(&mut other);
        message(StoreWriter::create_or_resume(dir.path(), &other))
    };
    let weights = change(&|h| h.tagger = "ffff".into());
    assert!(
        weights.contains("`tiny`, whose tagger's weights differ from those of `other`"),
        "{weights}"
    );
    assert!(change(&|h| h.thresholds = "ffff".into()).contains("thresholds"));
    assert!(change(&|h| h.tags = 9).contains("shapes"));
    assert!(change(&|h| h.transform = Transform::Tagood).contains("`ram`, not `tagood`"));
    // A name alone makes no difference.
    let renamed = StoreHeader { bundle: "other".into(), rows_per_chunk: 9, ..header() };
    let writer = StoreWriter::create_or_resume(dir.path(), &renamed).unwrap();
    assert_eq!(writer.header(), &header());
}

#[test]
fn headers_of_other_versions_and_damaged_ones_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), std::slice::from_ref(&(0..2)));
    let path = dir.path().join("store.toml");
    let text = fs::read_to_string(&path).unwrap();
    let open = |text: &str| {
        fs::write(&path, text).unwrap();
        message(Store::open(dir.path()))
    };
    let error = open(&text.replace("format = 1", "format = 2"));
    assert!(error.contains("format is 2") && error.ends_with("store.toml"), "{error}");
    assert!(open("format = 1").contains("missing field"));
    assert!(open(&text.replace("width = 3", "width = 999999999999")).contains("out of range"));
    // Sizes that are not those of the chunks.
    assert!(open(&text.replace("width = 3", "width = 4")).contains("columns"));
    assert!(open(&text.replace("layers = 2", "layers = 3")).contains("shapes"));
}

#[test]
fn misshapen_records_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = StoreWriter::create_or_resume(dir.path(), &header()).unwrap();
    let mut wrong = record(1);
    wrong.outcome.as_mut().unwrap().attention.pop();
    let error = message(writer.push(wrong));
    assert!(error.contains("attention has 9 values") && error.contains("10"), "{error}");
}

#[test]
fn tags_to_keep_are_seen_ones_and_the_best_of_a_class() {
    use crate::bundle::vocabulary::{Class, Vocabulary};
    let mut vocabulary = Vocabulary::numbered(30);
    vocabulary.set_classes(vec![Class { name: "c".into(), tags: vec![4, 7] }]);
    let mut logits = vec![-1.0; 30];
    logits[7] = -0.5;
    assert_eq!(tags_to_keep(&logits, &vocabulary), [7]);
    logits[4] = 0.5;
    logits[9] = 3.0;
    assert_eq!(tags_to_keep(&logits, &vocabulary), [4, 9]);
    // Of many others, the most probable 16.
    let crowded: Vec<f32> = (0..30).map(|tag| 1.0 + tag as f32).collect();
    let expected: Vec<usize> = [4, 7].into_iter().chain(14..30).collect();
    assert_eq!(tags_to_keep(&crowded, &vocabulary), expected);
}
