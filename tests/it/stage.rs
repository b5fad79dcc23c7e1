//! The window without a screen, driven through its accessibility tree with a tiny model.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui::{Context, DroppedFile, FullOutput, TexturesDelta, Ui};
use egui_kittest::{Harness, TestRenderer};
use tagood_lens::app::{App, Options};
use tagood_lens::bundle::manifest::{Lambda, Recipe};
use tagood_lens::bundle::vocabulary::Class;
use tagood_lens::bundle::{self, Bundle};
use tagood_lens::cli::model::saved_model;
use tagood_lens::demo::World;
use tagood_lens::gpu::{self, DeviceChoice};
use tagood_lens::image::{DecodeOptions, decode_file};
use tagood_lens::panels::UserCommand;
use tagood_lens::pipeline::{Keep, Pipeline, TaggerOutput};
use tagood_lens::session::command::ModelSource;
use tagood_lens::session::sets::Role;
use tagood_lens::session::{Command, Session};

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny").join(name)
}

/// The tiny tagger and projector with a made-up vocabulary: every tag stands for a class, and those
/// that the tagger is half sure of count.
pub fn pipeline() -> Pipeline {
    let mut bundle = Bundle::open(&fixture("tiny_ram.pth")).unwrap();
    bundle.attach_projector(&fixture("tiny_projector.pth")).unwrap();
    // Heads cannot be read off a checkpoint; the tiny model has four.
    bundle.manifest.tagger.as_mut().unwrap().decoder.heads = 4;
    let classes = bundle.manifest.projector.as_ref().unwrap().classes;
    let tags = bundle.vocabulary.tags.len();
    let class = |index: usize| Class { name: format!("class {index}"), tags: vec![index % tags] };
    bundle.vocabulary.thresholds = vec![0.2; tags];
    bundle.vocabulary.set_classes((0..classes.max(tags)).map(class).collect());
    bundle.manifest.lambda.push(Lambda {
        detector: "tagood-cosine".into(),
        recipe: Recipe::Paper,
        tau: 0.5,
        value: 0.1,
        tpr: 0.95,
    });
    Pipeline::load(&bundle, &gpu::compute(DeviceChoice::Cpu).unwrap()).unwrap()
}

/// Four pictures and a file that is none.
pub fn pictures(folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for number in 0..4u8 {
        let path = folder.join(format!("picture {number}.png"));
        let paint = |x: u32, y: u32| {
            let blob = (x / 16 + y / 16 + u32::from(number)).is_multiple_of(3);
            image::Rgb([if blob { 230 } else { 20 }, (x * 2) as u8, 60 * number])
        };
        image::RgbImage::from_fn(96, 80, paint).save(&path).unwrap();
        paths.push(path);
    }
    let broken = folder.join("broken.png");
    std::fs::write(&broken, b"this is no picture").unwrap();
    paths.push(broken);
    paths
}

pub struct Stage {
    pub options: Option<Options>,
    pub app: Option<App>,
}

impl Stage {
    pub fn app(&self) -> &App {
        self.app.as_ref().unwrap()
    }
}

pub fn draw(ui: &mut Ui, stage: &mut Stage) {
    if let Some(options) = stage.options.take() {
        stage.app = Some(App::new(ui.ctx(), options).unwrap());
    }
    let app = stage.app.as_mut().unwrap();
    app.tick(&ui.ctx().clone());
    app.draw(ui);
}

/// A model that is made and not read, on the CPU.
pub fn model(name: &str, open: impl Fn() -> Pipeline + Send + Sync + 'static) -> ModelSource {
    let open = Arc::new(move |_| Ok(open()));
    ModelSource::unnamed(name, open, DeviceChoice::Cpu)
}

