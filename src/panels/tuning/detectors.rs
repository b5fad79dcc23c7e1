//! Every detector on the open sets: which separates best, and one click to use it.

use std::fmt::Write as _;

use eframe::egui::{self, Align, Key, Layout, ProgressBar, RichText, ScrollArea, Ui, vec2};
use egui_extras::{Column, TableBuilder};

use super::metric_table::{copy_menu_ui, heading_ui};
use super::sets::{chips_ui, nothing_ui, weak_ui};
use crate::eval::metrics::{Metric, Metrics};
use crate::panels::{Home, Panel, PanelCtx, PanelInfo};
use crate::session::Command;
use crate::session::curves::{DetectorRow, DetectorTable};
use crate::ui::theme::Palette;
use crate::ui::widgets::{formula_text, toggle};

/// The metrics that stand in a column for each set.
const METRICS: [Metric; 2] = [Metric::Auroc, Metric::Fpr95];

/// The metrics of every detector at the present τ.
#[derive(Default)]
pub(crate) struct Detectors {
    /// The column that the table is sorted by, and whether the worst come first.
    sort: Option<(usize, bool)>,
}

/// Its name, place and key.
pub(crate) const PANEL: PanelInfo = PanelInfo {
    name: "detectors",
    title: "Detectors",
    home: Home::Bottom,
    key: Some(Key::D),
    make: || Box::new(Detectors::default()),
};

impl Panel for Detectors {
    fn choices(&self) -> Option<serde_json::Value> {
        serde_json::to_value(self.sort).ok()
    }

    fn choose(&mut self, choices: &serde_json::Value) {
        if let Ok(choices) = serde::Deserialize::deserialize(choices) {
            self.sort = choices;
        }
    }

    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let table = &cx.session.tuning.table();
        if table.rows.is_empty() {
            let compared =
                cx.session.tuning.present.as_ref().is_some_and(|m| m.separation.is_some());
            if compared {
                ui.horizontal_wrapped(|ui| chips_ui(ui, cx));
                ui.horizontal(|ui| progress_ui(ui, cx));
                return;
            }
            return nothing_ui(ui, cx, "Detectors");
        }
        ui.horizontal_wrapped(|ui| {
            chips_ui(ui, cx);
            let tau = format!(
                "at τ {:.2}, {} recipe",
                cx.session.settings().tau,
                cx.session.settings().recipe
            );
            weak_ui(ui, &tau);
            progress_ui(ui, cx);
            ui.add_space(6.0);
            let rows = self.sorted(table);
            let texts = || (markdown(table, &rows), csv(table, &rows));
            copy_menu_ui(ui, "All detectors with every set", texts);
        });
        // More columns than there is room for can be scrolled to.
        ScrollArea::horizontal().auto_shrink(false).show(ui, |ui| self.table_ui(ui, cx, table));
    }
}

/// How far the work in the background is, and a button that lets it rest.
pub(crate) fn progress_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>) {
    let palette = Palette::of_ui(ui);
    let tuning = &cx.session.tuning;
    let table = &tuning.table();
    if tuning.paused {
        weak_ui(ui, "Background work rests");
        if ui.small_button("Go on").clicked() {
            cx.send(Command::PauseSurveys(false));
        }
        return;
    }
    let (done, all) = table.progress;
    if cx.session.is_table_current() && table.complete {
        return;
    }
    let share = done as f32 / all.max(1) as f32;
    let text = RichText::new(format!("{done} of {all} images")).size(10.0).color(palette.strong);
    let bar = ProgressBar::new(share).desired_width(120.0).desired_height(12.0);
    ui.add(bar.fill(palette.accent_soft).text(text));
    if ui.small_button("Rest").on_hover_text("Stop work in the background").clicked() {
        cx.send(Command::PauseSurveys(true));
    }
}

