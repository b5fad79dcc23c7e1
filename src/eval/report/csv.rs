//! Tables for programs: all numbers in long form, scores image by image, ROC vertices.

use csv::Writer;

use super::build::scores_of;
use super::{DetectorResult, Report, SetResult, Setting};
use crate::dataset::csv_text::safe_cell;
use crate::eval::metrics::{Convention, Intervals, Metric, Metrics, RankedScores};
use crate::eval::scores::{Features, ScoreTable, SetScores};

/// Vertices of each ROC curve in a file, at most. Numbers are taken from the whole curve.
pub(super) const ROC_POINTS: usize = 1000;

/// The column of a metric.
pub(super) fn metric_name(metric: Metric) -> &'static str {
    match metric {
        Metric::Auroc => "auroc",
        Metric::Fpr95 => "fpr95",
        Metric::Fpr95Interpolated => "fpr95_interpolated",
        Metric::Fpr95OodPositive => "fpr95_ood_positive",
        Metric::Fpr95OodPositiveInterpolated => "fpr95_ood_positive_interpolated",
        Metric::AveragePrecisionId => "average_precision_id",
        Metric::AveragePrecisionOod => "average_precision_ood",
        Metric::AuprIn => "aupr_in",
        Metric::AuprOut => "aupr_out",
    }
}

/// Every number: a row for each detector, setting and set, and for the mean over the sets.
pub(super) fn table(report: &Report) -> Result<Vec<u8>, csv::Error> {
    let mut header: Vec<&str> =
        vec!["detector", "name", "tokens", "tau", "tag_rule", "set", "id_images", "ood_images"];
    header.extend(Metric::ALL.map(metric_name));
    header.extend(["auroc_low", "auroc_high", "fpr95_low", "fpr95_high"]);
    header.extend(["lambda", "id_kept_at_lambda", "ood_caught_at_lambda", "missing"]);
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(&header)?;
    for detector in &report.detectors {
        for (setting, outcome) in report.settings.iter().zip(&detector.outcomes) {
            let mut row = |set: &str, ood: Option<usize>, cells: Vec<String>| {
                let mut record = vec![detector.id.clone(), detector.name.clone()];
                record.extend(setting_cells(*setting));
                let images = ood.map(|ood| ood.to_string()).unwrap_or_default();
                record.extend([safe_cell(set).into_owned(), report.id.images.to_string(), images]);
                record.extend(cells);
                writer.write_record(&record)
            };
            match outcome {
                DetectorResult::Missing(reason) => row("mean", None, missing_cells(reason))?,
                DetectorResult::Measured { sets, mean, mean_intervals } => {
                    for (set, facts) in sets.iter().zip(&report.ood) {
                        let cells = set_cells(set, detector.lambda);
                        row(&facts.name, Some(facts.images), cells)?;
                    }
                    let mut cells = metric_cells(mean);
                    cells.extend(interval_cells(mean_intervals.as_deref()));
                    cells.resize(Metric::ALL.len() + 8, String::new());
                    row("mean", None, cells)?;
                }
            }
        }
    }
    finish(writer)
}

fn setting_cells(setting: Setting) -> [String; 3] {
    let (tokens, tau) = match setting.features {
        Features::Objects { tau } => ("objects", tau.to_string()),
        Features::WholeImage => ("whole_image", String::new()),
    };
    [tokens.to_owned(), tau, setting.tag_rule.to_string()]
}

fn metric_cells(metrics: &Metrics) -> Vec<String> {
    Metric::ALL.iter().map(|&metric| metrics.get(metric).to_string()).collect()
}

/// The ends of the intervals of AUROC and FPR95.
fn interval_cells(intervals: Option<&Intervals>) -> [String; 4] {
    let Some(Intervals { auroc, fpr95, .. }) = intervals else { return Default::default() };
    [auroc.low, auroc.high, fpr95.low, fpr95.high].map(|bound| bound.to_string())
}

fn set_cells(set: &SetResult, lambda: Option<f32>) -> Vec<String> {
    let mut cells = metric_cells(&set.metrics);
    cells.extend(interval_cells(set.intervals.as_ref()));
    let lambda = set.at_lambda.and(lambda).map(|lambda| lambda.to_string());
    cells.push(lambda.unwrap_or_default());
    let rates = set.at_lambda.map(|at| [at.id_kept, at.ood_caught].map(|rate| rate.to_string()));
    cells.extend(rates.unwrap_or_default());
    cells.push(String::new());
    cells
}

fn missing_cells(reason: &str) -> Vec<String> {
    let mut cells = vec![String::new(); Metric::ALL.len() + 7];
    cells.push(reason.to_owned());
    cells
}

/// A set's scores at the main setting, a row for each image, a column for each detector that could
/// score: as metrics rank them, mostly `-inf` where the column `rejected` has a reason.
pub(super) fn scores(
    table: &ScoreTable,
    set: &SetScores,
    main: Setting,
) -> Result<Vec<u8>, csv::Error> {
    let columns: Vec<(usize, Vec<f32>)> = (0..table.detectors.len())
        .filter_map(|at| Some((at, scores_of(table, set, at, main).ok()?)))
        .collect();
    let mut writer = Writer::from_writer(Vec::new());
    let ids = columns.iter().map(|(at, _)| table.detectors[*at].id.as_str());
    let header: Vec<&str> =
        ["path", "class", "predicted", "rejected"].into_iter().chain(ids).collect();
    writer.write_record(&header)?;
    for (row, image) in set.images.iter().enumerate() {
        let predicted = image.predicted.and_then(|class| table.model.classes.get(class));
        let mut record = vec![
            safe_cell(&image.path).into_owned(),
            safe_cell(image.class.as_deref().unwrap_or_default()).into_owned(),
            safe_cell(predicted.map_or("", String::as_str)).into_owned(),
            image.rejected.map(|rejection| rejection.to_string()).unwrap_or_default(),
        ];
        // Scores are f32: printed as such, all their digits are there and no more.
        record.extend(columns.iter().map(|(_, scores)| scores[row].to_string()));
        writer.write_record(&record)?;
    }
    finish(writer)
}

/// The ROC vertices of every detector on a set at the main setting, ID positive, at most
/// [`ROC_POINTS`] a curve.
pub(super) fn roc(
    table: &ScoreTable,
    set: &SetScores,
    main: Setting,
) -> Result<Vec<u8>, csv::Error> {
    let mut writer = Writer::from_writer(Vec::new());
    writer.write_record(["detector", "fpr", "tpr", "lambda"])?;
    for (at, detector) in table.detectors.iter().enumerate() {
        let Some(ranked) = ranked(table, set, at, main) else { continue };
        for point in ranked.roc(Convention::IdPositive).thinned(ROC_POINTS) {
            let cells = [point.fpr, point.tpr, point.lambda].map(|value| value.to_string());
            let [fpr, tpr, lambda] = &cells;
            writer.write_record([&detector.id, fpr, tpr, lambda])?;
        }
    }
    finish(writer)
}

/// A detector's scores of the in-distribution set and another, ranked.
pub(super) fn ranked(
    table: &ScoreTable,
    set: &SetScores,
    detector: usize,
    setting: Setting,
) -> Option<RankedScores> {
    let id = scores_of(table, &table.id, detector, setting).ok()?;
    let ood = scores_of(table, set, detector, setting).ok()?;
    RankedScores::from_sets(id, ood).ok()
}

fn finish(writer: Writer<Vec<u8>>) -> Result<Vec<u8>, csv::Error> {
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}
