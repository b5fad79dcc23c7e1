//! The rows of the table beside the ROC curves.

use eframe::egui::Ui;

use super::metric_table::{MetricRow, RowIntervals};
use super::roc_plot::curves;
use crate::eval::separation::Separation;
use crate::panels::PanelCtx;
use crate::session::curves::Measured;
use crate::ui::theme::Palette;

/// A row for each set and their mean, then for the other detectors that are drawn and the pinned
/// setting.
pub(super) fn rows(
    ui: &Ui,
    cx: &PanelCtx<'_>,
    measured: &Measured,
    separation: &Separation,
) -> Vec<MetricRow> {
    let palette = Palette::of_ui(ui);
    let intervals = cx.session.tuning.intervals();
    let mut rows = Vec::new();
    for curve in curves(cx.session, measured, &palette) {
        let Some(at) = curve.set else { continue };
        let Some(set) = separation.sets.get(at) else { continue };
        rows.push(MetricRow {
            name: set.name.clone(),
            color: Some(curve.color),
            images: Some(set.ranked.ood_count()),
            metrics: set.metrics,
            intervals: intervals.and_then(|intervals| intervals.sets.get(at)).into(),
            strong: false,
        });
    }
    let plain = |name: &str, color, metrics, strong| MetricRow {
        name: name.to_owned(),
        color,
        images: None,
        metrics,
        intervals: RowIntervals::None,
        strong,
    };
    if rows.len() > 1 {
        let mean = plain("Mean", Some(palette.strong), separation.mean, true);
        rows.push(MetricRow {
            intervals: intervals.map(|intervals| &intervals.mean).into(),
            ..mean
        });
    }
    let tuning = &cx.session.tuning;
    let overlaid = tuning.table().rows.iter().filter(|row| {
        tuning.overlaid.contains(row.info.id) && row.info.id != measured.settings.detector
    });
    for (at, row) in overlaid.enumerate() {
        let color = palette.series(separation.sets.len() + at);
        rows.push(plain(row.info.name, Some(color), row.mean, false));
    }
    if let Some(a) = tuning.pinned().and_then(|a| a.measured.separation.as_ref()) {
        rows.push(plain("Pinned A, mean", Some(palette.weak), a.mean, false));
    }
    rows
}
