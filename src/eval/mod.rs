//! Sets of images: scores, metrics, reports, t-SNE.
//!
//! ```text
//! store ─ scan ─▶ TaggedImage ─ gather ─▶ ScoreTable ─ report ─▶ Report ─ write ─▶ tables, plots, page
//! ```

pub mod gather;
pub mod metrics;
pub mod refit;
pub mod report;
pub mod scan;
pub mod scores;
pub mod separation;
pub mod tsne;

pub use crate::dataset;
