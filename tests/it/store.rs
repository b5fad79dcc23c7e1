//! The feature store and `extract`: against the pipeline, through kills, and read by pyarrow.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use half::f16;
use rayon::iter::ParallelIterator;
use tagood_lens::bundle::Bundle;
use tagood_lens::bundle::manifest::Recipe;
use tagood_lens::bundle::vocabulary::Class;
use tagood_lens::dataset::Dataset;
use tagood_lens::gpu::{self, DeviceChoice};
use tagood_lens::image::{DecodeOptions, decode_file};
use tagood_lens::pipeline::{Keep, Pipeline, Settings, TaggerOutput};
use tagood_lens::store::{
    self, ExtractOptions, Progress, Record, Store, StoreHeader, Tensors, add_missing_attention,
    hash_file,
};

fn tiny(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny").join(name)
}

/// The tiny tagger with a class for each of its first tags.
fn bundle() -> Bundle {
    let mut bundle = Bundle::open(&tiny("tiny_ram.pth")).unwrap();
    bundle.attach_projector(&tiny("tiny_projector.pth")).unwrap();
    let class = |tag| Class { name: format!("class {tag}"), tags: vec![tag, tag + 20] };
    bundle.vocabulary.set_classes((0..10).map(class).collect());
    bundle
}

fn pipeline(bundle: &Bundle) -> Pipeline {
    Pipeline::load(bundle, &gpu::compute(DeviceChoice::Cpu).unwrap()).unwrap()
}

/// 200 demo scenes in class folders, made once.
fn scenes() -> &'static Path {
    static SCENES: OnceLock<PathBuf> = OnceLock::new();
    SCENES.get_or_init(|| {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("store-scenes");
        if !kept.exists() {
            let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            let mut command = lens(&["demo", "scenes", "--set", "id", "--count", "200", "--out"]);
            let output = command.arg(folder.path()).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            fs::rename(folder.path(), &kept).unwrap();
        }
        kept.join("id")
    })
}

