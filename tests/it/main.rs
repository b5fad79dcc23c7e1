//! Tests of the crate and of the binary, from outside.

// The helpers of tests may unwrap as the tests themselves do.
#![allow(clippy::unwrap_used, clippy::expect_used)]
// Nothing is reached from outside a test, and files share their helpers.
#![allow(unreachable_pub)]

use std::path::PathBuf;

/// What an ignored test needs, where an environment variable says it is.
fn named_by(variable: &str, what: &str) -> PathBuf {
    let named = std::env::var_os(variable).map(PathBuf::from);
    named.unwrap_or_else(|| panic!("this test needs {what}: name it in {variable}"))
}

mod architecture;
mod bundles;
mod clip_cli;
mod demo_scenes;
mod demo_train;
mod drops;
mod evaluate;
mod fit;
mod full;
mod full_clip;
mod full_disk;
mod golden;
mod golden_clip;
mod grouping;
mod image;
mod inspect;
mod metrics;
mod modules;
mod one_score;
mod performance;
mod results;
mod score;
mod score_names;
mod sizes;
mod snapshots;
mod snapshots_known;
mod snapshots_tuning;
mod snapshots_window;
mod soak;
mod stage;
mod store;
mod tokenizer;
mod tsne_cli;
mod ui;
mod ui_chosen;
mod ui_curves;
mod ui_explain;
mod ui_gallery;
mod ui_known;
mod ui_map;
mod ui_report;
mod ui_session;
mod ui_world;
mod ui_world_sets;
mod weights;
