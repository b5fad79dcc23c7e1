//! Every panel at every size, down to none: windows are tiled, and people drag their borders.

use eframe::egui::{Id, Vec2, vec2};
use egui_kittest::Harness;
use egui_tiles::{Tiles, Tree};
use tagood_lens::app::layout::{self, PanelLayout};
use tagood_lens::panels::PANELS;
use tagood_lens::session::Command;
use tagood_lens::session::sets::Role;

use super::stage::{Stage, pictures, send, set_role, settle, window};

const SIZES: [Vec2; 12] = [
    vec2(1400.0, 900.0),
    vec2(640.0, 30.0),
    vec2(30.0, 640.0),
    vec2(300.0, 200.0),
    vec2(200.0, 120.0),
    vec2(120.0, 200.0),
    vec2(100.0, 100.0),
    vec2(100.0, 60.0),
    vec2(60.0, 40.0),
    vec2(33.0, 17.0),
    vec2(8.0, 8.0),
    vec2(1.0, 1.0),
];

/// Frames at a size: a panel may answer in the next one to what it found in the first.
const FRAMES: usize = 3;

fn show_layout(harness: &mut Harness<'_, Stage>, layout: PanelLayout) {
    let ctx = harness.ctx.clone();
    let app = harness.state_mut().app.as_mut().unwrap();
    let mut saved = app.saved(&ctx);
    saved.layout = layout;
    app.restore(&ctx, saved);
    settle(harness);
}

fn alone(name: &str) -> PanelLayout {
    let mut tiles = Tiles::default();
    let pane = tiles.insert_pane(name.to_owned());
    let root = tiles.insert_tab_tile(vec![pane]);
    Tree::new(Id::unique("layout"), root, tiles)
}

fn draw_at_every_size(harness: &mut Harness<'_, Stage>) {
    for size in SIZES {
        harness.set_size(size).run_steps(FRAMES);
    }
    harness.set_size(SIZES[0]).run_steps(FRAMES);
}

#[test]
fn panels_bear_every_size() {
    let folder = tempfile::tempdir().unwrap();
    let mut folders = Vec::new();
    for set in ["id", "near"] {
        let folder = folder.path().join(set);
        std::fs::create_dir_all(&folder).unwrap();
        pictures(&folder);
        folders.push(folder);
    }
    let names: Vec<&str> = PANELS.iter().map(|panel| panel.name).collect();
    assert!(names.len() > 10, "{names:?}");
    let (empty, full) = (window(Vec::new()), window(folders));
    for (mut harness, is_full) in [(empty, false), (full, true)] {
        if is_full {
            for (set, role) in [("id", Role::Id), ("near", Role::Ood)] {
                set_role(&mut harness, set, role);
            }
            send(&mut harness, Command::Pin);
            send(&mut harness, Command::SetTau(0.35));
        }
        draw_at_every_size(&mut harness);
        for name in &names {
            show_layout(&mut harness, alone(name));
            draw_at_every_size(&mut harness);
        }
        show_layout(&mut harness, layout::initial());
        for lambda in [f32::MIN, f32::NEG_INFINITY, f32::INFINITY, f32::NAN, 1e30] {
            send(&mut harness, Command::SetLambda(Some(lambda)));
            for name in ["scores", "roc", "compare", "verdict"] {
                harness.state_mut().app.as_mut().unwrap().show_panel(name);
                harness.run_steps(FRAMES);
            }
        }
    }
}
