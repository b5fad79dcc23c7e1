//! The thread that lays features out in the plane (t-SNE), before and after projection at once, and
//! tells of every frame on the way.
//!
//! The newest run wins: it breaks off the one in work, even while neighbours are being found.

mod features;
mod layout;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use serde::{Deserialize, Serialize};

use super::message::{Event, ImageId};
use super::{Outbox, Recall};
use crate::eval::tsne::TsneConfig;
use crate::pipeline::{Analysis, LabelSet};
use crate::score::Head;

use features::Matrix;
use layout::PlaneLayout;

/// Least time from one frame to the next.
const FRAME: Duration = Duration::from_millis(16);
/// Most iterations in a frame: the thousand of a small set would else be over before they are seen.
const ITERATIONS_A_FRAME: usize = 12;
/// How often the divergence is told while points move; it costs an iteration.
const KL_EVERY: Duration = Duration::from_millis(200);

/// Number of spaces that are laid out side by side: of a tagger before projection and after it; of a
/// CLIP the whole image's features and the means of the kept patches'.
pub const SPACES: usize = 2;

/// How far two features are from each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeatureDistance {
    /// By their angle, as the detector of the recipe compares them with class centers: over all
    /// channels, or the mean over the patterns'.
    #[default]
    Cosine,
    /// By their difference's length.
    Euclidean,
}

/// An image with at least one kept token and a feature.
#[derive(Clone, Debug)]
pub struct EmbeddedImage {
    /// The image; its tokens are read back when they are needed.
    pub id: ImageId,
    /// Which of its tokens are kept, and the feature they make.
    pub analysis: Arc<Analysis>,
}

impl EmbeddedImage {
    /// An image that has something to lay out.
    pub fn new(id: ImageId, analysis: &Arc<Analysis>) -> Option<Self> {
        Self::can_be(analysis).then(|| Self { id, analysis: analysis.clone() })
    }

    /// Whether there is something to lay out in an analysis.
    pub fn can_be(analysis: &Analysis) -> bool {
        analysis.projected.is_some() && analysis.decomposition.mask.contains(&true)
    }
}

/// What to lay out.
pub struct EmbeddingTask {
    /// Counts upward; events carry it.
    pub run: u64,
    /// The images.
    pub images: Vec<EmbeddedImage>,
    /// Of a tagger, class centers to lay out among the features after projection: they are points of
    /// that space, and one without images near it gets a place of its own.
    pub head: Option<Arc<Head>>,
    /// Of a CLIP, the text features of its names; they are placed among the images once those rest.
    pub texts: Option<Arc<LabelSet>>,
    /// What is near.
    pub metric: FeatureDistance,
    /// Channel groups that are compared each on its own after projection; 1 for all together.
    pub patterns: usize,
    /// Perplexity, iterations, seed.
    pub config: TsneConfig,
}

/// What the window asks for.
pub enum EmbeddingRequest {
    /// Lays out, in place of what was being laid out.
    Run(EmbeddingTask),
    /// Lets the points rest.
    Pause,
    /// Lets them move again.
    Resume,
    /// Ends the run; the points stay where they are.
    Stop,
    /// Places more images among the points, whenever those rest. They move nothing.
    Place {
        /// The run whose points are meant; another's are left alone.
        run: u64,
        /// The images.
        images: Vec<EmbeddedImage>,
    },
    /// Places the text features of other names in place of those there are. They move nothing.
    Name {
        /// The run whose points are meant; another's are left alone.
        run: u64,
        /// The text features.
        texts: Arc<LabelSet>,
    },
}

/// Where the points are.
#[derive(Clone, Debug)]
pub struct EmbeddingFrame {
    /// In both spaces the images, then stars, then the images placed later. Stars are, of a tagger, the
    /// class centers, after projection alone; of a CLIP, `texts`. Placed ones, and texts, are not finite
    /// until the points rest.
    pub positions: [Arc<[[f32; 2]]>; SPACES],
    /// The text features that are among the positions.
    pub texts: Option<Arc<LabelSet>>,
    /// Iterations done.
    pub iteration: usize,
    /// The KL divergence of both maps in nats, where it is known.
    pub kl: Option<[f64; SPACES]>,
    /// The perplexity in force, less than was asked for where there are few points.
    pub perplexity: f64,
    /// Whether the points move no more: paused, stopped, or done.
    pub rests: bool,
    /// How many of the images were placed later.
    pub placed: usize,
}

