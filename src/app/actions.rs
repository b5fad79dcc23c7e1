//! Everything that can be done, with its name and key: what the palette and the list of keys show.

use eframe::egui::{Context, Key, KeyboardShortcut, Modifiers};

use super::command::{Command, WindowCommand as W};
use super::compare::CompareMode;
use super::embedding::EmbedCommand;
use super::export::Exported;

/// Something that can be done.
pub struct Action {
    /// What the palette calls it.
    pub name: &'static str,
    /// Its key.
    pub key: Option<KeyboardShortcut>,
    /// What it sends.
    pub command: fn() -> Command,
    /// The heading under which the list of keys shows it.
    pub group: &'static str,
}

const CTRL: Modifiers = Modifiers::COMMAND;
const CTRL_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);
const SHIFT: Modifiers = Modifiers::SHIFT;
const NONE: Modifiers = Modifiers::NONE;

const fn key(modifiers: Modifiers, key: Key) -> Option<KeyboardShortcut> {
    Some(KeyboardShortcut::new(modifiers, key))
}

macro_rules! actions {
    ($($group:literal { $($name:literal, $key:expr, $command:expr;)* })*) => {
        &[$($(Action { name: $name, key: $key, command: || $command, group: $group },)*)*]
    };
}

/// Every action.
pub const ACTIONS: &[Action] = actions! {
    "Files" {
        "Open images…", key(CTRL, Key::O), Command::Window(W::OpenFiles);
        "Open folder…", key(CTRL_SHIFT, Key::O), Command::Window(W::OpenFolder);
        "Open the demo world", key(NONE, Key::G), Command::Window(W::OpenWorld);
        "Paste image", None, Command::Window(W::PasteImage);
        "Open model…", None, Command::Window(W::OpenModel);
        "Open session…", None, Command::Window(W::OpenSession);
        "Save session as…", key(CTRL, Key::S), Command::Window(W::SaveSession);
        "Save view as PNG…", key(CTRL_SHIFT, Key::S), Command::Window(W::SaveView);
        "Copy view", key(CTRL_SHIFT, Key::C), Command::Window(W::CopyView);
        "Export selected images…", key(CTRL, Key::E), Command::Window(W::Export(Exported::Selected));
        "Export all images…", key(CTRL_SHIFT, Key::E), Command::Window(W::Export(Exported::All));
        "Export ROC plot…", None, Command::Window(W::Export(Exported::Roc));
        "Export histogram…", None, Command::Window(W::Export(Exported::Histogram));
        "Export t-SNE map…", None, Command::Window(W::Export(Exported::Map));
        "Export report on the open sets…", key(CTRL, Key::R), Command::Window(W::Export(Exported::Report));
        "Remove selected images", key(NONE, Key::Delete), Command::RemoveSelected;
        "Stop all jobs", key(NONE, Key::Escape), Command::CancelAll;
        "Quit", key(CTRL, Key::Q), Command::Window(W::Quit);
    }
    "Images" {
        "Next image", key(NONE, Key::ArrowRight), Command::Window(W::Next);
        "Previous image", key(NONE, Key::ArrowLeft), Command::Window(W::Previous);
        "Select all images", key(CTRL, Key::A), Command::Window(W::SelectAll);
        "Show selected images alone, or all", key(NONE, Key::O), Command::Window(W::OnlySelected);
        "Most wrong images first, or as opened", key(NONE, Key::W), Command::Window(W::MostWrongFirst);
        "Fit image", key(NONE, Key::F), Command::Window(W::Fit);
        "Compare two images", key(NONE, Key::C), Command::ShowBeside(CompareMode::Image);
        "Compare two thresholds τ", key(NONE, Key::V), Command::ShowBeside(CompareMode::Tau);
        "Show image 1:1", key(NONE, Key::Num1), Command::Window(W::OneToOne);
    }
    "Method" {
        "Raise τ", key(NONE, Key::CloseBracket), Command::NudgeTau(0.01);
        "Lower τ", key(NONE, Key::OpenBracket), Command::NudgeTau(-0.01);
        "Raise the second τ", key(NONE, Key::CloseCurlyBracket), Command::NudgeTauBeside(0.01);
        "Lower the second τ", key(NONE, Key::OpenCurlyBracket), Command::NudgeTauBeside(-0.01);
        "Show or hide the map", key(NONE, Key::M), Command::Window(W::ToggleMap);
        "Map of all counting tags", key(NONE, Key::U), Command::ShowTags(Vec::new());
        "λ back to the model's own", key(NONE, Key::L), Command::SetLambda(None);
        "Explain the method", key(NONE, Key::E), Command::Window(W::Explain);
        "Undo", key(CTRL, Key::Z), Command::Window(W::Undo);
        "Redo", key(CTRL_SHIFT, Key::Z), Command::Window(W::Redo);
    }
    "Map" {
        "Show the t-SNE map", key(NONE, Key::S), Command::Window(W::Show("tsne"));
        "Make the map anew", key(NONE, Key::N), Command::Embed(EmbedCommand::Start);
        "Pause or resume the map", key(NONE, Key::K), Command::Embed(EmbedCommand::TogglePause);
        "Stop the map where it is", None, Command::Embed(EmbedCommand::Stop);
    }
    "Tuning" {
        "Show scores", key(NONE, Key::H), Command::Window(W::Show("scores"));
        "Show ROC curves", key(NONE, Key::R), Command::Window(W::Show("roc"));
        "Show detectors", key(NONE, Key::D), Command::Window(W::Show("detectors"));
        "Show τ sweep", key(NONE, Key::T), Command::Window(W::Show("sweep"));
        "Show comparison of A and B", key(NONE, Key::B), Command::Window(W::Show("compare"));
        "Show training", None, Command::Window(W::Show("training"));
        "Pin the setting as A", key(NONE, Key::P), Command::Pin;
        "Unpin A", key(SHIFT, Key::P), Command::Unpin;
        "Go back to setting A", key(NONE, Key::A), Command::RestorePinned;
        "Let background work rest", None, Command::PauseSurveys(true);
        "Let background work go on", None, Command::PauseSurveys(false);
    }
    "Window" {
        "Command palette", key(CTRL, Key::P), Command::Window(W::Palette);
        "Keys", key(NONE, Key::Questionmark), Command::Window(W::Shortcuts);
        "Dark or light theme", key(CTRL, Key::T), Command::Window(W::ToggleTheme);
        "Zoom in", key(CTRL, Key::Plus), Command::Window(W::ZoomIn);
        "Zoom out", key(CTRL, Key::Minus), Command::Window(W::ZoomOut);
        "Zoom 100 %", key(CTRL, Key::Num0), Command::Window(W::ZoomReset);
        "Reset layout", None, Command::Window(W::ResetLayout);
    }
};

