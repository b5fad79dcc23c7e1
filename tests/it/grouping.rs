//! Images that are listed in parts fall into the same sets as those that are listed at once.

use std::path::PathBuf;

use tagood_lens::session::{Command, Session};
use tagood_lens::worker::{Event, ImageId, ImageSource, JobId};

fn listed(parts: &[&[PathBuf]], folders: &[PathBuf]) -> Session {
    let mut session = Session::default();
    let job = JobId::unique();
    for part in parts {
        let image = |path: &PathBuf| (ImageId::unique(), ImageSource::File(path.clone()));
        let images = part.iter().map(image).collect();
        let folders = folders.to_vec();
        session.take(Event::Listed { job, images, folders, more: false }.into());
    }
    session
}

#[test]
fn parts_make_the_same_sets_as_the_whole() {
    let mut files = Vec::new();
    for set in ["id", "near", "far"] {
        for class in ["apple", "violin", "bus"] {
            let path = |number: u32| PathBuf::from(format!("/world/{set}/{class}/{number}.png"));
            files.extend((0..40).map(path));
        }
    }
    files.extend((0..5).map(|number| PathBuf::from(format!("/elsewhere/{number}.png"))));
    let folders = [PathBuf::from("/world")];
    let whole = listed(&[&files], &folders);
    let parts: Vec<&[PathBuf]> = files.chunks(7).collect();
    let mut parts = listed(&parts, &folders);
    assert_eq!(parts.sets(), whole.sets());
    let titles: Vec<&str> = whole.sets().iter().map(|set| set.title()).collect();
    assert_eq!(titles, ["id", "near", "far", "elsewhere"]);
    let places = |session: &Session| -> Vec<(usize, String)> {
        session.entries().iter().map(|entry| (entry.set_at, entry.set.to_string())).collect()
    };
    assert_eq!(places(&parts), places(&whole));
    // A set whose images are gone is gone.
    let near = |entry: &&tagood_lens::session::entry::Entry| &*entry.set == "near";
    let gone: Vec<ImageId> = parts.entries().iter().filter(near).map(|entry| entry.id).collect();
    parts.apply(Command::Remove(gone));
    let titles: Vec<&str> = parts.sets().iter().map(|set| set.title()).collect();
    assert_eq!(titles, ["id", "far", "elsewhere"]);
    assert!(parts.entries().iter().all(|e| *e.set == parts.sets()[e.set_at].name));
}
