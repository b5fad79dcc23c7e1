//! The numbers of docs/performance.md for the window: `cargo test --test it performance:: --
//! --ignored --nocapture --test-threads 1`. The model is the embedded one, or the bundle that
//! `TAGOOD_BENCH_MODEL` names.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui::{self, Pos2, RawInput, Rect, vec2};
use tagood_lens::app::{App, Options};
use tagood_lens::bundle::known::{KnownName, typed_names};
use tagood_lens::bundle::{Bundle, embedded};
use tagood_lens::demo::{SCENE_SIZE, Set, scene};
use tagood_lens::gpu::{self, DeviceChoice};
use tagood_lens::pipeline::Pipeline;
use tagood_lens::session::command::{Command, ModelSource};
use tagood_lens::session::known::KnownEdit;
use tagood_lens::session::sets::{Role, SetId};
use tagood_lens::worker::OpenModel;

use super::stage::options;

const FRAME: Duration = Duration::from_micros(16_667);

fn pipeline(device: DeviceChoice) -> anyhow::Result<Pipeline> {
    let bundle = match std::env::var_os("TAGOOD_BENCH_MODEL") {
        Some(path) => Bundle::open(Path::new(&path))?,
        None => embedded::bundle()?,
    };
    Ok(Pipeline::load(&bundle, &gpu::compute(device)?)?)
}

/// Files of demo scenes; of more than there are scenes, each scene has many names.
fn files(folder: &Path, count: usize, scenes: usize) -> Vec<PathBuf> {
    let path = |index: usize| folder.join(format!("{index:05}.png"));
    for index in 0..count {
        if index < scenes {
            let set = if index % 2 == 0 { Set::Id } else { Set::Near };
            let (side, image) = (SCENE_SIZE as u32, scene(set, 5, index as u64).image);
            image::RgbImage::from_raw(side, side, image).unwrap().save(path(index)).unwrap();
        } else {
            std::fs::hard_link(path(index % scenes), path(index)).unwrap();
        }
    }
    (0..count).map(path).collect()
}

/// The window's own work without one: frames are laid out and tessellated, not drawn.
struct Desk {
    ctx: egui::Context,
    app: App,
    started: Instant,
    /// What each frame took by the clock, and of the processor.
    work_ms: Vec<[f64; 2]>,
}

impl Desk {
    fn open(paths: Vec<PathBuf>) -> Self {
        Self::with_model(Arc::new(pipeline), paths)
    }

    fn with_model(open: OpenModel, paths: Vec<PathBuf>) -> Self {
        let (ctx, started) = (egui::Context::default(), Instant::now());
        let model = ModelSource::unnamed("the model", open, DeviceChoice::Cpu);
        let options = Options { model, started, ..options(paths) };
        let app = App::new(&ctx, options).unwrap();
        Self { ctx, app, started, work_ms: Vec::new() }
    }

    fn frame(&mut self) {
        let (started, before_ms) = (Instant::now(), processor_ms());
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, vec2(1480.0, 920.0))),
            time: Some(self.started.elapsed().as_secs_f64()),
            focused: true,
            ..RawInput::default()
        };
        let app = &mut self.app;
        let mut output = self.ctx.run_ui(input, |ui| {
            app.tick(&ui.ctx().clone());
            app.draw(ui);
        });
        output.textures_delta.clear();
        std::hint::black_box(self.ctx.tessellate(output.shapes, output.pixels_per_point));
        let clock_ms = started.elapsed().as_secs_f64() * 1e3;
        self.work_ms.push([clock_ms, processor_ms() - before_ms]);
    }

    /// The times of the frames so far, forgotten then.
    fn tell(&mut self, what: &str) {
        let clock: Vec<f64> = self.work_ms.iter().map(|times| times[0]).collect();
        let processor: f64 = self.work_ms.iter().map(|times| times[1]).sum();
        // Counted at the system's ticks, which frames are shorter than: the mean alone is right.
        let mean = processor / self.work_ms.len().max(1) as f64;
        println!("{what}, ms: {}; of the processor {mean:.2} each", percentiles(&clock));
        self.work_ms.clear();
    }

    /// Frames at 60 a second until `done`.
    fn until(&mut self, done: impl Fn(&App) -> bool) {
        while !done(&self.app) {
            let next = Instant::now() + FRAME;
            self.frame();
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }
}

