//! How the scores of each set are spread, with λ to drag across them, and the images that λ decides
//! wrongly.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use eframe::egui::{
    self, Align2, Color32, CursorIcon, FontId, Id, Key, Rect, RichText, Role, Sense, Stroke, Ui,
    WidgetInfo, pos2, vec2,
};

use super::picture_list::{PictureRow, list_ui};
use super::sets::{
    chips_ui, counts_ui, lambda_label_ui, nothing_ui, partial_ui, set_color, weak_ui,
};
use super::{lambda_text, score_bounds};
use crate::panels::{Home, Panel, PanelCtx, PanelInfo};
use crate::score::verdict::Outcome;
use crate::session::Command;
use crate::session::curves::{Measured, MeasuredSet};
use crate::ui::handle::Handle;
use crate::ui::theme::Palette;
use crate::ui::widgets::{elided, outcome_shape};
use crate::worker::ImageId;

/// Fewest and most bins across the scores' range.
const BINS: (f32, f32) = (28.0, 64.0);
/// Sets with fewer images are drawn image by image.
const FEW: usize = 24;
/// Room for the sets' names, at least and at most, in points.
const NAMES: (f32, f32) = (46.0, 92.0);
/// Room for the images that are rejected before they are scored, in points.
const REJECTED: f32 = 34.0;

/// Images on the wrong side of λ: how far, the set, the image.
type Wrong = Vec<(f32, usize, ImageId)>;

/// Scores of each set as histograms, with λ to drag and the four counts.
#[derive(Default)]
pub(crate) struct Histogram {
    /// The images that λ decides wrongly, with what they were found for.
    wrong: Option<(u64, Option<f32>, Wrong)>,
}

/// Where scores lie on screen.
struct ScoreScale {
    low: f32,
    high: f32,
    bins: usize,
    /// Room for names.
    names: f32,
    plot: Rect,
}

impl ScoreScale {
    fn x(&self, score: f32) -> f32 {
        egui::remap(score, self.low..=self.high, self.plot.x_range())
    }

    fn score(&self, x: f32) -> f32 {
        egui::remap(x, self.plot.x_range(), self.low..=self.high)
    }

    /// Where a bin begins.
    fn edge(&self, bin: usize) -> f32 {
        self.low + (self.high - self.low) * bin as f32 / self.bins as f32
    }

    /// The scores of a bin.
    fn bin<'a>(&self, set: &'a MeasuredSet, bin: usize) -> &'a [(f32, ImageId)] {
        set.between(self.edge(bin), self.edge(bin + 1))
    }
}

/// Its name, place and key.
pub(crate) const PANEL: PanelInfo = PanelInfo {
    name: "scores",
    title: "Scores",
    home: Home::Bottom,
    key: Some(Key::H),
    make: || Box::new(Histogram::default()),
};

/// What stands in the place of counts where nobody said what would be right.
const NO_ROLES: &str = "Click a set to say whether it is ID or OOD";

impl Panel for Histogram {
    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let Some(measured) = cx.session.tuning.present.clone() else {
            return nothing_ui(ui, cx, "Scores");
        };
        if measured.sets.iter().all(|set| set.sorted.is_empty()) {
            return nothing_ui(ui, cx, "Scores");
        }
        ui.horizontal_wrapped(|ui| {
            chips_ui(ui, cx);
            ui.add_space(8.0);
            if let Some(lambda) = cx.session.lambda() {
                lambda_label_ui(ui, cx.session, lambda);
                ui.add_space(4.0);
                match measured.counts_at(lambda) {
                    Some(counts) => counts_ui(ui, counts),
                    None => drop(weak_ui(ui, NO_ROLES)),
                }
            }
            partial_ui(ui, cx.session, &measured);
        });
        super::side_by_side(ui, |ui| {
            let width = ui.available_width();
            let side = if width > 560.0 { 230.0 } else { 0.0 };
            super::column(ui, width - side - 8.0, |ui| lanes_ui(ui, cx, &measured));
            if side > 0.0 {
                super::column(ui, side, |ui| self.wrong_ui(ui, cx, &measured));
            }
        });
    }
}

