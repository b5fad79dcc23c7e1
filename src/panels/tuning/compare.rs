//! A pinned setting (A) against the present one (B): what changes in the metrics, and which images
//! change their verdict.

use eframe::egui::{
    self, Align, Key, Layout, RichText, Role as WidgetRole, ScrollArea, Stroke, Ui, WidgetInfo,
    vec2,
};
use egui_extras::{Column, TableBuilder};
use egui_plot::{Line, LineStyle, PlotPoints, Points};

use super::lambda_text;
use super::metric_table::column_name_ui;
use super::picture_list::{PictureRow, list_ui};
use super::roc_plot::Axes;
use super::sets::{chips_ui, partial_ui, weak_ui};
use crate::eval::metrics::{Confusion, Convention, Metric, Metrics};
use crate::panels::{Home, Panel, PanelCtx, PanelInfo};
use crate::pipeline::Settings;
use crate::session::Command;
use crate::session::curves::{Flip, Measured, Pinned};
use crate::ui::plotting;
use crate::ui::theme::Palette;
use crate::ui::widgets::{card, empty_note, outcome_word};

/// Below this width everything stands in one column, in points.
const NARROW: f32 = 460.0;
/// From this width on there is room for curves.
const WIDE: f32 = 720.0;
/// Height of the list of flips in one column.
const LIST: f32 = 180.0;
/// What is compared, in per cent.
const METRICS: [(Metric, &str, &str); 2] = [
    (Metric::Auroc, "AUROC", "Area under the ROC curve; more is better"),
    (Metric::Fpr95, "FPR95", "ID positive: OOD kept where 95 % of ID is kept; less is better"),
];

/// The pinned setting A against the present one, B.
#[derive(Default)]
pub(crate) struct Compare {
    flips: Option<(u64, Vec<Flip>)>,
}

/// Its name, place and key.
pub(crate) const PANEL: PanelInfo = PanelInfo {
    name: "compare",
    title: "A / B",
    home: Home::Bottom,
    key: Some(Key::B),
    make: || Box::new(Compare::default()),
};

impl Panel for Compare {
    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let Some(pinned) = cx.session.tuning.pinned().cloned() else {
            ui.horizontal_wrapped(|ui| {
                chips_ui(ui, cx);
                let any = !cx.session.entries().is_empty();
                if ui.add_enabled(any, egui::Button::new("Pin as A")).clicked() {
                    cx.send(Command::Pin);
                }
            });
            let note = "Pin the present setting (P), then move τ or λ, or choose another detector: the \
                        differences and every image whose verdict flips appear here.";
            return empty_note(ui, "Compare two settings", note);
        };
        let width = ui.available_width();
        if width < NARROW {
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                differences_ui(ui, cx, &pinned);
                ui.add_space(6.0);
                ui.allocate_ui(vec2(ui.available_width(), LIST), |ui| self.flips_ui(ui, cx));
            });
            return;
        }
        super::side_by_side(ui, |ui| {
            let plot = if width >= WIDE { ui.available_height().min(width * 0.27) } else { 0.0 };
            if plot > 0.0 {
                super::column(ui, plot, |ui| curves_ui(ui, cx, &pinned));
                ui.add_space(8.0);
            }
            super::column(ui, (width - plot) * 0.58, |ui| differences_ui(ui, cx, &pinned));
            ui.add_space(8.0);
            super::column(ui, ui.available_width(), |ui| self.flips_ui(ui, cx));
        });
    }
}

