//! Requests on their way from the window to the worker. Nothing is refused, nothing waits for room,
//! and nothing piles up: a request that a newer one makes pointless gives way to it, so that there is
//! at most one of each kind that a slider sends.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::lock;
use super::message::Request;

/// The two ends.
pub(super) fn inbox() -> (InboxSender, Inbox) {
    let queue = Arc::new(Mutex::new(VecDeque::new()));
    let (ring, bell) = bounded(1);
    (InboxSender { queue: queue.clone(), ring }, Inbox { queue, bell })
}

/// The window's end.
pub(super) struct InboxSender {
    queue: Arc<Mutex<VecDeque<Request>>>,
    ring: Sender<()>,
}

impl InboxSender {
    /// Puts a request in line; whether somebody is there to take it.
    pub(super) fn send(&self, request: Request) -> bool {
        line_up(&mut lock(&self.queue), request);
        !matches!(self.ring.try_send(()), Err(TrySendError::Disconnected(())))
    }
}

/// The worker's end.
pub(super) struct Inbox {
    queue: Arc<Mutex<VecDeque<Request>>>,
    /// Has something when a request may have come; closed when the window is gone.
    pub bell: Receiver<()>,
}

impl Inbox {
    /// The next request.
    pub(super) fn take(&self) -> Option<Request> {
        lock(&self.queue).pop_front()
    }
}

/// Puts a request at the end of the line, in place of those that it makes pointless.
fn line_up(queue: &mut VecDeque<Request>, mut request: Request) {
    queue.retain(|waiting| !replaces(&mut request, waiting));
    queue.push_back(request);
}

/// Whether a newer request makes one that waits pointless; it takes over what is still to be answered.
fn replaces(newer: &mut Request, waiting: &Request) -> bool {
    match (newer, waiting) {
        (Request::LoadModel { .. }, Request::LoadModel { .. })
        | (Request::Analysis { .. }, Request::Analysis { .. })
        | (Request::SetLabels { .. }, Request::SetLabels { .. } | Request::Analysis { .. })
        | (Request::Compare { .. }, Request::Compare { .. })
        | (Request::Survey(_), Request::Survey(_)) => true,
        (
            Request::AttentionOf { image, tags },
            Request::AttentionOf { image: same, tags: earlier },
        ) if image == same => {
            tags.extend(earlier);
            tags.sort_unstable();
            tags.dedup();
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::manifest::Recipe;
    use crate::pipeline::Settings;
    use crate::worker::{ImageId, JobId};

    fn analysis(generation: u64) -> Request {
        let settings = Settings::new(0.5, Recipe::Paper);
        Request::Analysis { generation, settings, focus: None }
    }

    #[test]
    fn a_moving_slider_leaves_one_request_and_hides_no_other() {
        let (sender, inbox) = inbox();
        let image = ImageId::unique();
        for generation in 0..100_000 {
            assert!(sender.send(analysis(generation)));
            if generation % 1000 == 0 {
                sender.send(Request::Remove(vec![ImageId::unique()]));
            }
        }
        sender.send(Request::AttentionOf { image, tags: vec![7, 3] });
        sender.send(Request::AttentionOf { image: ImageId::unique(), tags: vec![1] });
        sender.send(Request::AttentionOf { image, tags: vec![5, 3] });
        let requests: Vec<Request> = std::iter::from_fn(|| inbox.take()).collect();
        let count = |of: fn(&Request) -> bool| requests.iter().filter(|r| of(r)).count();
        assert_eq!(count(|r| matches!(r, Request::Remove(_))), 100);
        let newest = |r: &Request| matches!(r, Request::Analysis { generation: 99_999, .. });
        assert_eq!(requests.iter().filter(|r| newest(r)).count(), 1);
        assert_eq!(requests.len(), 100 + 1 + 2);
        let union = |r: &Request| matches!(r, Request::AttentionOf { image: of, tags } if *of == image && *tags == [3, 5, 7]);
        assert_eq!(requests.iter().filter(|r| union(r)).count(), 1);
    }

    #[test]
    fn the_window_hears_that_nobody_listens() {
        let (sender, inbox) = inbox();
        assert!(sender.send(Request::Remove(Vec::new())));
        drop(inbox);
        assert!(!sender.send(Request::Cancel(JobId::unique())));
    }
}
