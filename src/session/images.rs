//! The open images with their results, and the sets that they fall into.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entry::Entry;
use super::known::Moved;
use super::sets::{self, ClassNames, Folders, ImageSet, Role, SetId};
use crate::pipeline::Analysis;
use crate::score::verdict::{Outcome, Score};
use crate::worker::{ImageId, ImageSource, JobId};

/// The scores of a set's images.
#[derive(Clone, Debug, Default)]
pub struct SetResults {
    /// The set, by its place in [`Images::sets`].
    pub set: usize,
    /// Scores at the present settings.
    pub scores: Vec<(Score, ImageId)>,
    /// Images whose score is still to come.
    pub pending: usize,
    /// Images that cannot be had, or not scored.
    pub failed: usize,
}

/// Images that were taken away.
#[derive(Debug)]
pub(super) struct Gone {
    /// Each with its place among all before.
    entries: Vec<(usize, Entry)>,
    /// The opened folders before, which make the sets.
    roots: BTreeSet<PathBuf>,
}

impl Gone {
    /// Which they are.
    pub(super) fn ids(&self) -> BTreeSet<ImageId> {
        self.entries.iter().map(|(_, entry)| entry.id).collect()
    }
}

/// The open images, in the order they came.
#[derive(Default)]
pub struct Images {
    entries: Vec<Entry>,
    index: HashMap<ImageId, usize>,
    folders: Folders,
    sets: Vec<ImageSet>,
    /// What the user said of sets; the others are told by folder and class names.
    roles: BTreeMap<SetId, Role>,
    /// The folders that were opened, until the last of their images is removed.
    roots: BTreeSet<PathBuf>,
    /// Those of them that hold open images.
    used_roots: BTreeSet<PathBuf>,
    /// The model's classes, by which folders are told apart.
    classes: ClassNames,
    /// Counts requests for analyses; results of older ones are dropped.
    generation: u64,
    /// Grows with every change of entries or results.
    revision: u64,
    /// Grows when a score, a set or a role changes.
    scores_revision: u64,
    /// Grows when the tagged images, a set or a role change, whatever the settings.
    data_revision: u64,
}

impl Images {
    /// The images.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// One image.
    pub fn entry(&self, id: ImageId) -> Option<&Entry> {
        self.entries.get(*self.index.get(&id)?)
    }

    /// One image, to change it.
    pub(super) fn entry_mut(&mut self, id: ImageId) -> Option<&mut Entry> {
        self.revision += 1;
        self.entries.get_mut(*self.index.get(&id)?)
    }

    /// The sets, in the order in which they were opened.
    pub fn sets(&self) -> &[ImageSet] {
        &self.sets
    }

    /// What the user said of sets.
    pub fn roles(&self) -> &BTreeMap<SetId, Role> {
        &self.roles
    }

    /// The folders that were opened, until the last of their images is removed.
    pub fn roots(&self) -> &BTreeSet<PathBuf> {
        &self.roots
    }

    /// What an image is in truth, as far as its set tells.
    pub fn truth(&self, set_at: usize) -> Option<Outcome> {
        self.sets.get(set_at)?.role.truth()
    }

    /// Grows with every change of entries or results.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Grows when a score, a set or a role changes.
    pub fn scores_revision(&self) -> u64 {
        self.scores_revision
    }

    /// Grows when the tagged images, a set or a role change, whatever the settings.
    pub fn data_revision(&self) -> u64 {
        self.data_revision
    }

    /// Whether every analysis that there is answers the newest request.
    pub fn analyses_are_current(&self) -> bool {
        let stale = |entry: &Entry| entry.analysis.is_some() && entry.generation != self.generation;
        !self.entries.iter().any(stale)
    }

    /// The scores of each set at the present settings.
    pub fn set_scores(&self) -> Vec<SetResults> {
        let empty = |set| SetResults { set, ..SetResults::default() };
        let mut sets: Vec<SetResults> = (0..self.sets.len()).map(empty).collect();
        for entry in &self.entries {
            let Some(set) = sets.get_mut(entry.set_at) else { continue };
            let failed = entry.error.is_some() || entry.failed_generation == Some(self.generation);
            match &entry.analysis {
                _ if failed => set.failed += 1,
                Some(analysis) if entry.generation == self.generation => {
                    match analysis.verdict.as_score() {
                        Some(score) => set.scores.push((score, entry.id)),
                        None => set.failed += 1,
                    }
                }
                // A job that was stopped leaves images of which nothing will be known.
                None if !entry.is_tagged && entry.job.is_none() => set.failed += 1,
                _ => set.pending += 1,
            }
        }
        sets
    }

