//! CLIPN's training: a second text side that learns to say no (Wang et al. 2023, "CLIPN for
//! Zero-Shot OOD Detection: Teaching CLIP to Say No").
//!
//! ```text
//! image ─ frozen image side ─▶ f [n, joint] ─┐
//! text ┬─ frozen yes side ──▶ g [n, joint] ──┼─▶ image-text binary-opposite loss
//!      └─ no side, learned ─▶ h [n, joint] ──┴─▶ text semantic-opposite loss
//! ```

mod config;
mod crop;
mod error;
mod images;
mod losses;
mod output;
mod pairs;
mod run;
mod trainer;
mod weights;

pub use config::{ClipnConfig, Crops};
pub use error::ClipnError;
pub use losses::{ClipnLosses, losses};
pub use output::ClipFolder;
pub use pairs::{Pair, PairImage, Pairs};
pub use run::{ClipnLog, ClipnOutcome, ClipnRun, ClipnWatch};
pub use trainer::{LossValues, NoSideTrainer};
pub use weights::with_no_side;

#[cfg(test)]
mod tests;
