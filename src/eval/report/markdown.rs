//! The report's tables as Markdown, for people and for papers.

use std::fmt::Write as _;

use super::csv::ROC_POINTS;
use super::{DetectorResult, Report, SetFacts};
use crate::bundle::manifest::Arch;
use crate::eval::metrics::{Metric, Metrics};
use crate::eval::scores::Features;

/// A share as percent with two digits.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2}", 100.0 * share)
}

pub(super) fn heading(metric: Metric) -> &'static str {
    match metric {
        Metric::Auroc => "AUROC ↑",
        Metric::Fpr95 => "FPR95 ↓",
        Metric::Fpr95Interpolated => "FPR95~ ↓",
        Metric::AveragePrecisionId => "AP (ID) ↑",
        Metric::AuprIn => "AUPR-in ↑",
        Metric::Fpr95OodPositive => "FPR95 (OOD+) ↓",
        Metric::Fpr95OodPositiveInterpolated => "FPR95~ (OOD+) ↓",
        Metric::AveragePrecisionOod => "AP (OOD) ↑",
        Metric::AuprOut => "AUPR-out ↑",
    }
}

/// What the headings mean.
pub(super) const LEGEND: &str = "In percent; ↑ more is better, ↓ less is better. AUROC and FPR95 with ID \
positive, as in the paper; FPR95 at the first ROC vertex that keeps 95 % of ID; FPR95~ linear between \
vertices, as in the released code; OOD+ with OOD positive, as in OpenOOD. AP is average precision, AUPR \
the area by trapezoids.";

/// The whole report.
pub(super) fn page(report: &Report) -> String {
    let mut text = String::new();
    let model = &report.model;
    let names: Vec<&str> = report.ood.iter().map(|set| set.name.as_str()).collect();
    put(&mut text, &escaped(&format!("# {} against {}\n", report.id.name, names.join(", "))));
    put(
        &mut text,
        &format!(
            "Model `{}` ({}), recipe `{}`, τ = {}{}. {}.\n",
            model.name.replace('`', "'"),
            model.labels(),
            model.recipe,
            model.tau,
            model.odin().map_or(String::new(), |odin| format!("; {odin}")),
            report.program
        ),
    );
    for warning in &report.warnings {
        put(&mut text, &format!("> **Note:** {}.\n", escaped(warning)));
    }
    put(&mut text, "## Sets\n");
    put(&mut text, &sets_table(report));
    put(&mut text, &format!("## Detectors: {}\n", report.settings[0]));
    put(&mut text, &format!("{LEGEND}\n"));
    put(&mut text, &detectors_table(report, 0));
    put(&mut text, "## All metrics: means over the sets\n");
    put(&mut text, &metrics_table(report));
    if report.detectors.iter().any(|detector| detector.lambda.is_some()) {
        put(&mut text, "## At the decision thresholds\n");
        if report.detectors.iter().any(|detector| detector.lambda_of_set) {
            let id = &report.id.name;
            put(
                &mut text,
                &format!("\\* The model has no λ for it: this one keeps 95 % of `{id}`.\n"),
            );
        }
        put(&mut text, &lambda_table(report));
    }
    if report.bootstrap.is_some() {
        put(&mut text, &intervals(report));
    }
    tau_sections(&mut text, report);
    for ablation in &report.ablations {
        let number = ablation.paper_table;
        put(&mut text, &format!("## {} (the paper's table {number})\n", ablation.title));
        put(&mut text, &format!("{}\n", ablation.caption));
        let rows = ablation.rows.iter().map(|row| {
            let mut cells = vec![row.name.clone()];
            cells.extend(pair(row.mean.as_ref()));
            cells.push(row.missing.clone().unwrap_or_default());
            cells
        });
        put(&mut text, &markdown(&["", "AUROC ↑", "FPR95 ↓", ""], rows));
    }
    refits(&mut text, report);
    put(&mut text, "## Files\n");
    put(
        &mut text,
        &format!(
            "`table.csv` has every number; `scores/SET.csv` the raw scores of each image (`-inf`: \
             rejected, and `rejected` says why); `roc/SET.csv` the ROC curves, thinned to at most {ROC_POINTS} vertices for drawing: the numbers above are taken \
             from the raw scores."
        ),
    );
    text
}

fn put(text: &mut String, block: &str) {
    // Writing to a string cannot fail.
    writeln!(text, "{block}").ok();
}

