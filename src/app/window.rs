//! What the window does by itself: dialogues, undo, theme, layout, saving.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::{ColorImage, Context, Theme, ViewportCommand};

use super::dialogs::DialogAnswer;
use super::layout;
use super::saved::SavedSession;
use super::{App, overlays};
use crate::bundle::embedded;
use crate::panels::WindowCommand;
use crate::session::SavedModel;
use crate::session::Severity;
use crate::session::command::Command;

/// Does one command of the window.
pub(super) fn apply(app: &mut App, ctx: &Context, command: WindowCommand) {
    use WindowCommand as W;
    match command {
        W::OpenFiles => app.dialogs.open_files(),
        W::OpenFolder => app.dialogs.open_folder(),
        W::OpenWorld => app.apply(Command::OpenWorld(app.world.clone())),
        W::OpenModel => app.dialogs.open_model(),
        W::OpenModelFolder => app.dialogs.open_model_folder(),
        W::UseEmbedded => app.load_named(Vec::new()),
        W::UseEmbeddedClip => {
            app.load_named(vec!["--model".into(), embedded::CLIP_MODEL.into()]);
            // Where its names are typed.
            layout::show(&mut app.layout, "known");
        }
        W::OpenNames => app.dialogs.open_names(),
        W::OpenNegatives => app.dialogs.open_negatives(),
        W::PasteImage => app.dialogs.paste(),
        W::OpenSession => app.dialogs.open_session(),
        W::SaveSession => app.dialogs.save_session(),
        W::SaveView | W::CopyView => take_view(app, ctx, command == W::SaveView),
        W::Export(what) => app.dialogs.export(what),
        W::Next => walk(app, false, |at, _| at.saturating_add(1)),
        W::Previous => walk(app, false, |at, _| at.saturating_sub(1)),
        W::First => walk(app, false, |_, _| 0),
        W::Last => walk(app, false, |_, _| usize::MAX),
        W::NextPage => walk(app, false, |at, page| at.saturating_add(page)),
        W::PreviousPage => walk(app, false, |at, page| at.saturating_sub(page)),
        W::ExtendNext => walk(app, true, |at, _| at.saturating_add(1)),
        W::ExtendPrevious => walk(app, true, |at, _| at.saturating_sub(1)),
        W::SelectAll => {
            let mut all = app.view.order.clone();
            // The image on show stays the one on show.
            if let Some(focus) = app.session.focus
                && let Some(at) = all.iter().position(|&id| id == focus)
            {
                let focus = all.remove(at);
                all.push(focus);
            }
            if !all.is_empty() {
                app.apply(Command::Select(all));
            }
        }
        W::OnlySelected | W::MostWrongFirst => {
            layout::show(&mut app.layout, "gallery");
            match command {
                W::OnlySelected => app.view.toggle_only = true,
                _ => app.view.toggle_wrong = true,
            }
        }
        W::Fit => app.view.fit = true,
        W::OneToOne => app.view.one_to_one = true,
        W::Palette => app.palette.toggle(),
        W::Shortcuts => app.shortcuts = !app.shortcuts,
        W::Explain => {
            let explaining = layout::is_shown(&app.layout, "explain");
            layout::show(&mut app.layout, if explaining { "image" } else { "explain" });
        }
        W::Present => {
            app.view.presenting = !app.view.presenting;
            ctx.send_viewport_cmd(ViewportCommand::Fullscreen(app.view.presenting));
        }
        W::Show(panel) => layout::show(&mut app.layout, panel),
        W::ToggleTheme => ctx.set_theme(match ctx.theme() {
            Theme::Dark => Theme::Light,
            Theme::Light => Theme::Dark,
        }),
        W::ZoomIn => ctx.set_zoom_factor((ctx.zoom_factor() + 0.1).min(3.0)),
        W::ZoomOut => ctx.set_zoom_factor((ctx.zoom_factor() - 0.1).max(0.5)),
        W::ZoomReset => ctx.set_zoom_factor(1.0),
        W::UseFit => {
            if let Some(job) = app.session.fitting.job.clone() {
                app.load_model(job.out);
            }
        }
        W::ResetLayout => app.layout = layout::initial(),
        W::Quit => ctx.send_viewport_cmd(ViewportCommand::Close),
    }
}

