use std::fs;
use std::path::{Path, PathBuf};

use half::f16;
use proptest::prelude::*;
use rayon::iter::ParallelIterator;

use super::manifest::{ChunkList, MANIFEST, chunk_name};
use super::*;
use crate::bundle::manifest::Arch;
use crate::damage::{fuzz, one_damaged, one_sentence};
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
        arch: Arch::Ram,
        upright: true,
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
        path: format!("/photos/größe {number}.jpg").into(),
        hash: (!failed).then_some(u64::MAX - number as u64),
        stamp: (!number.is_multiple_of(4))
            .then_some(Stamp { size: number as u64, modified_ns: -1 }),
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
        // A later run sweeps these away.
        .filter(|path| !crate::fs::is_temporary(path.file_name().unwrap()))
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
    let read: Vec<Record> = store.rows().map(|row| row.to_record().unwrap()).collect();
    assert_eq!(read, expected);
    let parallel: Vec<Record> = store.par_rows().map(|row| row.to_record().unwrap()).collect();
    assert_eq!(parallel, expected);
    assert_eq!(store.row(7).unwrap().path(), expected[7].path);
    assert!(store.row(11).is_none());
    let tagged = store.row(7).unwrap().tagged().unwrap().unwrap();
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
    let tensors = store.row(2).unwrap().tensors().unwrap().unwrap();
    assert!(mapped.contains(&tensors.tokens.as_ptr().addr()));
    assert!(mapped.contains(&tensors.logits.as_ptr().addr()));
    assert!(mapped.contains(&tensors.attention.as_ptr().addr()));
    assert!(mapped.contains(&store.row(2).unwrap().shown_path().as_ptr().addr()));
}

#[test]
fn runs_that_were_cut_end_in_the_same_files() {
    let whole = tempfile::tempdir().unwrap();
    write(whole.path(), std::slice::from_ref(&(0..11)));
    let resumed = tempfile::tempdir().unwrap();
    // What a kill in the middle of a chunk leaves behind.
    fs::write(resumed.path().join(".chunk-000002.arrow.1-0.tagood-lens.tmp"), b"half").unwrap();
    write(resumed.path(), &[0..0, 0..2, 2..3, 3..8, 8..8, 8..10, 10..11]);
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
    // Any byte may be wrong: it is refused, or it is one that nothing is read from.
    let expected: Vec<Record> = (0..8).map(record).collect();
    let mut refused = 0;
    for at in 0..whole.len() {
        for bit in [0x01, 0x40, 0x80] {
            let mut bytes = whole.clone();
            bytes[at] ^= bit;
            fs::write(&path, bytes).unwrap();
            let read = || -> Result<Vec<Record>, StoreError> {
                Store::open(dir.path())?.rows().map(|row| row.to_record()).collect()
            };
            match read() {
                Ok(records) => assert_eq!(records, expected, "bit {bit} at {at}"),
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains("chunk-000000.arrow"), "{error}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused * 2 > whole.len(), "{refused}");
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
    let error = open(&text.replace("format = 2", "format = 3"));
    assert!(error.contains("format is 3") && error.ends_with("store.toml"), "{error}");
    let error = open(&text.replace("format = 2", "format = 1"));
    assert!(error.contains("earlier version") && error.contains("run `extract` again"), "{error}");
    assert!(open("format = 2").contains("missing field"));
    assert!(open(&text.replace("width = 3", "width = 999999999999")).contains("out of range"));
    assert!(open(&text.replace("layers = 2", "layers = 9223372036854775807")).contains("range"));
    assert!(open(&text.replace("rows_per_chunk = 4", "rows_per_chunk = 1")).contains("more rows"));
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
fn numbers_that_are_not_finite_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = StoreWriter::create_or_resume(dir.path(), &header()).unwrap();
    let with = |change: &dyn Fn(&mut Tensors)| {
        let mut record = record(1);
        change(record.outcome.as_mut().unwrap());
        record
    };
    for record in [
        with(&|tensors| tensors.logits[0] = f32::NAN),
        with(&|tensors| tensors.tokens[3] = f16::from_f32(1e6)),
        with(&|tensors| tensors.attention[5] = f32::NEG_INFINITY),
    ] {
        let error = message(writer.push(record));
        assert!(error.contains("not finite") && error.ends_with("1.jpg"), "{error}");
    }
}

#[test]
fn a_row_that_is_made_anew_takes_the_place_of_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), std::slice::from_ref(&(0..6)));
    let mut writer = StoreWriter::create_or_resume(dir.path(), &header()).unwrap();
    // The fourth failed; it has the second's tensors now.
    let renewed = Record { outcome: record(1).outcome, hash: Some(9), ..record(3) };
    writer.push(renewed.clone()).unwrap();
    assert_eq!(writer.known(&renewed.set, &renewed.path).unwrap().hash, Some(9));
    writer.finish().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut expected: Vec<Record> = (0..6).map(record).collect();
    expected[3] = renewed;
    let read: Vec<Record> = store.rows().map(|row| row.to_record().unwrap()).collect();
    assert_eq!(read, expected);
    assert_eq!((store.len(), store.chunks().iter().map(Chunk::len).sum::<usize>()), (6, 7));
}

