//! The window's behaviour: what it shows is what the library computes.

use std::path::{Path, PathBuf};

use eframe::egui::{Key, Modifiers, vec2};
use egui_kittest::kittest::Queryable as _;
use egui_kittest::{Harness, Node};
use tagood_lens::app::saved::SavedSession;
use tagood_lens::bundle::manifest::Recipe;
use tagood_lens::image::{DecodeOptions, decode_file};
use tagood_lens::panels::{Exported, UserCommand, WindowCommand};
use tagood_lens::pipeline::{Analysis, Keep, Settings};
use tagood_lens::score::verdict::Rejection;
use tagood_lens::session::{Command, Severity};

use super::stage::{Stage, drop_file, fixture, pictures, pipeline, send, settle, window};

/// What the library says of a picture.
fn expected(path: &Path, settings: &Settings) -> Analysis {
    let pipeline = pipeline();
    let rgb = decode_file(path, &DecodeOptions::default()).unwrap().rgb;
    let tagged = pipeline.tag(&[pipeline.prepare(&rgb)], Keep::Id).unwrap().remove(0);
    pipeline.analyse(&tagged, settings).unwrap()
}

fn assert_shows(harness: &Harness<'_, Stage>, path: &Path) {
    let session = harness.state().app().session();
    let entry = session.focused().unwrap();
    assert_eq!(entry.name, path.file_name().unwrap().to_str().unwrap());
    let (analysis, expected) =
        (entry.analysis.as_ref().unwrap(), expected(path, session.settings()));
    assert_eq!(analysis.decomposition.mask, expected.decomposition.mask);
    assert_eq!(analysis.decomposition.tags, expected.decomposition.tags);
    assert_eq!(analysis.verdict.outcome, expected.verdict.outcome);
    let close = |a: Option<f32>, b: Option<f32>| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-4,
        (a, b) => a == b,
    };
    assert!(close(analysis.verdict.score, expected.verdict.score), "{analysis:?}\n{expected:?}");
    let kept = expected.decomposition.kept();
    let all = expected.decomposition.mask.len();
    harness.get_by_label(&format!("{kept} of {all} tokens kept"));
}

#[test]
fn verdicts_are_the_librarys() {
    let folder = tempfile::tempdir().unwrap();
    let paths = pictures(folder.path());
    let mut harness = window(paths.clone());
    assert_eq!(harness.state().app().session().entries().len(), 5);
    assert_shows(&harness, &paths[0]);
    // Other panels list images, too; the gallery is on the left.
    let tile = |harness: &Harness<'_, Stage>, act: fn(&Node<'_>)| {
        let tiles = harness.get_all_by_label_contains("picture 2.png, ");
        act(&tiles.min_by(|a, b| a.rect().left().total_cmp(&b.rect().left())).unwrap());
    };
    tile(&harness, |node| node.scroll_to_me());
    harness.run_steps(3);
    tile(&harness, |node| node.click());
    settle(&mut harness);
    assert_shows(&harness, &paths[2]);
    for tau in [0.2, 0.8, 1.0] {
        send(&mut harness, Command::SetTau(tau));
        assert_shows(&harness, &paths[2]);
    }
    send(&mut harness, Command::SetRecipe(Recipe::Released));
    assert_shows(&harness, &paths[2]);
}

#[test]
fn files_are_dropped_and_tau_is_dragged() {
    let folder = tempfile::tempdir().unwrap();
    let paths = pictures(folder.path());
    let mut harness = window(Vec::new());
    paths.iter().for_each(|path| drop_file(&mut harness, path.clone()));
    harness.step();
    settle(&mut harness);
    assert_eq!(harness.state().app().session().entries().len(), paths.len());
    assert_shows(&harness, &paths[0]);
    let slider = harness.get_by_label("Tau").rect();
    harness.drag_at(slider.center());
    harness.step();
    let mut before = harness.state().app().session().settings().tau;
    for share in [0.6, 0.7, 0.8] {
        harness.hover_at(slider.left_center() + vec2(slider.width() * share, 0.0));
        // Pressed and moved in one frame, applied in the next.
        harness.run_steps(2);
        let tau = harness.state().app().session().settings().tau;
        assert!(tau > before, "{before} to {tau}");
        before = tau;
    }
    harness.drop_at(slider.left_center() + vec2(slider.width() * 0.8, 0.0));
    settle(&mut harness);
    assert_shows(&harness, &paths[0]);
}

