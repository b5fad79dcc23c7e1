//! Choosing thresholds in the window, driven through its accessibility tree: what curves, counts and
//! tables show is what `eval::metrics` gives for the same scores.

use std::path::{Path, PathBuf};

use eframe::egui::Key;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use tagood_lens::bundle::manifest::Recipe;
use tagood_lens::eval::metrics::{Confusion, Metrics, RankedScores};
use tagood_lens::image::{DecodeOptions, decode_file};
use tagood_lens::pipeline::{Analysis, Keep, Settings, TaggerOutput};
use tagood_lens::score::verdict::{Outcome, Verdict};
use tagood_lens::session::Command;
use tagood_lens::session::sets::Role;
use tagood_lens::session::tuning::VisiblePanels;
use tagood_lens::session::{Session, SessionRequest};
use tagood_lens::worker::{Event, ImageId, ImageSource, JobId, ModelInfo};
use tagood_lens::worker::{FitJob, FitMode, FitState, Program};

use super::stage::{Stage, pipeline, send, set_role, settle, wait_for, window};

/// Images in each set: enough for bins.
const IMAGES: u32 = 30;

/// Folders `id` and `near` with pictures of two kinds that overlap.
pub fn sets(folder: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for (set, shift) in [("id", 0), ("near", 9)] {
        let folder = folder.join(set);
        std::fs::create_dir_all(&folder).unwrap();
        for number in 0..IMAGES {
            let paint = |x: u32, y: u32| {
                let cell = 8 + (number % 7) * 3 + shift;
                let blob = (x / cell + y / (cell + 3) + number).is_multiple_of(3);
                let tint = (40 * ((number + shift) % 6)) as u8;
                image::Rgb([if blob { 230 } else { tint }, (x * 2) as u8, 255 - tint])
            };
            let path = folder.join(format!("{set} {number:02}.png"));
            image::RgbImage::from_fn(64, 64, paint).save(path).unwrap();
        }
        folders.push(folder);
    }
    folders
}

pub fn ranked_scores(session: &Session) -> Vec<f64> {
    ranked(session).distinct_scores().to_vec()
}

pub fn session<'a>(harness: &'a Harness<'_, Stage>) -> &'a Session {
    harness.state().app().session()
}

pub fn show(harness: &mut Harness<'_, Stage>, panel: &str) {
    harness.state_mut().app.as_mut().unwrap().show_panel(panel);
    settle(harness);
    harness.run_steps(3);
}

/// The scores on show, ID and OOD.
fn ranked(session: &Session) -> RankedScores {
    let scores = |set: &str| -> Vec<f32> {
        let of_set = session.entries().iter().filter(|entry| entry.set == set);
        of_set.map(|entry| entry.analysis.as_ref().unwrap().verdict.ranked.unwrap()).collect()
    };
    RankedScores::from_sets(scores("id"), scores("near")).unwrap()
}

pub fn assert_counts(harness: &Harness<'_, Stage>) {
    let session = session(harness);
    let lambda = session.lambda().unwrap();
    let counts = ranked(session).counts_at(f64::from(lambda));
    let Confusion { id_kept, id_lost, ood_caught, ood_missed } = counts;
    for text in [
        format!("ID kept {id_kept}"),
        format!("ID lost {id_lost}"),
        format!("OOD caught {ood_caught}"),
        format!("OOD missed {ood_missed}"),
    ] {
        assert!(harness.query_by_label(&text).is_some(), "`{text}` is not on show at λ {lambda}");
    }
    // Verdicts follow λ at once.
    for (set, truth, kept) in [("id", Outcome::Id, id_kept), ("near", Outcome::Ood, ood_missed)] {
        let of_set = session.entries().iter().filter(|entry| entry.set == set);
        let shown = of_set.filter(|entry| entry.outcome() == Some(Outcome::Id)).count();
        assert_eq!(shown, kept, "{set} {truth}");
    }
}

fn tagged(folders: &[PathBuf]) -> Vec<Vec<TaggerOutput>> {
    let pipeline = pipeline();
    let of_folder = |folder: &PathBuf| {
        let files = tagood_lens::image::find_images(&[folder]).images;
        let prepare = |file: &PathBuf| {
            pipeline.prepare(&decode_file(file, &DecodeOptions::default()).unwrap().rgb)
        };
        let inputs: Vec<Vec<f32>> = files.iter().map(prepare).collect();
        let mut tagged = pipeline.tag(&inputs, Keep::Id).unwrap();
        // The window keeps tokens in half precision, as the feature store does.
        let round = |value: &mut f32| *value = half::f16::from_f32(*value).to_f32();
        tagged.iter_mut().for_each(|tagged| tagged.tokens.iter_mut().for_each(round));
        tagged
    };
    folders.iter().map(of_folder).collect()
}