/// A key as people read it: the character on it where it has one.
pub fn key_text(ctx: &Context, key: &KeyboardShortcut) -> String {
    let character = match key.logical_key {
        Key::OpenBracket => "[",
        Key::CloseBracket => "]",
        Key::OpenCurlyBracket => "{",
        Key::CloseCurlyBracket => "}",
        Key::Questionmark => "?",
        Key::Plus => "+",
        Key::Minus => "−",
        _ => return ctx.format_shortcut(key),
    };
    let modifiers = ctx.format_modifiers(key.modifiers);
    if modifiers.is_empty() { character.into() } else { format!("{modifiers}+{character}") }
}

/// The commands whose keys were pressed. Plain keys belong to a text field while one has the focus.
pub fn pressed(ctx: &Context) -> Vec<Command> {
    let typing = ctx.text_edit_focused();
    let mut commands = Vec::new();
    // A key with more modifiers is asked for first: Ctrl+Z would take Ctrl+Shift+Z with it.
    let mut actions: Vec<&Action> = ACTIONS.iter().filter(|action| action.key.is_some()).collect();
    actions.sort_by_key(|action| action.key.is_none_or(|key| !key.modifiers.shift));
    for action in actions {
        let Some(key) = action.key else { continue };
        if typing && !key.modifiers.command {
            continue;
        }
        // A slow frame may hold several presses of a key; each counts.
        let presses = ctx.input_mut(|i| i.count_and_consume_key(key.modifiers, key.logical_key));
        commands.extend((0..presses).map(|_| (action.command)()));
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_does_two_things() {
        let keys: Vec<KeyboardShortcut> = ACTIONS.iter().filter_map(|action| action.key).collect();
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{key:?}");
        }
    }
}
