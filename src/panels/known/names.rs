//! The names that are known, as chips under the field in which they are typed.

use eframe::egui::{
    self, Align2, Button, Event, FontId, Id, Key, Modifiers, Rect, RichText, Role, Sense, TextEdit,
    Ui, WidgetInfo, pos2, vec2,
};

use super::counts::{Counts, NameCount};
use crate::bundle::known::{Known, KnownName, typed_names};
use crate::bundle::manifest::Arch;
use crate::panels::{PanelCtx, WindowCommand};
use crate::session::Command;
use crate::session::known::KnownEdit;
use crate::ui::theme::Palette;
use crate::ui::widgets::{card, elided};

/// Chips that are drawn; of more names a text finds those that are meant.
const CHIPS: usize = 400;
/// Height of a chip, and the widest name on one, in points.
const CHIP: f32 = 24.0;
const WIDEST: f32 = 220.0;

/// The field and the chips.
#[derive(Default)]
pub(super) struct Names {
    /// What is typed.
    pub text: String,
    /// What was typed and sent, with the number of names before: it comes back if it is refused.
    sent: Option<(String, usize)>,
    /// The name that is edited, and what is typed in its place.
    editing: Option<(String, String)>,
}

impl Names {
    /// Draws them.
    pub(super) fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>, counts: &Counts) {
        let Some(known) = cx.session.known().cloned() else { return };
        let is_clip = cx.session.info().is_some_and(|info| info.manifest.arch == Arch::Clip);
        if let Some((text, before)) = self.sent.take()
            && cx.session.names.error.is_some()
            && known.names.len() == before
        {
            self.text = text;
        }
        let title = match known.names.len() {
            0 => "Known names".to_owned(),
            count => format!("Known names  {count}"),
        };
        card(ui, &title, |ui| {
            self.field_ui(ui, cx, (&known, is_clip));
            buttons_ui(ui, cx, &known);
            if let Some(error) = &cx.session.names.error {
                let text = RichText::new(sentence(error)).color(Palette::of_ui(ui).fault);
                ui.label(text);
            }
            if known.names.is_empty() {
                let text = match is_clip {
                    true => {
                        "Nothing is named yet, so there are features but no verdicts. Type what is \
                         known, paste a list, or take the class folders of an open ID set."
                    }
                    false => "No tag is known, so there are tags and maps but no verdicts.",
                };
                ui.label(RichText::new(text).color(Palette::of_ui(ui).weak));
            }
            self.chips_ui(ui, cx, (&known, counts));
        });
    }

    fn field_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>, (known, is_clip): (&Known, bool)) {
        let id = Id::unique("names to add");
        if ui.memory(|memory| memory.has_focus(id)) {
            self.take_pasted_lines(ui, cx, known.names.len());
        }
        let hint = match is_clip {
            true => "Type a name and press Enter:  cat, dog   or   cat: kitty, tom",
            false => "Type a tag and press Enter, or paste a list",
        };
        let edit = TextEdit::singleline(&mut self.text).id(id).hint_text(hint);
        let edit = ui.add(edit.desired_width(f32::INFINITY)).accessible_name("Names to add");
        if edit.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
            let text = std::mem::take(&mut self.text);
            self.add(cx, text, known.names.len());
            // The next name may follow.
            edit.request_focus();
        }
    }

    /// A field of one line would make one line of a list.
    fn take_pasted_lines(&mut self, ui: &Ui, cx: &mut PanelCtx<'_>, names: usize) {
        let mut pasted = Vec::new();
        ui.input_mut(|input| {
            input.events.retain(|event| match event {
                Event::Paste(text) if text.trim().contains('\n') => {
                    pasted.push(text.clone());
                    false
                }
                _ => true,
            });
        });
        for text in pasted {
            self.add(cx, text, names);
        }
    }

    fn add(&mut self, cx: &mut PanelCtx<'_>, text: String, names: usize) {
        cx.send(Command::Know(KnownEdit::Add(typed_names(&text))));
        self.sent = Some((text, names));
    }

    fn chips_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>, (known, counts): (&Known, &Counts)) {
        let needle = self.text.to_lowercase();
        let is_many = known.names.len() > CHIPS;
        let is_meant =
            |known: &&KnownName| !is_many || known.line().to_lowercase().contains(&needle);
        ui.add_space(2.0);
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(5.0, 5.0);
            let mut shown = 0;
            for (at, name) in known.names.iter().enumerate().filter(|(_, name)| is_meant(name)) {
                if shown == CHIPS {
                    break;
                }
                shown += 1;
                match &self.editing {
                    Some((edited, _)) if *edited == name.name => self.edit_ui(ui, cx),
                    _ => {
                        let count = counts.names.get(at).copied().unwrap_or_default();
                        let is_nearest = counts.shown == Some(at) && !cx.session.names.is_awaited();
                        if chip_ui(ui, cx, name, (count, is_nearest)) {
                            self.editing = Some((name.name.clone(), name.line()));
                        }
                    }
                }
            }
            if shown < known.names.len() {
                let text = format!("{} more; type to find one", known.names.len() - shown);
                ui.label(RichText::new(text).small().color(Palette::of_ui(ui).weak));
            }
        });
    }

    /// The field in a chip's place.
    fn edit_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let Some((name, text)) = &mut self.editing else { return };
        let id = Id::unique("edited name");
        let edit = TextEdit::singleline(text).id(id).desired_width(WIDEST);
        let edit = ui.add(edit).accessible_name(format!("Edit {name}"));
        if !edit.has_focus() && !edit.lost_focus() {
            edit.request_focus();
        }
        if edit.lost_focus() {
            if ui.input(|input| input.key_pressed(Key::Enter)) && *text != *name {
                let edit = KnownEdit::Rename(name.clone(), KnownName::parse(text));
                cx.send(Command::Know(edit));
            }
            self.editing = None;
        }
    }
}