/// What the library says of the sets.
fn expected(tagged: &[Vec<TaggerOutput>], settings: &Settings) -> Metrics {
    let pipeline = pipeline();
    let scores = |images: &Vec<TaggerOutput>| -> Vec<f32> {
        let analyses =
            pipeline.analyse_batch(&images.iter().collect::<Vec<_>>(), settings).unwrap();
        analyses.iter().map(|analysis| analysis.verdict.ranked.unwrap()).collect()
    };
    RankedScores::from_sets(scores(&tagged[0]), scores(&tagged[1])).unwrap().metrics()
}

pub fn assert_close(a: &Metrics, b: &Metrics, what: &str) {
    // The worker projects in other batches; the scores differ in their last bits.
    assert!((a.auroc - b.auroc).abs() < 2e-3, "{what}: AUROC {} and {}", a.auroc, b.auroc);
    assert!((a.fpr95 - b.fpr95).abs() < 0.04, "{what}: FPR95 {} and {}", a.fpr95, b.fpr95);
}

#[test]
fn lambda_moves_and_the_counts_are_the_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(sets(folder.path()));
    let roles: Vec<Role> = session(&harness).sets().iter().map(|set| set.role).collect();
    assert_eq!(roles, [Role::Id, Role::Ood]);
    assert_counts(&harness);
    let scores = ranked(session(&harness)).distinct_scores().to_vec();
    for share in [0.2, 0.5, 0.9] {
        let lambda = scores[(scores.len() as f64 * share) as usize];
        harness.get_by_label("λ on the histogram").set_value_accesskit(lambda);
        settle(&mut harness);
        assert_eq!(session(&harness).lambda(), Some(lambda as f32));
        assert_counts(&harness);
    }
    // With the pointer.
    let before = session(&harness).lambda().unwrap();
    let from = harness.get_by_label("λ on the histogram").rect().center();
    harness.drag_at(from);
    harness.step();
    harness.hover_at(from - eframe::egui::vec2(60.0, 0.0));
    harness.run_steps(2);
    harness.drop_at(from - eframe::egui::vec2(60.0, 0.0));
    settle(&mut harness);
    assert!(session(&harness).lambda().unwrap() < before, "dragging left lowers λ");
    assert_counts(&harness);
    // On the ROC curve, and by a goal.
    show(&mut harness, "roc");
    harness.get_by_label("λ on the ROC curve").set_value_accesskit(scores[scores.len() / 3]);
    settle(&mut harness);
    assert_eq!(session(&harness).lambda(), Some(scores[scores.len() / 3] as f32));
    assert_counts(&harness);
    harness.get_by_label("of ID").click();
    settle(&mut harness);
    let wanted = ranked(session(&harness)).lambda_for_tpr(0.95).unwrap();
    assert_eq!(session(&harness).lambda(), Some(wanted.lambda as f32));
    assert_counts(&harness);
    harness.get_by_label("AUROC").click();
    harness.run_steps(2);
    harness.get_by_label("AUROC · best");
    // The keys of the handle belong to it, not to the gallery.
    let focus = session(&harness).focus;
    harness.get_by_label("λ on the ROC curve").focus();
    harness.run_steps(2);
    harness.key_press(Key::ArrowRight);
    settle(&mut harness);
    assert!(session(&harness).lambda().unwrap() > wanted.lambda as f32);
    assert_eq!(session(&harness).focus, focus);
}

