//! Thumbnails of the open images with their verdicts.

mod only;

use eframe::egui::{
    self, Align2, Color32, ComboBox, CornerRadius, FontId, Key, Rect, RichText, Role, ScrollArea,
    Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use super::WindowCommand;
use super::gallery_order::{GalleryFilter, Kind, Sort, survey};
use super::{Home, Panel, PanelCtx, PanelInfo};
use crate::session::Command;
use crate::session::entry::Entry;
use crate::ui::theme::Palette;
use crate::ui::widgets::{badge, empty_note, outcome_word};
use crate::worker::ImageId;

/// Thumbnails' smallest side, in points.
const TILE: f32 = 104.0;
/// Height of the name under a thumbnail, in points.
const CAPTION: f32 = 18.0;
/// Space between tiles, in points.
const GAP: f32 = 6.0;

/// The open images as tiles: sorted, filtered, selected.
#[derive(Default)]
pub(super) struct Gallery {
    filter: GalleryFilter,
    seen: Option<(u64, GalleryFilter, f64)>,
    counts: [usize; 4],
    sets: Vec<String>,
    anchor: Option<ImageId>,
    /// The selection that was last seen, and whether it was made here.
    selection: Vec<ImageId>,
    chosen_here: bool,
}

/// Its name, place and key.
pub(super) const PANEL: PanelInfo = PanelInfo {
    name: "gallery",
    title: "Images",
    home: Home::Left,
    key: None,
    make: || Box::new(Gallery::default()),
};

impl Panel for Gallery {
    fn choices(&self) -> Option<serde_json::Value> {
        serde_json::to_value(self.filter.sort).ok()
    }

    fn choose(&mut self, choices: &serde_json::Value) {
        if let Ok(choices) = serde::Deserialize::deserialize(choices) {
            self.filter.sort = choices;
        }
    }

    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        self.follow_keys(cx);
        self.follow_selection(cx);
        self.refresh(ui, cx);
        if !cx.session.entries().is_empty() {
            self.tools_ui(ui, cx);
        }
        if cx.session.entries().is_empty() {
            let note = "Drop images or folders here, press Ctrl+O to open files, Ctrl+Shift+O for a \
                        folder, Ctrl+V to paste a picture, or G for the demo world.";
            return empty_note(ui, "No images yet", note);
        }
        if cx.view.order.is_empty() {
            return empty_note(ui, "Nothing matches", "Clear the filter to see all images.");
        }
        self.tiles_ui(ui, cx);
    }
}

impl Gallery {
    /// Filters and sorts anew when something changed, at most ten times a second while results
    /// stream in.
    fn refresh(&mut self, ui: &Ui, cx: &mut PanelCtx<'_>) {
        let now = ui.input(|input| input.time);
        if let Some((revision, filter, at)) = &self.seen {
            if *revision == cx.session.revision() && *filter == self.filter {
                return;
            }
            if *filter == self.filter && now - at < 0.1 && !cx.view.order.is_empty() {
                return ui.ctx().request_repaint_after_secs(0.1);
            }
        }
        cx.view.order = self.filter.order(cx.session);
        (self.counts, self.sets) = survey(cx.session);
        self.seen = Some((cx.session.revision(), self.filter.clone(), now));
    }

