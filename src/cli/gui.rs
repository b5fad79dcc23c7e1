//! The window: `tagood-lens`, with images named or not, and its picture without a window.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser as _};
use eframe::egui::{self, Theme, vec2};
use eframe::egui_wgpu::WgpuConfiguration;

use super::model::ModelArgs;
use super::{CliResult, WrongUsage, display};
use crate::app::own_sessions::OwnSessions;
use crate::app::{App, Options, offscreen};
use crate::bundle::manifest::Recipe;
use crate::demo::World;
use crate::image::find_images;
use crate::panels::{MOST_EXPLAIN_STEPS, PANELS, UserCommand, WindowCommand};
use crate::session::command::Command;
use crate::session::compare::CompareMode;
use crate::session::sets::{Role, SetId};
use crate::worker::{FitJob, FitMode, Program};

/// How the window starts.
#[derive(Args)]
pub struct GuiArgs {
    /// Images, or folders of images, to open
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// A folder of in-distribution images to open; may be given several times
    #[arg(long, value_name = "DIR")]
    id: Vec<PathBuf>,
    /// A folder of out-of-distribution images to open; may be given several times
    #[arg(long, value_name = "DIR")]
    ood: Vec<PathBuf>,
    /// Open the demo world: scenes that the embedded model knows, and four sets of others
    #[arg(long)]
    demo: bool,
    #[command(flatten)]
    model: ModelArgs,
    /// Draw the window off-screen into a PNG when all images are ready, and exit
    #[arg(long, value_name = "OUT.png", value_parser = super::paths::ending_in("png"))]
    screenshot: Option<PathBuf>,
    /// The panel to bring to the front, by its name or its tab's title; several are shown two by two
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "screenshot")]
    #[arg(ignore_case = true, value_parser = PossibleValuesParser::new(panels()).map(panel_name))]
    panel: Vec<String>,
    /// The theme
    #[arg(long, value_name = "light|dark", value_parser = parse_theme)]
    theme: Option<Theme>,
    /// Size of the picture in pixels
    #[arg(long, value_name = "WxH", default_value = "1600x1000", value_parser = parse_size)]
    size: [u16; 2],
    /// Pixels of the picture for each point of the window, as on a screen of that scale
    #[arg(long, value_name = "SCALE", default_value_t = 1.0, requires = "screenshot", value_parser = parse_scale)]
    scale: f32,
    /// The image to show, by its place among the images named, from 1
    #[arg(long, value_name = "N", default_value_t = 1, requires = "screenshot", value_parser = parse_place)]
    select: usize,
    /// What stands beside the image: the one selected before it, or the same at a second τ
    #[arg(long, value_name = "image|tau", requires = "screenshot", value_parser = parse_beside)]
    beside: Option<CompareMode>,
    /// Pin the setting as A, and compare it with this τ
    #[arg(long, value_name = "TAU", requires = "screenshot", value_parser = super::model::parse_tau)]
    pin: Option<f32>,
    /// Fit a model to the first folder, with so many epochs, into this folder
    #[arg(long, value_names = ["EPOCHS", "OUT"], num_args = 2, requires = "screenshot")]
    train: Vec<String>,
    /// The step of the explanation, from 1; the last one where there are fewer
    #[arg(long, value_name = "N", default_value_t = 1, requires = "screenshot", value_parser = parse_step)]
    step: usize,
    /// The explanation alone and large, as for a talk (F5)
    #[arg(long, requires = "screenshot")]
    present: bool,
}

fn panels() -> impl Iterator<Item = PossibleValue> {
    PANELS.iter().map(|panel| PossibleValue::new(panel.name).alias(panel.title))
}

/// The name of the panel that was named, or whose tab's title was.
fn panel_name(text: String) -> String {
    let is_named = |name: &str| name.to_lowercase() == text.to_lowercase();
    let found = PANELS.iter().find(|panel| is_named(panel.name) || is_named(panel.title));
    found.map_or(text, |panel| panel.name.to_owned())
}