impl Compare {
    fn flips_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let palette = Palette::of_ui(ui);
        if self.flips.as_ref().is_none_or(|(revision, _)| *revision != cx.session.revision()) {
            let mut flips = cx.session.flips();
            // What has become wrong first.
            flips.sort_by_key(|flip| flip.is_better());
            self.flips = Some((cx.session.revision(), flips));
        }
        let Some((_, flips)) = &self.flips else { return };
        let better = flips.iter().filter(|flip| flip.is_better() == Some(true)).count();
        let worse = flips.iter().filter(|flip| flip.is_better() == Some(false)).count();
        ui.horizontal(|ui| {
            ui.label(RichText::new(format!("{} verdicts flip", flips.len())).strong());
            let text = RichText::new("Select all").small();
            let all = ui.add_enabled(!flips.is_empty(), egui::Button::new(text));
            if all.clicked() {
                cx.view.reveal = true;
                let images = flips.iter().rev().map(|flip| flip.image).collect();
                cx.send(Command::Select(images));
            }
        });
        weak_ui(ui, &format!("{better} become right, {worse} become wrong"));
        let row = |flip: &Flip| {
            let after = outcome_word(Some(flip.after));
            let (mark, color) = match flip.is_better() {
                Some(true) => (", right", palette.id),
                Some(false) => (", wrong", palette.fault),
                None => ("", palette.weak),
            };
            PictureRow { image: flip.image, note: format!("now {after}{mark}"), color }
        };
        list_ui(ui, cx, "flips", flips.len(), |at| row(&flips[at]));
    }
}

/// The mean curves of both settings, λ on each.
fn curves_ui(ui: &mut Ui, cx: &PanelCtx<'_>, pinned: &Pinned) {
    let palette = Palette::of_ui(ui);
    let axes = Axes { convention: Convention::IdPositive, log: false, least: 0.0 };
    let dashed = LineStyle::Dashed { length: 6.0 };
    ui.horizontal(|ui| {
        plotting::key_ui(ui, "A", palette.weak, dashed);
        plotting::key_ui(ui, "B", palette.accent, LineStyle::Solid);
        weak_ui(ui, "mean of the sets");
    });
    let present = cx.session.tuning.present.as_ref();
    let sides = [
        (Some(&pinned.measured), pinned.lambda, palette.weak, dashed),
        (present, cx.session.lambda(), palette.accent, LineStyle::Solid),
    ];
    let (x_name, y_name) = axes.names();
    let (x, y) = (plotting::x_axis(x_name, &palette), plotting::y_axis(y_name, &palette));
    let shown = plotting::plain_plot("compared curves", &palette)
        .default_x_bounds(-0.02, 1.02)
        .default_y_bounds(-0.02, 1.04)
        .custom_x_axes(vec![x.formatter(|mark, _| plotting::share_label(mark.value))])
        .custom_y_axes(vec![y.formatter(|mark, _| plotting::share_label(mark.value))])
        .x_grid_spacer(plotting::shares(ui.available_width()))
        .y_grid_spacer(|input| plotting::fifths(&input))
        .show(ui, |plot| {
            for (measured, lambda, color, style) in sides {
                let separation = measured.and_then(|measured| measured.separation.as_ref());
                let Some(separation) = separation else { continue };
                let points: PlotPoints<'_> =
                    separation.mean_curve.iter().map(|&point| axes.place(point)).collect();
                let line = Line::new("", points).stroke(Stroke::new(2.0, color)).style(style);
                plot.line(line.allow_band(false).allow_hover(false));
                if let Some(lambda) = lambda.filter(|lambda| lambda.is_finite()) {
                    let at = axes.place(separation.mean_at(f64::from(lambda)));
                    let mark = Points::new("", vec![at]).color(color).radius(4.5);
                    plot.points(mark.allow_hover(false));
                }
            }
        });
    let label = "Mean ROC curves of the pinned setting A and the present setting B";
    shown.response.widget_info(|| WidgetInfo::labeled(WidgetRole::Canvas, true, label));
}

fn differences_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, pinned: &Pinned) {
    let present = cx.session.tuning.present.clone();
    ui.horizontal_wrapped(|ui| {
        if ui.button("Unpin A").clicked() {
            cx.send(Command::Unpin);
        }
        if ui.button("Pin B as A").on_hover_text("Compare with the present setting (P)").clicked() {
            cx.send(Command::Pin);
        }
        if ui.button("Back to A").on_hover_text("Take the pinned setting").clicked() {
            cx.send(Command::RestorePinned);
        }
        if let Some(present) = &present {
            partial_ui(ui, cx.session, present);
        }
    });
    ui.columns(2, |columns| {
        let lambda = cx.session.lambda();
        let settings = &cx.session.settings();
        setting_ui(&mut columns[0], "A, pinned", &pinned.settings, pinned.lambda, &pinned.measured);
        if let Some(present) = &present {
            setting_ui(&mut columns[1], "B, present", settings, lambda, present);
        }
    });
    let Some(b) = present.as_ref().and_then(|present| present.separation.as_ref()) else { return };
    let Some(a) = &pinned.measured.separation else { return };
    let mut rows: Vec<(String, Metrics, Metrics)> = Vec::new();
    for set in &b.sets {
        if let Some(before) = a.sets.iter().find(|other| other.name == set.name) {
            rows.push((set.name.clone(), before.metrics, set.metrics));
        }
    }
    if rows.len() > 1 {
        rows.push(("Mean".into(), a.mean, b.mean));
    }
    deltas_ui(ui, &rows);
}

