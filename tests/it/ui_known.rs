//! The Known panel, driven as a person would: names typed, edited, taken away, brought back.

use std::path::{Path, PathBuf};

use eframe::egui::{Event, Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use tagood_lens::app::Options;
use tagood_lens::app::saved::SavedSession;
use tagood_lens::bundle::embedded;
use tagood_lens::bundle::known::{Known, typed_names};
use tagood_lens::gpu::{self, DeviceChoice};
use tagood_lens::image::{DecodeOptions, decode_file};
use tagood_lens::panels::WindowCommand;
use tagood_lens::pipeline::{Keep, Pipeline};
use tagood_lens::score::verdict::Outcome;
use tagood_lens::session::known::KnownEdit;
use tagood_lens::session::{Command, Session};

use super::snapshots::scenes;
use super::stage::{self, Stage, model, options, send, settle};

/// The embedded CLIP on the CPU, with nothing known.
pub fn clip() -> Pipeline {
    let bundle = embedded::clip_bundle().unwrap();
    Pipeline::load(&bundle, &gpu::compute(DeviceChoice::Cpu).unwrap()).unwrap()
}

/// How a window with the embedded CLIP starts.
pub fn clip_options(paths: Vec<PathBuf>) -> Options {
    Options { model: model("clip", clip), ..options(paths) }
}

fn window(paths: Vec<PathBuf>) -> Harness<'static, Stage> {
    let mut harness = stage::open(clip_options(paths));
    harness.state_mut().app.as_mut().unwrap().show_panel("known");
    settle(&mut harness);
    harness
}

fn session<'a>(harness: &'a Harness<'_, Stage>) -> &'a Session {
    harness.state().app().session()
}

/// Types into the field of names and presses Enter.
fn type_names(harness: &mut Harness<'_, Stage>, text: &str) {
    harness.get_by_label("Names to add").focus();
    harness.run_steps(2);
    harness.event(Event::Text(text.into()));
    harness.run_steps(2);
    harness.key_press(Key::Enter);
    settle(harness);
}

fn names(harness: &Harness<'_, Stage>) -> Vec<String> {
    session(harness).info().unwrap().vocabulary.tags.clone()
}

/// Every image's score and decision are the library's under these names.
fn assert_judged_by(harness: &Harness<'_, Stage>, paths: &[PathBuf], names: &str) {
    let mut pipeline = clip();
    pipeline.know(&Known { names: typed_names(names), ..pipeline.known() }).unwrap();
    let session = session(harness);
    let mut judged = 0;
    for path in paths {
        let Ok(decoded) = decode_file(path, &DecodeOptions::default()) else { continue };
        let tagged = pipeline.tag(&[pipeline.prepare(&decoded.rgb)], Keep::Id).unwrap().remove(0);
        let expected = pipeline.analyse(&tagged, session.settings()).unwrap().verdict;
        let entry = session.entries().iter().find(|e| e.source.path() == Some(path)).unwrap();
        let found = &entry.analysis.as_ref().unwrap().verdict;
        assert_eq!(found.reason.to_string(), expected.reason.to_string());
        assert_eq!((found.score, found.outcome), (expected.score, expected.outcome));
        judged += 1;
    }
    assert_eq!(judged, 6);
}

