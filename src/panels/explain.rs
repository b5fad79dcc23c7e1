//! The method, step by step, on the image on show: in its panel, or alone in the window for a talk.

mod subject;
mod figure;
mod tagger;
mod clip;

use eframe::egui::{
    Button, Color32, Key, Modifiers, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, vec2,
};

use super::{Home, Panel, PanelCtx, PanelInfo, ViewState, WindowCommand};
use crate::bundle::manifest::Arch;
use crate::pipeline::FeatureChoice;
use crate::ui::pictures::Picture;
use crate::ui::theme::Palette;
use crate::ui::widgets::empty_note;

use figure::Figure;
use subject::{ExplainedImage, Step};

/// The method on the image on show, one step after the other.
pub(super) struct Explain;

/// Its name, place and key.
pub(super) const PANEL: PanelInfo = PanelInfo {
    name: "explain",
    title: "Explain",
    home: Home::Middle,
    key: None,
    make: || Box::new(Explain),
};

/// The most steps that a kind of network has.
pub const MOST_STEPS: usize = {
    let [most, other, third] = [tagger::STEPS.len(), clip::WHOLE.len(), clip::OBJECTS.len()];
    let most = if other > most { other } else { most };
    if third > most { third } else { most }
};

/// Window height at which a presentation has letters as large as the panel's, in points.
const PLAIN_HEIGHT: f32 = 560.0;

/// A figure is at least so high, in points: the rest scrolls.
const LEAST_HEIGHT: f32 = 150.0;

/// The steps of a kind of network, in the order in which they are done.
fn steps(subject: &ExplainedImage<'_>) -> &'static [Step] {
    match (subject.info.manifest.arch, subject.session.settings().features) {
        (Arch::Ram, _) => tagger::STEPS,
        (Arch::Clip, FeatureChoice::WholeImage) => clip::WHOLE,
        (Arch::Clip, FeatureChoice::Objects) => clip::OBJECTS,
    }
}

impl Panel for Explain {
    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        if cx.view.presenting && takes(ui, &[Key::Escape]) {
            cx.send(WindowCommand::Present);
        }
        let (Some(entry), Some(info)) = (cx.session.focused(), cx.session.info().cloned()) else {
            return empty_note(
                ui,
                "Explain",
                "Choose an image to see how its verdict comes about.",
            );
        };
        if entry.analysis.is_none() {
            return empty_note(ui, "Explain", "Waiting for the network.");
        }
        let subject = ExplainedImage { entry, session: cx.session, info: &info };
        let steps = steps(&subject);
        walk(ui, cx.view, steps.len());
        let picture = match cx.pictures.picture(entry.id, &entry.source) {
            Picture::Ready(texture, _) => Some((texture.id(), texture.size_vec2())),
            _ => entry.thumbnail.as_ref().map(|small| {
                let texture = cx.pictures.thumbnail(ui.ctx(), entry.id, small);
                (texture.id(), texture.size_vec2())
            }),
        };
        match cx.view.presenting {
            true => {
                let scale = (ui.available_height() / PLAIN_HEIGHT).clamp(1.0, 3.0);
                let margin = (20.0 * scale) as i8;
                eframe::egui::Frame::new().inner_margin(margin).show(ui, |ui| {
                    slide_ui(ui, &subject, (steps, cx.view.step), scale, picture);
                });
            }
            false => {
                strip_ui(ui, steps, &mut cx.view.step, &subject);
                slide_ui(ui, &subject, (steps, cx.view.step), 1.0, picture);
            }
        }
    }
}

/// One step: its title, formula and text, and its figure in what room is left.
fn slide_ui(
    ui: &mut Ui,
    subject: &ExplainedImage<'_>,
    (steps, at): (&'static [Step], usize),
    scale: f32,
    picture: figure::StepPicture,
) {
    let Some(step) = steps.get(at) else { return };
    let palette = Palette::of_ui(ui);
    let missing = (step.missing)(subject);
    let told = (step.tell)(subject);
    let text = missing
        .as_deref()
        .map_or(told.text, |reason| format!("Not done for this image: {reason}."));
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.add_space(2.0);
        ui.horizontal(|ui| {
            let title = RichText::new(step.title).size(18.0 * scale).strong();
            ui.label(title.color(palette.strong));
            let place = format!("{} / {}", at + 1, steps.len());
            ui.label(RichText::new(place).size(11.5 * scale).color(palette.weak));
        });
        let formula = RichText::new(told.formula).monospace().size(12.5 * scale);
        ui.label(match missing {
            None => formula.color(palette.accent),
            Some(_) => formula.color(palette.weak).strikethrough(),
        });
        ui.label(RichText::new(text).size(13.5 * scale).color(palette.text));
        ui.add_space(6.0);
        let size = vec2(ui.available_width(), ui.available_height().max(LEAST_HEIGHT));
        let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
        let label = format!("Step {}: {}", at + 1, step.title);
        response.widget_info(|| WidgetInfo::labeled(Role::Figure, true, &label));
        ui.painter().rect_filled(rect, 6.0, palette.ground);
        if missing.is_none() {
            let figure = Figure { ui, rect: rect.shrink(14.0), picture, scale };
            (step.draw)(&figure, subject);
        }
    });
}

/// Whether one of some keys was pressed that nobody else is to have: no text field and no dialogue.
fn takes(ui: &Ui, keys: &[Key]) -> bool {
    let busy = ui.ctx().text_edit_focused()
        || ui.ctx().memory(|memory| memory.top_modal_layer().is_some());
    let taken = |key: &Key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, *key));
    // Each is asked for, so that none goes on to others.
    !busy && keys.iter().filter(|key| taken(key)).count() > 0
}

/// Left and right walk the steps while this panel is on show, in a presentation all keys of a clicker.
fn walk(ui: &Ui, view: &mut ViewState, steps: usize) {
    use Key as K;
    let (back, on): (&[Key], &[Key]) = match view.presenting {
        true => (
            &[K::ArrowLeft, K::ArrowUp, K::PageUp, K::Backspace],
            &[K::ArrowRight, K::ArrowDown, K::PageDown, K::Space, K::Enter],
        ),
        false => (&[K::ArrowLeft], &[K::ArrowRight]),
    };
    if takes(ui, on) {
        view.step += 1;
    }
    if takes(ui, back) {
        view.step = view.step.saturating_sub(1);
    }
    if view.presenting && takes(ui, &[K::Home]) {
        view.step = 0;
    }
    if view.presenting && takes(ui, &[K::End]) {
        view.step = steps;
    }
    view.step = view.step.min(steps.saturating_sub(1));
}

/// The steps to choose from; those that did not happen are struck out.
fn strip_ui(ui: &mut Ui, steps: &[Step], chosen: &mut usize, subject: &ExplainedImage<'_>) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        for (number, step) in steps.iter().enumerate() {
            let text = RichText::new(format!("{} {}", number + 1, step.title)).size(12.0);
            let happened = (step.missing)(subject).is_none();
            let text = if happened { text } else { text.strikethrough() };
            if ui.add(Button::selectable(*chosen == number, text)).clicked() {
                *chosen = number;
            }
        }
    });
}

/// A colour of the map's scale.
fn color(value: f32) -> Color32 {
    let [r, g, b] = crate::colormap::viridis_srgb(value);
    Color32::from_rgb(r, g, b)
}
