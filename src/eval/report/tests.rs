use super::*;
use crate::bundle::manifest::{Arch, Recipe};
use crate::eval::scores::{Column, DetectorFacts, ScoreTable, ScoredImage, SetScores};
use crate::pipeline::OdinInput;
use crate::score::verdict::Rejection;

fn image(path: &str, hash: u64, has_id_tag: bool) -> ScoredImage {
    let (path, rejected) = (path.to_owned(), (!has_id_tag).then_some(Rejection::NoKnownTag));
    ScoredImage { path, hash: Some(hash), class: None, predicted: None, rejected }
}

/// Two detectors at two settings; the second one could not score.
fn set(name: &str, objects: &[Option<f32>], whole: &[f32], first_hash: u64) -> SetScores {
    let missing = Column::Missing("it has no statistics".into());
    let whole = whole.iter().copied().map(Some).collect();
    SetScores {
        name: name.to_owned(),
        images: (first_hash..)
            .zip(objects)
            .map(|(hash, score)| image(&format!("{name}/{hash}.png"), hash, score.is_some()))
            .collect(),
        failed: Vec::new(),
        columns: vec![
            vec![Column::Scores(objects.to_vec()), missing.clone()],
            vec![Column::Scores(whole), missing],
        ],
    }
}

fn table() -> ScoreTable {
    let detector = |id: &str| DetectorFacts {
        id: id.into(),
        name: format!("<{id}>"),
        formula: "a < b".into(),
        lambda: Some(2.5),
        lambda_of_set: false,
    };
    ScoreTable {
        model: ModelFacts {
            name: "model".into(),
            recipe: Recipe::Paper,
            tau: 0.5,
            classes: vec!["cat".into(), "dog".into()],
            tags: 9,
            odin: OdinInput::Tokens,
            arch: Arch::Ram,
            detector: Recipe::Paper.detector().into(),
        },
        features: vec![Features::Objects { tau: 0.5 }, Features::WholeImage],
        main: 0,
        detectors: vec![detector("tag-score"), detector("energy")],
        id: set("id", &[Some(3.0), Some(2.0), None, Some(4.0)], &[3.0, 2.0, 9.0, 4.0], 0),
        ood: vec![
            set("far", &[None, None], &[5.0, 1.0], 10),
            set("near", &[Some(3.5), None], &[3.5, 0.0], 3),
        ],
    }
}

#[test]
fn a_clip_is_reported_by_its_names() {
    let mut table = table();
    (table.model.arch, table.model.tags) = (Arch::Clip, 2);
    table.model.detector = "energy".into();
    // As `evaluate` has it for a CLIP: the whole image first.
    (table.main, table.features) = (0, vec![Features::WholeImage, Features::Objects { tau: 0.5 }]);
    for set in std::iter::once(&mut table.id).chain(&mut table.ood) {
        set.columns[0].reverse();
        set.columns[0][1] = Column::Scores(vec![Some(1.0); set.images.len()]);
    }
    let report = Report::new(&table, None, Vec::new()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report");
    write(&report, &table, &out).unwrap();
    for file in ["table.md", "report.html"] {
        let text = std::fs::read_to_string(out.join(file)).unwrap();
        assert!(text.contains("2 known names"), "{file}: {text}");
        for of_taggers in ["ODIN", "ID tag", "rule of the tags", "tagger", " tags"] {
            assert!(!text.contains(of_taggers), "{file} says {of_taggers}");
        }
        assert_eq!(text.matches("no name").count(), 1, "{file}");
    }
    // The page begins with the detector that decides.
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("selected>&lt;energy&gt;</option>"), "{page}");
}

