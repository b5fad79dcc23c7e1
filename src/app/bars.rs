//! The bars at the window's edges: menus above, state below.

use std::path::PathBuf;

use eframe::egui::{
    self, Align, Color32, Label, Layout, ProgressBar, RichText, ScrollArea, Sense, Stroke,
    TextStyle, Ui, vec2,
};

use super::actions::{actions, key_text, panel_key};
use super::overlays::bar_frame;
use super::recent::Recent;
use crate::panels::{PanelInfo, UserCommand, WindowCommand};
use crate::score::verdict::Outcome;
use crate::session::{Command, Session};
use crate::ui::theme::Palette;
use crate::ui::widgets::{outcome_shape, outcome_word, shortened, toggle};

/// The menus, in their order.
const GROUPS: [&str; 6] = ["Files", "Images", "Method", "Tuning", "Map", "Window"];
/// The buttons at the right that are always there: explain, keys, theme. In points.
const BUTTONS: f32 = 178.0;
/// The palette's button.
const SEARCH: f32 = 172.0;

/// What of the menu bar there is room for; what comes later in the list goes first.
struct Room {
    menus: bool,
    title: bool,
    search: bool,
    explain: bool,
}

impl Room {
    fn of(ui: &Ui) -> Self {
        let width = |text: &str| {
            let font = TextStyle::Button.resolve(ui.style());
            let galley = ui.painter().layout_no_wrap(text.to_owned(), font, Color32::WHITE);
            galley.size().x + 2.0 * ui.spacing().button_padding.x + ui.spacing().item_spacing.x
        };
        let menus: f32 = GROUPS.iter().map(|group| width(group)).sum();
        let title = width(TITLE);
        let spare = ui.available_width() - LOGO - BUTTONS;
        Self {
            menus: spare >= menus,
            title: spare >= title + menus || (spare < menus && spare >= title + width(MENU)),
            search: spare >= menus + title + SEARCH,
            explain: spare >= width(MENU),
        }
    }
}

/// Width of the logo with the space around it, in points.
const LOGO: f32 = 30.0;
const TITLE: &str = "TagOOD Lens";
/// What all menus stand under where there is no room for them.
const MENU: &str = "Menu";

/// A panel as the menus list it.
pub(super) struct PanelEntry {
    /// Its name, title, key.
    pub info: &'static PanelInfo,
    /// Whether it has a place in the window.
    pub is_open: bool,
    /// Whether it can be seen.
    pub is_shown: bool,
}

/// The menus; what was chosen goes to `commands`.
pub(super) fn menu_bar_ui(
    ui: &mut Ui,
    panels: &[PanelEntry],
    recent: &Recent,
    commands: &mut Vec<UserCommand>,
) {
    let explaining = panels.iter().any(|panel| panel.info.name == "explain" && panel.is_shown);
    let frame = bar_frame(ui);
    egui::Panel::top("menu").frame(frame).show(ui, |ui| {
        ui.horizontal(|ui| {
            let palette = Palette::of_ui(ui);
            let room = Room::of(ui);
            logo_ui(ui);
            if room.title {
                ui.label(RichText::new(TITLE).strong().color(palette.strong));
                ui.add_space(6.0);
            }
            if room.menus {
                for group in GROUPS {
                    ui.menu_button(group, |ui| group_ui(ui, group, (panels, recent), commands));
                }
            } else {
                ui.menu_button(MENU, |ui| {
                    for group in GROUPS {
                        ui.menu_button(group, |ui| group_ui(ui, group, (panels, recent), commands));
                    }
                });
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let mut window = |command: WindowCommand| commands.push(command.into());
                let theme = if ui.visuals().dark_mode { "Light" } else { "Dark" };
                let response = ui.button(theme).on_hover_text("Dark or light theme (Ctrl+T)");
                if response.clicked() {
                    window(WindowCommand::ToggleTheme);
                }
                if ui.button("?").on_hover_text("Keys (?)").clicked() {
                    window(WindowCommand::Shortcuts);
                }
                let search = RichText::new("Search commands  Ctrl+P").color(palette.weak);
                if room.search && ui.button(search).clicked() {
                    window(WindowCommand::Palette);
                }
                let hint = "The method step by step on this image (E)";
                if room.explain && toggle(ui, explaining, "Explain", hint).clicked() {
                    window(WindowCommand::Explain);
                }
            });
        });
    });
}

