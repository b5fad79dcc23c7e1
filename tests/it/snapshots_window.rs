//! What the whole window looks like at its first start, and how it copes with little room.

use eframe::egui::Theme;
use egui_kittest::SnapshotResults;
use egui_kittest::kittest::Queryable as _;
use tagood_lens::panels::WindowCommand;

use super::snapshots::{scenes, take, window};
use super::stage::send;

#[test]
fn the_window_looks_as_it_did() {
    let folder = tempfile::tempdir().unwrap();
    let paths = scenes(folder.path());
    let mut results = SnapshotResults::new();
    for theme in [Theme::Dark, Theme::Light] {
        let mut harness = window(Vec::new(), theme, [900.0, 560.0]);
        take(&mut harness, &mut results, "window_empty", theme);
        send(&mut harness, WindowCommand::Palette);
        take(&mut harness, &mut results, "palette", theme);
        harness.set_size([480.0, 360.0].into());
        take(&mut harness, &mut results, "palette_480", theme);
        let mut harness = window(Vec::new(), theme, [900.0, 560.0]);
        harness.get_by_label("Window").click();
        harness.run_steps(3);
        take(&mut harness, &mut results, "menu", theme);
        let mut harness = window(paths[..6].to_vec(), theme, [1000.0, 620.0]);
        take(&mut harness, &mut results, "window", theme);
        for size in [[640.0, 420.0], [480.0, 360.0]] {
            harness.set_size(size.into());
            take(&mut harness, &mut results, &format!("window_{}", size[0]), theme);
        }
    }
}