#[test]
fn typed_names_give_verdicts() {
    let folder = tempfile::tempdir().unwrap();
    let paths = scenes(folder.path());
    let mut harness = window(paths.clone());
    assert!(session(&harness).notices().is_empty(), "no names are no mistake");
    harness.get_by_label_contains("Nothing is named yet, so there are features but no verdicts");
    assert!(session(&harness).entries().iter().all(|entry| entry.outcome().is_none()));

    type_names(&mut harness, "red apple, dog");
    assert_eq!(names(&harness), ["red apple", "dog"]);
    assert_judged_by(&harness, &paths, "red apple, dog");
    let outcomes = |harness: &Harness<'_, Stage>| -> Vec<Option<Outcome>> {
        session(harness).entries().iter().map(|entry| entry.outcome()).collect()
    };
    assert_eq!(outcomes(&harness).iter().filter(|outcome| outcome.is_some()).count(), 6);
    // The counts on the chips add up to the images that there are.
    let count = |harness: &Harness<'_, Stage>, name: &str| -> usize {
        let start = format!("Known {name}: ");
        let node = harness.get_by_label_contains(&start);
        let label = node.accesskit_node().label().unwrap();
        let number = label.split(": ").nth(1).unwrap().split(' ').next().unwrap();
        number.parse().unwrap()
    };
    assert_eq!(count(&harness, "red apple") + count(&harness, "dog"), 6);
    for way in ["CTW", "ATD"] {
        harness.get_by_label_contains(&format!("{way}: "));
    }
    harness.get_by_label_contains("2 texts are encoded");
    harness.get_by_label("a photo of a red apple.");
    harness.get_by_label_contains("With few names ATD tends to call everything unknown");

    // One more, with another word for it.
    type_names(&mut harness, "bus: coach, omnibus");
    assert_judged_by(&harness, &paths, "red apple\ndog\nbus: coach, omnibus");
    harness.get_by_label_contains("5 texts are encoded");
    harness.get_by_label("Remove dog").click();
    settle(&mut harness);
    assert_eq!(names(&harness), ["red apple", "bus"]);
    assert_judged_by(&harness, &paths, "red apple\nbus: coach, omnibus");
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    settle(&mut harness);
    assert_eq!(names(&harness), ["red apple", "dog", "bus"]);
    assert_judged_by(&harness, &paths, "red apple\ndog\nbus: coach, omnibus");
    for left in [2, 0] {
        harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
        settle(&mut harness);
        assert_eq!(names(&harness).len(), left);
    }
    assert!(outcomes(&harness).iter().all(Option::is_none));
    harness.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    settle(&mut harness);
    assert_judged_by(&harness, &paths, "red apple, dog");
}

#[test]
fn a_bad_name_is_a_sentence_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let paths = scenes(folder.path());
    let mut harness = window(paths.clone());
    type_names(&mut harness, "dog, mug");
    type_names(&mut harness, "Dog");
    harness.get_by_label("`Dog` is named twice; each name is to be known once.");
    let field = harness.get_by_label("Names to add");
    assert_eq!(field.accesskit_node().value().as_deref(), Some("Dog"), "to be mended");
    assert_eq!(names(&harness), ["dog", "mug"]);
    assert_judged_by(&harness, &paths, "dog, mug");
    // A list that is pasted has lines; the field has one.
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.key_press(Key::Backspace);
    harness.run_steps(2);
    harness.event(Event::Paste("bus\r\nfish: goldfish\n\nlamp, chair\n".into()));
    settle(&mut harness);
    assert_eq!(names(&harness), ["dog", "mug", "bus", "fish", "lamp", "chair"]);
    assert_eq!(session(&harness).names.error, None);
}

#[test]
fn a_chip_is_edited_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(scenes(folder.path()));
    type_names(&mut harness, "dog, mug");
    harness.get_by_label_contains("Known dog: ").focus();
    harness.run_steps(2);
    harness.key_press(Key::F2);
    harness.run_steps(4);
    harness.get_by_label("Edit dog");
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.event(Event::Text("red apple: apple".into()));
    harness.run_steps(2);
    harness.key_press(Key::Enter);
    settle(&mut harness);
    assert_eq!(names(&harness), ["red apple", "mug"]);
    assert_eq!(session(&harness).known().unwrap().names[0].synonyms, ["apple"]);
}

