//! The page's plots, inline. A detector's plots are a layer each, of which the chosen one is on show.

use std::fmt::Write as _;

use super::super::build::scores_of;
use super::super::csv::ranked;
use super::super::{Report, Setting};
use super::set_names;
use crate::eval::metrics::{Convention, Metric};
use crate::eval::scores::{Features, ScoreTable, SetScores};
use crate::figures::canvas::{Canvas as _, Dashes, Stroke};
use crate::figures::chart::{Chart, Figure, Glyph, LegendSample, Mark};
use crate::figures::palette::Color;
use crate::figures::plots::{self, SettingLine};
use crate::figures::{Svg, escape};

/// Vertices of a ROC curve, at most.
const ROC_POINTS: usize = 120;
/// The plots over τ.
const METRICS: [(Metric, &str); 2] = [(Metric::Auroc, "AUROC, %"), (Metric::Fpr95, "FPR95, %")];

/// ROC curves of all detectors on one set, the chosen one's above the others.
pub(super) fn roc(
    report: &Report,
    table: &ScoreTable,
    scores: &SetScores,
    chosen: usize,
) -> String {
    let curve = |detector: usize| -> Option<(usize, Vec<[f64; 2]>)> {
        let ranked = ranked(table, scores, detector, report.settings[0])?;
        let points = ranked.roc(Convention::IdPositive).thinned(ROC_POINTS);
        Some((detector, points.iter().map(|point| [point.fpr, point.tpr]).collect()))
    };
    let curves: Vec<_> = (0..table.detectors.len()).filter_map(curve).collect();
    let at_95 = Stroke::solid(Color::Mark, 1.0).with_dashes(Dashes::Dotted);
    let faint = Stroke { opacity: 0.3, ..Stroke::solid(Color::Mark, 1.0) };
    let mut marks = vec![Mark::Line(vec![[0.0, 0.95], [1.0, 0.95]], at_95)];
    marks.extend(curves.iter().map(|(_, line)| Mark::Line(line.clone(), faint)));
    marks.extend(curves.into_iter().map(|(detector, line)| {
        let line = Mark::Line(line, Stroke::solid(Color::Accent, 2.6));
        Mark::Choice(detector, detector == chosen, Box::new(line))
    }));
    let label = format!("ROC curves, {} against {}", report.id.name, scores.name);
    picture([360.0, 356.0], &label, [(None, plots::roc(String::new(), marks))], chosen)
}

/// Histograms of all detectors' scores on one set.
pub(super) fn histograms(
    report: &Report,
    table: &ScoreTable,
    ood: &SetScores,
    chosen: usize,
) -> String {
    let main = report.settings[0];
    let chart = |detector: usize| {
        let of = |set: &SetScores| -> Option<Vec<f64>> {
            let scores = scores_of(table, set, detector, main).ok()?;
            Some(scores.into_iter().map(f64::from).collect())
        };
        let lambda = table.detectors[detector].lambda.map(f64::from);
        let chart = plots::mirrored_histogram(&of(&table.id)?, &of(ood)?, lambda);
        Some((Some(detector), chart))
    };
    let charts: Vec<_> = (0..table.detectors.len()).filter_map(chart).collect();
    let label = format!("Histogram of scores, {} against {}", report.id.name, ood.name);
    picture([560.0, 356.0], &label, charts, chosen)
}

/// AUROC and FPR95 of every set over τ at inference.
pub(super) fn over_tau(report: &Report, chosen: usize) -> String {
    let chart = |metric, share, detector: usize| {
        report.detectors[detector].outcomes[0].mean()?;
        let lines = tau_lines(report, detector, metric);
        let taus = settings_of(&lines);
        let chart = plots::shares_over(("τ", &taus), Some("whole image"), share, &lines);
        Some((Some(detector), chart))
    };
    let plot = |(metric, share)| {
        let charts = (0..report.detectors.len()).filter_map(|at| chart(metric, share, at));
        let label = format!("{share} over τ at inference");
        picture([470.0, 286.0], &label, charts, chosen)
    };
    side_by_side(report, METRICS.map(plot))
}

/// AUROC and FPR95 of every set over τ in fitting.
pub(super) fn over_fitted_tau(report: &Report) -> String {
    let plot = |(metric, share)| {
        let line = |set: usize| {
            let points = report.refits.iter().filter(|refit| !refit.one_tag).filter_map(|refit| {
                let same = refit.outcomes.iter().find(|outcome| outcome.tau == refit.fit_tau)?;
                let metrics = same.outcome.set(set)?.metrics;
                Some([f64::from(refit.fit_tau), *metrics.get(metric)])
            });
            SettingLine { points: points.collect(), apart: None }
        };
        let lines: Vec<SettingLine> = (0..report.ood.len()).map(line).collect();
        let taus = settings_of(&lines);
        let chart = plots::shares_over(("τ in fitting", &taus), None, share, &lines);
        picture([470.0, 286.0], &format!("{share} over τ in fitting"), [(None, chart)], 0)
    };
    side_by_side(report, METRICS.map(plot))
}

fn tau_lines(report: &Report, detector: usize, metric: Metric) -> Vec<SettingLine> {
    let outcomes = &report.detectors[detector].outcomes;
    let value = |setting: usize, set: usize| {
        outcomes[setting].set(set).map(|result| *result.metrics.get(metric))
    };
    let line = |set: usize| {
        let mut line = SettingLine::default();
        for (at, Setting { features, tag_rule }) in report.settings.iter().enumerate() {
            match features {
                Features::Objects { tau } => {
                    line.points.extend(value(at, set).map(|share| [f64::from(*tau), share]));
                }
                Features::WholeImage if *tag_rule => line.apart = value(at, set),
                Features::WholeImage => {}
            }
        }
        line.points.sort_by(|a, b| a[0].total_cmp(&b[0]));
        line
    };
    (0..report.ood.len()).map(line).collect()
}

/// The settings of any line, in order.
fn settings_of(lines: &[SettingLine]) -> Vec<f64> {
    let mut settings: Vec<f64> =
        lines.iter().flat_map(|line| line.points.iter().map(|at| at[0])).collect();
    settings.sort_by(f64::total_cmp);
    settings.dedup();
    settings
}

/// Charts in one place, those with a detector as its layer.
fn picture(
    size: [f32; 2],
    label: &str,
    charts: impl IntoIterator<Item = (Option<usize>, Chart)>,
    chosen: usize,
) -> String {
    let mut svg = Svg::in_page(size, label);
    for (detector, chart) in charts {
        let title = label.to_owned();
        let figure = Figure { title, size, charts: vec![chart], legend: Vec::new() };
        if let Some(detector) = detector {
            svg.begin_layer(detector, detector == chosen);
        }
        figure.draw(&mut svg);
        if detector.is_some() {
            svg.end_layer();
        }
    }
    svg.finish()
}

/// Two plots with the sets' names above them.
fn side_by_side(report: &Report, plots: [String; 2]) -> String {
    let mut html = String::from("<div class=\"key\">");
    for (at, name) in set_names(report).into_iter().enumerate() {
        let mut svg = Svg::in_page([14.0; 2], name);
        LegendSample::Point(Glyph::of_line(at), Color::Series(at)).draw(&mut svg, [7.0; 2]);
        // Writing to a string cannot fail.
        write!(html, "<span>{}{}</span>", svg.finish(), escape(name)).ok();
    }
    html.push_str("</div>\n<div class=\"two\">");
    for plot in plots {
        write!(html, "<figure style=\"margin:0\">{plot}</figure>").ok();
    }
    html.push_str("</div>\n");
    html
}