#[test]
fn a_bad_file_shows_its_error_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(pictures(folder.path()));
    harness.get_by_label_contains("broken.png, cannot open").click();
    settle(&mut harness);
    harness.get_by_label_contains("This image cannot be shown");
    let session = harness.state().app().session();
    assert_eq!(session.entries().iter().filter(|entry| entry.analysis.is_some()).count(), 4);
    assert!(session.jobs().is_empty());
}

#[test]
fn a_tag_shows_its_map() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(pictures(folder.path()));
    let entry = harness.state().app().session().focused().unwrap();
    let probabilities = entry.tagged.as_ref().unwrap().probabilities();
    let likelier = |a: &&usize, b: &&usize| probabilities[**a].total_cmp(&probabilities[**b]);
    let &tag = entry.analysis.as_ref().unwrap().decomposition.tags.iter().max_by(likelier).unwrap();
    harness.get_all_by_label_contains(&format!("Tag tag {tag}, ")).next().unwrap().click();
    settle(&mut harness);
    let session = harness.state().app().session();
    assert_eq!(session.map.tags, [tag]);
    let (entry, info) = (session.focused().unwrap(), session.info().unwrap());
    let map = entry.map(&session.map, info, session.settings()).unwrap();
    let tagged = entry.tagged.as_ref().unwrap();
    let expected = tagged.attention.relevance(tag, info.layer(session.settings())).unwrap();
    assert_eq!(map, expected);
}

#[test]
fn one_image_at_two_thresholds() {
    let folder = tempfile::tempdir().unwrap();
    let paths = pictures(folder.path());
    let mut harness = window(paths.clone());
    harness.key_press(Key::V);
    settle(&mut harness);
    for tau in [0.9, 0.1] {
        send(&mut harness, Command::SetTauBeside(tau));
        let session = harness.state().app().session();
        let settings = Settings { tau, ..session.settings().clone() };
        let expected = expected(&paths[0], &settings);
        let analysis = session.analysis_beside().unwrap();
        assert_eq!(analysis.decomposition.mask, expected.decomposition.mask);
        assert_eq!(analysis.verdict.outcome, expected.verdict.outcome);
        let (kept, all) = (expected.decomposition.kept(), analysis.decomposition.mask.len());
        harness.get_by_label_contains(&format!("{kept} of {all} tokens kept   τ = {tau:.2}"));
        assert_shows(&harness, &paths[0]);
    }
    harness.key_press(Key::CloseCurlyBracket);
    settle(&mut harness);
    assert!((harness.state().app().session().comparison.tau - 0.11).abs() < 1e-6);
    harness.key_press(Key::V);
    settle(&mut harness);
    assert!(harness.query_by_label("Image B: picture 0.png").is_none());
}

#[test]
fn two_images_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(pictures(folder.path()));
    harness.key_press(Key::C);
    settle(&mut harness);
    harness.get_by_label_contains("Select a second image");
    let ids: Vec<_> = harness.state().app().session().entries().iter().map(|e| e.id).collect();
    send(&mut harness, Command::Select(vec![ids[2], ids[1]]));
    harness.get_by_label("Image A: picture 1.png");
    harness.get_by_label("Image B: picture 2.png");
    // A tag's map is fetched for both.
    let tag = (0..).find(|tag| {
        let entry = harness.state().app().session().entry(ids[2]).unwrap();
        entry.tagged.as_ref().unwrap().attention.tags.binary_search(tag).is_err()
    });
    send(&mut harness, Command::ShowTags(tag.into_iter().collect()));
    let session = harness.state().app().session();
    for id in [ids[1], ids[2]] {
        assert!(session.entry(id).unwrap().attention(tag.unwrap(), 0).is_some());
    }
}

#[test]
fn the_released_recipe_shows_its_patterns() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(pictures(folder.path()));
    assert!(harness.query_by_label_contains("Patterns against").is_none());
    send(&mut harness, Command::SetRecipe(Recipe::Released));
    let analysis = harness.state().app().session().focused().unwrap().analysis.clone().unwrap();
    let mean = analysis.patterns.iter().sum::<f32>() / analysis.patterns.len() as f32;
    assert!((mean - analysis.nearest[0].similarity).abs() < 1e-5);
    harness.get_by_label_contains("Patterns against");
}

