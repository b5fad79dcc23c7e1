//! The window: it takes in what the worker tells, applies what the user does, and draws panels.

mod actions;
mod bars;
pub mod command;
pub mod compare;
mod dialogs;
pub mod embedding;
mod entry;
mod events;
pub mod fitting;
mod follow;
pub mod export;
pub mod layout;
pub mod offscreen;
mod milestones;
mod overlays;
mod report;
pub mod session;
pub mod sets;
pub mod state;
pub mod tuning;
mod window;
mod world;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use eframe::egui::util::undoer::Undoer;
use eframe::egui::{self, Context, Event as UiEvent, Theme, Ui};

use crate::demo::World;
use crate::gpu::DeviceChoice;
use crate::panels::{self, Panel, PanelCtx, View};
use crate::ui::pictures::Pictures;
use crate::ui::theme;
use crate::worker::{Event, OpenModel, Request, Worker};

use command::{Command, WindowCommand};
use compare::CompareMode;
use dialogs::{Answer, Dialogs};
use layout::{Layout, Panes};
use milestones::Milestones;
use session::{Looks, SavedSession};
use state::{Edit, Session};

/// How long a frame takes in events; the next one goes on with the rest.
const EVENTS: Duration = Duration::from_millis(8);

/// How a window starts.
pub struct Options {
    /// What to call the model until it is there.
    pub model_name: String,
    /// Opens the model.
    pub open: OpenModel,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Images to open.
    pub paths: Vec<PathBuf>,
    /// The demo world, when it is asked for.
    pub world: World,
    /// Whether it is opened at once.
    pub open_world: bool,
    /// Where the session is saved by itself; nowhere if `None`.
    pub autosave: Option<PathBuf>,
    /// The theme.
    pub theme: Option<Theme>,
    /// Why dropped files cannot arrive, if they cannot.
    pub drops: Option<String>,
    /// Whether somebody is there: otherwise no dialogue is opened.
    pub attended: bool,
    /// When the program started.
    pub started: Instant,
}

/// The window's content.
pub struct App {
    model: Session,
    worker: Worker,
    pictures: Pictures,
    view: View,
    panels: BTreeMap<&'static str, Box<dyn Panel>>,
    layout: Layout,
    undoer: Undoer<Edit>,
    palette: overlays::CommandPalette,
    shortcuts: bool,
    commands: Vec<Command>,
    dialogs: Dialogs,
    answers: Receiver<Answer>,
    autosave: window::Autosave,
    drops: Option<String>,
    world: World,
    milestones: Milestones,
    /// The file to show as soon as it is listed.
    wanted_focus: Option<PathBuf>,
    /// The place of the image to show as soon as it is listed; 0 for the first, which is shown anyway.
    wanted_place: usize,
}