#[test]
fn tau_moves_and_the_curves_are_the_librarys() {
    let folder = tempfile::tempdir().unwrap();
    let folders = sets(folder.path());
    let mut harness = window(folders.clone());
    let tagged = tagged(&folders);
    for tau in [0.5, 0.3, 0.8] {
        send(&mut harness, Command::SetTau(tau));
        let session = session(&harness);
        let present = session.tuning.present.as_ref().unwrap();
        let separation = present.separation.as_ref().unwrap();
        assert_close(&separation.mean, &expected(&tagged, session.settings()), &format!("τ {tau}"));
        assert_eq!(session.tuning.intervals().unwrap().sets.len(), 1);
    }
    send(&mut harness, Command::SetTau(0.5));
    show(&mut harness, "sweep");
    let swept = session(&harness);
    assert!(swept.tuning.sweep().is_complete());
    for (step, tau) in [(0, 0.0), (10, 0.5), (16, 0.8)] {
        let point = &swept.tuning.sweep().points[&step];
        assert_eq!(point.tau, tau);
        let settings = Settings { tau, ..swept.settings().clone() };
        assert_close(&point.mean, &expected(&tagged, &settings), &format!("sweep at {tau}"));
    }
    harness.get_by_label("τ on the sweep").set_value_accesskit(0.25);
    settle(&mut harness);
    assert_eq!(session(&harness).settings().tau, 0.25);
}

#[test]
fn a_click_on_a_bin_selects_its_images() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(sets(folder.path()));
    let scores = ranked(session(&harness)).distinct_scores().to_vec();
    send(&mut harness, Command::SetLambda(Some(scores[scores.len() / 2] as f32)));
    harness.run_steps(2);
    let (label, count) = {
        let lambda = harness.get_by_label("λ on the histogram").rect().expand(2.0);
        let mut bins = harness.get_all_by_label_contains("near, scores ");
        let bin = bins.find(|bin| !bin.rect().intersects(lambda)).unwrap();
        bin.click();
        let label = bin.accesskit_node().label().unwrap();
        let count: usize =
            label.split(": ").last().unwrap().split(' ').next().unwrap().parse().unwrap();
        (label, count)
    };
    settle(&mut harness);
    let session = session(&harness);
    assert_eq!(session.selected.len(), count, "{label}");
    assert!(session.selected.iter().all(|&id| session.entry(id).unwrap().set == "near"));
    // The list beside it: the most wrong first, and a click shows it.
    let lambda = session.lambda().unwrap();
    let wrong = |id: ImageId| {
        let entry = session.entry(id).unwrap();
        let truth = session.truth(entry.set_at);
        truth != entry.outcome()
    };
    let worst = session
        .entries()
        .iter()
        .filter(|entry| wrong(entry.id))
        .max_by(|a, b| {
            let far = |score: Option<f32>| (score.unwrap() - lambda).abs();
            far(a.score()).total_cmp(&far(b.score()))
        })
        .map(|entry| (entry.id, format!("{} {}, ", entry.set, entry.name)));
    let Some((id, label)) = worst else { panic!("nothing is wrong") };
    harness.get_by_label_contains(&label).click();
    settle(&mut harness);
    assert_eq!(self::session(&harness).focus, Some(id));
}

#[test]
fn a_pinned_setting_is_compared_with_the_present_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(sets(folder.path()));
    harness.key_press(Key::P);
    settle(&mut harness);
    let outcomes = |session: &Session| -> Vec<(ImageId, Option<Outcome>)> {
        session.entries().iter().map(|entry| (entry.id, entry.outcome())).collect()
    };
    let before = outcomes(session(&harness));
    let settings = session(&harness).settings().clone();
    let scores = ranked(session(&harness)).distinct_scores().to_vec();
    send(&mut harness, Command::SetLambda(Some(scores[scores.len() * 3 / 4] as f32)));
    show(&mut harness, "compare");
    let after = outcomes(session(&harness));
    let flipped: Vec<ImageId> =
        before.iter().zip(&after).filter(|(a, b)| a != b).map(|(a, _)| a.0).collect();
    assert!(!flipped.is_empty());
    harness.get_by_label(&format!("{} verdicts flip", flipped.len()));
    harness.get_by_label("Select all").click();
    settle(&mut harness);
    let mut selected = session(&harness).selected.clone();
    selected.sort_unstable();
    assert_eq!(selected, flipped);
    harness.get_by_label("Back to A").click();
    settle(&mut harness);
    assert_eq!(*session(&harness).settings(), settings);
    assert!(session(&harness).flips().is_empty());
    harness.get_by_label("0 verdicts flip");
}