#[test]
fn keys_move_tau_and_undo_brings_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(pictures(folder.path()));
    let before = harness.state().app().session().settings().tau;
    // An undo step is made when the settings have been still for a while.
    harness.run_steps(90);
    for _ in 0..3 {
        harness.key_press(Key::CloseBracket);
        harness.step();
    }
    settle(&mut harness);
    let moved = harness.state().app().session().settings().tau;
    assert!((moved - before - 0.03).abs() < 1e-5, "{before} to {moved}");
    harness.run_steps(90);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    settle(&mut harness);
    assert_eq!(harness.state().app().session().settings().tau, before);
    harness.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    settle(&mut harness);
    assert_eq!(harness.state().app().session().settings().tau, moved);
}

#[test]
fn a_session_goes_round() {
    let folder = tempfile::tempdir().unwrap();
    let paths = pictures(folder.path());
    let mut harness = window(paths.clone());
    send(&mut harness, Command::SetTau(0.25));
    send(&mut harness, Command::SetLambda(Some(0.75)));
    let second = harness.state().app().session().entries()[1].id;
    send(&mut harness, Command::Select(vec![second]));
    let saved = harness.state().app().saved(&harness.ctx);
    let file = folder.path().join("deep/session.json");
    saved.write(&file).unwrap();
    let read = SavedSession::read(&file).unwrap();
    assert_eq!(read, saved);
    let mut other = window(Vec::new());
    let ctx = other.ctx.clone();
    other.state_mut().app.as_mut().unwrap().restore(&ctx, read);
    settle(&mut other);
    assert_eq!(other.state().app().saved(&ctx), saved);
    assert_shows(&other, &paths[1]);
    std::fs::write(&file, "{}").unwrap();
    assert!(SavedSession::read(&file).is_err());
}

#[test]
fn the_palette_finds_and_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(pictures(folder.path()));
    harness.key_press_modifiers(Modifiers::COMMAND, Key::P);
    harness.run_steps(3);
    harness.event(eframe::egui::Event::Text("hide the map".into()));
    harness.run_steps(3);
    harness.key_press(Key::Enter);
    harness.run_steps(3);
    assert!(!harness.state().app().session().map.visible);
    assert!(harness.query_by_label("Command").is_none(), "the palette is gone");
}

/// A search without a match says so; the palette stays as large as it was, and the next search finds.
#[test]
fn the_palette_says_when_nothing_matches_and_recovers() {
    let mut harness = window(Vec::new());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::P);
    harness.run_steps(3);
    let mut heights = Vec::new();
    for _ in 0..2 {
        harness.event(eframe::egui::Event::Text("qqqzzz".into()));
        harness.run_steps(3);
        heights.push(harness.get_by_label_contains("Nothing found. No command").rect().height());
        harness.key_press(Key::Enter);
        harness.run_steps(3);
        harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
        harness.event(eframe::egui::Event::Text("hide the map".into()));
        harness.run_steps(3);
        let row = harness.get_by_label_contains("Show or hide the map").rect();
        assert!(row.height() > 20.0, "{row}");
        harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
        harness.run_steps(2);
    }
    assert!(heights[0] > 150.0 && heights[0] == heights[1], "{heights:?}");
    harness.event(eframe::egui::Event::Text("hide the map".into()));
    harness.run_steps(3);
    harness.key_press(Key::Enter);
    harness.run_steps(3);
    assert!(!harness.state().app().session().map.visible);
}

/// `C` puts the image selected before beside the one on show.
#[test]
fn two_images_are_compared_with_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(pictures(folder.path()));
    harness.key_press(Key::ArrowRight);
    settle(&mut harness);
    harness.key_press(Key::C);
    settle(&mut harness);
    let session = harness.state().app().session();
    assert_eq!(session.selected.len(), 1);
    assert_eq!(session.beside().unwrap().id, session.entries()[0].id);
    assert_eq!(session.focus, Some(session.entries()[1].id));
    assert!(harness.query_by_label_contains("Select a second image").is_none());
}

