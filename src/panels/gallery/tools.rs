//! The gallery's head: text to search for, kinds, order, what narrows the list further.

use eframe::egui::{self, ComboBox, DragValue, RichText, Slider, TextEdit, Ui};

use super::{Gallery, PanelCtx, WindowCommand};
use crate::session::listing::{Kind, ListFilter, SortKey};
use crate::ui::theme::Palette;
use crate::ui::widgets::{keep_together, toggle};

/// The thumbnails' sides, in points.
const TILES: std::ops::RangeInclusive<f32> = 56.0..=320.0;

/// Below this height, order and filters give way to the images, in points.
pub(super) const LOW: f32 = 200.0;
/// Below this width there is one thumbnail in a row, whatever its size, in points.
const NARROW: f32 = 120.0;
/// Room for the slider of their size, in points.
const SLIDER: f32 = 72.0;

/// A thumbnail's side as it can be shown.
pub(super) fn within_bounds(tile: f32) -> f32 {
    // What is no number is neither below nor above.
    if tile.is_nan() { *TILES.start() } else { tile.clamp(*TILES.start(), *TILES.end()) }
}

impl Gallery {
    pub(super) fn tools_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        ui.horizontal(|ui| {
            // In a narrow column the button gives way: the menu and Ctrl+O open files, too.
            let opens = ui.available_width() >= 160.0;
            let width = ui.available_width() - if opens { 66.0 } else { 8.0 };
            let edit = TextEdit::singleline(&mut self.filter.text)
                .hint_text("Filter by name, set or tag")
                .desired_width(width);
            ui.add(edit).accessible_name("Filter");
            if opens && ui.button("Open…").on_hover_text("Open images (Ctrl+O)").clicked() {
                cx.send(WindowCommand::OpenFiles);
            }
        });
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            self.kinds_ui(ui);
            self.only_ui(ui, cx);
        });
        // In a low panel the images have what height there is.
        if ui.available_height() >= LOW {
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing.x = 4.0;
                self.order_ui(ui);
                self.narrowing_ui(ui);
            });
        }
        if self.narrowing {
            self.narrow_ui(ui, cx);
        }
        self.matches_ui(ui, cx);
        ui.add_space(2.0);
    }

    /// A chip for each kind with its count; the rare ones where there are any.
    fn kinds_ui(&mut self, ui: &mut Ui) {
        for (kind, count) in Kind::ALL.into_iter().zip(self.listing.kinds) {
            let rare = matches!(kind, Kind::NotScored | Kind::Errors);
            if rare && count == 0 && self.filter.kind != kind {
                continue;
            }
            let text = format!("{} {count}", kind.name());
            let button = egui::Button::selectable(self.filter.kind == kind, text).small();
            if ui.add(button).clicked() {
                self.filter.kind = kind;
            }
        }
    }

    fn order_ui(&mut self, ui: &mut Ui) {
        let shown = ComboBox::from_id_salt("sort")
            .selected_text(self.choices.sort.name())
            .width((ui.available_width() - 60.0).clamp(30.0, 104.0))
            .truncate()
            .height(320.0)
            .show_ui(ui, |ui| {
                for sort in SortKey::ALL {
                    ui.selectable_value(&mut self.choices.sort, sort, sort.name());
                }
            });
        shown.response.on_hover_text("Sort by").accessible_name("Sort by");
        let direction = self.choices.sort.direction(self.choices.reversed);
        let arrow = if self.choices.reversed { "⬇" } else { "⬆" };
        let button = ui.button(arrow).on_hover_text(format!("Now {direction}; click to turn it"));
        if button.accessible_name(format!("Order: {direction}")).clicked() {
            self.choices.reversed = !self.choices.reversed;
        }
    }

    fn narrowing_ui(&mut self, ui: &mut Ui) {
        let filter = &self.filter;
        let narrowed = [
            filter.set.is_some(),
            filter.class.is_some(),
            filter.tag.is_some(),
            filter.score.is_some(),
        ];
        let text = match narrowed.into_iter().filter(|narrowed| *narrowed).count() {
            0 => "Filters".to_owned(),
            count => format!("Filters {count}"),
        };
        let hint = "Filter by set, nearest class, tag and score";
        if toggle(ui, self.narrowing, &text, hint).clicked() {
            self.narrowing = !self.narrowing;
        }
    }

    /// Thumbnails and their size, or a table.
    pub(super) fn shape_ui(&mut self, ui: &mut Ui) {
        let hint = "Rows with columns in place of thumbnails";
        if toggle(ui, self.choices.table, "Table", hint).clicked() {
            self.choices.table = !self.choices.table;
        }
        if !self.choices.table && ui.available_width() >= NARROW {
            // A slider does not wrap by itself, and one that reached over the edge would make the
            // whole panel wider than there is room for.
            keep_together(ui, SLIDER);
            let room = ui.available_size_before_wrap().x - 4.0;
            ui.spacing_mut().slider_width = room.clamp(8.0, SLIDER);
            let size = Slider::new(&mut self.choices.tile, TILES).show_value(false);
            ui.add(size).on_hover_text("Size of the thumbnails").accessible_name("Thumbnail size");
        }
    }

    /// Sets, classes and tags to choose from, each with its count, and a range of scores.
    fn narrow_ui(&mut self, ui: &mut Ui, cx: &PanelCtx<'_>) {
        let Self { filter, listing, .. } = self;
        let vocabulary = cx.session.info().map(|info| &info.vocabulary);
        if listing.sets.len() > 1 || filter.set.is_some() {
            let title = |name: &str| if name.is_empty() { "Pasted" } else { name }.to_owned();
            let sets = listing.sets.iter().map(|(set, n)| (set.clone(), title(set), *n)).collect();
            choice_ui(ui, ("Set", "All sets"), &mut filter.set, sets);
        }
        let class = |class| vocabulary.map_or(String::new(), |known| known.class_name(class));
        let classes = listing.classes.iter().map(|(&at, &n)| (at, class(at), n)).collect();
        choice_ui(ui, ("Nearest class", "All nearest classes"), &mut filter.class, classes);
        let tag =
            |tag: usize| vocabulary.and_then(|v| v.tags.get(tag)).cloned().unwrap_or_default();
        let tags = listing.tags.iter().map(|(&at, &n)| (at, tag(at), n)).collect();
        choice_ui(ui, ("Tag", "All known tags"), &mut filter.tag, tags);
        if let Some(bounds) = listing.scores {
            scores_ui(ui, filter, bounds);
        }
    }

    /// How many images pass, and the way back to all of them.
    fn matches_ui(&mut self, ui: &mut Ui, cx: &PanelCtx<'_>) {
        if self.filter.is_open() {
            return;
        }
        let text = format!("{} of {}", self.listing.order.len(), cx.session.entries().len());
        ui.horizontal(|ui| {
            ui.label(RichText::new(text).small().color(Palette::of_ui(ui).weak));
            let listed = !self.listing.order.is_empty();
            // Where nothing is listed, the button stands in the middle of the panel.
            if listed && ui.small_button("Clear filter").on_hover_text("Show all images").clicked()
            {
                self.filter = ListFilter::default();
            }
        });
    }
}

