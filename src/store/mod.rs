//! The feature store: what the tagger made of a set of images, on disk.
