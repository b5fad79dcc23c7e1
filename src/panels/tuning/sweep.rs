//! AUROC and FPR95 over τ, the paper's figures 3 and 5, filled in while the window is idle.

use eframe::egui::{
    Align2, CursorIcon, Id, Key, ProgressBar, Rect, RichText, Role, Stroke, Ui, WidgetInfo, pos2,
};
use egui_plot::{Line, LineStyle, MarkerShape, PlotPoint, PlotPoints, PlotTransform, Points};
use serde::{Deserialize, Serialize};

use super::percent;
use super::sets::{chips_ui, nothing_ui, partial_ui, set_color, weak_ui};
use crate::eval::metrics::{Metric, Metrics};
use crate::panels::{Home, Panel, PanelCtx, PanelInfo};
use crate::session::Command;
use crate::session::curves::{Sweep, SweepPoint};
use crate::session::sets::Role as SetRole;
use crate::ui::handle::Handle;
use crate::ui::plotting;
use crate::ui::theme::Palette;
use crate::ui::widgets::{keep_together, toggle};

/// The metrics of the present detector over τ.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SweepPanel {
    auroc: bool,
    fpr95: bool,
}

impl Default for SweepPanel {
    fn default() -> Self {
        Self { auroc: true, fpr95: true }
    }
}

/// Its name, place and key.
pub(crate) const PANEL: PanelInfo = PanelInfo {
    name: "sweep",
    title: "τ sweep",
    home: Home::Bottom,
    key: Some(Key::T),
    make: || Box::new(SweepPanel::default()),
};

impl Panel for SweepPanel {
    fn choices(&self) -> Option<serde_json::Value> {
        serde_json::to_value(self).ok()
    }

    fn choose(&mut self, choices: &serde_json::Value) {
        if let Ok(choices) = serde::Deserialize::deserialize(choices) {
            *self = choices;
        }
    }

    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let measured = cx.session.tuning.present.clone();
        let Some(measured) = measured.filter(|measured| measured.separation.is_some()) else {
            return nothing_ui(ui, cx, "τ sweep");
        };
        ui.horizontal_wrapped(|ui| {
            chips_ui(ui, cx);
            partial_ui(ui, cx.session, &measured);
            if cx.session.sets().iter().filter(|set| set.role == SetRole::Ood).count() > 1 {
                plotting::key_ui(ui, "Mean", Palette::of_ui(ui).strong, LineStyle::Solid);
            }
            ui.add_space(6.0);
            let hint = "Area under the ROC curve: solid lines, more is better";
            keep_together(ui, SWITCH);
            if toggle(ui, self.auroc, "AUROC", hint).clicked() {
                self.auroc = !self.auroc;
            }
            plotting::style_sample_ui(ui, LineStyle::Solid);
            let hint = "Share of OOD kept where 95 % of ID is kept: dashed lines, less is better";
            keep_together(ui, SWITCH);
            if toggle(ui, self.fpr95, "FPR95", hint).clicked() {
                self.fpr95 = !self.fpr95;
            }
            plotting::style_sample_ui(ui, LineStyle::Dashed { length: 7.0 });
            ui.add_space(6.0);
            progress_ui(ui, cx);
        });
        self.plot_ui(ui, cx);
    }
}

/// Room for a switch with a sample of its lines, in points.
const SWITCH: f32 = 96.0;

/// How much of the sweep is there.
fn progress_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>) {
    let palette = Palette::of_ui(ui);
    let sweep = &cx.session.tuning.sweep();
    let (all, looked_at) = sweep.images;
    if looked_at < all {
        let text = format!("{looked_at} of {all} images, drawn by chance");
        weak_ui(ui, &text).on_hover_text("Large sets are sampled, so that the sweep ends");
    }
    let current = cx.session.is_sweep_current();
    if current && sweep.is_complete() {
        return;
    }
    if cx.session.tuning.paused {
        weak_ui(ui, "Background work rests");
        if ui.small_button("Go on").clicked() {
            cx.send(Command::PauseSurveys(false));
        }
        return;
    }
    let (done, steps) = (if current { sweep.points.len() } else { 0 }, sweep.steps());
    let text = RichText::new(format!("{done} of {steps} τ")).size(10.0).color(palette.strong);
    let bar = ProgressBar::new(done as f32 / steps as f32).desired_width(120.0);
    ui.add(bar.desired_height(12.0).fill(palette.accent_soft).text(text));
    if ui.small_button("Rest").on_hover_text("Stop work in the background").clicked() {
        cx.send(Command::PauseSurveys(true));
    }
}

/// Which metrics of a point a line follows.
type MetricsOf = Box<dyn Fn(&SweepPoint) -> Option<Metrics>>;

/// One line: whose, which metric of a point, its colour.
struct Series {
    name: String,
    value: MetricsOf,
    color: eframe::egui::Color32,
    width: f32,
}

