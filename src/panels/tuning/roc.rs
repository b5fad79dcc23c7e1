//! ROC curves of the open sets, with λ as an operating point, and their metrics.

use eframe::egui::{
    self, ComboBox, CursorIcon, Id, Key, Pos2, Rect, Role, Stroke, Ui, WidgetInfo, vec2,
};
use egui_plot::{GridInput, GridMark, PlotPoint, PlotTransform};
use serde::{Deserialize, Serialize};

use super::goals::Goals;
use super::metric_table::{MetricRow, MetricTable};
use super::roc_plot::{Axes, Curve, CurveHit, curves, nearest};
use super::roc_rows::rows;
use super::sets::{chips_ui, counts_ui, lambda_label_ui, nothing_ui, partial_ui, weak_ui};
use super::{lambda_text, percent};
use crate::eval::metrics::Convention;
use crate::eval::separation::{CurvePoint, Separation};
use crate::panels::{Home, Panel, PanelCtx, PanelInfo};
use crate::session::curves::Measured;
use crate::session::{Command, Session};
use crate::ui::handle::Handle;
use crate::ui::plotting;
use crate::ui::theme::Palette;
use crate::ui::widgets::toggle;

/// How near the pointer has to be to a curve, in points.
const REACH: f32 = 24.0;
/// Below this width there is room for the curves alone, in points.
const NARROW: f32 = 380.0;
/// Room for a table that shows every column, in points.
const TABLE: f32 = 376.0;
/// Below this height there is no room for both a table and what belongs to it, in points.
const LOW: f32 = 280.0;
/// Images that a click on a curve selects.
const NEAR: usize = 24;

/// ROC curves with λ to drag along them, and their metrics.
#[derive(Default)]
pub(crate) struct RocPanel {
    choices: Choices,
    table: MetricTable,
}

/// What the user chose of it.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Choices {
    /// Whether the false positive rate is on a logarithmic axis.
    log: bool,
    convention: Convention,
    goals: Goals,
}

/// Its name, place and key.
pub(crate) const PANEL: PanelInfo = PanelInfo {
    name: "roc",
    title: "ROC",
    home: Home::Bottom,
    key: Some(Key::R),
    make: || Box::new(RocPanel::default()),
};

impl Panel for RocPanel {
    fn choices(&self) -> Option<serde_json::Value> {
        serde_json::to_value(&self.choices).ok()
    }

    fn choose(&mut self, choices: &serde_json::Value) {
        if let Ok(choices) = serde::Deserialize::deserialize(choices) {
            self.choices = choices;
        }
    }

    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let Some(measured) = cx.session.tuning.present.clone() else {
            return nothing_ui(ui, cx, "ROC curves");
        };
        let Some(separation) = &measured.separation else {
            return nothing_ui(ui, cx, "ROC curves");
        };
        if ui.available_width() < NARROW {
            return self.plot_ui(ui, cx, &measured, separation);
        }
        // Where there is little height, what is above the table goes above the curves, too.
        let low = ui.available_height() < LOW;
        let rows = rows(ui, cx, &measured, separation);
        if low {
            self.low_head_ui(ui, cx, (&measured, separation), &rows);
        }
        super::side_by_side(ui, |ui| {
            let size = ui.available_size();
            // The table has the room it needs before the curves do, which are square at most where they
            // are high enough to be read so.
            let plot = (size.x * 0.42)
                .min(size.y * if low { 1.7 } else { 0.95 })
                .min((size.x - TABLE).max(size.x * 0.3));
            super::column(ui, plot, |ui| {
                self.plot_ui(ui, cx, &measured, separation);
            });
            ui.add_space(6.0);
            super::column(ui, ui.available_width(), |ui| {
                if !low {
                    self.head_ui(ui, cx, (&measured, separation), &rows);
                }
                self.table.ui(ui, "Set", &rows, low);
            });
        });
    }
}

impl RocPanel {
    fn axes(&self, separation: &Separation) -> Axes {
        let count = match self.choices.convention {
            Convention::IdPositive => separation.pooled.ood_count(),
            Convention::OodPositive => separation.pooled.id_count(),
        };
        // One image alone still lies on the axis.
        let least = (0.5 / count.max(1) as f64).clamp(1e-7, 0.05);
        Axes { convention: self.choices.convention, log: self.choices.log, least }
    }