/// A Markdown table: the first column to the left, the others to the right.
fn markdown(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> =
            cells.iter().map(|cell| escaped(cell).replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let header: Vec<String> = header.iter().map(|cell| (*cell).to_owned()).collect();
    let mut table = line(&header);
    let rule: Vec<String> =
        (0..header.len()).map(|at| if at == 0 { "---".into() } else { "---:".into() }).collect();
    table.push_str(&line(&rule));
    rows.into_iter().for_each(|row| table.push_str(&line(&row)));
    table
}

/// A text that may hold names of the user's, with nothing that HTML or a backslash would make of it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('<', "&lt;")
}

fn pair(metrics: Option<&Metrics>) -> [String; 2] {
    match metrics {
        Some(metrics) => [percent(metrics.auroc), percent(metrics.fpr95)],
        None => ["–".into(), "–".into()],
    }
}

/// What an image lacks for which nothing known counts.
pub(super) fn no_label(arch: Arch) -> &'static str {
    match arch {
        Arch::Ram => "no ID tag",
        Arch::Clip => "no name",
    }
}

fn sets_table(report: &Report) -> String {
    let row = |kind: &str, set: &SetFacts| {
        vec![
            set.name.clone(),
            kind.to_owned(),
            set.images.to_string(),
            set.failed.to_string(),
            set.without_id_tag.to_string(),
            set.nothing_kept.to_string(),
            set.accuracy.map(|a| format!("{} %", percent(a))).unwrap_or_else(|| "–".into()),
        ]
    };
    let none = no_label(report.model.arch);
    let header = ["set", "", "images", "unreadable", none, "nothing kept", "class accuracy"];
    let ood = report.ood.iter().map(|set| row("OOD", set));
    markdown(&header, std::iter::once(row("ID", &report.id)).chain(ood))
}

/// The paper's tables 1 and 2: AUROC and FPR95 on each set, and their means.
fn detectors_table(report: &Report, setting: usize) -> String {
    let mut header = vec!["detector".to_owned()];
    for set in &report.ood {
        header.extend([format!("{} AUROC ↑", set.name), "FPR95 ↓".to_owned()]);
    }
    header.extend(["mean AUROC ↑".to_owned(), "FPR95 ↓".to_owned()]);
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let rows = report.detectors.iter().map(|detector| {
        let outcome = &detector.outcomes[setting];
        let mut row = vec![detector.name.clone()];
        match outcome {
            DetectorResult::Missing(reason) => {
                row.push(format!("*{reason}*"));
                row.resize(header.len(), String::new());
            }
            DetectorResult::Measured { sets, mean, .. } => {
                row.extend(sets.iter().flat_map(|set| pair(Some(&set.metrics))));
                row.extend(pair(Some(mean)).map(|cell| format!("**{cell}**")));
            }
        }
        row
    });
    markdown(&header, rows)
}

fn metrics_table(report: &Report) -> String {
    let header: Vec<&str> = std::iter::once("detector").chain(Metric::ALL.map(heading)).collect();
    let measured = report.detectors.iter().filter_map(|d| Some((d, d.outcomes[0].mean()?)));
    let rows = measured.map(|(detector, mean)| {
        let cells = Metric::ALL.map(|metric| percent(*mean.get(metric)));
        std::iter::once(detector.name.clone()).chain(cells).collect()
    });
    markdown(&header, rows)
}

fn lambda_table(report: &Report) -> String {
    let mut header = vec!["detector".to_owned(), "λ".to_owned(), "ID kept ↑".to_owned()];
    header.extend(report.ood.iter().map(|set| format!("{} caught ↑", set.name)));
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let rows = report.detectors.iter().filter_map(|detector| {
        let DetectorResult::Measured { sets, .. } = &detector.outcomes[0] else { return None };
        let at: Vec<_> = sets.iter().filter_map(|set| set.at_lambda).collect();
        let mark = if detector.lambda_of_set { " \\*" } else { "" };
        let mut row = vec![detector.name.clone(), format!("{:.6}{mark}", detector.lambda?)];
        row.push(percent(at.first()?.id_kept));
        row.extend(at.iter().map(|at| percent(at.ood_caught)));
        Some(row)
    });
    markdown(&header, rows)
}