    /// The sets with their scores, as they are now.
    pub(super) fn scored_sets(&self) -> Vec<(ImageSet, SetResults)> {
        self.sets.iter().cloned().zip(self.set_scores()).collect()
    }

    /// Adds images, and the folders among what was opened.
    pub(super) fn add(&mut self, images: Vec<Entry>, folders: Vec<PathBuf>) {
        self.roots.extend(folders);
        for mut entry in images {
            self.index.insert(entry.id, self.entries.len());
            entry.folder = self.folders.of(&entry.source);
            self.entries.push(entry);
        }
        self.regroup();
    }

    /// Takes images away.
    pub(super) fn remove(&mut self, ids: &BTreeSet<ImageId>) -> Gone {
        let roots = self.roots.clone();
        let (mut places, mut at) = (Vec::new(), 0);
        let taken = self.entries.extract_if(.., |entry| {
            let is_gone = ids.contains(&entry.id);
            places.extend(is_gone.then_some(at));
            at += 1;
            is_gone
        });
        let entries: Vec<Entry> = taken.collect();
        let before = std::mem::take(&mut self.used_roots);
        self.reindex();
        // Files opened later out of a folder that is gone do not fall into its sets.
        self.roots.retain(|root| !before.contains(root) || self.used_roots.contains(root));
        Gone { entries: places.into_iter().zip(entries).collect(), roots }
    }

    /// Puts images back that were taken away, each at its place; another look of the tagger at them
    /// belongs to this job.
    pub(super) fn put_back(&mut self, gone: Gone, job: JobId) -> Vec<(ImageId, ImageSource)> {
        self.roots.extend(gone.roots);
        let mut sources = Vec::with_capacity(gone.entries.len());
        let mut back = gone.entries.into_iter().peekable();
        let mut stayed = std::mem::take(&mut self.entries).into_iter();
        // Both lists are in order: each entry goes where it was, as far as its neighbours still are.
        loop {
            let next = match back.next_if(|(place, _)| *place <= self.entries.len()) {
                Some((_, entry)) => Some((entry, true)),
                None => stayed.next().map(|entry| (entry, false)),
            };
            let next = next.or_else(|| back.next().map(|(_, entry)| (entry, true)));
            let Some((mut entry, is_back)) = next else { break };
            if is_back {
                entry.forget_results();
                (entry.error, entry.job) = (None, Some(job));
                sources.push((entry.id, entry.source.clone()));
            }
            self.entries.push(entry);
        }
        self.reindex();
        sources
    }

    fn reindex(&mut self) {
        self.index = self.entries.iter().enumerate().map(|(at, entry)| (entry.id, at)).collect();
        self.regroup();
    }

    /// The place of an image among all.
    pub(super) fn place(&self, id: ImageId) -> Option<usize> {
        self.index.get(&id).copied()
    }

    /// Takes over what the user said of all sets.
    pub(super) fn set_roles(&mut self, roles: BTreeMap<SetId, Role>) {
        if self.roles != roles {
            self.roles = roles;
            self.regroup();
        }
    }

    /// Takes over the classes of a model.
    pub(super) fn set_classes(&mut self, classes: ClassNames) {
        self.classes = classes;
        self.regroup();
    }

    /// Moves what was found of tags and classes to their places among others; what was found of those
    /// that are gone is forgotten.
    pub(super) fn take_names(&mut self, moved: &Moved) {
        self.revision += 1;
        for entry in &mut self.entries {
            entry.tagged = None;
            entry.extra.clear();
            let Some(analysis) = &mut entry.analysis else { continue };
            // The worker keeps no analyses, so this copies nothing.
            let analysis = Arc::make_mut(analysis);
            analysis.cosines = None;
            let tags = &mut analysis.decomposition.tags;
            *tags = tags.iter().filter_map(|&tag| moved.tag(tag)).collect();
            tags.sort_unstable();
            analysis.nearest.retain_mut(|near| {
                let class = moved.class(near.class);
                near.class = class.unwrap_or_default();
                class.is_some()
            });
        }
    }