#[test]
fn the_table_of_detectors_is_the_librarys_and_chooses() {
    let folder = tempfile::tempdir().unwrap();
    let folders = sets(folder.path());
    let mut harness = window(folders.clone());
    show(&mut harness, "detectors");
    let tagged = tagged(&folders);
    let table = &session(&harness).tuning.table();
    assert!(table.complete);
    assert_eq!(table.sets, ["near"]);
    assert!(table.rows.len() > 3, "{} detectors", table.rows.len());
    for row in &table.rows {
        let mut settings = session(&harness).settings().clone();
        settings.detector = row.info.id.to_owned();
        assert_close(&row.mean, &expected(&tagged, &settings), row.info.id);
    }
    harness.get_by_label("Use MSP").click();
    settle(&mut harness);
    assert_eq!(session(&harness).settings().detector, "msp");
    let mean = session(&harness).tuning.present.as_ref().unwrap().separation.as_ref().unwrap().mean;
    let row =
        session(&harness).tuning.table().rows.iter().find(|row| row.info.id == "msp").unwrap();
    assert_close(&row.mean, &mean, "msp");
    // Its curve beside another's.
    send(&mut harness, Command::ToggleOverlay("energy".into()));
    show(&mut harness, "roc");
    harness.get_by_label("Energy");
}

#[test]
fn roles_can_be_changed_and_undone() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(sets(folder.path()));
    harness.run_steps(90);
    set_role(&mut harness, "near", Role::Unused);
    assert!(session(&harness).tuning.present.as_ref().unwrap().separation.is_none());
    harness.get_by_label("Set near: unused, 30 images");
    harness.run_steps(90);
    harness.key_press_modifiers(eframe::egui::Modifiers::COMMAND, Key::Z);
    settle(&mut harness);
    assert_eq!(session(&harness).sets()[1].role, Role::Ood);
    assert!(session(&harness).tuning.present.as_ref().unwrap().separation.is_some());
}

#[test]
fn a_training_is_started_stopped_resumed_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let lens = env!("CARGO_BIN_EXE_tagood-lens");
    let mut draw = std::process::Command::new(lens);
    draw.args(["demo", "scenes", "--set", "id", "--count", "64", "--out"]).arg(folder.path());
    assert!(draw.output().unwrap().status.success());
    let id = folder.path().join("id");
    let mut harness = window(vec![id.clone()]);
    let model_args = ["--device", "cpu", "--hidden", "32", "--batch", "32", "--model"];
    let mut arguments: Vec<std::ffi::OsString> = model_args.map(Into::into).to_vec();
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny/tiny_ram.pth");
    arguments.push(tiny.into());
    let program = Program { path: lens.into(), model: arguments };
    harness.state_mut().app.as_mut().unwrap().enable_fitting(program);
    show(&mut harness, "training");
    let out = folder.path().join("fitted.bundle");
    let recipe = Recipe::Released;
    let job = FitJob { id, out: out.clone(), recipe, epochs: 30, vocabulary: None };
    let send_job = |harness: &mut Harness<'_, Stage>, job: &FitJob, mode| {
        harness.state_mut().app.as_mut().unwrap().send(Command::StartFit(job.clone(), mode));
        harness.run_steps(2);
    };
    send_job(&mut harness, &job, FitMode::Propose);
    wait_for(&mut harness, "the vocabulary", |m| m.fitting.state == FitState::Proposed);
    harness.run_steps(2);
    let proposal = harness.get_by_label("Vocabulary").value().unwrap();
    assert!(proposal.contains(" images; "), "{proposal}");
    // Each class with samples and its tag, of which another can be chosen.
    let class = proposal.lines().find_map(|line| line.split_once('\t')).unwrap().0.to_owned();
    let count = std::fs::read_dir(job.id.join(&class)).unwrap().count().min(5);
    let samples = format!("{count} samples of {class}");
    let started = std::time::Instant::now();
    while harness.query_by_label(&samples).is_none() {
        assert!(started.elapsed().as_secs() < 60, "no samples of {class}");
        harness.step();
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let other = proposal.lines().find_map(|line| line.split_once(" images; ")).unwrap().1;
    let other = other.split(", ").nth(1).unwrap().rsplit_once(' ').unwrap();
    harness.get_by_label(&format!("Tag of {class}")).click();
    harness.run_steps(3);
    harness.get_by_label(&format!("{} ({})", other.0, other.1)).click();
    harness.run_steps(3);
    let edited = harness.get_by_label("Vocabulary").value().unwrap();
    assert!(edited.contains(&format!("{class}\t{}", other.0)), "{edited}");
    send_job(&mut harness, &job, FitMode::Train);
    wait_for(&mut harness, "an epoch", |m| !m.fitting.progress.projector.is_empty());
    harness.run_steps(2);
    harness.get_by_label("Stop training").click();
    harness.run_steps(2);
    assert_eq!(session(&harness).fitting.state, FitState::Stopped);
    assert!(!out.exists(), "it was stopped before its end");
    let stopped_at = session(&harness).fitting.progress.projector.len();
    harness.get_by_label("Go on with it").click();
    wait_for(&mut harness, "the model", |m| m.fitting.state == FitState::Done);
    let log = &session(&harness).fitting.progress.projector;
    assert!(log.len() == 30 && stopped_at < 30, "stopped after {stopped_at} of {}", log.len());
    assert!(log.windows(2).all(|pair| pair[1].epoch == pair[0].epoch + 1));
    harness.run_steps(2);
    harness.get_by_label("Use the new model").click();
    wait_for(&mut harness, "the new model", |m| m.info().is_some_and(|i| i.manifest.name == "id"));
    settle(&mut harness);
    assert!(session(&harness).entries().iter().all(|entry| entry.analysis.is_some()));
}

