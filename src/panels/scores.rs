//! The scores of all open images, set by set, on one axis with λ.

use eframe::egui::{
    self, Align2, FontId, Pos2, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2,
};

use super::{Panel, PanelCtx};
use crate::app::command::Command;
use crate::app::state::Entry;
use crate::score::verdict::Outcome;
use crate::ui::theme::Palette;
use crate::ui::widgets::{empty_note, outcome_shape};
use crate::worker::ImageId;

/// The most images drawn one by one.
const MARKS: usize = 4000;

/// The panel.
#[derive(Default)]
pub struct Scores {
    lanes: Vec<Lane>,
    seen: u64,
}

struct Lane {
    set: String,
    marks: Vec<(f32, Option<Outcome>, ImageId)>,
}

impl Panel for Scores {
    fn name(&self) -> &'static str {
        "scores"
    }

    fn title(&self) -> &'static str {
        "Scores"
    }

    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        if self.seen != cx.model.revision {
            self.lanes = lanes(cx.model.entries());
            self.seen = cx.model.revision;
        }
        if self.lanes.is_empty() {
            return empty_note(ui, "Scores", "Every open image appears here with its score.");
        }
        let palette = Palette::of_ui(ui);
        let (rect, response) = ui.allocate_exact_size(ui.available_size(), Sense::click());
        let known: Vec<f32> =
            self.lanes.iter().flat_map(|lane| lane.marks.iter().map(|mark| mark.0)).collect();
        let ids = self.lanes.iter().flat_map(|lane| &lane.marks);
        let id_count = ids.filter(|mark| mark.1 == Some(Outcome::Id)).count();
        let label = format!("Scores of {} images, {id_count} in-distribution", known.len());
        response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, &label));
        let lambda = cx.model.lambda();
        let all = known.iter().copied().chain(lambda);
        let (low, high) = all.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), score| {
            (low.min(score), high.max(score))
        });
        let margin = ((high - low) * 0.04).max(1e-3);
        let (low, high) = (low - margin, high + margin);
        let plot = Rect::from_min_max(rect.min + vec2(96.0, 4.0), rect.max - vec2(12.0, 20.0));
        let x_of = |score: f32| egui::remap(score, low..=high, plot.x_range());
        axis(ui, plot, low, high);
        if let Some(x) = lambda.map(x_of) {
            let painter = ui.painter();
            let left = Rect::from_min_max(plot.min, pos2(x, plot.bottom()));
            painter.rect_filled(left, 0.0, palette.ood.gamma_multiply(0.06));
            painter.vline(x, plot.y_range(), Stroke::new(1.5, palette.accent));
            let font = FontId::proportional(11.0);
            painter.text(pos2(x + 4.0, plot.top()), Align2::LEFT_TOP, "λ", font, palette.accent);
        }
        let height = (plot.height() / self.lanes.len() as f32).min(64.0);
        let mut nearest: Option<(f32, ImageId)> = None;
        for (row, lane) in self.lanes.iter().enumerate() {
            let middle = plot.top() + height * (row as f32 + 0.5);
            name(ui, lane, pos2(rect.left() + 4.0, middle));
            for &(score, outcome, id) in lane.marks.iter().take(MARKS) {
                let at = pos2(x_of(score), middle + jitter(id) * height * 0.32);
                let focused = cx.model.focus == Some(id);
                let color = palette.outcome(outcome);
                let color = if focused { color } else { color.gamma_multiply(0.8) };
                ui.painter().add(outcome_shape(at, 4.0, outcome, color));
                if focused {
                    ui.painter().circle_stroke(at, 8.0, Stroke::new(1.5, palette.strong));
                }
                if let Some(pointer) = response.hover_pos() {
                    let distance = pointer.distance(at);
                    if distance < nearest.map_or(10.0, |nearest| nearest.0) {
                        nearest = Some((distance, id));
                    }
                }
            }
        }
        let Some((_, id)) = nearest else { return };
        if response.clicked() {
            cx.view.reveal = true;
            cx.commands.push(Command::Select(vec![id]));
        }
        if let Some(entry) = cx.model.entry(id) {
            let score = entry.score().unwrap_or_default();
            response.on_hover_text_at_pointer(format!("{}: {score:.3}", entry.name));
        }
    }
}

fn lanes(entries: &[Entry]) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    for entry in entries {
        let Some(score) = entry.score() else { continue };
        let mark = (score, entry.outcome(), entry.id);
        match lanes.iter_mut().find(|lane| lane.set == entry.set) {
            Some(lane) => lane.marks.push(mark),
            None => lanes.push(Lane { set: entry.set.clone(), marks: vec![mark] }),
        }
    }
    lanes
}

fn name(ui: &Ui, lane: &Lane, at: Pos2) {
    let palette = Palette::of_ui(ui);
    let font = FontId::proportional(11.5);
    let set = if lane.set.is_empty() { "Pasted" } else { &lane.set };
    let mut job = egui::text::LayoutJob::simple_singleline(set.to_owned(), font, palette.text);
    job.wrap = egui::text::TextWrapping::truncate_at_width(84.0);
    let galley = ui.painter().layout_job(job);
    ui.painter().galley(at - vec2(0.0, galley.size().y / 2.0), galley, palette.text);
}

fn axis(ui: &Ui, plot: Rect, low: f32, high: f32) {
    let palette = Palette::of_ui(ui);
    let painter = ui.painter();
    let step = nice_step((high - low) / (plot.width() / 90.0).max(1.0));
    let mut tick = (low / step).ceil() * step;
    while tick <= high {
        let x = egui::remap(tick, low..=high, plot.x_range());
        painter.vline(x, plot.y_range(), Stroke::new(1.0, palette.line));
        let decimals = (-step.log10().floor()).clamp(0.0, 5.0) as usize;
        let text = format!("{tick:.decimals$}");
        let font = FontId::proportional(10.5);
        painter.text(pos2(x, plot.bottom() + 4.0), Align2::CENTER_TOP, text, font, palette.weak);
        tick += step;
    }
}

/// 1, 2 or 5 times a power of ten, at least `rough`.
fn nice_step(rough: f32) -> f32 {
    let power = 10f32.powf(rough.max(1e-6).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    steps.into_iter().find(|step| *step >= rough).unwrap_or(power * 10.0)
}

/// -1 to 1, the same for the same image: it keeps marks of equal scores apart.
fn jitter(id: ImageId) -> f32 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    (hasher.finish() % 1000) as f32 / 500.0 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        for (rough, step) in [(0.03, 0.05), (0.11, 0.2), (7.0, 10.0), (1.0, 1.0)] {
            assert!((nice_step(rough) - step).abs() < 1e-6 * step.max(1.0), "{rough}");
        }
    }
}
