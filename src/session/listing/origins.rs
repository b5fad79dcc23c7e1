//! What tells images of the same name apart.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::session::{Session, entry::Entry};
use crate::worker::ImageId;

/// Where images come from that share their names with others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origins {
    of: BTreeMap<ImageId, String>,
    /// What they were found from.
    seen: (usize, Option<ImageId>, Vec<String>),
}

impl Origins {
    /// Finds them anew where images or sets have changed.
    pub fn follow(&mut self, session: &Session) {
        let entries = session.entries();
        let sets = session.sets().iter().map(|set| set.title().to_owned()).collect();
        let seen = (entries.len(), entries.last().map(|entry| entry.id), sets);
        if self.seen == seen {
            return;
        }
        let mut counts: HashMap<&str, usize> = HashMap::with_capacity(entries.len());
        entries.iter().for_each(|entry| *counts.entry(&entry.name).or_default() += 1);
        // Most names are their images' own, and need no place in order.
        let mut named: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        for entry in entries.iter().filter(|entry| counts[entry.name.as_str()] > 1) {
            named.entry(&entry.name).or_default().push(entry);
        }
        self.of = named
            .into_values()
            .flat_map(|same| {
                let sets: BTreeSet<usize> = same.iter().map(|entry| entry.set_at).collect();
                // Within one set, class folders tell them apart.
                let by_set = sets.len() == same.len();
                same.into_iter().map(move |entry| (entry.id, origin(entry, by_set, session)))
            })
            .collect();
        self.seen = seen;
    }

    /// The set of an image that shares its name, with its class folder where others of the set have
    /// that name, too; `None` where its name is its own.
    pub fn of(&self, image: ImageId) -> Option<&str> {
        self.of.get(&image).map(String::as_str)
    }

    /// Whether every image has a name of its own.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }
}

fn origin(entry: &Entry, by_set: bool, session: &Session) -> String {
    let set = session.sets().get(entry.set_at).map_or("", |set| set.title());
    match entry.folder_name().filter(|folder| !by_set && folder != set) {
        Some(folder) => format!("{set}/{folder}"),
        None => set.to_owned(),
    }
}
