//! The bars at the window's edges: menus above, state below.

use eframe::egui::{self, Align, Layout, ProgressBar, RichText, Sense, Stroke, Ui, vec2};

use super::actions::{ACTIONS, key_text};
use super::command::{Command, WindowCommand};
use super::overlays::bar_frame;
use super::state::{Model, ModelState};
use crate::score::verdict::Outcome;
use crate::ui::theme::Palette;
use crate::ui::widgets::{outcome_shape, outcome_word, toggle};

/// The menus; what was chosen goes to `commands`.
pub fn menu_bar_ui(ui: &mut Ui, explaining: bool, commands: &mut Vec<Command>) {
    let frame = bar_frame(ui);
    egui::Panel::top("menu").frame(frame).show(ui, |ui| {
        ui.horizontal(|ui| {
            let palette = Palette::of_ui(ui);
            logo_ui(ui);
            ui.label(RichText::new("TagOOD Lens").strong().color(palette.strong));
            ui.add_space(6.0);
            for group in ["Files", "Images", "Method", "Tuning", "Map", "Window"] {
                ui.menu_button(group, |ui| {
                    ui.set_min_width(230.0);
                    for action in ACTIONS.iter().filter(|action| action.group == group) {
                        let key = action.key.map(|key| key_text(ui.ctx(), &key));
                        let key =
                            RichText::new(key.unwrap_or_default()).color(palette.weak).small();
                        let button = egui::Button::new(action.name).right_text(key).frame(false);
                        if ui.add(button.min_size(vec2(226.0, 22.0))).clicked() {
                            commands.push((action.command)());
                            ui.close();
                        }
                    }
                });
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let mut window = |command| commands.push(Command::Window(command));
                let theme = if ui.visuals().dark_mode { "Light" } else { "Dark" };
                let response = ui.button(theme).on_hover_text("Dark or light theme (Ctrl+T)");
                if response.clicked() {
                    window(WindowCommand::ToggleTheme);
                }
                if ui.button("?").on_hover_text("Keys (?)").clicked() {
                    window(WindowCommand::Shortcuts);
                }
                let search = RichText::new("Search commands  Ctrl+P").color(palette.weak);
                if ui.available_width() > 290.0 && ui.button(search).clicked() {
                    window(WindowCommand::Palette);
                }
                let hint = "The method step by step on this image (E)";
                if toggle(ui, explaining, "Explain", hint).clicked() {
                    window(WindowCommand::Explain);
                }
            });
        });
    });
}

/// A lens, small.
fn logo_ui(ui: &mut Ui) {
    let palette = Palette::of_ui(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(16.0, 16.0), Sense::hover());
    let center = rect.center();
    ui.painter().circle_stroke(center, 6.5, Stroke::new(2.0, palette.accent));
    ui.painter().circle_filled(center + vec2(-1.5, 1.0), 2.5, palette.id);
}

/// Device, model, recipe, jobs, counts.
pub fn status_bar_ui(ui: &mut Ui, model: &Model, drops: Option<&str>, commands: &mut Vec<Command>) {
    let frame = bar_frame(ui).inner_margin(egui::Margin::symmetric(10, 3));
    egui::Panel::bottom("status").frame(frame).show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 12.0;
            network_ui(ui, model);
            jobs_ui(ui, model, commands);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                counts_ui(ui, model);
                let palette = Palette::of_ui(ui);
                if let Some(note) = drops {
                    ui.label(RichText::new("no drops").small().color(palette.ood))
                        .on_hover_text(note);
                }
                if let Some(trouble) = model.troubles.last() {
                    let text = RichText::new(trouble).small().color(palette.fault);
                    ui.add(egui::Label::new(text).truncate()).on_hover_text(trouble);
                }
            });
        });
    });
}

fn network_ui(ui: &mut Ui, model: &Model) {
    let palette = Palette::of_ui(ui);
    let weak = |text: &str| RichText::new(text).small().color(palette.weak);
    match &model.network {
        ModelState::None => drop(ui.label(weak("No model"))),
        ModelState::Loading(name) => {
            ui.add(egui::Spinner::new().size(12.0));
            ui.label(weak(&format!("Loading {name}")));
        }
        ModelState::Failed(error) => {
            let text = RichText::new("No model").small().color(palette.fault);
            ui.label(text).on_hover_text(error);
        }
        ModelState::Ready(info) => {
            let device = RichText::new(&info.device).small().color(palette.text);
            ui.label(device).on_hover_text("Where the networks run");
            let load = format!("Model; loaded in {:.0} ms", info.load_ms);
            ui.label(weak(&info.manifest.name)).on_hover_text(load);
            let recipe = format!("{} recipe", model.settings.recipe);
            ui.label(weak(&recipe)).on_hover_text(
                "Paper and released code differ in small things; this one is in force. See Verdict.",
            );
        }
    }
}

fn jobs_ui(ui: &mut Ui, model: &Model, commands: &mut Vec<Command>) {
    let palette = Palette::of_ui(ui);
    for job in &model.jobs {
        let share = job.done as f32 / job.total.max(1) as f32;
        let text = match job.total {
            0 => format!("Opening {}", job.label),
            total => format!("{} of {total}", job.done),
        };
        let bar = ProgressBar::new(share)
            .desired_width(130.0)
            .desired_height(12.0)
            .fill(palette.accent_soft)
            .text(RichText::new(text).size(10.0).color(palette.strong));
        ui.add(bar).on_hover_text(&job.label);
        let stop = ui.small_button("Stop").on_hover_text("Stop this job; what is done stays");
        if stop.clicked() {
            commands.push(Command::Cancel(job.id));
        }
    }
}

fn counts_ui(ui: &mut Ui, model: &Model) {
    if model.entries().is_empty() {
        return;
    }
    let palette = Palette::of_ui(ui);
    let count = |outcome| model.entries().iter().filter(|e| e.outcome() == outcome).count();
    let failed = model.entries().iter().filter(|entry| entry.error.is_some()).count();
    if failed > 0 {
        let text = format!("{failed} failed");
        ui.label(RichText::new(text).small().color(palette.fault));
    }
    let small = |text: String, color| RichText::new(text).small().color(color);
    for outcome in [Outcome::Ood, Outcome::Id].map(Some) {
        let color = palette.outcome(outcome);
        let text = format!("{} {}", count(outcome), outcome_word(outcome));
        // From right to left: the shape stands close to its number.
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.label(small(text, color));
        ui.spacing_mut().item_spacing.x = 12.0;
        let (rect, _) = ui.allocate_exact_size(vec2(8.0, 8.0), Sense::hover());
        ui.painter().add(outcome_shape(rect.center(), 3.5, outcome, color));
    }
    ui.label(small(format!("{} images", model.entries().len()), palette.weak));
}
