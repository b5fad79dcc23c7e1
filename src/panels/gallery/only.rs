//! The selected images alone in the gallery, wherever they were selected.

use std::collections::BTreeSet;

use eframe::egui::{self, Ui};

use super::{Gallery, PanelCtx};
use crate::session::listing::SortKey;

impl Gallery {
    /// Does what keys asked for.
    pub(super) fn follow_keys(&mut self, cx: &mut PanelCtx<'_>) {
        if std::mem::take(&mut cx.view.toggle_only) {
            self.toggle_only(cx);
        }
        if std::mem::take(&mut cx.view.toggle_wrong) {
            self.choices.sort = match self.choices.sort {
                SortKey::Wrong => SortKey::Opened,
                _ => SortKey::Wrong,
            };
            self.choices.reversed = false;
        }
    }

    /// Shows the selected images alone, or all again.
    fn toggle_only(&mut self, cx: &PanelCtx<'_>) {
        self.filter.only = match self.filter.only {
            Some(_) => None,
            None => Some(cx.session.selected.iter().copied().collect()),
        };
    }

    /// Where the selected images alone are shown, a selection that is made elsewhere takes the place
    /// of the one before it. One that is made here moves among the images on show.
    pub(super) fn follow_selection(&mut self, cx: &mut PanelCtx<'_>) {
        // Whatever came of it: it says nothing of the selection that comes next.
        let here = std::mem::take(&mut cx.view.chosen_in_gallery);
        if self.selection == cx.session.selected {
            return;
        }
        self.selection.clone_from(&cx.session.selected);
        let Some(only) = &mut self.filter.only else { return };
        // A step to a neighbour is no selection of its own.
        let step = matches!(self.selection.as_slice(), [one] if only.contains(one));
        if !here && !step {
            *only = self.selection.iter().copied().collect();
        }
    }

    /// Whether the selected images alone are shown; nothing to choose while one is selected.
    pub(super) fn only_ui(&mut self, ui: &mut Ui, cx: &PanelCtx<'_>) {
        let on = self.filter.only.is_some();
        let count = self.filter.only.as_ref().map_or(cx.session.selected.len(), BTreeSet::len);
        if !on && count < 2 {
            return;
        }
        let button = egui::Button::selectable(on, format!("Selected {count}")).small();
        let hint = "Show the selected images alone, or all again (O). A selection in a plot or on the \
                    map takes their place.";
        if ui.add(button).on_hover_text(hint).clicked() {
            self.toggle_only(cx);
        }
    }
}
