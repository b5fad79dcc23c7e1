//! The page's tables: every one sorts by a click, with a bar behind each number.

use std::fmt::Write as _;

use super::set_names;
use crate::eval::metrics::{Metric, Metrics};
use crate::eval::report::markdown::{heading, no_label, percent};
use crate::eval::report::{DetectorResult, Report};
use crate::figures::escape;

/// A cell with a bar behind its number.
fn cell(metric: Metric, value: f64, best: bool) -> String {
    let up = metric.higher_is_better();
    // Half of AUROC is chance: its bar begins there.
    let bar = if metric == Metric::Auroc { (2.0 * value - 1.0).max(0.0) } else { value };
    format!(
        "<td class=\"{}{}\" style=\"--v:{bar:.3}\">{}</td>",
        if up { "up" } else { "down" },
        if best { " best" } else { "" },
        percent(value)
    )
}

fn th(column: usize, text: &str, metric: Option<Metric>) -> String {
    let rising = metric.is_some_and(|metric| !metric.higher_is_better()) || column == 0;
    let first = if rising { " data-first=\"ascending\"" } else { "" };
    format!("<th data-sort=\"{column}\"{first}>{}</th>", escape(text))
}

/// AUROC and FPR95 of each detector on each set, and their means.
pub(super) fn detectors_table(report: &Report, setting: usize, chosen: usize) -> String {
    let sets = report.ood.len();
    let mut html = String::from(
        "<div class=\"scroll\"><table class=\"sortable\"><thead><tr class=\"sets\"><th></th>",
    );
    for name in set_names(report).into_iter().chain(["mean"]) {
        write!(html, "<th colspan=\"2\">{}</th>", escape(name)).ok();
    }
    html.push_str("</tr><tr>");
    html.push_str(&th(0, "detector", None));
    for index in 0..=sets {
        html.push_str(&th(1 + 2 * index, "AUROC ↑", Some(Metric::Auroc)));
        html.push_str(&th(2 + 2 * index, "FPR95 ↓", Some(Metric::Fpr95)));
    }
    html.push_str("</tr></thead><tbody>");
    let of = |outcome: &DetectorResult, index: usize| -> Option<Metrics> {
        match outcome {
            DetectorResult::Measured { sets: all, mean, .. } => {
                Some(all.get(index).map_or(*mean, |set| set.metrics))
            }
            DetectorResult::Missing(_) => None,
        }
    };
    let column = |metric: Metric, index: usize| {
        let values = report
            .detectors
            .iter()
            .filter_map(move |detector| Some(*of(&detector.outcomes[setting], index)?.get(metric)));
        best_of(metric, values)
    };
    let columns: Vec<[f64; 2]> = (0..=sets)
        .map(|index| [Metric::Auroc, Metric::Fpr95].map(|metric| column(metric, index)))
        .collect();
    for (at, detector) in report.detectors.iter().enumerate() {
        let on = if at == chosen { " class=\"on\"" } else { "" };
        write!(html, "<tr data-d=\"{at}\"{on}><td>{}</td>", escape(&detector.name)).ok();
        match &detector.outcomes[setting] {
            DetectorResult::Missing(reason) => {
                let span = 2 * (sets + 1);
                write!(html, "<td class=\"reason\" colspan=\"{span}\">{}</td>", escape(reason))
                    .ok();
            }
            outcome => {
                for (index, best) in columns.iter().enumerate() {
                    let Some(metrics) = of(outcome, index) else { continue };
                    let (auroc, fpr95) = (metrics.auroc, metrics.fpr95);
                    html.push_str(&cell(Metric::Auroc, auroc, auroc == best[0]));
                    html.push_str(&cell(Metric::Fpr95, fpr95, fpr95 == best[1]));
                }
            }
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
    html
}

/// The best of some values; NaN, which equals none, where that is no distinction.
fn best_of(metric: Metric, values: impl Iterator<Item = f64>) -> f64 {
    const SHARED: usize = 3;
    let values: Vec<f64> = values.collect();
    let best = match metric.higher_is_better() {
        true => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        false => values.iter().copied().fold(f64::INFINITY, f64::min),
    };
    let equals = values.iter().filter(|value| **value == best).count();
    if equals <= SHARED && equals < values.len() { best } else { f64::NAN }
}

/// The paper's ablation tables.
pub(super) fn ablations(report: &Report) -> String {
    if report.ablations.is_empty() {
        return String::new();
    }
    let mut html = String::from("<h2 id=\"ablations\">Ablations</h2>\n<div class=\"two\">");
    for ablation in &report.ablations {
        write!(
            html,
            "<div><h3>{} <span class=\"dim\">· the paper’s table {}</span></h3><p class=\"dim\">{}</p>\
             <div class=\"scroll\"><table><thead><tr><th></th><th>AUROC ↑</th><th>FPR95 ↓</th></tr></thead><tbody>",
            escape(&ablation.title),
            ablation.paper_table,
            escape(&ablation.caption)
        )
        .ok();
        let means = || ablation.rows.iter().filter_map(|row| row.mean);
        let best = [Metric::Auroc, Metric::Fpr95]
            .map(|metric| best_of(metric, means().map(|mean| *mean.get(metric))));
        for row in &ablation.rows {
            write!(html, "<tr><td>{}</td>", escape(&row.name)).ok();
            match (&row.mean, &row.missing) {
                (Some(mean), _) => {
                    html.push_str(&cell(Metric::Auroc, mean.auroc, mean.auroc == best[0]));
                    html.push_str(&cell(Metric::Fpr95, mean.fpr95, mean.fpr95 == best[1]));
                }
                (None, reason) => {
                    let reason = escape(reason.as_deref().unwrap_or_default());
                    write!(html, "<td class=\"reason\" colspan=\"2\">{reason}</td>").ok();
                }
            }
            html.push_str("</tr>");
        }
        html.push_str("</tbody></table></div></div>\n");
    }
    html.push_str("</div>\n");
    html
}

/// Every metric's mean over the sets.
pub(super) fn metrics_table(report: &Report, chosen: usize) -> String {
    let mut html = String::from("<div class=\"scroll\"><table class=\"sortable\"><thead><tr>");
    html.push_str(&th(0, "detector", None));
    for (index, metric) in Metric::ALL.into_iter().enumerate() {
        html.push_str(&th(index + 1, heading(metric), Some(metric)));
    }
    html.push_str("</tr></thead><tbody>");
    let measured: Vec<(usize, &Metrics)> = (0..report.detectors.len())
        .filter_map(|at| Some((at, report.detectors[at].outcomes[0].mean()?)))
        .collect();
    let best = Metric::ALL
        .map(|metric| best_of(metric, measured.iter().map(|(_, mean)| *mean.get(metric))));
    for (at, mean) in &measured {
        let on = if *at == chosen { " class=\"on\"" } else { "" };
        write!(html, "<tr data-d=\"{at}\"{on}><td>{}</td>", escape(&report.detectors[*at].name))
            .ok();
        for (metric, best) in Metric::ALL.into_iter().zip(best) {
            let value = *mean.get(metric);
            html.push_str(&cell(metric, value, value == best));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
    html
}

/// How many images of each set were scored, or why not.
pub(super) fn counts(report: &Report) -> String {
    let mut html = format!(
        "<h2 id=\"counts\">Counts</h2>\n<div class=\"scroll\"><table><thead><tr><th>set</th><th></th>\
         <th>images</th><th>unreadable</th><th>{}</th><th>nothing kept</th><th>class accuracy</th>\
         </tr></thead><tbody>",
        no_label(report.model.arch)
    );
    let sets = std::iter::once((&report.id, "ID")).chain(report.ood.iter().map(|set| (set, "OOD")));
    for (set, kind) in sets {
        let accuracy = set.accuracy.map_or_else(|| "–".to_owned(), |a| format!("{} %", percent(a)));
        write!(
            html,
            "<tr><td>{}</td><td>{kind}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{accuracy}</td></tr>",
            escape(&set.name),
            set.images,
            set.failed,
            set.without_id_tag,
            set.nothing_kept
        )
        .ok();
    }
    html.push_str("</tbody></table></div>\n");
    html
}
