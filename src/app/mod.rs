//! The window: it hands on what the worker tells and what the user does, and draws panels.

mod actions;
mod bars;
mod dialogs;
pub mod export;
pub mod layout;
pub mod offscreen;
mod milestones;
mod missing_model;
mod overlays;
pub mod own_sessions;
mod recent;
mod recovery;
mod reveal;
pub mod saved;
mod window;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use eframe::egui::{self, Context, Event as UiEvent, Theme, Ui};

use crate::demo::World;
use crate::gpu::DeviceChoice;
use crate::panels::{PANELS, Panel, PanelCtx, PanelInfo, UserCommand, ViewState, WindowCommand};
use crate::session::SavedModel;
use crate::session::command::{Command, ModelSource};
use crate::session::compare::CompareMode;
use crate::session::sets::{Role, SetId};
use crate::session::{Session, SessionRequest, curves};
use crate::store::OutputCache;
use crate::ui::pictures::{PictureRequest, Pictures};
use crate::ui::{system_fonts, theme};
use crate::worker::{Event, Program, Worker};

use dialogs::{DialogAnswer, Dialogs};
use layout::{PanelLayout, Panes};
use milestones::Milestones;
use own_sessions::OwnSessions;
use recent::Recent;
use saved::{Looks, SavedSession};

/// How long a frame takes in events; the next one goes on with the rest.
const EVENTS: Duration = Duration::from_millis(8);

/// Finds a model by what a session's file says of it.
pub type FindModel = Arc<dyn Fn(&SavedModel) -> ModelSource + Send + Sync>;

/// How a window starts.
pub struct Options {
    /// The model, unless the session that is taken up has one of its own.
    pub model: ModelSource,
    /// Whether it was asked for, so that it is taken whatever the session has.
    pub model_is_named: bool,
    /// Finds models by what a session's file says of them.
    pub models: FindModel,
    /// What was made of images before; `None` keeps nothing.
    pub outputs: Option<OutputCache>,
    /// Images to open.
    pub paths: Vec<PathBuf>,
    /// What the images of some folders are.
    pub roles: Vec<(SetId, Role)>,
    /// The demo world, when it is asked for.
    pub world: World,
    /// Whether it is opened at once.
    pub open_world: bool,
    /// Where windows save their sessions by themselves; nowhere if `None`.
    pub sessions: Option<OwnSessions>,
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
    session: Session,
    worker: Worker,
    models: FindModel,
    /// The device that was asked for, which other models are loaded on, too.
    device: DeviceChoice,
    /// Where computations of the session answer.
    computed: (Sender<curves::Answer>, Receiver<curves::Answer>),
    pictures: Pictures,
    view: ViewState,
    panels: BTreeMap<&'static str, Box<dyn Panel>>,
    layout: PanelLayout,
    palette: overlays::CommandPalette,
    shortcuts: bool,
    commands: Vec<UserCommand>,
    dialogs: Dialogs,
    answers: Receiver<DialogAnswer>,
    autosave: recovery::Autosave,
    /// The session of a window that was killed, until the user says what is to become of it.
    recovery: Option<recovery::Recovery>,
    drops: Option<String>,
    recent: Recent,
    /// The model that is being loaded, to be among the recent ones if it can be.
    awaited_model: Option<PathBuf>,
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
    pub fn new(ctx: &Context, mut options: Options) -> std::io::Result<Self> {
        theme::install(ctx);
        system_fonts::install(ctx, !options.attended);
        ctx.set_theme(options.theme.unwrap_or(Theme::Dark));
        let wake_ctx = ctx.clone();
        let worker =
            Worker::start(Arc::new(move || wake_ctx.request_repaint()), options.outputs.take())?;
        let (sender, answers) = crossbeam_channel::unbounded();
        let mut app = Self {
            session: Session::default(),
            worker,
            computed: crossbeam_channel::unbounded(),
            device: options.model.device,
            models: options.models.clone(),
            pictures: Pictures::default(),
            view: ViewState::default(),
            panels: PANELS.iter().map(|panel| (panel.name, (panel.make)())).collect(),
            layout: layout::initial(),
            palette: overlays::CommandPalette::default(),
            shortcuts: false,
            commands: Vec::new(),
            dialogs: Dialogs { answers: sender, ctx: ctx.clone(), attended: options.attended },
            milestones: Milestones::since(options.started),
            answers,
            autosave: recovery::Autosave::default(),
            recovery: None,
            drops: options.drops.clone(),
            recent: Recent::beside(options.sessions.as_ref().map(OwnSessions::folder)),
            awaited_model: None,
            world: options.world.clone(),
            wanted_focus: None,
            wanted_place: 0,
        };
        // Images that are named on the command line make a session of their own.
        let is_named = !options.paths.is_empty() || options.open_world;
        if let Some(sessions) = &options.sessions {
            app.begin_session(ctx, sessions, is_named, &options);
        }
        if app.session.model().loading.is_none() {
            app.apply(Command::LoadModel(options.model));
        }
        if !options.paths.is_empty() {
            app.send(Command::OpenPaths(options.paths));
        }
        for (set, role) in options.roles {
            app.send(Command::SetRole(set, role));
        }
        if options.open_world {
            app.send(WindowCommand::OpenWorld);
        }
        Ok(app)
    }

