//! The tests that stand outside the crate, in one binary.

mod image;
