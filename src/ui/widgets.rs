//! Small things that several panels draw.

use std::sync::Arc;

use eframe::egui::text::{LayoutJob, TextWrapping};
use eframe::egui::{
    self, Color32, Frame, Margin, Painter, Pos2, Rect, Response, RichText, Role, Sense, Shape,
    Stroke, TextStyle, Ui, WidgetInfo, pos2, vec2,
};

use super::theme::{Palette, RADIUS};
use crate::score::verdict::Outcome;

/// A verdict in a word.
pub fn outcome_word(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Id) => "ID",
        Some(Outcome::Ood) => "OOD",
        None => "–",
    }
}

/// A verdict's shape, so that colour is not needed to tell: a disc for ID, a diamond for OOD, a ring
/// where there is none.
pub fn outcome_shape(center: Pos2, radius: f32, outcome: Option<Outcome>, color: Color32) -> Shape {
    match outcome {
        Some(Outcome::Id) => Shape::circle_filled(center, radius, color),
        Some(Outcome::Ood) => {
            let r = radius * 1.25;
            let at = |x: f32, y: f32| center + vec2(x, y);
            let corners = vec![at(0.0, -r), at(r, 0.0), at(0.0, r), at(-r, 0.0)];
            Shape::convex_polygon(corners, color, Stroke::NONE)
        }
        None => Shape::circle_stroke(center, radius, Stroke::new(1.5, color)),
    }
}

/// A card: a raised surface with a heading.
pub fn card<R>(ui: &mut Ui, title: &str, contents: impl FnOnce(&mut Ui) -> R) -> R {
    let palette = Palette::of_ui(ui);
    let frame =
        Frame::new().fill(palette.raised).corner_radius(6).inner_margin(Margin::symmetric(10, 8));
    let inner = frame.show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        if !title.is_empty() {
            section(ui, title);
        }
        contents(ui)
    });
    ui.add_space(2.0);
    inner.inner
}

/// A small heading in capitals.
pub fn section(ui: &mut Ui, title: &str) -> Response {
    let palette = Palette::of_ui(ui);
    let text = RichText::new(title.to_uppercase()).size(10.5).color(palette.weak).strong();
    ui.label(text)
}

/// A label on the left, a value on the right, on one line.
pub fn fact(ui: &mut Ui, label: &str, value: impl Into<String>, hint: &str) {
    let palette = Palette::of_ui(ui);
    let row = ui.horizontal(|ui| {
        ui.label(RichText::new(label).color(palette.weak));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.add(egui::Label::new(RichText::new(value).color(palette.strong)).truncate());
        });
    });
    if !hint.is_empty() {
        row.response.on_hover_text(hint);
    }
}

/// A bar from 0 to 1 with a tick at `threshold`.
pub fn bar(ui: &Ui, rect: Rect, value: f32, threshold: Option<f32>, color: Color32) {
    let palette = Palette::of_ui(ui);
    let painter = ui.painter();
    painter.rect_filled(rect, 2.0, palette.widget);
    let mut filled = rect;
    filled.set_width(rect.width() * value.clamp(0.0, 1.0));
    painter.rect_filled(filled, 2.0, color);
    if let Some(threshold) = threshold {
        let x = egui::lerp(rect.x_range(), threshold.clamp(0.0, 1.0));
        let span = rect.top() - 2.0..=rect.bottom() + 2.0;
        painter.vline(x, span, Stroke::new(1.5, palette.strong));
    }
}

/// A button that stays pressed while `on`, with an accessible name.
pub fn toggle(ui: &mut Ui, on: bool, text: &str, hint: &str) -> Response {
    ui.add(egui::Button::selectable(on, text)).on_hover_text(hint)
}

/// In a row that wraps, begins another where less than `width` points are left: what comes next stands
/// on one line.
pub fn keep_together(ui: &mut Ui, width: f32) {
    if ui.available_size_before_wrap().x < width {
        ui.end_row();
    }
}

/// A line of text that ends in an ellipsis where it is wider than `width` points.
pub fn elided(
    painter: &Painter,
    text: &str,
    size: f32,
    color: Color32,
    width: f32,
) -> Arc<egui::Galley> {
    let font = egui::FontId::proportional(size);
    let mut job = LayoutJob::simple_singleline(text.to_owned(), font, color);
    job.wrap = TextWrapping::truncate_at_width(width.max(0.0));
    painter.layout_job(job)
}

/// A name of at most so many letters: what is left out is in the middle, since names of folders and
/// files differ at their ends.
pub fn shortened(name: &str, most: usize) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= most || most < 3 {
        return name.to_owned();
    }
    let tail = (most - 1) / 2;
    let (head, tail) = (&letters[..most - 1 - tail], &letters[letters.len() - tail..]);
    head.iter().chain(&['…']).chain(tail).collect()
}

/// What stands in the middle of an empty panel: a title and a note, of which as much is written as
/// there is room for.
pub fn empty_note(ui: &mut Ui, title: &str, note: &str) {
    note_ui(ui, title, note);
}