/// Time that this thread has had of a processor: other programs do not add to it. Zero where the
/// system does not tell.
fn processor_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok());
    ns.unwrap_or_default() / 1e6
}

fn percentiles(values: &[f64]) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize];
    format!("p50 {:.2}, p99 {:.2}, most {:.2} ({} times)", at(0.5), at(0.99), at(1.0), sorted.len())
}

fn status_mb(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    digits.parse::<u64>().unwrap_or_default() >> 10
}

fn is_done(app: &App) -> bool {
    app.is_settled() && !app.session().entries().is_empty()
}

#[test]
#[ignore = "measures; see the head of this file"]
fn start_frames_and_tau() {
    let folder = tempfile::tempdir().unwrap();
    let paths = files(folder.path(), 1000, 64);
    let mut desk = Desk::open(paths.clone());
    desk.frame();
    desk.tell("first frame");
    desk.until(|app| app.session().focused().is_some_and(|entry| entry.analysis.is_some()));
    println!("first verdict {:.0} ms after the start", desk.started.elapsed().as_secs_f64() * 1e3);
    desk.work_ms.clear();
    desk.until(is_done);
    println!(
        "1,000 images tagged and scored {:.1} s after the start",
        desk.started.elapsed().as_secs_f64()
    );
    desk.tell("a frame's work meanwhile");

    let few: Vec<_> = desk.app.session().entries().iter().skip(40).map(|entry| entry.id).collect();
    desk.app.send(Command::Remove(few));
    desk.frame();
    desk.until(is_done);
    let (mut wait_ms, mut tau) = (Vec::new(), 0.2);
    for _ in 0..300 {
        tau = if tau > 0.8 { 0.2 } else { tau + 0.013 };
        let asked = Instant::now();
        desk.app.send(Command::SetTau(tau));
        loop {
            desk.frame();
            let session = desk.app.session();
            if session
                .focused()
                .is_some_and(|entry| entry.generation == session.images().generation())
            {
                break;
            }
            std::thread::sleep(Duration::from_micros(300));
        }
        wait_ms.push(asked.elapsed().as_secs_f64() * 1e3);
        // As a hand moves: the next value comes with a later frame.
        std::thread::sleep(FRAME);
    }
    println!("τ moved to new verdict with 40 images open, ms: {}", percentiles(&wait_ms));
}

#[test]
#[ignore = "measures; see the head of this file"]
fn ten_thousand_images() {
    let folder = tempfile::tempdir().unwrap();
    let count = std::env::var("TAGOOD_BENCH_IMAGES").map_or(10_000, |text| text.parse().unwrap());
    let mut desk = Desk::open(files(folder.path(), count, 64));
    let mut told = 0;
    while !is_done(&desk.app) {
        let done = desk.app.session().entries().iter().filter(|e| e.analysis.is_some()).count();
        if done >= told + count / 5 {
            told = done;
            println!(
                "{done} images, {:.0} s: {} MB in use",
                desk.started.elapsed().as_secs_f64(),
                status_mb("VmRSS:")
            );
        }
        let until = Instant::now() + Duration::from_secs(1);
        desk.until(|app| is_done(app) || Instant::now() > until);
    }
    println!(
        "{count} images open: {} MB in use, at most {} MB",
        status_mb("VmRSS:"),
        status_mb("VmHWM:")
    );
    desk.work_ms.clear();
    for _ in 0..120 {
        desk.frame();
    }
    desk.tell("a frame's work with them");
    let started = Instant::now();
    desk.app.send(Command::SetTau(0.31));
    desk.frame();
    desk.until(is_done);
    println!("all looked at again at another τ in {:.1} s", started.elapsed().as_secs_f64());
}

