//! The open images with their verdicts, as thumbnails or as a table: sorted, filtered, selected.

mod choosing;
mod only;
mod table;
mod tiles;
mod tools;

use eframe::egui::{self, Ui};
use serde::{Deserialize, Serialize};

use super::{Home, Panel, PanelCtx, PanelInfo, WindowCommand};
use crate::session::entry::Entry;
use crate::session::listing::{ListFilter, Listing, Origins, SortKey, Sorting};
use crate::ui::widgets::{empty_choice, empty_note, outcome_word};
use crate::worker::ImageId;

/// Seconds between two listings while results stream in.
const LIST_EVERY: f64 = 0.1;

/// The open images.
#[derive(Default)]
pub(super) struct Gallery {
    choices: Choices,
    filter: ListFilter,
    /// Whether the rows are shown that narrow the list.
    narrowing: bool,
    listing: Listing,
    /// What the listing was made from, and when.
    seen: Option<(u64, ListFilter, Sorting, f64)>,
    origins: Origins,
    /// The selection that was last seen.
    selection: Vec<ImageId>,
}

/// How the images are shown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Choices {
    sort: SortKey,
    reversed: bool,
    /// Rows with columns in place of thumbnails.
    table: bool,
    /// The thumbnails' side, in points, but for what makes a row even.
    tile: f32,
}

impl Default for Choices {
    fn default() -> Self {
        Self { sort: SortKey::default(), reversed: false, table: false, tile: 104.0 }
    }
}

impl Choices {
    fn sorting(&self) -> Sorting {
        Sorting { key: self.sort, reversed: self.reversed }
    }
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
        serde_json::to_value(self.choices).ok()
    }

    fn choose(&mut self, choices: &serde_json::Value) {
        if let Ok(choices) = Choices::deserialize(choices) {
            self.choices = choices;
            self.choices.tile = tools::within_bounds(choices.tile);
        } else if let Ok(sort) = SortKey::deserialize(choices) {
            // Sessions once kept the order alone.
            self.choices.sort = sort;
        }
    }

    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        self.follow_keys(cx);
        self.follow_selection(cx);
        self.refresh(ui, cx);
        if cx.session.entries().is_empty() {
            let note = "Drop images or folders here, press Ctrl+O to open files, Ctrl+Shift+O for a \
                        folder, Ctrl+V to paste a picture, or G for the demo world.";
            return empty_note(ui, "No images yet", note);
        }
        if ui.available_height() >= tools::LOW {
            // Below the images, so that the head stays low.
            let foot = egui::Panel::bottom("shape of the gallery").frame(egui::Frame::NONE);
            foot.show_separator_line(false).show(ui, |ui| {
                ui.horizontal(|ui| self.shape_ui(ui));
            });
        }
        self.tools_ui(ui, cx);
        if cx.view.order.is_empty() {
            let clear = ("Clear filter", "Show all images");
            let note = format!("None of the {} images passes.", cx.session.entries().len());
            if empty_choice(ui, "Nothing matches", &note, &[clear]).is_some() {
                self.filter = ListFilter::default();
            }
            return;
        }
        match self.choices.table {
            true => self.table_ui(ui, cx),
            false => self.tiles_ui(ui, cx),
        }
        self.keys(ui, cx);
    }
}

impl Gallery {
    /// Filters and sorts anew when something changed, at most ten times a second while results
    /// stream in.
    fn refresh(&mut self, ui: &Ui, cx: &mut PanelCtx<'_>) {
        let now = ui.input(|input| input.time);
        let sorting = self.choices.sorting();
        if let Some((revision, filter, sorted, at)) = &self.seen {
            let asked = *filter == self.filter && *sorted == sorting;
            if asked && *revision == cx.session.revision() {
                return;
            }
            if asked && now - at < LIST_EVERY && !cx.view.order.is_empty() {
                return ui.ctx().request_repaint_after_secs(LIST_EVERY as f32);
            }
        }
        self.origins.follow(cx.session);
        self.listing = Listing::of(cx.session, &self.filter, sorting);
        cx.view.order.clone_from(&self.listing.order);
        self.seen = Some((cx.session.revision(), self.filter.clone(), sorting, now));
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
