//! What the panels look like by which thresholds are chosen, the map of features and the training, on
//! scenes of the world that the embedded model knows.

use std::path::{Path, PathBuf};

use eframe::egui::Theme;
use egui_kittest::{Harness, SnapshotOptions, SnapshotResults, try_image_snapshot_options};
use rayon::prelude::*;
use tagood_lens::app::Options;
use tagood_lens::bundle::manifest::Recipe;
use tagood_lens::demo::{Set, scene_at};
use tagood_lens::fit::message::FitMessage;
use tagood_lens::fit::vocabulary::{ProposedClass, SeenTag};
use tagood_lens::panels;
use tagood_lens::session::Command;
use tagood_lens::session::embedding::{EmbedCommand, EmbedConfig};
use tagood_lens::session::sets::{Role, SetId};
use tagood_lens::worker::{FitJob, FitMode, FitState, Program};

use super::snapshots::{FAILED_PIXELS, add, mask_what_varies, show_alone, take, window_of};
use super::stage::{Stage, embedded, model, options, send, settle};

/// A folder for each set, of scenes small enough to be drawn at once.
fn sets(folder: &Path) -> Vec<PathBuf> {
    let sets = [(Set::Id, 60), (Set::Near, 30), (Set::Texture, 30), (Set::Style, 30)];
    for (set, count) in sets {
        (0..count).into_par_iter().for_each(|index| {
            let scene = scene_at(set, 3, index, 192);
            let folder = folder.join(set.name());
            std::fs::create_dir_all(&folder).unwrap();
            let path = folder.join(format!("{} {index:03}.png", scene.kind));
            let side = scene.size as u32;
            image::RgbImage::from_raw(side, side, scene.image).unwrap().save(path).unwrap();
        });
    }
    sets.map(|(set, _)| folder.join(set.name())).to_vec()
}

/// The embedded model with these images.
fn embedded_window(paths: Vec<PathBuf>, size: [f32; 2]) -> Harness<'static, Stage> {
    let model = model("embedded", embedded);
    let role = |path: &PathBuf| match path.ends_with(Set::Id.name()) {
        true => (SetId::of_folder(path), Role::Id),
        false => (SetId::of_folder(path), Role::Ood),
    };
    let roles = paths.iter().map(role).collect();
    let options = Options { model, roles, theme: Some(Theme::Dark), ..options(paths) };
    window_of(options, size)
}

/// In both themes, of the same window.
fn take_both(harness: &mut Harness<'_, Stage>, results: &mut SnapshotResults, name: &str) {
    for theme in [Theme::Dark, Theme::Light] {
        harness.ctx.set_theme(theme);
        settle(harness);
        take(harness, results, name, theme);
    }
    harness.ctx.set_theme(Theme::Dark);
}

#[test]
fn tuning_panels_look_as_they_did() {
    let folder = tempfile::tempdir().unwrap();
    let mut results = SnapshotResults::new();
    let mut harness = embedded_window(sets(folder.path()), [820.0, 340.0]);
    for name in ["scores", "roc", "detectors", "sweep"] {
        show_alone(&mut harness, name);
        take_both(&mut harness, &mut results, name);
    }
    show_alone(&mut harness, "compare");
    take_both(&mut harness, &mut results, "compare_nothing");
    send(&mut harness, Command::Pin);
    send(&mut harness, Command::SetDetector("msp".into()));
    send(&mut harness, Command::SetTau(0.25));
    take_both(&mut harness, &mut results, "compare");
    // Both settings' curves, and another detector's.
    send(&mut harness, Command::ToggleOverlay("energy".into()));
    show_alone(&mut harness, "roc");
    take_both(&mut harness, &mut results, "roc_overlaid");
}

#[test]
fn the_map_looks_as_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let mut results = SnapshotResults::new();
    let mut harness = embedded_window(sets(folder.path()), [900.0, 460.0]);
    let config = EmbedConfig { iterations: 300, ..EmbedConfig::default() };
    send(&mut harness, Command::Embed(EmbedCommand::Configure(config)));
    show_alone(&mut harness, "tsne");
    take_both(&mut harness, &mut results, "tsne");
}

/// A panel with the bars around it where it has hardly any room: 200 to 120 points inside.
const SMALL: [f32; 2] = [232.0, 238.0];