impl Histogram {
    fn wrong_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>, measured: &Measured) {
        let palette = Palette::of_ui(ui);
        let Some(lambda) = cx.session.lambda() else {
            weak_ui(ui, "This detector has no λ yet: open an in-distribution set, or set one.");
            return;
        };
        if !matches!(&self.wrong, Some((r, l, _)) if *r == measured.revision && *l == Some(lambda))
        {
            let wrong = most_wrong(measured, lambda);
            self.wrong = Some((measured.revision, Some(lambda), wrong));
        }
        let Some((.., wrong)) = &self.wrong else { return };
        ui.horizontal(|ui| {
            let text = format!("Most wrong first ({})", wrong.len());
            ui.label(RichText::new(text).small().color(palette.weak));
            let text = RichText::new("Select all").small();
            let all = ui.add_enabled(!wrong.is_empty(), egui::Button::new(text));
            if all.on_hover_text("Select every image that λ decides wrongly").clicked() {
                // The last one selected is shown: the worst.
                let images = wrong.iter().rev().map(|(.., id)| *id).collect();
                cx.view.reveal = true;
                cx.send(Command::Select(images));
            }
        });
        let session = cx.session;
        list_ui(ui, cx, "wrong", wrong.len(), |at| {
            let (score, set, image) = wrong[at];
            PictureRow { image, note: score_text(score), color: set_color(&palette, session, set) }
        });
    }
}

/// The wrongly decided images of all sets, the farthest from λ first, with the place of their set.
fn most_wrong(measured: &Measured, lambda: f32) -> Vec<(f32, usize, ImageId)> {
    let of_set = |set: &MeasuredSet| {
        let place = set.set;
        set.wrong(lambda).into_iter().map(move |(score, id)| (score, place, id))
    };
    let mut wrong: Vec<(f32, usize, ImageId)> = measured.sets.iter().flat_map(of_set).collect();
    wrong.sort_by(|a, b| (b.0 - lambda).abs().total_cmp(&(a.0 - lambda).abs()));
    wrong
}

fn score_text(score: f32) -> String {
    if score.is_finite() { format!("{score:.3}") } else { "no score".into() }
}

fn lanes_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, measured: &Measured) {
    let palette = Palette::of_ui(ui);
    let (rect, response) = ui.allocate_exact_size(ui.available_size(), Sense::click());
    let scored: usize = measured.sets.iter().map(|set| set.sorted.len()).sum();
    let label = format!("Histogram of {scored} scores in {} sets", measured.sets.len());
    response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, &label));
    let (low, high) = score_bounds(cx.session, measured);
    let has_rejected = measured.sets.iter().any(|set| !set.hard_rejected().is_empty());
    let names = (rect.width() * 0.22).clamp(NAMES.0, NAMES.1);
    let left = names + if has_rejected { REJECTED } else { 0.0 };
    let plot = Rect::from_min_max(rect.min + vec2(left, 12.0), rect.max - vec2(14.0, 18.0));
    if !plot.is_positive() {
        return;
    }
    let scale = ScoreScale { low, high, bins: bins(measured), names, plot };
    axis(ui, &scale, has_rejected);
    let lambda = cx.session.lambda();
    if let Some(lambda) = lambda.filter(|lambda| lambda.is_finite()) {
        let x = scale.x(lambda).clamp(plot.left(), plot.right());
        let rejected = Rect::from_min_max(plot.min, pos2(x, plot.bottom()));
        ui.painter().rect_filled(rejected, 0.0, palette.ood.gamma_multiply(0.05));
    }
    let height = plot.height() / measured.sets.len().max(1) as f32;
    let mut hovered = None;
    for (row, set) in measured.sets.iter().enumerate() {
        let top = plot.top() + height * row as f32;
        let lane = Rect::from_x_y_ranges(plot.x_range(), top + 3.0..=top + height - 1.0);
        lane_ui(ui, cx, set, &scale, lane);
        bins_ui(ui, cx, set, &scale, lane);
        if response.hover_pos().is_some_and(|at| lane.y_range().contains(at.y)) {
            hovered = Some(set);
        }
    }
    let on_lambda = lambda.is_some_and(|lambda| threshold_ui(ui, cx, &scale, lambda));
    if let Some(set) = hovered.filter(|_| !on_lambda) {
        hover_ui(cx, &response, set, &scale);
    }
}

/// How many bins show the shape of sets of this size, and not each image.
fn bins(measured: &Measured) -> usize {
    let largest = measured.sets.iter().map(|set| set.sorted.len()).max().unwrap_or(0);
    ((largest as f32).sqrt() * 4.0).clamp(BINS.0, BINS.1) as usize
}

