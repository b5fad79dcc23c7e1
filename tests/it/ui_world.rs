//! The window with the embedded model on scenes of its world, driven through its accessibility tree:
//! verdicts, kept tokens and maps are those that the library computes, and the world opens by one
//! click.

use std::path::{Path, PathBuf};

use eframe::egui::{Event, Key, Modifiers, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use tagood_lens::app::saved::SavedSession;
use tagood_lens::bundle::manifest::Recipe;
use tagood_lens::demo::{Set, World, scene};
use tagood_lens::pipeline::{Analysis, Pipeline, TaggerOutput};
use tagood_lens::score::verdict::Outcome;
use tagood_lens::session::Command;
use tagood_lens::session::sets::Role;
use tagood_lens::session::{Session, entry::Entry};
use tagood_lens::worker::{ImageId, ImageSource};

use super::stage::{Stage, drop_file, embedded, send, set_role, settle, tagged, world_window};

/// A world that no test opens.
fn no_world() -> World {
    World { folder: "/dev/null/world".into(), scenes: 1 }
}

/// Two scenes of each set, and a file that is none.
fn scenes(folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for set in Set::ALL {
        for index in 0..2 {
            let scene = scene(set, 31, index);
            let side = scene.size as u32;
            let path = folder.join(format!("{set} {index} {}.png", scene.kind));
            image::RgbImage::from_raw(side, side, scene.image).unwrap().save(&path).unwrap();
            paths.push(path);
        }
    }
    let broken = folder.join("broken.png");
    std::fs::write(&broken, b"this is no picture").unwrap();
    paths.push(broken);
    paths
}

fn session<'a>(harness: &'a Harness<'_, Stage>) -> &'a Session {
    harness.state().app().session()
}

fn focused<'a>(harness: &'a Harness<'_, Stage>) -> &'a Entry {
    session(harness).focused().unwrap()
}

/// The image on show is shown as the library sees it at the settings in force.
fn assert_shown(
    harness: &Harness<'_, Stage>,
    pipeline: &Pipeline,
    tagged: &TaggerOutput,
) -> Analysis {
    let (model, entry) = (session(harness), focused(harness));
    let expected = pipeline.analyse(tagged, model.settings()).unwrap();
    let again = pipeline.decompose(tagged, model.settings().tau, model.settings().recipe);
    let analysis = entry.analysis.as_ref().unwrap();
    assert_eq!(analysis.decomposition, expected.decomposition, "{}", entry.name);
    assert_eq!(analysis.decomposition, again);
    assert_eq!(analysis.verdict.outcome, expected.verdict.outcome, "{}", entry.name);
    assert_eq!(analysis.verdict.reason, expected.verdict.reason, "{}", entry.name);
    assert_eq!(analysis.verdict.rejected, expected.verdict.rejected, "{}", entry.name);
    assert_eq!(analysis.verdict.score, expected.verdict.score, "{}", entry.name);
    let shown = match analysis.verdict.score {
        Some(score) => format!("{score:.3}"),
        None => "not scored".into(),
    };
    let words = match expected.verdict.outcome.unwrap() {
        Outcome::Id => "In-distribution",
        Outcome::Ood => "Out-of-distribution",
    };
    assert!(harness.query_all_by_label(words).next().is_some(), "{words}");
    assert!(harness.query_all_by_label(&shown).next().is_some(), "{shown}");
    let (kept, all) = (expected.decomposition.kept(), expected.decomposition.mask.len());
    harness.get_by_label(&format!("{kept} of {all} tokens kept"));
    let map = entry.map(&model.map, model.info().unwrap(), model.settings()).unwrap();
    if model.map.tags.is_empty() {
        assert_eq!(map, expected.decomposition.map);
    }
    expected
}

/// A click on a tile of the gallery, which is on the left.
fn click_tile(harness: &mut Harness<'_, Stage>, label: &str) {
    let tiles = harness.get_all_by_label_contains(label);
    tiles.min_by(|a, b| a.rect().left().total_cmp(&b.rect().left())).unwrap().click();
    settle(harness);
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

#[test]
fn dropped_scenes_are_shown_as_the_library_sees_them() {
    let folder = tempfile::tempdir().unwrap();
    let paths = scenes(folder.path());
    let (broken, good) = paths.split_last().unwrap();
    let mut harness = world_window(no_world());
    paths.iter().for_each(|path| drop_file(&mut harness, path.clone()));
    harness.step();
    settle(&mut harness);
    assert_eq!(session(&harness).entries().len(), paths.len());
    let pipeline = embedded();
    let tagged = tagged(&pipeline, good);
    let mut outcomes = Vec::new();
    for (path, tagged) in good.iter().zip(&tagged) {
        click_tile(&mut harness, &format!("{}, ", name(path)));
        assert_eq!(focused(&harness).name, name(path));
        outcomes.push(assert_shown(&harness, &pipeline, tagged).verdict.outcome.unwrap());
    }
    // The model is good enough for these: a window that shows one verdict for all would pass above.
    assert_eq!(outcomes[..2], [Outcome::Id; 2]);
    assert!(outcomes[2..8].iter().filter(|outcome| **outcome == Outcome::Ood).count() >= 5);
    // The file that is no picture has its error on its tile, and nothing else was held up by it.
    harness.get_by_label_contains(&format!("{}, cannot open", name(broken)));
    harness.key_press(Key::ArrowRight);
    settle(&mut harness);
    harness.get_by_label_contains("This image cannot be shown");
    harness.get_by_label("1 failed");
    assert!(session(&harness).jobs().is_empty());
}

#[test]
fn tags_show_their_maps_and_tau_their_masks() {
    let folder = tempfile::tempdir().unwrap();
    let paths = scenes(folder.path());
    let mut harness = world_window(no_world());
    send(&mut harness, Command::OpenPaths(paths[..2].to_vec()));
    let pipeline = embedded();
    let tagged = tagged(&pipeline, &paths[..2]).swap_remove(0);
    let seen = assert_shown(&harness, &pipeline, &tagged).decomposition.tags;
    let layer = pipeline.layer(Recipe::Paper);
    let vocabulary = pipeline.vocabulary();
    let probabilities = tagged.probabilities();
    let is_other =
        |tag: &usize| !vocabulary.is_id(*tag) && probabilities[*tag] > vocabulary.thresholds[*tag];
    let other = (0..probabilities.len()).find(is_other).unwrap();
    // The attention of a tag that counts is at hand; that of another is computed when it is wanted.
    for tag in [seen[0], other] {
        let row = format!("Tag {}, ", vocabulary.tags[tag]);
        harness.get_all_by_label_contains(&row).next().unwrap().click();
        settle(&mut harness);
        let (model, entry) = (session(&harness), focused(&harness));
        assert_eq!(model.map.tags, [tag]);
        let map = entry.map(&model.map, model.info().unwrap(), model.settings()).unwrap();
        let expected = pipeline.attention_of(&tagged, &[tag]).unwrap();
        let expected = expected.relevance(tag, layer).unwrap();
        let far = map.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // One tag alone goes through the decoder in another batch than all tags together, and through
        // tokens of half precision.
        assert!(far < 2e-3, "{row}: {far}");
    }
    harness.key_press(Key::U);
    settle(&mut harness);
    let mut last = assert_shown(&harness, &pipeline, &tagged).decomposition.kept();
    let slider = harness.get_by_label("Tau").rect();
    let at = |share: f32| slider.left_center() + vec2(slider.width() * share, 0.0);
    harness.drag_at(at(0.5));
    harness.step();
    for share in [0.6, 0.75, 0.9] {
        harness.hover_at(at(share));
        harness.run_steps(2);
        settle(&mut harness);
        let kept = assert_shown(&harness, &pipeline, &tagged).decomposition.kept();
        assert!(kept < last, "{kept} tokens at {}", session(&harness).settings().tau);
        last = kept;
    }
    harness.drop_at(at(0.9));
    settle(&mut harness);
    // Nothing lies above 1: out, and the reason says so.
    send(&mut harness, Command::SetTau(1.0));
    let analysis = assert_shown(&harness, &pipeline, &tagged);
    assert_eq!((analysis.decomposition.kept(), analysis.verdict.outcome), (0, Some(Outcome::Ood)));
    harness.get_by_label("No image token lies above τ = 1.00.");
    send(&mut harness, Command::SetTau(0.3));
    send(&mut harness, Command::SetRecipe(Recipe::Released));
    assert_shown(&harness, &pipeline, &tagged);
}

/// The files of open images.
fn opened(session: &Session) -> Vec<PathBuf> {
    let file = |entry: &Entry| match &entry.source {
        ImageSource::File(path) => path.clone(),
        other => panic!("{} is no file", other.name()),
    };
    session.entries().iter().map(file).collect()
}

fn choose_in_palette(harness: &mut Harness<'_, Stage>, words: &str) {
    harness.key_press_modifiers(Modifiers::COMMAND, Key::P);
    harness.run_steps(3);
    harness.event(Event::Text(words.into()));
    harness.run_steps(3);
    harness.key_press(Key::Enter);
    harness.run_steps(3);
    settle(harness);
}

#[test]
fn the_world_opens_by_the_palette_and_comes_back_with_a_session() {
    let folder = tempfile::tempdir().unwrap();
    let world = World { folder: folder.path().join("cache/world"), scenes: 2 };
    let mut harness = world_window(world.clone());
    choose_in_palette(&mut harness, "demo world");
    let files = opened(session(&harness));
    assert_eq!(files.len(), world.total());
    let roles: Vec<(&str, Role)> =
        session(&harness).sets().iter().map(|set| (set.name.as_str(), set.role)).collect();
    let ood = |name| (name, Role::Ood);
    let expected = [("id", Role::Id), ood("near"), ood("context"), ood("texture"), ood("style")];
    assert_eq!(roles, expected);
    // The scenes' classes are known, as in any folder of class folders.
    assert!(session(&harness).entries()[..2].iter().all(|entry| entry.class.is_some()));
    // Asked for again, it opens what is not open.
    let gone: Vec<ImageId> =
        session(&harness).entries()[3..5].iter().map(|entry| entry.id).collect();
    send(&mut harness, Command::Remove(gone));
    harness.key_press(Key::G);
    settle(&mut harness);
    let mut again = opened(session(&harness));
    again.sort();
    let mut sorted = files.clone();
    sorted.sort();
    assert_eq!(again, sorted);

    harness.run_steps(90);
    let (tau, before) = (session(&harness).settings().tau, session(&harness).edit());
    send(&mut harness, Command::SetTau(0.35));
    harness.run_steps(90);
    set_role(&mut harness, "style", Role::Unused);
    harness.run_steps(90);
    for (role, expected) in [(Role::Ood, 0.35), (Role::Ood, tau)] {
        harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
        settle(&mut harness);
        harness.run_steps(3);
        let session = session(&harness);
        assert_eq!((session.sets()[4].role, session.settings().tau), (role, expected));
    }
    assert_eq!(session(&harness).edit(), before);

    let scores = |session: &Session| -> Vec<(PathBuf, Option<f32>)> {
        opened(session).into_iter().zip(session.entries().iter().map(Entry::score)).collect()
    };
    send(&mut harness, Command::SetLambda(Some(0.5)));
    let saved = harness.state().app().saved(&harness.ctx);
    let file = folder.path().join("session.json");
    saved.write(&file).unwrap();
    let mut other = world_window(world);
    let ctx = other.ctx.clone();
    other.state_mut().app.as_mut().unwrap().restore(&ctx, SavedSession::read(&file).unwrap());
    settle(&mut other);
    assert_eq!(other.state().app().saved(&ctx), saved);
    for (a, b) in scores(session(&harness)).into_iter().zip(scores(session(&other))) {
        let (one, two) = (a.1.unwrap_or(-2.0), b.1.unwrap_or(-2.0));
        assert!(a.0 == b.0 && (one - two).abs() < 1e-4, "{a:?}, then {b:?}");
    }
}

#[test]
fn drawing_can_be_stopped_and_its_faults_stop_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = World { folder: folder.path().join("world"), scenes: 100_000 };
    let mut harness = world_window(world);
    harness.get_all_by_label("Open the demo world").next().unwrap().click();
    let started = std::time::Instant::now();
    while session(&harness).jobs().first().is_none_or(|job| job.done < 5) {
        assert!(started.elapsed().as_secs() < 30, "no scene is drawn");
        harness.step();
    }
    // Another click while it is at work is no second world.
    harness.key_press(Key::G);
    harness.run_steps(2);
    assert_eq!(session(&harness).jobs().len(), 1);
    harness.get_by_label("Stop").click();
    settle(&mut harness);
    assert!(session(&harness).entries().is_empty());
    // What was drawn is whole.
    let drawn = tagood_lens::image::find_images(&[folder.path()]).images;
    assert!(drawn.len() >= 5 && drawn.iter().all(|file| image::open(file).is_ok()));

    // A place that cannot be written to.
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let mut harness = world_window(World { folder: file.join("world"), scenes: 2 });
    harness.get_all_by_label("Open the demo world").next().unwrap().click();
    settle(&mut harness);
    let notice = session(&harness).notices().last().unwrap().text.clone();
    assert!(notice.starts_with("cannot make the folder: "), "{notice}");
    assert!(notice.contains("/file/world/"), "{notice}");
    assert!(session(&harness).jobs().is_empty());
    // The window goes on.
    send(&mut harness, Command::OpenPaths(vec![drawn[0].clone()]));
    assert!(focused(&harness).analysis.is_some());
}