fn parse_place(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|place| *place > 0).ok_or("must be a whole number from 1".into())
}

fn parse_step(text: &str) -> Result<usize, String> {
    let last = MOST_EXPLAIN_STEPS;
    let step: Option<usize> = text.parse().ok();
    step.filter(|step| (1..=last).contains(step)).ok_or(format!("must be from 1 to {last}"))
}

fn parse_theme(text: &str) -> Result<Theme, String> {
    match text {
        "light" => Ok(Theme::Light),
        "dark" => Ok(Theme::Dark),
        other => Err(format!("unknown theme `{other}`; there are `light` and `dark`")),
    }
}

fn parse_beside(text: &str) -> Result<CompareMode, String> {
    match text {
        "image" => Ok(CompareMode::Image),
        "tau" => Ok(CompareMode::Tau),
        other => Err(format!("unknown comparison `{other}`; there are `image` and `tau`")),
    }
}

fn parse_scale(text: &str) -> Result<f32, String> {
    let scale: Option<f32> = text.parse().ok();
    scale.filter(|scale| (0.5..=4.0).contains(scale)).ok_or("must be from 0.5 to 4".into())
}

fn parse_size(text: &str) -> Result<[u16; 2], String> {
    let parse = |text: &str| text.parse().ok().filter(|side| (64..=8192).contains(side));
    let sides = text.split_once('x').map(|(width, height)| (parse(width), parse(height)));
    match sides {
        Some((Some(width), Some(height))) => Ok([width, height]),
        _ => Err("must be like 1600x1000, each side from 64 to 8192".into()),
    }
}

impl GuiArgs {
    /// Opens the window, or draws it off-screen.
    ///
    /// # Errors
    /// If there is no display, or no adapter to draw with.
    pub fn run(self) -> CliResult {
        let started = Instant::now();
        self.check()?;
        match self.screenshot.clone() {
            Some(out) => self.screenshot(started, &out),
            None => self.window(started),
        }
    }

    /// Refuses what cannot be before anything runs.
    fn check(&self) -> Result<(), WrongUsage> {
        if let [epochs, _] = self.train.as_slice() {
            if !epochs.parse::<u32>().is_ok_and(|epochs| epochs > 0) {
                let text = format!("--train takes a number of epochs first, not `{epochs}`");
                return Err(WrongUsage(text));
            }
            if self.all_paths().is_empty() {
                return Err(WrongUsage("--train needs a folder of class folders to fit to".into()));
            }
        }
        // How many scenes the demo world has is known when they are drawn.
        let images = if self.select > 1 { find_images(&self.all_paths()).images.len() } else { 1 };
        if self.select > images && !self.demo {
            let plural = if images == 1 { "image" } else { "images" };
            let text = format!("--select {}, but {images} {plural} to open", self.select);
            return Err(WrongUsage(text));
        }
        Ok(())
    }

    fn options(&self, started: Instant, sessions: Option<OwnSessions>) -> Options {
        Options {
            outputs: self.model.outputs(),
            model: self.model.clone().source(None),
            model_is_named: self.model.names_a_model(),
            models: Arc::new(super::model::saved_model),
            paths: self.all_paths(),
            roles: self.roles(),
            world: World::kept_in(&crate::fs::cache_folder()),
            open_world: self.demo,
            sessions,
            theme: self.theme,
            drops: None,
            attended: self.screenshot.is_none(),
            started,
        }
    }

    /// What is to be opened, sets first.
    fn all_paths(&self) -> Vec<PathBuf> {
        self.id.iter().chain(&self.ood).chain(&self.paths).cloned().collect()
    }

