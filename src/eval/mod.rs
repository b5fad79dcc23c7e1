//! Sets of images: metrics, reports, t-SNE.