    /// What is known.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The window's session, as it would be saved.
    pub fn saved(&self, ctx: &Context) -> SavedSession {
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
        SavedSession::of(&self.session, looks)
    }

    /// Lets models be fitted from the window, by this program.
    pub fn enable_fitting(&mut self, program: Program) {
        self.apply(Command::EnableFitting(program));
    }

    /// Does something, at the next frame.
    pub fn send(&mut self, command: impl Into<UserCommand>) {
        self.commands.push(command.into());
    }

    /// Changes the session at once.
    fn apply(&mut self, command: Command) {
        let requests = self.session.apply(command);
        self.hand_on(requests);
    }

    /// Hands on what the session asks for.
    fn hand_on(&mut self, mut requests: Vec<SessionRequest>) {
        while !requests.is_empty() {
            let mut more = Vec::new();
            for request in requests {
                match request {
                    SessionRequest::Worker(request) => self.worker.ask(request),
                    SessionRequest::Embedding(request) => self.worker.ask_embedding(request),
                    SessionRequest::Fit(request) => self.worker.ask_fit(request),
                    SessionRequest::Recall(image) => {
                        if let Some(tagged) = self.worker.recall(image) {
                            let event = Event::Recalled { image, tagged };
                            more.extend(self.session.take(event.into()));
                        }
                    }
                    SessionRequest::Compute(computation) => {
                        let (sender, wake) = (self.computed.0.clone(), self.worker.waker());
                        rayon::spawn(move || {
                            // A window that is gone wants no answer.
                            if sender.send(computation.run()).is_ok() {
                                wake();
                            }
                        });
                    }
                }
            }
            requests = more;
        }
    }

    /// Whether everything that was asked for is there to be seen.
    pub fn is_settled(&self) -> bool {
        self.commands.is_empty()
            && self.session.is_settled()
            && self.session.is_tuned(layout::visible(&self.layout))
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
        if let Some(beside) = beside {
            self.apply(Command::ShowBeside(beside));
        }
    }

    /// Takes in events and answers, applies commands. Draws nothing.
    pub fn tick(&mut self, ctx: &Context) {
        self.pictures.begin_frame();
        let input = ctx.input(|input| !input.events.is_empty());
        if self.take_events(ctx) || input || !self.commands.is_empty() {
            self.autosave.touch();
        }
        self.focus_wanted();
        if self.session.model().loading.is_none()
            && let Some(model) = self.awaited_model.take()
            && self.session.model().error.is_none()
        {
            self.recent.note_model(&model);
        }
        let answers: Vec<DialogAnswer> = self.answers.try_iter().collect();
        for answer in answers {
            self.take_answer(ctx, answer);
        }
        for command in std::mem::take(&mut self.commands) {
            if let UserCommand::Session(Command::OpenPaths(paths)) = &command {
                self.recent.note_folders(paths);
            }
            match command {
                UserCommand::Session(command) => self.apply(command),
                UserCommand::Window(command) => window::apply(self, ctx, command),
                UserCommand::LoadModel(path) => self.load_model(path),
                UserCommand::Export(what, path) => export::export(self, what, path),
                UserCommand::ShowInFolder(path) => self.dialogs.show_in_folder(path),
            }
        }
        let time = ctx.input(|input| input.time);
        let (requests, wait) = self.session.follow(time, layout::visible(&self.layout));
        self.hand_on(requests);
        if let Some(wait) = wait {
            ctx.request_repaint_after_secs(wait as f32);
        }
        match self.autosave.due_in(time) {
            Some(wait) if wait > 0.0 => ctx.request_repaint_after_secs(wait as f32),
            Some(_) => {
                let saved = self.saved(ctx);
                self.autosave.save(saved, time, &self.dialogs);
            }
            None => {}
        }
    }

