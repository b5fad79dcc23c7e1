//! What comes back of a session that was saved, and what is saved while it is on its way.

use super::*;
use crate::session::SavedModel;

/// Says that files were listed, which a job opened.
fn listed(session: &mut Session, job: JobId, files: &[PathBuf], folders: &[PathBuf], more: bool) {
    let image = |file: &PathBuf| (ImageId::unique(), ImageSource::File(file.clone()));
    let images = files.iter().map(image).collect();
    session.take(Event::Listed { job, images, folders: folders.to_vec(), more }.into());
}

/// Opens what was saved, as a file has it; the job that opens the images, and their paths.
fn restored(text: &str) -> (Session, JobId, Vec<PathBuf>) {
    let mut session = Session::default();
    let requests = session.apply(Command::Restore(serde_json::from_str(text).unwrap()));
    let opened = requests.into_iter().find_map(|request| match request {
        SessionRequest::Worker(worker::Request::AddPaths { job, paths }) => Some((job, paths)),
        _ => None,
    });
    let (job, paths) = opened.expect("the images are opened");
    (session, job, paths)
}

fn text(session: &Session) -> String {
    serde_json::to_string(&session.saved()).unwrap()
}

fn counts(session: &Session) -> Vec<(String, Role, usize)> {
    let count = |at| session.entries().iter().filter(|entry| entry.set_at == at).count();
    let sets = session.sets().iter().enumerate();
    sets.map(|(at, set)| (set.title().to_owned(), set.role, count(at))).collect()
}

#[test]
fn folders_of_class_folders_are_the_same_sets_after_a_restart() {
    let info = model();
    let known = info.vocabulary.classes[0].name.clone();
    let roots = ["val", "sun", "places", "textures", "near"].map(|set| format!("/w/{set}"));
    let roots = roots.map(PathBuf::from);
    let classes = |root: &PathBuf| {
        let classes = if root.ends_with("val") { [known.as_str(), "b"] } else { ["a", "b"] };
        classes.map(|class| root.join(class).join("1.png"))
    };
    let files: Vec<PathBuf> = roots.iter().flat_map(classes).collect();
    let mut before = Session::default();
    before.take(Event::ModelReady(info.clone()).into());
    listed(&mut before, JobId::unique(), &files, &roots, false);
    before.apply(Command::SetRole(SetId::of_folder(&roots[1]), Role::Ood));
    assert_eq!(before.sets().len(), 5);

    let (mut after, job, paths) = restored(&text(&before));
    // Whenever it is killed, the next start finds all of it.
    assert_eq!(after.saved().images, before.saved().images);
    after.take(Event::ModelReady(info).into());
    listed(&mut after, job, &paths[..3], &[], true);
    assert_eq!(after.saved().images, before.saved().images);
    listed(&mut after, job, &paths[3..], &[], false);
    assert_eq!(counts(&after), counts(&before));
    let (now, then) = (after.saved(), before.saved());
    assert_eq!((now.images, now.folders), (then.images, then.folders));
    assert_eq!(now.set_roles, then.set_roles);
}

#[test]
fn what_is_being_opened_is_saved() {
    let mut session = Session::default();
    let saved = |session: &Session| -> Vec<PathBuf> {
        session.saved().images.into_iter().map(PathBuf::from).collect()
    };
    let paths = vec![PathBuf::from("photos")];
    let requests = session.apply(Command::OpenPaths(paths));
    let [SessionRequest::Worker(worker::Request::AddPaths { job, paths })] = requests.as_slice()
    else {
        panic!("the worker opens it")
    };
    let folder = std::env::current_dir().unwrap().join("photos");
    assert_eq!(*paths, std::slice::from_ref(&folder), "from another folder it is found, too");
    assert_eq!(saved(&session), std::slice::from_ref(&folder));
    let files = ["1.png", "2.png"].map(|file| folder.join(file));
    listed(&mut session, *job, &files[..1], std::slice::from_ref(&folder), true);
    assert_eq!(saved(&session), std::slice::from_ref(&folder));
    listed(&mut session, *job, &files[1..], &[], false);
    assert_eq!(saved(&session), files);
}

