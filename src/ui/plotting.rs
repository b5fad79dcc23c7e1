//! What plots share: axes whose labels can be read, marks that stay readable over lines, legends
//! beside the data and not upon it.

use eframe::egui::{
    self, Align2, Color32, CornerRadius, FontId, Painter, Pos2, Rangef, Rect, Sense, Shape, Stroke,
    Ui, pos2, vec2,
};
use egui_plot::{AxisHints, GridInput, GridMark, LineStyle, Plot};

use super::theme::Palette;

/// Size of an axis's numbers, in points.
const TICK: f32 = 10.5;

/// A horizontal axis with a name; its numbers are dropped where they would touch.
pub fn x_axis(name: &str, palette: &Palette) -> AxisHints<'static> {
    axis(AxisHints::new_x(), name, palette).label_spacing(Rangef::new(24.0, 36.0))
}

/// A vertical axis.
pub fn y_axis(name: &str, palette: &Palette) -> AxisHints<'static> {
    axis(AxisHints::new_y(), name, palette).label_spacing(Rangef::new(11.0, 17.0))
}

fn axis<'a>(hints: AxisHints<'a>, name: &str, palette: &Palette) -> AxisHints<'a> {
    let hints = hints.tick_label_color(palette.weak).tick_label_font(FontId::proportional(TICK));
    match name {
        "" => hints,
        name => hints.label(egui::RichText::new(name).size(TICK).color(palette.weak)),
    }
}

/// A plot on the panel's own ground that neither scrolls nor shows the pointer's coordinates.
pub fn plain_plot<'a>(id: impl egui::AsIdSalt, palette: &Palette) -> Plot<'a> {
    Plot::new(id)
        .show_background(false)
        .grid_color(palette.line)
        .set_margin_fraction(vec2(0.0, 0.0))
        .allow_scroll(false)
        .show_x(false)
        .show_y(false)
}

/// A share as the label of an axis; nothing beyond 0 and 1.
pub fn share_label(share: f64) -> String {
    match share {
        share if (-1e-9..=1.0001).contains(&share) => format!("{:.0} %", share * 100.0),
        _ => String::new(),
    }
}

/// Grid lines at every fifth, at every tenth of what is on show where zoomed in.
pub fn fifths(input: &GridInput) -> Vec<GridMark> {
    let span = input.bounds.1 - input.bounds.0;
    let step = if span > 0.6 { 0.2 } else { 10f64.powf((span / 4.0).log10().floor()) };
    let (from, until) = ((input.bounds.0 / step).ceil(), (input.bounds.1 / step).floor());
    let lines = (until - from).clamp(0.0, 40.0) as usize;
    (0..=lines)
        .map(|line| GridMark { value: (from + line as f64) * step, step_size: step })
        .collect()
}

/// Grid lines of shares for a small plot: each half, or each fifth where `width` points have room for
/// the numbers.
pub fn shares(width: f32) -> impl Fn(GridInput) -> Vec<GridMark> {
    move |input| match width {
        width if width >= 260.0 => fifths(&input),
        _ => [0.0, 0.5, 1.0].map(|value| GridMark { value, step_size: 0.5 }).to_vec(),
    }
}

/// A mark's words on a ground of their own, so that no line runs through them; kept within `bounds`.
pub fn tag_ui(ui: &Ui, bounds: Rect, (at, align): (Pos2, Align2), text: &str, color: Color32) {
    let (painter, palette) = (ui.painter(), Palette::of_ui(ui));
    let galley = painter.layout_no_wrap(text.to_owned(), FontId::proportional(11.5), color);
    let mut rect = align.anchor_size(at, galley.size());
    let beyond = (rect.right() - bounds.right()).max(0.0);
    rect = rect.translate(vec2(-beyond, 0.0));
    rect = rect.translate(vec2((bounds.left() - rect.left()).max(0.0), 0.0));
    let ground = palette.panel.gamma_multiply(0.85);
    painter.rect_filled(rect.expand2(vec2(3.0, 0.0)), CornerRadius::same(3), ground);
    painter.galley(rect.min, galley, color);
}

/// A line's colour and style, small, with its name: one entry of a legend.
pub fn key_ui(ui: &mut Ui, name: &str, color: Color32, style: LineStyle) -> egui::Response {
    let palette = Palette::of_ui(ui);
    let font = FontId::proportional(11.0);
    let galley = ui.painter().layout_no_wrap(name.to_owned(), font, palette.text);
    let (rect, response) = ui.allocate_exact_size(galley.size() + vec2(24.0, 4.0), Sense::hover());
    let y = rect.center().y;
    let ends = [pos2(rect.left(), y), pos2(rect.left() + 18.0, y)];
    line_sample(ui.painter(), ends, Stroke::new(2.0, color), style);
    let at = pos2(rect.left() + 23.0, y - galley.size().y / 2.0);
    ui.painter().galley(at, galley, palette.text);
    response
}

/// A line's style alone, beside what it stands for.
pub fn style_sample_ui(ui: &mut Ui, style: LineStyle) {
    let color = Palette::of_ui(ui).text;
    let (rect, _) = ui.allocate_exact_size(vec2(20.0, 14.0), Sense::hover());
    let ends = [rect.left_center(), rect.right_center()];
    line_sample(ui.painter(), ends, Stroke::new(2.0, color), style);
}

/// A short piece of a line in its style.
fn line_sample(painter: &Painter, ends: [Pos2; 2], stroke: Stroke, style: LineStyle) {
    match style {
        LineStyle::Solid => {
            painter.line_segment(ends, stroke);
        }
        LineStyle::Dashed { .. } => painter.extend(Shape::dashed_line(&ends, stroke, 5.0, 3.0)),
        LineStyle::Dotted { .. } => {
            painter.extend(Shape::dotted_line(&ends, stroke.color, 4.5, 1.3));
        }
    }
}
