//! What a session does with commands and events, without a thread.

mod restart;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::command::{Command, ModelSource};
use super::compare::CompareMode;
use super::known::KnownEdit;
use super::saved::SavedState;
use super::sets::{Role, SetId};
use super::tuning::VisiblePanels;
use super::{LambdaOrigin, Session, SessionRequest};
use crate::bundle::embedded;
use crate::bundle::known::{Known, KnownName, typed_names};
use crate::gpu::DeviceChoice;
use crate::pipeline::{Analysis, Nearest, Settings};
use crate::score::verdict::{Outcome, Score, Verdict};
use crate::worker::{self, Event, ImageId, ImageSource, JobId, ModelInfo, Surveyed};

/// What there is to know of the embedded model, without weights.
fn model() -> Arc<ModelInfo> {
    let mut bundle = embedded::bundle().unwrap();
    bundle.manifest.lambda.retain(|lambda| lambda.detector == "tagood-cosine");
    let defaults = Settings::new(bundle.manifest.tau, bundle.manifest.recipe);
    let detectors = ["tagood-cosine", "msp"].map(|id| crate::score::by_name(id).unwrap().info());
    Arc::new(ModelInfo {
        manifest: bundle.manifest,
        vocabulary: bundle.vocabulary,
        device: "none".into(),
        head: None,
        detectors: detectors.to_vec(),
        labels: None,
        known: Default::default(),
        defaults,
        load_ms: 0.0,
    })
}

pub(super) fn list(session: &mut Session, root: &str, files: &[&str]) -> Vec<ImageId> {
    let image = |file: &&str| {
        (ImageId::unique(), ImageSource::File(PathBuf::from(format!("{root}/{file}"))))
    };
    let images: Vec<(ImageId, ImageSource)> = files.iter().map(image).collect();
    let ids = images.iter().map(|(id, _)| *id).collect();
    let (job, folders) = (JobId::unique(), vec![PathBuf::from(root)]);
    session.take(Event::Listed { job, images, folders, more: false }.into());
    session.take(Event::JobEnded(job).into());
    ids
}

/// Says that an image was tagged, and what it scores at the present settings.
fn score(session: &mut Session, image: ImageId, score: f32) {
    let analysis = Arc::new(Analysis {
        decomposition: Default::default(),
        projected: None,
        nearest: Vec::new(),
        patterns: Vec::new(),
        cosines: None,
        verdict: Verdict::by_threshold(score, None, vec!["a tag".into()], None),
        stage_ms: [0.0; 3],
    });
    let generation = session.images().generation();
    session.take(Event::TaggerOutput { image, tagger_ms: 1.0 }.into());
    session.take(Event::Analysed { image, generation, analysis }.into());
}

/// Four images in an ID set and four in an OOD set, tagged and scored.
pub(super) fn scored() -> (Session, Vec<ImageId>) {
    let mut session = Session::default();
    session.take(Event::ModelReady(model()).into());
    let files = ["id/1.png", "id/2.png", "id/3.png", "id/4.png"];
    let mut ids = list(&mut session, "/w", &files);
    ids.extend(list(&mut session, "/w", &["near/1.png", "near/2.png", "near/3.png", "near/4.png"]));
    for (id, value) in ids.iter().zip([0.9, 0.8, 0.7, 0.6, 0.65, 0.3, 0.2, 0.1]) {
        score(&mut session, *id, value);
    }
    (session, ids)
}

const CURVES: VisiblePanels = VisiblePanels { curves: true, table: false, sweep: false };

/// Does what a window does between two frames, computations at once; what the worker is asked.
fn settle(session: &mut Session, time: f64, visible: VisiblePanels) -> Vec<worker::Request> {
    let mut asked = Vec::new();
    let (mut requests, _) = session.follow(time, visible);
    while let Some(request) = requests.pop() {
        match request {
            SessionRequest::Compute(computation) => {
                requests.extend(session.take(computation.run().into()));
            }
            SessionRequest::Worker(request) => asked.push(request),
            SessionRequest::Embedding(_) | SessionRequest::Fit(_) | SessionRequest::Recall(_) => {}
        }
    }
    asked
}

fn roles(session: &Session) -> Vec<(&str, Role)> {
    session.sets().iter().map(|set| (set.title(), set.role)).collect()
}

