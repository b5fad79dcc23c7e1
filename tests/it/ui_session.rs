//! What a session's file brings back of the tuning, and that older files still open.

use std::collections::BTreeMap;
use std::path::PathBuf;

use egui_kittest::kittest::Queryable as _;
use tagood_lens::app::saved::SavedSession;
use tagood_lens::score::verdict::Outcome;
use tagood_lens::session::Command;
use tagood_lens::session::Session;
use tagood_lens::session::embedding::{EmbedCommand, EmbedConfig};
use tagood_lens::worker::{FeatureDistance, ImageId, ImageSource};

use super::stage::{send, settle, window};
use super::ui_curves::{ranked_scores, session, sets, show};

fn path(session: &Session, id: ImageId) -> PathBuf {
    match &session.entry(id).unwrap().source {
        ImageSource::File(path) => path.clone(),
        _ => panic!("not a file"),
    }
}

fn pinned_verdicts(session: &Session) -> BTreeMap<PathBuf, Option<Outcome>> {
    let pinned = session.tuning.pinned().expect("a setting is pinned");
    pinned.verdicts.iter().map(|(id, (_, outcome))| (path(session, *id), *outcome)).collect()
}

#[test]
fn the_tuning_goes_round() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(sets(folder.path()));
    // Between two scores: in another batch they differ in their last bits.
    let scores = ranked_scores(session(&harness));
    let between = |at: usize| ((scores[at - 1] + scores[at]) / 2.0) as f32;
    let (first, second) = (between(scores.len() / 3), between(scores.len() / 2));
    send(&mut harness, Command::SetLambda(Some(first)));
    send(&mut harness, Command::Pin);
    send(&mut harness, Command::SetTau(0.35));
    send(&mut harness, Command::SetLambda(Some(second)));
    send(&mut harness, Command::ToggleOverlay("msp".into()));
    let config = EmbedConfig {
        perplexity: 7.5,
        iterations: 60,
        seed: 11,
        metric: FeatureDistance::Euclidean,
    };
    send(&mut harness, Command::Embed(EmbedCommand::Configure(config.clone())));
    harness.key_press(eframe::egui::Key::W);
    settle(&mut harness);
    show(&mut harness, "roc");
    harness.get_by_label("Log FPR").click();
    settle(&mut harness);
    let ctx = harness.ctx.clone();
    let mut saved = harness.state().app().saved(&ctx);
    saved.color_by = tagood_lens::panels::map_view::ColorBy::Score;
    assert_eq!(saved.panels["roc"]["log"], true);
    assert_eq!(saved.panels["gallery"]["sort"], "wrong");
    let file = folder.path().join("session.json");
    saved.write(&file).unwrap();
    let read = SavedSession::read(&file).unwrap();
    assert_eq!(read, saved);

    let mut other = window(Vec::new());
    let ctx = other.ctx.clone();
    other.state_mut().app.as_mut().unwrap().restore(&ctx, read);
    settle(&mut other);
    assert_eq!(other.state().app().saved(&ctx), saved);
    let (before, after) = (session(&harness), session(&other));
    assert_eq!(after.embedding.config, config);
    assert_eq!(pinned_verdicts(after), pinned_verdicts(before));
    let flips = |session: &Session| -> BTreeMap<PathBuf, Outcome> {
        session.flips().iter().map(|flip| (path(session, flip.image), flip.after)).collect()
    };
    assert!(!flips(before).is_empty());
    assert_eq!(flips(after), flips(before));
    let auroc = |session: &Session| {
        let measured = &session.tuning.pinned().unwrap().measured;
        measured.separation.as_ref().unwrap().mean.auroc
    };
    assert!((auroc(after) - auroc(before)).abs() < 2e-3);
    send(&mut other, Command::RestorePinned);
    assert_eq!(session(&other).settings().lambda, Some(first));
    assert!(session(&other).flips().is_empty());
}

#[test]
fn an_older_file_opens() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(sets(folder.path()));
    send(&mut harness, Command::Pin);
    let ctx = harness.ctx.clone();
    let file = folder.path().join("session.json");
    harness.state().app().saved(&ctx).write(&file).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let mut old: serde_json::Value = serde_json::from_str(&text).unwrap();
    let fields = old.as_object_mut().unwrap();
    let new = ["pinned", "overlaid", "paused", "embedding", "color_by", "panels"];
    new.iter().for_each(|field| assert!(fields.remove(*field).is_some(), "{field}"));
    std::fs::write(&file, old.to_string()).unwrap();
    let read = SavedSession::read(&file).unwrap();
    harness.state_mut().app.as_mut().unwrap().restore(&ctx, read);
    settle(&mut harness);
    let session = session(&harness);
    assert_eq!(session.entries().len(), 60);
    assert!(session.tuning.pinned().is_none(), "what the file does not hold is not there");
    assert_eq!(session.embedding.config, EmbedConfig::default());
}

/// A detector that the model does not have, numbers out of bounds, choices of other versions.
#[test]
fn strange_values_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(sets(folder.path()));
    send(&mut harness, Command::Pin);
    let ctx = harness.ctx.clone();
    let mut saved = harness.state().app().saved(&ctx);
    saved.state.pinned.as_mut().unwrap().detector = "of another day".into();
    saved.state.embedding.perplexity = -3.0;
    saved.state.embedding.iterations = 0;
    saved.panels.insert("roc".into(), serde_json::json!({ "log": "yes" }));
    saved.panels.insert("gone".into(), serde_json::json!(7));
    harness.state_mut().app.as_mut().unwrap().restore(&ctx, saved);
    settle(&mut harness);
    let session = session(&harness);
    assert!(session.tuning.pinned().is_none());
    assert!(session.notices().iter().any(|notice| notice.text.contains("of another day")));
    assert_eq!(
        (session.embedding.config.perplexity, session.embedding.config.iterations),
        (1.0, 10)
    );
}