#[test]
fn templates_and_negative_words_count_and_go_round() {
    let folder = tempfile::tempdir().unwrap();
    let paths = scenes(folder.path());
    let mut harness = window(paths);
    type_names(&mut harness, "dog, mug");
    harness.get_by_label("CLIPN's 128").click();
    settle(&mut harness);
    assert_eq!(session(&harness).info().unwrap().known.templates.len(), 128);
    harness.get_by_label_contains("256 texts are encoded");
    let words = folder.path().join("words.txt");
    std::fs::write(&words, "violin\ntractor\nkite\n").unwrap();
    send(&mut harness, Command::Know(KnownEdit::Negatives(Some(words.clone()))));
    harness.get_by_label("3 words of words.txt");
    let detectors = &session(&harness).info().unwrap().detectors;
    assert!(detectors.iter().any(|detector| detector.id == "neg-label"));
    // A list with a known name is refused, and the one in force stays.
    let other = folder.path().join("others.txt");
    std::fs::write(&other, "mug\n").unwrap();
    send(&mut harness, Command::Know(KnownEdit::Negatives(Some(other))));
    // In the panel, and for a while in the status bar.
    let said = "`mug` is a known name and cannot be a negative word too";
    assert!(harness.query_all_by_label_contains(said).next().is_some());
    harness.get_by_label("3 words of words.txt");

    let saved = harness.state().app().saved(&harness.ctx);
    let file = folder.path().join("session.json");
    saved.write(&file).unwrap();
    let mut second = window(Vec::new());
    let ctx = second.ctx.clone();
    let app = second.state_mut().app.as_mut().unwrap();
    app.restore(&ctx, SavedSession::read(&file).unwrap());
    settle(&mut second);
    let known = |harness: &Harness<'_, Stage>| session(harness).info().unwrap().known.clone();
    assert_eq!(known(&second), known(&harness));
    let scores = |harness: &Harness<'_, Stage>| -> Vec<Option<f32>> {
        session(harness).entries().iter().map(|entry| entry.score()).collect()
    };
    assert_eq!(scores(&second), scores(&harness));
    // Below what a low panel shows at once.
    second.get_by_label("Remove negative words").scroll_to_me();
    second.run_steps(4);
    second.get_by_label("Remove negative words").click();
    settle(&mut second);
    assert_eq!(known(&second).negatives, None);
}

/// Scenes in folders that are called after what they show.
fn class_folders(folder: &Path) -> PathBuf {
    let id = folder.join("id");
    for (class, file) in [("red_apple", 0), ("mug", 1)] {
        std::fs::create_dir_all(id.join(class)).unwrap();
        let path = id.join(class).join(format!("{file}.png"));
        image::RgbImage::from_pixel(64, 64, image::Rgb([200, 40, 40])).save(path).unwrap();
    }
    id
}

#[test]
fn class_folders_become_names_at_a_click() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(vec![class_folders(folder.path())]);
    harness.get_by_label("Names from class folders").click();
    settle(&mut harness);
    assert_eq!(names(&harness), ["mug", "red apple"]);
    let classes: Vec<Option<usize>> = session(&harness).entries().iter().map(|e| e.class).collect();
    assert_eq!(classes, [Some(0), Some(1)]);
    harness.get_by_label("Clear").click();
    settle(&mut harness);
    assert!(names(&harness).is_empty());
}

/// The embedded tagger beside the embedded CLIP: each has names of its own.
#[test]
fn models_of_both_kinds_keep_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(scenes(folder.path()));
    type_names(&mut harness, "dog, mug");
    send(&mut harness, WindowCommand::UseEmbedded);
    let tags = session(&harness).info().unwrap().vocabulary.tags.clone();
    let own = session(&harness).known().unwrap().clone();
    assert!(own.names.len() > 10, "the tagger's own classes");
    send(&mut harness, Command::Know(KnownEdit::Replace(typed_names(&tags[0]))));
    assert_eq!(session(&harness).settings().detector, "tag-score");
    type_names(&mut harness, "no such tag");
    harness.get_by_label_contains("no tag named `no such tag`");
    // What is typed finds tags, and a click names one.
    harness.get_by_label("Names to add").focus();
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.event(Event::Text(tags[1].clone()));
    harness.run_steps(3);
    harness.get_by_label(&format!("Know tag {}", tags[1])).click();
    settle(&mut harness);
    let known: Vec<&str> =
        session(&harness).known().unwrap().names.iter().map(|known| known.name.as_str()).collect();
    assert_eq!(known, [&tags[0], &tags[1]]);
    assert_eq!(session(&harness).entries().iter().filter(|e| e.outcome().is_some()).count(), 6);
    harness.get_by_label_contains("Model's own").click();
    settle(&mut harness);
    assert_eq!(*session(&harness).known().unwrap(), own);
    assert_eq!(session(&harness).settings().detector, "tagood-cosine");
    assert!(session(&harness).info().unwrap().head.is_some());
    send(&mut harness, WindowCommand::UseEmbeddedClip);
    assert_eq!(names(&harness), ["dog", "mug"]);
    assert!(harness.state().app().is_panel_shown("known"));
}