/// The actions of a menu; the window's lists the panels, too, so that none that was closed is lost, that
/// of files what was opened last.
fn group_ui(
    ui: &mut Ui,
    group: &str,
    (panels, recent): (&[PanelEntry], &Recent),
    commands: &mut Vec<UserCommand>,
) {
    let palette = Palette::of_ui(ui);
    ui.set_min_width(230.0);
    // Longer than a small window is high: it scrolls.
    let height = (ui.ctx().content_rect().height() - 60.0).max(80.0);
    ui.set_max_height(height);
    ScrollArea::vertical().max_height(height).show(ui, |ui| {
        for action in actions().filter(|action| action.group == group) {
            let key = action.key.map(|key| key_text(ui.ctx(), &key));
            let key = RichText::new(key.unwrap_or_default()).color(palette.weak).small();
            let button = egui::Button::new(&*action.name).right_text(key).frame(false);
            if ui.add(button.min_size(vec2(226.0, 22.0))).clicked() {
                commands.push(action.command());
                ui.close();
            }
        }
        if group == "Window" {
            ui.separator();
            panels_ui(ui, panels, commands);
        }
        if group == "Files" {
            let open = |path: PathBuf| Command::OpenPaths(vec![path]).into();
            recent_ui(ui, "Recent folders", &recent.folders, open, commands);
            recent_ui(ui, "Recent models", &recent.models, UserCommand::LoadModel, commands);
        }
    });
}

/// A menu of what was opened last.
fn recent_ui(
    ui: &mut Ui,
    title: &str,
    paths: &[PathBuf],
    open: impl Fn(PathBuf) -> UserCommand,
    commands: &mut Vec<UserCommand>,
) {
    ui.add_enabled_ui(!paths.is_empty(), |ui| {
        ui.menu_button(title, |ui| {
            for path in paths {
                let name = path.display().to_string();
                if ui.button(shortened(&name, 64)).on_hover_text(&name).clicked() {
                    commands.push(open(path.clone()));
                    ui.close();
                }
            }
        });
    });
}

/// The panels; a click brings one to the front, or back.
fn panels_ui(ui: &mut Ui, panels: &[PanelEntry], commands: &mut Vec<UserCommand>) {
    let palette = Palette::of_ui(ui);
    for panel in panels {
        let state = match (panel.is_open, panel.is_shown) {
            (_, true) => "",
            (true, false) => "behind",
            (false, _) => "closed",
        };
        let state = match panel_key(panel.info) {
            Some(key) if state.is_empty() => key_text(ui.ctx(), &key),
            Some(key) => format!("{state}  {}", key_text(ui.ctx(), &key)),
            None => state.to_owned(),
        };
        let state = RichText::new(state).color(palette.weak).small();
        let title = RichText::new(panel.info.title);
        let title = if panel.is_open { title } else { title.color(palette.weak) };
        let button = egui::Button::new(title).right_text(state).frame(false);
        let response = ui.add(button.min_size(vec2(226.0, 22.0)));
        if response.accessible_name(format!("Panel {}", panel.info.title)).clicked() {
            commands.push(WindowCommand::Show(panel.info.name).into());
            ui.close();
        }
    }
}

/// A lens, small.
fn logo_ui(ui: &mut Ui) {
    let palette = Palette::of_ui(ui);
    let (rect, _) = ui.allocate_exact_size(vec2(16.0, 16.0), Sense::hover());
    let center = rect.center();
    ui.painter().circle_stroke(center, 6.5, Stroke::new(2.0, palette.accent));
    ui.painter().circle_filled(center + vec2(-1.5, 1.0), 2.5, palette.id);
}

/// Below this width the status bar leaves out what can be read elsewhere, in points.
const NARROW: f32 = 640.0;
/// Below this width it says only what cannot.
const TINY: f32 = 380.0;