/// What a frame's λ costs with 100,000 images: `cargo test --test it ui_curves::what_ -- --ignored
/// --nocapture`.
#[test]
#[ignore = "measures; see above"]
fn what_a_dragged_lambda_costs() {
    const IMAGES: usize = 100_000;
    let mut session = Session::default();
    let pipeline = pipeline();
    let info = std::sync::Arc::new(ModelInfo::of(&pipeline, 0.0));
    session.take(Event::ModelReady(info).into());
    let image = |at: usize| {
        let set = if at.is_multiple_of(2) { "id" } else { "near" };
        (ImageId::unique(), ImageSource::File(format!("/sets/{set}/{at}.png").into()))
    };
    let images: Vec<(ImageId, ImageSource)> = (0..IMAGES).map(image).collect();
    let folders = vec!["/sets/id".into(), "/sets/near".into()];
    let job = JobId::unique();
    let mut times = Vec::new();
    for part in images.chunks(4096) {
        let (images, folders) = (part.to_vec(), folders.clone());
        let listed = Event::Listed { job, images, folders, more: false };
        let started = std::time::Instant::now();
        session.take(listed.into());
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    let (all, longest) = (times.iter().sum::<f64>(), times.iter().copied().fold(0.0, f64::max));
    println!("listed and grouped in {all:.1} ms, the longest part in {longest:.1} ms");
    for (at, (image, _)) in images.into_iter().enumerate() {
        let spread = (image.scattered() % 10_000) as f32 / 10_000.0;
        let score = spread + if at.is_multiple_of(2) { 0.2 } else { 0.0 };
        let verdict = Verdict::by_threshold(score, Some(0.5), vec!["a tag".into()], None);
        let analysis = Analysis {
            decomposition: Default::default(),
            projected: None,
            nearest: Vec::new(),
            patterns: Vec::new(),
            cosines: None,
            verdict,
            stage_ms: [0.0; 3],
        };
        let (generation, analysis) = (session.images().generation(), std::sync::Arc::new(analysis));
        session.take(Event::TaggerOutput { image, tagger_ms: 0.0 }.into());
        session.take(Event::Analysed { image, generation, analysis }.into());
    }
    let wanted = VisiblePanels { curves: true, ..VisiblePanels::default() };
    let started = std::time::Instant::now();
    let (requests, _) = session.follow(1.0, wanted);
    println!("scores gathered in {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    for request in requests {
        if let SessionRequest::Compute(computation) = request {
            session.take(computation.run().into());
        }
    }
    println!("sorted and compared after {:.1} ms", started.elapsed().as_secs_f64() * 1e3);
    let measured = session.tuning.present.clone().unwrap();
    let (mut decided, mut counted) = (Vec::new(), Vec::new());
    for step in 0..200 {
        let lambda = 0.2 + step as f32 * 0.004;
        let started = std::time::Instant::now();
        session.apply(Command::SetLambda(Some(lambda)));
        decided.push(started.elapsed().as_secs_f64() * 1e3);
        let started = std::time::Instant::now();
        let counts = measured.counts_at(lambda).unwrap();
        counted.push(started.elapsed().as_secs_f64() * 1e3);
        let kept = session.entries().iter().filter(|e| e.outcome() == Some(Outcome::Id)).count();
        assert_eq!(kept, counts.id_kept + counts.ood_missed);
    }
    for (what, mut times) in [("every verdict anew", decided), ("the four counts", counted)] {
        times.sort_unstable_by(f64::total_cmp);
        println!("{what}: p50 {:.4} ms, p99 {:.4} ms", times[100], times[198]);
    }
}