/// A set's name, its baseline and its bars, or its images one by one where they are few.
fn lane_ui(ui: &Ui, cx: &PanelCtx<'_>, set: &MeasuredSet, scale: &ScoreScale, lane: Rect) {
    let palette = Palette::of_ui(ui);
    let painter = ui.painter();
    let color = set_color(&palette, cx.session, set.set);
    painter.hline(scale.plot.x_range(), lane.bottom(), Stroke::new(1.0, palette.line));
    let left = ui.min_rect().left() + 2.0;
    // A low lane has room for one line alone.
    let two = lane.height() >= 26.0 && scale.names > 70.0;
    let galley = elided(painter, &set.title, 12.0, color, scale.names - 8.0);
    let height = galley.size().y;
    let top = lane.center().y - if two { height } else { height / 2.0 };
    painter.galley(pos2(left, top), galley, color);
    if let Some(lambda) = cx.session.lambda().filter(|_| two) {
        let kept = set.sorted.len() - set.first_kept(lambda);
        let share = 100.0 * kept as f32 / set.sorted.len().max(1) as f32;
        let text = format!("{share:.1} % kept");
        let at = pos2(left, lane.center().y + 1.0);
        painter.text(at, Align2::LEFT_TOP, text, FontId::proportional(10.0), palette.weak);
    }
    let rejected = set.hard_rejected().len();
    if rejected > 0 {
        let share = rejected as f32 / set.sorted.len().max(1) as f32;
        let bar = Rect::from_min_max(
            pos2(lane.left() - REJECTED + 6.0, lane.bottom() - share * lane.height()),
            pos2(lane.left() - 8.0, lane.bottom()),
        );
        painter.rect_filled(bar, 1.0, color.gamma_multiply(0.35));
        painter.rect_stroke(bar, 1.0, Stroke::new(1.0, color), egui::StrokeKind::Inside);
    }
    if set.sorted.len() < FEW {
        marks(ui, cx, set, scale, lane);
        return;
    }
    let counts: Vec<usize> = (0..scale.bins).map(|bin| scale.bin(set, bin).len()).collect();
    let most = counts.iter().copied().max().unwrap_or(0).max(1) as f32;
    let lambda = cx.session.lambda().unwrap_or(f32::NEG_INFINITY);
    for (bin, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
        let (from, until) = (scale.edge(bin), scale.edge(bin + 1));
        let top = lane.bottom() - (lane.height() * count as f32 / most).max(1.0);
        let bar = Rect::from_min_max(
            pos2(scale.x(from) + 0.5, top),
            pos2(scale.x(until) - 0.5, lane.bottom()),
        );
        // What λ decides wrongly is drawn solid, the rest is faint.
        let middle = (from + until) / 2.0;
        let right = cx.session.truth(set.set).is_none_or(|truth| match truth {
            Outcome::Id => middle >= lambda,
            Outcome::Ood => middle < lambda,
        });
        painter.rect_filled(bar, 1.0, if right { color.gamma_multiply(0.55) } else { color });
    }
}

/// A place across a lane, from -0.5 to 0.5: always the same for an image.
fn scatter(name: &str) -> f32 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    (hasher.finish() % 1000) as f32 / 1000.0 - 0.5
}

/// The images of a small set, one by one.
fn marks(ui: &Ui, cx: &PanelCtx<'_>, set: &MeasuredSet, scale: &ScoreScale, lane: Rect) {
    let palette = Palette::of_ui(ui);
    for &(score, id) in set.sorted.iter().filter(|(score, _)| score.is_finite()) {
        let Some(entry) = cx.session.entry(id) else { continue };
        let spread = scatter(&entry.name);
        let at = pos2(scale.x(score), lane.center().y + spread * lane.height() * 0.6);
        let color = palette.outcome(entry.outcome());
        ui.painter().add(outcome_shape(at, 4.0, entry.outcome(), color));
        if cx.session.focus == Some(id) {
            ui.painter().circle_stroke(at, 8.0, Stroke::new(1.5, palette.strong));
        }
    }
}

/// Bins as things to click, which assistive tools see one by one.
fn bins_ui(ui: &Ui, cx: &mut PanelCtx<'_>, set: &MeasuredSet, scale: &ScoreScale, lane: Rect) {
    let mut bin_ui = |name: &str, range: String, rect: Rect, images: &[(f32, ImageId)]| {
        if images.is_empty() {
            return;
        }
        let response = ui.interact(rect, ui.scope_id().with((name, set.set)), Sense::click());
        let count = images.len();
        let label = format!("{}, scores {range}: {count} images", set.title);
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &label));
        if response.hovered() {
            let fill = Color32::from_gray(128).gamma_multiply(0.18);
            ui.painter().rect_filled(rect, 0.0, fill);
        }
        if response.clicked() {
            cx.view.reveal = true;
            cx.send(Command::Select(images.iter().map(|(_, id)| *id).collect()));
        }
        response.on_hover_text_at_pointer(format!("{label}\nClick to select them"));
    };
    let rejected =
        Rect::from_x_y_ranges(lane.left() - REJECTED + 4.0..=lane.left() - 6.0, lane.y_range());
    bin_ui("rejected", "rejected without one".into(), rejected, set.hard_rejected());
    if set.sorted.len() < FEW {
        return;
    }
    for bin in 0..scale.bins {
        let (from, until) = (scale.edge(bin), scale.edge(bin + 1));
        let rect = Rect::from_x_y_ranges(scale.x(from)..=scale.x(until), lane.y_range());
        let range = format!("{from:.3} to {until:.3}");
        bin_ui(&format!("bin {bin}"), range, rect, scale.bin(set, bin));
    }
}

