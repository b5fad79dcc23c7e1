//! What a session's file brings back of the tuning, and that older files still open.

use std::collections::BTreeMap;
use std::path::PathBuf;

use egui_kittest::kittest::Queryable as _;
use tagood_lens::app::command::Command;
use tagood_lens::app::embedding::{EmbedCommand, EmbedConfig};
use tagood_lens::app::session::SavedSession;
use tagood_lens::app::state::Session;
use tagood_lens::score::verdict::Outcome;
use tagood_lens::worker::{ImageId, ImageSource, Metric};

use super::stage::{send, settle, window};
use super::ui_curves::{model, ranked_scores, sets, show};

fn path(model: &Session, id: ImageId) -> PathBuf {
    match &model.entry(id).unwrap().source {
        ImageSource::File(path) => path.clone(),
        _ => panic!("not a file"),
    }
}

fn pinned_verdicts(model: &Session) -> BTreeMap<PathBuf, Option<Outcome>> {
    let pinned = model.tuning.pinned.as_ref().expect("a setting is pinned");
    pinned.verdicts.iter().map(|(id, (_, outcome))| (path(model, *id), *outcome)).collect()
}

#[test]
fn the_tuning_goes_round() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(sets(folder.path()));
    // Between two scores: in another batch they differ in their last bits.
    let scores = ranked_scores(model(&harness));
    let between = |at: usize| ((scores[at - 1] + scores[at]) / 2.0) as f32;
    let (first, second) = (between(scores.len() / 3), between(scores.len() / 2));
    send(&mut harness, Command::SetLambda(Some(first)));
    send(&mut harness, Command::Pin);
    send(&mut harness, Command::SetTau(0.35));
    send(&mut harness, Command::SetLambda(Some(second)));
    send(&mut harness, Command::ToggleOverlay("msp".into()));
    let config =
        EmbedConfig { perplexity: 7.5, iterations: 60, seed: 11, metric: Metric::Euclidean };
    send(&mut harness, Command::Embed(EmbedCommand::Configure(config.clone())));
    harness.key_press(eframe::egui::Key::W);
    settle(&mut harness);
    show(&mut harness, "roc");
    harness.get_by_label("Log FPR").click();
    settle(&mut harness);
    let ctx = harness.ctx.clone();
    let mut saved = harness.state().app().session(&ctx);
    saved.color_by = tagood_lens::panels::map_view::ColorBy::Score;
    assert_eq!(saved.panels["roc"]["log"], true);
    assert_eq!(saved.panels["gallery"], "wrong");
    let file = folder.path().join("session.json");
    saved.write(&file).unwrap();
    let read = SavedSession::read(&file).unwrap();
    assert_eq!(read, saved);

    let mut other = window(Vec::new());
    let ctx = other.ctx.clone();
    other.state_mut().app.as_mut().unwrap().restore(&ctx, read);
    settle(&mut other);
    assert_eq!(other.state().app().session(&ctx), saved);
    let (before, after) = (model(&harness), model(&other));
    assert_eq!(after.embedding.config, config);
    assert_eq!(pinned_verdicts(after), pinned_verdicts(before));
    let flips = |model: &Session| -> BTreeMap<PathBuf, Outcome> {
        model.flips().iter().map(|flip| (path(model, flip.image), flip.after)).collect()
    };
    assert!(!flips(before).is_empty());
    assert_eq!(flips(after), flips(before));
    let auroc = |model: &Session| {
        let measured = &model.tuning.pinned.as_ref().unwrap().measured;
        measured.separation.as_ref().unwrap().mean.auroc
    };
    assert!((auroc(after) - auroc(before)).abs() < 2e-3);
    send(&mut other, Command::RestorePinned);
    assert_eq!(model(&other).settings.lambda, Some(first));
    assert!(model(&other).flips().is_empty());
}

#[test]
fn an_older_file_opens() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(sets(folder.path()));
    send(&mut harness, Command::Pin);
    let ctx = harness.ctx.clone();
    let file = folder.path().join("session.json");
    harness.state().app().session(&ctx).write(&file).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let mut old: serde_json::Value = serde_json::from_str(&text).unwrap();
    let fields = old.as_object_mut().unwrap();
    let new = ["pinned", "overlaid", "paused", "embedding", "color_by", "panels"];
    new.iter().for_each(|field| assert!(fields.remove(*field).is_some(), "{field}"));
    std::fs::write(&file, old.to_string()).unwrap();
    let read = SavedSession::read(&file).unwrap();
    harness.state_mut().app.as_mut().unwrap().restore(&ctx, read);
    settle(&mut harness);
    let model = model(&harness);
    assert_eq!(model.entries().len(), 60);
    assert!(model.tuning.pinned.is_none(), "what the file does not hold is not there");
    assert_eq!(model.embedding.config, EmbedConfig::default());
}

/// A detector that the model does not have, numbers out of bounds, choices of other versions.
#[test]
fn strange_values_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(sets(folder.path()));
    send(&mut harness, Command::Pin);
    let ctx = harness.ctx.clone();
    let mut session = harness.state().app().session(&ctx);
    session.pinned.as_mut().unwrap().detector = "of another day".into();
    session.embedding.perplexity = -3.0;
    session.embedding.iterations = 0;
    session.panels.insert("roc".into(), serde_json::json!({ "log": "yes" }));
    session.panels.insert("gone".into(), serde_json::json!(7));
    harness.state_mut().app.as_mut().unwrap().restore(&ctx, session);
    settle(&mut harness);
    let model = model(&harness);
    assert!(model.tuning.pinned.is_none());
    assert!(model.notices.iter().any(|text| text.contains("of another day")));
    assert_eq!((model.embedding.config.perplexity, model.embedding.config.iterations), (1.0, 10));
}