impl App {
    /// Starts the worker and asks for the model and the images.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn new(ctx: &Context, options: Options) -> std::io::Result<Self> {
        theme::install(ctx);
        ctx.set_theme(options.theme.unwrap_or(Theme::Dark));
        let wake_ctx = ctx.clone();
        let worker = Worker::start(Arc::new(move || wake_ctx.request_repaint()))?;
        let (sender, answers) = crossbeam_channel::unbounded();
        let mut app = Self {
            model: Session::default(),
            worker,
            pictures: Pictures::default(),
            view: View::default(),
            panels: panels::all().into_iter().map(|panel| (panel.name(), panel)).collect(),
            layout: layout::initial(),
            undoer: Undoer::default(),
            palette: overlays::CommandPalette::default(),
            shortcuts: false,
            commands: Vec::new(),
            dialogs: Dialogs { answers: sender, ctx: ctx.clone(), attended: options.attended },
            milestones: Milestones::since(options.started),
            answers,
            autosave: window::Autosave::new(options.autosave.clone()),
            drops: options.drops,
            world: options.world,
            wanted_focus: None,
            wanted_place: 0,
        };
        app.ask_model(options.model_name, options.open, options.device);
        let last = options.autosave.filter(|path| path.exists());
        match last.map(|path| SavedSession::read(&path)) {
            Some(Ok(mut session)) => {
                // What the command line asks for takes the place of the last session's images.
                if !options.paths.is_empty() || options.open_world {
                    session.images = Vec::new();
                }
                session.dark = options.theme.map_or(session.dark, |theme| theme == Theme::Dark);
                app.restore(ctx, session);
            }
            Some(Err(error)) => app.model.notice(error.to_string()),
            None => {}
        }
        if !options.paths.is_empty() {
            app.commands.push(Command::OpenPaths(options.paths));
        }
        if options.open_world {
            app.commands.push(Command::Window(WindowCommand::OpenWorld));
        }
        Ok(app)
    }

    /// What is known.
    pub fn model(&self) -> &Session {
        &self.model
    }

    /// The window's session, as it would be saved.
    pub fn session(&self, ctx: &Context) -> SavedSession {
        let panels = self.panels.iter();
        let choices =
            panels.filter_map(|(name, panel)| Some(((*name).to_owned(), panel.choices()?)));
        let looks = Looks {
            color_by: self.view.color_by,
            panels: choices.collect(),
            layout: self.layout.clone(),
            dark: ctx.theme() == Theme::Dark,
            zoom: ctx.zoom_factor(),
        };
        SavedSession::of(&self.model, looks)
    }

    /// Lets models be fitted from the window, by this program.
    pub fn enable_fitting(&mut self, program: fitting::Program) {
        self.model.fitting.program = Some(program);
    }

    /// Does something, at the next frame.
    pub fn send(&mut self, command: Command) {
        self.commands.push(command);
    }

    /// Whether everything that was asked for is there to be seen.
    pub fn is_settled(&self) -> bool {
        self.commands.is_empty()
            && self.model.is_settled()
            && self.model.is_tuned(layout::wanted(&self.layout))
            && !self.pictures.is_waiting()
    }

    /// Brings a panel to the front.
    pub fn show_panel(&mut self, name: &str) {
        layout::show(&mut self.layout, name);
    }

    /// Shows some panels two by two, beside the gallery.
    pub fn show_panels(&mut self, names: &[String]) {
        self.layout = layout::tiled(names);
    }

    /// Whether a panel can be seen.
    pub fn is_panel_shown(&self, name: &str) -> bool {
        layout::is_shown(&self.layout, name)
    }

    /// Chooses, as soon as it is listed, the image at this place of those to be opened (with the one
    /// before it, if two are compared), and a step of the explanation; both counted from 1.
    pub fn preset(&mut self, image: usize, step: usize, beside: Option<CompareMode>) {
        self.view.step = step.saturating_sub(1);
        self.wanted_place = image.saturating_sub(1);
        self.model.comparison.beside = beside.unwrap_or_default();
    }

    fn ask_model(&mut self, name: String, open: OpenModel, device: DeviceChoice) {
        self.model.network = state::ModelState::Loading(name.clone());
        self.worker.ask(Request::LoadModel { name, open, device });
    }

    /// Takes in events and answers, applies commands. Draws nothing.
    pub fn tick(&mut self, ctx: &Context) {
        self.pictures.begin_frame();
        let input = ctx.input(|input| !input.events.is_empty());
        if self.take_events(ctx) || input || !self.commands.is_empty() {
            self.autosave.touch();
        }
        self.focus_wanted();
        let answers: Vec<Answer> = self.answers.try_iter().collect();
        for answer in answers {
            self.take_answer(ctx, answer);
        }
        for command in std::mem::take(&mut self.commands) {
            match command {
                Command::Window(command) => self.apply_to_window(ctx, command),
                Command::Export(what, path) => {
                    self.model.export(what, path, self.view.color_by, &self.worker);
                }
                command => self.model.apply(command, &self.worker),
            }
        }
        self.model.follow(&self.worker);
        self.model.follow_embedding(&self.worker);
        let time = ctx.input(|input| input.time);
        self.model.fitting.take_news();
        if let Some(wait) = self.model.tune(&self.worker, time, layout::wanted(&self.layout)) {
            ctx.request_repaint_after_secs(wait as f32);
        }
        self.undoer.feed_state(time, &self.model.edit());
        if self.undoer.is_in_flux() {
            ctx.request_repaint_after_secs(0.5);
        }
        match self.autosave.due_in(time) {
            Some(wait) if wait > 0.0 => ctx.request_repaint_after_secs(wait as f32),
            Some(_) => {
                let session = self.session(ctx);
                self.autosave.save(session, time);
            }
            None => {}
        }
    }

    /// Takes in what the worker tells, for as long as a frame has time; whether there was anything.
    fn take_events(&mut self, ctx: &Context) -> bool {
        let (began, mut any) = (Instant::now(), false);
        for event in self.worker.events() {
            any = true;
            match event {
                Event::Picture { image, picture } => self.pictures.receive(ctx, image, picture),
                event => self.model.take_event(event, &self.worker),
            }
            if began.elapsed() > EVENTS {
                ctx.request_repaint();
                break;
            }
        }
        any
    }

    /// Draws the window.
    pub fn draw(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        self.take_drops(&ctx);
        let panels = self.panel_entries();
        bars::menu_bar_ui(ui, &panels, &mut self.commands);
        bars::status_bar_ui(ui, &self.model, self.drops.as_deref(), &mut self.commands);
        let ground = theme::Palette::of_ui(ui).ground;
        egui::CentralPanel::no_frame().show(ui, |ui| {
            ui.painter().rect_filled(ui.max_rect(), 0.0, ground);
            let cx = PanelCtx {
                model: &self.model,
                worker: &self.worker,
                pictures: &mut self.pictures,
                view: &mut self.view,
                commands: &mut self.commands,
            };
            self.layout.ui(&mut Panes { panels: &mut self.panels, cx }, ui);
        });
        let modal = self.shortcuts || self.palette.is_open();
        if let Some(command) = self.palette.ui(ui) {
            self.commands.push(command);
        }
        if self.shortcuts {
            self.shortcuts = overlays::shortcuts_ui(ui);
        }
        overlays::drop_target_ui(ui);
        // After the panels: a key that a panel used is gone. What lies over them has its own keys.
        if !modal {
            self.commands.extend(actions::pressed(&ctx));
        }
        if !self.commands.is_empty() {
            ctx.request_repaint();
        }
        self.milestones.frame(&self.model);
    }

    fn panel_entries(&self) -> Vec<bars::PanelEntry> {
        let entry = |name: &'static str| {
            let title = self.panels.get(name)?.title();
            let is_open = layout::is_open(&self.layout, name);
            let is_shown = layout::is_shown(&self.layout, name);
            Some(bars::PanelEntry { name, title, is_open, is_shown })
        };
        layout::places().filter_map(entry).collect()
    }

    fn take_drops(&mut self, ctx: &Context) {
        let paths: Vec<PathBuf> = ctx.input(|input| {
            input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect()
        });
        if !paths.is_empty() {
            self.commands.push(Command::OpenPaths(paths));
        }
        let pasted: Vec<Answer> = ctx.input(|input| {
            let image = |event: &UiEvent| match event {
                UiEvent::PasteImage(image) => dialogs::pasted(image),
                _ => None,
            };
            input.events.iter().filter_map(image).collect()
        });
        for answer in pasted {
            self.take_answer(ctx, answer);
        }
    }

    /// Shows the file that the last session showed, as soon as it is listed.
    fn focus_wanted(&mut self) {
        if self.wanted_place > 0
            && let Some([before, wanted]) =
                self.model.entries().get(self.wanted_place - 1..=self.wanted_place)
        {
            let both = self.model.comparison.beside == CompareMode::Image;
            let ids = if both { vec![before.id, wanted.id] } else { vec![wanted.id] };
            self.wanted_place = 0;
            self.model.apply(Command::Select(ids), &self.worker);
        }
        let Some(wanted) = &self.wanted_focus else { return };
        let is_wanted = |entry: &&state::Entry| match &entry.source {
            crate::worker::ImageSource::File(path) => path == wanted,
            _ => false,
        };
        if let Some(id) = self.model.entries().iter().find(is_wanted).map(|entry| entry.id) {
            self.wanted_focus = None;
            self.view.reveal = true;
            self.model.apply(Command::Select(vec![id]), &self.worker);
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        self.tick(ctx);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.draw(ui);
    }

    fn on_exit(&mut self) {
        let session = self.session(&self.dialogs.ctx.clone());
        self.autosave.save_now(&session);
    }
}

impl App {
    /// Does what concerns the window; see `window.rs`.
    fn apply_to_window(&mut self, ctx: &Context, command: WindowCommand) {
        window::apply(self, ctx, command);
    }
}