    fn plot_ui(
        &self,
        ui: &mut Ui,
        cx: &mut PanelCtx<'_>,
        measured: &Measured,
        separation: &Separation,
    ) {
        let palette = Palette::of_ui(ui);
        let axes = self.axes(separation);
        let curves = curves(cx.session, measured, &palette);
        let (low, high) = axes.x_bounds();
        let (x_name, y_name) = axes.names();
        let (x, y) = (plotting::x_axis(x_name, &palette), plotting::y_axis(y_name, &palette));
        let id = ("roc", self.choices.log, self.choices.convention == Convention::IdPositive);
        let plot = plotting::plain_plot(id, &palette)
            .default_x_bounds(low, high)
            .default_y_bounds(-0.01, 1.02)
            .custom_x_axes(vec![x.formatter(move |mark, _| axes.x_label(mark.value))])
            .custom_y_axes(vec![y.formatter(|mark, _| plotting::share_label(mark.value))])
            .x_grid_spacer(move |input| match axes.log {
                true => decades(&input),
                false => plotting::fifths(&input),
            })
            .y_grid_spacer(|input| plotting::fifths(&input));
        let dimmed = !cx.session.is_measured();
        let shown = plot.show(ui, |plot| {
            for curve in &curves {
                let line = curve.line(&axes);
                let faint = curve.color.gamma_multiply(0.5);
                plot.line(if dimmed && curve.is_present { line.color(faint) } else { line });
            }
        });
        let mut label = format!("ROC curves, {}", convention_name(self.choices.convention));
        for set in &separation.sets {
            label += &format!("; {} AUROC {}", set.name, percent(set.metrics.auroc));
        }
        shown.response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, &label));
        let lambda = self.lambda_ui(ui, cx, measured, separation, (&axes, &shown.transform));
        if lambda {
            return;
        }
        let Some(pointer) = shown.response.hover_pos() else { return };
        self.hover_ui(ui, cx, &shown.response, pointer, (&curves, separation, measured), {
            (&axes, &shown.transform)
        });
    }

    /// λ as a point on the mean curve, to be dragged along it; whether the pointer is on it.
    fn lambda_ui(
        &self,
        ui: &Ui,
        cx: &mut PanelCtx<'_>,
        measured: &Measured,
        separation: &Separation,
        (axes, transform): (&Axes, &PlotTransform),
    ) -> bool {
        let Some(lambda) = cx.session.lambda() else { return false };
        let palette = Palette::of_ui(ui);
        let point = separation.mean_at(f64::from(lambda));
        let at = on_screen(axes, transform, point);
        if !transform.frame().expand(2.0).contains(at) {
            return false;
        }
        let (low, high) = super::score_bounds(cx.session, measured);
        let handle = Handle {
            label: "λ on the ROC curve".into(),
            value: f64::from(lambda),
            range: f64::from(low)..=f64::from(high),
            step: f64::from(high - low) / 200.0,
            cursor: CursorIcon::Grab,
        };
        let moved =
            handle.ui(ui, Id::unique("roc λ"), Rect::from_center_size(at, vec2(22.0, 22.0)));
        let hovered = moved.response.hovered() || moved.response.dragged();
        let painter = ui.painter().with_clip_rect(transform.frame().expand(10.0));
        painter.circle(at, 7.0, palette.panel, Stroke::new(2.5, palette.accent));
        if hovered || moved.response.has_focus() {
            painter.circle_stroke(at, 11.0, Stroke::new(1.0, palette.accent));
        }
        let text = format!("λ {}", lambda_text(f64::from(lambda)));
        // Below the curve there is room.
        let place = (at + vec2(10.0, 10.0), egui::Align2::LEFT_TOP);
        plotting::tag_ui(ui, *transform.frame(), place, &text, palette.accent);
        let dragged = moved.dragged_to.and_then(|pointer| {
            nearest(&separation.mean_curve, axes, transform, pointer).map(|place| place.lambda)
        });
        if let Some(wanted) = dragged.or(moved.set_to) {
            // Beyond the scores a curve has no numbers; λ stays one that can be drawn.
            let wanted = wanted.clamp(f64::from(low), f64::from(high)) as f32;
            if wanted != lambda {
                cx.send(Command::SetLambda(Some(wanted)));
            }
        }
        hovered
    }

    fn hover_ui(
        &self,
        ui: &Ui,
        cx: &mut PanelCtx<'_>,
        response: &egui::Response,
        pointer: Pos2,
        (curves, separation, measured): (&[Curve<'_>], &Separation, &Measured),
        (axes, transform): (&Axes, &PlotTransform),
    ) {
        let places = curves
            .iter()
            .filter_map(|curve| Some((curve, nearest(curve.points, axes, transform, pointer)?)));
        let by_distance =
            |a: &(&Curve, CurveHit), b: &(&Curve, CurveHit)| a.1.distance.total_cmp(&b.1.distance);
        let Some((curve, place)) = places.min_by(by_distance) else { return };
        if place.distance > REACH {
            return;
        }
        let exact = match curve.set.and_then(|at| separation.sets.get(at)) {
            Some(set) => Some(set.at(place.lambda)),
            None => curve.is_present.then(|| separation.mean_at(place.lambda)),
        };
        if let Some(point) = exact {
            let at = on_screen(axes, transform, point);
            ui.painter().circle(at, 4.0, curve.color, Stroke::new(1.5, Palette::of_ui(ui).panel));
        }
        if curve.is_present && response.clicked() {
            let images = measured.nearest(place.lambda as f32, NEAR);
            if !images.is_empty() {
                cx.view.reveal = true;
                cx.send(Command::Select(images));
            }
        }
        let mut text = format!("{}\nλ {}", curve.name, lambda_text(place.lambda));
        if let Some(point) = exact {
            let (fpr, tpr) = point.rates(self.choices.convention);
            text += &format!("\nTPR {} · FPR {}", percent(tpr), percent(fpr));
        }
        let ranked = match curve.set.and_then(|at| separation.sets.get(at)) {
            Some(set) => Some(&set.ranked),
            None => curve.is_present.then_some(&separation.pooled),
        };
        if let Some(ranked) = ranked {
            let counts = ranked.counts_at(place.lambda);
            text += &format!("\nID: {} kept, {} lost", counts.id_kept, counts.id_lost);
            text += &format!("\nOOD: {} caught, {} missed", counts.ood_caught, counts.ood_missed);
            text += "\nClick to select the images nearest to this threshold";
        }
        response.clone().on_hover_text_at_pointer(text);
    }

    /// What stands above the table.
    fn head_ui(
        &mut self,
        ui: &mut Ui,
        cx: &mut PanelCtx<'_>,
        (measured, separation): (&Measured, &Separation),
        rows: &[MetricRow],
    ) {
        ui.horizontal_wrapped(|ui| {
            chips_ui(ui, cx);
            partial_ui(ui, cx.session, measured);
        });
        ui.horizontal_wrapped(|ui| {
            self.table.copy_ui(ui, "Set", rows);
            self.view_ui(ui, cx);
        });
        self.choices.goals.ui(ui, cx, separation);
        ui.horizontal_wrapped(|ui| kept_ui(ui, cx.session, measured));
    }

    /// The same in as few lines as there can be.
    fn low_head_ui(
        &mut self,
        ui: &mut Ui,
        cx: &mut PanelCtx<'_>,
        (measured, separation): (&Measured, &Separation),
        rows: &[MetricRow],
    ) {
        ui.horizontal_wrapped(|ui| {
            chips_ui(ui, cx);
            partial_ui(ui, cx.session, measured);
            ui.add_space(4.0);
            kept_ui(ui, cx.session, measured);
        });
        self.choices.goals.ui(ui, cx, separation);
        ui.horizontal_wrapped(|ui| {
            self.table.copy_ui(ui, "Set", rows);
            self.view_ui(ui, cx);
        });
    }

    fn view_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        ui.spacing_mut().item_spacing.x = 4.0;
        ComboBox::from_id_salt("convention")
            .selected_text(convention_name(self.choices.convention))
            .width(100.0)
            .show_ui(ui, |ui| {
                for convention in [Convention::IdPositive, Convention::OodPositive] {
                    let name = convention_name(convention);
                    ui.selectable_value(&mut self.choices.convention, convention, name);
                }
            })
            .response
            .accessible_name("Positive class");
        overlay_menu_ui(ui, cx);
        let hint = "False positive rate on a logarithmic axis";
        if toggle(ui, self.choices.log, "Log FPR", hint).clicked() {
            self.choices.log = !self.choices.log;
        }
        let pinned = cx.session.tuning.pinned().is_some();
        let hint = "Keep this setting to compare others with it";
        if toggle(ui, pinned, if pinned { "Unpin A" } else { "Pin as A" }, hint).clicked() {
            cx.send(if pinned { Command::Unpin } else { Command::Pin });
        }
    }
}

