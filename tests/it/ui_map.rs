//! The map of features in the window, driven through its accessibility tree, and results as files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use eframe::egui::accesskit::Toggled;
use eframe::egui::{Key, Modifiers, Rect, Vec2, pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use tagood_lens::panels::{Exported, UserCommand};
use tagood_lens::session::Command;
use tagood_lens::session::Session;
use tagood_lens::session::embedding::{EmbedCommand, EmbedConfig, Phase};
use tagood_lens::worker::{EmbeddingFrame, ImageId};

use super::stage::{Stage, send, settle, window};

const ID: u32 = 6;
const NEAR: u32 = 4;

fn picture(path: &Path, number: u32) {
    let paint = |x: u32, y: u32| {
        let cell = 8 + (number % 7) * 3;
        let blob = (x / cell + y / (cell + 3) + number).is_multiple_of(3);
        let tint = (40 * (number % 6)) as u8;
        image::Rgb([if blob { 230 } else { tint }, (x * 2) as u8, 255 - tint])
    };
    image::RgbImage::from_fn(64, 64, paint).save(path).unwrap();
}

/// A window with the map in front, of two folders of pictures.
fn mapped(folder: &Path) -> Harness<'static, Stage> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for (set, count, shift) in [("id", ID, 0), ("near", NEAR, 20)] {
        let inside = folder.join(set);
        fs::create_dir_all(&inside).unwrap();
        (0..count).for_each(|n| picture(&inside.join(format!("{set} {n}.png")), n + shift));
        folders.push(inside);
    }
    let mut harness = window(folders);
    // At τ = 0 every image keeps tokens.
    send(&mut harness, Command::SetTau(0.0));
    harness.state_mut().app.as_mut().unwrap().show_panel("tsne");
    settle(&mut harness);
    harness
}

fn session<'a>(harness: &'a Harness<'_, Stage>) -> &'a Session {
    harness.state().app().session()
}

fn frame(harness: &Harness<'_, Stage>) -> EmbeddingFrame {
    session(harness).embedding.frame.clone().unwrap()
}

/// Runs frames until something holds.
fn until(harness: &mut Harness<'_, Stage>, what: &str, holds: impl Fn(&Session) -> bool) {
    let started = Instant::now();
    while !holds(session(harness)) {
        assert!(started.elapsed() < Duration::from_secs(60), "still not: {what}");
        harness.step();
        std::thread::sleep(Duration::from_millis(2));
    }
    harness.run_steps(2);
}

fn endless(harness: &mut Harness<'_, Stage>) {
    let config = EmbedConfig { iterations: 1_000_000, ..EmbedConfig::default() };
    let app = harness.state_mut().app.as_mut().unwrap();
    app.send(Command::Embed(EmbedCommand::Configure(config)));
    harness.run_steps(2);
    harness.get_by_label("Restart").click();
    until(harness, "moving", |model| {
        let moved = |frame: &EmbeddingFrame| frame.iteration > 0;
        model.embedding.phase == Phase::Moving && model.embedding.frame.as_ref().is_some_and(moved)
    });
}

#[test]
fn a_map_begins_by_itself_moves_rests_and_begins_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = mapped(folder.path());
    assert_eq!(session(&harness).embedding.phase, Phase::Done);
    let done = frame(&harness);
    let classes = session(&harness).info().unwrap().head.as_ref().unwrap().classes();
    let images = (ID + NEAR) as usize;
    assert_eq!(done.positions[0].len(), images);
    assert_eq!(done.positions[1].len(), images + classes);
    harness.get_by_label_contains("Done: 1000 of 1000 iterations");
    let centers = format!("{classes} class centers");
    harness.get_by_label_contains(&format!(
        "map of {images} images, {NEAR} out-of-distribution, {centers}"
    ));

    endless(&mut harness);
    let before = frame(&harness);
    until(&mut harness, "moved", |model| {
        model.embedding.frame.as_ref().is_some_and(|now| now.iteration > before.iteration)
    });
    assert_ne!(frame(&harness).positions, before.positions);
    harness.get_by_label("Pause").click();
    until(&mut harness, "resting", |model| model.embedding.frame.as_ref().is_some_and(|f| f.rests));
    let rest = frame(&harness);
    std::thread::sleep(Duration::from_millis(60));
    harness.run_steps(5);
    assert_eq!(frame(&harness).iteration, rest.iteration);
    harness.get_by_label_contains("Paused: ");
    harness.get_by_label("Resume").click();
    until(&mut harness, "moving on", |model| {
        model.embedding.frame.as_ref().is_some_and(|now| now.iteration > rest.iteration)
    });
    harness.get_by_label("Stop").click();
    until(&mut harness, "stopped", |model| model.embedding.frame.as_ref().is_some_and(|f| f.rests));
    assert_eq!(session(&harness).embedding.phase, Phase::Stopped);
    harness.get_by_label_contains("Stopped: ");
}

