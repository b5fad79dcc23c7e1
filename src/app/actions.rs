//! Everything that can be done, with its name and key: what the palette and the list of keys show.

use std::borrow::Cow;

use eframe::egui::{Context, Key, KeyboardShortcut, Modifiers};

use crate::panels::{Exported, PANELS, PanelInfo, UserCommand, WindowCommand as W};
use crate::session::Command;
use crate::session::compare::CompareMode;
use crate::session::embedding::EmbedCommand;
use crate::session::known::KnownEdit;

/// Something that can be done.
#[derive(Clone)]
pub(super) struct Action {
    /// What the palette calls it.
    pub name: Cow<'static, str>,
    pub key: Option<KeyboardShortcut>,
    /// The heading under which the list of keys shows it.
    pub group: &'static str,
    does: Does,
}

/// What an action sends.
#[derive(Clone, Copy)]
enum Does {
    Send(fn() -> UserCommand),
    Show(&'static str),
}

impl Action {
    /// What it sends.
    pub(super) fn command(&self) -> UserCommand {
        match self.does {
            Does::Send(command) => command(),
            Does::Show(panel) => W::Show(panel).into(),
        }
    }
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
        &[$($(Action {
            name: Cow::Borrowed($name),
            key: $key,
            group: $group,
            does: Does::Send(|| $command.into()),
        },)*)*]
    };
}

/// The actions that are no panel's.
const ACTIONS: &[Action] = actions! {
    "Files" {
        "Open images…", key(CTRL, Key::O), W::OpenFiles;
        "Open folder…", key(CTRL_SHIFT, Key::O), W::OpenFolder;
        "Open the demo world", key(NONE, Key::G), W::OpenWorld;
        "Paste image", None, W::PasteImage;
        "Open model…", None, W::OpenModel;
        "Open model folder…", None, W::OpenModelFolder;
        "Use the embedded model", None, W::UseEmbedded;
        "Use the embedded CLIP", None, W::UseEmbeddedClip;
        "Open session…", None, W::OpenSession;
        "Save session as…", key(CTRL, Key::S), W::SaveSession;
        "Save view as PNG…", key(CTRL_SHIFT, Key::S), W::SaveView;
        "Copy view", key(CTRL_SHIFT, Key::C), W::CopyView;
        "Export selected images…", key(CTRL, Key::E), W::Export(Exported::Selected);
        "Export all images…", key(CTRL_SHIFT, Key::E), W::Export(Exported::All);
        "Export ROC plot…", None, W::Export(Exported::Roc);
        "Export histogram…", None, W::Export(Exported::Histogram);
        "Export t-SNE map…", None, W::Export(Exported::Map);
        "Export report on the open sets…", key(CTRL, Key::R), W::Export(Exported::Report);
        "Remove selected images", key(NONE, Key::Delete), Command::RemoveSelected;
        "Stop all jobs", key(NONE, Key::Escape), Command::CancelAll;
        "Quit", key(CTRL, Key::Q), W::Quit;
    }
    "Images" {
        "Next image", key(NONE, Key::ArrowRight), W::Next;
        "Previous image", key(NONE, Key::ArrowLeft), W::Previous;
        "First image", key(NONE, Key::Home), W::First;
        "Last image", key(NONE, Key::End), W::Last;
        "Next page of images", key(NONE, Key::PageDown), W::NextPage;
        "Previous page of images", key(NONE, Key::PageUp), W::PreviousPage;
        "Extend the selection forward", key(SHIFT, Key::ArrowRight), W::ExtendNext;
        "Extend the selection backward", key(SHIFT, Key::ArrowLeft), W::ExtendPrevious;
        "Select all images", key(CTRL, Key::A), W::SelectAll;
        "Show selected images alone, or all", key(NONE, Key::O), W::OnlySelected;
        "Most wrong images first, or as opened", key(NONE, Key::W), W::MostWrongFirst;
        "Fit image", key(NONE, Key::F), W::Fit;
        "Compare two images", key(NONE, Key::C), Command::ShowBeside(CompareMode::Image);
        "Compare two thresholds τ", key(NONE, Key::V), Command::ShowBeside(CompareMode::Tau);
        "Show image 1:1", key(NONE, Key::Num1), W::OneToOne;
    }
    "Method" {
        "Load a list of known names…", None, W::OpenNames;
        "Load negative words…", None, W::OpenNegatives;
        "Names back to the model's own", None, Command::Know(KnownEdit::Own);
        "Raise τ", key(NONE, Key::CloseBracket), Command::NudgeTau(0.01);
        "Lower τ", key(NONE, Key::OpenBracket), Command::NudgeTau(-0.01);
        "Raise the second τ", key(NONE, Key::CloseCurlyBracket), Command::NudgeTauBeside(0.01);
        "Lower the second τ", key(NONE, Key::OpenCurlyBracket), Command::NudgeTauBeside(-0.01);
        "Show or hide the map", key(NONE, Key::M), Command::ToggleMap;
        "Map of all counting tags", key(NONE, Key::U), Command::ShowTags(Vec::new());
        "λ back to the model's own", key(NONE, Key::L), Command::SetLambda(None);
        "Explain the method", key(NONE, Key::E), W::Explain;
        "Present the explanation", key(NONE, Key::F5), W::Present;
        "Undo", key(CTRL, Key::Z), Command::Undo;
        "Redo", key(CTRL_SHIFT, Key::Z), Command::Redo;
    }
    "Map" {
        "Make the map anew", key(NONE, Key::N), Command::Embed(EmbedCommand::Start);
        "Pause or resume the map", key(NONE, Key::K), Command::Embed(EmbedCommand::TogglePause);
        "Stop the map where it is", None, Command::Embed(EmbedCommand::Stop);
    }
    "Tuning" {
        "Pin the setting as A", key(NONE, Key::P), Command::Pin;
        "Unpin A", key(SHIFT, Key::P), Command::Unpin;
        "Go back to setting A", key(NONE, Key::A), Command::RestorePinned;
        "Let background work rest", None, Command::PauseSurveys(true);
        "Let background work go on", None, Command::PauseSurveys(false);
    }
    "Window" {
        "Command palette", key(CTRL, Key::P), W::Palette;
        "Keys", key(NONE, Key::Questionmark), W::Shortcuts;
        "Dark or light theme", key(CTRL, Key::T), W::ToggleTheme;
        "Zoom in", key(CTRL, Key::Plus), W::ZoomIn;
        "Zoom out", key(CTRL, Key::Minus), W::ZoomOut;
        "Zoom 100 %", key(CTRL, Key::Num0), W::ZoomReset;
        "Reset layout", None, W::ResetLayout;
    }
};

