//! The texts that a CLIP's names are encoded in, and the words that stand against them.

use eframe::egui::{Id, RichText, ScrollArea, TextEdit, TextStyle, Ui};

use crate::bundle::known::{DEFAULT_TEMPLATE, Known, KnownName, check_template, filled};
use crate::bundle::templates;
use crate::panels::{PanelCtx, WindowCommand};
use crate::pipeline::NO_TEMPLATE;
use crate::session::Command;
use crate::session::known::KnownEdit;
use crate::ui::theme::Palette;
use crate::ui::widgets::{card, toggle};
use crate::worker::ModelInfo;

/// Templates that have a field each; more are a set, to be looked at.
const FIELDS: usize = 6;
/// Height of the preview, in points.
const PREVIEW: f32 = 96.0;
/// The set of CLIPN's released evaluation.
const CLIPN: &str = "clipn";

/// Templates while they are typed.
#[derive(Default)]
pub(super) struct Texts {
    drafts: Vec<String>,
    /// Those in force when the drafts were made of them.
    made_of: Vec<String>,
}

impl Texts {
    /// Draws them.
    pub(super) fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let (Some(known), Some(info)) = (cx.session.known().cloned(), cx.session.info().cloned())
        else {
            return;
        };
        if self.made_of != known.templates {
            self.drafts.clone_from(&known.templates);
            self.made_of.clone_from(&known.templates);
        }
        card(ui, "Templates", |ui| {
            self.sets_ui(ui, cx, &known);
            if self.drafts.len() <= FIELDS {
                self.fields_ui(ui, cx, &known);
            }
            preview_ui(ui, &known.names, &self.drafts);
            no_side_ui(ui, &info);
        });
        negatives_ui(ui, cx, &known, &info);
    }

    fn sets_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>, known: &Known) {
        ui.horizontal_wrapped(|ui| {
            let sets = [
                ("One", vec![DEFAULT_TEMPLATE.to_owned()], DEFAULT_TEMPLATE),
                (
                    "CLIPN's 128",
                    templates::set(CLIPN).unwrap_or_default(),
                    "The texts of CLIPN's released evaluation; each name's features are averaged",
                ),
            ];
            for (title, templates, hint) in sets {
                let on = known.templates == templates;
                if toggle(ui, on, title, hint).clicked() && !on {
                    cx.send(Command::Know(KnownEdit::Templates(templates)));
                }
            }
            let hint = "One more text that each name is put into, at {}";
            if self.drafts.len() < FIELDS && ui.button("Add").on_hover_text(hint).clicked() {
                self.drafts.push(String::new());
            }
        });
    }

    fn fields_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>, known: &Known) {
        let (mut is_done, mut gone) = (false, None);
        let count = self.drafts.len();
        for (at, draft) in self.drafts.iter_mut().enumerate() {
            ui.horizontal(|ui| {
                let width = ui.available_width() - if count > 1 { 34.0 } else { 4.0 };
                let edit = TextEdit::singleline(draft).id(Id::unique(("template", at)));
                let edit = edit.hint_text("a drawing of a {}.").desired_width(width);
                let edit = ui.add(edit).accessible_name(format!("Template {}", at + 1));
                is_done |= edit.lost_focus();
                if let Err(error) = check_template(draft) {
                    edit.on_hover_text(error.to_string());
                }
                let remove = || format!("Remove template {}", at + 1);
                if count > 1 && ui.small_button("×").accessible_name(remove()).clicked() {
                    gone = Some(at);
                }
            });
        }
        if let Some(at) = gone {
            self.drafts.remove(at);
        }
        let drafts: Vec<String> =
            self.drafts.iter().filter(|draft| !draft.trim().is_empty()).cloned().collect();
        if (is_done || gone.is_some()) && drafts != known.templates {
            cx.send(Command::Know(KnownEdit::Templates(drafts)));
        }
    }
}

/// The very texts that go through the text side, however many they are.
fn preview_ui(ui: &mut Ui, names: &[KnownName], templates: &[String]) {
    let palette = Palette::of_ui(ui);
    let templates: Vec<&String> =
        templates.iter().filter(|template| check_template(template).is_ok()).collect();
    let mut ends = Vec::with_capacity(names.len());
    let mut all = 0;
    for name in names {
        all += name.words().count() * templates.len();
        ends.push(all);
    }
    let text = match all {
        0 => "No text is encoded.".to_owned(),
        1 => "1 text is encoded:".to_owned(),
        all => format!("{all} texts are encoded:"),
    };
    ui.label(RichText::new(text).small().color(palette.weak));
    if all == 0 {
        return;
    }
    let text = |at: usize| {
        let name = ends.partition_point(|&end| end <= at);
        let inside = at - if name == 0 { 0 } else { ends[name - 1] };
        let word = names[name].words().nth(inside / templates.len()).unwrap_or_default();
        filled(templates[inside % templates.len()], word)
    };
    let height = ui.text_style_height(&TextStyle::Monospace);
    let list = ScrollArea::vertical().id_salt("texts").max_height(PREVIEW);
    ui.spacing_mut().item_spacing.y = 1.0;
    list.auto_shrink([false, true]).show_rows(ui, height, all, |ui, rows| {
        for at in rows {
            let text = RichText::new(text(at)).monospace().size(11.0).color(palette.text);
            ui.add(eframe::egui::Label::new(text).truncate());
        }
    });
}

/// What the no side reads.
fn no_side_ui(ui: &mut Ui, info: &ModelInfo) {
    let prompts = info.manifest.clip.as_ref().and_then(|part| part.shape.no_prompts);
    let text = match prompts {
        None => "This CLIP has no side that says no: CTW and ATD need a CLIPN.".to_owned(),
        Some(0) => format!("The no side reads `{NO_TEMPLATE}` instead."),
        Some(count) => format!("The no side reads the same behind its {count} learned prompts."),
    };
    ui.add_space(3.0);
    ui.label(RichText::new(text).small().color(Palette::of_ui(ui).weak));
}

fn negatives_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, known: &Known, info: &ModelInfo) {
    card(ui, "Negative words", |ui| {
        let palette = Palette::of_ui(ui);
        ui.horizontal_wrapped(|ui| {
            let hint = "A list with one word a line, or one of WordNet's data files: what images are \
                        held against beside the known names (NegLabel)";
            let Some(path) = &known.negatives else {
                if ui.button("Load words…").on_hover_text(hint).clicked() {
                    cx.send(WindowCommand::OpenNegatives);
                }
                ui.label(RichText::new("none; NegLabel needs some").small().color(palette.weak));
                return;
            };
            let labels = info.labels.as_ref().filter(|_| info.known.negatives.is_some());
            let taken = labels.and_then(|labels| {
                Some(labels.negatives.as_ref()?.len() / labels.width.max(1))
            });
            let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            let text = match taken {
                Some(taken) => format!("{taken} words of {file}"),
                None => format!("{file}, as soon as something is known"),
            };
            ui.label(RichText::new(text).color(palette.text)).on_hover_text(path.display().to_string());
            if ui.button("Other…").on_hover_text(hint).clicked() {
                cx.send(WindowCommand::OpenNegatives);
            }
            let remove = ui.button("Remove").on_hover_text("Judge without negative words");
            if remove.accessible_name("Remove negative words").clicked() {
                cx.send(Command::Know(KnownEdit::Negatives(None)));
            }
        });
    });
}