fn asks_for_analyses(requests: &[SessionRequest]) -> bool {
    let is = |request: &SessionRequest| {
        matches!(request, SessionRequest::Worker(worker::Request::Analysis { .. }))
    };
    requests.iter().any(is)
}

#[test]
fn images_fall_into_sets_with_roles() {
    let mut session = Session::default();
    list(&mut session, "/w", &["id/a/1.png", "near/b/1.png", "masks/1.png"]);
    let told = [("id", Role::Id), ("near", Role::Ood), ("masks", Role::Unused)];
    assert_eq!(roles(&session), told);
    assert!(
        session
            .apply(Command::SetRole(SetId::of_folder(Path::new("/w/masks")), Role::Ood))
            .is_empty()
    );
    assert_eq!(roles(&session)[2], ("masks", Role::Ood));
    assert_eq!(session.truth(2), Some(Outcome::Ood));
    // More images change nothing of what the user said.
    list(&mut session, "/w", &["id/a/2.png"]);
    assert_eq!(roles(&session)[2], ("masks", Role::Ood));
}

#[test]
fn a_models_classes_make_sets() {
    let mut session = Session::default();
    let info = model();
    let class = info.vocabulary.classes[0].name.clone();
    let files = [format!("{class}/1.png"), "holiday/2.png".to_owned()];
    list(&mut session, "/photos", &files.each_ref().map(String::as_str));
    assert_eq!(session.entries()[0].class, None);
    session.take(Event::ModelReady(info).into());
    assert_eq!(session.entries()[0].class, Some(0));
    assert_eq!(roles(&session), [("photos", Role::Id)], "half of its images have a known class");
}

#[test]
fn a_slider_is_one_step_of_undo() {
    let (mut session, _) = scored();
    let before = session.settings().clone();
    for (step, tau) in [0.41, 0.42, 0.43].into_iter().enumerate() {
        settle(&mut session, step as f64 * 0.2, CURVES);
        assert!(asks_for_analyses(&session.apply(Command::SetTau(tau))));
    }
    session.apply(Command::SetRole(SetId::of_folder(Path::new("/w/near")), Role::Unused));
    settle(&mut session, 9.0, CURVES);
    session.apply(Command::SetTau(0.6));
    session.apply(Command::Undo);
    assert_eq!(session.settings().tau, 0.43);
    session.apply(Command::Undo);
    assert_eq!(roles(&session)[1].1, Role::Ood);
    assert!(asks_for_analyses(&session.apply(Command::Undo)));
    assert_eq!(*session.settings(), before);
    assert!(session.apply(Command::Undo).is_empty(), "there is nothing more to undo");
    for _ in 0..3 {
        session.apply(Command::Redo);
    }
    assert_eq!((session.settings().tau, roles(&session)[1].1), (0.6, Role::Unused));
    // A new step takes the place of those that were undone.
    session.apply(Command::Undo);
    session.apply(Command::SetLambda(Some(0.5)));
    session.apply(Command::Redo);
    assert_eq!((session.settings().tau, session.settings().lambda), (0.43, Some(0.5)));
}

#[test]
fn a_lambda_decides_without_the_worker_and_says_where_it_is_from() {
    let (mut session, ids) = scored();
    assert_eq!(session.lambda_origin(), Some(LambdaOrigin::Model));
    assert!(session.apply(Command::SetLambda(Some(0.75))).is_empty());
    assert_eq!(session.lambda_origin(), Some(LambdaOrigin::User));
    let outcome = |session: &Session, at: usize| session.entry(ids[at]).unwrap().outcome();
    assert_eq!(
        (outcome(&session, 1), outcome(&session, 2)),
        (Some(Outcome::Id), Some(Outcome::Ood))
    );
    session.apply(Command::SetLambda(Some(f32::NAN)));
    assert_eq!(session.lambda(), Some(0.75));
    // A detector without a threshold of its own takes the one that keeps 95 % of the open ID set.
    session.apply(Command::SetDetector("msp".into()));
    assert_eq!((session.lambda(), session.lambda_origin()), (None, None));
    ids.iter().zip([8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]).for_each(|(id, value)| {
        score(&mut session, *id, value);
    });
    settle(&mut session, 1.0, CURVES);
    assert_eq!(
        (session.lambda(), session.lambda_origin()),
        (Some(5.0), Some(LambdaOrigin::OpenSet))
    );
    assert_eq!(
        (outcome(&session, 3), outcome(&session, 4)),
        (Some(Outcome::Id), Some(Outcome::Ood))
    );
}

