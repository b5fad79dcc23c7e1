//! Model bundles: what a model is made of, on disk and embedded.
