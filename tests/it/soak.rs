//! Random hands on the window: keys, clicks, drags, drops of good and bad files, removals, undo, other
//! models and broken ones while images load, floods of requests, exports, stops. A few seconds in every run of the tests; longer with `TAGOOD_SOAK_SECONDS=600 cargo test --test it soak::
//! -- --nocapture`, which tells the memory in use after each minute.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui::{self, Event, Key, Modifiers, PointerButton, Pos2, pos2, vec2};
use egui_kittest::Harness;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tagood_lens::bundle::manifest::Recipe;
use tagood_lens::gpu::DeviceChoice;
use tagood_lens::panels::{Exported, UserCommand};
use tagood_lens::session::Command;
use tagood_lens::session::command::ModelSource;
use tagood_lens::session::embedding::{EmbedCommand, EmbedConfig};
use tagood_lens::session::sets::{Role, SetId};
use tagood_lens::worker::OpenModel;

use super::stage::{Stage, drop_file, embedded, model, pictures, pipeline, settle, window};

/// Of the hands, unless `TAGOOD_SOAK_SEED` says otherwise.
const SEED: u64 = 2411;
const SECONDS: u64 = 12;
/// Images open at once, at most.
const IMAGES: usize = 400;
/// Memory that may come on top of what is in use after a tenth of the time, in bytes: caches that
/// fill slowly.
const GROWTH: u64 = 400 << 20;
const SIZE: Pos2 = pos2(1400.0, 900.0);

struct Hands {
    dice: ChaCha8Rng,
    files: Vec<PathBuf>,
    /// Where exports go.
    out: PathBuf,
    pointer: Pos2,
}

impl Hands {
    fn somewhere(&mut self) -> Pos2 {
        pos2(self.dice.random_range(0.0..SIZE.x), self.dice.random_range(0.0..SIZE.y))
    }

    fn act(&mut self, harness: &mut Harness<'_, Stage>) {
        match self.dice.random_range(0..100) {
            0..30 => self.key(harness),
            30..55 => self.click(harness),
            55..65 => self.drag(harness),
            65..72 => self.wheel(harness),
            72..80 => self.drop_files(harness),
            80..83 => self.type_text(harness),
            83..86 => self.resize(harness),
            86..88 => self.swap_model(harness),
            88..90 => self.flood(harness),
            90..92 => self.export(harness),
            92 => harness.state_mut().app.as_mut().unwrap().send(Command::CancelAll),
            _ => self.command(harness),
        }
    }

    fn key(&mut self, harness: &mut Harness<'_, Stage>) {
        let keys = [
            Key::ArrowLeft,
            Key::ArrowRight,
            Key::ArrowUp,
            Key::ArrowDown,
            Key::OpenBracket,
            Key::CloseBracket,
            Key::OpenCurlyBracket,
            Key::CloseCurlyBracket,
            Key::Delete,
            Key::Escape,
            Key::Enter,
            Key::Tab,
            Key::Space,
            Key::Questionmark,
            Key::Num0,
            Key::Num1,
            Key::Plus,
            Key::Minus,
            Key::A,
            Key::C,
            Key::E,
            Key::F,
            Key::L,
            Key::M,
            Key::P,
            Key::T,
            Key::U,
            Key::V,
            Key::Y,
            Key::Z,
        ];
        let modifiers = [
            Modifiers::NONE,
            Modifiers::NONE,
            Modifiers::COMMAND,
            Modifiers::SHIFT,
            Modifiers::COMMAND | Modifiers::SHIFT,
        ];
        let (Some(&key), Some(&modifiers)) =
            (keys.choose(&mut self.dice), modifiers.choose(&mut self.dice))
        else {
            return;
        };
        harness.key_press_modifiers(modifiers, key);
    }

    fn button(&self, harness: &Harness<'_, Stage>, button: PointerButton, pressed: bool) {
        let (pos, modifiers) = (self.pointer, Modifiers::NONE);
        harness.event(Event::PointerButton { pos, button, pressed, modifiers });
    }

    fn move_to(&mut self, harness: &Harness<'_, Stage>, to: Pos2) {
        self.pointer = to;
        harness.event(Event::PointerMoved(to));
    }

    fn click(&mut self, harness: &mut Harness<'_, Stage>) {
        let to = self.somewhere();
        let button = match self.dice.random_bool(0.15) {
            true => PointerButton::Secondary,
            false => PointerButton::Primary,
        };
        self.move_to(harness, to);
        harness.step();
        self.button(harness, button, true);
        self.button(harness, button, false);
    }

