//! The thread that owns the model, and the way to it.
//!
//! ```text
//! window ─ Request (bounded) ─▶ worker ─ Event ─▶ window
//!                                 ▲
//!        decoding threads ─ Batch (bounded) ─┘
//! ```
//!
//! The window never waits: requests are refused rather than queued without end, a newer analysis
//! replaces an older one, and jobs stop between batches. This module knows nothing of the window's
//! library; `wake` is called after every event.

mod decode;
mod embedding;
mod fitting;
mod job;
mod message;
mod report;
mod tagger_cache;
mod spill;
mod survey;
mod work;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};

use crate::pipeline::TaggerOutput;
use tagger_cache::TaggerCache;

pub use embedding::{
    EmbeddedImage, EmbeddingEvent, EmbeddingRequest, EmbeddingTask, Frame, Metric, SPACES,
};
pub use fitting::{FitJob, FitMode, FitProgress, FitRequest, FitState, Program};
pub use job::{JobId, Progress};
pub use message::{Event, ImageId, ImageSource, ModelInfo, OpenModel, Request};
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

/// Requests that may wait. A slider sends one each frame, so this is many seconds of them.
const QUEUE: usize = 1024;

/// Where events go.
#[derive(Clone)]
pub(crate) struct Outbox {
    events: Sender<Event>,
    wake: Wake,
}

impl Outbox {
    /// Sends and wakes; a window that is gone wants no events.
    pub fn send(&self, event: Event) {
        if self.events.send(event).is_ok() {
            (self.wake)();
        }
    }
}

/// Results that cannot be read back.
fn unreadable(error: &std::io::Error) -> Event {
    Event::Trouble(format!("cannot read results from the cache folder: {error}"))
}

/// The window's end.
pub struct Worker {
    requests: Option<Sender<Request>>,
    events: Receiver<Event>,
    outbox: Outbox,
    cache: Arc<TaggerCache>,
    embedder: embedding::Embedder,
    fit: fitting::FitProcess,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(wake: Wake) -> std::io::Result<Self> {
        let (requests, inbox) = bounded(QUEUE);
        let (sender, events) = unbounded();
        let outbox = Outbox { events: sender, wake };
        let worker_outbox = outbox.clone();
        let cache = Arc::new(TaggerCache::new(tagger_cache::LIMIT));
        let worker_cache = cache.clone();
        let thread = std::thread::Builder::new()
            .name("model".into())
            .spawn(move || work::run(&inbox, &worker_outbox, worker_cache))?;
        let embedder = embedding::Embedder::start(outbox.clone(), recall(cache.clone()))?;
        let fit = fitting::FitProcess::new(outbox.clone());
        let requests = Some(requests);
        Ok(Self { requests, events, outbox, cache, embedder, fit, thread: Some(thread) })
    }

    /// Asks for something; what cannot be asked becomes an [`Event::Trouble`].
    pub fn ask(&self, request: Request) {
        let Some(requests) = &self.requests else { return };
        let notice = match requests.try_send(request) {
            Ok(()) => return,
            Err(TrySendError::Full(_)) => "the model is too busy to take more requests",
            Err(TrySendError::Disconnected(_)) => "the model's thread has ended; start again",
        };
        self.outbox.send(Event::Trouble(notice.into()));
    }

    /// Wakes the window, as an event does.
    pub fn waker(&self) -> Wake {
        self.outbox.wake.clone()
    }

    /// Decodes an image for show, past the queue.
    pub fn ask_picture(&self, image: ImageId, source: ImageSource) {
        decode::spawn_picture(image, source, self.outbox.clone());
    }

    /// Makes small pictures of some images of a folder, spread over it, past the queue.
    pub fn ask_samples(&self, folder: PathBuf, count: usize) {
        let outbox = self.outbox.clone();
        rayon::spawn(move || {
            let pictures = decode::samples(&folder, count);
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
        // The closed channel ends the thread after its present batch; waiting lets the device go.
        drop(self.requests.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the model's thread panicked");
        }
    }
}
