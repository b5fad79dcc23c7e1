//! What the session asks others to do, and what they tell it.

use super::curves::{Answer, Computation};
use super::notices::Notices;
use crate::worker::{self, EmbeddingRequest, FitRequest, ImageId};

/// What the session asks for. It runs nothing itself: the window hands this on.
pub enum Request {
    /// To the thread that owns the model.
    Worker(worker::Request),
    /// To the thread that lays features out.
    Embedding(EmbeddingRequest),
    /// To the process that fits a model.
    Fit(FitRequest),
    /// What the tagger made of an image: to be told as [`worker::Event::Recalled`].
    Recall(ImageId),
    /// Work on any thread, whose answer comes as [`Event::Computed`].
    Compute(Computation),
}

impl From<worker::Request> for Request {
    fn from(request: worker::Request) -> Self {
        Self::Worker(request)
    }
}

impl From<EmbeddingRequest> for Request {
    fn from(request: EmbeddingRequest) -> Self {
        Self::Embedding(request)
    }
}

/// What the session is told.
pub enum Event {
    /// By the worker.
    Worker(worker::Event),
    /// By whoever ran a [`Computation`].
    Computed(Answer),
}

impl From<worker::Event> for Event {
    fn from(event: worker::Event) -> Self {
        Self::Worker(event)
    }
}

impl From<Answer> for Event {
    fn from(answer: Answer) -> Self {
        Self::Computed(answer)
    }
}

/// What follows from a change, beside the change.
#[derive(Default)]
pub(super) struct Effects {
    /// What others are to do.
    pub requests: Vec<Request>,
    /// What the user is told.
    pub notices: Notices,
}

impl Effects {
    /// Asks for something.
    pub(super) fn ask(&mut self, request: impl Into<Request>) {
        self.requests.push(request.into());
    }
}
