//! The report that the window writes: the files of `evaluate`, with the numbers of the panels.

use std::collections::BTreeSet;
use std::path::Path;

use tagood_lens::bundle::manifest::Recipe;
use tagood_lens::eval::report::{DetectorResult, Report};
use tagood_lens::panels::{Exported, UserCommand};
use tagood_lens::session::Command;
use tagood_lens::session::sets::Role;

use super::stage::{send, set_role, window};
use super::ui_curves::{assert_close, session, sets, show};

fn read(path: &Path) -> Report {
    serde_json::from_slice(&std::fs::read(path.join("report.json")).unwrap()).unwrap()
}

/// A file's header and rows.
fn csv(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect());
    (lines.next().unwrap(), lines.collect())
}

#[test]
fn the_report_has_the_numbers_of_the_panels() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(sets(folder.path()));
    let scores: Vec<f32> =
        session(&harness).entries().iter().filter_map(|entry| entry.score()).collect();
    let lambda = scores[scores.len() / 2];
    send(&mut harness, Command::SetLambda(Some(lambda)));
    show(&mut harness, "detectors");
    show(&mut harness, "roc");
    let out = folder.path().join("report");
    send(&mut harness, UserCommand::Export(Exported::Report, out.clone()));
    let model = session(&harness);
    assert!(model.jobs().is_empty() && model.notices().is_empty(), "{:?}", model.notices());

    let report = read(&out);
    assert_eq!((report.id.name.as_str(), report.id.images), ("id", 30));
    assert_eq!(report.ood.iter().map(|set| set.name.as_str()).collect::<Vec<_>>(), ["near"]);
    // The present detector: curves, intervals, counts.
    let present = model.tuning.present.as_ref().unwrap();
    let own = report.detectors.iter().find(|row| row.id == model.settings().detector).unwrap();
    assert_eq!(own.lambda, Some(lambda));
    assert!(report.warnings.iter().any(|warning| warning.contains("in force in the window")));
    let set = own.outcomes[0].set(0).unwrap();
    assert_close(
        own.outcomes[0].mean().unwrap(),
        &present.separation.as_ref().unwrap().mean,
        "own",
    );
    let (a, b) = (set.intervals.unwrap(), model.tuning.intervals().unwrap().sets[0].unwrap());
    assert!((a.auroc.low - b.auroc.low).abs() < 5e-3 && (a.auroc.high - b.auroc.high).abs() < 5e-3);
    let counts = present.counts_at(lambda).unwrap();
    let kept = counts.id_kept as f64 / 30.0;
    // Scores of two batch sizes differ in their last bits: the one at λ may fall to either side.
    assert!((set.at_lambda.unwrap().id_kept - kept).abs() < 1.5 / 30.0);
    // All others: the table of detectors, and reasons where there are no numbers.
    for row in &model.tuning.table().rows {
        let reported = report.detectors.iter().find(|other| other.id == row.info.id).unwrap();
        assert_close(reported.outcomes[0].mean().unwrap(), &row.mean, row.info.id);
    }
    for detector in &report.detectors {
        match &detector.outcomes[0] {
            DetectorResult::Measured { sets, .. } => assert_eq!(sets.len(), 1),
            DetectorResult::Missing(reason) => assert!(!reason.is_empty()),
        }
    }

    // Every file parses.
    let (header, rows) = csv(&out.join("scores/near.csv"));
    assert!(header.contains(&"path".to_owned()), "{header:?}");
    assert_eq!(rows.len(), 30);
    let paths: BTreeSet<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert!(paths.iter().all(|path| Path::new(path).exists()), "{paths:?}");
    assert_eq!(csv(&out.join("scores/id.csv")).1.len(), 30);
    let (header, rows) = csv(&out.join("roc/near.csv"));
    assert!(rows.len() > 2 && rows.iter().all(|row| row.len() == header.len()));
    let (header, rows) = csv(&out.join("table.csv"));
    assert!(header.len() > 5 && rows.len() >= report.detectors.len());
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
    let table = std::fs::read_to_string(out.join("table.md")).unwrap();
    assert!(table.contains("| TagOOD") && table.contains("near"));
}

#[test]
fn a_report_that_is_stopped_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(sets(folder.path()));
    let out = folder.path().join("report");
    let app = harness.state_mut().app.as_mut().unwrap();
    app.send(UserCommand::Export(Exported::Report, out.clone()));
    app.send(Command::CancelAll);
    super::stage::settle(&mut harness);
    assert!(session(&harness).jobs().is_empty());
    assert!(!out.exists());
    // A set that is missing is said to be.
    set_role(&mut harness, "near", Role::Unused);
    send(&mut harness, UserCommand::Export(Exported::Report, out.clone()));
    let notices = &session(&harness).notices();
    assert!(notices.last().unwrap().text.contains("no out-of-distribution set"), "{notices:?}");
    // At another recipe it is of that.
    set_role(&mut harness, "near", Role::Ood);
    send(&mut harness, Command::SetRecipe(Recipe::Released));
    send(&mut harness, UserCommand::Export(Exported::Report, out.clone()));
    assert_eq!(read(&out).model.recipe, Recipe::Released);
}
