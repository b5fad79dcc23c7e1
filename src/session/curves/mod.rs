//! Curves and tables of the open sets, and what they are computed from.

mod computation;
mod measured;
mod pinned;
mod results;

pub use computation::{Answer, Computation, SEED};
pub use measured::{Measured, MeasuredSet};
pub use pinned::{Flip, Pin, PinScores, Pinned, Verdicts};
pub use results::{DetectorRow, DetectorTable, Sweep, SweepPoint};

pub(super) use results::{Labels, SurveySubject, sampled, steps, tau_at};