#[test]
fn images_without_a_tag_rank_below_all_others() {
    let report = Report::new(&table(), None, Vec::new()).unwrap();
    assert_eq!(report.settings.len(), 3);
    let [main, ruled, alone] = &report.detectors[0].outcomes[..] else { panic!() };
    // Of 4 · 2 pairs, three ID images are above both; the fourth ties with both.
    let far = &main.set(0).unwrap();
    assert_eq!(far.metrics.auroc, (6.0 + 2.0 * 0.5) / 8.0);
    assert_eq!(far.at_lambda, Some(AtLambda { id_kept: 0.5, ood_caught: 1.0 }));
    // One ID image is above 3.5, three are above the one without a tag, one ties with it.
    assert_eq!(main.set(1).unwrap().metrics.auroc, (1.0 + 3.0 + 0.5) / 8.0);
    assert_eq!(ruled.set(0).unwrap().metrics.auroc, far.metrics.auroc);
    // Without the rule, whole images have their scores: 9 is above 5, all are above 1.
    assert_eq!(alone.set(0).unwrap().metrics.auroc, (1.0 + 4.0) / 8.0);
    let mean = main.mean().unwrap().auroc;
    assert_eq!(mean, (7.0 + 4.5) / 16.0);
}

#[test]
fn detectors_that_could_not_score_say_why() {
    let report = Report::new(&table(), None, Vec::new()).unwrap();
    let reason = DetectorResult::Missing("it has no statistics".into());
    assert!(report.detectors[1].outcomes.iter().all(|outcome| *outcome == reason));
    assert_eq!(report.ranking(0).len(), 1);
    let page = html::page(&report, &table());
    assert!(page.contains("it has no statistics") && !page.contains("<tag-score>"));
    assert!(page.contains("&lt;tag-score&gt;"));
    let markdown = markdown::page(&report);
    assert!(markdown.contains("| &lt;energy> | *it has no statistics* |"), "{markdown}");
    let csv = String::from_utf8(csv::table(&report).unwrap()).unwrap();
    assert_eq!(csv.lines().count(), 1 + 3 * 3 + 3);
    let back: Report = serde_json::from_slice(&serde_json::to_vec(&report).unwrap()).unwrap();
    assert_eq!(back.detectors[1], report.detectors[1]);
}

#[test]
fn what_a_reader_should_know_is_said() {
    let mut table = table();
    for image in &mut table.id.images {
        image.class = Some("cat".into());
        image.predicted = image.rejected.is_none().then_some(0);
    }
    let report = Report::new(&table, None, Vec::new()).unwrap();
    assert_eq!(report.id.without_id_tag, 1);
    assert_eq!(report.id.accuracy, Some(0.75));
    let said = report.warnings.join("\n");
    for says in [
        "1 of the 2 images of `near` are in the in-distribution set `id` too",
        "fewer than 100 images in id, far, near",
        "25.0 % of the images of `id` are rejected without a score",
        "has one class only (cat), of the 2",
    ] {
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn sets_without_images_are_refused() {
    let mut empty = table();
    empty.ood[0].images.clear();
    assert!(Report::new(&empty, None, Vec::new()).unwrap_err().to_string().contains("`far`"));
    let alone = ScoreTable { ood: Vec::new(), ..table() };
    assert!(matches!(Report::new(&alone, None, Vec::new()), Err(ReportError::NoOodSet)));
}

#[test]
fn a_report_that_cannot_be_written_leaves_nothing() {
    let (table, folder) = (table(), tempfile::tempdir().unwrap());
    let report = Report::new(&table, None, Vec::new()).unwrap();
    // A folder in the place of a file.
    std::fs::create_dir_all(folder.path().join("report.json")).unwrap();
    let error = write(&report, &table, folder.path()).unwrap_err().to_string();
    assert!(error.starts_with("cannot write the report: ") && error.ends_with("report.json"));
    let files = ["", "scores", "roc"].map(|name| std::fs::read_dir(folder.path().join(name)));
    let files = files.into_iter().flat_map(|entries| entries.unwrap());
    assert_eq!(files.filter(|entry| entry.as_ref().unwrap().path().is_file()).count(), 0);
    std::fs::remove_dir(folder.path().join("report.json")).unwrap();
    write(&report, &table, folder.path()).unwrap();
    assert!(folder.path().join("scores/near.csv").is_file());
}