fn intervals(report: &Report) -> String {
    let Some(bootstrap) = report.bootstrap else { return String::new() };
    let mut header = vec!["detector".to_owned()];
    for set in &report.ood {
        header.extend([format!("{} AUROC", set.name), "FPR95".to_owned()]);
    }
    header.extend(["mean AUROC".to_owned(), "FPR95".to_owned()]);
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let rows = report.detectors.iter().filter_map(|detector| {
        let DetectorResult::Measured { sets, mean_intervals, .. } = &detector.outcomes[0] else {
            return None;
        };
        let all = sets.iter().map(|set| set.intervals.as_ref()).chain([mean_intervals.as_deref()]);
        let cells = all.flat_map(|intervals| match intervals {
            Some(intervals) => [intervals.auroc, intervals.fpr95]
                .map(|i| format!("{}–{}", percent(i.low), percent(i.high))),
            None => ["none", "none"].map(str::to_owned),
        });
        Some(std::iter::once(detector.name.clone()).chain(cells).collect())
    });
    format!(
        "## 95 % intervals\n\n{} bootstrap resamples of the images, seed {}; for the mean, the \
         in-distribution images are drawn once for all sets. A set of one image has none.\n\n{}",
        bootstrap.resamples,
        bootstrap.seed,
        markdown(&header, rows)
    )
}

/// τ at inference (the paper's figure 5), and every detector on the whole image.
fn tau_sections(text: &mut String, report: &Report) {
    let whole = |s: &super::Setting| s.features == Features::WholeImage;
    if report.settings.len() < 2 {
        return;
    }
    put(text, "## τ at inference (the paper's figure 5)\n");
    let rule = match report.model.arch {
        Arch::Ram => ", with the rule of the tags still before it",
        Arch::Clip => "",
    };
    put(
        text,
        &format!("Mean AUROC / FPR95 over the sets; `whole` is the whole image's feature{rule}.\n"),
    );
    let mut columns: Vec<usize> =
        (0..report.settings.len()).filter(|&at| report.settings[at].tag_rule).collect();
    let tau = |at: &usize| match report.settings[*at].features {
        Features::Objects { tau } => tau,
        Features::WholeImage => f32::INFINITY,
    };
    columns.sort_by(|a, b| tau(a).total_cmp(&tau(b)));
    let mut header = vec!["detector".to_owned()];
    header.extend(columns.iter().map(|&at| match report.settings[at].features {
        Features::Objects { tau } => format!("τ = {tau}"),
        Features::WholeImage => "whole".to_owned(),
    }));
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let rows = report.detectors.iter().map(|detector| {
        let cells = columns.iter().map(|&at| {
            let [auroc, fpr95] = pair(detector.outcomes[at].mean());
            format!("{auroc} / {fpr95}")
        });
        std::iter::once(detector.name.clone()).chain(cells).collect()
    });
    put(text, &markdown(&header, rows));
    if let Some(at) = report.settings.iter().position(|s| whole(s) && !s.tag_rule) {
        put(text, &format!("## Detectors by themselves: {}\n", report.settings[at]));
        put(text, "Every image is scored: what each detector tells without the tagger's help.\n");
        put(text, &detectors_table(report, at));
    }
}

/// τ in fitting (the paper's figure 3).
fn refits(text: &mut String, report: &Report) {
    let Some(first) = report.refits.first() else { return };
    put(text, "## τ in fitting (the paper's figure 3)\n");
    put(
        text,
        &format!(
            "Projectors fitted again to {} images in {} epochs, scored with `{}` on images they were \
             not fitted to; mean AUROC / FPR95 over the sets at each τ at inference.\n",
            first.images,
            first.epochs,
            report.model.recipe.detector()
        ),
    );
    let mut taus: Vec<f32> =
        report.refits.iter().flat_map(|refit| refit.outcomes.iter().map(|o| o.tau)).collect();
    taus.sort_by(f32::total_cmp);
    taus.dedup();
    let mut header = vec!["fitted at".to_owned(), "images".to_owned(), "accuracy".to_owned()];
    header.extend(taus.iter().map(|tau| format!("scored at τ = {tau}")));
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let rows = report.refits.iter().map(|refit| {
        let tags = if refit.one_tag { ", one tag" } else { "" };
        let mut row = vec![format!("τ = {}{tags}", refit.fit_tau), refit.images.to_string()];
        row.push(refit.accuracy.map(percent).unwrap_or_else(|| "–".into()));
        row.extend(taus.iter().map(|tau| {
            let outcome = refit.outcomes.iter().find(|outcome| outcome.tau == *tau);
            let [auroc, fpr95] = pair(outcome.and_then(|o| o.outcome.mean()));
            format!("{auroc} / {fpr95}")
        }));
        row
    });
    put(text, &markdown(&header, rows));
}