#[test]
fn equal_seeds_give_equal_maps_and_tau_makes_them_old() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = mapped(folder.path());
    let first = frame(&harness);
    harness.get_by_label("Restart").click();
    harness.run_steps(2);
    settle(&mut harness);
    assert_eq!(frame(&harness).positions, first.positions);
    send(&mut harness, Command::SetTau(0.1));
    harness.get_by_label_contains("The map is of τ = 0.00");
    harness.get_by_label("Update").click();
    harness.run_steps(2);
    settle(&mut harness);
    assert_eq!(session(&harness).embedding.settings().unwrap().0, 0.1);
    assert!(harness.query_by_label_contains("The map is of").is_none());
}

/// Draws around an area of a plot.
pub fn lasso(harness: &mut Harness<'_, Stage>, area: Rect, modifiers: Modifiers) {
    let corners = [
        area.left_top(),
        area.right_top(),
        area.right_bottom(),
        area.left_bottom(),
        area.left_top(),
    ];
    harness.hover_at(corners[0]);
    harness.step();
    let press = |pressed| eframe::egui::Event::PointerButton {
        pos: if pressed { corners[0] } else { corners[4] + vec2(1.0, 2.0) },
        button: eframe::egui::PointerButton::Primary,
        pressed,
        modifiers,
    };
    harness.event_modifiers(press(true), modifiers);
    harness.step();
    for pair in corners.windows(2) {
        for part in 1..=6 {
            let at = pair[0] + (pair[1] - pair[0]) * (part as f32 / 6.0);
            harness.event_modifiers(eframe::egui::Event::PointerMoved(at), modifiers);
            harness.step();
        }
    }
    harness.event_modifiers(press(false), modifiers);
    harness.run_steps(4);
}

pub fn selected(harness: &Harness<'_, Stage>) -> Vec<ImageId> {
    let mut selected = session(harness).selected.clone();
    selected.sort_unstable();
    selected
}

/// The images that the gallery, on the left, shows as selected; other panels list images, too.
pub fn selected_tiles(harness: &Harness<'_, Stage>, right: f32) -> usize {
    let tiles = harness.get_all_by_label_contains(".png, ");
    let tiles = tiles.filter(|tile| tile.rect().right() < right);
    tiles.filter(|tile| tile.accesskit_node().toggled() == Some(Toggled::True)).count()
}

#[test]
fn a_lasso_selects_for_the_gallery_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = mapped(folder.path());
    let plot = harness.get_by_label_contains("Before projection: map of").rect();
    let all = (ID + NEAR) as usize;
    lasso(&mut harness, plot.shrink(3.0), Modifiers::NONE);
    assert_eq!(selected(&harness).len(), all);
    let half = |left: bool| {
        let size = vec2(plot.width() / 2.0, plot.height()) - Vec2::splat(4.0);
        let x = if left { plot.left() + 2.0 } else { plot.center().x };
        Rect::from_min_size(pos2(x, plot.top() + 2.0), size)
    };
    lasso(&mut harness, half(true), Modifiers::NONE);
    let left = selected(&harness);
    assert!(!left.is_empty() && left.len() < all, "{} of {all}", left.len());
    assert_eq!(selected_tiles(&harness, plot.left()), left.len());
    harness.get_by_label_contains(&format!(
        "map of {all} images, {NEAR} out-of-distribution, {} selected",
        left.len()
    ));
    lasso(&mut harness, half(false), Modifiers::SHIFT);
    assert_eq!(selected(&harness).len(), all);
    // The legend selects as well.
    harness.get_by_label(&format!("Select Out-of-distribution, {NEAR} images")).click();
    harness.run_steps(3);
    let truth = |id: &ImageId| session(&harness).entry(*id).unwrap().set == "near";
    assert!(selected(&harness).len() == NEAR as usize && selected(&harness).iter().all(truth));
}

#[test]
fn colors_mean_what_is_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = mapped(folder.path());
    for (meaning, key) in [
        ("Verdict", "Select ID "),
        ("Set", "Select near, 4 images"),
        ("Score", "Score"),
        ("Class", "Select Out-of-distribution"),
    ] {
        harness.get_by_label("Color by").click();
        harness.run_steps(3);
        // A panel may be called the same; what is chosen from hangs below the box.
        let chooser = harness.get_by_label("Color by").rect().center();
        let far = |node: &egui_kittest::Node<'_>| node.rect().center().distance(chooser);
        let nodes = harness.get_all_by_label(meaning);
        nodes.min_by(|a, b| far(a).total_cmp(&far(b))).unwrap().click();
        harness.run_steps(3);
        assert!(harness.query_all_by_label_contains(key).next().is_some(), "{meaning}");
    }
    harness.key_press_modifiers(Modifiers::COMMAND, Key::T);
    harness.run_steps(3);
}

