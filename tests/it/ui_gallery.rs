//! The gallery: orders and filters, thumbnails and table, keys, the context menu.

use std::path::{Path, PathBuf};

use eframe::egui::{Key, Modifiers, OutputCommand, pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use tagood_lens::session::Command;
use tagood_lens::session::sets::Role;
use tagood_lens::worker::ImageId;

use super::stage::{Stage, send, settle, window};
use super::ui_curves::{session, sets};

/// The window with the gallery alone, with two sets of thirty images.
fn gallery(folder: &Path) -> Harness<'static, Stage> {
    alone(sets(folder))
}

fn alone(paths: Vec<PathBuf>) -> Harness<'static, Stage> {
    let mut harness = window(paths);
    harness.set_size(vec2(1000.0, 700.0));
    harness.state_mut().app.as_mut().unwrap().show_panels(&["log".to_owned()]);
    settle(&mut harness);
    harness.run_steps(3);
    harness
}

fn choose(harness: &mut Harness<'_, Stage>, menu: &str, row: &str) {
    harness.get_by_label(menu).click();
    harness.run_steps(3);
    harness.get_by_label(row).click();
    harness.run_steps(3);
    settle(harness);
}

fn press(harness: &mut Harness<'_, Stage>, modifiers: Modifiers, key: Key) {
    harness.key_press_modifiers(modifiers, key);
    settle(harness);
    harness.run_steps(2);
}

/// What is listed, in its order: walked through with keys.
fn listed(harness: &mut Harness<'_, Stage>) -> Vec<ImageId> {
    press(harness, Modifiers::NONE, Key::Home);
    press(harness, Modifiers::SHIFT, Key::ArrowRight);
    press(harness, Modifiers::SHIFT, Key::ArrowLeft);
    let mut order = session(harness).selected.clone();
    loop {
        press(harness, Modifiers::NONE, Key::ArrowRight);
        let focus = session(harness).focus.unwrap();
        if order.last() == Some(&focus) {
            return order;
        }
        order.push(focus);
    }
}

#[test]
fn images_sort_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = gallery(folder.path());
    choose(&mut harness, "Sort by", "Score");
    let up = listed(&mut harness);
    assert_eq!(up.len(), 60);
    let score = |harness: &Harness<'_, Stage>, id: &ImageId| {
        session(harness).entry(*id).unwrap().score().unwrap_or(f32::INFINITY)
    };
    assert!(up.windows(2).all(|two| score(&harness, &two[0]) <= score(&harness, &two[1])));
    harness.get_by_label("Order: lowest first").click();
    harness.run_steps(3);
    harness.get_by_label("Order: highest first");
    press(&mut harness, Modifiers::NONE, Key::Home);
    let best = session(&harness).focus.unwrap();
    let highest = up.iter().map(|id| score(&harness, id)).filter(|score| score.is_finite());
    assert_eq!(score(&harness, &best), highest.fold(f32::MIN, f32::max));
}

#[test]
fn a_filter_counts_what_passes_and_has_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = gallery(folder.path());
    harness.get_by_label("All 60");
    harness.get_by_label("Filters").click();
    harness.run_steps(3);
    choose(&mut harness, "Set", "near  30");
    harness.get_by_label("30 of 60");
    harness.get_by_label("All 30");
    harness.get_by_label("Filters 1");
    // A tag of the set, the first by name, then scores that no image has.
    let (name, with_tag) = {
        let session = session(&harness);
        let tags = &session.info().unwrap().vocabulary.tags;
        let of_near = session.entries().iter().filter(|entry| entry.set == "near");
        let counting =
            |at: usize| of_near.clone().filter(|entry| entry.counting_tags().contains(&at)).count();
        let seen = (0..tags.len()).map(|at| (tags[at].clone(), counting(at)));
        seen.filter(|(_, count)| *count > 0).min().unwrap()
    };
    choose(&mut harness, "Tag", &format!("{name}  {with_tag}"));
    harness.get_by_label(&format!("{with_tag} of 60"));
    harness.get_by_label("Lowest score").set_value_accesskit(99.0);
    harness.run_steps(3);
    harness.get_by_label_contains("Nothing matches. None of the 60 images passes.");
    harness.get_by_label("Clear filter").click();
    harness.run_steps(3);
    harness.get_by_label("All 60");
    assert!(harness.query_by_label_contains(" of 60").is_none());
    // The text, too.
    harness.get_by_label("Filter").focus();
    harness.run_steps(2);
    harness.event(eframe::egui::Event::Text("NEAR 07".into()));
    harness.run_steps(3);
    harness.get_by_label("1 of 60");
    harness.get_by_label("Clear filter").click();
    harness.run_steps(3);
    assert!(harness.query_by_label("Clear filter").is_none());
}

#[test]
fn keys_walk_by_images_pages_and_ends_and_select_with_shift() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = gallery(folder.path());
    let ids: Vec<ImageId> = session(&harness).entries().iter().map(|entry| entry.id).collect();
    let at = |harness: &Harness<'_, Stage>| {
        ids.iter().position(|id| Some(*id) == session(harness).focus).unwrap()
    };
    press(&mut harness, Modifiers::NONE, Key::End);
    assert_eq!(at(&harness), 59);
    press(&mut harness, Modifiers::NONE, Key::PageUp);
    let page = 59 - at(&harness);
    assert!((2..59).contains(&page), "a page of {page}");
    press(&mut harness, Modifiers::NONE, Key::Home);
    press(&mut harness, Modifiers::NONE, Key::PageDown);
    assert_eq!(at(&harness), page);
    for _ in 0..3 {
        press(&mut harness, Modifiers::SHIFT, Key::ArrowRight);
    }
    assert_eq!(session(&harness).selected, ids[page..=page + 3]);
    for _ in 0..4 {
        press(&mut harness, Modifiers::SHIFT, Key::ArrowLeft);
    }
    assert_eq!(session(&harness).selected, [ids[page], ids[page - 1]]);
    // Over the gallery, down goes by a row.
    harness.hover_at(pos2(60.0, 400.0));
    harness.run_steps(2);
    press(&mut harness, Modifiers::NONE, Key::Home);
    press(&mut harness, Modifiers::SHIFT, Key::ArrowDown);
    let row = at(&harness);
    assert!(row >= 1 && session(&harness).selected == ids[..=row]);
}