/// A menu of what a filter can be set to, by name; `None` stands for all.
fn choice_ui<T: Clone + PartialEq>(
    ui: &mut Ui,
    (name, all): (&str, &str),
    chosen: &mut Option<T>,
    mut values: Vec<(T, String, usize)>,
) {
    values.sort_by(|a, b| a.1.cmp(&b.1));
    let present = chosen.as_ref().and_then(|chosen| values.iter().find(|(v, ..)| v == chosen));
    let shown = match (&chosen, present) {
        (None, _) => all.to_owned(),
        (Some(_), Some((_, title, _))) => title.clone(),
        // Chosen, and had by none of the images that pass the rest.
        (Some(_), None) => format!("{name}: none left"),
    };
    let shown = ComboBox::from_id_salt(name)
        .selected_text(shown)
        .width((ui.available_width() - 8.0).max(60.0))
        .truncate()
        .show_ui(ui, |ui| {
            ui.selectable_value(chosen, None, all);
            for (value, title, count) in values {
                let text = format!("{title}  {count}");
                ui.selectable_value(chosen, Some(value), text);
            }
        });
    shown.response.accessible_name(name);
}

/// The lowest and the highest score; a range that takes in every score is no filter.
fn scores_ui(ui: &mut Ui, filter: &mut ListFilter, [least, most]: [f32; 2]) {
    let [mut low, mut high] = filter.score.unwrap_or([least, most]);
    let speed = f64::from(most - least).max(1e-3) / 200.0;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.label(RichText::new("Score").small().color(Palette::of_ui(ui).weak));
        let value = |value| DragValue::new(value).speed(speed).max_decimals(4);
        let from = ui.add(value(&mut low)).accessible_name("Lowest score");
        ui.label("–");
        let to = ui.add(value(&mut high)).accessible_name("Highest score");
        if from.changed() || to.changed() {
            // The end that is moved takes the other one along.
            let range = if from.changed() { [low, high.max(low)] } else { [low.min(high), high] };
            let all = range[0] <= least && range[1] >= most;
            filter.score = (!all).then_some(range);
        }
    });
}