#[test]
fn jobs_can_be_cancelled_and_images_removed() {
    let folder = tempfile::tempdir().unwrap();
    let paths = pictures(folder.path());
    let mut harness = window(Vec::new());
    let many: Vec<PathBuf> = paths.iter().cycle().take(400).cloned().collect();
    harness.state_mut().app.as_mut().unwrap().send(Command::OpenPaths(many));
    harness.run_steps(2);
    harness.state_mut().app.as_mut().unwrap().send(Command::CancelAll);
    settle(&mut harness);
    let session = harness.state().app().session();
    let done = session.entries().iter().filter(|entry| entry.analysis.is_some()).count();
    assert!(done < 320, "all {done} were done");
    let all: Vec<_> = session.entries().iter().map(|entry| entry.id).collect();
    send(&mut harness, Command::Remove(all));
    assert!(harness.state().app().session().entries().is_empty());
    harness.get_by_label_contains("No images yet");
}

/// Every step, detector, theme and overlay draws; a character without a glyph would panic.
#[test]
fn everything_can_be_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(pictures(folder.path()));
    let detectors = harness.state().app().session().info().unwrap().detectors.clone();
    for detector in detectors {
        send(&mut harness, Command::SetDetector(detector.id.to_owned()));
    }
    // One that the model was not fitted with is refused, and nothing hangs.
    send(&mut harness, Command::SetDetector("mds".into()));
    assert!(!harness.state().app().session().notices().is_empty());
    send(&mut harness, Command::SetRecipe(Recipe::Paper));
    harness.key_press(Key::E);
    harness.run_steps(3);
    for (number, step) in [(1, "Photo"), (4, "Attention"), (6, "Threshold"), (10, "Score")] {
        while harness.query_by_label(&format!("Step {number}: {step}")).is_none() {
            harness.key_press(Key::ArrowRight);
            harness.run_steps(2);
        }
    }
    harness.key_press_modifiers(Modifiers::COMMAND, Key::T);
    harness.key_press(Key::Questionmark);
    harness.run_steps(3);
    harness.get_by_label_contains("In the gallery: arrows walk");
}

#[test]
fn a_panel_that_an_old_session_lacks_is_there() {
    let mut harness = window(Vec::new());
    let saved = serde_json::to_value(harness.state().app().saved(&harness.ctx)).unwrap();
    // As the first version saved it, which knew no τ sweep and named no panels.
    let mut old = saved.clone();
    old.as_object_mut().unwrap().remove("known_panels");
    let tiles = old["layout"]["tiles"]["tiles"].as_object_mut().unwrap();
    let gone = tiles.iter().find(|(_, tile)| tile["Pane"] == "sweep").unwrap().0.clone();
    tiles.remove(&gone);
    let gone: u64 = gone.parse().unwrap();
    for tile in tiles.values_mut() {
        let children = tile.pointer_mut("/Container/Tabs/children");
        if let Some(children) = children.and_then(|children| children.as_array_mut()) {
            children.retain(|child| child.as_u64() != Some(gone));
        }
    }
    let ctx = harness.ctx.clone();
    let app = harness.state_mut().app.as_mut().unwrap();
    app.restore(&ctx, serde_json::from_value(old).unwrap());
    settle(&mut harness);
    harness.get_by_label("τ sweep");
    // The menu lists every panel, and brings those back that were closed.
    harness.get_by_label("Window").click();
    harness.run_steps(3);
    harness.get_by_label("Panel τ sweep").scroll_to_me();
    harness.run_steps(3);
    harness.get_by_label("Panel τ sweep").click();
    settle(&mut harness);
    assert!(harness.state().app().is_panel_shown("sweep"));
}

/// The old model stays, with all that it found, until another is whole.
#[test]
fn a_wrong_folder_leaves_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let paths = pictures(folder.path());
    let mut harness = window(paths.clone());
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    send(&mut harness, UserCommand::LoadModel(empty.clone()));
    let session = harness.state().app().session();
    assert!(session.info().is_some() && session.model().loading.is_none());
    let notice = session.notice_in_force().unwrap();
    assert_eq!(notice.severity, Severity::Error);
    let manifest = empty.join("bundle.toml");
    assert!(notice.text.ends_with(manifest.to_str().unwrap()), "{}", notice.text);
    assert_shows(&harness, &paths[0]);
    // What is loaded next is judged by it.
    send(&mut harness, Command::SetTau(0.3));
    assert_shows(&harness, &paths[0]);
    let before = harness.state().app().session().info().unwrap().manifest.name.clone();
    send(&mut harness, WindowCommand::UseEmbedded);
    let session = harness.state().app().session();
    assert_ne!(session.info().unwrap().manifest.name, before);
    assert_eq!(session.entries().iter().filter(|entry| entry.analysis.is_some()).count(), 4);
}

