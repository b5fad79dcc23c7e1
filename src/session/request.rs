//! What the session asks others to do, and what they tell it.

use super::curves::{Answer, Computation};
use super::notices::{Notices, Severity};
use crate::worker::{self, EmbeddingRequest, FitRequest, ImageId};

/// What the session asks for. It runs nothing itself: the window hands this on.
pub enum SessionRequest {
    /// To the thread that owns the model.
    Worker(worker::Request),
    /// To the thread that lays features out.
    Embedding(EmbeddingRequest),
    /// To the process that fits a model.
    Fit(FitRequest),
    /// What the tagger made of an image: to be told as [`worker::Event::Recalled`].
    Recall(ImageId),
    /// Work on any thread, whose answer comes as [`SessionEvent::Computed`].
    Compute(Computation),
}

impl From<worker::Request> for SessionRequest {
    fn from(request: worker::Request) -> Self {
        Self::Worker(request)
    }
}

impl From<EmbeddingRequest> for SessionRequest {
    fn from(request: EmbeddingRequest) -> Self {
        Self::Embedding(request)
    }
}

/// What the session is told.
pub enum SessionEvent {
    /// By the worker.
    Worker(worker::Event),
    /// By whoever ran a [`Computation`].
    Computed(Answer),
}

impl From<worker::Event> for SessionEvent {
    fn from(event: worker::Event) -> Self {
        Self::Worker(event)
    }
}

impl From<Answer> for SessionEvent {
    fn from(answer: Answer) -> Self {
        Self::Computed(answer)
    }
}

/// What follows from a change, beside the change.
#[derive(Default)]
pub(super) struct Effects {
    /// What others are to do.
    pub requests: Vec<SessionRequest>,
    /// What the user is told.
    pub notices: Notices,
}

impl Effects {
    /// Asks for something.
    pub(super) fn ask(&mut self, request: impl Into<SessionRequest>) {
        self.requests.push(request.into());
    }

    /// Tells the user what could not be done.
    pub(super) fn fail(&mut self, sentence: String) {
        self.notices.add(Severity::Error, sentence);
    }
}