/// As [`empty_note`], with a row of buttons under it, each with its hint; the place of the one that was
/// clicked.
pub fn empty_choice(
    ui: &mut Ui,
    title: &str,
    note: &str,
    buttons: &[(&str, &str)],
) -> Option<usize> {
    let rect = ui.available_rect_before_wrap();
    let below = note_ui(ui, title, note) + 12.0;
    let share = rect.width() / buttons.len().max(1) as f32 - 8.0;
    let size = vec2(share.clamp(24.0, 150.0), 28.0);
    let pitch = size.x + 8.0;
    let left = rect.center().x - pitch * (buttons.len() as f32 - 1.0) / 2.0;
    let mut clicked = None;
    for (at, (text, hint)) in buttons.iter().enumerate() {
        let center = pos2(left + pitch * at as f32, below + size.y / 2.0);
        let button = egui::Button::new(*text).truncate();
        if ui.put(Rect::from_center_size(center, size), button).on_hover_text(*hint).clicked() {
            clicked = Some(at);
        }
    }
    clicked
}

/// The note; where it ends.
fn note_ui(ui: &mut Ui, title: &str, note: &str) -> f32 {
    let palette = Palette::of_ui(ui);
    let rect = ui.available_rect_before_wrap();
    let response = ui.allocate_rect(rect, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{title}. {note}")));
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    let width = (rect.width() - if rect.width() > 240.0 { 40.0 } else { 4.0 }).clamp(20.0, 460.0);
    let written = |text: &str, style: TextStyle, color: Color32| {
        let mut job = LayoutJob::simple(text.to_owned(), style.resolve(ui.style()), color, width);
        job.halign = egui::Align::Center;
        painter.layout_job(job)
    };
    let title = written(title, TextStyle::Heading, palette.text);
    let note = written(note, TextStyle::Body, palette.weak);
    const GAP: f32 = 6.0;
    let whole = title.size().y + GAP + note.size().y;
    let (with_note, height) = match whole <= rect.height() {
        true => (true, whole),
        false => (false, title.size().y),
    };
    let top = pos2(rect.center().x, (rect.center().y - height / 2.0).max(rect.top()));
    let below = top + vec2(0.0, title.size().y + GAP);
    painter.galley(top, title, palette.text);
    if with_note {
        painter.galley(below, note, palette.weak);
    } else {
        response.on_hover_text(note.text());
    }
    top.y + height
}

/// A pill with a verdict's shape, word and score.
pub fn badge(ui: &Ui, right_top: Pos2, outcome: Option<Outcome>, score: Option<f32>) {
    let palette = Palette::of_ui(ui);
    let color = palette.outcome(outcome);
    let score = score.map(|score| format!(" {score:.2}")).unwrap_or_default();
    let text = format!("{}{score}", outcome_word(outcome));
    let painter = ui.painter();
    let font = egui::FontId::proportional(10.5);
    let galley = painter.layout_no_wrap(text, font, Color32::WHITE);
    let size = galley.size() + vec2(19.0, 4.0);
    let rect = Rect::from_min_size(right_top - vec2(size.x, 0.0), size);
    painter.rect_filled(rect, RADIUS, Color32::from_black_alpha(185));
    let bright = if ui.visuals().dark_mode {
        color
    } else {
        Palette::of(egui::Theme::Dark).outcome(outcome)
    };
    painter.add(outcome_shape(rect.left_center() + vec2(8.5, 0.0), 3.5, outcome, bright));
    painter.galley(rect.left_top() + vec2(15.0, 2.0), galley, Color32::WHITE);
}

/// A formula without the two characters that no font here has.
pub fn formula_text(formula: &str) -> String {
    formula.replace('ₓ', "_x").replace('ᵀ', "^T")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::detectors;

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shortened("near", 24), "near");
        let short = shortened("a folder with a name that nobody can read.v2", 24);
        assert_eq!(short.chars().count(), 24);
        assert!(short.starts_with("a folder wit") && short.ends_with("read.v2"), "{short}");
    }

    #[test]
    fn what_is_told_of_detectors_can_be_drawn() {
        let ctx = egui::Context::default();
        crate::ui::theme::install(&ctx);
        ctx.begin_pass(egui::RawInput::default());
        ctx.fonts_mut(|fonts| {
            for info in detectors::all().iter().map(|detector| detector.info()) {
                let plain = egui::FontId::proportional(12.0);
                assert!(fonts.has_glyphs(&plain, info.name), "{}", info.name);
                assert!(fonts.has_glyphs(&plain, info.paper), "{}: {}", info.id, info.paper);
                for font in [plain, egui::FontId::monospace(12.0)] {
                    let formula = formula_text(info.formula);
                    assert!(fonts.has_glyphs(&font, &formula), "{}: {formula}", info.id);
                }
            }
        });
    }
}
