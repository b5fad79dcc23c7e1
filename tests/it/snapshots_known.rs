//! What the Known panel, and the panels beside it, look like with a CLIP.

use eframe::egui::Theme;
use egui_kittest::SnapshotResults;
use tagood_lens::app::Options;
use tagood_lens::bundle::known::typed_names;
use tagood_lens::session::Command;
use tagood_lens::session::known::KnownEdit;

use super::snapshots::{scenes, show_alone, take, window_of};
use super::stage::{embedded, model, options, send};
use super::ui_known::clip_options;

const NAMES: &str = "apple\ncat: kitten\ncar\nguitar\nfish\nhouse\numbrella\nteapot\nsailboat";

#[test]
fn names_look_as_they_did() {
    let folder = tempfile::tempdir().unwrap();
    let paths = scenes(folder.path());
    let mut results = SnapshotResults::new();
    for theme in [Theme::Dark, Theme::Light] {
        let clip = Options { theme: Some(theme), ..clip_options(paths.clone()) };
        let mut harness = window_of(clip, [860.0, 360.0]);
        show_alone(&mut harness, "known");
        take(&mut harness, &mut results, "known_nothing", theme);
        send(&mut harness, Command::Know(KnownEdit::Replace(typed_names(NAMES))));
        take(&mut harness, &mut results, "known", theme);
        send(&mut harness, Command::Know(KnownEdit::Add(typed_names("Car"))));
        take(&mut harness, &mut results, "known_refused", theme);

        let clip = Options { theme: Some(theme), ..clip_options(paths.clone()) };
        let mut harness = window_of(clip, [400.0, 620.0]);
        send(&mut harness, Command::Know(KnownEdit::Replace(typed_names(NAMES))));
        for name in ["verdict", "tags", "known"] {
            show_alone(&mut harness, name);
            take(&mut harness, &mut results, &format!("{name}_of_clip"), theme);
        }

        let tagger = Options { model: model("embedded", embedded), ..options(paths.clone()) };
        let mut harness = window_of(Options { theme: Some(theme), ..tagger }, [860.0, 360.0]);
        show_alone(&mut harness, "known");
        take(&mut harness, &mut results, "known_tags", theme);
    }
}