    fn drag(&mut self, harness: &mut Harness<'_, Stage>) {
        let from = self.somewhere();
        self.move_to(harness, from);
        harness.step();
        self.button(harness, PointerButton::Primary, true);
        let by = vec2(self.dice.random_range(-300.0..300.0), self.dice.random_range(-80.0..80.0));
        for part in 1..=4 {
            self.move_to(harness, from + by * (part as f32 / 4.0));
            harness.step();
        }
        self.button(harness, PointerButton::Primary, false);
    }

    fn wheel(&mut self, harness: &mut Harness<'_, Stage>) {
        let to = self.somewhere();
        self.move_to(harness, to);
        harness.event(Event::MouseWheel {
            unit: egui::MouseWheelUnit::Point,
            delta: vec2(0.0, self.dice.random_range(-400.0..400.0)),
            phase: egui::TouchPhase::Move,
            source: egui::MouseWheelSource::Unknown,
            modifiers: Modifiers::NONE,
        });
    }

    fn drop_files(&mut self, harness: &mut Harness<'_, Stage>) {
        for _ in 0..self.dice.random_range(1..6) {
            if let Some(path) = self.files.choose(&mut self.dice).cloned() {
                drop_file(harness, path);
            }
        }
    }

    fn type_text(&mut self, harness: &mut Harness<'_, Stage>) {
        let texts = ["p", "tag 1", "0.3", "ü λ τ", "hide", ""];
        if let Some(&text) = texts.choose(&mut self.dice) {
            harness.event(Event::Text(text.to_owned()));
        }
    }

    fn resize(&mut self, harness: &mut Harness<'_, Stage>) {
        let size = match self.dice.random_bool(0.7) {
            true => SIZE.to_vec2(),
            false => vec2(self.dice.random_range(1.0..1600.0), self.dice.random_range(1.0..1000.0)),
        };
        harness.set_size(size);
    }

    /// What the tuning and map panels send.
    fn tuning(&mut self) -> Command {
        let detectors = ["msp", "energy", "knn", "mds", "tag-score", "tagood-cosine", "none"];
        let detector = detectors.choose(&mut self.dice).copied().unwrap_or_default().to_owned();
        let config = EmbedConfig { perplexity: 5.0, iterations: 60, ..EmbedConfig::default() };
        match self.dice.random_range(0..9) {
            0 | 1 => {
                let folder = self.files.choose(&mut self.dice).cloned().unwrap_or_default();
                Command::SetRole(SetId::of_folder(&folder), self.role())
            }
            2 => Command::SetDetector(detector),
            3 => Command::ToggleOverlay(detector),
            4 => Command::Pin,
            5 => Command::RestorePinned,
            6 => Command::Unpin,
            7 => Command::Embed(EmbedCommand::Configure(config)),
            _ => Command::Embed(EmbedCommand::Start),
        }
    }

    /// Another model, the same again, or one that cannot be opened; sometimes several at once.
    fn swap_model(&mut self, harness: &mut Harness<'_, Stage>) {
        let app = harness.state_mut().app.as_mut().unwrap();
        for _ in 0..self.dice.random_range(1..4) {
            let open: OpenModel = match self.dice.random_range(0..5) {
                0 => Arc::new(|_| Ok(embedded())),
                1 => Arc::new(|_| anyhow::bail!("not a model: /nowhere")),
                2 => Arc::new(|_| std::panic::panic_any("a damaged file")),
                _ => Arc::new(|_| Ok(pipeline())),
            };
            let (name, device) = ("another", DeviceChoice::Cpu);
            app.send(Command::LoadModel(ModelSource::unnamed(name, open, device)));
        }
    }

    /// More requests in one frame than the worker answers in a second.
    fn flood(&mut self, harness: &mut Harness<'_, Stage>) {
        let app = harness.state_mut().app.as_mut().unwrap();
        for _ in 0..1500 {
            app.send(Command::SetTau(self.dice.random_range(0.0..1.0)));
        }
        for _ in 0..40 {
            if let Some(path) = self.files.choose(&mut self.dice).cloned() {
                app.send(Command::OpenPaths(vec![path]));
            }
        }
        for _ in 0..200 {
            app.send(Command::ToggleTag(self.dice.random_range(0..40)));
        }
    }

    /// A file or a report that is begun, and sometimes stopped at once.
    fn export(&mut self, harness: &mut Harness<'_, Stage>) {
        let whats = [Exported::All, Exported::Selected, Exported::Roc, Exported::Report];
        let what = whats.choose(&mut self.dice).copied().unwrap_or(Exported::All);
        let app = harness.state_mut().app.as_mut().unwrap();
        app.send(UserCommand::Export(what, self.out.join(what.file_name())));
        if self.dice.random_bool(0.5) {
            app.send(Command::CancelAll);
        }
    }

