//! The default model, part of the binary.