#[test]
fn a_pinned_setting_is_compared_with_the_present_one() {
    let (mut session, ids) = scored();
    session.apply(Command::SetLambda(Some(0.5)));
    for request in session.apply(Command::Pin) {
        let SessionRequest::Compute(computation) = request else {
            panic!("a pin asks for curves alone")
        };
        session.take(computation.run().into());
    }
    assert!(session.flips().is_empty());
    session.apply(Command::SetLambda(Some(0.66)));
    let flips: Vec<(ImageId, Option<bool>)> =
        session.flips().iter().map(|flip| (flip.image, flip.is_better())).collect();
    assert_eq!(flips, [(ids[3], Some(false)), (ids[4], Some(true))]);
    session.apply(Command::RestorePinned);
    assert_eq!(session.settings().lambda, Some(0.5));
    session.apply(Command::Unpin);
    assert!(session.tuning.pinned().is_none());
}

#[test]
fn a_saved_pin_is_scored_by_a_survey() {
    let (mut first, _) = scored();
    first.apply(Command::SetLambda(Some(0.5)));
    let pinned_settings = first.settings().clone();
    for request in first.apply(Command::Pin) {
        let SessionRequest::Compute(computation) = request else { panic!("curves alone") };
        first.take(computation.run().into());
    }
    first.apply(Command::SetTau(0.2));
    let saved = first.saved();

    // The same images at the setting of now, and the kept one without scores.
    let (mut session, ids) = scored();
    session.apply(Command::Restore(Box::new(super::SavedState { images: Vec::new(), ..saved })));
    session.basis.settings.lambda = Some(0.5);
    assert_eq!(session.settings().tau, 0.2);
    assert!(session.entries().is_empty() && ids.len() == 8);
    let mut ids = list(&mut session, "/w", &["id/1.png", "id/2.png"]);
    ids.extend(list(&mut session, "/w", &["near/1.png", "near/2.png"]));
    for (&id, value) in ids.iter().zip([0.9, 0.8, 0.3, 0.2]) {
        score(&mut session, id, value);
    }
    assert!(session.tuning.pinned().is_none());
    let none = VisiblePanels { curves: false, ..CURVES };
    settle(&mut session, 1.0, none);
    let asked = settle(&mut session, 2.0, none);
    let [worker::Request::Survey(Some(survey))] = asked.as_slice() else {
        panic!("the kept setting is surveyed: {}", asked.len())
    };
    let Settings { features, tau, recipe, .. } = pinned_settings;
    assert_eq!((survey.features, survey.recipe), (features.at(tau), recipe));
    assert_eq!(survey.detectors, ["tagood-cosine"]);
    assert!(!session.is_settled(), "its scores are awaited");
    let (ticket, images) = (survey.ticket, survey.images.clone());
    let of = |id: &ImageId| {
        let at = ids.iter().position(|known| known == id).unwrap();
        Score::of([0.7, 0.4, 0.6, 0.1][at])
    };
    let scores = vec![Some(images.iter().map(of).collect())];
    let done = images.len();
    session.take(Event::Surveyed(Surveyed { ticket, images, scores, done }).into());
    settle(&mut session, 3.0, none);
    let pinned = session.tuning.pinned().expect("it is kept again, with its curves");
    assert_eq!((&pinned.settings, pinned.lambda), (&pinned_settings, Some(0.5)));
    let verdicts: Vec<_> = ids.iter().map(|id| pinned.verdicts[id]).collect();
    let (id, ood) = (Some(Outcome::Id), Some(Outcome::Ood));
    let expected = [(0.7, id), (0.4, ood), (0.6, id), (0.1, ood)];
    assert_eq!(verdicts, expected.map(|(score, outcome)| (Some(score), outcome)));
    assert_eq!(pinned.measured.separation.as_ref().unwrap().mean.auroc, 0.75);
    let flips: Vec<ImageId> = session.flips().iter().map(|flip| flip.image).collect();
    assert_eq!(flips, [ids[1], ids[2]], "what is decided otherwise now");
}

