//! A pinned setting (A) against the present one (B): what changes in the metrics, and which images
//! change their verdict.

use eframe::egui::{self, Grid, RichText, Ui};

use super::picture_list::{Row, list_ui};
use super::sets::{chips_ui, partial_ui, weak_ui};
use super::{lambda_text, percent};
use crate::app::command::Command;
use crate::app::sets::Role;
use crate::app::tuning::{Flip, Measured, Pinned};
use crate::eval::metrics::{Confusion, Metric, Metrics};
use crate::panels::{Panel, PanelCtx};
use crate::pipeline::Settings;
use crate::ui::theme::Palette;
use crate::ui::widgets::{card, empty_note, outcome_word};

/// The panel.
#[derive(Default)]
pub struct Compare {
    flips: Option<(u64, Vec<Flip>)>,
}

impl Panel for Compare {
    fn name(&self) -> &'static str {
        "compare"
    }

    fn title(&self) -> &'static str {
        "A / B"
    }

    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let Some(pinned) = cx.model.tuning.pinned.clone() else {
            ui.horizontal_wrapped(|ui| {
                chips_ui(ui, cx);
                let any = !cx.model.entries().is_empty();
                if ui.add_enabled(any, egui::Button::new("Pin as A")).clicked() {
                    cx.commands.push(Command::Pin);
                }
            });
            let note = "Pin the present setting (P), then move τ or λ, or choose another detector: the \
                        differences and every image whose verdict flips appear here.";
            return empty_note(ui, "Compare two settings", note);
        };
        super::side_by_side(ui, |ui| {
            let left = (ui.available_width() * 0.6).max(320.0);
            super::column(ui, left, |ui| differences_ui(ui, cx, &pinned));
            ui.add_space(4.0);
            super::column(ui, ui.available_width(), |ui| self.flips_ui(ui, cx));
        });
    }
}

impl Compare {
    fn flips_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let palette = Palette::of_ui(ui);
        if self.flips.as_ref().is_none_or(|(revision, _)| *revision != cx.model.revision) {
            let mut flips = cx.model.flips();
            // What has become wrong first.
            flips.sort_by_key(|flip| flip.is_better());
            self.flips = Some((cx.model.revision, flips));
        }
        let Some((_, flips)) = &self.flips else { return };
        let better = flips.iter().filter(|flip| flip.is_better() == Some(true)).count();
        let worse = flips.iter().filter(|flip| flip.is_better() == Some(false)).count();
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(format!("{} verdicts flip", flips.len())).strong());
            weak_ui(ui, &format!("{better} become right, {worse} wrong"));
            let all = ui.add_enabled(!flips.is_empty(), egui::Button::new("Select all").small());
            if all.clicked() {
                cx.view.reveal = true;
                let images = flips.iter().rev().map(|flip| flip.image).collect();
                cx.commands.push(Command::Select(images));
            }
        });
        let row = |flip: &Flip| {
            let (before, after) = (outcome_word(Some(flip.before)), outcome_word(Some(flip.after)));
            let (mark, color) = match flip.is_better() {
                Some(true) => (" right", palette.id),
                Some(false) => (" wrong", palette.fault),
                None => ("", palette.weak),
            };
            Row { image: flip.image, note: format!("{before} to {after}{mark}"), color }
        };
        list_ui(ui, cx, "flips", flips.len(), |at| row(&flips[at]));
    }
}

fn differences_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, pinned: &Pinned) {
    let present = cx.model.tuning.present.clone();
    ui.horizontal_wrapped(|ui| {
        if ui.button("Unpin A").clicked() {
            cx.commands.push(Command::Unpin);
        }
        if ui.button("Pin B as A").on_hover_text("Compare with the present setting (P)").clicked() {
            cx.commands.push(Command::Pin);
        }
        if ui.button("Back to A").on_hover_text("Take the pinned setting").clicked() {
            cx.commands.push(Command::RestorePinned);
        }
        if let Some(present) = &present {
            partial_ui(ui, cx.model, present);
        }
    });
    ui.columns(2, |columns| {
        let lambda = cx.model.lambda();
        let settings = &cx.model.settings;
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
        ui.label(RichText::new(detector.unwrap_or(&settings.detector)).color(palette.strong));
        let lambda_shown = lambda.map_or("none".into(), |lambda| lambda_text(f64::from(lambda)));
        let text = format!("τ {:.2} · λ {lambda_shown} · {} recipe", settings.tau, settings.recipe);
        ui.label(RichText::new(text).color(palette.text));
        if let Some(counts) = lambda.map(|lambda| measured.counts_at(lambda)) {
            let Confusion { id_kept, id_lost, ood_caught, ood_missed } = counts;
            let has_id = measured.sets.iter().any(|set| set.role == Role::Id);
            if has_id {
                let text = format!("ID {id_kept} kept, {id_lost} lost");
                ui.label(RichText::new(text).small().color(palette.weak));
            }
            let text = format!("OOD {ood_caught} caught, {ood_missed} missed");
            ui.label(RichText::new(text).small().color(palette.weak));
        }
    });
}

/// A, B and their difference for each set.
fn deltas_ui(ui: &mut Ui, rows: &[(String, Metrics, Metrics)]) {
    let palette = Palette::of_ui(ui);
    let metrics = [(Metric::Auroc, "AUROC"), (Metric::Fpr95, "FPR95 (ID +)")];
    Grid::new("deltas").num_columns(7).spacing([16.0, 4.0]).show(ui, |ui| {
        weak_ui(ui, "Set");
        for (_, name) in metrics {
            weak_ui(ui, &format!("{name} A"));
            weak_ui(ui, "B");
            weak_ui(ui, "change");
        }
        ui.end_row();
        for (name, a, b) in rows {
            ui.label(name);
            for (metric, _) in metrics {
                let (before, after) = (*a.get(metric), *b.get(metric));
                let change = after - before;
                let color = match change {
                    change if change.abs() < 5e-5 => palette.weak,
                    change if (change > 0.0) == metric.higher_is_better() => palette.id,
                    _ => palette.fault,
                };
                ui.label(percent(before));
                ui.label(percent(after));
                ui.label(RichText::new(format!("{:+.2}", change * 100.0)).color(color));
            }
            ui.end_row();
        }
    });
}