    /// Takes in what the worker tells, for as long as a frame has time; whether there was anything.
    fn take_events(&mut self, ctx: &Context) -> bool {
        let (began, mut any) = (Instant::now(), false);
        while let Some(event) = self.worker.next_event() {
            any = true;
            match event {
                Event::Picture { image, picture } => self.pictures.receive(ctx, image, picture),
                Event::Samples { folder, pictures } => {
                    self.pictures.receive_samples(folder, pictures);
                }
                event => {
                    let requests = self.session.take(event.into());
                    self.hand_on(requests);
                }
            }
            if began.elapsed() > EVENTS {
                ctx.request_repaint();
                break;
            }
        }
        while let Ok(answer) = self.computed.1.try_recv() {
            any = true;
            let requests = self.session.take(answer.into());
            self.hand_on(requests);
        }
        any
    }

    /// Draws the window.
    pub fn draw(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        self.take_drops(&ctx);
        if !self.view.presenting {
            let panels = self.panel_entries();
            bars::menu_bar_ui(ui, &panels, &self.recent, &mut self.commands);
            bars::status_bar_ui(ui, &self.session, self.drops.as_deref(), &mut self.commands);
        }
        self.recovery_ui(ui);
        missing_model::banner_ui(ui, &self.session, &mut self.commands);
        let ground = theme::Palette::of_ui(ui).ground;
        egui::CentralPanel::no_frame().show(ui, |ui| {
            ui.painter().rect_filled(ui.max_rect(), 0.0, ground);
            let mut cx = PanelCtx {
                session: &self.session,
                pictures: &mut self.pictures,
                view: &mut self.view,
                commands: &mut self.commands,
            };
            match self.panels.get_mut("explain").filter(|_| cx.view.presenting) {
                Some(explain) => explain.ui(ui, &mut cx),
                None => self.layout.ui(&mut Panes { panels: &mut self.panels, cx }, ui),
            }
        });
        for request in self.pictures.take_wanted() {
            match request {
                PictureRequest::Picture(image, source) => self.worker.ask_picture(image, source),
                PictureRequest::Samples(folder, count) => self.worker.ask_samples(folder, count),
            }
        }
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
        self.milestones.frame(&self.session);
    }

    fn panel_entries(&self) -> Vec<bars::PanelEntry> {
        let entry = |info: &'static PanelInfo| bars::PanelEntry {
            info,
            is_open: layout::is_open(&self.layout, info.name),
            is_shown: layout::is_shown(&self.layout, info.name),
        };
        PANELS.iter().map(entry).collect()
    }

    fn take_drops(&mut self, ctx: &Context) {
        let paths: Vec<PathBuf> = ctx.input(|input| {
            input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect()
        });
        if !paths.is_empty() {
            self.send(Command::OpenPaths(paths));
        }
        let pasted: Vec<DialogAnswer> = ctx.input(|input| {
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
                self.session.entries().get(self.wanted_place - 1..=self.wanted_place)
        {
            let both = self.session.comparison.beside == CompareMode::Image;
            let ids = if both { vec![before.id, wanted.id] } else { vec![wanted.id] };
            self.wanted_place = 0;
            self.apply(Command::Select(ids));
        }
        let Some(wanted) = &self.wanted_focus else { return };
        let entries = self.session.entries();
        let wanted = entries.iter().find(|entry| entry.source.path() == Some(wanted));
        if let Some(id) = wanted.map(|entry| entry.id) {
            self.wanted_focus = None;
            self.view.reveal = true;
            self.apply(Command::Select(vec![id]));
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
        self.close();
    }
}