    fn roles(&self) -> Vec<(SetId, Role)> {
        let told = |folders: &[PathBuf], role| -> Vec<(SetId, Role)> {
            let whole = |folder: &PathBuf| std::path::absolute(folder).unwrap_or(folder.clone());
            folders.iter().map(|folder| (SetId::of_folder(&whole(folder)), role)).collect()
        };
        [told(&self.id, Role::Id), told(&self.ood, Role::Ood)].concat()
    }

    fn fit_program(&self) -> anyhow::Result<Program> {
        Ok(Program { path: std::env::current_exe()?, model: self.model.arguments() })
    }

    fn screenshot(&self, started: Instant, out: &std::path::Path) -> CliResult {
        let ctx = egui::Context::default();
        let mut app = App::new(&ctx, self.options(started, None))?;
        app.enable_fitting(self.fit_program()?);
        match self.panel.as_slice() {
            [] => {}
            [panel] => app.show_panel(panel),
            several => app.show_panels(several),
        }
        app.preset(self.select, self.step, self.beside);
        let [width, height] = self.size;
        let sheet = offscreen::Sheet {
            size: vec2(f32::from(width), f32::from(height)) / self.scale,
            pixels_per_point: self.scale,
        };
        let device = self.model.device;
        offscreen::screenshot(&mut app, &ctx, device, sheet, (self.then()?, out))?;
        Ok(ExitCode::SUCCESS)
    }

    /// What is done before the picture is taken.
    fn then(&self) -> anyhow::Result<Vec<UserCommand>> {
        let mut then = Vec::new();
        if self.present {
            then.push(WindowCommand::Present.into());
        }
        if let Some(tau) = self.pin {
            then.extend([Command::Pin.into(), Command::SetTau(tau).into()]);
        }
        if let ([epochs, out], Some(id)) = (self.train.as_slice(), self.all_paths().first()) {
            let job = FitJob {
                id: id.clone(),
                out: out.into(),
                recipe: Recipe::Paper,
                epochs: epochs.parse().with_context(|| format!("not a number: {epochs}"))?,
                vocabulary: None,
            };
            then.push(Command::StartFit(job, FitMode::Train).into());
        }
        Ok(then)
    }

    fn window(&self, started: Instant) -> CliResult {
        let mut options = self.options(started, OwnSessions::of_user());
        let mut native = eframe::NativeOptions {
            viewport: egui::ViewportBuilder::default()
                .with_title("TagOOD Lens")
                .with_app_id("tagood-lens")
                .with_inner_size([1480.0, 920.0])
                .with_min_inner_size([720.0, 480.0])
                .with_icon(crate::ui::icon::icon())
                .with_drag_and_drop(true),
            wgpu_options: WgpuConfiguration {
                wgpu_setup: offscreen::wgpu_setup(options.model.device),
                ..Default::default()
            },
            ..Default::default()
        };
        options.drops = display::choose(&mut native)?;
        let program = self.fit_program()?;
        let create = Box::new(move |cc: &eframe::CreationContext<'_>| {
            if let Some(state) = &cc.wgpu_render_state {
                crate::render::install(state)?;
            }
            let mut app = App::new(&cc.egui_ctx, options)?;
            app.enable_fitting(program);
            Ok(Box::new(app) as Box<dyn eframe::App>)
        });
        eframe::run_native("TagOOD Lens", native, create).map_err(|error| sentence(&error))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Why there is no window. The window library's own words name files of the machine that built it.
fn sentence(error: &eframe::Error) -> anyhow::Error {
    match error {
        eframe::Error::Winit(_) | eframe::Error::WinitEventLoop(_) => {
            anyhow!("cannot open a window: the display does not answer as it should; {NO_WINDOW}")
        }
        eframe::Error::Wgpu(_) => anyhow!(
            "cannot open a window: no graphics driver can draw it; install one (Mesa's software driver \
             will do), or {NO_WINDOW}"
        ),
        other => anyhow!("cannot open a window: {other}"),
    }
}

/// The way out.
const NO_WINDOW: &str = "use `tagood-lens inspect PATH…`, which needs none";
