//! Sets of images: metrics, reports, t-SNE.

pub mod metrics;