/// The heading of the panels.
pub(super) const PANEL_GROUP: &str = "Panels";

/// Every action: those of no panel, and one that brings each panel to the front.
pub(super) fn actions() -> impl Iterator<Item = Action> {
    let show = |panel: &'static PanelInfo| Action {
        name: Cow::Owned(format!("Show panel {}", panel.title)),
        key: panel_key(panel),
        group: PANEL_GROUP,
        does: Does::Show(panel.name),
    };
    ACTIONS.iter().cloned().chain(PANELS.iter().map(show))
}

/// The key that brings a panel to the front.
pub(super) fn panel_key(panel: &PanelInfo) -> Option<KeyboardShortcut> {
    panel.key.map(|key| KeyboardShortcut::new(NONE, key))
}

/// A key as people read it: the character on it where it has one.
pub(super) fn key_text(ctx: &Context, key: &KeyboardShortcut) -> String {
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

/// Whether a text field uses a key while it has the focus: plain ones, and those that select, copy and
/// undo.
fn is_for_text(key: KeyboardShortcut) -> bool {
    let edits = [Key::A, Key::C, Key::V, Key::X, Key::Y, Key::Z];
    !key.modifiers.command || edits.contains(&key.logical_key)
}

/// The commands whose keys were pressed, but those that a text field with the focus uses.
pub(super) fn pressed(ctx: &Context) -> Vec<UserCommand> {
    let typing = ctx.text_edit_focused();
    let mut commands = Vec::new();
    // A key with more modifiers is asked for first: Ctrl+Z would take Ctrl+Shift+Z with it.
    let mut actions: Vec<Action> = actions().filter(|action| action.key.is_some()).collect();
    actions.sort_by_key(|action| action.key.is_none_or(|key| !key.modifiers.shift));
    for action in actions {
        let Some(key) = action.key else { continue };
        if typing && is_for_text(key) {
            continue;
        }
        // A slow frame may hold several presses of a key; each counts.
        let presses = ctx.input_mut(|i| i.count_and_consume_key(key.modifiers, key.logical_key));
        commands.extend((0..presses).map(|_| action.command()));
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_does_two_things() {
        let keys: Vec<KeyboardShortcut> = actions().filter_map(|action| action.key).collect();
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[..at].contains(key), "{key:?}");
        }
    }
}
