//! The images as rows with columns.

use eframe::egui::{
    self, Align, Button, Label, Rect, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, vec2,
};
use egui_extras::{Column, TableBuilder, TableRow};

use super::tiles::{picture_ui, tooltip_ui};
use super::{Gallery, PanelCtx, describe};
use crate::session::entry::Entry;
use crate::session::listing::SortKey;
use crate::ui::theme::Palette;
use crate::ui::widgets::{outcome_shape, outcome_word};

/// Height of a row, in points.
const ROW: f32 = 24.0;
/// Height of the columns' heads, in points.
const HEAD: f32 = 22.0;

/// The columns: their heads, what a click on those sorts by, and the width at first, in points.
const COLUMNS: [(&str, Option<SortKey>, f32); 7] = [
    ("Name", Some(SortKey::Name), 132.0),
    ("Set", Some(SortKey::Set), 64.0),
    ("Verdict", None, 58.0),
    ("Score", Some(SortKey::Score), 58.0),
    ("Nearest class", Some(SortKey::Class), 100.0),
    ("Tokens", Some(SortKey::Kept), 68.0),
    ("First tag", None, 96.0),
];

impl Gallery {
    pub(super) fn table_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let pitch = ROW + ui.spacing().item_spacing.y;
        let in_view = ((ui.available_height() - HEAD) / pitch).floor().max(1.0) as usize;
        (cx.view.columns, cx.view.page) = (1, in_view);
        let reveal = std::mem::take(&mut cx.view.reveal);
        let reveal = cx.view.place_of_focus(cx.session).filter(|_| reveal);
        // In a narrow panel the last columns lie beyond its edge.
        ScrollArea::horizontal().auto_shrink(false).show(ui, |ui| {
            let mut table = TableBuilder::new(ui)
                .id_salt("images")
                .sense(Sense::click())
                .auto_shrink(false)
                .cell_layout(egui::Layout::left_to_right(Align::Center));
            for (_, _, width) in COLUMNS {
                let column = Column::initial(width).at_least(36.0).clip(true).resizable(true);
                table = table.column(column);
            }
            if let Some(at) = reveal {
                table = table.scroll_to_row(at, Some(Align::Center));
            }
            let table = table.header(HEAD, |mut header| {
                for (name, key, _) in COLUMNS {
                    header.col(|ui| self.head_ui(ui, name, key));
                }
            });
            table.body(|body| {
                body.rows(ROW, cx.view.order.len(), |mut row| {
                    let id = cx.view.order.get(row.index()).copied();
                    if let Some(entry) = id.and_then(|id| cx.session.entry(id)) {
                        self.row_ui(&mut row, cx, entry);
                    }
                });
            });
        });
    }

    /// A column's name; a click sorts by it, another turns the order.
    fn head_ui(&mut self, ui: &mut Ui, name: &str, key: Option<SortKey>) {
        let palette = Palette::of_ui(ui);
        let Some(key) = key else {
            ui.label(RichText::new(name).small().color(palette.weak));
            return;
        };
        let here = self.choices.sort == key;
        let (arrow, color) = match (here, self.choices.reversed) {
            (false, _) => ("", palette.weak),
            (true, false) => (" ⬆", palette.strong),
            (true, true) => (" ⬇", palette.strong),
        };
        let text = RichText::new(format!("{name}{arrow}")).small().color(color);
        let button = ui.add(Button::new(text).frame(false)).on_hover_text("Click to sort");
        if button.accessible_name(format!("Sort by {}", key.name().to_lowercase())).clicked() {
            self.choices.reversed = here && !self.choices.reversed;
            self.choices.sort = key;
        }
    }

    fn row_ui(&mut self, row: &mut TableRow<'_, '_>, cx: &mut PanelCtx<'_>, entry: &Entry) {
        let selected = cx.session.selected.contains(&entry.id);
        row.set_selected(selected);
        let (session, analysis) = (cx.session, entry.analysis.as_deref());
        let vocabulary = session.info().map(|info| &info.vocabulary);
        row.col(|ui| {
            let (rect, _) = ui.allocate_exact_size(vec2(ROW - 4.0, ROW - 4.0), Sense::hover());
            picture_ui(ui, cx, entry, Rect::from_center_size(rect.center(), rect.size()), 2);
            ui.spacing_mut().item_spacing.x = 6.0;
            text_ui(ui, &entry.name, true);
        });
        row.col(|ui| {
            let set = session.sets().get(entry.set_at).map_or("", |set| set.title());
            text_ui(ui, self.origins.of(entry.id).unwrap_or(set), false);
        });
        row.col(|ui| verdict_ui(ui, entry));
        row.col(|ui| {
            let score = entry.score().map(|score| format!("{score:.3}"));
            text_ui(ui, score.as_deref().unwrap_or("–"), false);
        });
        row.col(|ui| {
            let class = entry.nearest_class().zip(vocabulary);
            let class = class.map(|(class, vocabulary)| vocabulary.class_name(class));
            text_ui(ui, class.as_deref().unwrap_or("–"), false);
        });
        row.col(|ui| {
            let tokens = analysis.map(|analysis| {
                let decomposition = &analysis.decomposition;
                format!("{} of {}", decomposition.kept(), decomposition.mask.len())
            });
            text_ui(ui, tokens.as_deref().unwrap_or("–"), false);
        });
        row.col(|ui| {
            let tag = entry.counting_tags().first().zip(vocabulary);
            let tag = tag.and_then(|(&tag, vocabulary)| vocabulary.tags.get(tag));
            text_ui(ui, tag.map_or("–", String::as_str), false);
        });
        let response = row.response();
        let label = describe(entry);
        response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, selected, &label));
        self.clicks(cx, entry, &response);
        response.on_hover_ui(|ui| tooltip_ui(ui, entry, self.origins.of(entry.id)));
    }
}

fn text_ui(ui: &mut Ui, text: &str, strong: bool) {
    let palette = Palette::of_ui(ui);
    let color = if strong { palette.strong } else { palette.text };
    ui.add(Label::new(RichText::new(text).color(color)).truncate().selectable(false));
}

fn verdict_ui(ui: &mut Ui, entry: &Entry) {
    let palette = Palette::of_ui(ui);
    let color = palette.outcome(entry.outcome());
    if entry.error.is_some() {
        ui.label(RichText::new("error").color(palette.fault));
    } else if entry.analysis.is_some() {
        let (rect, _) = ui.allocate_exact_size(vec2(10.0, 10.0), Sense::hover());
        ui.painter().add(outcome_shape(rect.center(), 3.5, entry.outcome(), color));
        ui.label(RichText::new(outcome_word(entry.outcome())).color(color));
    }
}