/// A checkpoint is a file, and is opened as one.
#[test]
fn a_checkpoint_is_a_model() {
    let mut harness = window(Vec::new());
    send(&mut harness, UserCommand::LoadModel(fixture("tiny_ram.pth")));
    let session = harness.state().app().session();
    assert!(session.notices().is_empty(), "{:?}", session.notices());
    assert!(session.info().unwrap().head.is_none(), "the checkpoint has no projector");
}

#[test]
fn a_notice_in_the_status_bar_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(pictures(folder.path()));
    let fail = |harness: &mut Harness<'_, Stage>| {
        send(harness, UserCommand::Export(Exported::Roc, "/nowhere/roc.svg".into()));
    };
    fail(&mut harness);
    harness.get_by_label("Dismiss the notice").click();
    settle(&mut harness);
    assert!(harness.query_by_label("Dismiss the notice").is_none());
    fail(&mut harness);
    let notices = harness.state().app().session().notices();
    assert_eq!(notices.len(), 1, "the same sentence again is one notice: {notices:?}");
    assert!(harness.query_by_label("Dismiss the notice").is_some());
    // A quarter of a second each.
    harness.run_steps(4 * 70);
    assert!(harness.query_by_label("Dismiss the notice").is_none());
    assert_eq!(harness.state().app().session().notices().len(), 1, "it stays in the log");
}

/// Ctrl+A, Delete, and all is there again with Ctrl+Z.
#[test]
fn removed_images_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let paths = pictures(folder.path());
    let mut harness = window(paths.clone());
    let names = |harness: &Harness<'_, Stage>| -> Vec<String> {
        harness.state().app().session().entries().iter().map(|e| e.name.clone()).collect()
    };
    let before = names(&harness);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    settle(&mut harness);
    harness.key_press(Key::Delete);
    settle(&mut harness);
    assert!(names(&harness).is_empty());
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    settle(&mut harness);
    assert_eq!(names(&harness), before);
    let first = harness.state().app().session().entries()[0].id;
    send(&mut harness, Command::Select(vec![first]));
    assert_shows(&harness, &paths[0]);
    let session = harness.state().app().session();
    assert_eq!(session.entries().iter().filter(|entry| entry.analysis.is_some()).count(), 4);
    assert_eq!(session.entries().iter().filter(|entry| entry.error.is_some()).count(), 1);
}

#[test]
fn a_text_field_keeps_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(pictures(folder.path()));
    harness.get_by_label("Filter").focus();
    harness.run_steps(2);
    harness.event(eframe::egui::Event::Text("picture".into()));
    harness.run_steps(2);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.run_steps(2);
    assert_eq!(harness.state().app().session().selected.len(), 1, "the text is selected instead");
    harness.event(eframe::egui::Event::Text("broken".into()));
    harness.run_steps(3);
    assert!(harness.query_by_label_contains("broken.png, cannot open").is_some());
}

/// Nothing is shown that was not computed: at τ = 1 no token is kept, and the image has no feature, no
/// nearest class, no score.
#[test]
fn a_rejected_image_shows_no_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(pictures(folder.path()));
    assert!(harness.query_all_by_label_contains(", similarity ").next().is_some());
    send(&mut harness, Command::SetTau(1.0));
    let analysis = harness.state().app().session().focused().unwrap().analysis.clone().unwrap();
    assert_eq!(analysis.verdict.rejected, Some(Rejection::NothingKept));
    assert!(harness.query_all_by_label_contains(", similarity ").next().is_none());
    harness.get_by_label("not scored");
    harness.key_press(Key::E);
    harness.run_steps(3);
    for (step, happened) in [(7, true), (8, false), (9, false), (10, true)] {
        while harness.query_by_label_contains(&format!("Step {step}: ")).is_none() {
            harness.key_press(Key::ArrowRight);
            harness.run_steps(2);
        }
        let told = harness.query_by_label_contains("Not done for this image: no image token");
        assert_eq!(told.is_none(), happened, "step {step}");
    }
    harness.get_by_label_contains("The image is not scored, so the image is out-of-distribution");
}
