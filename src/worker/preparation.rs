//! How the model at hand wants its images: what the decoding threads prepare them by.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::job::JobControl;
use super::lock;
use crate::image::{self, DecodeOptions};
use crate::pipeline::{Pipeline, TaggerKey};

/// How often a thread that waits for a model looks whether its job was cancelled.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How a model wants its images. What was prepared in another way is no input of the model's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Preparation {
    pub picture: image::Preparation,
    pub decode: DecodeOptions,
    /// Under which what the model makes of a file is kept on the disk.
    pub tagger: Option<TaggerKey>,
}

impl Preparation {
    pub(super) fn of(pipeline: &Pipeline) -> Self {
        let manifest = pipeline.manifest();
        Self {
            picture: manifest.preparation(),
            decode: manifest.decode_options(),
            tagger: pipeline.tagger_key(),
        }
    }
}

/// The present model's preparation, which threads read for every few images anew.
#[derive(Clone, Default)]
pub(super) struct Preparations(Arc<(Mutex<Option<Preparation>>, Condvar)>);

impl Preparations {
    /// Another model is at hand.
    pub(super) fn set(&self, preparation: Preparation) {
        let (present, changed) = &*self.0;
        *lock(present) = Some(preparation);
        changed.notify_all();
    }

    /// There is no model any more: images wait for one.
    pub(super) fn clear(&self) {
        *lock(&self.0.0) = None;
    }

    /// How images are to be decoded by what is known so far.
    pub(super) fn decode(&self) -> DecodeOptions {
        lock(&self.0.0).map_or_else(DecodeOptions::default, |present| present.decode)
    }

    /// The present preparation, as soon as there is a model; `None` if the job is cancelled.
    pub(super) fn wait(&self, control: &JobControl) -> Option<Preparation> {
        let (present, changed) = &*self.0;
        let mut present = lock(present);
        while present.is_none() && !control.is_cancelled() {
            let waited = changed.wait_timeout(present, LOOK_EVERY);
            present = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        present.filter(|_| !control.is_cancelled())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_waits_for_a_model_or_for_the_end_of_its_job() {
        let (preparations, control) = (Preparations::default(), JobControl::default());
        let picture = image::Preparation {
            transform: image::Transform::default(),
            side_px: 96,
            pixels: image::Normalisation::IMAGENET,
        };
        let preparation = Preparation { picture, decode: DecodeOptions::default(), tagger: None };
        let wait = || {
            let (preparations, control) = (preparations.clone(), control.clone());
            std::thread::spawn(move || preparations.wait(&control))
        };
        let waiting = wait();
        preparations.set(preparation);
        assert_eq!(waiting.join().unwrap(), Some(preparation));
        control.cancel();
        assert_eq!(Preparations::default().wait(&control), None);
    }
}