/// Whence names come beside the keyboard.
fn buttons_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, known: &Known) {
    ui.horizontal_wrapped(|ui| {
        let hint =
            "One name a line, with synonyms behind a colon; they take the place of these names";
        if ui.button("Load list…").on_hover_text(hint).clicked() {
            cx.send(WindowCommand::OpenNames);
        }
        let folders = cx.session.class_folders();
        let hint = match folders.is_empty() {
            true => "Open a set of class folders as ID to take its names",
            false => "The class folders of the open ID sets take the place of these names",
        };
        let text = match folders.len() {
            0 => "From class folders".to_owned(),
            count => format!("From {count} class folders"),
        };
        let button = ui.add_enabled(!folders.is_empty(), Button::new(text));
        let button = button.on_hover_text(hint).on_disabled_hover_text(hint);
        if button.accessible_name("Names from class folders").clicked() {
            let name = |name: String| KnownName { name, synonyms: Vec::new() };
            let names = folders.into_iter().map(name).collect();
            cx.send(Command::Know(KnownEdit::Replace(names)));
        }
        if *known != *cx.session.names.own() {
            let own = cx.session.names.own().names.len();
            let (text, hint) = match own {
                0 => ("Clear".to_owned(), "Nothing is known again".to_owned()),
                own => (
                    format!("Model's own {own}"),
                    "Back to what the model was made with".to_owned(),
                ),
            };
            if ui.button(text).on_hover_text(hint).clicked() {
                cx.send(Command::Know(KnownEdit::Own));
            }
        }
    });
}

/// A name with its count and mean, and a cross that takes it away; whether it is to be edited.
fn chip_ui(
    ui: &mut Ui,
    cx: &mut PanelCtx<'_>,
    known: &KnownName,
    (count, is_nearest): (NameCount, bool),
) -> bool {
    let palette = Palette::of_ui(ui);
    let (name, number) = (&known.name, count.images);
    let figures = match count.mean() {
        Some(mean) => format!("{number}  {mean:.2}"),
        None => number.to_string(),
    };
    let shown = match known.synonyms.len() {
        0 => name.clone(),
        more => format!("{name} +{more}"),
    };
    let painter = ui.painter();
    let color = if is_nearest { palette.strong } else { palette.text };
    let title = elided(painter, &shown, 13.0, color, WIDEST);
    let figures_text = painter.layout_no_wrap(figures, FontId::proportional(11.0), palette.weak);
    let width = title.size().x + figures_text.size().x + 42.0;
    let (rect, response) = ui.allocate_exact_size(vec2(width, CHIP), Sense::click());
    let cross = Rect::from_min_max(pos2(rect.right() - 20.0, rect.top()), rect.max);
    let close = ui.interact(cross, response.id.with("remove"), Sense::click());
    let mean = count.mean().map_or(String::new(), |mean| format!(", mean {mean:.3}"));
    let label = format!("Known {name}: {number} images{mean}");
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &label));
    close.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Remove {name}")));
    if ui.is_rect_visible(rect) {
        let painter = ui.painter();
        let fill = match (is_nearest, response.hovered()) {
            (true, _) => palette.accent_soft,
            (false, true) => palette.hovered,
            (false, false) => palette.widget,
        };
        painter.rect_filled(rect, CHIP / 2.0, fill);
        if response.has_focus() {
            let line = egui::Stroke::new(1.0, palette.accent);
            painter.rect_stroke(rect, CHIP / 2.0, line, egui::StrokeKind::Inside);
        }
        let middle = rect.center().y;
        let at = pos2(rect.left() + 11.0, middle - title.size().y / 2.0);
        let after = at.x + title.size().x + 7.0;
        painter.galley(at, title, color);
        let at = pos2(after, middle - figures_text.size().y / 2.0);
        painter.galley(at, figures_text, palette.weak);
        let color = if close.hovered() { palette.fault } else { palette.weak };
        let at = cross.center() - vec2(2.0, 0.0);
        painter.text(at, Align2::CENTER_CENTER, "×", FontId::proportional(15.0), color);
    }
    let is_deleted = response.has_focus()
        && ui.input_mut(|input| {
            input.consume_key(Modifiers::NONE, Key::Delete)
                || input.consume_key(Modifiers::NONE, Key::Backspace)
        });
    if close.clicked() || is_deleted {
        cx.send(Command::Know(KnownEdit::Remove(name.clone())));
    }
    let is_keyed =
        response.has_focus() && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::F2));
    let edits = response.double_clicked() || is_keyed;
    response.on_hover_ui(|ui| {
        ui.label(RichText::new(known.line()).strong());
        let text = match count.mean() {
            Some(mean) => format!("Nearest in {number} open images, {mean:.3} on the mean."),
            None => "Nearest in no open image.".to_owned(),
        };
        ui.label(text);
        ui.label("Double-click to edit, or F2; Delete takes it away.");
    });
    edits
}

/// As a sentence stands on its own.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if !text.ends_with('.') => {
            first.to_uppercase().chain(letters).chain(['.']).collect()
        }
        _ => text.to_owned(),
    }
}
