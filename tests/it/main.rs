//! Tests of the crate and of the binary, from outside.

// The helpers of tests may unwrap as the tests themselves do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod demo_scenes;
#[cfg(target_os = "linux")]
mod drops;
mod fit;
mod full;
mod golden;
mod image;
mod metrics;
mod performance;
mod score;
mod snapshots;
mod soak;
mod stage;
mod store;
mod weights;
mod tsne_cli;
mod ui;