#[test]
fn sets_that_are_called_alike_have_roles_of_their_own() {
    let mut session = Session::default();
    list(&mut session, "/a/known", &["1.png"]);
    let first = session.sets()[0].id();
    assert_eq!(session.sets()[0].role, Role::Unused, "nobody said what it is");
    session.apply(Command::SetRole(first.clone(), Role::Id));
    list(&mut session, "/b/known", &["1.png"]);
    let both = [("a/known", Role::Id), ("b/known", Role::Unused)];
    assert_eq!(roles(&session), both);
    session.apply(Command::SetRole(session.sets()[1].id(), Role::Ood));
    session.apply(Command::SetRole(first, Role::Unused));
    assert_eq!(roles(&session), [("a/known", Role::Unused), ("b/known", Role::Ood)]);
}

#[test]
fn roles_by_name_of_an_older_file_find_their_folders() {
    let mut session = Session::default();
    for folder in ["/w/holiday", "/w/a/test", "/w/b/test"] {
        list(&mut session, folder, &["1.png"]);
    }
    let mut old = serde_json::to_value(session.saved()).unwrap();
    let fields = old.as_object_mut().unwrap();
    fields.remove("set_roles");
    let named = serde_json::json!({ "holiday": "ood", "b/test": "id", "gone": "id" });
    fields.insert("roles".into(), named);
    let (mut after, job, paths) = restored(&old.to_string());
    listed(&mut after, job, &paths, &[], false);
    let told: Vec<Role> = after.sets().iter().map(|set| set.role).collect();
    assert_eq!(told, [Role::Ood, Role::Unused, Role::Id], "{:?}", roles(&after));
}

/// A model that a session's file can name, with the content that its files have.
fn named(file: &str, content: &str) -> ModelSource {
    let open: worker::OpenModel = Arc::new(|_| anyhow::bail!("never opened here"));
    let source = ModelSource::unnamed(file, open, DeviceChoice::Cpu);
    source.content.set(content.to_owned()).unwrap();
    ModelSource { named: vec![PathBuf::from(file).into()], ..source }
}

#[test]
fn a_session_keeps_its_model_until_another_is_whole() {
    let mut session = Session::default();
    session.apply(Command::LoadModel(named("/m/first", "1")));
    session.take(Event::ModelReady(model()).into());
    list(&mut session, "/w", &["id/1.png"]);
    let first =
        SavedModel { named: vec![PathBuf::from("/m/first").into()], content: Some("1".into()) };
    assert_eq!(session.saved().model, Some(first.clone()));
    assert!(session.is_judged_by(&first));
    session.apply(Command::LoadModel(named("/m/second", "2")));
    assert_eq!(session.saved().model, Some(first.clone()), "it is not there yet");
    session.take(Event::ModelReady(model()).into());
    assert_eq!(session.saved().model.unwrap().content.as_deref(), Some("2"));
    assert!(!session.is_judged_by(&first));
}

#[test]
fn a_model_that_is_missing_is_waited_for() {
    let mut before = Session::default();
    before.apply(Command::LoadModel(named("/m/first", "1")));
    before.take(Event::ModelReady(model()).into());
    list(&mut before, "/w", &["id/1.png"]);
    let saved = before.saved();

    // Another model is at hand: it judges nothing in the session's name.
    let mut after = Session::default();
    after.apply(Command::LoadModel(named("/m/other", "7")));
    after.take(Event::ModelReady(model()).into());
    let requests = after.apply(Command::UnloadModel);
    let unloads =
        |r: &SessionRequest| matches!(r, SessionRequest::Worker(worker::Request::UnloadModel));
    assert!(requests.iter().any(unloads) && after.info().is_none());
    after.apply(Command::Restore(Box::new(saved.clone())));
    after.apply(Command::LoadModel(named("/m/first", "1")));
    after.take(Event::ModelFailed("it is not there any more: /m/first".into()).into());
    list(&mut after, "/w", &["id/1.png"]);
    assert!(after.info().is_none() && after.model().error.is_some());
    assert!(after.entries().iter().all(|entry| entry.analysis.is_none()));
    assert_eq!(after.saved().model, saved.model, "the next start asks for it again");
}
