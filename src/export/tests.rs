use std::fs;

use arrow::array::{Array as _, AsArray as _};

use super::plots::{self, NamedScores};
use super::*;
use crate::figures::chart::Mark;
use crate::pipeline::NamedCosine;
use crate::score::verdict::{Outcome, Rejection};

fn row(path: &str, tags: usize) -> ImageRow {
    let tag = |at: usize| TagRow {
        name: format!("tag, \"{at}\""),
        probability: 0.9 - at as f32 / 10.0,
        threshold: 0.5,
        in_vocabulary: at == 0,
    };
    ImageRow {
        path: path.into(),
        set: "near".into(),
        class: (tags > 0).then(|| "cat".into()),
        verdict: Some(Outcome::Ood),
        reason: Some("no tag counts".into()),
        score: (tags > 0).then_some(-0.25),
        rejected: (tags == 0).then_some(Rejection::NoKnownTag),
        ranked: Some(if tags > 0 { -0.25 } else { f32::NEG_INFINITY }),
        lambda: None,
        tau: 0.5,
        detector: "tagood-cosine".into(),
        recipe: "paper".into(),
        nearest: None,
        similarity: None,
        kept_tokens: Some(12),
        total_tokens: Some(145),
        tags: (0..tags).map(tag).collect(),
        labels: None,
        error: None,
    }
}

#[test]
fn tables_say_the_same_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [row("a, b.png", 2), row("naïve \"c\".png", 0)];
    let at = |name: &str| folder.path().join(name);
    for ending in TableForm::ENDINGS {
        write_table(&at(&format!("table.{ending}")), &rows).unwrap();
    }
    let mut csv = csv::Reader::from_path(at("table.csv")).unwrap();
    let headers = csv.headers().unwrap().clone();
    let read: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    let cell = |row: usize, name: &str| {
        read[row][headers.iter().position(|header| header == name).unwrap()].to_owned()
    };
    assert_eq!(cell(0, "path"), "a, b.png");
    assert_eq!(cell(0, "tags"), "tag, \"0\"=0.9;tag, \"1\"=0.79999995");
    let scores = |row: usize| ["score", "rejected", "ranked"].map(|name| cell(row, name));
    assert_eq!(scores(0), ["-0.25", "", "-0.25"]);
    assert_eq!(scores(1), ["", "no-known-tag", "-inf"]);
    assert_eq!([cell(1, "lambda"), cell(1, "verdict")], ["", "ood"]);
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(at("table.json")).unwrap()).unwrap();
    assert_eq!(json[1]["path"], "naïve \"c\".png");
    assert_eq!(json[0]["tags"][1]["threshold"], 0.5);
    assert!(json[0]["lambda"].is_null() && json[0]["rejected"].is_null());
    assert!(json[1]["score"].is_null() && json[1]["ranked"].is_null());
    assert_eq!(json[1]["rejected"], "no-known-tag");
    let file = fs::File::open(at("table.parquet")).unwrap();
    let reader = ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file);
    let batches: Vec<_> = reader.unwrap().build().unwrap().map(Result::unwrap).collect();
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 2);
    let column = |name: &str| batches[0].column_by_name(name).unwrap();
    assert!(column("score").is_null(1) && column("rejected").is_null(0));
    let ranked = column("ranked").as_primitive::<arrow::datatypes::Float32Type>();
    assert_eq!(ranked.values()[..], [-0.25, f32::NEG_INFINITY]);
    let tags = column("tags");
    let tags = tags.as_any().downcast_ref::<arrow::array::ListArray>().unwrap();
    assert_eq!([tags.value_length(0), tags.value_length(1)], [2, 0]);
    // Nothing but the tables is left behind.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn a_clip_s_names_are_labels_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let label = |name: &str, similarity: f32, denied: Option<f32>| NamedCosine {
        name: name.into(),
        similarity,
        probability: 0.5,
        denied,
    };
    let with = |denied| vec![label("cat", 0.25, denied), label("sea lion", 0.125, denied)];
    let rows = [
        ImageRow { labels: Some(with(Some(0.75))), ..row("a.png", 1) },
        ImageRow { labels: Some(with(None)), ..row("b.png", 1) },
        row("tagged.png", 1),
    ];
    let at = |name: &str| folder.path().join(name);
    for ending in TableForm::ENDINGS {
        write_table(&at(&format!("table.{ending}")), &rows).unwrap();
    }
    let csv = fs::read_to_string(at("table.csv")).unwrap();
    assert_eq!(csv.matches("cat=0.5;sea lion=0.5").count(), 2, "{csv}");
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(at("table.json")).unwrap()).unwrap();
    assert_eq!(json[0]["labels"][0]["similarity"], 0.25);
    assert_eq!(json[0]["labels"][1]["denied"], 0.75);
    assert!(json[1]["labels"][0].get("denied").is_none() && json[2]["labels"].is_null());
    let file = fs::File::open(at("table.parquet")).unwrap();
    let reader = ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file);
    let batches: Vec<_> = reader.unwrap().build().unwrap().map(Result::unwrap).collect();
    let labels = batches[0].column_by_name("labels").unwrap();
    let labels = labels.as_any().downcast_ref::<arrow::array::ListArray>().unwrap();
    assert!(labels.is_null(2) && labels.value_length(0) == 2 && labels.value_length(1) == 2);
    let (first, second) = (labels.value(0), labels.value(1));
    let denied =
        |of: &arrow::array::ArrayRef| of.as_struct().column_by_name("denied").unwrap().null_count();
    assert_eq!([denied(&first), denied(&second)], [0, 2]);
}