    /// The folders directly in those of in-distribution sets, by name, in their order.
    pub(super) fn class_folders(&self) -> Vec<String> {
        let of_sets: Vec<&Path> = self
            .sets
            .iter()
            .filter(|set| set.role == Role::Id)
            .filter_map(|set| set.folder.as_deref())
            .collect();
        let name = |folder: &PathBuf| {
            let set = of_sets.iter().find(|set| folder.starts_with(set))?;
            let inside = folder.strip_prefix(set).ok()?;
            Some(inside.components().next()?.as_os_str().to_string_lossy().replace('_', " "))
        };
        let in_use: BTreeSet<usize> = self.entries.iter().filter_map(|e| e.folder).collect();
        let names = in_use.into_iter().filter_map(|at| name(self.folders.path(at)?));
        names.collect::<BTreeSet<String>>().into_iter().collect()
    }

    /// Takes over the folders that are to make sets of images yet to come.
    pub(super) fn set_roots(&mut self, roots: BTreeSet<PathBuf>) {
        self.roots = roots;
    }

    /// Decides every image anew by λ, without the worker: scores stay.
    pub(super) fn decide(&mut self, lambda: Option<f32>) {
        self.revision += 1;
        for analysis in self.entries.iter_mut().filter_map(|entry| entry.analysis.as_mut()) {
            // The worker keeps no analyses, so this copies nothing.
            Arc::make_mut(analysis).verdict.decide(lambda);
        }
    }

    /// Counts a request for analyses of all images.
    pub(super) fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.scores_revision += 1;
        self.revision += 1;
        // An image without tokens cannot be analysed; it will be with the settings then in force.
        for entry in self.entries.iter_mut().filter(|entry| entry.analysis.is_none()) {
            entry.generation = self.generation;
        }
        self.generation
    }

    /// How many requests for analyses there were.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Takes in the tagger's time for an image, in milliseconds: it is tagged.
    pub(super) fn take_tagged(&mut self, image: ImageId, tagger_ms: f32) {
        if let Some(entry) = self.entry_mut(image) {
            entry.stage_ms[2] = tagger_ms;
            (entry.is_tagged, entry.error) = (true, None);
            self.data_revision += 1;
        }
    }

    /// Takes in why an image cannot be had.
    pub(super) fn take_failure(&mut self, image: ImageId, error: String) {
        if let Some(entry) = self.entry_mut(image) {
            entry.error = Some(error);
            self.scores_revision += 1;
        }
    }

    /// Takes in an analysis, unless there is a newer one.
    pub(super) fn take_analysis(&mut self, image: ImageId, generation: u64, new: Arc<Analysis>) {
        if let Some(entry) = self.entry_mut(image)
            && generation >= entry.generation
        {
            (entry.analysis, entry.generation) = (Some(new), generation);
            self.scores_revision += 1;
        }
    }

    /// Takes in that images cannot be analysed: the last numbers stay; they are as new as they will
    /// get.
    pub(super) fn take_failed_analyses(&mut self, images: Vec<ImageId>, generation: u64) {
        for image in images {
            if let Some(entry) = self.entry_mut(image) {
                entry.generation = entry.generation.max(generation);
                entry.failed_generation = Some(generation);
            }
        }
        self.scores_revision += 1;
    }

    /// The images of a job have no job any more.
    pub(super) fn end_job(&mut self, job: JobId) {
        self.scores_revision += 1;
        for entry in self.entries.iter_mut().filter(|entry| entry.job == Some(job)) {
            entry.job = None;
        }
    }

    /// Forgets what a model made of tagged images, which another is to tag; which they are.
    pub(super) fn forget_results(&mut self, job: JobId) -> Vec<(ImageId, ImageSource)> {
        self.revision += 1;
        let mut images = Vec::new();
        for entry in self.entries.iter_mut().filter(|entry| entry.is_tagged) {
            entry.forget_results();
            entry.job = Some(job);
            images.push((entry.id, entry.source.clone()));
        }
        images
    }

    /// Puts every image into its set, and finds its class; roles that the user chose stay. The work
    /// goes by folders: for each image there is a look-up and no more.
    fn regroup(&mut self) {
        let (folders, classes) = (&self.folders, &self.classes);
        (self.sets, self.used_roots) =
            sets::group(&mut self.entries, folders, &self.roots, &self.roles, classes);
        self.revision += 1;
        self.scores_revision += 1;
        self.data_revision += 1;
    }
}