#[test]
fn what_is_removed_leaves_its_neighbour_on_show() {
    let (mut session, ids) = scored();
    session.apply(Command::Select(vec![ids[0], ids[2]]));
    let requests = session.apply(Command::RemoveSelected);
    let [SessionRequest::Worker(worker::Request::Remove(gone))] = requests.as_slice() else {
        panic!("the worker is asked to forget them")
    };
    assert_eq!(*gone, [ids[0], ids[2]]);
    assert_eq!(session.focus, Some(ids[3]));
    assert_eq!(session.selected, [ids[3]]);
    assert!(session.entry(ids[0]).is_none());
    session.apply(Command::Remove(ids[4..].to_vec()));
    assert_eq!(roles(&session), [("id", Role::Id)]);
    session.apply(Command::Remove(ids));
    assert_eq!((session.focus, session.sets().len()), (None, 0));
    assert!(session.apply(Command::RemoveSelected).is_empty(), "nothing is selected");
}

#[test]
fn the_old_model_stays_until_another_is_whole() {
    let (mut session, ids) = scored();
    session.apply(Command::ShowTags(vec![3]));
    let open: worker::OpenModel = Arc::new(|_| anyhow::bail!("never opened here"));
    let source = ModelSource::unnamed("other", open, DeviceChoice::Cpu);
    session.apply(Command::LoadModel(source));
    let old = session.info().unwrap().clone();
    assert_eq!(session.model().loading.as_ref().unwrap().name, "other");
    session.take(Event::ModelFailed("no model here: /empty".into()).into());
    assert!(Arc::ptr_eq(session.info().unwrap(), &old));
    assert!(session.model().loading.is_none() && !session.notices().is_empty());
    assert!(session.entries().iter().all(|entry| entry.outcome().is_some()));

    let requests = session.take(Event::ModelReady(model()).into());
    assert!(asks_for_analyses(&requests));
    let reopened = requests.iter().find_map(|request| match request {
        SessionRequest::Worker(worker::Request::Reopen { images, .. }) => Some(images.len()),
        _ => None,
    });
    assert_eq!(reopened, Some(ids.len()));
    assert!(session.entries().iter().all(|entry| entry.analysis.is_none() && !entry.is_tagged));
    assert!(session.map.tags.is_empty());
    assert_eq!(session.jobs().len(), 1);
    // Answers to what the old model was asked change nothing.
    let before = session.revision();
    session.take(Event::Compared { image: ids[0], generation: 0, analysis: None }.into());
    assert_eq!(session.revision(), before);
}

/// What ends early is asked of the worker once, and its answers of another time are dropped.
#[test]
fn a_table_fills_while_nothing_else_is_done() {
    let (mut session, ids) = scored();
    let table = VisiblePanels { table: true, ..CURVES };
    settle(&mut session, 1.0, table);
    let asked = settle(&mut session, 2.0, table);
    let [worker::Request::Survey(Some(survey))] = asked.as_slice() else {
        panic!("the detectors are surveyed")
    };
    assert_eq!(survey.detectors, ["tagood-cosine", "msp"]);
    assert_eq!(survey.images.len(), ids.len());
    let (ticket, images) = (survey.ticket, survey.images.clone());
    let of = |id: &ImageId| Score::of(if ids[..4].contains(id) { 1.0 } else { 0.0 });
    let scores: Vec<Score> = images.iter().map(of).collect();
    let answer = |ticket| {
        let scores = vec![Some(scores.clone()), None];
        Event::Surveyed(Surveyed { ticket, images: images.clone(), scores, done: ids.len() })
    };
    session.take(answer(ticket + 1).into());
    settle(&mut session, 3.0, table);
    assert!(!session.is_table_current());
    session.take(answer(ticket).into());
    settle(&mut session, 4.0, table);
    assert!(session.is_table_current());
    let rows = &session.tuning.table().rows;
    assert_eq!(rows.len(), 1, "a detector that cannot score has no row");
    assert_eq!(rows[0].mean.auroc, 1.0);
    session.apply(Command::SetTau(0.9));
    assert!(!session.is_table_current());
}

fn names(session: &Session) -> Vec<&str> {
    session.entries().iter().map(|entry| entry.name.as_str()).collect()
}

