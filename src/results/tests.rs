use std::fs::File;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeListArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::Float32Type;
use proptest::prelude::*;

use super::*;
use crate::damage::{fuzz, one_damaged, one_sentence};
use crate::eval::metrics::{Label, RankedScores};
use crate::score::distance::Centers;
use crate::score::{self, Head, Input, Rows, Sample, TrainingSet};

fn parsed(text: &str) -> Result<Table, String> {
    let columns = delimited::columns(text.as_bytes()).and_then(group::grouped)?;
    Table::new(Path::new("t.csv"), columns).map_err(|error| error.to_string())
}

fn results(text: &str, id: &[&str]) -> Result<Results, String> {
    let id = id.iter().map(|&name| name.to_owned()).collect();
    Results::of(parsed(text)?, &Choice { id, ..Choice::default() }).map_err(|e| e.to_string())
}

const PLAIN: &str = "path,set,label,msp\na.png,cats,1,0.9\nb.png,cats,1,0.7\nc.png,far,0,0.2\n";

#[test]
fn however_a_table_was_saved_it_reads_the_same() {
    let whole = parsed(PLAIN).unwrap();
    assert_eq!(whole.rows, 3);
    let semicolons = PLAIN.replace(',', ";").replace("0.", "0,");
    for text in [
        PLAIN.replace('\n', "\r\n"),
        format!("\u{feff}{PLAIN}\n"),
        PLAIN.replace(',', "\t"),
        semicolons,
        PLAIN.replace("a.png", "\"a.png\"").replace(',', " , "),
    ] {
        assert_eq!(parsed(&text).unwrap(), whole, "{text:?}");
    }
}

#[test]
fn what_is_no_table_is_refused_with_row_and_column() {
    let refused = |text: &str, says: &str| {
        let error = results(text, &[]).unwrap_err();
        assert!(error.contains(says), "{error}");
    };
    refused("", "has to name the columns");
    refused("a.png,1,0.9\n", "has to name the columns");
    refused("path,label,msp\n", "there is no row");
    refused("path,label,msp\na,1\n", "row 1 has 2 cells");
    refused("path,label,msp\na,b,1,0.5\n", "row 1 has 4 cells");
    refused("label,msp,MSP\n1,2,3\n", "two columns are named");
    refused("label,msp\n1,0.5\n0,nan\n", "row 2 of `msp` is no number");
    refused("label,msp\n1,0.5\n0,\n", "row 2 of `msp` is no number");
    refused("label,msp\n1,0.5\nperhaps,0.4\n", "row 2 of `label` says \"perhaps\"");
    refused("label,msp\n1,0.5\n1,0.4\n", "no row of it is OOD");
    refused("set,msp\na,0.5\nb,0.4\n", "name their sets with --id (there are: a, b)");
    refused("msp\n0.5\n0.4\n", "a column `label`");
    refused("label,logit_0,logit_2\n1,1,2\n0,1,2\n", "number 1 is missing");
    refused("label,logit_0,logit_1\n1,1,2\n0,1,inf\n", "value 1 of `logit` in row 2 is not finite");
    refused("label,logits\n1,1\n0,2\n", "has one value a row");
    refused("label,note\n1,x\n0,y\n", "no column of it is a score");
}

#[test]
fn columns_are_known_by_their_names() {
    let by_label = results(PLAIN, &[]).unwrap();
    assert_eq!(by_label.roles, [Label::Id, Label::Id, Label::Ood]);
    assert_eq!(by_label.sets, ["cats", "far"]);
    assert_eq!(by_label.scores, [("msp".to_owned(), vec![0.9, 0.7, 0.2])]);
    let without = PLAIN.replace("label", "id");
    assert_eq!(results(&without, &["cats"]).unwrap().roles, by_label.roles);
    assert!(results(&without, &["dogs"]).unwrap_err().contains("there are: cats, far"));
    let by_flag = "is_ood,msp,height\nfalse,inf,7\nTrue,-inf,8\n";
    let by_flag = results(by_flag, &[]).unwrap();
    assert_eq!(by_flag.roles, [Label::Id, Label::Ood]);
    assert_eq!(by_flag.scores.len(), 1);
    // As OpenOOD's files of scores have it: -1 is no ID class.
    let openood = results("pred,conf,label\n1,0.9,0\n0,0.8,1\n1,0.3,-1\n", &[]).unwrap();
    assert_eq!(openood.roles, [Label::Id, Label::Id, Label::Ood]);
    assert_eq!(openood.class_of, [Some(0), Some(1), None]);
    let named = results("class,set,msp\ndog,id,1\ncat,id,2\n,far,0\n", &[]).unwrap();
    assert_eq!((named.classes.len(), named.class_of), (2, vec![Some(1), Some(0), None]));
    let twice = results("path,label,s\na,1,1\na,1,1\nb,0,0\n", &[]).unwrap();
    assert!(twice.notes[0].contains("1 rows repeat a `path`"), "{:?}", twice.notes);
}