#[test]
fn chunks_that_are_missing_doubled_or_foreign_are_named() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(dir.path(), std::slice::from_ref(&(0..10)));
    write(other.path(), std::slice::from_ref(&(20..30)));
    let chunk = |number| dir.path().join(chunk_name(number));
    let whole: Vec<Vec<u8>> = (0..3).map(|number| fs::read(chunk(number)).unwrap()).collect();
    let refused = |place: usize, words: &str| {
        let error = message(Store::open(dir.path()));
        assert!(error.contains(words) && error.ends_with(&chunk_name(place)), "{error}");
    };
    fs::copy(chunk(0), chunk(1)).unwrap();
    refused(1, "it is a copy of chunk-000000.arrow");
    fs::copy(other.path().join(chunk_name(1)), chunk(1)).unwrap();
    refused(1, "another one than was written here");
    fs::write(chunk(1), &whole[1]).unwrap();
    fs::copy(chunk(0), chunk(7)).unwrap();
    refused(7, "no chunk of this store");
    fs::remove_file(chunk(7)).unwrap();
    fs::remove_file(chunk(2)).unwrap();
    refused(2, "a chunk is missing");
    // Its rows can be made anew, and everything else is as it was.
    let mut writer = StoreWriter::create_or_resume(dir.path(), &header()).unwrap();
    assert!(writer.known(&record(8).set, &record(8).path).is_none());
    (8..10).map(record).for_each(|record| writer.push(record).unwrap());
    writer.finish().unwrap();
    let read: Vec<Record> =
        Store::open(dir.path()).unwrap().rows().map(|row| row.to_record().unwrap()).collect();
    assert_eq!(read, (0..10).map(record).collect::<Vec<_>>());
    assert_eq!(fs::read(chunk(2)).unwrap(), whole[2]);
}

#[test]
fn a_run_that_was_cut_between_the_list_and_the_chunk_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), std::slice::from_ref(&(0..6)));
    let short = fs::read(dir.path().join(chunk_name(1))).unwrap();
    write(dir.path(), std::slice::from_ref(&(6..8)));
    let mut list = ChunkList::read(dir.path()).unwrap();
    // As if the list were written, and the longer chunk not yet in its place.
    let digest = {
        let before = tempfile::tempdir().unwrap();
        write(before.path(), std::slice::from_ref(&(0..6)));
        ChunkList::read(before.path()).unwrap().chunks[1].digest.clone()
    };
    list.chunks[1].before = Some(digest);
    list.write(dir.path()).unwrap();
    assert_eq!(Store::open(dir.path()).unwrap().len(), 8);
    fs::write(dir.path().join(chunk_name(1)), short).unwrap();
    assert_eq!(Store::open(dir.path()).unwrap().len(), 6);
    // And of a chunk that there was none of before.
    list.chunks[1].before = Some(String::new());
    list.write(dir.path()).unwrap();
    fs::remove_file(dir.path().join(chunk_name(1))).unwrap();
    assert_eq!(Store::open(dir.path()).unwrap().len(), 4);
    write(dir.path(), std::slice::from_ref(&(4..8)));
    let text = fs::read_to_string(dir.path().join(MANIFEST)).unwrap();
    assert!(!text.contains("before"), "{text}");
}

