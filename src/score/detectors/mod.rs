//! One file a detector, and the list of them.

mod energy;
mod msp;
mod tagood_cosine;

use super::{Detector, ScoreError};

/// Every detector, in the order of tables and menus.
static ALL: &[&dyn Detector] = &[&tagood_cosine::TagoodCosine, &msp::Msp, &energy::Energy];

/// Every detector, in the order of tables and menus.
pub fn all() -> &'static [&'static dyn Detector] {
    ALL
}

/// The detector with this [`id`](super::Info::id).
///
/// # Errors
///
/// There is none; the error lists those there are.
pub fn by_name(name: &str) -> Result<&'static dyn Detector, ScoreError> {
    ALL.iter().copied().find(|detector| detector.info().id == name).ok_or_else(|| {
        let known: Vec<_> = ALL.iter().map(|detector| detector.info().id).collect();
        ScoreError::UnknownDetector { name: name.to_owned(), known: known.join(", ") }
    })
}