#[test]
fn what_was_removed_comes_back() {
    let (mut session, ids) = scored();
    let (before, sets) = (names(&session).join(" "), roles(&session).len());
    session.apply(Command::Remove(vec![ids[6], ids[1], ids[0]]));
    session.apply(Command::Remove(ids[2..].to_vec()));
    assert!(session.entries().is_empty() && session.sets().is_empty());
    session.apply(Command::Undo);
    assert_eq!(session.entries().len(), 5);
    let requests = session.apply(Command::Undo);
    assert_eq!(names(&session).join(" "), before, "each is where it was");
    assert_eq!(roles(&session).len(), sets, "and in its set");
    let again = requests.iter().find_map(|request| match request {
        SessionRequest::Worker(worker::Request::Reopen { images, job }) => Some((images, *job)),
        _ => None,
    });
    let (images, job) = again.expect("the worker tags them again");
    let reopened: Vec<ImageId> = images.iter().map(|(id, _)| *id).collect();
    assert_eq!(reopened, [ids[0], ids[1], ids[6]]);
    assert!(session.jobs().iter().any(|running| running.id == job));
    session.apply(Command::Redo);
    session.apply(Command::Redo);
    assert!(session.entries().is_empty());
    for _ in 0..2 {
        session.apply(Command::Undo);
    }
    assert_eq!(names(&session).join(" "), before);
}

#[test]
fn what_was_opened_goes_again() {
    let (mut session, _) = scored();
    let before = session.entries().len();
    let requests = session.apply(Command::OpenPaths(vec![PathBuf::from("/more")]));
    let [SessionRequest::Worker(worker::Request::AddPaths { job, .. })] = requests.as_slice()
    else {
        panic!("the worker opens them")
    };
    let list = |part: u32| Event::Listed {
        job: *job,
        images: vec![(ImageId::unique(), ImageSource::File(format!("/more/{part}.png").into()))],
        folders: vec!["/more".into()],
        more: part == 1,
    };
    session.take(list(1).into());
    session.apply(Command::SetTau(0.9));
    session.take(list(2).into());
    assert_eq!(session.entries().len(), before + 2);
    session.apply(Command::Undo);
    assert_eq!(session.entries().len(), before + 2, "τ was the last step");
    let requests = session.apply(Command::Undo);
    assert_eq!(session.entries().len(), before);
    let stops = |request: &SessionRequest| matches!(request, SessionRequest::Worker(worker::Request::Cancel(stopped)) if stopped == job);
    assert!(requests.iter().any(stops), "what is still to come is stopped");
    session.apply(Command::Redo);
    assert_eq!(session.entries().len(), before + 2);
}

#[test]
fn the_image_before_is_compared_with_and_stays_while_others_pass() {
    let (mut session, ids) = scored();
    let beside = |session: &Session| session.beside().map(|entry| entry.id);
    session.apply(Command::Select(vec![ids[0]]));
    session.apply(Command::Select(vec![ids[3]]));
    assert_eq!(beside(&session), Some(ids[0]), "the one selected before");
    session.apply(Command::Select(vec![ids[3], ids[5]]));
    assert_eq!(beside(&session), Some(ids[3]), "of several, the last before it");
    session.apply(Command::Select(vec![ids[6]]));
    assert_eq!(beside(&session), Some(ids[5]));
    session.apply(Command::ShowBeside(CompareMode::Image));
    for walked in [ids[0], ids[1], ids[2]] {
        session.apply(Command::Select(vec![walked]));
        assert_eq!(beside(&session), Some(ids[5]));
    }
    // The one beside comes to the front: the two change places.
    session.apply(Command::Select(vec![ids[5]]));
    assert_eq!(beside(&session), Some(ids[2]));
    session.apply(Command::Remove(vec![ids[2]]));
    assert_eq!(beside(&session), None);
}

/// What there is to know of the embedded CLIP once these names are known, without weights.
fn clip(names: &str) -> Arc<ModelInfo> {
    let mut bundle = embedded::clip_bundle().unwrap();
    let names = typed_names(names);
    bundle.know(names.clone()).unwrap();
    let detectors = ["mcm", "clipn-ctw", "clipn-atd-decision"];
    let detectors = detectors.map(|id| crate::score::by_name(id).unwrap().info());
    let (first, count) = if names.is_empty() { ("mcm", 0) } else { ("clipn-atd-decision", 3) };
    let own = Settings::new(bundle.manifest.tau, bundle.manifest.recipe);
    let templates = bundle.manifest.clip.as_ref().unwrap().templates.clone();
    Arc::new(ModelInfo {
        known: Known { names, templates, negatives: None },
        defaults: Settings { detector: first.into(), ..own },
        detectors: detectors[..count].to_vec(),
        manifest: bundle.manifest,
        vocabulary: bundle.vocabulary,
        device: "none".into(),
        head: None,
        labels: None,
        load_ms: 0.0,
    })
}

