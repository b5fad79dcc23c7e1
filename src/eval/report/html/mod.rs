//! The report as one page that needs nothing else: inline styles, plots and a little script.

mod plots;
mod tables;

use std::fmt::Write as _;

use super::Report;
use super::csv::ROC_POINTS;
use super::markdown::{LEGEND, percent};
use crate::bundle::manifest::Arch;
use crate::eval::scores::ScoreTable;
use crate::figures::{escape, palette};
use tables::{ablations, counts, detectors_table, metrics_table};

const STYLE: &str = include_str!("../page.css");
const SCRIPT: &str = include_str!("../page.js");

pub(super) fn page(report: &Report, table: &ScoreTable) -> String {
    let chosen = chosen(report);
    let mut page = String::new();
    let title = format!("{} against {}", report.id.name, set_names(report).join(", "));
    // Writing to a string cannot fail.
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>\n:root {{ {} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {} }} }}\n\
         {STYLE}</style>\n<body>\n",
        escape(&title),
        palette::LIGHT.css_variables(),
        palette::DARK.css_variables()
    )
    .ok();
    page.push_str(&head(report, &title));
    page.push_str(&cards(report, chosen));
    page.push_str("<h2 id=\"detectors\">Detectors</h2>\n");
    writeln!(
        page,
        "<p class=\"dim\">{}. {} Click a heading to sort, a row to see its plots below.</p>",
        escape(&sentence(&report.settings[0].to_string())),
        escape(LEGEND)
    )
    .ok();
    page.push_str(&detectors_table(report, 0, chosen));
    page.push_str("<h2 id=\"sets\">Set by set</h2>\n");
    page.push_str(&chooser(report, chosen));
    for set in 0..report.ood.len() {
        page.push_str(&set_section(report, table, set, chosen));
    }
    page.push_str(&tau_section(report, chosen));
    page.push_str(&refit_section(report));
    page.push_str(&ablations(report));
    page.push_str(
        "<h2 id=\"metrics\">All metrics</h2>\n<p class=\"dim\">Means over the sets.</p>\n",
    );
    page.push_str(&metrics_table(report, chosen));
    page.push_str(&alone(report, chosen));
    page.push_str(&counts(report));
    write!(
        page,
        "<p class=\"dim\">ROC curves are thinned for drawing; every number is taken from the raw \
         scores. <code>roc/SET.csv</code> has up to {ROC_POINTS} vertices a curve, \
         <code>scores/SET.csv</code> every score. {}.</p>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        escape(&report.program)
    )
    .ok();
    page
}

/// With a capital.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

fn set_names(report: &Report) -> Vec<&str> {
    report.ood.iter().map(|set| set.name.as_str()).collect()
}

/// The recipe's own detector, or the first that could score.
fn chosen(report: &Report) -> usize {
    let own = &report.model.detector;
    let scored = |at: &usize| report.detectors[*at].outcomes[0].mean().is_some();
    let all = 0..report.detectors.len();
    let own = all.clone().filter(scored).find(|&at| report.detectors[at].id == *own);
    own.or_else(|| all.clone().find(scored)).unwrap_or_default()
}

fn head(report: &Report, title: &str) -> String {
    let model = &report.model;
    let mut html = format!(
        "<h1>{}</h1>\n<p class=\"dim\">Model <b>{}</b>, {} · recipe {} · τ = {}{}</p>\n",
        escape(title),
        escape(&model.name),
        model.labels(),
        model.recipe,
        model.tau,
        model.odin().map_or(String::new(), |odin| format!(" · {odin}"))
    );
    html.push_str("<nav><a href=\"#detectors\">Detectors</a><a href=\"#sets\">Set by set</a>");
    if report.settings.len() > 1 {
        html.push_str("<a href=\"#tau\">τ at inference</a>");
    }
    if !report.refits.is_empty() {
        html.push_str("<a href=\"#refits\">τ in fitting</a>");
    }
    html.push_str(
        "<a href=\"#ablations\">Ablations</a><a href=\"#metrics\">All metrics</a>\
         <a href=\"#counts\">Counts</a></nav>\n",
    );
    for warning in &report.warnings {
        writeln!(html, "<p class=\"note\">{}.</p>", escape(&sentence(warning))).ok();
    }
    html
}

