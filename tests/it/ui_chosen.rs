//! From a plot to the gallery: the selected images alone, the most wrong first; and λ where the model
//! has none.

use std::collections::BTreeSet;

use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use egui_kittest::{Harness, Node};
use tagood_lens::fit::lambda::lambda_at;
use tagood_lens::score::verdict::Outcome;
use tagood_lens::session::Command;
use tagood_lens::session::LambdaOrigin;
use tagood_lens::session::sets::Role;
use tagood_lens::worker::ImageId;

use super::stage::{Stage, send, set_role, settle, window};
use super::ui_curves::{assert_counts, ranked_scores, session, sets, show};

/// What the gallery shows, in its order but for the image on show, which Ctrl+A puts last.
fn shown(harness: &mut Harness<'_, Stage>) -> Vec<ImageId> {
    harness.run_steps(3);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    settle(harness);
    session(harness).selected.clone()
}

fn as_set(images: &[ImageId]) -> BTreeSet<ImageId> {
    images.iter().copied().collect()
}

/// Clicks a bin of the histogram and returns the images that it selects.
fn click_bin(harness: &mut Harness<'_, Stage>, set: &str, nth: usize) -> BTreeSet<ImageId> {
    {
        let lambda = harness.get_by_label("λ on the histogram").rect().expand(2.0);
        let label = format!("{set}, scores ");
        let bins = harness.get_all_by_label_contains(&label);
        let bins = bins.filter(|bin| !bin.rect().intersects(lambda));
        let mut bins: Vec<_> = bins.collect();
        bins.sort_by(|a, b| a.rect().left().total_cmp(&b.rect().left()));
        bins[nth].click();
    }
    settle(harness);
    harness.run_steps(3);
    as_set(&session(harness).selected)
}

/// Other panels list images, too; the gallery is on the left.
fn click_tile(harness: &mut Harness<'_, Stage>, label: &str) {
    let tile = |harness: &Harness<'_, Stage>, act: fn(&Node<'_>)| {
        let tiles = harness.get_all_by_label_contains(label);
        act(&tiles.min_by(|a, b| a.rect().left().total_cmp(&b.rect().left())).unwrap());
    };
    tile(harness, |node| node.scroll_to_me());
    harness.run_steps(3);
    tile(harness, |node| node.click());
}

#[test]
fn a_selection_in_a_plot_is_what_the_gallery_shows() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(sets(folder.path()));
    let near: Vec<ImageId> = {
        let of_near = session(&harness).entries().iter().filter(|entry| &*entry.set == "near");
        of_near.map(|entry| entry.id).collect()
    };
    send(&mut harness, Command::Select(near[..12].to_vec()));
    harness.run_steps(3);
    harness.get_by_label("Selected 12").click();
    settle(&mut harness);
    assert_eq!(as_set(&shown(&mut harness)), as_set(&near[..12]));
    // What is chosen in a plot takes its place.
    let bin = click_bin(&mut harness, "near", 0);
    assert_eq!(as_set(&shown(&mut harness)), bin);
    send(&mut harness, Command::Select(near[5..15].to_vec()));
    assert_eq!(as_set(&shown(&mut harness)), as_set(&near[5..15]));
    // A click on a tile, and a step to the next image, move among them.
    let name = session(&harness).entry(near[7]).unwrap().name.clone();
    click_tile(&mut harness, &format!("{name}, "));
    settle(&mut harness);
    assert_eq!(session(&harness).selected, [near[7]]);
    harness.get_by_label("Selected 10");
    harness.key_press(Key::ArrowRight);
    settle(&mut harness);
    assert_eq!(session(&harness).selected, [near[8]]);
    assert_eq!(as_set(&shown(&mut harness)), as_set(&near[5..15]));
    harness.key_press(Key::O);
    settle(&mut harness);
    assert_eq!(shown(&mut harness).len(), 60);
}

#[test]
fn the_most_wrong_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(sets(folder.path()));
    let scores = ranked_scores(session(&harness));
    send(&mut harness, Command::SetLambda(Some(scores[scores.len() / 2] as f32)));
    harness.key_press(Key::W);
    settle(&mut harness);
    let order = shown(&mut harness);
    let model = session(&harness);
    let lambda = model.lambda().unwrap();
    let far = |id: &ImageId| {
        let entry = model.entry(*id).unwrap();
        let above = entry.analysis.as_ref().unwrap().verdict.ranked.unwrap() - lambda;
        if model.truth(entry.set_at) == Some(Outcome::Id) { -above } else { above }
    };
    let (focus, order) = order.split_last().unwrap();
    assert_eq!(Some(*focus), model.focus);
    assert!(order.windows(2).all(|pair| far(&pair[0]) >= far(&pair[1])));
    assert!(far(&order[0]) > 0.0 && far(order.last().unwrap()) < 0.0);
}

#[test]
fn a_detector_without_a_lambda_takes_one_from_the_open_set() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(sets(folder.path()));
    assert_eq!(session(&harness).lambda_origin(), Some(LambdaOrigin::Model));
    send(&mut harness, Command::SetDetector("msp".into()));
    let scores: Vec<f32> = {
        let of_id = session(&harness).entries().iter().filter(|entry| &*entry.set == "id");
        of_id.filter_map(|entry| entry.analysis.as_ref()?.verdict.ranked).collect()
    };
    let scored: Vec<f32> = scores.iter().copied().filter(|score| score.is_finite()).collect();
    let expected = lambda_at(&scored, scores.len() - scored.len(), 0.95).map(|found| found.0);
    assert_eq!(session(&harness).lambda(), expected);
    assert_eq!(session(&harness).lambda_origin(), Some(LambdaOrigin::OpenSet));
    // Counts and verdicts go by it, and it is marked wherever it stands.
    assert_counts(&harness);
    let marks = harness.get_all_by_label_contains("from the open ID set at 95 % TPR").count();
    assert!(marks >= 2, "beside the histogram and the verdict, not {marks}");
    show(&mut harness, "roc");
    harness.get_by_label("λ on the ROC curve");
    assert_counts(&harness);
    // It moves with τ, and goes with the set.
    send(&mut harness, Command::SetTau(0.2));
    assert_counts(&harness);
    set_role(&mut harness, "id", Role::Unused);
    assert_eq!(session(&harness).lambda(), None);
    assert!(
        session(&harness)
            .entries()
            .iter()
            .all(|entry| entry.score().is_none() || entry.outcome().is_none())
    );
    // The user's word stands above it.
    set_role(&mut harness, "id", Role::Id);
    send(&mut harness, Command::SetLambda(Some(0.5)));
    assert_eq!(session(&harness).lambda_origin(), Some(LambdaOrigin::User));
}