/// λ and what it keeps and rejects.
fn kept_ui(ui: &mut Ui, session: &Session, measured: &Measured) {
    let Some(lambda) = session.lambda() else { return };
    lambda_label_ui(ui, session, lambda);
    ui.add_space(4.0);
    if let Some(counts) = measured.counts_at(lambda) {
        counts_ui(ui, counts);
    }
    if session.tuning.intervals().is_none() && session.is_measured() {
        weak_ui(ui, "Drawing intervals");
    }
}

/// Which other detectors' curves are drawn too.
fn overlay_menu_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>) {
    let Some(info) = cx.session.info().cloned() else { return };
    let overlaid = &cx.session.tuning.overlaid;
    let text = match overlaid.len() {
        0 => "Overlay detectors".to_owned(),
        count => format!("Overlay {count}"),
    };
    ui.menu_button(text, |ui| {
        egui::ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
            for detector in info.detectors.iter().filter(|d| d.id != cx.session.settings().detector)
            {
                let mut on = overlaid.contains(detector.id);
                if ui.checkbox(&mut on, detector.name).clicked() {
                    cx.send(Command::ToggleOverlay(detector.id.to_owned()));
                }
            }
        });
    })
    .response
    .on_hover_text("Mean curves of other detectors at the same τ");
}

fn on_screen(axes: &Axes, transform: &PlotTransform, point: CurvePoint) -> Pos2 {
    let [x, y] = axes.place(point);
    transform.position_from_point(&PlotPoint::new(x, y))
}

fn convention_name(convention: Convention) -> &'static str {
    match convention {
        Convention::IdPositive => "ID positive",
        Convention::OodPositive => "OOD positive",
    }
}

/// Grid lines at every power of ten, on an axis of logarithms.
fn decades(input: &GridInput) -> Vec<GridMark> {
    let (from, until) = (input.bounds.0.ceil() as i32, input.bounds.1.floor() as i32);
    (from..=until).map(|power| GridMark { value: f64::from(power), step_size: 1.0 }).collect()
}
