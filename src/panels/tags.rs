//! What the tagger sees: probabilities against their thresholds.

use eframe::egui::{
    self, Align2, FontId, Rect, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, pos2, vec2,
};

use super::{Home, Panel, PanelCtx, PanelInfo};
use crate::bundle::manifest::Arch;
use crate::session::Command;
use crate::session::entry::Entry;
use crate::ui::theme::Palette;
use crate::ui::widgets::{bar, empty_note};
use crate::worker::{ImageId, ModelInfo};

const ROW: f32 = 24.0;

/// The tags of the image on show, with those whose maps are drawn.
#[derive(Default)]
pub(super) struct Tags {
    search: String,
    rows: Vec<usize>,
    seen: Option<(ImageId, u64, String)>,
}

/// Its name, place and key.
pub(super) const PANEL: PanelInfo = PanelInfo {
    name: "tags",
    title: "Tags",
    home: Home::RightLower,
    key: None,
    make: || Box::new(Tags::default()),
};

impl Panel for Tags {
    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let (Some(entry), Some(info)) = (cx.session.focused(), cx.session.info().cloned()) else {
            return empty_note(ui, "Tags", "What the model sees in the image on show.");
        };
        let Some(tagged) = &entry.tagged else {
            let failed = entry.error.is_some();
            let note =
                if failed { "There is no image to tag." } else { "Waiting for the network." };
            return empty_note(ui, "Tags", note);
        };
        let is_clip = info.manifest.arch == Arch::Clip;
        if is_clip && info.vocabulary.tags.is_empty() {
            return empty_note(ui, "Nothing is named yet", "The Known panel takes names.");
        }
        self.tools_ui(ui, cx, is_clip);
        let probabilities = tagged.probabilities();
        let key = (entry.id, cx.session.revision(), self.search.clone());
        if self.seen.as_ref() != Some(&key) {
            self.rows = rows(&probabilities, &info, &self.search);
            self.seen = Some(key);
        }
        if self.rows.is_empty() {
            let note = "No tag is above its threshold. Search to see the others.";
            return empty_note(ui, "Nothing seen", note);
        }
        let rows = self.rows.len();
        ui.spacing_mut().item_spacing.y = 2.0;
        ScrollArea::vertical().auto_shrink(false).show_rows(ui, ROW, rows, |ui, range| {
            for &tag in &self.rows[range] {
                tag_ui(ui, cx, entry, &info, tag, probabilities[tag]);
            }
        });
    }
}

impl Tags {
    fn tools_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>, is_clip: bool) {
        ui.horizontal(|ui| {
            let (hint, search) = match is_clip {
                true => ("Back to the union of the names that count (U)", "Search all names"),
                false => (
                    "Back to the union of the in-distribution tags that count (U)",
                    "Search all tags",
                ),
            };
            let union = cx.session.map.tags.is_empty();
            let button = egui::Button::selectable(union, "Union");
            if ui.add(button).on_hover_text(hint).clicked() {
                cx.send(Command::ShowTags(Vec::new()));
            }
            let edit = egui::TextEdit::singleline(&mut self.search)
                .hint_text(search)
                .desired_width(ui.available_width() - 8.0);
            ui.add(edit).accessible_name("Search tags");
        });
    }
}

/// The tags above their threshold, or those that a search finds; of a CLIP all its names. The likeliest
/// first.
fn rows(probabilities: &[f32], info: &ModelInfo, search: &str) -> Vec<usize> {
    let vocabulary = &info.vocabulary;
    let needle = search.trim().to_lowercase();
    let mut rows: Vec<usize> = (0..probabilities.len())
        .filter(|&tag| match needle.is_empty() {
            true if info.manifest.arch == Arch::Clip => true,
            true => probabilities[tag] > vocabulary.thresholds[tag],
            false => vocabulary.tags[tag].to_lowercase().contains(&needle),
        })
        .collect();
    rows.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    rows
}

