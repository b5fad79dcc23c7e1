//! Sets of images: scores, metrics, reports, t-SNE.

pub mod metrics;
pub mod tsne;

pub use crate::dataset;