#[test]
fn images_that_come_later_are_placed_and_move_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = mapped(folder.path());
    let before = frame(&harness);
    let file = folder.path().join("id/new.png");
    picture(&file, 3);
    send(&mut harness, Command::OpenPaths(vec![file]));
    let after = frame(&harness);
    assert_eq!(after.placed, 1);
    assert_eq!(after.positions[0][..before.positions[0].len()], before.positions[0][..]);
    // The same picture lies where its twin does.
    let (new, twin) = (after.positions[0].last().unwrap(), after.positions[0][3]);
    let far = |a: [f32; 2], b: [f32; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    let nearest = (0..before.positions[0].len()).min_by(|&a, &b| {
        far(after.positions[0][a], *new).total_cmp(&far(after.positions[0][b], *new))
    });
    assert_eq!(after.positions[0][nearest.unwrap()], twin);
    harness.get_by_label("1 placed later");
    let images = ID + NEAR + 1;
    harness.get_by_label_contains(&format!("Before projection: map of {images} images"));
    // Images that are removed are gone from the map, too.
    let gone = session(&harness).entries()[0].id;
    send(&mut harness, Command::Remove(vec![gone]));
    harness.run_steps(2);
    let images = images - 1;
    harness.get_by_label_contains(&format!("Before projection: map of {images} images"));
}

#[test]
#[ignore = "needs TAGOOD_PYTHON"]
fn pyarrow_reads_an_exported_table() {
    let python = super::named_by("TAGOOD_PYTHON", "a Python with pyarrow");
    let folder = tempfile::tempdir().unwrap();
    let (mut harness, table) = (mapped(folder.path()), folder.path().join("all.parquet"));
    send(&mut harness, UserCommand::Export(Exported::All, table.clone()));
    let rows = session(&harness).entries().len();
    let script = "import sys, pyarrow.parquet as pq\n\
                  t = pq.read_table(sys.argv[1])\n\
                  print(t.schema, file=sys.stderr)\n\
                  rows = t.to_pylist()\n\
                  assert all(0 <= tag['probability'] <= 1 for row in rows for tag in row['tags'])\n\
                  assert any(row['tags'] for row in rows) and rows[0]['path'].endswith('.png')\n\
                  print(len(rows))";
    let out = std::process::Command::new(python).args(["-c", script]).arg(table).output().unwrap();
    let (said, wrong) =
        (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert_eq!(said.trim(), rows.to_string(), "{wrong}");
}

#[test]
fn results_become_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = mapped(folder.path());
    let at = |name: &str| folder.path().join(name);
    let two: Vec<ImageId> = session(&harness).entries()[..2].iter().map(|entry| entry.id).collect();
    send(&mut harness, Command::Select(two));
    let files = [
        (Exported::Selected, "selected.csv"),
        (Exported::All, "all.json"),
        (Exported::All, "all.parquet"),
        (Exported::Map, "map.svg"),
        (Exported::Map, "map.png"),
        (Exported::Roc, "roc.svg"),
        (Exported::Roc, "roc.png"),
        (Exported::Histogram, "scores.svg"),
        (Exported::Histogram, "scores.png"),
    ];
    for (what, name) in files {
        send(&mut harness, UserCommand::Export(what, at(name)));
        assert!(session(&harness).notices().is_empty(), "{:?}", session(&harness).notices());
    }
    let mut csv = csv::Reader::from_path(at("selected.csv")).unwrap();
    assert_eq!(csv.records().map(Result::unwrap).count(), 2);
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(at("all.json")).unwrap()).unwrap();
    let (model, rows) = (session(&harness), json.as_array().unwrap());
    assert_eq!(rows.len(), model.entries().len());
    for (entry, row) in model.entries().iter().zip(rows) {
        let analysis = entry.analysis.as_ref().unwrap();
        assert_eq!(row["set"], entry.set.as_str());
        assert_eq!(row["score"].as_f64().map(|score| score as f32), analysis.verdict.score);
        assert_eq!(row["detector"], model.settings().detector);
        assert_eq!(row["kept_tokens"], analysis.decomposition.kept());
    }
    let parquet = fs::File::open(at("all.parquet")).unwrap();
    let parquet = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(parquet);
    let batches = parquet.unwrap().build().unwrap().map(Result::unwrap);
    assert_eq!(batches.map(|batch| batch.num_rows()).sum::<usize>(), rows.len());
    for name in ["map", "roc", "scores"] {
        let svg = fs::read_to_string(at(&format!("{name}.svg"))).unwrap();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{name}");
        let png = image::open(at(&format!("{name}.png"))).unwrap().to_rgb8();
        let ink = png.pixels().filter(|pixel| pixel.0 != [255; 3]).count();
        assert!(ink > 2000, "{name}.png has {ink} pixels of ink");
    }
    send(&mut harness, UserCommand::Export(Exported::All, at("missing/table.csv")));
    let notice = harness.state().app().session().notices().last().unwrap().text.clone();
    assert!(notice.contains("cannot write") && notice.ends_with("missing/table.csv"), "{notice}");
}
