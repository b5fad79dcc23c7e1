//! What each panel looks like, in both themes, on the software adapter. tests/snapshots/README.md says
//! how the pictures are made anew after a change that is meant.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use eframe::egui::{self, Rect, Theme};
use eframe::egui_wgpu::RendererOptions;
use egui_kittest::kittest::Queryable as _;
use egui_kittest::wgpu::{WgpuTestRenderer, create_render_state, default_wgpu_setup};
use egui_kittest::{Harness, SnapshotOptions, SnapshotResult, SnapshotResults};
use egui_tiles::{Tiles, Tree};
use tagood_lens::app::Options;
use tagood_lens::app::layout::PanelLayout;
use tagood_lens::bundle::manifest::Recipe;
use tagood_lens::demo::{Set, scene_at};
use tagood_lens::panels::WindowCommand;
use tagood_lens::render;
use tagood_lens::session::Command;
use tagood_lens::session::compare::CompareMode;

use super::stage::{Stage, draw, options, send, settle};

/// Pixels that processors may draw otherwise: fewer than any line or letter has.
pub const FAILED_PIXELS: usize = 10;

/// Six scenes, of known objects and of others, and a file that is none.
pub fn scenes(folder: &Path) -> Vec<PathBuf> {
    let sets = [Set::Id, Set::Id, Set::Id, Set::Near, Set::Near, Set::Texture];
    // Its name is shown.
    let folder = folder.join("scenes");
    std::fs::create_dir(&folder).unwrap();
    let mut paths = Vec::new();
    for (index, set) in sets.into_iter().enumerate() {
        let scene = scene_at(set, 3, index as u64, 160);
        let side = scene.size as u32;
        let path = folder.join(format!("{index} {}.png", scene.kind));
        image::RgbImage::from_raw(side, side, scene.image).unwrap().save(&path).unwrap();
        paths.push(path);
    }
    let broken = folder.join("broken.png");
    std::fs::write(&broken, b"this is no picture").unwrap();
    paths.push(broken);
    paths
}

pub fn window(paths: Vec<PathBuf>, theme: Theme, size: [f32; 2]) -> Harness<'static, Stage> {
    let mut options = options(paths);
    options.theme = Some(theme);
    window_of(options, size)
}

/// A window that is drawn, with everything there that was asked for.
pub fn window_of(options: Options, size: [f32; 2]) -> Harness<'static, Stage> {
    let state = create_render_state(default_wgpu_setup(), RendererOptions::PREDICTABLE);
    let adapter = state.adapter.get_info();
    DRIVER.get_or_init(|| format!("{}, {} {}", adapter.name, adapter.driver, adapter.driver_info));
    render::install(&state).unwrap();
    let stage = Stage { options: Some(options), app: None };
    let renderer = WgpuTestRenderer::from_render_state(state);
    let mut harness =
        Harness::builder().with_size(size).renderer(renderer).build_ui_state(draw, stage);
    settle(&mut harness);
    // A cursor is there at one moment and not at another.
    harness.ctx.all_styles_mut(|style| style.visuals.text_cursor.blink = false);
    harness
}

/// Leaves one panel alone in the window.
pub fn show_alone(harness: &mut Harness<'_, Stage>, name: &str) {
    let ctx = harness.ctx.clone();
    let app = harness.state_mut().app.as_mut().unwrap();
    let mut tiles = Tiles::default();
    let pane = tiles.insert_pane(name.to_owned());
    let root = tiles.insert_tab_tile(vec![pane]);
    let layout: PanelLayout = Tree::new(egui::Id::unique("layout"), root, tiles);
    let mut saved = app.saved(&ctx);
    saved.layout = layout;
    app.restore(&ctx, saved);
    settle(harness);
}

