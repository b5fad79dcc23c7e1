//! The embedded world by one click: scenes of every set, with what they are in truth.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::state::Session;
use crate::demo::World;
use crate::worker::{ImageSource, Request, Worker};

impl Session {
    /// Opens the world's scenes that are not open yet. Its folders make the sets, and their names the
    /// roles.
    pub(super) fn open_world(&mut self, world: World, worker: &Worker) {
        // A second click while the first is at work asks for nothing more.
        if self.jobs.iter().any(|job| Some(job.id) == self.world_job) {
            return;
        }
        let file = |source: &ImageSource| match source {
            ImageSource::File(path) => Some(path.clone()),
            _ => None,
        };
        let open: BTreeSet<PathBuf> =
            self.entries().iter().filter_map(|entry| file(&entry.source)).collect();
        let job = self.start_job("Drawing the demo world".into());
        if let Some(drawing) = self.jobs.last_mut() {
            drawing.total = world.total();
        }
        (self.world_job, self.drawing) = (Some(job), Some(job));
        worker.ask(Request::OpenWorld { job, world, open });
    }
}
