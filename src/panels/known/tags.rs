//! A tagger's tags, of which some are known: to be found and named.

use eframe::egui::{Button, RichText, ScrollArea, Ui};

use crate::bundle::known::{KnownName, plain};
use crate::panels::PanelCtx;
use crate::session::Command;
use crate::session::known::KnownEdit;
use crate::ui::theme::Palette;
use crate::ui::widgets::card;

/// Height of the list, in points.
const LIST: f32 = 150.0;
const ROW: f32 = 22.0;

/// The tags that the typed text names or completes to, or all; a click names one as known.
pub(super) fn ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, typed: &mut String) {
    let Some(info) = cx.session.info().cloned() else { return };
    card(ui, "Tags of this tagger", |ui| {
        let palette = Palette::of_ui(ui);
        let vocabulary = &info.vocabulary;
        // Of a list, the name that is being typed.
        let needle = plain(typed.rsplit([',', '\n']).next().unwrap_or_default());
        let mut found: Vec<(bool, usize)> = (0..vocabulary.tags.len())
            .filter_map(|tag| {
                let name = plain(&vocabulary.tags[tag]);
                let is_free = !vocabulary.is_id(tag);
                (is_free && name.contains(&needle)).then(|| (!name.starts_with(&needle), tag))
            })
            .collect();
        found.sort_unstable();
        let text = match needle.is_empty() {
            true => format!("{} of {} are not known", found.len(), vocabulary.tags.len()),
            false => format!("{} match \u{201c}{needle}\u{201d} and are not known", found.len()),
        };
        ui.label(RichText::new(text).small().color(palette.weak));
        ui.spacing_mut().item_spacing.y = 0.0;
        let list =
            ScrollArea::vertical().id_salt("tags").max_height(LIST).auto_shrink([false, true]);
        list.show_rows(ui, ROW, found.len(), |ui, rows| {
            for &(_, tag) in &found[rows] {
                let name = &vocabulary.tags[tag];
                let button = Button::new(name).frame(false).truncate();
                let row = ui.add_sized([ui.available_width(), ROW], button);
                let row = row.on_hover_text("Name this tag as known");
                if row.accessible_name(format!("Know tag {name}")).clicked() {
                    let known = KnownName { name: name.clone(), synonyms: Vec::new() };
                    cx.send(Command::Know(KnownEdit::Add(vec![known])));
                    typed.clear();
                }
            }
        });
    });
}
