//! What colours and shapes mean, with a click to select.

use eframe::egui::{
    self, Align2, FontId, Rect, Role, ScrollArea, Sense, Ui, WidgetInfo, pos2, vec2,
};

use super::PanelCtx;
use super::plot::swatch;
use super::style::{LegendEntry, MapStyle};
use crate::colormap::viridis_srgb;
use crate::render::Shape;
use crate::ui::theme::{Palette, RADIUS};
use crate::ui::widgets::section;
use crate::worker::ImageId;

/// Draws it; the images of the line that was clicked.
pub(super) fn ui(ui: &mut Ui, style: &MapStyle, cx: &PanelCtx<'_>) -> Option<Vec<ImageId>> {
    let palette = Palette::of_ui(ui);
    let mut picked = None;
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        if let Some(scores) = style.scores {
            scale_ui(ui, scores, cx.session.lambda());
        }
        if !style.legend.is_empty() {
            section(ui, "Images");
        }
        for key in &style.legend {
            if row_ui(ui, key) {
                picked = Some(key.images.clone());
            }
        }
        ui.add_space(6.0);
        section(ui, "Shapes");
        let shapes = [
            (Shape::Circle, "in-distribution"),
            (Shape::Cross, "out-of-distribution"),
            (Shape::Star, if cx.session.embedding.is_of_names() { "name" } else { "class center" }),
        ];
        for (shape, meaning) in shapes {
            ui.horizontal(|ui| {
                let (rect, _) = ui.allocate_exact_size(vec2(16.0, 18.0), Sense::hover());
                swatch(ui, rect.center(), shape, palette.weak);
                ui.label(egui::RichText::new(meaning).size(11.5).color(palette.weak));
            });
        }
    });
    picked
}

/// One line; whether it was clicked.
fn row_ui(ui: &mut Ui, key: &LegendEntry) -> bool {
    let palette = Palette::of_ui(ui);
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width() - 6.0, 19.0), Sense::click());
    let count = key.images.len();
    let label = format!("Select {}, {count} images", key.label);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &label));
    if response.hovered() {
        ui.painter().rect_filled(rect, RADIUS, palette.raised);
    }
    swatch(ui, pos2(rect.left() + 8.0, rect.center().y), key.shape, key.color);
    let font = FontId::proportional(11.5);
    let right = rect.right_center() - vec2(4.0, 0.0);
    let number = ui.painter().text(
        right,
        Align2::RIGHT_CENTER,
        count.to_string(),
        font.clone(),
        palette.weak,
    );
    let color = if response.hovered() { palette.strong } else { palette.text };
    let mut job = egui::text::LayoutJob::simple_singleline(key.label.clone(), font, color);
    let left = rect.left() + 20.0;
    job.wrap = egui::text::TextWrapping::truncate_at_width(number.left() - left - 6.0);
    let galley = ui.painter().layout_job(job);
    let top = rect.center().y - galley.size().y / 2.0;
    ui.painter().galley(pos2(left, top), galley, color);
    response.on_hover_text("Click selects these images, Shift+click adds them").clicked()
}

/// The colours of scores from the lowest to the highest, with λ.
fn scale_ui(ui: &mut Ui, (low, high): (f32, f32), lambda: Option<f32>) {
    let palette = Palette::of_ui(ui);
    section(ui, "Score");
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width() - 12.0, 34.0), Sense::hover());
    let bar = Rect::from_min_size(rect.min + vec2(0.0, 2.0), vec2(rect.width(), 10.0));
    let steps = 48;
    for step in 0..steps {
        let at = |step: usize| egui::lerp(bar.x_range(), step as f32 / steps as f32);
        let part = Rect::from_x_y_ranges(at(step)..=at(step + 1) + 0.5, bar.y_range());
        let [r, g, b] = viridis_srgb(step as f32 / (steps - 1) as f32);
        ui.painter().rect_filled(part, 0.0, egui::Color32::from_rgb(r, g, b));
    }
    let font = FontId::proportional(10.5);
    let below = bar.bottom() + 3.0;
    let text = |at: f32, align: Align2, text: String, color| {
        ui.painter().text(pos2(at, below), align, text, font.clone(), color);
    };
    text(bar.left(), Align2::LEFT_TOP, format!("{low:.2}"), palette.weak);
    text(bar.right(), Align2::RIGHT_TOP, format!("{high:.2}"), palette.weak);
    if let Some(lambda) = lambda.filter(|lambda| (low..=high).contains(lambda)) {
        let x = egui::remap(lambda, low..=high, bar.x_range());
        let span = bar.top() - 2.0..=bar.bottom() + 2.0;
        ui.painter().vline(x, span, egui::Stroke::new(2.0, palette.accent));
        text(x, Align2::CENTER_TOP, "λ".to_owned(), palette.accent);
    }
}
