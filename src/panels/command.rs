//! What a user asks for, from a panel, a key or the palette.

use std::path::PathBuf;

use crate::session::Command;

/// What a user asks for.
#[derive(Clone, Debug)]
pub enum UserCommand {
    /// Something of the session.
    Session(Command),
    /// Something of the window.
    Window(WindowCommand),
    /// Loads a bundle's folder or a checkpoint in place of the model in use.
    LoadModel(PathBuf),
    /// Writes results to a file, in the form that its name asks for.
    Export(Exported, PathBuf),
    /// Shows a file in the system's file manager.
    ShowInFolder(PathBuf),
}

impl From<Command> for UserCommand {
    fn from(command: Command) -> Self {
        Self::Session(command)
    }
}

impl From<WindowCommand> for UserCommand {
    fn from(command: WindowCommand) -> Self {
        Self::Window(command)
    }
}

/// What the window does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowCommand {
    /// Asks for files.
    OpenFiles,
    /// Asks for a folder.
    OpenFolder,
    /// Opens scenes of the procedural world, drawn where they are not there yet.
    OpenWorld,
    /// Asks for a model's file.
    OpenModel,
    /// Asks for a model's folder.
    OpenModelFolder,
    /// Loads the model that the program carries.
    UseEmbedded,
    /// Loads the CLIP that the program carries.
    UseEmbeddedClip,
    /// Asks for a list of names that are known.
    OpenNames,
    /// Asks for a file of negative words.
    OpenNegatives,
    /// Takes the picture from the clipboard.
    PasteImage,
    /// Asks for a session file.
    OpenSession,
    /// Asks where to save the session.
    SaveSession,
    /// Saves the view as PNG.
    SaveView,
    /// Asks where to write results, and writes them.
    Export(Exported),
    /// Copies the view.
    CopyView,
    /// Shows the next image of the gallery.
    Next,
    /// Shows the one before.
    Previous,
    /// Shows the first.
    First,
    /// Shows the last.
    Last,
    /// Shows the one a page further.
    NextPage,
    /// Shows the one a page back.
    PreviousPage,
    /// Extends the selection to the next image.
    ExtendNext,
    /// Extends the selection to the one before.
    ExtendPrevious,
    /// Selects all images of the gallery.
    SelectAll,
    /// Has the gallery show the selected images alone, or all again.
    OnlySelected,
    /// Has the gallery show the most wrong images first, or as they were opened again.
    MostWrongFirst,
    /// Fits the image into its panel.
    Fit,
    /// One image pixel on one screen pixel.
    OneToOne,
    /// Opens the palette, or closes it.
    Palette,
    /// Opens the list of keys, or closes it.
    Shortcuts,
    /// Explains the method on this image, or stops.
    Explain,
    /// Gives the window and the screen to the explanation, or takes them back.
    Present,
    /// Dark or light.
    ToggleTheme,
    /// Larger.
    ZoomIn,
    /// Smaller.
    ZoomOut,
    /// As large as designed.
    ZoomReset,
    /// Brings a panel to the front, by its name.
    Show(&'static str),
    /// Loads the model that was fitted.
    UseFit,
    /// The panels as they were at first.
    ResetLayout,
    /// Ends the program.
    Quit,
}

/// What can be written to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exported {
    /// A table of the selected images.
    Selected,
    /// A table of all open images.
    All,
    /// ROC curves of the open sets.
    Roc,
    /// Histograms of the open sets' scores.
    Histogram,
    /// The map of features.
    Map,
    /// The report of `evaluate` on the open sets: a folder.
    Report,
}

impl Exported {
    /// A file's name to begin with.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Selected => "selected.csv",
            Self::All => "images.csv",
            Self::Roc => "roc.svg",
            Self::Histogram => "scores.svg",
            Self::Map => "tsne.svg",
            Self::Report => "tagood-report",
        }
    }
}