/// The generation of the change of names that the worker is asked for.
fn asked_for_names(requests: &[SessionRequest]) -> Option<u64> {
    requests.iter().find_map(|request| match request {
        SessionRequest::Worker(worker::Request::SetLabels { generation, .. }) => Some(*generation),
        _ => None,
    })
}

fn known(session: &Session) -> Vec<&str> {
    session.known().unwrap().names.iter().map(|known| known.name.as_str()).collect()
}

fn know(session: &mut Session, edit: KnownEdit) -> Option<u64> {
    asked_for_names(&session.apply(Command::Know(edit)))
}

#[test]
fn names_are_typed_undone_and_kept() {
    let mut session = Session::default();
    session.take(Event::ModelReady(clip("")).into());
    assert_eq!(session.settings().detector, "mcm");
    let generation = know(&mut session, KnownEdit::Add(typed_names("cat, dog"))).unwrap();
    assert!(session.names.is_awaited() && !session.is_settled());
    let answer = |generation, names: &str| Event::LabelsSet { generation, info: clip(names) };
    let requests = session.take(answer(generation, "cat, dog").into());
    assert_eq!(session.settings().detector, "clipn-atd-decision", "which is there only now");
    assert!(asks_for_analyses(&requests) && !session.names.is_awaited());
    // What is wrong is said, and changes nothing.
    for (edit, why) in [
        (KnownEdit::Add(typed_names("bus, Cat")), "`Cat` is named twice"),
        (KnownEdit::Add(typed_names(" , ")), "nothing is named as known"),
        (KnownEdit::Rename("dog".into(), KnownName::parse("<|endoftext|>")), "<|endoftext|>"),
        (KnownEdit::Templates(vec!["a photo".into()]), "has no {}"),
        (KnownEdit::Templates(Vec::new()), "there is no template"),
        (KnownEdit::Refuse("no such list".into()), "no such list"),
    ] {
        assert_eq!(know(&mut session, edit), None);
        let error = session.names.error.clone().unwrap();
        assert!(error.contains(why), "{error}");
        assert_eq!(known(&session), ["cat", "dog"]);
    }
    session.apply(Command::SetDetector("mcm".into()));
    let generation = know(&mut session, KnownEdit::Remove("cat".into())).unwrap();
    session.take(answer(generation, "dog").into());
    assert_eq!(known(&session), ["dog"]);
    assert_eq!(session.settings().detector, "mcm", "the user's choice stays");
    assert_eq!(session.names.error, None);
    let saved = session.saved();
    let text = serde_json::to_string(&saved).unwrap();
    assert!(text.contains(r#""known":{"clip":{"names":[{"name":"dog","synonyms":[]}]"#), "{text}");
    let generation = asked_for_names(&session.apply(Command::Undo)).unwrap();
    assert_eq!(known(&session), ["cat", "dog"]);
    session.take(answer(generation, "cat, dog").into());
    session.apply(Command::Undo);
    let generation = asked_for_names(&session.apply(Command::Undo)).unwrap();
    session.take(answer(generation, "").into());
    assert!(known(&session).is_empty());
    assert!(asked_for_names(&session.apply(Command::Redo)).is_some());
    assert_eq!(known(&session), ["cat", "dog"]);

    // A session that is opened before its model is there.
    let mut other = Session::default();
    other.apply(Command::Restore(Box::new(serde_json::from_str(&text).unwrap())));
    let requests = other.take(Event::ModelReady(clip("")).into());
    let generation = asked_for_names(&requests).unwrap();
    other.take(answer(generation, "dog").into());
    assert_eq!((known(&other), other.settings().detector.as_str()), (vec!["dog"], "mcm"));
    assert_eq!(other.saved().known, saved.known);
    // The names wait while another kind of model is in use.
    other.take(Event::ModelReady(model()).into());
    assert!(known(&other).is_empty());
    let requests = other.take(Event::ModelReady(clip("")).into());
    assert!(asked_for_names(&requests).is_some());
    assert_eq!(known(&other), ["dog"]);
    // A file of before has none.
    let mut old: serde_json::Value = serde_json::from_str(&text).unwrap();
    old.as_object_mut().unwrap().remove("known");
    assert!(serde_json::from_value::<SavedState>(old).unwrap().known.is_empty());
}

#[test]
fn a_refused_change_leaves_names_and_undo_as_they_were() {
    let mut session = Session::default();
    session.take(Event::ModelReady(clip("cat, dog")).into());
    session.apply(Command::SetTau(0.8));
    let edit = KnownEdit::Negatives(Some("/nowhere/words.txt".into()));
    let generation = know(&mut session, edit).unwrap();
    // An answer to what was asked before says nothing of it.
    let old = Event::LabelsRefused { generation: generation - 1, error: "another".into() };
    session.take(old.into());
    assert!(session.names.is_awaited());
    let error = "cannot read the negative words: /nowhere/words.txt".to_owned();
    session.take(Event::LabelsRefused { generation, error: error.clone() }.into());
    assert_eq!(session.names.error, Some(error));
    assert_eq!(session.known().unwrap().negatives, None);
    assert!(session.saved().known.is_empty());
    session.apply(Command::Undo);
    assert_ne!(session.settings().tau, 0.8, "there is no step that does nothing");
}

/// Until an image is judged by the new names, it shows what was found under those that stay.
#[test]
fn what_was_found_moves_with_its_names() {
    let mut session = Session::default();
    session.take(Event::ModelReady(clip("cat, dog, bus")).into());
    let image = list(&mut session, "/w", &["id/cat/1.png"])[0];
    let mut analysis = Analysis {
        decomposition: Default::default(),
        projected: None,
        nearest: [0, 2].map(|class| Nearest { class, similarity: 0.3 }).to_vec(),
        patterns: Vec::new(),
        cosines: Some(Default::default()),
        verdict: Verdict::by_threshold(0.5, None, vec!["bus".into()], None),
        stage_ms: [0.0; 3],
    };
    analysis.decomposition.tags = vec![0, 2];
    let generation = session.images().generation();
    session.take(Event::TaggerOutput { image, tagger_ms: 1.0 }.into());
    let analysis = Arc::new(analysis);
    session.take(Event::Analysed { image, generation, analysis }.into());
    session.apply(Command::ShowTags(vec![0, 1, 2]));
    let generation = know(&mut session, KnownEdit::Remove("cat".into())).unwrap();
    session.take(Event::LabelsSet { generation, info: clip("dog, bus") }.into());
    let analysis = session.entry(image).unwrap().analysis.clone().unwrap();
    assert_eq!(analysis.decomposition.tags, [1]);
    assert_eq!(analysis.nearest.iter().map(|near| near.class).collect::<Vec<_>>(), [1]);
    assert_eq!(analysis.cosines, None);
    assert_eq!(session.map.tags, [0, 1]);
}

#[test]
fn a_tagger_takes_the_names_that_are_its_tags() {
    let (mut session, _) = scored();
    let tags = session.info().unwrap().vocabulary.tags.clone();
    let text = format!("{}, no such thing, {}", tags[0], tags[1]);
    assert!(know(&mut session, KnownEdit::Replace(typed_names(&text))).is_some());
    assert_eq!(known(&session), [&tags[0], &tags[1]]);
    let error = session.names.error.clone().unwrap();
    assert_eq!(error, "1 of 3 names is no tag of this tagger: `no such thing`");
    assert_eq!(know(&mut session, KnownEdit::Add(typed_names("nothing, nobody"))), None);
    assert!(session.names.error.clone().unwrap().contains("no tag named `nothing`"));
    assert_eq!(known(&session), [&tags[0], &tags[1]]);
}

#[test]
fn class_folders_of_id_sets_are_names() {
    let mut session = Session::default();
    list(&mut session, "/w", &["id/sea_lion/1.png", "id/sea_lion/2.png", "id/bus/a/3.png"]);
    list(&mut session, "/w", &["near/yeti/1.png"]);
    assert_eq!(session.class_folders(), ["bus", "sea lion"]);
    session.apply(Command::SetRole(SetId::of_folder(Path::new("/w/near")), Role::Id));
    assert_eq!(session.class_folders(), ["bus", "sea lion", "yeti"]);
}