impl Detectors {
    fn table_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>, table: &DetectorTable) {
        let palette = Palette::of_ui(ui);
        let rows = self.sorted(table);
        let best: Vec<Option<f64>> =
            (0..columns(table)).map(|column| best(table, column)).collect();
        let name = (ui.available_width() * 0.3).clamp(112.0, 188.0);
        let width = (ui.available_width() - name - 12.0) / best.len() as f32 - 6.0;
        let width = width.clamp(58.0, 100.0);
        ui.spacing_mut().item_spacing = vec2(6.0, 1.0);
        let faded = !cx.session.is_table_current() || !table.complete;
        let builder = TableBuilder::new(ui)
            .id_salt("detectors")
            .min_scrolled_height(40.0)
            .auto_shrink(false)
            .cell_layout(Layout::right_to_left(Align::Center))
            .column(Column::exact(name).clip(true))
            .columns(Column::exact(width).clip(true), best.len());
        let header = builder.header(34.0, |mut header| {
            header.col(|ui| {
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    ui.add_space(8.0);
                    weak_ui(ui, "Detector");
                });
            });
            for column in 0..best.len() {
                header.col(|ui| self.heading_ui(ui, table, column));
            }
        });
        header.body(|body| {
            body.rows(22.0, rows.len(), |mut line| {
                let row = rows[line.index()];
                let is_current = row.info.id == cx.session.settings().detector;
                line.set_selected(is_current);
                line.col(|ui| {
                    ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                        let name = format!("Use {}", row.info.name);
                        let formula = formula_text(row.info.formula);
                        let response = toggle(ui, is_current, row.info.name, &formula);
                        if response.accessible_name(&name).clicked() && !is_current {
                            let detector = row.info.id.to_owned();
                            cx.send(Command::SetDetector(detector));
                        }
                    });
                });
                for (column, best) in best.iter().enumerate() {
                    line.col(|ui| {
                        let value = value(row, column);
                        let is_best = *best == Some(value);
                        let color = if is_best { palette.strong } else { palette.text };
                        let color = if faded { color.gamma_multiply(0.6) } else { color };
                        let text = RichText::new(format!("{:.2}", value * 100.0)).color(color);
                        if is_best {
                            ui.label(text.strong()).on_hover_text("Best of all detectors");
                            let (rect, _) =
                                ui.allocate_exact_size(vec2(6.0, 6.0), egui::Sense::hover());
                            ui.painter().circle_filled(rect.center(), 3.0, palette.accent);
                        } else {
                            ui.label(text);
                        }
                    });
                }
            });
        });
    }

    fn heading_ui(&mut self, ui: &mut Ui, table: &DetectorTable, column: usize) {
        let palette = Palette::of_ui(ui);
        let (set, metric) = heading(table, column);
        let arrow = match self.sort {
            Some((sorted, worst)) if sorted == column => {
                if worst {
                    " · worst"
                } else {
                    " · best"
                }
            }
            _ => "",
        };
        let color = if arrow.is_empty() { palette.weak } else { palette.strong };
        let text = format!("{set}\n{metric}{arrow}");
        let hint = format!("{set}: {metric}, in per cent. Click to sort.");
        if heading_ui(ui, &text, color, &hint).clicked() {
            self.sort = match self.sort {
                Some((sorted, false)) if sorted == column => Some((column, true)),
                Some((sorted, true)) if sorted == column => None,
                _ => Some((column, false)),
            };
        }
    }

    fn sorted<'a>(&self, table: &'a DetectorTable) -> Vec<&'a DetectorRow> {
        let mut rows: Vec<&DetectorRow> = table.rows.iter().collect();
        if let Some((column, worst_first)) = self.sort {
            rows.sort_by(|a, b| {
                let order = value(a, column).total_cmp(&value(b, column));
                if metric(column).higher_is_better() != worst_first {
                    order.reverse()
                } else {
                    order
                }
            });
        }
        rows
    }
}

/// Columns of values: each metric for each set, then for the mean.
fn columns(table: &DetectorTable) -> usize {
    let means = usize::from(table.sets.len() != 1);
    (table.rows.first().map_or(0, |row| row.sets.len()) + means) * METRICS.len()
}

fn metric(column: usize) -> Metric {
    METRICS[column % METRICS.len()]
}

fn of_column(row: &DetectorRow, column: usize) -> &Metrics {
    row.sets.get(column / METRICS.len()).unwrap_or(&row.mean)
}

fn value(row: &DetectorRow, column: usize) -> f64 {
    *of_column(row, column).get(metric(column))
}

/// The best value of a column; none where all are the same.
fn best(table: &DetectorTable, column: usize) -> Option<f64> {
    let values = || table.rows.iter().map(|row| value(row, column));
    let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    let best = if metric(column).higher_is_better() { most } else { least };
    (least < most).then_some(best)
}

fn heading(table: &DetectorTable, column: usize) -> (&str, &'static str) {
    let set = table.sets.get(column / METRICS.len()).map_or("Mean", String::as_str);
    (set, if metric(column) == Metric::Auroc { "AUROC" } else { "FPR95" })
}

fn markdown(table: &DetectorTable, rows: &[&DetectorRow]) -> String {
    let mut text = "| Detector |".to_owned();
    for column in 0..columns(table) {
        let (set, metric) = heading(table, column);
        text += &format!(" {} {metric} |", set.replace('|', "\\|"));
    }
    text += &format!("\n|---|{}\n", "---:|".repeat(columns(table)));
    for row in rows {
        text += &format!("| {} |", row.info.name);
        for column in 0..columns(table) {
            let number = format!("{:.2}", value(row, column) * 100.0);
            let is_best = Some(value(row, column)) == best(table, column);
            text += &if is_best { format!(" **{number}** |") } else { format!(" {number} |") };
        }
        text.push('\n');
    }
    text
}

fn csv(table: &DetectorTable, rows: &[&DetectorRow]) -> String {
    let mut text = "detector".to_owned();
    for column in 0..columns(table) {
        let (set, metric) = heading(table, column);
        text += &format!(",\"{} {metric}\"", set.replace('"', "\"\""));
    }
    text.push('\n');
    for row in rows {
        text += row.info.id;
        for column in 0..columns(table) {
            // Writing to a string cannot fail.
            write!(text, ",{}", value(row, column)).unwrap_or_default();
        }
        text.push('\n');
    }
    text
}