fn cards(report: &Report, chosen: usize) -> String {
    let mut html = String::from("<div class=\"cards\">\n");
    let mut card = |value: String, text: String| {
        writeln!(html, "<div class=\"card\"><b>{value}</b><span>{}</span></div>", escape(&text))
            .ok();
    };
    if let Some(mean) = report.detectors.get(chosen).and_then(|d| d.outcomes[0].mean()) {
        let name = &report.detectors[chosen].name;
        card(format!("{} %", percent(mean.auroc)), format!("mean AUROC of {name}"));
        card(format!("{} %", percent(mean.fpr95)), format!("mean FPR95 of {name}"));
    }
    if let Some(&(best, auroc)) = report.ranking(0).first() {
        let name = &report.detectors[best].name;
        card(format!("{} %", percent(auroc)), format!("highest mean AUROC, {name}"));
    }
    if let Some(accuracy) = report.id.accuracy {
        card(format!("{} %", percent(accuracy)), "of ID images are seen as their class".into());
    }
    let ood: usize = report.ood.iter().map(|set| set.images).sum();
    card(format!("{} / {ood}", report.id.images), "ID / OOD images".into());
    html.push_str("</div>\n");
    html
}

fn chooser(report: &Report, chosen: usize) -> String {
    let mut html = String::from(
        "<div class=\"choose\"><label for=\"detector\">Detector</label> <select id=\"detector\">",
    );
    for (at, detector) in report.detectors.iter().enumerate() {
        if detector.outcomes[0].mean().is_none() {
            continue;
        }
        let selected = if at == chosen { " selected" } else { "" };
        write!(
            html,
            "<option value=\"{at}\" data-formula=\"{}\"{selected}>{}</option>",
            escape(&detector.formula),
            escape(&detector.name)
        )
        .ok();
    }
    html.push_str("</select> <span id=\"formula\" class=\"formula\"></span></div>\n");
    html
}

fn set_section(report: &Report, table: &ScoreTable, set: usize, chosen: usize) -> String {
    let (facts, scores) = (&report.ood[set], &table.ood[set]);
    let roc = plots::roc(report, table, scores, chosen);
    let histograms = plots::histograms(report, table, scores, chosen);
    let without = match report.model.arch {
        Arch::Ram => format!(", {} without an ID tag", facts.without_id_tag),
        Arch::Clip => String::new(),
    };
    format!(
        "<h3>{} <span class=\"dim\">· {} images{without}</span></h3>\n\
         <div class=\"plots\"><figure>{roc}<figcaption>ROC, all detectors in grey; dotted: 95 % of \
         ID kept</figcaption></figure>\n<figure>{histograms}<figcaption>Scores as shares of each \
         set; dashed: the model’s λ. The outermost bars hold what lies beyond.</figcaption></figure></div>\n",
        escape(&facts.name),
        facts.images
    )
}

/// τ at inference, the paper's figure 5.
fn tau_section(report: &Report, chosen: usize) -> String {
    if report.settings.len() < 2 {
        return String::new();
    }
    let rule = match report.model.arch {
        Arch::Ram => ", the rule of the tags still standing before it",
        Arch::Clip => "",
    };
    format!(
        "<h2 id=\"tau\">τ at inference</h2>\n<p class=\"dim\">The paper’s figure 5: the detector chosen \
         above at other τ, and on the whole image{rule}.</p>\n{}",
        plots::over_tau(report, chosen)
    )
}

/// τ in fitting, the paper's figure 3.
fn refit_section(report: &Report) -> String {
    let Some(first) = report.refits.first() else { return String::new() };
    format!(
        "<h2 id=\"refits\">τ in fitting</h2>\n<p class=\"dim\">The paper’s figure 3: projectors fitted \
         again to {} images in {} epochs, scored with <code>{}</code> on images they were not fitted to, \
         at the τ they were fitted at.</p>\n{}",
        first.images,
        first.epochs,
        report.model.recipe.detector(),
        plots::over_fitted_tau(report)
    )
}

/// Every detector on the whole image, without the tagger's help.
fn alone(report: &Report, chosen: usize) -> String {
    let Some(at) = report.settings.iter().position(|setting| !setting.tag_rule) else {
        return String::new();
    };
    format!(
        "<h2 id=\"alone\">Detectors by themselves</h2>\n<p class=\"dim\">{}: every image is scored, so \
         that this is what each detector tells without the tagger’s help.</p>\n{}",
        escape(&sentence(&report.settings[at].to_string())),
        detectors_table(report, at, chosen)
    )
}
