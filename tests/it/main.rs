//! Tests of the crate and of the binary, from outside.

mod metrics;