#[test]
fn the_table_has_columns_that_sort_and_rows_that_select() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = gallery(folder.path());
    harness.get_by_label("Table").click();
    harness.run_steps(4);
    for head in ["Verdict", "First tag"] {
        harness.get_by_label(head);
    }
    for head in ["name", "set", "score", "nearest class", "kept tokens"] {
        harness.get_by_label(&format!("Sort by {head}"));
    }
    harness.get_by_label("Sort by name").click();
    harness.run_steps(3);
    harness.get_by_label("Sort by name").click();
    harness.run_steps(3);
    press(&mut harness, Modifiers::NONE, Key::Home);
    let first = session(&harness).focused().unwrap().name.clone();
    assert_eq!(first, "near 29.png", "names from Z to A");
    // Its middle may lie beyond the panel's edge.
    harness.get_all_by_label_contains("near 27.png, ").next().unwrap().click_accesskit();
    settle(&mut harness);
    assert_eq!(session(&harness).focused().unwrap().name, "near 27.png");
    // It comes back with the session.
    let ctx = harness.ctx.clone();
    let saved = harness.state().app().saved(&ctx);
    assert_eq!(saved.panels["gallery"]["table"], true);
    assert_eq!(saved.panels["gallery"]["reversed"], true);
}

#[test]
fn images_of_one_name_are_told_apart_and_thumbnails_have_a_size() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for set in ["id", "near"] {
        let folder = folder.path().join(set);
        std::fs::create_dir(&folder).unwrap();
        image::RgbImage::from_pixel(32, 32, image::Rgb([90, 20, 9]))
            .save(folder.join("1.png"))
            .unwrap();
        paths.push(folder);
    }
    let mut harness = alone(paths);
    let width = |harness: &Harness<'_, Stage>| {
        let tiles = harness.get_all_by_label_contains("1.png, ");
        tiles.map(|tile| tile.rect().width()).fold(0.0, f32::max)
    };
    // A narrow gallery has no room for the slider.
    harness.set_size(vec2(1900.0, 700.0));
    harness.run_steps(4);
    let before = width(&harness);
    harness.get_by_label("Thumbnail size").set_value_accesskit(56.0);
    harness.run_steps(3);
    assert!(width(&harness) < before, "{} of {before}", width(&harness));
    harness.get_by_label("Table").click();
    harness.run_steps(4);
    let sets = ["id", "near"].map(|set| harness.get_all_by_label(set).count());
    assert!(sets.iter().all(|count| *count > 0), "{sets:?}");
}

#[test]
fn an_image_has_a_menu() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = gallery(folder.path());
    let open = |harness: &mut Harness<'_, Stage>, name: &str| {
        let tiles = harness.get_all_by_label_contains(name);
        tiles.min_by(|a, b| a.rect().left().total_cmp(&b.rect().left())).unwrap().click_secondary();
        harness.run_steps(3);
    };
    open(&mut harness, "id 00.png, ");
    harness.get_by_label("Show in folder");
    harness.get_by_label("Copy verdict").click();
    harness.step();
    let copied =
        harness.output().platform_output.commands.iter().find_map(|command| match command {
            OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        });
    let copied = copied.expect("a verdict is copied");
    assert!(copied.contains("id 00.png: ") && copied.contains("tagood-cosine"), "{copied}");
    harness.run_steps(3);
    open(&mut harness, "id 01.png, ");
    harness.get_by_label("Set id").click();
    harness.run_steps(4);
    harness.get_by_label("unused").click();
    settle(&mut harness);
    assert_eq!(session(&harness).sets()[0].role, Role::Unused);
    harness.run_steps(3);
    // Of several that are selected, all go.
    let ids: Vec<ImageId> = session(&harness).entries()[..3].iter().map(|entry| entry.id).collect();
    send(&mut harness, Command::Select(ids));
    open(&mut harness, "id 01.png, ");
    harness.get_by_label_contains("Remove 3 images").click();
    settle(&mut harness);
    assert_eq!(session(&harness).entries().len(), 57);
    press(&mut harness, Modifiers::COMMAND, Key::Z);
    assert_eq!(session(&harness).entries().len(), 60);
}

/// What stands above the thumbnails may not push them over the panel's edge.
#[test]
fn every_tile_lies_within_the_panel_whatever_its_width() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = gallery(folder.path());
    for width in [700.0, 1000.0, 1400.0, 1660.0, 1900.0] {
        harness.set_size(vec2(width, 700.0));
        harness.run_steps(4);
        // The gallery has less than a sixth of the window.
        let edge = width * 0.16;
        let tiles = harness.get_all_by_label_contains(".png, ");
        let right = tiles.map(|tile| tile.rect().right()).fold(0.0, f32::max);
        assert!(right > 0.0 && right <= edge, "{right} of {edge} in {width}");
        if let Some(size) = harness.query_by_label("Thumbnail size") {
            assert!(size.rect().right() <= edge, "{} of {edge}", size.rect());
        }
    }
}