/// Covers what is never twice the same: measured times, a temporary folder's name.
pub fn mask_what_varies(harness: &mut Harness<'_, Stage>) {
    let rects: Vec<Rect> = ["Seen once", "At each τ"]
        .into_iter()
        .filter_map(|label| harness.query_by_label(label).map(|node| node.rect()))
        .collect();
    for rect in rects {
        let right = egui::pos2(rect.right() + 400.0, rect.bottom());
        harness.mask(Rect::from_min_max(rect.right_top(), right));
    }
    for label in ["Folder of the new model", "Folder of class folders"] {
        let folder = harness.query_by_label(label).map(|node| node.rect());
        folder.into_iter().for_each(|rect| harness.mask(rect));
    }
}

pub fn take(
    harness: &mut Harness<'_, Stage>,
    results: &mut SnapshotResults,
    name: &str,
    theme: Theme,
) {
    harness.remove_cursor();
    settle(harness);
    mask_what_varies(harness);
    let theme = if theme == Theme::Dark { "dark" } else { "light" };
    let options = SnapshotOptions::new().max_failed_pixels(FAILED_PIXELS);
    add(results, harness.try_snapshot_options(format!("{name}_{theme}"), &options));
}

/// Takes note of a comparison; says which driver drew if it is the first that failed.
pub fn add(results: &mut SnapshotResults, result: SnapshotResult) {
    if result.is_err() && !results.has_errors() {
        let driver = DRIVER.get().map_or("an unknown driver", String::as_str);
        eprintln!("{MADE_BY} This run drew with {driver}. {ADVICE}");
    }
    results.add(result);
}

/// With what the pictures in tests/snapshots were drawn.
const MADE_BY: &str = "Snapshots were drawn with llvmpipe of Mesa 22.3.6 (LLVM 15.0.6).";
const ADVICE: &str = "If the drivers differ, edges may differ by a few grey levels: see \
    tests/snapshots/README.md.";

/// What draws here.
static DRIVER: OnceLock<String> = OnceLock::new();

#[test]
fn panels_look_as_they_did() {
    let folder = tempfile::tempdir().unwrap();
    let paths = scenes(folder.path());
    let mut results = SnapshotResults::new();
    for theme in [Theme::Dark, Theme::Light] {
        let mut harness = window(paths.clone(), theme, [600.0, 560.0]);
        for name in ["gallery", "tags"] {
            show_alone(&mut harness, name);
            take(&mut harness, &mut results, name, theme);
        }
        show_alone(&mut harness, "verdict");
        take(&mut harness, &mut results, "verdict", theme);
        send(&mut harness, Command::SetRecipe(Recipe::Released));
        take(&mut harness, &mut results, "verdict_released", theme);
        send(&mut harness, Command::SetRecipe(Recipe::Paper));

        // Without the broken file, whose message names a folder that is never the same.
        let mut harness = window(paths[..2].to_vec(), theme, [600.0, 260.0]);
        show_alone(&mut harness, "log");
        send(&mut harness, Command::SetDetector("mds".into()));
        take(&mut harness, &mut results, "log", theme);

        let mut harness = window(paths.clone(), theme, [820.0, 560.0]);
        show_alone(&mut harness, "image");
        take(&mut harness, &mut results, "image", theme);
        send(&mut harness, Command::ShowBeside(CompareMode::Tau));
        take(&mut harness, &mut results, "image_two_taus", theme);
        let ids: Vec<_> = harness.state().app().session().entries().iter().map(|e| e.id).collect();
        send(&mut harness, Command::ShowBeside(CompareMode::Image));
        send(&mut harness, Command::Select(vec![ids[3], ids[0]]));
        take(&mut harness, &mut results, "image_two_images", theme);
        send(&mut harness, Command::ShowBeside(CompareMode::Nothing));
        show_alone(&mut harness, "explain");
        for step in 1..=10 {
            harness.state_mut().app.as_mut().unwrap().preset(1, step, None);
            settle(&mut harness);
            if [2, 3, 4, 5, 6, 10].contains(&step) {
                take(&mut harness, &mut results, &format!("explain_{step}"), theme);
            }
        }
        send(&mut harness, WindowCommand::Shortcuts);
        take(&mut harness, &mut results, "keys", theme);
    }
}
