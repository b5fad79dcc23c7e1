//! The sets that the command line names: folders, which become rows of a store, and stores.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::bail;

use super::super::extract::{open_dataset, show_progress};
use super::super::progress::progress_line;
use crate::dataset::Dataset;
use crate::eval::scan::StoredSet;
use crate::pipeline::Pipeline;
use crate::store::{self, ExtractOptions, OutputCache, RowCheck, Store, StoreHeader, Summary};

/// A set as it was named.
#[derive(Debug)]
pub(super) struct NamedSet {
    /// What the report calls it.
    pub name: String,
    /// Whether the name was given.
    named: bool,
    /// A folder, a CSV or a store.
    pub path: PathBuf,
}

impl NamedSet {
    /// An in-distribution set: `NAME=PATH` or a path.
    pub(super) fn id(text: &str) -> Self {
        match text.split_once('=') {
            Some((name, path)) if !Path::new(text).exists() => {
                Self { name: name.trim().to_owned(), named: true, path: path.into() }
            }
            _ => {
                let path = PathBuf::from(text);
                let real = path.canonicalize().unwrap_or_else(|_| path.clone());
                let name = if path.is_dir() { real.file_name() } else { real.file_stem() };
                let name = name.map(|name| name.to_string_lossy().into_owned());
                Self { name: name.unwrap_or_else(|| "id".into()), named: false, path }
            }
        }
    }

    /// Whether it is a feature store.
    pub(super) fn is_store(&self) -> bool {
        self.path.join("store.toml").is_file()
    }
}

/// The in-distribution set and the others.
///
/// # Errors
/// If a set has no name, or one that cannot be a file's, or two have the same.
pub(super) fn parse(id: &str, ood: &[String]) -> anyhow::Result<(NamedSet, Vec<NamedSet>)> {
    let id = NamedSet::id(id);
    let mut sets = Vec::new();
    for text in ood {
        match text.split_once('=') {
            Some((name, path)) => {
                sets.push(NamedSet { name: name.trim().into(), named: true, path: path.into() });
            }
            None => bail!("an out-of-distribution set needs a name: --ood NAME={text}"),
        }
    }
    let mut seen = BTreeSet::new();
    for set in std::iter::once(&id).chain(&sets) {
        if let Some(fault) = fault_of_name(&set.name) {
            bail!("{:?} cannot be a set's name, as files are named after it: {fault}", set.name);
        }
        if !seen.insert(set.name.as_str()) {
            bail!("two sets are called `{}`; give them names of their own, as NAME=DIR", set.name);
        }
    }
    Ok((id, sets))
}

/// The longest name of a set, in bytes: with an extension, and while it is written, the file's is within
/// the 255 that file systems take.
const MAX_NAME_BYTES: usize = 200;

/// Why no file can be named after a set.
fn fault_of_name(name: &str) -> Option<String> {
    if name.is_empty() {
        Some("it is empty".into())
    } else if name.starts_with('.') {
        Some("it begins with a dot".into())
    } else if name.contains(|c: char| c.is_control() || ['/', '\\', ':'].contains(&c)) {
        Some("it holds a slash, a backslash, a colon or a control character".into())
    } else if name.len() > MAX_NAME_BYTES {
        Some(format!("it is {} bytes long, and at most {MAX_NAME_BYTES} fit", name.len()))
    } else {
        None
    }
}

/// A set whose path was looked at.
enum Opened {
    Folder(Dataset),
    Store(StoredSet),
}

/// Opens sets, bringing folders into a store first.
pub(super) struct Stores<'a> {
    /// The header of stores that the model makes.
    pub header: StoreHeader,
    /// The model.
    pub pipeline: &'a Pipeline,
    /// The store for folders.
    pub dir: PathBuf,
    /// Images that go through the network at once.
    pub batch: usize,
    /// What was made of files before.
    pub outputs: Option<Arc<OutputCache>>,
    /// No progress.
    pub quiet: bool,
    /// Set to stop.
    pub cancel: &'a AtomicBool,
}