    fn role(&mut self) -> Role {
        Role::ALL.choose(&mut self.dice).map_or(Role::Unused, |(role, _)| *role)
    }

    fn command(&mut self, harness: &mut Harness<'_, Stage>) {
        let app = harness.state_mut().app.as_mut().unwrap();
        let ids: Vec<_> = app.session().entries().iter().map(|entry| entry.id).collect();
        let some = |dice: &mut ChaCha8Rng, count: usize| -> Vec<_> {
            ids.choose_multiple(dice, count).copied().collect()
        };
        let command = match self.dice.random_range(0..14) {
            10..13 => self.tuning(),
            13 => {
                let panels = ["scores", "roc", "detectors", "sweep", "compare", "training", "tsne"];
                app.show_panel(panels.choose(&mut self.dice).copied().unwrap_or("log"));
                return;
            }
            0..4 => Command::SetTau(self.dice.random_range(-0.1..1.1)),
            4 => Command::SetTauBeside(self.dice.random_range(0.0..1.0)),
            5 => Command::SetLambda(self.dice.random_bool(0.5).then_some(0.3)),
            6 => Command::SetRecipe(match self.dice.random_bool(0.5) {
                true => Recipe::Paper,
                false => Recipe::Released,
            }),
            7 => Command::ToggleTag(self.dice.random_range(0..40)),
            8 => Command::Select(some(&mut self.dice, 2)),
            _ => Command::Remove(some(&mut self.dice, 3)),
        };
        app.send(command);
        if ids.len() > IMAGES {
            app.send(Command::Remove(ids));
        }
    }
}

/// Memory in use, in bytes; `None` where the system does not tell.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? << 10)
}

#[test]
fn random_hands_break_nothing() {
    let seconds = std::env::var("TAGOOD_SOAK_SECONDS").ok();
    let seconds = seconds.map_or(SECONDS, |text| text.parse().unwrap());
    let whole = Duration::from_secs(seconds);
    let folder = tempfile::tempdir().unwrap();
    let (good, mixed) = (folder.path().join("good"), folder.path().join("mixed"));
    let mut files = Vec::new();
    for folder in [&good, &mixed] {
        std::fs::create_dir(folder).unwrap();
        files.extend(pictures(folder));
    }
    let (empty, cut) = (mixed.join("empty.jpg"), mixed.join("cut.png"));
    std::fs::write(&empty, b"").unwrap();
    std::fs::write(&cut, &std::fs::read(&files[0]).unwrap()[..80]).unwrap();
    files.extend([empty, cut, folder.path().join("nowhere.png"), good, mixed]);

    let mut harness = window(Vec::new());
    let seed = std::env::var("TAGOOD_SOAK_SEED").map_or(SEED, |text| text.parse().unwrap());
    let (dice, out) = (ChaCha8Rng::seed_from_u64(seed), folder.path().join("out"));
    std::fs::create_dir(&out).unwrap();
    let mut hands = Hands { dice, files, out, pointer: pos2(0.0, 0.0) };
    let started = Instant::now();
    let (mut acts, mut warm, mut minute) = (0u64, None, 0);
    while started.elapsed() < whole {
        hands.act(&mut harness);
        harness.step();
        acts += 1;
        if warm.is_none() && started.elapsed() > whole / 10 {
            warm = resident_bytes();
        }
        if started.elapsed().as_secs() / 60 > minute {
            minute += 1;
            let mb = resident_bytes().unwrap_or_default() >> 20;
            eprintln!("minute {minute}: {acts} acts, {mb} MB in use");
        }
    }
    // Whatever was going on, the window comes to rest with every image judged by the model at hand.
    let app = harness.state_mut().app.as_mut().unwrap();
    app.send(Command::CancelAll);
    app.send(Command::LoadModel(model("the last", pipeline)));
    settle(&mut harness);
    let session = harness.state().app().session();
    assert!(session.jobs().is_empty());
    let tags = session.info().unwrap().vocabulary.tags.len();
    for entry in session.entries().iter().filter(|entry| entry.is_tagged) {
        assert!(entry.analysis.is_some(), "{} has no verdict", entry.name);
        assert!(entry.tagged.as_ref().is_none_or(|tagged| tagged.logits.len() == tags));
    }
    if let (Some(warm), Some(now)) = (warm, resident_bytes()) {
        let (warm, now) = (warm >> 20, now >> 20);
        eprintln!("{acts} acts with seed {seed}; memory in use from {warm} MB to {now} MB");
        assert!(now < warm + (GROWTH >> 20), "memory grew from {warm} MB to {now} MB");
    }
}
