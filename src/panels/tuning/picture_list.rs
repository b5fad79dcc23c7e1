//! Images one below the other, with a thumbnail, a name and a note; a click selects.

use eframe::egui::{
    self, Color32, Rect, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, pos2, vec2,
};

use crate::panels::PanelCtx;
use crate::session::Command;
use crate::ui::theme::Palette;
use crate::worker::ImageId;

const ROW: f32 = 30.0;

/// An image with what to say of it.
pub(super) struct PictureRow {
    pub image: ImageId,
    /// What stands at the right.
    pub note: String,
    /// The note's colour.
    pub color: Color32,
}

/// The list of `count` rows; those out of view cost nothing.
pub(super) fn list_ui(
    ui: &mut Ui,
    cx: &mut PanelCtx<'_>,
    salt: &str,
    count: usize,
    row: impl Fn(usize) -> PictureRow,
) {
    ui.spacing_mut().item_spacing.y = 1.0;
    let area = ScrollArea::vertical().id_salt(salt).auto_shrink(false);
    area.show_rows(ui, ROW, count, |ui, range| {
        for at in range {
            row_ui(ui, cx, &row(at));
        }
    });
}

fn row_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, row: &PictureRow) {
    let Some(entry) = cx.session.entry(row.image) else { return };
    let palette = Palette::of_ui(ui);
    let size = vec2(ui.available_width(), ROW);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let selected = cx.session.selected.contains(&entry.id);
    let label = format!("{} {}, {}", entry.set, entry.name, row.note);
    response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, selected, &label));
    let fill = match (selected, response.hovered()) {
        (true, _) => palette.accent_soft,
        (false, true) => palette.hovered,
        _ => Color32::TRANSPARENT,
    };
    ui.painter().rect_filled(rect, 3.0, fill);
    let frame = Rect::from_min_size(rect.min + vec2(2.0, 1.0), vec2(ROW - 2.0, ROW - 2.0));
    if let Some(small) = &entry.thumbnail {
        let texture = cx.pictures.thumbnail(ui.ctx(), entry.id, small);
        let size = texture.size_vec2();
        let spare = vec2((1.0 - size.y / size.x).max(0.0), (1.0 - size.x / size.y).max(0.0)) / 2.0;
        let uv = Rect::from_min_max(pos2(spare.x, spare.y), pos2(1.0 - spare.x, 1.0 - spare.y));
        ui.painter().image(texture.id(), frame, uv, Color32::WHITE);
    } else {
        ui.painter().rect_filled(frame, 2.0, palette.raised);
    }
    let inner =
        Rect::from_min_max(pos2(frame.right() + 6.0, rect.top()), rect.max - vec2(6.0, 0.0));
    let mut line = ui.new_child(
        egui::UiBuilder::new()
            .max_rect(inner)
            .layout(egui::Layout::right_to_left(egui::Align::Center)),
    );
    line.label(RichText::new(&row.note).small().color(row.color));
    let name = RichText::new(&entry.name).color(palette.text);
    line.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
        ui.add(egui::Label::new(name).truncate().selectable(false));
    });
    if response.clicked() {
        cx.view.reveal = true;
        cx.send(Command::Select(vec![row.image]));
    }
    response.on_hover_ui(|ui| {
        ui.label(RichText::new(&entry.name).strong());
        ui.label(format!("Set {}", entry.set));
        if let Some(analysis) = &entry.analysis {
            ui.label(analysis.verdict.reason.to_string());
        }
    });
}