impl Stores<'_> {
    /// Every set, in order, with rows of its images as they are now; `None` if stopped.
    ///
    /// # Errors
    /// If a set is empty or cannot be read, a store is another tagger's or cannot be written.
    pub(super) fn open(&self, named: &[NamedSet]) -> anyhow::Result<Option<Vec<StoredSet>>> {
        // Every folder is listed, and every store opened, before the long work begins.
        let opened = named.iter().map(|set| self.look_at(set)).collect::<Result<Vec<_>, _>>()?;
        let mut notes = Vec::new();
        for set in &opened {
            let of_set = match set {
                Opened::Folder(dataset) => self.extract(dataset, &self.dir, self.header.upright)?,
                Opened::Store(stored) => self.renew(stored)?,
            };
            match of_set {
                Some(of_set) => notes.push(of_set),
                None => return Ok(None),
            }
        }
        let sets = named.iter().zip(opened).zip(notes).map(|((named, set), notes)| match set {
            Opened::Folder(dataset) => self.rows_of(named, &dataset, notes),
            // Opened once more: it may have new rows.
            Opened::Store(_) => Ok(StoredSet { notes, ..stored(named)? }),
        });
        let sets = sets.collect::<Result<Vec<StoredSet>, _>>()?;
        let upright = |set: &StoredSet| set.store.header().upright;
        if let Some(other) = sets.iter().find(|set| upright(set) != upright(&sets[0])) {
            bail!(
                "the images of `{}` are turned as their EXIF orientation says and those of `{}` are not, \
                 or the other way round: extract one of them again",
                sets[0].name,
                other.name
            );
        }
        Ok(Some(sets))
    }

    fn look_at(&self, set: &NamedSet) -> anyhow::Result<Opened> {
        if !set.is_store() {
            return Ok(Opened::Folder(open_dataset(&set.path)?));
        }
        let stored = stored(set)?;
        stored.store.check_header(&self.header)?;
        Ok(Opened::Store(stored))
    }

    /// Extracts images of a store anew whose files are no longer what its rows are of; what a reader
    /// should know, or `None` if stopped.
    fn renew(&self, set: &StoredSet) -> anyhow::Result<Option<Vec<String>>> {
        let RowCheck { changed, gone, set: name } = RowCheck::of(&set.store, &set.rows);
        let mut notes = match gone.first() {
            None => Vec::new(),
            Some(first) => vec![format!(
                "{} of the {} images of `{}` cannot be held against their rows in the store, as their \
                 files are not where they were: {first}",
                gone.len(),
                set.rows.len(),
                set.name
            )],
        };
        if !changed.items.is_empty() {
            let changed = Dataset { name, ..changed };
            let upright = set.store.header().upright;
            match self.extract(&changed, set.store.dir(), upright)? {
                Some(more) => notes.extend(more),
                None => return Ok(None),
            }
        }
        Ok(Some(notes))
    }

    /// Brings images into a store; what a reader should know, or `None` if stopped.
    fn extract(
        &self,
        dataset: &Dataset,
        dir: &Path,
        upright: bool,
    ) -> anyhow::Result<Option<Vec<String>>> {
        let header = StoreHeader { upright, ..self.header.clone() };
        let bar = progress_line(self.quiet, None, "images");
        let mut show = |progress| show_progress(&bar, progress);
        let outputs = self.outputs.clone();
        let options = ExtractOptions { set: None, batch: self.batch, outputs };
        let (pipeline, cancel) = (self.pipeline, self.cancel);
        let summary: Summary =
            store::extract(pipeline, &header, dataset, dir, &options, &mut show, cancel)?;
        bar.finish_and_clear();
        Ok((!summary.cancelled).then(|| summary.changes().into_iter().collect()))
    }

    /// A folder's rows in the store.
    fn rows_of(
        &self,
        set: &NamedSet,
        dataset: &Dataset,
        notes: Vec<String>,
    ) -> anyhow::Result<StoredSet> {
        let store = Store::open(&self.dir)?;
        let rows = store.rows_of(dataset, &dataset.name).into_iter().flatten().collect();
        Ok(StoredSet { name: set.name.clone(), store, rows, notes })
    }
}

/// The rows of a store that belong to a set: all of them where the store has one set, otherwise those
/// of the set with its name.
fn stored(set: &NamedSet) -> anyhow::Result<StoredSet> {
    let store = Store::open(&set.path)?;
    let sets: BTreeSet<&str> = store.rows().map(|row| row.set()).collect();
    let only = sets.first().copied().filter(|_| sets.len() == 1);
    let Some(wanted) = only.or_else(|| sets.get(set.name.as_str()).copied().filter(|_| set.named))
    else {
        let path = set.path.display();
        match sets.is_empty() {
            true => bail!("the store has no row: {path}"),
            false => {
                let names: Vec<&str> = sets.into_iter().collect();
                bail!("the store has several sets ({}); pick one by NAME={path}", names.join(", "));
            }
        }
    };
    let rows = (0..).zip(store.rows()).filter(|(_, row)| row.set() == wanted).map(|(at, _)| at);
    let rows = rows.collect();
    Ok(StoredSet { name: set.name.clone(), store, rows, notes: Vec::new() })
}
