//! The images as thumbnails.

use eframe::egui::{
    self, Align2, Color32, CornerRadius, FontId, Rect, RichText, Role, ScrollArea, Sense, Stroke,
    StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use super::{Gallery, PanelCtx, describe};
use crate::session::entry::Entry;
use crate::ui::theme::Palette;
use crate::ui::widgets::{badge, elided};

/// Height of a line under a thumbnail, in points.
const LINE: f32 = 16.0;
/// Space between tiles, in points.
const GAP: f32 = 6.0;

/// Sizes of a tile, in points.
#[derive(Clone, Copy)]
struct TileSize {
    side: f32,
    caption: f32,
}

impl Gallery {
    pub(super) fn tiles_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        // A head that is wider than the panel must not push tiles out of it.
        let seen = ui.clip_rect().right() - ui.cursor().left();
        let width = ui.available_width().min(seen) - 8.0;
        let columns = (((width + GAP) / (self.choices.tile + GAP)).floor() as usize).max(1);
        let side = (width - GAP * (columns - 1) as f32) / columns as f32;
        // A second line where names do not tell images apart.
        let lines = if self.origins.is_empty() { LINE } else { 2.0 * LINE - 3.0 };
        let size = TileSize { side, caption: lines + 2.0 };
        let (row_height, rows) = (side + size.caption, cx.view.order.len().div_ceil(columns));
        ui.spacing_mut().item_spacing = vec2(GAP, GAP);
        let pitch = row_height + GAP;
        let in_view = (ui.available_height() / pitch).floor().max(1.0) as usize;
        (cx.view.columns, cx.view.page) = (columns, in_view * columns);
        let mut area = ScrollArea::vertical().auto_shrink(false);
        if std::mem::take(&mut cx.view.reveal)
            && let Some(at) = cx.view.place_of_focus(cx.session)
        {
            let top = (at / columns) as f32 * pitch;
            let offset = (top - (ui.available_height() - row_height) / 2.0).max(0.0);
            area = area.vertical_scroll_offset(offset);
        }
        area.show_rows(ui, row_height, rows, |ui, range| {
            for row in range {
                ui.horizontal(|ui| {
                    let from = row * columns;
                    let until = (from + columns).min(cx.view.order.len());
                    for at in from..until {
                        let id = cx.view.order[at];
                        if let Some(entry) = cx.session.entry(id) {
                            self.tile_ui(ui, cx, entry, size);
                        }
                    }
                });
            }
        });
    }

    fn tile_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>, entry: &Entry, size: TileSize) {
        let TileSize { side, caption } = size;
        let (rect, response) = ui.allocate_exact_size(vec2(side, side + caption), Sense::click());
        let selected = cx.session.selected.contains(&entry.id);
        let label = describe(entry);
        response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, selected, &label));
        if !ui.is_rect_visible(rect) {
            return;
        }
        let palette = Palette::of_ui(ui);
        let frame = Rect::from_min_size(rect.min, vec2(side, side));
        picture_ui(ui, cx, entry, frame, 5);
        state_ui(ui, entry, frame);
        let caption = Rect::from_min_max(frame.left_bottom(), rect.max).shrink2(vec2(2.0, 1.0));
        let color = if selected { palette.strong } else { palette.weak };
        let painter = ui.painter();
        let name = elided(painter, &entry.name, 11.0, color, caption.width());
        let below = caption.left_top() + vec2(0.0, name.size().y);
        painter.galley(caption.left_top() + vec2(0.0, 1.0), name, color);
        if let Some(origin) = self.origins.of(entry.id) {
            let origin = elided(painter, origin, 10.0, palette.weak, caption.width());
            painter.galley(below, origin, palette.weak);
        }
        let focused = cx.session.focus == Some(entry.id);
        if selected || response.hovered() || response.has_focus() {
            let (color, width) = match (selected, focused) {
                (true, true) => (palette.accent, 2.0),
                (true, false) => (palette.accent, 1.0),
                _ => (palette.weak, 1.0),
            };
            painter.rect_stroke(frame, 5.0, Stroke::new(width, color), StrokeKind::Inside);
        }
        self.clicks(cx, entry, &response);
        response.on_hover_ui(|ui| tooltip_ui(ui, entry, self.origins.of(entry.id)));
    }
}

/// An image's thumbnail: the middle square of it, so that they make an even grid.
pub(super) fn picture_ui(ui: &Ui, cx: &mut PanelCtx<'_>, entry: &Entry, frame: Rect, corners: u8) {
    let painter = ui.painter();
    painter.rect_filled(frame, f32::from(corners), Palette::of_ui(ui).raised);
    let Some(small) = &entry.thumbnail else { return };
    let texture = cx.pictures.thumbnail(ui.ctx(), entry.id, small);
    let size = texture.size_vec2();
    let spare = vec2((1.0 - size.y / size.x).max(0.0), (1.0 - size.x / size.y).max(0.0)) / 2.0;
    let uv = Rect::from_min_max(pos2(spare.x, spare.y), pos2(1.0 - spare.x, 1.0 - spare.y));
    let corners = CornerRadius::same(corners);
    let mut shape = egui::epaint::RectShape::filled(frame, corners, Color32::WHITE);
    let fill_texture_id = texture.id();
    shape.brush = Some(std::sync::Arc::new(egui::epaint::Brush { fill_texture_id, uv }));
    painter.add(shape);
}

/// The verdict over a thumbnail, or why there is none.
fn state_ui(ui: &Ui, entry: &Entry, frame: Rect) {
    let (painter, palette) = (ui.painter(), Palette::of_ui(ui));
    match &entry.error {
        Some(_) => {
            let triangle = [vec2(0.0, -20.0), vec2(12.0, 0.0), vec2(-12.0, 0.0)];
            let corners = triangle.map(|at| frame.center() + at).to_vec();
            let outline = Stroke::new(2.0, palette.fault);
            painter.add(egui::Shape::closed_line(corners, outline));
            let (at, font) = (frame.center() + vec2(0.0, 16.0), FontId::proportional(11.0));
            painter.text(at, Align2::CENTER_CENTER, "cannot open", font, palette.fault);
        }
        None if entry.analysis.is_some() => {
            badge(ui, frame.right_top() + vec2(-4.0, 4.0), entry.outcome(), entry.score());
        }
        None => {
            let dim = if entry.thumbnail.is_some() { 90 } else { 0 };
            painter.rect_filled(frame, 5.0, Color32::from_black_alpha(dim));
        }
    }
}

/// What there is to know of an image without opening it.
pub(super) fn tooltip_ui(ui: &mut Ui, entry: &Entry, origin: Option<&str>) {
    ui.label(RichText::new(&entry.name).strong());
    if let Some(origin) = origin {
        ui.label(format!("from {origin}"));
    }
    if let Some([width, height]) = entry.size {
        ui.label(format!("{width} × {height} px"));
    }
    match (&entry.error, &entry.analysis) {
        (Some(error), _) => drop(ui.label(error)),
        (None, Some(analysis)) => drop(ui.label(analysis.verdict.reason.to_string())),
        (None, None) => drop(ui.label("Waiting for the network")),
    }
}
