//! Jobs: something with an end, whose progress shows and which can be stopped.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::message::Event;
use super::{Outbox, lock};

/// A job, unique for the life of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(u64);

impl JobId {
    /// A number that no other job has.
    pub fn unique() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// How a job is counted and stopped, shared between the threads that work on it.
#[derive(Clone, Debug, Default)]
pub struct JobControl(Arc<JobCounts>);

#[derive(Debug, Default)]
struct JobCounts {
    total: AtomicUsize,
    done: AtomicUsize,
    cancelled: AtomicBool,
}

impl JobControl {
    /// Sets how many pieces there are.
    pub fn set_total(&self, total: usize) {
        self.0.total.store(total, Ordering::Relaxed);
    }

    /// Counts `more` pieces as done; whether that was the last.
    pub fn advance(&self, more: usize) -> bool {
        let done = self.0.done.fetch_add(more, Ordering::AcqRel) + more;
        done >= self.0.total.load(Ordering::Relaxed)
    }

    /// Asks the job to stop.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::Release);
    }

    /// Whether the job was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
    }
}

/// The jobs that were asked for and have not ended. A stop reaches them from the window at once,
/// whatever the worker is at.
#[derive(Clone)]
pub(super) struct Jobs {
    controls: Arc<Mutex<BTreeMap<JobId, JobControl>>>,
    outbox: Outbox,
}

impl Jobs {
    pub(super) fn new(outbox: Outbox) -> Self {
        Self { controls: Arc::default(), outbox }
    }

    pub(super) fn begin(&self, job: JobId) -> JobControl {
        lock(&self.controls).entry(job).or_default().clone()
    }

    /// Asks a job to stop, if it has not ended.
    pub(super) fn cancel(&self, job: JobId) {
        if let Some(control) = lock(&self.controls).get(&job) {
            control.cancel();
        }
    }

    /// Asks all jobs to stop.
    pub(super) fn cancel_all(&self) {
        lock(&self.controls).values().for_each(JobControl::cancel);
    }

    /// Tells the window that a job has ended; once, whoever finds it first.
    pub(super) fn end(&self, job: JobId) {
        if lock(&self.controls).remove(&job).is_some() {
            self.outbox.send(Event::JobEnded(job));
        }
    }

    /// Whether no job is under way.
    pub(super) fn is_empty(&self) -> bool {
        lock(&self.controls).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_piece_ends_the_job() {
        let control = JobControl::default();
        control.set_total(3);
        assert!(!control.advance(2));
        assert!(control.advance(1));
        assert!(!control.is_cancelled());
        control.clone().cancel();
        assert!(control.is_cancelled());
    }

    #[test]
    fn a_job_ends_once() {
        let (outbox, events) = Outbox::for_tests();
        let (jobs, job) = (Jobs::new(outbox), JobId::unique());
        let control = jobs.begin(job);
        jobs.clone().cancel(job);
        assert!(control.is_cancelled());
        jobs.end(job);
        jobs.end(job);
        assert!(jobs.is_empty());
        assert_eq!(events.try_iter().count(), 1);
    }
}