fn lens(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagood-lens"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// `extract` with the tiny tagger.
fn extract(images: &Path, store: &Path, more: &[&str]) -> Command {
    let model = tiny("tiny_ram.pth");
    let mut command = lens(&["extract", "--device", "cpu", "--chunk", "16", "--model"]);
    command.arg(model).arg("--images").arg(images).arg("--store").arg(store).args(more);
    command
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn records(store: &Path) -> Vec<Record> {
    Store::open(store).unwrap().rows().map(|row| row.to_record().unwrap()).collect()
}

/// Rounds tokens as the store does.
fn rounded(tagged: &TaggerOutput) -> TaggerOutput {
    let mut tagged = tagged.clone();
    tagged.tokens.iter_mut().for_each(|value| *value = f16::from_f32(*value).to_f32());
    tagged
}

#[test]
fn rows_lead_to_the_same_masks_and_looks_as_the_pipeline() {
    let (bundle, out) = (bundle(), tempfile::tempdir().unwrap());
    let pipeline = pipeline(&bundle);
    let header = StoreHeader::of_bundle(&bundle).unwrap();
    let mut dataset = Dataset::from_class_folders(scenes()).unwrap();
    dataset.items.truncate(24);
    let options = ExtractOptions { batch: 3, ..Default::default() };
    let mut seen = Vec::new();
    let mut watch = |progress: Progress| seen.push(progress.done);
    let cancel = AtomicBool::new(false);
    let summary =
        store::extract(&pipeline, &header, &dataset, out.path(), &options, &mut watch, &cancel)
            .unwrap();
    assert_eq!((summary.added, summary.failed, summary.cancelled), (24, 0, false));
    assert_eq!(seen, (0..=24).step_by(3).collect::<Vec<_>>());

    let store = Store::open(out.path()).unwrap();
    store.check_bundle(&bundle).unwrap();
    let rows = store.rows_of(&dataset, &dataset.name);
    let mut decided = 0;
    for (batch, rows) in dataset.items.chunks(3).zip(rows.chunks(3)) {
        let decoded =
            batch.iter().map(|i| decode_file(&i.path, &DecodeOptions::default()).unwrap());
        let inputs: Vec<Vec<f32>> = decoded.map(|d| pipeline.prepare(&d.rgb)).collect();
        let tagged = pipeline.tag(&inputs, Keep::All).unwrap();
        for ((item, row), tagged) in batch.iter().zip(rows).zip(&tagged) {
            let row = store.row(row.unwrap()).unwrap();
            assert_eq!(row.hash(), hash_file(&item.path));
            assert_eq!(row.class(), Some(dataset.classes[item.class.unwrap()].as_str()));
            let stored = row.tagged().unwrap().unwrap();
            assert_eq!(stored.logits, tagged.logits);
            let rounded = rounded(tagged);
            assert_eq!(stored.tokens, rounded.tokens);
            for recipe in Recipe::ALL {
                for tau in [0.0, 0.25, 0.5, 0.75] {
                    let exact = pipeline.decompose(tagged, tau, recipe);
                    assert_eq!(pipeline.decompose(&stored, tau, recipe), exact, "{tau} {recipe}");
                    let settings = Settings::new(tau, recipe);
                    let [ours, theirs] = [&stored, &rounded]
                        .map(|tagged| pipeline.analyse(tagged, &settings).unwrap());
                    assert_eq!(ours.projected, theirs.projected);
                    assert_eq!(ours.verdict, theirs.verdict);
                    decided += usize::from(!exact.tags.is_empty() && exact.kept() > 0);
                }
            }
        }
    }
    assert!(decided > 50, "only {decided} analyses had something to analysis at");
}

#[test]
fn other_classes_need_no_other_store() {
    let (mut bundle, out) = (bundle(), tempfile::tempdir().unwrap());
    let header = StoreHeader::of_bundle(&bundle).unwrap();
    let mut dataset = Dataset::from_folder(scenes()).unwrap();
    dataset.items.truncate(8);
    let (options, cancel) = (ExtractOptions::default(), AtomicBool::new(false));
    let first = pipeline(&bundle);
    store::extract(&first, &header, &dataset, out.path(), &options, &mut |_| (), &cancel).unwrap();
    let classes = (10..40).map(|tag| Class { name: tag.to_string(), tags: vec![tag] });
    bundle.vocabulary.set_classes(classes.collect());
    let store = Store::open(out.path()).unwrap();
    store.check_bundle(&bundle).unwrap();
    let second = pipeline(&bundle);
    for row in store.rows() {
        let mut tagged = row.tagged().unwrap().unwrap();
        add_missing_attention(&second, &mut tagged, Recipe::Released).unwrap();
        let whole = second.attention_of(&tagged, &(0..40).collect::<Vec<_>>()).unwrap();
        let fresh = TaggerOutput { attention: whole, ..tagged.clone() };
        let [ours, theirs] = [&tagged, &fresh].map(|t| second.decompose(t, 0.5, Recipe::Released));
        assert_eq!(ours.tags, theirs.tags);
        let close = |(a, b): (&f32, &f32)| (a - b).abs() < 0.01;
        assert!(ours.map.iter().zip(&theirs.map).all(close));
    }
    // Other thresholds, though, keep other tags.
    bundle.vocabulary.thresholds[3] = 0.9;
    let error = store.check_bundle(&bundle).unwrap_err().to_string();
    assert!(error.contains("tag thresholds differ"), "{error}");
}

#[test]
fn a_killed_run_goes_on_and_ends_in_the_same_store() {
    let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let output = extract(scenes(), whole.path(), &[]).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    // Killed several times, each time when there is more on the disk than before.
    for chunks in [1, 3, 6] {
        let mut child =
            extract(scenes(), killed.path(), &[]).stdout(Stdio::null()).spawn().unwrap();
        let awaited = killed.path().join(format!("chunk-{:06}.arrow", chunks - 1));
        let deadline = Instant::now() + Duration::from_secs(60);
        while !awaited.exists() {
            assert!(Instant::now() < deadline, "no chunk after a minute");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let rows = Store::open(killed.path()).unwrap().len();
        assert!(rows >= chunks * 16 && rows < 200, "killed at {rows} rows");
        assert_eq!(rows % 16, 0, "a chunk is whole or not there");
    }
    let output = extract(scenes(), killed.path(), &[]).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(records(killed.path()), records(whole.path()));
    assert_eq!(Store::open(whole.path()).unwrap().len(), 200);
    // Byte by byte, too.
    for entry in fs::read_dir(whole.path()).unwrap() {
        let name = entry.unwrap().file_name();
        let [a, b] = [&whole, &killed].map(|dir| fs::read(dir.path().join(&name)).unwrap());
        assert!(a == b, "{name:?} differs");
    }
    // With nothing left to do, nothing is done.
    let output = extract(scenes(), killed.path(), &[]).output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    assert!(line.starts_with("id: 200 images, 0 added, 200 there before, 0 failed"), "{line}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_cleanly_and_the_next_run_goes_on() {
    let (whole, stopped) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(extract(scenes(), whole.path(), &[]).status().unwrap().success());
    let child = extract(scenes(), stopped.path(), &[])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !stopped.path().join("chunk-000001.arrow").exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let interrupt = ["-INT".to_owned(), child.id().to_string()];
    assert!(Command::new("kill").args(interrupt).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("the same command goes on from here"), "{}", errors(&output));
    assert!(Store::open(stopped.path()).unwrap().len() < 200);
    assert!(extract(scenes(), stopped.path(), &[]).status().unwrap().success());
    assert_eq!(records(stopped.path()), records(whole.path()));
}

#[test]
fn images_that_fail_are_rows_and_sets_share_a_store() {
    let (images, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = Dataset::from_folder(scenes()).unwrap();
    for (number, item) in source.items.iter().take(3).enumerate() {
        fs::copy(&item.path, images.path().join(format!("{number}.png"))).unwrap();
    }
    fs::write(images.path().join("1b.png"), "no picture").unwrap();
    let output = extract(images.path(), out.path(), &["--set", "a"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
    let rows = records(out.path());
    assert_eq!(rows.len(), 4);
    let error = rows[2].outcome.as_ref().unwrap_err();
    assert!(error.contains("not JPEG") && error.ends_with("1b.png"), "{error}");
    assert_eq!((rows[2].width, rows[2].hash.is_some()), (0, true));
    assert!(rows[3].outcome.is_ok() && rows.iter().all(|row| row.class.is_none()));

    // A second set lands behind the first; asked for again, its failed image still counts.
    assert_eq!(
        extract(images.path(), out.path(), &["--set", "b"]).status().unwrap().code(),
        Some(3)
    );
    assert_eq!(
        extract(images.path(), out.path(), &["--set", "b"]).status().unwrap().code(),
        Some(3)
    );
    let sets: Vec<String> = records(out.path()).into_iter().map(|row| row.set).collect();
    assert_eq!(sets, ["a", "a", "a", "a", "b", "b", "b", "b"]);

    // An image that changed is extracted anew, and one that was repaired too.
    let before = records(out.path());
    fs::copy(&source.items[9].path, images.path().join("0.png")).unwrap();
    let output = extract(images.path(), out.path(), &["--set", "b"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(errors(&output).contains("1 images of `b` changed"), "{}", errors(&output));
    fs::copy(&source.items[0].path, images.path().join("1b.png")).unwrap();
    let output = extract(images.path(), out.path(), &["--set", "b"]).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let line = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(line.contains("0 added, 3 there before, 1 extracted anew, 0 failed"), "{line}");
    let after = records(out.path());
    assert_eq!(after[..4], before[..4], "the other set is as it was");
    assert_ne!(after[4].outcome, before[4].outcome);
    // The picture that the first file was.
    assert_eq!(after[6].outcome.as_ref().unwrap().logits.len(), 40);
    assert_eq!(after[6].hash, before[4].hash);
    assert_eq!(after.len(), 8);
    let output = extract(images.path(), out.path(), &["--set", "b"]).output().unwrap();
    assert!(errors(&output).is_empty(), "{}", errors(&output));
}

#[cfg(unix)]
#[test]
fn images_whose_names_are_no_text_have_rows_of_their_own() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let (images, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = Dataset::from_folder(scenes()).unwrap();
    for (item, byte) in source.items.iter().zip([0xe8, 0xe9]) {
        let name = [b"caf", &[byte][..], b".png"].concat();
        fs::copy(&item.path, images.path().join(OsStr::from_bytes(&name))).unwrap();
    }
    let run = || extract(images.path(), out.path(), &[]).output().unwrap();
    let (first, again) = (run(), run());
    assert!(String::from_utf8_lossy(&first.stdout).contains("2 added"), "{first:?}");
    assert!(again.stderr.is_empty(), "{}", errors(&again));
    let rows = records(out.path());
    assert_ne!(rows[0].hash, rows[1].hash);
}

#[test]
fn bad_stores_are_one_clear_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let images = tempfile::tempdir().unwrap();
    let source = Dataset::from_folder(scenes()).unwrap();
    fs::copy(&source.items[0].path, images.path().join("a.png")).unwrap();
    let refused = |store: &Path, more: &[&str], words: &str| {
        let output = extract(images.path(), store, more).output().unwrap();
        let text = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(words) && text.trim().lines().count() == 1, "{text}");
        assert!(text.matches("os error").count() <= 1, "said twice: {text}");
    };
    let foreign = folder.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("letter.txt"), "Dear").unwrap();
    refused(&foreign, &[], "no feature store");
    refused(Path::new("/proc/store"), &[], "cannot make the store's folder");

    let store = folder.path().join("store");
    assert!(extract(images.path(), &store, &[]).status().unwrap().success());
    refused(&store, &["--transform", "ram"], "another way (`tagood`, not `ram`)");
    let thresholds = folder.path().join("thresholds.txt");
    fs::write(&thresholds, "0.25\n".repeat(40)).unwrap();
    refused(&store, &["--thresholds", thresholds.to_str().unwrap()], "tag thresholds differ");
    let plus = tiny("tiny_ram_plus.pth");
    let output =
        lens(&["extract", "--device", "cpu", "--model", plus.to_str().unwrap(), "--images"])
            .arg(images.path())
            .arg("--store")
            .arg(&store)
            .output()
            .unwrap();
    assert!(errors(&output).contains("the store was made with the model `tiny_ram`"));
    // The same weights in another file are the same tagger.
    let converted = folder.path().join("bundle");
    let checkpoint = tiny("tiny_ram.pth");
    let arguments = ["convert", checkpoint.to_str().unwrap(), "--out", converted.to_str().unwrap()];
    assert!(lens(&arguments).stdout(Stdio::null()).status().unwrap().success());
    let header = |path: &Path| StoreHeader::of_bundle(&Bundle::open(path).unwrap()).unwrap();
    assert_eq!(header(&converted).tagger, header(&checkpoint).tagger);

    let chunk = store.join("chunk-000000.arrow");
    let bytes = fs::read(&chunk).unwrap();
    fs::write(&chunk, &bytes[..bytes.len() / 2]).unwrap();
    refused(&store, &[], "damaged");
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_no_half_chunk() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    // No file over 4 blocks of 512 bytes: enough for the header, too little for a chunk.
    let script = "trap '' XFSZ; ulimit -f 4; exec \"$0\" \"$@\"";
    let run = extract(scenes(), &store, &[]);
    let output = Command::new("sh")
        .arg("-c")
        .arg(script)
        .arg(run.get_program())
        .args(run.get_args())
        .output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(errors(&output).contains("cannot write the store"), "{}", errors(&output));
    let names: Vec<String> = fs::read_dir(&store)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(names.iter().all(|name| ["store.toml", ".lock"].contains(&name.as_str())), "{names:?}");
    assert!(Store::open(&store).unwrap().is_empty());
    assert!(extract(scenes(), &store, &[]).status().unwrap().success());
    assert_eq!(Store::open(&store).unwrap().len(), 200);
}

#[test]
fn cancelling_keeps_what_was_done() {
    let (bundle, out) = (bundle(), tempfile::tempdir().unwrap());
    let (pipeline, header) = (pipeline(&bundle), StoreHeader::of_bundle(&bundle).unwrap());
    let mut dataset = Dataset::from_folder(scenes()).unwrap();
    dataset.items.truncate(40);
    let (options, cancel) = (ExtractOptions::default(), AtomicBool::new(false));
    let mut stop = |progress: Progress| cancel.store(progress.done >= 12, Ordering::Relaxed);
    let run = |stop: &mut dyn FnMut(Progress)| {
        store::extract(&pipeline, &header, &dataset, out.path(), &options, stop, &cancel).unwrap()
    };
    let summary = run(&mut stop);
    assert!(summary.cancelled && summary.added == 12, "{summary:?}");
    assert_eq!(Store::open(out.path()).unwrap().len(), 12);
    cancel.store(false, Ordering::Relaxed);
    let summary = run(&mut |_| ());
    assert_eq!((summary.resumed, summary.added, summary.cancelled), (12, 28, false));
    assert_eq!(Store::open(out.path()).unwrap().len(), 40);
}

/// Reads a store as anyone with pyarrow would, and prints sums of its columns.
const PYARROW: &str = r#"
import sys, glob, json, pyarrow as pa, pyarrow.ipc as ipc, numpy as np
files = sorted(glob.glob(sys.argv[1] + "/chunk-*.arrow"))
table = pa.concat_tables([ipc.open_file(pa.memory_map(f)).read_all() for f in files])
shape = json.loads(table.schema.metadata[b"tokens_shape"])
rows = table.to_pydict()
tokens = np.array(rows["tokens"][0], dtype=np.float16).reshape(shape)
print(json.dumps({
    "rows": table.num_rows, "shape": list(tokens.shape), "path": rows["path"][0],
    "hash": str(rows["hash"][0]), "errors": sum(e is not None for e in rows["error"]),
    "nulls": table["tokens"].null_count, "last": float(tokens[-1, -1]),
    "logit": rows["logits"][0][5], "tags": rows["tags"][0], "attention": len(rows["attention"][0]),
}))
"#;

#[test]
#[ignore = "needs TAGOOD_PYTHON"]
fn pyarrow_reads_a_store_as_it_is() {
    let python = super::named_by("TAGOOD_PYTHON", "a Python with pyarrow and numpy");
    let (images, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let source = Dataset::from_folder(scenes()).unwrap();
    for number in 0..20 {
        let copy = images.path().join(format!("{number:02}.png"));
        fs::copy(&source.items[number].path, copy).unwrap();
    }
    fs::write(images.path().join("99.png"), "no picture").unwrap();
    assert_eq!(extract(images.path(), out.path(), &[]).status().unwrap().code(), Some(3));
    let output = Command::new(&python).args(["-c", PYARROW]).arg(out.path()).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let store = Store::open(out.path()).unwrap();
    let header = store.header();
    let row = store.row(0).unwrap();
    let tensors: Tensors = row.to_record().unwrap().outcome.unwrap();
    assert_eq!(
        (&read["rows"], &read["errors"], &read["nulls"]),
        (&21.into(), &1.into(), &1.into())
    );
    assert_eq!(read["shape"], serde_json::json!([header.positions, header.width]));
    assert_eq!(read["path"], row.shown_path());
    assert_eq!(read["hash"], row.hash().unwrap().to_string());
    assert_eq!(read["last"].as_f64().unwrap(), tensors.tokens.last().unwrap().to_f64());
    assert_eq!(read["logit"].as_f64().unwrap() as f32, tensors.logits[5]);
    assert_eq!(read["tags"], serde_json::json!(tensors.tags));
    assert_eq!(read["attention"], tensors.attention.len());

    // Compressed by pyarrow, as Feather files are, it is the same store.
    let before = records(out.path());
    for compression in ["lz4", "zstd"] {
        let arguments = ["-c", COMPRESS, out.path().to_str().unwrap(), compression];
        let output = Command::new(&python).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
        assert_eq!(records(out.path()), before, "{compression}");
    }
}

/// Writes a store's chunks again, compressed.
const COMPRESS: &str = r#"
import sys, glob, pyarrow.ipc as ipc
for file in glob.glob(sys.argv[1] + "/chunk-*.arrow"):
    table = ipc.open_file(file).read_all()
    options = ipc.IpcWriteOptions(compression=sys.argv[2])
    with ipc.new_file(file, table.schema, options=options) as writer:
        writer.write_table(table)
"#;

/// Rates at full size: `cargo test --test it store::full_size -- --ignored --nocapture`.
#[test]
#[ignore = "writes 370 MB to measure rates"]
fn full_size_rows_are_small_and_quick() {
    const ROWS: usize = 2000;
    let dir = tempfile::tempdir().unwrap();
    let header = StoreHeader {
        positions: 145,
        width: 512,
        tags: 4585,
        layers: 2,
        rows_per_chunk: store::ROWS_PER_CHUNK,
        ..StoreHeader::of_bundle(&bundle()).unwrap()
    };
    let tensors = Tensors {
        logits: (0..4585).map(|n| n as f32 * 1e-3 - 4.0).collect(),
        tokens: (0..145 * 512).map(|n| f16::from_f32((n as f32).sin())).collect(),
        tags: (100..116).collect(),
        attention: (0..16 * 2 * 145).map(|n| n as f32 / 4640.0).collect(),
    };
    let started = Instant::now();
    let mut writer = store::StoreWriter::create_or_resume(dir.path(), &header).unwrap();
    for number in 0..ROWS {
        let record = Record {
            path: format!("/photos/{number:06}.jpg").into(),
            hash: Some(number as u64),
            stamp: None,
            set: "photos".into(),
            class: Some("class".into()),
            width: 640,
            height: 480,
            outcome: Ok(tensors.clone()),
        };
        writer.push(record).unwrap();
    }
    writer.finish().unwrap();
    let wrote = started.elapsed().as_secs_f64();
    let chunks: Vec<PathBuf> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let bytes: u64 = chunks.iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    // The first scan reads from the disk: `dd` makes the system forget the files.
    for path in &chunks {
        let forget = format!("if={}", path.display());
        let dd = Command::new("dd").args([&forget, "iflag=nocache", "count=0"]).output();
        assert!(dd.unwrap().status.success());
    }
    let scan = || {
        let started = Instant::now();
        let store = Store::open(dir.path()).unwrap();
        let opened = started.elapsed().as_secs_f64();
        let sum: f64 = store
            .par_rows()
            .map(|row| {
                let tensors = row.tensors().unwrap().unwrap();
                let ends = tensors.tokens.iter().step_by(64).map(|t| t.to_bits() as f64);
                ends.sum::<f64>()
                    + tensors.logits.iter().step_by(512).map(|v| *v as f64).sum::<f64>()
            })
            .sum();
        assert!(sum.is_finite());
        (opened, started.elapsed().as_secs_f64())
    };
    let (cold, warm) = (scan(), scan());
    let started = Instant::now();
    let store = Store::open(dir.path()).unwrap();
    let tokens: usize =
        store.par_rows().map(|row| row.tagged().unwrap().unwrap().tokens.len()).sum();
    assert_eq!(tokens, ROWS * 145 * 512);
    let converted = started.elapsed().as_secs_f64();
    let mb = bytes as f64 / 1e6;
    println!("{mb:.0} MB; 10,000 images: {:.2} GB", mb * 10_000.0 / ROWS as f64 / 1e3);
    println!("written and flushed at {:.0} MB/s", mb / wrote);
    println!("opened in {:.1} ms", warm.0 * 1e3);
    println!(
        "scanned at {:.0} MB/s from the disk, {:.0} MB/s from memory",
        mb / cold.1,
        mb / warm.1
    );
    println!("to f32 for the pipeline at {:.0} rows/s", ROWS as f64 / converted);
    assert!(mb * 10_000.0 / (ROWS as f64) < 2000.0);
}