impl SweepPanel {
    fn plot_ui(&self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let palette = Palette::of_ui(ui);
        let (session, sweep) = (cx.session, &cx.session.tuning.sweep());
        let faded = !session.is_sweep_current();
        let mut lines: Vec<Series> = Vec::new();
        for (at, set) in session.sets().iter().enumerate().filter(|(_, s)| s.role == SetRole::Ood) {
            let name = set.title().to_owned();
            let wanted = name.clone();
            let value = move |point: &SweepPoint| {
                point.sets.iter().find(|(name, _)| *name == wanted).map(|(_, metrics)| *metrics)
            };
            let color = set_color(&palette, session, at);
            lines.push(Series { name, value: Box::new(value), color, width: 1.6 });
        }
        if lines.len() > 1 {
            let value = Box::new(|point: &SweepPoint| Some(point.mean));
            lines.push(Series { name: "Mean".into(), value, color: palette.strong, width: 2.4 });
        }
        let (x, y) = (plotting::x_axis("τ", &palette), plotting::y_axis("", &palette));
        let tau_label = |tau: f64| match tau {
            tau if (-1e-9..=1.0001).contains(&tau) => format!("{tau:.1}"),
            _ => String::new(),
        };
        let plot = plotting::plain_plot("sweep", &palette)
            .default_x_bounds(-0.012, 1.012)
            // Room above for the name of the line at τ.
            .default_y_bounds(-0.02, 1.12)
            .custom_x_axes(vec![x.formatter(move |mark, _| tau_label(mark.value))])
            .custom_y_axes(vec![y.formatter(|mark, _| plotting::share_label(mark.value))])
            .y_grid_spacer(|input| plotting::fifths(&input));
        let metrics = [(Metric::Auroc, self.auroc), (Metric::Fpr95, self.fpr95)];
        let shown = plot.show(ui, |plot| {
            for (metric, _) in metrics.into_iter().filter(|(_, on)| *on) {
                for line in &lines {
                    let color = if faded { line.color.gamma_multiply(0.4) } else { line.color };
                    let (style, shape) = match metric {
                        Metric::Auroc => (LineStyle::Solid, MarkerShape::Circle),
                        _ => (LineStyle::Dashed { length: 7.0 }, MarkerShape::Diamond),
                    };
                    let points = || -> PlotPoints<'static> { series(sweep, line, metric).into() };
                    let name = format!("{} {metric:?}", line.name);
                    let stroke = Stroke::new(line.width, color);
                    plot.line(
                        Line::new(name.clone(), points())
                            .stroke(stroke)
                            .style(style)
                            .allow_band(false)
                            .allow_hover(false),
                    );
                    let marks = Points::new(format!("{name} points"), points()).color(color);
                    plot.points(marks.shape(shape).radius(2.2).allow_hover(false));
                }
            }
        });
        let label =
            format!("AUROC and FPR95 over τ, {} of {} steps", sweep.points.len(), sweep.steps());
        shown.response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, &label));
        if tau_ui(ui, cx, &shown.transform) {
            return;
        }
        let Some(pointer) = shown.response.hover_pos() else { return };
        let sweep = &cx.session.tuning.sweep();
        let x = shown.transform.value_from_position(pointer).x;
        let far = |point: &&SweepPoint| (f64::from(point.tau) - x).abs();
        let Some(point) = sweep.points.values().min_by(|a, b| far(a).total_cmp(&far(b))) else {
            return;
        };
        if shown.response.clicked() {
            cx.send(Command::SetTau(point.tau));
        }
        let mut text = format!("τ {:.2}", point.tau);
        for line in &lines {
            if let Some(metrics) = (line.value)(point) {
                let (auroc, fpr95) = (percent(metrics.auroc), percent(metrics.fpr95));
                text += &format!("\n{}: AUROC {auroc}, FPR95 {fpr95}", line.name);
            }
        }
        shown.response.on_hover_text_at_pointer(format!("{text}\nClick to set τ"));
    }
}

fn series(sweep: &Sweep, line: &Series, metric: Metric) -> Vec<[f64; 2]> {
    let place = |point: &SweepPoint| {
        let metrics = (line.value)(point)?;
        Some([f64::from(point.tau), *metrics.get(metric)])
    };
    sweep.points.values().filter_map(place).collect()
}

/// The present τ as a line to drag; whether the pointer is on it.
fn tau_ui(ui: &Ui, cx: &mut PanelCtx<'_>, transform: &PlotTransform) -> bool {
    let palette = Palette::of_ui(ui);
    let tau = cx.session.settings().tau;
    let frame = *transform.frame();
    let x = transform.position_from_point(&PlotPoint::new(f64::from(tau), 0.0)).x;
    if !frame.x_range().contains(x) {
        return false;
    }
    let rect = Rect::from_x_y_ranges(x - 5.0..=x + 5.0, frame.y_range());
    let handle = Handle {
        label: "τ on the sweep".into(),
        value: f64::from(tau),
        range: 0.0..=1.0,
        step: 0.01,
        cursor: CursorIcon::ResizeHorizontal,
    };
    let moved = handle.ui(ui, Id::unique("sweep τ"), rect);
    let on_it = moved.response.hovered() || moved.response.dragged();
    let width = if on_it || moved.response.has_focus() { 2.5 } else { 1.5 };
    ui.painter().vline(x, frame.y_range(), Stroke::new(width, palette.accent));
    let place = (pos2(x + 6.0, frame.top()), Align2::LEFT_TOP);
    plotting::tag_ui(ui, frame, place, &format!("τ {tau:.2}"), palette.accent);
    let dragged = moved.dragged_to.map(|pointer| transform.value_from_position(pointer).x);
    if let Some(wanted) = dragged.or(moved.set_to) {
        let wanted = ((wanted * 100.0).round() / 100.0).clamp(0.0, 1.0) as f32;
        if wanted != tau {
            cx.send(Command::SetTau(wanted));
        }
    }
    on_it
}