fn tag_ui(
    ui: &mut Ui,
    cx: &mut PanelCtx<'_>,
    entry: &Entry,
    info: &ModelInfo,
    tag: usize,
    probability: f32,
) {
    let palette = Palette::of_ui(ui);
    let vocabulary = &info.vocabulary;
    let (name, threshold) = (&vocabulary.tags[tag], vocabulary.thresholds[tag]);
    let is_id = vocabulary.is_id(tag);
    let counts = entry.analysis.as_ref().is_some_and(|l| l.decomposition.tags.contains(&tag));
    let shown = cx.session.map.tags.binary_search(&tag).is_ok();
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
    let kind = if info.manifest.arch == Arch::Clip { "Name" } else { "Tag" };
    let label = format!("{kind} {name}, {:.0} %", probability * 100.0);
    response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, shown, &label));
    if ui.is_rect_visible(rect) {
        let painter = ui.painter();
        let fill = match (shown, response.hovered()) {
            (true, _) => Some(palette.accent_soft),
            (false, true) => Some(palette.raised),
            (false, false) => None,
        };
        if let Some(fill) = fill {
            painter.rect_filled(rect, 4.0, fill);
        }
        let middle = rect.center().y;
        let number = 38.0;
        let bar_left = rect.left() + 22.0 + (rect.width() - 22.0 - number) * 0.48;
        let color = if counts || !is_id { palette.text } else { palette.weak };
        if is_id {
            let center = pos2(rect.left() + 11.0, middle);
            match counts {
                true => drop(painter.circle_filled(center, 3.5, palette.id)),
                false => drop(painter.circle_stroke(center, 3.0, (1.5, palette.id))),
            }
        }
        let mut job = egui::text::LayoutJob::simple_singleline(
            name.clone(),
            FontId::proportional(13.0),
            if counts { palette.strong } else { color },
        );
        job.wrap = egui::text::TextWrapping::truncate_at_width(bar_left - rect.left() - 30.0);
        let galley = painter.layout_job(job);
        let at = pos2(rect.left() + 22.0, middle - galley.size().y / 2.0);
        painter.galley(at, galley, color);
        let bar_rect = Rect::from_min_max(
            pos2(bar_left, middle - 3.0),
            pos2(rect.right() - number - 4.0, middle + 3.0),
        );
        let fill = if is_id { palette.id } else { palette.weak };
        bar(ui, bar_rect, probability, Some(threshold), fill);
        let text = format!("{:.0} %", probability * 100.0);
        let at = pos2(rect.right() - 4.0, middle);
        let font = FontId::proportional(11.5);
        ui.painter().text(at, Align2::RIGHT_CENTER, text, font, palette.weak);
    }
    if response.clicked() {
        let command = match ui.input(|input| input.modifiers.command) {
            true => Command::ToggleTag(tag),
            false if shown && cx.session.map.tags.len() == 1 => Command::ShowTags(Vec::new()),
            false => Command::ShowTags(vec![tag]),
        };
        cx.send(command);
    }
    response.on_hover_ui(|ui| match info.manifest.arch {
        Arch::Ram => why_ui(ui, info, tag, probability, counts),
        Arch::Clip => name_ui(ui, info, entry, (tag, probability, counts)),
    });
}

/// What a CLIP makes of a name.
fn name_ui(
    ui: &mut Ui,
    info: &ModelInfo,
    entry: &Entry,
    (name, probability, counts): (usize, f32, bool),
) {
    ui.label(RichText::new(&info.vocabulary.tags[name]).strong());
    ui.label(format!("Probability {probability:.3}: its share of the softmax over all names."));
    let cosines = entry.analysis.as_ref().and_then(|analysis| analysis.cosines.as_ref());
    if let Some(similarity) = cosines.and_then(|cosines| cosines.image.get(name)) {
        let denied = cosines.and_then(|cosines| cosines.denied()?.get(name).copied());
        let said =
            denied.map_or(String::new(), |no| format!("; the no side says {no:.2} it is not"));
        ui.label(format!("Similarity {similarity:.3}{said}."));
    }
    let why = match counts {
        true => "It counts: patches that are like it above τ are kept.",
        false => "It does not count: others are likelier.",
    };
    ui.label(why);
    ui.label("Click for its map alone, Ctrl+click to add its map.");
}

/// Why a tag counts or not.
fn why_ui(ui: &mut Ui, info: &ModelInfo, tag: usize, probability: f32, counts: bool) {
    let vocabulary = &info.vocabulary;
    let threshold = vocabulary.thresholds[tag];
    ui.label(RichText::new(&vocabulary.tags[tag]).strong());
    let above = if probability > threshold { "above" } else { "not above" };
    ui.label(format!("Probability {probability:.3}, {above} its threshold {threshold:.3}."));
    let classes: Vec<&str> = vocabulary
        .classes
        .iter()
        .filter(|class| class.tags.contains(&tag))
        .map(|class| class.name.as_str())
        .collect();
    let why = match (classes.is_empty(), counts, probability > threshold) {
        (true, ..) => "It stands for no known class, so it does not count.".to_owned(),
        (false, true, true) => format!("It counts: it stands for {}.", classes.join(", ")),
        (false, true, false) => {
            "It counts because nothing else was seen: the released recipe then takes the best \
             in-distribution tag."
                .to_owned()
        }
        (false, false, _) => {
            format!("It would stand for {}, but is too unlikely here.", classes.join(", "))
        }
    };
    ui.label(why);
    ui.label("Click for its map alone, Ctrl+click to add its map.");
}