/// The nearest image of a small set under the pointer.
fn hover_ui(
    cx: &mut PanelCtx<'_>,
    response: &egui::Response,
    set: &MeasuredSet,
    scale: &ScoreScale,
) {
    let Some(pointer) = response.hover_pos().filter(|_| set.sorted.len() < FEW) else { return };
    let far = |score: f32| (scale.x(score) - pointer.x).abs();
    let scored = set.sorted.iter().filter(|(score, _)| score.is_finite());
    let Some(&(score, id)) = scored.min_by(|a, b| far(a.0).total_cmp(&far(b.0))) else { return };
    if far(score) > 10.0 {
        return;
    }
    if response.clicked() {
        cx.view.reveal = true;
        cx.send(Command::Select(vec![id]));
    }
    if let Some(entry) = cx.session.entry(id) {
        response.clone().on_hover_text_at_pointer(format!("{}: {score:.3}", entry.name));
    }
}

/// λ as a line across all lanes; whether the pointer is on it.
fn threshold_ui(ui: &Ui, cx: &mut PanelCtx<'_>, scale: &ScoreScale, lambda: f32) -> bool {
    let palette = Palette::of_ui(ui);
    let x = scale.x(lambda).clamp(scale.plot.left(), scale.plot.right());
    let span = scale.plot.top() - 8.0..=scale.plot.bottom();
    let rect = Rect::from_x_y_ranges(x - 5.0..=x + 5.0, span.clone());
    let handle = Handle {
        label: "λ on the histogram".into(),
        value: f64::from(lambda),
        range: f64::from(scale.low)..=f64::from(scale.high),
        step: f64::from(scale.high - scale.low) / 200.0,
        cursor: CursorIcon::ResizeHorizontal,
    };
    let moved = handle.ui(ui, Id::unique("histogram λ"), rect);
    let on_it = moved.response.hovered() || moved.response.dragged();
    let width = if on_it || moved.response.has_focus() { 2.5 } else { 1.5 };
    ui.painter().vline(x, span, Stroke::new(width, palette.accent));
    let top = pos2(x, scale.plot.top() - 8.0);
    let grip = vec![top + vec2(-5.0, -4.0), top + vec2(5.0, -4.0), top + vec2(0.0, 4.0)];
    ui.painter().add(egui::Shape::convex_polygon(grip, palette.accent, Stroke::NONE));
    let font = FontId::proportional(11.5);
    let text = format!("λ {}", lambda_text(f64::from(lambda)));
    let right = x < scale.plot.center().x;
    let (align, by) = if right { (Align2::LEFT_CENTER, 9.0) } else { (Align2::RIGHT_CENTER, -9.0) };
    ui.painter().text(top + vec2(by, 0.0), align, text, font, palette.accent);
    let dragged = moved.dragged_to.map(|pointer| f64::from(scale.score(pointer.x)));
    let wanted = dragged.map(|score| score.clamp(f64::from(scale.low), f64::from(scale.high)));
    if let Some(wanted) = wanted.or(moved.set_to) {
        let wanted = wanted as f32;
        if wanted != lambda {
            cx.send(Command::SetLambda(Some(wanted)));
        }
    }
    on_it
}

fn axis(ui: &Ui, scale: &ScoreScale, has_rejected: bool) {
    let palette = Palette::of_ui(ui);
    let painter = ui.painter();
    let plot = scale.plot;
    let font = FontId::proportional(10.5);
    let step = nice_step((scale.high - scale.low) / (plot.width() / 90.0).max(1.0));
    let mut tick = (scale.low / step).ceil() * step;
    while tick <= scale.high {
        let x = scale.x(tick);
        painter.vline(x, plot.y_range(), Stroke::new(1.0, palette.line));
        let decimals = (-step.log10().floor()).clamp(0.0, 5.0) as usize;
        let text = format!("{tick:.decimals$}");
        let at = pos2(x, plot.bottom() + 3.0);
        painter.text(at, Align2::CENTER_TOP, text, font.clone(), palette.weak);
        tick += step;
    }
    if has_rejected {
        let at = pos2(plot.left() - REJECTED / 2.0 - 1.0, plot.bottom() + 3.0);
        painter.text(at, Align2::CENTER_TOP, "none", font, palette.weak);
    }
}

/// 1, 2 or 5 times a power of ten, at least `rough`.
fn nice_step(rough: f32) -> f32 {
    let power = 10f32.powf(rough.max(1e-6).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    steps.into_iter().find(|step| *step >= rough).unwrap_or(power * 10.0)
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