#[cfg(unix)]
#[test]
fn names_that_are_no_text_are_kept_apart() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().unwrap();
    let latin = |byte: u8| PathBuf::from(OsStr::from_bytes(&[b'/', b'c', byte, b'.', b'p']));
    let mut writer = StoreWriter::create_or_resume(dir.path(), &header()).unwrap();
    for byte in [0xe9, 0xe8] {
        writer.push(Record { path: latin(byte), ..record(1) }).unwrap();
    }
    writer.finish().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let paths: Vec<PathBuf> = store.rows().map(|row| row.path()).collect();
    assert_eq!(paths, [latin(0xe9), latin(0xe8)]);
    assert_eq!(store.row(0).unwrap().shown_path(), "/c\\xE9.p");
    let writer = StoreWriter::create_or_resume(dir.path(), &header()).unwrap();
    assert!(writer.known(&record(1).set, &latin(0xe8)).is_some());
    assert!(writer.known(&record(1).set, &latin(0xe7)).is_none());
}

#[test]
fn chunks_that_were_compressed_are_read() {
    use arrow::ipc::CompressionType;
    use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), std::slice::from_ref(&(0..6)));
    let expected: Vec<Record> = (0..6).map(record).collect();
    for kind in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        let path = dir.path().join(chunk_name(0));
        let file = fs::File::open(&path).unwrap();
        let mut reader = arrow::ipc::reader::FileReader::try_new(file, None).unwrap();
        let batch = reader.next().unwrap().unwrap();
        let options = IpcWriteOptions::default().try_with_compression(Some(kind)).unwrap();
        let file = fs::File::create(&path).unwrap();
        let mut writer = FileWriter::try_new_with_options(file, &batch.schema(), options).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        let read = || -> Result<Vec<Record>, StoreError> {
            Store::open(dir.path())?.rows().map(|row| row.to_record()).collect()
        };
        assert_eq!(read().unwrap(), expected);
        // A length that asks for the whole memory is no reason to ask for it.
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x7f;
            fs::write(&path, bytes).unwrap();
            if let Ok(records) = read() {
                assert_eq!(records, expected, "at {at}");
            }
        }
        fs::write(&path, whole).unwrap();
    }
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

#[test]
fn damaged_stores_are_refused_or_read_as_they_were_written() {
    fuzz(100, one_damaged(whole_store()), |(name, bytes)| {
        let dir = tempfile::tempdir()?;
        for (name, whole) in whole_store() {
            fs::write(dir.path().join(name), whole)?;
        }
        fs::write(dir.path().join(&name), bytes)?;
        let read = || -> Result<Vec<Record>, StoreError> {
            Store::open(dir.path())?.rows().map(|row| row.to_record()).collect()
        };
        match read() {
            // A shorter list of chunks is told by the chunks that it does not name.
            Ok(records) => prop_assert_eq!(records, (0..10).map(record).collect::<Vec<_>>()),
            Err(error) => one_sentence(&error, "")?,
        }
        Ok(())
    });
}

/// The files of a store of ten rows.
fn whole_store() -> Vec<(String, Vec<u8>)> {
    static FILES: std::sync::OnceLock<Vec<(String, Vec<u8>)>> = std::sync::OnceLock::new();
    let make = || {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), std::slice::from_ref(&(0..10)));
        files(dir.path()).into_iter().filter(|(name, _)| name != crate::fs::FOLDER_LOCK).collect()
    };
    FILES.get_or_init(make).clone()
}
