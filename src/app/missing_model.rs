//! What is asked while there is no model: where it is, or which one is to take its place.

use eframe::egui::{self, RichText, Ui};

use super::overlays::bar_frame;
use crate::panels::{UserCommand, WindowCommand};
use crate::session::Session;
use crate::ui::theme::Palette;

/// Says why there is no model, with the ways to one. Images wait until then.
pub(super) fn banner_ui(ui: &mut Ui, session: &Session, commands: &mut Vec<UserCommand>) {
    let model = session.model();
    let Some(error) = model.error.as_ref().filter(|_| model.info.is_none()) else { return };
    if model.loading.is_some() {
        return;
    }
    let palette = Palette::of_ui(ui);
    egui::Panel::top("no model").frame(bar_frame(ui)).show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            let text = format!("Nothing is judged yet: {error}");
            ui.label(RichText::new(text).color(palette.fault));
            for (name, command) in [
                ("Open model…", WindowCommand::OpenModel),
                ("Open model folder…", WindowCommand::OpenModelFolder),
                ("Use the embedded model", WindowCommand::UseEmbedded),
            ] {
                if ui.button(name).clicked() {
                    commands.push(command.into());
                }
            }
        });
    });
}
