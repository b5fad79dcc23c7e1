//! Printing the metrics, for people and for programs.

use serde_json::{Map, Value, json};

use super::super::table::aligned;
use super::{BootstrapArgs, SetMetrics, TARGET_TPR};
use crate::eval::metrics::{Metric, Metrics};

/// One JSON object: the sets in the file's order, each metric a fraction of 1, and the mean.
pub(super) fn json(sets: &[SetMetrics], bootstrap: Option<BootstrapArgs>) -> Value {
    let mut report = Map::new();
    report.insert("sets".into(), sets.iter().map(set_json).collect());
    report.insert("mean".into(), json!(mean(sets)));
    if let Some(BootstrapArgs { resamples, seed }) = bootstrap {
        let method = json!({"resamples": resamples, "seed": seed, "interval": 0.95});
        report.insert("bootstrap".into(), method);
    }
    Value::Object(report)
}

pub(in crate::cli) fn set_json(set: &SetMetrics) -> Value {
    let mut report = Map::new();
    report.insert("set".into(), json!(set.name));
    report.insert("id".into(), json!(set.id_count));
    report.insert("ood".into(), json!(set.ood_count));
    if let Value::Object(metrics) = json!(set.metrics) {
        report.extend(metrics);
    }
    let confusion = set.at_95_tpr.confusion;
    let mut at_95_tpr = Map::new();
    at_95_tpr.insert("lambda".into(), finite_or_named(set.at_95_tpr.lambda));
    if let Value::Object(counts) = json!(confusion) {
        at_95_tpr.extend(counts);
    }
    at_95_tpr.insert("accuracy".into(), json!(confusion.accuracy()));
    at_95_tpr.insert("balanced_accuracy".into(), json!(confusion.balanced_accuracy()));
    report.insert("at_95_tpr".into(), Value::Object(at_95_tpr));
    if let Some(intervals) = &set.intervals {
        report.insert("intervals".into(), json!(intervals));
    }
    Value::Object(report)
}

/// JSON has no infinite numbers: they become the strings `inf` and `-inf`.
fn finite_or_named(number: f64) -> Value {
    if number.is_finite() { json!(number) } else { json!(number.to_string()) }
}

pub(in crate::cli) fn mean(sets: &[SetMetrics]) -> Option<Metrics> {
    Metrics::mean(&sets.iter().map(|set| set.metrics).collect::<Vec<_>>())
}

/// Tables in percent: metrics, intervals if there are any, and the threshold's counts.
pub(super) fn text(sets: &[SetMetrics], bootstrap: Option<BootstrapArgs>) -> String {
    let mut text = String::from("Metrics in %; ↑ more is better, ↓ less is better\n\n");
    text.push_str(&metrics_table(sets));
    if let Some(BootstrapArgs { resamples, seed }) = bootstrap {
        text.push_str(&format!(
            "\n95 % intervals ({resamples} bootstrap resamples, seed {seed})\n\n"
        ));
        text.push_str(&intervals_table(sets));
        if sets.iter().any(|set| set.intervals.is_none()) {
            text.push_str("\nnone: a single ID or OOD image has no interval\n");
        }
    }
    text.push_str(&format!("\nThe highest λ that keeps {:.0} % of ID\n\n", 100.0 * TARGET_TPR));
    text.push_str(&thresholds_table(sets));
    text.push_str(LEGEND);
    text
}

const LEGEND: &str = "
ID+, OOD+  ID or OOD is the positive class (the paper's convention, OpenOOD's)
FPR95      false positives at the first ROC vertex with a true positive rate of 95 % or more
FPR95~     the same, linear between ROC vertices at exactly 95 % (the released code's)
AP, AUPR   area under precision-recall: average precision, trapezoids
";

fn heading(metric: Metric) -> String {
    let name = match metric {
        Metric::Auroc => "AUROC",
        Metric::Fpr95 => "FPR95 ID+",
        Metric::Fpr95Interpolated => "FPR95~ ID+",
        Metric::AveragePrecisionId => "AP ID+",
        Metric::AuprIn => "AUPR ID+",
        Metric::Fpr95OodPositive => "FPR95 OOD+",
        Metric::Fpr95OodPositiveInterpolated => "FPR95~ OOD+",
        Metric::AveragePrecisionOod => "AP OOD+",
        Metric::AuprOut => "AUPR OOD+",
    };
    format!("{name} {}", if metric.higher_is_better() { '↑' } else { '↓' })
}

fn heading_row(first: &[&str]) -> Vec<String> {
    let first = first.iter().map(|&cell| cell.to_owned());
    first.chain(Metric::ALL.map(heading)).collect()
}

fn percent(fraction: f64) -> String {
    format!("{:.2}", 100.0 * fraction)
}

fn metrics_table(sets: &[SetMetrics]) -> String {
    let cells = |metrics: &Metrics| Metric::ALL.map(|metric| percent(*metrics.get(metric)));
    let mut rows = vec![heading_row(&["set", "ID", "OOD"])];
    for set in sets {
        let mut row = vec![set.name.clone(), set.id_count.to_string(), set.ood_count.to_string()];
        row.extend(cells(&set.metrics));
        rows.push(row);
    }
    if let Some(mean) = mean(sets) {
        let mut row = vec!["mean".to_owned(), String::new(), String::new()];
        row.extend(cells(&mean));
        rows.push(row);
    }
    aligned(&rows)
}

fn intervals_table(sets: &[SetMetrics]) -> String {
    let mut rows = vec![heading_row(&["set"])];
    for set in sets {
        let mut row = vec![set.name.clone()];
        row.extend(Metric::ALL.map(|metric| match &set.intervals {
            Some(intervals) => {
                let interval = intervals.get(metric);
                format!("{}–{}", percent(interval.low), percent(interval.high))
            }
            None => "none".to_owned(),
        }));
        rows.push(row);
    }
    aligned(&rows)
}

fn thresholds_table(sets: &[SetMetrics]) -> String {
    let heading =
        ["set", "λ", "ID kept", "ID lost", "OOD caught", "OOD missed", "accuracy", "balanced"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for set in sets {
        let confusion = set.at_95_tpr.confusion;
        rows.push(vec![
            set.name.clone(),
            // All digits: a rounded λ would lose the very image that it was read from.
            format!("{:?}", set.at_95_tpr.lambda),
            confusion.id_kept.to_string(),
            confusion.id_lost.to_string(),
            confusion.ood_caught.to_string(),
            confusion.ood_missed.to_string(),
            percent(confusion.accuracy()),
            percent(confusion.balanced_accuracy()),
        ]);
    }
    aligned(&rows)
}