/// Walks the gallery's order, from the image on show to the place that `to` makes of its own and the
/// size of a page; to the first where none is on show.
fn walk(app: &mut App, extend: bool, to: impl FnOnce(usize, usize) -> usize) {
    let at = app.view.place_of_focus(&app.session);
    let last = app.view.order.len().saturating_sub(1);
    let to = at.map_or(0, |at| to(at, app.view.page.max(1)).min(last));
    if let Some(command) = app.view.select_at(&app.session, to, extend) {
        app.apply(command);
    }
}

/// Takes the image panel's pixels from the screen, to save or to copy.
fn take_view(app: &App, ctx: &Context, save: bool) {
    let Some(rect) = app.view.image_rect else { return };
    let (dialogs, scale) = (app.dialogs.clone(), ctx.pixels_per_point());
    ctx.request_screenshot(move |screen: Arc<ColorImage>| {
        let view = screen.region(&rect, Some(scale));
        match save {
            true => dialogs.save_view(view),
            false => dialogs.ctx.copy_image(view),
        }
    });
}

impl App {
    /// Loads a bundle's folder or a checkpoint, on the device that the window was started with.
    pub(super) fn load_model(&mut self, path: PathBuf) {
        self.awaited_model = Some(path.clone());
        self.load_named(vec!["--model".into(), path.into()]);
    }

    /// Loads the model that the command line would name so.
    fn load_named(&mut self, mut named: Vec<OsString>) {
        named.extend(["--device".into(), self.device.to_string().into()]);
        let named = named.into_iter().map(|argument| PathBuf::from(argument).into()).collect();
        let source = (self.models)(&SavedModel { named, content: None });
        self.apply(Command::LoadModel(source));
    }

    /// Takes in what a dialogue brought.
    pub(super) fn take_answer(&mut self, ctx: &Context, answer: DialogAnswer) {
        match answer {
            DialogAnswer::Do(command) => self.commands.push(command),
            DialogAnswer::Trouble(sentence) => self.session.notice(Severity::Error, sentence),
            DialogAnswer::OpenSession(path) => match SavedSession::read(&path) {
                Ok(session) => self.restore(ctx, session),
                Err(error) => self.session.notice(Severity::Error, error.to_string()),
            },
            DialogAnswer::SaveSession(path) => {
                if let Err(error) = self.saved(ctx).write(&path) {
                    self.session.notice(Severity::Error, error.to_string());
                }
            }
        }
    }

    /// Opens a session in place of what is open.
    pub fn restore(&mut self, ctx: &Context, saved: SavedSession) {
        self.view.color_by = saved.color_by;
        for (name, choices) in &saved.panels {
            if let Some(panel) = self.panels.get_mut(name.as_str()) {
                panel.choose(choices);
            }
        }
        self.layout = saved.layout;
        layout::add_unknown(&mut self.layout, &saved.known_panels);
        ctx.set_theme(if saved.dark { Theme::Dark } else { Theme::Light });
        ctx.set_zoom_factor(saved.zoom.clamp(0.5, 3.0));
        self.wanted_focus = saved.state.focus.clone().map(PathBuf::from);
        self.palette = overlays::CommandPalette::default();
        // Nothing is judged by another model in the session's name.
        let model = saved.state.model.clone().filter(|model| !self.session.is_judged_by(model));
        if model.is_some() {
            self.apply(Command::UnloadModel);
        }
        self.apply(Command::Restore(Box::new(saved.state)));
        if let Some(model) = model {
            self.apply(Command::LoadModel((self.models)(&model)));
        }
        ctx.request_repaint();
    }
}