#[test]
fn what_cannot_be_written_is_said_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("missing/table.csv");
    let error = write_table(&nowhere, &[]).unwrap_err().to_string();
    assert!(error.starts_with("cannot write the export: "), "{error}");
    assert!(error.ends_with("missing/table.csv"), "{error}");
    let error = write_table(Path::new("table.xls"), &[]).unwrap_err().to_string();
    assert_eq!(error, "the name must end in .csv, .json or .parquet: table.xls");
    // A writer that fails leaves what was there.
    let file = folder.path().join("kept.svg");
    fs::write(&file, "before").unwrap();
    write_whole(&file, |_| Err(io::Error::other("full"))).unwrap_err();
    assert_eq!(fs::read_to_string(&file).unwrap(), "before");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

fn sets() -> [NamedScores; 3] {
    let scores = |from: f64, to: f64| {
        (0..50).map(move |at| from + (to - from) * f64::from(at) / 49.0).collect()
    };
    let set = |name: &str, is_id, values| NamedScores { name: name.into(), is_id, values };
    [
        set("id & known", true, scores(0.4, 1.0)),
        set("near", false, scores(0.1, 0.6)),
        set("far <1>", false, [scores(0.0, 0.2), vec![f64::NEG_INFINITY]].concat()),
    ]
}

#[test]
fn curves_are_drawn_with_their_numbers() {
    let figure = plots::roc(&sets(), "tagood-cosine", Some(0.5)).unwrap();
    assert_eq!(figure.legend[1].label, "far <1>: AUROC 1.000, FPR95 0.000");
    let points = |mark: &&Mark| matches!(mark, Mark::Point(..));
    assert_eq!(figure.charts[0].marks.iter().filter(points).count(), 2, "λ on each curve");
    assert!(plots::roc(&sets()[1..], "msp", None).is_none());
}

#[test]
fn histograms_count_what_has_no_score() {
    let figure = plots::histogram(&sets(), "msp", Some(0.5)).unwrap();
    let labels: Vec<&str> = figure.legend.iter().map(|key| key.label.as_str()).collect();
    assert_eq!(labels[0], "id & known (ID, 50 images)");
    assert_eq!(labels[2], "far <1> (OOD, 51 images, 1 without score)");
    assert!(plots::histogram(&[], "msp", None).is_none());
}
