//! What is being done, and how far it is.

use std::path::PathBuf;

use crate::worker::JobId;

/// A job on show.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// What it does, as in "Opening 12 images".
    pub label: String,
    /// Its images that have a result or an error.
    pub done: usize,
    /// All of its images; 0 while they are being listed.
    pub total: usize,
    /// What it opens, until all of that is listed.
    pub(super) to_list: Vec<PathBuf>,
}

/// The running jobs.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    running: Vec<Job>,
    /// The last job that opened the demo world.
    world: Option<JobId>,
    /// That job, while it counts drawn scenes and not images.
    drawing: Option<JobId>,
}

impl Jobs {
    /// Those that run, the oldest first.
    pub(super) fn running(&self) -> &[Job] {
        &self.running
    }

    /// Starts one; a total of 0 grows with [`Jobs::list`].
    pub(super) fn start(&mut self, label: String, total: usize) -> JobId {
        let id = JobId::unique();
        self.add(id, label, total);
        id
    }

    /// Starts one that lists and opens files and folders.
    pub(super) fn start_opening(&mut self, label: String, paths: Vec<PathBuf>) -> JobId {
        let id = self.start(label, 0);
        if let Some(job) = self.get(id) {
            job.to_list = paths;
        }
        id
    }

    /// Whether a job has not listed all that it opens.
    pub(super) fn is_listing(&self, id: JobId) -> bool {
        self.running.iter().any(|job| job.id == id && !job.to_list.is_empty())
    }

    /// What is opened and not listed yet.
    pub(super) fn to_list(&self) -> impl Iterator<Item = &PathBuf> {
        self.running.iter().flat_map(|job| &job.to_list)
    }

    /// Adds one that has its number already.
    pub(super) fn add(&mut self, id: JobId, label: String, total: usize) {
        self.running.push(Job { id, label, done: 0, total, to_list: Vec::new() });
    }

    /// Starts one that draws so many scenes of the demo world and then opens them; `None` while
    /// another is at work.
    pub(super) fn start_world(&mut self, scenes: usize) -> Option<JobId> {
        if self.running.iter().any(|job| Some(job.id) == self.world) {
            return None;
        }
        let job = self.start("Drawing the demo world".into(), scenes);
        (self.world, self.drawing) = (Some(job), Some(job));
        self.drawing
    }

    fn get(&mut self, id: JobId) -> Option<&mut Job> {
        self.running.iter_mut().find(|job| job.id == id)
    }

    /// So many scenes are drawn; threads may tell out of order.
    pub(super) fn drawn(&mut self, id: JobId, scenes: usize) {
        if let Some(job) = self.get(id) {
            job.done = job.done.max(scenes);
        }
    }

    /// So many more of its images are known, and whether there are `more`.
    pub(super) fn list(&mut self, id: JobId, images: usize, more: bool) {
        let is_drawn = self.drawing.take_if(|drawing| *drawing == id).is_some();
        if let Some(job) = self.get(id) {
            if is_drawn {
                (job.done, job.total) = (0, 0);
            }
            job.total += images;
            if !more {
                job.to_list.clear();
            }
            job.label = format!("{} images", job.total);
        }
    }

    /// One more of its images is done.
    pub(super) fn advance(&mut self, id: JobId) {
        if let Some(job) = self.get(id) {
            job.done += 1;
        }
    }

    /// So many of its pieces are done.
    pub(super) fn set_done(&mut self, id: JobId, done: usize) {
        if let Some(job) = self.get(id) {
            job.done = done;
        }
    }

    /// It has ended.
    pub(super) fn end(&mut self, id: JobId) {
        self.running.retain(|job| job.id != id);
    }
}