/// The same three rows in every format.
fn batch() -> RecordBatch {
    let features = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]].map(|row| Some(row.map(Some).to_vec()));
    RecordBatch::try_from_iter([
        ("path", Arc::new(StringArray::from(vec!["a.png", "b.png", "c.png"])) as ArrayRef),
        ("label", Arc::new(Int64Array::from(vec![1, 1, 0]))),
        ("msp", Arc::new(Float64Array::from(vec![0.9, 0.7, 0.2]))),
        (
            "features",
            Arc::new(FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(features, 2)),
        ),
    ])
    .unwrap()
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn npy_bytes(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// As `np.savez_compressed` writes it.
fn npz_bytes() -> Vec<u8> {
    let doubles =
        |values: &[f64]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
    let letters = |texts: [&str; 3]| -> Vec<u8> {
        texts.iter().flat_map(|t| t.chars()).flat_map(|c| (c as u32).to_le_bytes()).collect()
    };
    let arrays = [
        ("path.npy", npy_bytes("<U5", "(3,)", &letters(["a.png", "b.png", "c.png"]))),
        ("label.npy", npy_bytes("<f8", "(3,)", &doubles(&[1.0, 1.0, 0.0]))),
        ("msp.npy", npy_bytes("<f8", "(3,)", &doubles(&[0.9, 0.7, 0.2]))),
        ("features.npy", npy_bytes("<f8", "(3, 2)", &doubles(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))),
    ];
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        let packed = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated);
        archive.start_file(name, packed).unwrap();
        archive.write_all(&bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn every_format_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let batch = batch();
    let mut paths = Vec::new();
    let path = folder.path().join("t.parquet");
    let packed = parquet::file::properties::WriterProperties::builder()
        .set_compression(parquet::basic::Compression::SNAPPY)
        .build();
    let file = File::create(&path).unwrap();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(file, batch.schema(), Some(packed)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    paths.push(path);
    let path = folder.path().join("t.arrow");
    let file = File::create(&path).unwrap();
    let mut writer = arrow::ipc::writer::FileWriter::try_new(file, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    paths.push(path);
    let path = folder.path().join("stream.arrow");
    let file = File::create(&path).unwrap();
    let mut writer = arrow::ipc::writer::StreamWriter::try_new(file, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    paths.push(path);
    let lines = "{\"path\": \"a.png\", \"label\": 1, \"msp\": 0.9, \"features\": [1, 2]}\n\
                 {\"path\": \"b.png\", \"label\": 1, \"msp\": 0.7, \"features\": [3, 4]}\n\n\
                 {\"label\": 0, \"path\": \"c.png\", \"msp\": 0.2, \"features\": [5, 6]}\n";
    paths.push(write(folder.path(), "t.jsonl", lines.as_bytes()));
    let array = format!("[{}]", lines.replace("}\n\n", "},").replacen("}\n", "},", 1));
    paths.push(write(folder.path(), "t.json", array.as_bytes()));
    paths.push(write(folder.path(), "t.npz", &npz_bytes()));
    let text =
        "path,label,msp,feature_0,feature_1\na.png,1,.9,1,2\nb.png,1,.7,3,4\nc.png,0,.2,5,6\n";
    paths.push(write(folder.path(), "t.csv", text.as_bytes()));
    for path in paths {
        let table = read(&path).unwrap();
        let results = Results::of(table, &Choice::default()).unwrap();
        assert_eq!(results.paths.as_deref().unwrap(), ["a.png", "b.png", "c.png"], "{path:?}");
        assert_eq!(results.roles, [Label::Id, Label::Id, Label::Ood]);
        assert_eq!(results.scores, [("msp".to_owned(), vec![0.9, 0.7, 0.2])]);
        assert_eq!(results.features, Some((vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2)), "{path:?}");
    }
    let other = write(folder.path(), "t.xlsx", b"PK");
    assert!(read(&other).unwrap_err().to_string().contains("none of the formats"));
}

#[test]
fn tables_of_the_same_images_stand_side_by_side_and_others_below() {
    let table = |name: &str, text: &str| {
        let columns = delimited::columns(text.as_bytes()).unwrap();
        Table::new(Path::new(name), columns).unwrap()
    };
    let ours = table("ours.csv", PLAIN);
    let theirs = table("theirs.csv", "path,msp,energy\nc.png,0.1,-3\na.png,0.8,5\nb.png,0.6,4\n");
    let (both, notes) = join(vec![ours.clone(), theirs]).unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    let both = Results::of(both, &Choice::default()).unwrap();
    let scores: Vec<&str> = both.scores.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(scores, ["msp", "theirs: msp", "energy"]);
    assert_eq!(both.scores[1].1, [0.8, 0.6, 0.1]);
    let id = table("id.csv", "conf,pred\n0.9,1\n0.8,2\n");
    let far = table("far.csv", "conf,extra\n0.1,7\n");
    let (below, notes) = join(vec![id, far]).unwrap();
    assert_eq!((below.rows, notes.len()), (3, 1));
    let below = Results::of(below, &Choice::default()).unwrap();
    assert_eq!((below.sets.len(), &below.roles[2]), (2, &Label::Ood));
}

/// Rows around three points, and one far from them.
fn clustered() -> String {
    let mut text = String::from("set,class,logit_0,logit_1,logit_2,feature_0,feature_1\n");
    for row in 0..90 {
        let class = row % 3;
        let wobble = ((row * 7) % 11) as f32 / 40.0;
        let logit = |of: usize| if of == class { 5.0 - wobble } else { wobble };
        let (x, y) = [(1.0, 0.0), (-1.0, 1.0), (0.0, -2.0)][class];
        text += &format!(
            "id,{class},{},{},{},{},{}\n",
            logit(0),
            logit(1),
            logit(2),
            x + wobble,
            y - wobble
        );
    }
    for row in 0..30 {
        let wobble = (row % 7) as f32 / 20.0;
        text += &format!("far,-1,{wobble},{},0.2,{},8\n", 0.3 - wobble, 7.0 + wobble);
    }
    text
}

#[test]
fn detectors_are_never_measured_on_what_they_were_fitted_to() {
    let results = results(&clustered(), &[]).unwrap();
    let detectors = own_detectors(&results);
    let (scores, notes) =
        score(&results, &detectors, &[], 7, || ControlFlow::Continue(())).unwrap();
    assert_eq!(scores.len(), detectors.len(), "{notes:?}");
    let of = |id: &str| scores.iter().find(|scores| scores.id == id).unwrap();
    assert!(of("msp").fitted_to.is_empty());
    let knn = of("knn");
    assert_eq!(knn.fitted_to.len(), 45);
    let is_id = |row: usize| results.roles[row] == Label::Id;
    assert_eq!(knn.of_rows(is_id).len(), 45);
    for id in ["msp", "energy", "klm", "knn", "mds"] {
        let (id_scores, ood) = (of(id).of_rows(is_id), of(id).of_rows(|row| !is_id(row)));
        let auroc = RankedScores::from_sets(id_scores, ood).unwrap().metrics().auroc;
        assert!(auroc > 0.95, "{id} {auroc}");
    }
    let examples: Vec<usize> = (0..30).collect();
    let (chosen, _) =
        score(&results, &detectors, &examples, 7, || ControlFlow::Continue(())).unwrap();
    let knn = chosen.iter().find(|scores| scores.id == "knn").unwrap();
    assert_eq!(*knn.fitted_to, examples);
}

#[test]
fn scores_that_are_higher_for_unknown_images_are_turned_and_it_is_said() {
    let text = "label,distance\n1,0.1\n1,0.2\n0,5\n0,7\n";
    let results = results(text, &[]).unwrap();
    let (scores, notes) = score(&results, &[], &[], 7, || ControlFlow::Continue(())).unwrap();
    assert!(scores[0].flipped && notes[0].contains("`distance` is higher for OOD"));
    assert_eq!(scores[0].scores, [-0.1, -0.2, -5.0, -7.0]);
}

/// What [`crate::score::Detector::reads_head`] says is so: another classifier and other centers change
/// no score of the detectors that do not read them.
#[test]
fn detectors_that_say_so_read_neither_classifier_nor_centers() {
    let results = results(&clustered(), &[]).unwrap();
    let (features, width) = results.features.clone().unwrap();
    let (logits, classes) = results.logits.clone().unwrap();
    let labels: Vec<usize> = (0..90).map(|row| row % 3).collect();
    let head = |factor: f32| {
        let values = |n: usize| (0..n).map(|i| factor * (1.0 + i as f32)).collect::<Vec<f32>>();
        let centers = Centers::new(values(classes * width), [classes, 1, width]).unwrap();
        Arc::new(Head::new(values(classes * width), values(classes), centers).unwrap())
    };
    for &detector in score::all() {
        let there = [Input::ClassLogits, Input::Feature, Input::ObjectToken];
        if detector.reads_head() || !detector.info().needs.iter().all(|i| there.contains(i)) {
            continue;
        }
        let scores = |head: Arc<Head>| {
            let training = TrainingSet {
                features: Rows::new("features", &features[..90 * width], width).unwrap(),
                class_logits: Rows::new("logits", &logits[..90 * classes], classes).unwrap(),
                object_tokens: Rows::new("features", &features[..90 * width], width).unwrap(),
                ce_features: None,
                labels: &labels,
                head: &head,
            };
            let statistics = score::fit_all(&[detector], &training).unwrap();
            let fitted = score::bind(detector, &statistics, &head).unwrap();
            let sample = |row: usize| Sample {
                feature: &features[row * width..][..width],
                class_logits: &logits[row * classes..][..classes],
                object_token: &features[row * width..][..width],
                ..Sample::default()
            };
            fitted.score_batch(&(0..results.rows()).map(sample).collect::<Vec<_>>()).unwrap()
        };
        assert_eq!(scores(head(0.0)), scores(head(0.3)), "{}", detector.info().id);
    }
}

#[test]
fn damaged_tables_are_read_or_refused() {
    let lines = "{\"a\": [1, 2], \"b\": \"x\"}\n{\"a\": [3, 4], \"b\": null}\n";
    let tensor =
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![2, 3], &[7; 24]);
    let tensors = safetensors::serialize([("features", tensor.unwrap())], None).unwrap();
    let files = vec![
        ("csv".to_owned(), clustered().into_bytes()),
        ("jsonl".to_owned(), lines.as_bytes().to_vec()),
        ("npz".to_owned(), npz_bytes()),
        ("safetensors".to_owned(), tensors),
    ];
    fuzz(10_000, one_damaged(files), |(format, bytes)| {
        let columns = match format.as_str() {
            "csv" => delimited::columns(&bytes),
            "jsonl" => json_lines::columns(&bytes),
            "npz" => arrays::npz(&bytes),
            _ => arrays::safetensors(&bytes),
        };
        let table = columns
            .and_then(group::grouped)
            .map_err(|reason| ResultsError::table(Path::new("t"), reason))
            .and_then(|columns| Table::new(Path::new("t"), columns))
            .and_then(|table| Results::of(table, &Choice::default()));
        match table {
            Ok(results) => prop_assert!(results.rows() >= 2),
            Err(error) => one_sentence(&error, ": t")?,
        }
        Ok(())
    });
}

#[test]
fn a_matrix_may_have_no_rows_and_a_table_may_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("n0.npy");
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 8), }\n";
    let length = (header.len() as u16).to_le_bytes();
    std::fs::write(&path, [b"\x93NUMPY\x01\0", &length[..], header.as_bytes()].concat()).unwrap();
    assert_eq!(super::read_matrix(&path).unwrap(), (Vec::new(), 8));
    assert!(super::read(&path).unwrap_err().to_string().contains("there is no row in it"));
}
