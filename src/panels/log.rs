//! What went wrong, in sentences.

use eframe::egui::{RichText, ScrollArea, Ui};

use super::{Home, Panel, PanelCtx, PanelInfo};
use crate::ui::theme::Palette;
use crate::ui::widgets::empty_note;

/// Notices, newest first, and the images that failed.
pub(super) struct Log;

/// Its name, place and key.
pub(super) const PANEL: PanelInfo = PanelInfo {
    name: "log",
    title: "Messages",
    home: Home::Bottom,
    key: None,
    make: || Box::new(Log),
};

impl Panel for Log {
    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let failed = cx.session.entries().iter().filter_map(|e| Some((&e.name, e.error.as_ref()?)));
        let failed: Vec<_> = failed.collect();
        if failed.is_empty() && cx.session.notices().is_empty() {
            return empty_note(ui, "All is well", "Faults of the model and of files appear here.");
        }
        let palette = Palette::of_ui(ui);
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            for notice in cx.session.notices().iter().rev() {
                ui.horizontal_wrapped(|ui| {
                    let word = RichText::new(notice.severity.word()).small();
                    ui.label(word.color(palette.severity(notice.severity)));
                    ui.label(RichText::new(&notice.text).color(palette.text));
                });
            }
            for (name, error) in failed {
                ui.horizontal_wrapped(|ui| {
                    ui.label(RichText::new(name).color(palette.strong));
                    ui.label(RichText::new(error).color(palette.weak));
                });
            }
        });
    }
}