#[test]
#[ignore = "measures; see the head of this file"]
fn curves_of_two_sets() {
    const IMAGES: usize = 1000;
    let folder = tempfile::tempdir().unwrap();
    let sets = ["id", "near"].map(|name| folder.path().join(name));
    for (set, folder) in [Set::Id, Set::Near].into_iter().zip(&sets) {
        std::fs::create_dir(folder).unwrap();
        for index in 0..IMAGES as u64 {
            let (side, image) = (SCENE_SIZE as u32, scene(set, 5, index).image);
            let path = folder.join(format!("{index:05}.png"));
            image::RgbImage::from_raw(side, side, image).unwrap().save(path).unwrap();
        }
    }
    let mut desk = Desk::open(sets.to_vec());
    for (folder, role) in sets.iter().zip([Role::Id, Role::Ood]) {
        desk.app.send(Command::SetRole(SetId::of_folder(folder), role));
    }
    desk.app.show_panel("roc");
    desk.frame();
    desk.until(is_done);
    let mut whole_s = Vec::new();
    for tau in [0.31, 0.62, 0.4] {
        let started = Instant::now();
        desk.app.send(Command::SetTau(tau));
        desk.work_ms.clear();
        desk.until(is_done);
        whole_s.push(started.elapsed().as_secs_f64());
        desk.tell("a frame's work meanwhile");
    }
    println!("τ moved to complete curves of {} images, s: {whole_s:.2?}", 2 * IMAGES);
}

/// The embedded CLIP, or the one that `TAGOOD_BENCH_MODEL` names.
#[test]
#[ignore = "measures; see the head of this file"]
fn one_name_of_nine() {
    const IMAGES: usize = 2000;
    const NAMES: &str = "apple, cat, car, guitar, fish, house, umbrella, teapot, sailboat";
    let folder = tempfile::tempdir().unwrap();
    let open = |device| {
        let bundle = match std::env::var_os("TAGOOD_BENCH_MODEL") {
            Some(path) => Bundle::open(Path::new(&path))?,
            None => embedded::clip_bundle()?,
        };
        Ok(Pipeline::load(&bundle, &gpu::compute(device)?)?)
    };
    let mut desk = Desk::with_model(Arc::new(open), files(folder.path(), IMAGES, 64));
    desk.app.show_panel("known");
    desk.frame();
    desk.until(is_done);
    println!("{IMAGES} images seen {:.1} s after the start", desk.started.elapsed().as_secs_f64());
    desk.app.send(Command::Know(KnownEdit::Replace(typed_names(NAMES))));
    desk.frame();
    desk.until(is_done);
    desk.work_ms.clear();
    let (mut shown_ms, mut all_ms, mut name) = (Vec::new(), Vec::new(), "cat".to_owned());
    for number in 0..20 {
        // A word that was never encoded, each time.
        let new = format!(
            "{} dog",
            ["old", "new", "big", "wet", "shy"][number % 5].repeat(1 + number / 5)
        );
        let asked = Instant::now();
        let edit = KnownEdit::Rename(name, KnownName { name: new.clone(), synonyms: Vec::new() });
        desk.app.send(Command::Know(edit));
        desk.frame();
        let is_judged = |app: &App| {
            let session = app.session();
            let generation = session.images().generation();
            !session.names.is_awaited()
                && session.focused().is_some_and(|entry| entry.generation == generation)
        };
        while !is_judged(&desk.app) {
            desk.frame();
            std::thread::sleep(Duration::from_micros(300));
        }
        shown_ms.push(asked.elapsed().as_secs_f64() * 1e3);
        desk.until(is_done);
        all_ms.push(asked.elapsed().as_secs_f64() * 1e3);
        name = new;
    }
    println!("one name changed to the verdict on show, ms: {}", percentiles(&shown_ms));
    println!("one name changed to all {IMAGES} verdicts, ms: {}", percentiles(&all_ms));
    desk.tell("a frame's work meanwhile");
}