/// What the thread tells.
pub enum EmbeddingEvent {
    /// Neighbours are being found.
    Preparing {
        /// Points done, over both spaces.
        done: usize,
        /// All points.
        total: usize,
    },
    /// The points have moved, or come to rest.
    Moved(EmbeddingFrame),
    /// There is no map; the sentence says why.
    Failed(String),
}

/// The window's end.
pub(super) struct Embedder {
    requests: Sender<EmbeddingRequest>,
    /// The run that is wanted; 0 for none.
    wanted: Arc<AtomicU64>,
}

impl Embedder {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub(super) fn start(outbox: Outbox, recall: Recall) -> std::io::Result<Self> {
        let (requests, inbox) = unbounded();
        let wanted = Arc::new(AtomicU64::new(0));
        let work = EmbeddingWork { wanted: wanted.clone(), outbox, recall, run: 0, layout: None };
        std::thread::Builder::new().name("embedding".into()).spawn(move || work.run(&inbox))?;
        Ok(Self { requests, wanted })
    }

    /// Asks; the answer comes as events. Whether the thread is there to hear it.
    pub(super) fn ask(&self, request: EmbeddingRequest) -> bool {
        match &request {
            EmbeddingRequest::Run(task) => self.wanted.store(task.run, Ordering::Release),
            EmbeddingRequest::Stop => self.wanted.store(0, Ordering::Release),
            _ => {}
        }
        self.requests.send(request).is_ok()
    }
}

impl Drop for Embedder {
    fn drop(&mut self) {
        // The thread ends by itself, at once if it is finding neighbours.
        self.wanted.store(0, Ordering::Release);
    }
}

struct EmbeddingWork {
    wanted: Arc<AtomicU64>,
    outbox: Outbox,
    recall: Recall,
    run: u64,
    layout: Option<PlaneLayout>,
}

impl EmbeddingWork {
    fn run(mut self, requests: &Receiver<EmbeddingRequest>) {
        let mut next_frame = Instant::now();
        loop {
            let moving = self.layout.as_ref().is_some_and(PlaneLayout::moves);
            let request = match moving {
                true => requests.recv_deadline(next_frame),
                false => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match request {
                Ok(request) => self.handle(request),
                Err(RecvTimeoutError::Timeout) => {
                    next_frame = Instant::now() + FRAME;
                    self.advance();
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn tell(&self, event: EmbeddingEvent) {
        self.outbox.send(Event::Embedding { run: self.run, event });
    }

    fn handle(&mut self, request: EmbeddingRequest) {
        match request {
            EmbeddingRequest::Run(task) => return self.start(&task),
            EmbeddingRequest::Place { run, images } if run == self.run => {
                if let Some(layout) = &mut self.layout {
                    layout.add(&images, &self.recall);
                }
            }
            EmbeddingRequest::Name { run, texts } if run == self.run => {
                self.with_layout(|layout| layout.name(&texts));
            }
            EmbeddingRequest::Place { .. } | EmbeddingRequest::Name { .. } => return,
            EmbeddingRequest::Pause => self.with_layout(|layout| layout.paused = true),
            EmbeddingRequest::Resume => self.with_layout(|layout| layout.paused = false),
            EmbeddingRequest::Stop => self.with_layout(|layout| layout.stopped = true),
        }
        if self.layout.as_ref().is_some_and(|layout| !layout.moves()) {
            self.show();
        }
    }

    fn with_layout(&mut self, change: impl FnOnce(&mut PlaneLayout)) {
        if let Some(layout) = &mut self.layout {
            change(layout);
        }
    }

    fn start(&mut self, task: &EmbeddingTask) {
        (self.run, self.layout) = (task.run, None);
        let wanted = || self.wanted.load(Ordering::Acquire) == task.run;
        let tell = |done, total| self.tell(EmbeddingEvent::Preparing { done, total });
        match PlaneLayout::new(task, &self.recall, &wanted, &tell) {
            Ok(layout) => {
                self.layout = Some(layout);
                self.show();
            }
            // Nobody waits for a run that was called off.
            Err(_) if !wanted() => {}
            Err(error) => self.tell(EmbeddingEvent::Failed(error.to_string())),
        }
    }

    fn advance(&mut self) {
        if let Some(layout) = &mut self.layout {
            layout.advance();
        }
        self.show();
    }

    fn show(&mut self) {
        let Some(layout) = &mut self.layout else { return };
        match layout.frame() {
            Ok(frame) => self.tell(EmbeddingEvent::Moved(frame)),
            Err(error) => self.tell(EmbeddingEvent::Failed(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests;
