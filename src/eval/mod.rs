//! Sets of images: metrics, reports, t-SNE.

pub(crate) mod csv_text;
pub mod dataset;
pub mod metrics;
pub mod tsne;
