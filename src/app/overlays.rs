//! What lies over the panels for a moment: the command palette, the list of keys, the drop target.

use eframe::egui::{
    self, Align2, Color32, FontId, Frame, Grid, Id, Key, Margin, Modal, RichText, ScrollArea,
    Sense, Stroke, StrokeKind, Ui, UiBuilder, vec2,
};

use super::actions::{Action, actions, key_text};
use crate::panels::UserCommand;
use crate::ui::theme::Palette;
use crate::ui::widgets::empty_note;

#[derive(Default)]
pub(super) struct CommandPalette {
    open: bool,
    text: String,
    chosen: usize,
}

impl CommandPalette {
    /// Opens it, or closes it.
    pub(super) fn toggle(&mut self) {
        *self = Self { open: !self.open, ..Self::default() };
    }

    /// Whether it is on show.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Draws it; what was chosen.
    pub(super) fn ui(&mut self, ui: &Ui) -> Option<UserCommand> {
        if !self.open {
            return None;
        }
        let found = find(&self.text);
        let mut command = None;
        let area =
            Modal::default_area(Id::unique("palette")).anchor(Align2::CENTER_TOP, [0.0, 72.0]);
        let response = Modal::new(Id::unique("palette")).area(area).show(ui.ctx(), |ui| {
            let room = ui.ctx().content_rect().size();
            ui.set_width((room.x - 40.0).clamp(160.0, 460.0));
            let edit = egui::TextEdit::singleline(&mut self.text)
                .hint_text("What do you want to do?")
                .desired_width(f32::INFINITY)
                .margin(Margin::symmetric(8, 6));
            let edit = ui.add(edit).accessible_name("Command");
            edit.request_focus();
            if edit.changed() {
                self.chosen = 0;
            }
            let (up, down, enter) = ui.input(|input| {
                let pressed = |key| input.key_pressed(key);
                (pressed(Key::ArrowUp), pressed(Key::ArrowDown), pressed(Key::Enter))
            });
            let last = found.len().saturating_sub(1);
            self.chosen =
                (self.chosen + usize::from(down)).saturating_sub(usize::from(up)).min(last);
            ui.add_space(4.0);
            // As high whatever was found: an area that shrinks would not grow again.
            let size = vec2(ui.available_width(), (room.y - 190.0).clamp(80.0, 380.0));
            let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
            let ui = &mut ui.new_child(UiBuilder::new().max_rect(rect));
            if found.is_empty() {
                let note = format!("No command is called like “{}”.", self.text.trim());
                return empty_note(ui, "Nothing found", &note);
            }
            ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
                for (row, action) in found.iter().enumerate() {
                    let response = row_ui(ui, action, row == self.chosen);
                    if row == self.chosen && (up || down) {
                        response.scroll_to_me(None);
                    }
                    if response.clicked() || (enter && row == self.chosen) {
                        command = Some(action.command());
                    }
                }
            });
        });
        if command.is_some() || response.should_close() {
            *self = Self::default();
        }
        command
    }
}

fn row_ui(ui: &mut Ui, action: &Action, chosen: bool) -> egui::Response {
    let palette = Palette::of_ui(ui);
    let key = action.key.map(|key| key_text(ui.ctx(), &key)).unwrap_or_default();
    let button = egui::Button::selectable(chosen, &*action.name)
        .right_text(RichText::new(key).color(palette.weak).small())
        .min_size(vec2(ui.available_width(), 26.0));
    ui.add(button)
}

/// The actions whose names hold all letters of `text` in order, those that hold it whole first.
fn find(text: &str) -> Vec<Action> {
    let needle = text.trim().to_lowercase();
    let scattered = |name: &str| {
        let mut letters = name.chars();
        needle.chars().all(|wanted| letters.any(|letter| letter == wanted))
    };
    let mut found: Vec<(bool, Action)> = actions()
        .filter_map(|action| {
            let name = action.name.to_lowercase();
            scattered(&name).then(|| (!name.contains(&needle), action))
        })
        .collect();
    found.sort_by_key(|(scattered, _)| *scattered);
    found.into_iter().map(|(_, action)| action).collect()
}

/// Room for a key, in points.
const KEYS: f32 = 92.0;

/// The list of keys; whether it stays open.
pub(super) fn shortcuts_ui(ui: &Ui) -> bool {
    let palette = Palette::of_ui(ui);
    let frame = Frame::popup(ui.style()).inner_margin(Margin::same(18));
    let response = Modal::new(Id::unique("shortcuts")).frame(frame).show(ui.ctx(), |ui| {
        let width = (ui.ctx().content_rect().width() - 60.0).clamp(200.0, 620.0);
        ui.set_width(width);
        ui.heading("Keys");
        ui.add_space(6.0);
        // In one column the keys are longer, and so is the note below them.
        let columns = if width >= 520.0 { 2 } else { 1 };
        let note_height = if columns == 2 { 150.0 } else { 190.0 };
        let height = (ui.ctx().content_rect().height() - note_height).max(80.0);
        let area = ScrollArea::vertical().max_height(height);
        area.show(ui, |ui| keys_ui(ui, palette, columns));
        let note = "In the gallery: arrows walk, Ctrl+click adds, Shift+click selects a range. Over \
                    the image: wheel zooms, drag moves, double click fits. In Explain, left and \
                    right walk the steps; in a presentation (F5, Esc ends it) Space, PageDown and \
                    PageUp do too.";
        ui.label(RichText::new(note).color(palette.weak));
    });
    !response.should_close() && !ui.input(|input| input.key_pressed(Key::Escape))
}

fn keys_ui(ui: &mut Ui, palette: Palette, count: usize) {
    let mut groups: Vec<&str> = actions().map(|action| action.group).collect();
    groups.dedup();
    ui.columns(count, |columns| {
        for (at, group) in groups.iter().enumerate() {
            let ui = &mut columns[at % count];
            crate::ui::widgets::section(ui, group);
            // All groups' names begin on one line.
            let grid = Grid::new(group).num_columns(2).min_col_width(KEYS).spacing([14.0, 4.0]);
            grid.show(ui, |ui| {
                for action in actions().filter(|action| action.group == *group) {
                    let Some(key) = action.key else { continue };
                    let key = key_text(ui.ctx(), &key);
                    ui.label(RichText::new(key).monospace().color(palette.accent));
                    ui.label(&*action.name);
                    ui.end_row();
                }
            });
            ui.add_space(10.0);
        }
    });
}

/// Shows where files will land that are being dragged over the window.
pub(super) fn drop_target_ui(ui: &Ui) {
    if ui.input(|input| input.raw.hovered_files.is_empty()) {
        return;
    }
    let palette = Palette::of_ui(ui);
    let layer = egui::LayerId::new(egui::Order::Foreground, Id::unique("drop"));
    let painter = ui.ctx().layer_painter(layer);
    let rect = ui.ctx().content_rect();
    painter.rect_filled(rect, 0.0, Color32::from_black_alpha(150));
    let inner = rect.shrink(24.0);
    painter.rect_stroke(inner, 10.0, Stroke::new(2.0, palette.accent), StrokeKind::Inside);
    let font = FontId::proportional(22.0);
    let text = "Drop images and folders to open them";
    painter.text(rect.center(), Align2::CENTER_CENTER, text, font, Color32::WHITE);
}

/// The frame of bars at the window's edges.
pub(super) fn bar_frame(ui: &Ui) -> Frame {
    Frame::new().fill(Palette::of_ui(ui).raised).inner_margin(Margin::symmetric(10, 4))
}