fn setting_ui(
    ui: &mut Ui,
    title: &str,
    settings: &Settings,
    lambda: Option<f32>,
    measured: &Measured,
) {
    let palette = Palette::of_ui(ui);
    card(ui, title, |ui| {
        let detector = crate::score::by_name(&settings.detector).map(|d| d.info().name);
        let detector = detector.unwrap_or(&settings.detector);
        let text = format!("{detector}, {} recipe", settings.recipe);
        ui.add(egui::Label::new(RichText::new(text).color(palette.strong)).truncate());
        let lambda_shown = lambda.map_or("none".into(), |lambda| lambda_text(f64::from(lambda)));
        let text = format!("τ {:.2} · λ {lambda_shown}", settings.tau);
        let text = RichText::new(text).color(palette.text);
        ui.add(egui::Label::new(text).truncate());
        if let Some(counts) = lambda.and_then(|lambda| measured.counts_at(lambda)) {
            let Confusion { id_kept, id_lost, ood_caught, ood_missed } = counts;
            let text = format!("ID {id_kept} kept, {id_lost} lost");
            ui.label(RichText::new(text).small().color(palette.weak));
            let text = format!("OOD {ood_caught} caught, {ood_missed} missed");
            ui.label(RichText::new(text).small().color(palette.weak));
        }
    });
}

/// A, B and their difference for each set, in per cent.
fn deltas_ui(ui: &mut Ui, rows: &[(String, Metrics, Metrics)]) {
    let palette = Palette::of_ui(ui);
    let columns = METRICS.len() * 3;
    let name = (ui.available_width() * 0.24).clamp(56.0, 160.0);
    let width = ((ui.available_width() - name - 10.0) / columns as f32 - 6.0).clamp(34.0, 70.0);
    ui.spacing_mut().item_spacing = vec2(6.0, 1.0);
    let table = TableBuilder::new(ui)
        .id_salt("deltas")
        .min_scrolled_height(40.0)
        .cell_layout(Layout::right_to_left(Align::Center))
        .column(Column::exact(name).clip(true))
        .columns(Column::exact(width).clip(true), columns);
    let header = table.header(32.0, |mut header| {
        header.col(|ui| {
            ui.with_layout(Layout::left_to_right(Align::Max), |ui| weak_ui(ui, "Set, %"));
        });
        for (_, name, hint) in METRICS {
            for side in ["A", "B", "change"] {
                let text =
                    if side == "change" { side.to_owned() } else { format!("{name}\n{side}") };
                header.col(|ui| drop(column_name_ui(ui, &text).on_hover_text(hint)));
            }
        }
    });
    header.body(|body| {
        body.rows(20.0, rows.len(), |mut line| {
            let (name, a, b) = &rows[line.index()];
            let mean = line.index() + 1 == rows.len() && rows.len() > 1;
            let ink = if mean { palette.strong } else { palette.text };
            line.col(|ui| {
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    ui.add(egui::Label::new(RichText::new(name).color(ink)).truncate());
                });
            });
            for (metric, ..) in METRICS {
                let (before, after) = (*a.get(metric), *b.get(metric));
                let change = after - before;
                let color = match change {
                    change if change.abs() < 5e-5 => palette.weak,
                    change if (change > 0.0) == metric.higher_is_better() => palette.id,
                    _ => palette.fault,
                };
                for (text, color) in [
                    (format!("{:.1}", before * 100.0), palette.weak),
                    (format!("{:.1}", after * 100.0), ink),
                    (format!("{:+.1}", change * 100.0), color),
                ] {
                    line.col(|ui| drop(ui.label(RichText::new(text).color(color))));
                }
            }
        });
    });
}