    fn tools_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        ui.horizontal(|ui| {
            // In a narrow column the button gives way: the menu and Ctrl+O open files, too.
            let opens = ui.available_width() >= 160.0;
            let width = ui.available_width() - if opens { 66.0 } else { 8.0 };
            let edit = egui::TextEdit::singleline(&mut self.filter.text)
                .hint_text("Filter by name, set or tag")
                .desired_width(width);
            ui.add(edit).accessible_name("Filter");
            if opens && ui.button("Open…").on_hover_text("Open images (Ctrl+O)").clicked() {
                cx.send(WindowCommand::OpenFiles);
            }
        });
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            for ((kind, name), count) in Kind::ALL.into_iter().zip(self.counts) {
                let text = format!("{name} {count}");
                let button = egui::Button::selectable(self.filter.kind == kind, text).small();
                if ui.add(button).clicked() {
                    self.filter.kind = kind;
                }
            }
            self.only_ui(ui, cx);
        });
        ui.horizontal(|ui| {
            let sort = Sort::ALL.iter().find(|(sort, _)| *sort == self.filter.sort);
            ComboBox::from_id_salt("sort")
                .selected_text(sort.map_or("", |(_, name)| name))
                .width((ui.available_width() - 24.0).clamp(40.0, 118.0))
                .truncate()
                .show_ui(ui, |ui| {
                    for (sort, name) in Sort::ALL {
                        ui.selectable_value(&mut self.filter.sort, sort, name);
                    }
                })
                .response
                .accessible_name("Sort by");
            if self.sets.len() > 1 {
                let set = self.filter.set.clone().unwrap_or_else(|| "All sets".into());
                ComboBox::from_id_salt("set")
                    .selected_text(set)
                    .width((ui.available_width() - 8.0).max(60.0))
                    .truncate()
                    .show_ui(ui, |ui| {
                        ui.selectable_value(&mut self.filter.set, None, "All sets");
                        for set in &self.sets {
                            ui.selectable_value(&mut self.filter.set, Some(set.clone()), set);
                        }
                    })
                    .response
                    .accessible_name("Set");
            }
        });
        ui.add_space(2.0);
    }

    fn tiles_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let width = ui.available_width() - 8.0;
        let columns = (((width + GAP) / (TILE + GAP)).floor() as usize).max(1);
        let side = (width - GAP * (columns - 1) as f32) / columns as f32;
        let (row_height, rows) = (side + CAPTION, cx.view.order.len().div_ceil(columns));
        ui.spacing_mut().item_spacing = vec2(GAP, GAP);
        let mut area = ScrollArea::vertical().auto_shrink(false);
        if std::mem::take(&mut cx.view.reveal)
            && let Some(offset) = self.offset_of_focus(ui, cx, columns, row_height)
        {
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
                            self.tile_ui(ui, cx, entry, side);
                        }
                    }
                });
            }
        });
        self.keys(ui, cx, columns);
    }

    fn offset_of_focus(
        &self,
        ui: &Ui,
        cx: &PanelCtx<'_>,
        columns: usize,
        row_height: f32,
    ) -> Option<f32> {
        let at = cx.view.order.iter().position(|&id| Some(id) == cx.session.focus)?;
        let top = (at / columns) as f32 * (row_height + GAP);
        Some((top - (ui.available_height() - row_height) / 2.0).max(0.0))
    }

    fn tile_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>, entry: &Entry, side: f32) {
        let (rect, response) = ui.allocate_exact_size(vec2(side, side + CAPTION), Sense::click());
        let selected = cx.session.selected.contains(&entry.id);
        let label = describe(entry);
        response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, selected, &label));
        if !ui.is_rect_visible(rect) {
            return;
        }
        let palette = Palette::of_ui(ui);
        let frame = Rect::from_min_size(rect.min, vec2(side, side));
        let painter = ui.painter();
        painter.rect_filled(frame, 5.0, palette.raised);
        if let Some(small) = &entry.thumbnail {
            let texture = cx.pictures.thumbnail(ui.ctx(), entry.id, small);
            let size = texture.size_vec2();
            // The middle square, so that tiles make an even grid.
            let spare =
                vec2((1.0 - size.y / size.x).max(0.0), (1.0 - size.x / size.y).max(0.0)) / 2.0;
            let uv = Rect::from_min_max(pos2(spare.x, spare.y), pos2(1.0 - spare.x, 1.0 - spare.y));
            let mut shape =
                egui::epaint::RectShape::filled(frame, CornerRadius::same(5), Color32::WHITE);
            shape.brush = Some(std::sync::Arc::new(egui::epaint::Brush {
                fill_texture_id: texture.id(),
                uv,
            }));
            painter.add(shape);
        }
        match &entry.error {
            Some(_) => {
                let triangle = [vec2(0.0, -20.0), vec2(12.0, 0.0), vec2(-12.0, 0.0)];
                let corners = triangle.map(|at| frame.center() + at).to_vec();
                let outline = Stroke::new(2.0, palette.fault);
                painter.add(egui::Shape::closed_line(corners, outline));
                let font = FontId::proportional(11.0);
                painter.text(
                    frame.center() + vec2(0.0, 16.0),
                    Align2::CENTER_CENTER,
                    "cannot open",
                    font,
                    palette.fault,
                );
            }
            None if entry.analysis.is_some() => {
                badge(ui, frame.right_top() + vec2(-4.0, 4.0), entry.outcome(), entry.score());
            }
            None => {
                let dim = if entry.thumbnail.is_some() { 90 } else { 0 };
                painter.rect_filled(frame, 5.0, Color32::from_black_alpha(dim));
            }
        }
        let caption = Rect::from_min_max(frame.left_bottom(), rect.max).shrink2(vec2(2.0, 1.0));
        let color = if selected { palette.strong } else { palette.weak };
        let job = egui::text::LayoutJob::simple_singleline(
            entry.name.clone(),
            FontId::proportional(11.0),
            color,
        );
        let mut job = job;
        job.wrap = egui::text::TextWrapping::truncate_at_width(caption.width());
        let galley = painter.layout_job(job);
        painter.galley(caption.left_center() - vec2(0.0, galley.size().y / 2.0), galley, color);
        let focused = cx.session.focus == Some(entry.id);
        if selected || response.hovered() || response.has_focus() {
            let (color, width) = match (selected, focused) {
                (true, true) => (palette.accent, 2.0),
                (true, false) => (palette.accent, 1.0),
                _ => (palette.weak, 1.0),
            };
            painter.rect_stroke(frame, 5.0, Stroke::new(width, color), StrokeKind::Inside);
        }
        self.clicks(ui, cx, entry, &response);
        response.on_hover_ui(|ui| tooltip_ui(ui, entry));
    }

    fn clicks(&mut self, ui: &Ui, cx: &mut PanelCtx<'_>, entry: &Entry, response: &egui::Response) {
        response.context_menu(|ui| {
            if ui.button("Remove").clicked() {
                cx.send(Command::Remove(vec![entry.id]));
                ui.close();
            }
            if let crate::worker::ImageSource::File(path) = &entry.source
                && ui.button("Copy path").clicked()
            {
                ui.ctx().copy_text(path.display().to_string());
                ui.close();
            }
        });
        if !response.clicked() {
            return;
        }
        let modifiers = ui.input(|input| input.modifiers);
        let mut selected = cx.session.selected.clone();
        if modifiers.command {
            match selected.iter().position(|&id| id == entry.id) {
                Some(at) if selected.len() > 1 => drop(selected.remove(at)),
                Some(_) => {}
                None => selected.push(entry.id),
            }
        } else if modifiers.shift
            && let Some(range) = self.range(cx, entry.id)
        {
            selected = range;
        } else {
            selected = vec![entry.id];
        }
        if !modifiers.shift {
            self.anchor = Some(entry.id);
        }
        self.chosen_here = true;
        cx.send(Command::Select(selected));
    }

    /// From the anchor to an image, in the gallery's order, that image last.
    fn range(&self, cx: &PanelCtx<'_>, to: ImageId) -> Option<Vec<ImageId>> {
        let place = |id: ImageId| cx.view.order.iter().position(|&other| other == id);
        let from = place(self.anchor.or(cx.session.focus)?)?;
        let to = place(to)?;
        let mut range = cx.view.order[from.min(to)..=from.max(to)].to_vec();
        if to < from {
            range.reverse();
        }
        Some(range)
    }

    /// Up and down go by rows; left and right are keys of the whole window.
    fn keys(&self, ui: &Ui, cx: &mut PanelCtx<'_>, columns: usize) {
        if ui.ctx().text_edit_focused() || !ui.ui_contains_pointer() {
            return;
        }
        let step = ui.input(|input| {
            let pressed = |key| i32::from(input.key_pressed(key));
            pressed(Key::ArrowDown) - pressed(Key::ArrowUp)
        });
        let Some(at) = cx.view.order.iter().position(|&id| Some(id) == cx.session.focus) else {
            return;
        };
        let to = at as i64 + i64::from(step) * columns as i64;
        if step != 0
            && let Some(&id) = usize::try_from(to).ok().and_then(|to| cx.view.order.get(to))
        {
            cx.view.reveal = true;
            cx.send(Command::Select(vec![id]));
        }
    }
}

/// What a screen reader says of an image.
fn describe(entry: &Entry) -> String {
    match (&entry.error, entry.score()) {
        (Some(error), _) => format!("{}, cannot open: {error}", entry.name),
        (None, Some(score)) => {
            format!("{}, {}, score {score:.2}", entry.name, outcome_word(entry.outcome()))
        }
        (None, None) if entry.analysis.is_some() => {
            format!("{}, {}", entry.name, outcome_word(entry.outcome()))
        }
        (None, None) => format!("{}, waiting", entry.name),
    }
}

fn tooltip_ui(ui: &mut Ui, entry: &Entry) {
    ui.label(RichText::new(&entry.name).strong());
    if let Some([width, height]) = entry.size {
        ui.label(format!("{width} × {height} px"));
    }
    match (&entry.error, &entry.analysis) {
        (Some(error), _) => drop(ui.label(error)),
        (None, Some(analysis)) => drop(ui.label(analysis.verdict.reason.to_string())),
        (None, None) => drop(ui.label("Waiting for the network")),
    }
}