/// Device, session, recipe, jobs, counts.
pub(super) fn status_bar_ui(
    ui: &mut Ui,
    session: &Session,
    drops: Option<&str>,
    commands: &mut Vec<UserCommand>,
) {
    let frame = bar_frame(ui).inner_margin(egui::Margin::symmetric(10, 3));
    egui::Panel::bottom("status").frame(frame).show(ui, |ui| {
        ui.horizontal(|ui| {
            // From the right: what is left belongs to the model and its jobs, which can be cut short.
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                ui.spacing_mut().item_spacing.x = 12.0;
                let width = ui.available_width();
                counts_ui(ui, session, width);
                if let Some(note) = drops {
                    let text = RichText::new("no drops").small().color(Palette::of_ui(ui).ood);
                    ui.label(text).on_hover_text(note);
                }
                let (rest, left) = (ui.available_size(), Layout::left_to_right(Align::Center));
                ui.allocate_ui_with_layout(rest, left, |ui| work_ui(ui, session, width, commands));
            });
        });
    });
}

/// The session, what is being done, and what went wrong last.
fn work_ui(ui: &mut Ui, session: &Session, width: f32, commands: &mut Vec<UserCommand>) {
    if width >= TINY || session.jobs().is_empty() {
        network_ui(ui, session, width);
    }
    jobs_ui(ui, session, commands);
    if let Some(notice) = session.notice_in_force() {
        let color = Palette::of_ui(ui).severity(notice.severity);
        let dismiss = ui.small_button("×").on_hover_text("Dismiss; it stays in Messages");
        if dismiss.accessible_name("Dismiss the notice").clicked() {
            commands.push(Command::DismissNotice.into());
        }
        let text = RichText::new(&notice.text).small().color(color);
        ui.add(Label::new(text).truncate()).on_hover_text(&notice.text);
    }
}

fn network_ui(ui: &mut Ui, session: &Session, width: f32) {
    let palette = Palette::of_ui(ui);
    let weak = |text: &str| RichText::new(text).small().color(palette.weak);
    let model = session.model();
    if let Some(loading) = &model.loading {
        ui.add(egui::Spinner::new().size(12.0));
        ui.add(Label::new(weak(&format!("Loading {}", loading.name))).truncate());
        return;
    }
    let Some(info) = &model.info else {
        return match &model.error {
            None => drop(ui.label(weak("No model"))),
            Some(error) => {
                let text = RichText::new("No model").small().color(palette.fault);
                ui.label(text).on_hover_text(error);
            }
        };
    };
    let device = RichText::new(&info.device).small().color(palette.text);
    let recipe = format!("{} recipe", session.settings().recipe);
    let load = format!("loaded in {:.0} ms", info.load_ms);
    let name = &info.manifest.name;
    if width < NARROW {
        let hint = format!("Model {name}, {load}, on {}, {recipe}", info.device);
        ui.add(Label::new(weak(name)).truncate()).on_hover_text(hint);
        return;
    }
    ui.add(Label::new(device).extend()).on_hover_text("Where the networks run");
    let shown = RichText::new(shortened(name, 32)).small().color(palette.weak);
    ui.add(Label::new(shown).extend()).on_hover_text(format!("Model {name}, {load}"));
    ui.add(Label::new(weak(&recipe)).extend()).on_hover_text(
        "Paper and released code differ in small things; this one is in force. See Verdict.",
    );
}

fn jobs_ui(ui: &mut Ui, session: &Session, commands: &mut Vec<UserCommand>) {
    let palette = Palette::of_ui(ui);
    for job in session.jobs() {
        let share = job.done as f32 / job.total.max(1) as f32;
        let text = match job.total {
            0 => format!("Opening {}", job.label),
            total => format!("{} of {total}", job.done),
        };
        // Room for the button beside it.
        let width = (ui.available_width() - 60.0).clamp(24.0, 130.0);
        let bar = ProgressBar::new(share)
            .desired_width(width)
            .desired_height(12.0)
            .fill(palette.accent_soft)
            .text(RichText::new(text).size(10.0).color(palette.strong));
        ui.add(bar).on_hover_text(&job.label);
        let stop = ui.small_button("Stop").on_hover_text("Stop this job; what is done stays");
        if stop.clicked() {
            commands.push(Command::Cancel(job.id).into());
        }
    }
}

/// Verdicts and failures, from right to left.
fn counts_ui(ui: &mut Ui, session: &Session, width: f32) {
    if session.entries().is_empty() {
        return;
    }
    let palette = Palette::of_ui(ui);
    let count = |outcome| session.entries().iter().filter(|e| e.outcome() == outcome).count();
    let failed = session.entries().iter().filter(|entry| entry.error.is_some()).count();
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
    if width >= NARROW {
        ui.label(small(format!("{} images", session.entries().len()), palette.weak));
    }
}
