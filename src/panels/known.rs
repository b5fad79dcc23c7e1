//! What is known, by name: a CLIP's names with the texts they are encoded in, or some of a tagger's
//! tags.

mod counts;
mod names;
mod sides;
mod tags;
mod texts;

use eframe::egui::{ScrollArea, Ui};

use super::tuning::{column, side_by_side};
use super::{Home, Panel, PanelCtx, PanelInfo};
use crate::bundle::manifest::Arch;
use crate::ui::widgets::empty_note;
use counts::Counts;
use names::Names;
use texts::Texts;

/// Below this width what belongs to the names stands under them, in points.
const NARROW: f32 = 560.0;

/// Names as chips, what they are encoded in, and what the open images say of them.
#[derive(Default)]
pub(super) struct Known {
    names: Names,
    texts: Texts,
    counts: Counts,
}

/// Its name, place and key.
pub(super) const PANEL: PanelInfo = PanelInfo {
    name: "known",
    title: "Known",
    home: Home::Bottom,
    key: None,
    make: || Box::new(Known::default()),
};

impl Panel for Known {
    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        if cx.session.info().is_none() {
            return empty_note(ui, "Known", "There is no model yet.");
        }
        self.counts.follow(ui, cx.session);
        if ui.available_width() < NARROW {
            ScrollArea::vertical().id_salt("known").auto_shrink(false).show(ui, |ui| {
                self.names.ui(ui, cx, &self.counts);
                self.beside_ui(ui, cx);
            });
            return;
        }
        side_by_side(ui, |ui| {
            let left = (ui.available_width() * 0.52).round();
            column(ui, left, |ui| {
                ScrollArea::vertical().id_salt("names").auto_shrink(false).show(ui, |ui| {
                    self.names.ui(ui, cx, &self.counts);
                });
            });
            column(ui, ui.available_width(), |ui| {
                ScrollArea::vertical().id_salt("beside").auto_shrink(false).show(ui, |ui| {
                    self.beside_ui(ui, cx);
                });
            });
        });
    }
}

impl Known {
    /// What belongs to the names.
    fn beside_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        match cx.session.info().map(|info| info.manifest.arch) {
            Some(Arch::Clip) => {
                sides::ui(ui, cx, &self.counts);
                self.texts.ui(ui, cx);
            }
            Some(Arch::Ram) => tags::ui(ui, cx, &mut self.names.text),
            None => {}
        }
    }
}