/// How a test's window starts.
pub fn options(paths: Vec<PathBuf>) -> Options {
    Options {
        model: model("tiny", pipeline),
        model_is_named: false,
        // A model without a name in files is the one of the tests.
        models: Arc::new(|saved| match saved.named.is_empty() {
            true => model("tiny", pipeline),
            false => saved_model(saved),
        }),
        outputs: None,
        paths,
        // Where nothing can be drawn: a test that wants the world names a folder of its own.
        world: World { folder: PathBuf::from("/dev/null/world"), scenes: 1 },
        open_world: false,
        roles: Vec::new(),
        sessions: None,
        theme: None,
        drops: None,
        attended: false,
        started: Instant::now(),
    }
}

/// Draws nothing and keeps nothing: textures would pile up until something is drawn.
struct Blind;

impl TestRenderer for Blind {
    fn handle_delta(&mut self, delta: &mut TexturesDelta) {
        delta.clear();
    }

    fn render(&mut self, _: &Context, _: &FullOutput) -> Result<image::RgbaImage, String> {
        Err("this window is not drawn".into())
    }
}

/// The window without a screen, with everything there that was asked for.
pub fn window(paths: Vec<PathBuf>) -> Harness<'static, Stage> {
    open(options(paths))
}

/// The embedded model on the CPU.
pub fn embedded() -> Pipeline {
    let bundle = bundle::embedded::bundle().unwrap();
    Pipeline::load(&bundle, &gpu::compute(DeviceChoice::Cpu).unwrap()).unwrap()
}

/// The window with the embedded model and a demo world.
pub fn world_window(world: World) -> Harness<'static, Stage> {
    open(Options { model: model("embedded", embedded), world, ..options(Vec::new()) })
}

pub fn open(options: Options) -> Harness<'static, Stage> {
    let stage = Stage { options: Some(options), app: None };
    let builder = Harness::builder().with_size([1400.0, 900.0]).renderer(Blind);
    let mut harness = builder.build_ui_state(draw, stage);
    settle(&mut harness);
    harness
}

/// A dropped file, as the window library brings it.
#[derive(Debug)]
struct Dropped(PathBuf);

impl DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|error| error.to_string())
    }
}

/// Lets go of a file over the window.
pub fn drop_file(harness: &mut Harness<'_, Stage>, path: PathBuf) {
    harness.input_mut().dropped_files.push(Arc::new(Dropped(path)));
}

/// Runs frames until the worker has answered everything.
pub fn settle(harness: &mut Harness<'_, Stage>) {
    let started = Instant::now();
    let mut calm = 0;
    while calm < 5 {
        assert!(started.elapsed() < Duration::from_secs(600), "the worker does not answer");
        harness.step();
        calm = if harness.state().app().is_settled() { calm + 1 } else { 0 };
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn send(harness: &mut Harness<'_, Stage>, command: impl Into<UserCommand>) {
    harness.state_mut().app.as_mut().unwrap().send(command);
    settle(harness);
}

/// Says what the images of an open set are, called as on show.
pub fn set_role(harness: &mut Harness<'_, Stage>, name: &str, role: Role) {
    let sets = harness.state().app().session().sets();
    let set = sets.iter().find(|set| set.title() == name).unwrap().id();
    send(harness, Command::SetRole(set, role));
}

/// What the library makes of pictures.
pub fn tagged(pipeline: &Pipeline, paths: &[PathBuf]) -> Vec<TaggerOutput> {
    let prepare = |path: &PathBuf| {
        pipeline.prepare(&decode_file(path, &DecodeOptions::default()).unwrap().rgb)
    };
    let inputs: Vec<Vec<f32>> = paths.iter().map(prepare).collect();
    pipeline.tag(&inputs, Keep::Id).unwrap()
}

/// Runs frames until something holds.
pub fn wait_for(harness: &mut Harness<'_, Stage>, what: &str, holds: impl Fn(&Session) -> bool) {
    let started = Instant::now();
    while !holds(harness.state().app().session()) {
        let state = &harness.state().app().session().fitting.state;
        assert!(started.elapsed().as_secs() < 240, "{what} does not come; the training: {state:?}");
        harness.step();
        std::thread::sleep(Duration::from_millis(20));
    }
    harness.run_steps(2);
}
