//! Choosing images in the gallery: clicks, keys, the context menu.

use eframe::egui::{Button, Key, Response, RichText, Ui};

use super::{Gallery, PanelCtx};
use crate::panels::{UserCommand, tuning};
use crate::session::Command;
use crate::session::entry::Entry;
use crate::session::listing::{range, verdict_text};
use crate::ui::theme::Palette;
use crate::worker::ImageId;

impl Gallery {
    pub(super) fn clicks(&mut self, cx: &mut PanelCtx<'_>, entry: &Entry, response: &Response) {
        response.context_menu(|ui| menu_ui(ui, cx, entry));
        if !response.clicked() {
            return;
        }
        let modifiers = response.ctx.input(|input| input.modifiers);
        let mut selected = cx.session.selected.clone();
        let anchor = cx.view.anchor.or(cx.session.focus).unwrap_or(entry.id);
        if modifiers.command {
            match selected.iter().position(|&id| id == entry.id) {
                Some(at) if selected.len() > 1 => drop(selected.remove(at)),
                Some(_) => {}
                None => selected.push(entry.id),
            }
        } else if modifiers.shift
            && let Some(range) = range(&cx.view.order, anchor, entry.id)
        {
            selected = range;
        } else {
            selected = vec![entry.id];
        }
        if !modifiers.shift {
            cx.view.anchor = Some(entry.id);
        }
        cx.view.chosen_in_gallery = true;
        cx.send(Command::Select(selected));
    }

    /// Up and down go by rows, with Shift they select; the other keys are those of the whole window.
    pub(super) fn keys(&self, ui: &Ui, cx: &mut PanelCtx<'_>) {
        if ui.ctx().text_edit_focused() || !ui.ui_contains_pointer() {
            return;
        }
        let (step, extend) = ui.input(|input| {
            let pressed = |key| i32::from(input.key_pressed(key));
            (pressed(Key::ArrowDown) - pressed(Key::ArrowUp), input.modifiers.shift)
        });
        let Some(at) = cx.view.place_of_focus(cx.session) else { return };
        let to = at as i64 + i64::from(step) * cx.view.columns as i64;
        if step != 0
            && let Ok(to) = usize::try_from(to)
            && let Some(command) = cx.view.select_at(cx.session, to, extend)
        {
            cx.send(command);
        }
    }
}

/// What can be done with an image, or with all selected where it is one of them.
fn menu_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, entry: &Entry) {
    let session = cx.session;
    let chosen: Vec<ImageId> = match session.selected.contains(&entry.id) {
        true => session.selected.clone(),
        false => vec![entry.id],
    };
    let entries = || chosen.iter().filter_map(|&id| session.entry(id));
    let several = |one: &str, many: &str| match chosen.len() {
        1 => one.to_owned(),
        count => format!("{many} of {count} images"),
    };
    ui.set_min_width(170.0);
    if let Some(path) = entry.source.path() {
        if ui.button("Show in folder").clicked() {
            cx.send(UserCommand::ShowInFolder(path.clone()));
            ui.close();
        }
        if ui.button(several("Copy path", "Copy paths")).clicked() {
            let paths = entries().filter_map(|e| Some(e.source.path()?.display().to_string()));
            ui.ctx().copy_text(paths.collect::<Vec<_>>().join("\n"));
            ui.close();
        }
    }
    if ui.button(several("Copy verdict", "Copy verdicts")).clicked() {
        let verdicts = entries().map(|entry| verdict_text(entry, session));
        ui.ctx().copy_text(verdicts.collect::<Vec<_>>().join("\n\n"));
        ui.close();
    }
    if let Some(set) = session.sets().get(entry.set_at) {
        ui.menu_button(format!("Set {}", set.title()), |ui| tuning::role_ui(ui, cx, set));
    }
    ui.separator();
    let remove = match chosen.len() {
        1 => "Remove".to_owned(),
        count => format!("Remove {count} images"),
    };
    let key = RichText::new("Delete").small().color(Palette::of_ui(ui).weak);
    if ui.add(Button::new(remove).right_text(key)).clicked() {
        cx.send(Command::Remove(chosen));
        ui.close();
    }
}
