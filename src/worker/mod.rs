//! The thread that owns the model, and the way to it.
//!
//! ```text
//! window ─ Request ─▶ inbox ─▶ worker ─ Event ─▶ window
//!                                 ▲
//!        decoding threads ─ Batch (bounded) ─┘
//! ```
//!
//! The window never waits and no request is lost: of those that a slider sends the newest takes the
//! place of the one before, so that the inbox cannot grow without end. The worker looks at the
//! requests between single images where those are slow, a stop reaches a job past the inbox, and
//! models are opened on a thread of their own. This module knows nothing of the window's library;
//! `wake` is called after every event.

mod decode;
mod embedding;
mod fitting;
mod inbox;
mod job;
mod message;
mod models;
mod pace;
mod preparation;
mod report;
mod spill;
mod survey;
mod tagger_cache;
mod tagging;
mod turns;
mod work;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use crate::pipeline::TaggerOutput;
use crate::store::OutputCache;
use decode::Decoder;
use inbox::{InboxSender, inbox};
use job::Jobs;
use tagger_cache::TaggerCache;
use work::Work;

pub use embedding::{
    EmbeddedImage, EmbeddingEvent, EmbeddingFrame, EmbeddingRequest, EmbeddingTask,
    FeatureDistance, SPACES,
};
pub use fitting::{FitJob, FitMode, FitProgress, FitRequest, FitState, Program, epochs_cut_off};
pub use job::{JobControl, JobId};
pub use message::{ChangeLabels, Event, ImageId, ImageSource, ModelInfo, OpenModel, Request, Task};
pub use models::one_sentence;
pub use report::{ReportSet, ReportTask};
pub use survey::{Survey, Surveyed};

/// Reads what the tagger made of an image; `None` if that is gone or cannot be read.
pub type Recall = Arc<dyn Fn(ImageId) -> Option<TaggerOutput> + Send + Sync>;

fn recall(cache: Arc<TaggerCache>) -> Recall {
    Arc::new(move |image| {
        cache.get(image).unwrap_or_else(|error| {
            log::warn!("cannot read back what the tagger made of an image: {error}");
            None
        })
    })
}

/// Called from any thread when an event waits.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Batches of prepared images that may wait for the worker: enough that it never waits for them.
const BATCHES: usize = 2;

/// A thread that panicked while it held the lock left whole values behind: every change is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where events go.
#[derive(Clone)]
pub(crate) struct Outbox {
    events: Sender<Event>,
    wake: Wake,
}

impl Outbox {
    /// Sends and wakes; a window that is gone wants no events.
    pub(crate) fn send(&self, event: Event) {
        if self.events.send(event).is_ok() {
            (self.wake)();
        }
    }

    #[cfg(test)]
    fn for_tests() -> (Self, Receiver<Event>) {
        let (events, received) = unbounded();
        (Self { events, wake: Arc::new(|| {}) }, received)
    }
}

/// Results that cannot be read back.
fn unreadable(error: &std::io::Error) -> Event {
    Event::Trouble(format!("cannot read results from the cache folder: {error}"))
}

/// The window's end.
pub struct Worker {
    requests: Option<InboxSender>,
    decoder: Decoder,
    events: Receiver<Event>,
    outbox: Outbox,
    cache: Arc<TaggerCache>,
    embedder: embedding::Embedder,
    fit: fitting::FitProcess,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread. What is made of files is kept in `outputs`, if there are any, and found there.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(wake: Wake, outputs: Option<OutputCache>) -> std::io::Result<Self> {
        let (sender, events) = unbounded();
        let outbox = Outbox { events: sender, wake };
        let (requests, inbox) = inbox();
        let (batch_sender, batches) = bounded(BATCHES);
        let decoder = Decoder::new(
            batch_sender,
            Jobs::new(outbox.clone()),
            outbox.clone(),
            outputs.map(Arc::new),
        );
        let cache = Arc::new(TaggerCache::new(tagger_cache::LIMIT));
        let work = Work::new(decoder.clone(), cache.clone());
        let thread = std::thread::Builder::new()
            .name("model".into())
            .spawn(move || work::run(&inbox, &batches, work))?;
        let embedder = embedding::Embedder::start(outbox.clone(), recall(cache.clone()))?;
        let fit = fitting::FitProcess::new(outbox.clone());
        let requests = Some(requests);
        Ok(Self { requests, decoder, events, outbox, cache, embedder, fit, thread: Some(thread) })
    }

    /// Asks for something. It is done in its turn, except that a stop reaches its job at once.
    pub fn ask(&self, request: Request) {
        if let Request::Cancel(job) = request {
            return self.decoder.cancel(job);
        }
        if let Some(job) = request.job() {
            self.decoder.jobs.begin(job);
        }
        let Some(requests) = &self.requests else { return };
        let job = request.job();
        if !requests.send(request) {
            let notice = "the model's thread has ended; start again";
            self.outbox.send(Event::Trouble(notice.into()));
            if let Some(job) = job {
                self.decoder.jobs.end(job);
            }
        }
    }

    /// Wakes the window, as an event does.
    pub fn waker(&self) -> Wake {
        self.outbox.wake.clone()
    }

    /// Decodes an image for show, past the queue.
    pub fn ask_picture(&self, image: ImageId, source: ImageSource) {
        let options = self.decoder.preparations.decode();
        decode::spawn_picture(image, source, options, self.outbox.clone());
    }

    /// Makes small pictures of some images of a folder, spread over it, past the queue.
    pub fn ask_samples(&self, folder: PathBuf, count: usize) {
        let (outbox, options) = (self.outbox.clone(), self.decoder.preparations.decode());
        rayon::spawn(move || {
            let pictures = decode::samples(&folder, count, &options);
            outbox.send(Event::Samples { folder, pictures });
        });
    }

    /// What the tagger made of an image, at once if it is in memory. If it is not, it is read past
    /// the queue and comes as [`Event::Recalled`].
    pub fn recall(&self, image: ImageId) -> Option<Arc<TaggerOutput>> {
        if let Some(tagged) = self.cache.get_from_memory(image) {
            return Some(Arc::new(tagged));
        }
        let (cache, outbox) = (self.cache.clone(), self.outbox.clone());
        rayon::spawn(move || match cache.get(image) {
            Ok(Some(tagged)) => outbox.send(Event::Recalled { image, tagged: Arc::new(tagged) }),
            // It was removed meanwhile.
            Ok(None) => {}
            Err(error) => outbox.send(unreadable(&error)),
        });
        None
    }

    /// What reads what the tagger made of an image, for another thread; it may wait for a file.
    pub fn recaller(&self) -> Recall {
        recall(self.cache.clone())
    }

    /// Asks for a map of features, past the queue: it has a thread of its own.
    pub fn ask_embedding(&self, request: EmbeddingRequest) {
        if !self.embedder.ask(request) {
            let notice = "the thread that lays out features has ended; start again";
            self.outbox.send(Event::Trouble(notice.into()));
        }
    }

    /// Starts or stops a fit, which is a process of its own.
    pub fn ask_fit(&mut self, request: FitRequest) {
        self.fit.handle(request);
    }

    /// The next event that waits.
    pub fn next_event(&self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// Reports an event from a helper of the window, such as a file dialogue.
    pub fn reporter(&self) -> impl Fn(Event) + Send + 'static {
        let outbox = self.outbox.clone();
        move |event| outbox.send(event)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The closed inbox ends the thread after its present images; waiting lets the device go.
        self.decoder.jobs.cancel_all();
        drop(self.requests.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the model's thread panicked");
        }
    }
}