#[test]
fn panels_cope_with_little_room() {
    let folder = tempfile::tempdir().unwrap();
    let mut results = SnapshotResults::new();
    let mut harness = embedded_window(sets(folder.path()), SMALL);
    let config = EmbedConfig { iterations: 100, ..EmbedConfig::default() };
    send(&mut harness, Command::Embed(EmbedCommand::Configure(config)));
    send(&mut harness, Command::Pin);
    send(&mut harness, Command::SetTau(0.25));
    harness.state_mut().app.as_mut().unwrap().enable_fitting(Program::default());
    let names: Vec<&str> = panels::PANELS.iter().map(|panel| panel.name).collect();
    let (columns, [width, height]) = (5, SMALL.map(|side| side as u32));
    let rows = (names.len() as u32).div_ceil(columns);
    let mut sheet = image::RgbaImage::new(columns * width, rows * height);
    for (at, name) in (0u32..).zip(names) {
        show_alone(&mut harness, name);
        harness.remove_cursor();
        settle(&mut harness);
        mask_what_varies(&mut harness);
        let picture = harness.render().unwrap();
        let (x, y) = (at % columns * width, at / columns * height);
        image::imageops::replace(&mut sheet, &picture, x.into(), y.into());
    }
    let options = SnapshotOptions::new().max_failed_pixels(FAILED_PIXELS);
    add(&mut results, try_image_snapshot_options(&sheet, "small", &options));
}

/// A program that has trained already: it says what a training does, and ends or goes on without end.
#[cfg(unix)]
fn trained(folder: &Path, script: &str) -> Program {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("trained");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    Program { path, model: Vec::new() }
}

/// Losses and accuracies as a training of so many epochs writes them.
fn log(done: u32, epochs: u32) -> String {
    let line = |epoch: u32| {
        let t = f64::from(epoch) / f64::from(epochs);
        let learnt = 1.0 - (-6.0 * t).exp() + 0.01 * (40.0 * t).sin() * (1.0 - t);
        serde_json::json!({
            "epoch": epoch, "epochs": epochs, "loss": 3.1 * (1.04 - learnt),
            "cross_entropy": 2.9 * (1.04 - learnt), "center": 0.2 * (1.04 - learnt),
            "accuracy": 0.05 + 0.94 * learnt, "validation_accuracy": 0.05 + 0.91 * learnt,
            "validation_score": 0.2 + 0.77 * learnt, "lr": 0.01 * (1.0 - t), "seconds": 1.4,
        })
    };
    let message = |epoch| {
        serde_json::json!({ "message": "epoch", "projector": "main", "log": line(epoch) })
            .to_string()
    };
    (1..=done).map(message).collect::<Vec<_>>().join("\n") + "\n"
}

/// A proposal as `fit` says it.
fn vocabulary() -> String {
    let seen = |(name, images): &(&str, usize)| SeenTag {
        name: (*name).to_owned(),
        images: *images,
        elsewhere: 0,
    };
    let class = |name: &str, tags: &[(&str, usize)]| ProposedClass {
        name: name.to_owned(),
        images: 60,
        tags: tags.iter().map(seen).collect(),
    };
    let classes = vec![
        class("apple", &[("apple", 58), ("red", 31), ("fruit", 22)]),
        class("bicycle", &[("bicycle", 60), ("wheel", 41)]),
        class("sailboat", &[("sailboat", 55), ("sea", 52)]),
    ];
    FitMessage::Proposed { classes }.to_line() + "\n"
}

#[cfg(unix)]
#[test]
fn the_training_looks_as_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let mut results = SnapshotResults::new();
    let mut harness = embedded_window(Vec::new(), [820.0, 340.0]);
    show_alone(&mut harness, "training");
    take_both(&mut harness, &mut results, "training_none");
    let job = FitJob {
        id: "/sets/id".into(),
        out: folder.path().join("birds.bundle"),
        recipe: Recipe::Paper,
        epochs: 100,
        vocabulary: None,
    };
    let mut start = |script: &str, mode, epochs: u32, state: FitState| {
        let said = folder.path().join("said.jsonl");
        std::fs::write(&said, vocabulary() + &log(epochs, 100)).unwrap();
        let script = format!("cat '{}'\n{script}", said.display());
        let app = harness.state_mut().app.as_mut().unwrap();
        app.enable_fitting(trained(folder.path(), &script));
        app.send(Command::StartFit(job.clone(), mode));
        let there = |harness: &Harness<'_, Stage>| {
            let fitting = &harness.state().app().session().fitting;
            fitting.state == state && fitting.progress.projector.len() == epochs as usize
        };
        for _ in 0..1000 {
            harness.step();
            if there(&harness) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(there(&harness), "{:?}", harness.state().app().session().fitting.state);
        settle(&mut harness);
        let name = format!("training_{state:?}").to_lowercase();
        take_both(&mut harness, &mut results, &name);
    };
    start("exit 0", FitMode::Propose, 0, FitState::Proposed);
    start("exec sleep 60", FitMode::Train, 37, FitState::Running);
}
