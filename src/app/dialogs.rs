//! Dialogues and the clipboard, each on a thread of its own: the window goes on meanwhile.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::Sender;
use eframe::egui::{ColorImage, Context};

use super::reveal;
use crate::bundle::known::{KnownError, names_of_list};
use crate::fs;
use crate::image::{IMAGE_EXTENSIONS, RgbImage, png};
use crate::lists::List;
use crate::panels::{Exported, UserCommand};
use crate::session::Command;
use crate::session::known::KnownEdit;
use crate::worker::ImageSource;

use crate::export::{FigureForm, TableForm};

/// How checkpoints' files end, and a bundle's manifest.
const MODEL_EXTENSIONS: [&str; 5] = ["pth", "pt", "bin", "safetensors", "toml"];

/// What a dialogue brings back.
pub(super) enum DialogAnswer {
    /// Something to do.
    Do(UserCommand),
    /// A session's file, to open.
    OpenSession(PathBuf),
    /// A session's file, to save to.
    SaveSession(PathBuf),
    /// Something to tell.
    Trouble(String),
}

/// The way back to the window.
#[derive(Clone)]
pub(super) struct Dialogs {
    /// Answers go here.
    pub answers: Sender<DialogAnswer>,
    /// To be woken.
    pub ctx: Context,
    /// Whether somebody is there to answer.
    pub attended: bool,
}

impl Dialogs {
    /// Sends something to the window; one that is gone wants nothing.
    pub(super) fn answer(&self, answer: DialogAnswer) {
        if self.answers.send(answer).is_ok() {
            self.ctx.request_repaint();
        }
    }

    fn run(&self, name: &str, ask: impl FnOnce() -> Option<DialogAnswer> + Send + 'static) {
        if !self.attended {
            return;
        }
        let dialogs = self.clone();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            if let Some(answer) = ask() {
                dialogs.answer(answer);
            }
        });
        if let Err(error) = thread {
            log::error!("cannot open a dialogue: {error}");
        }
    }

    /// Shows a file in the system's file manager.
    pub(super) fn show_in_folder(&self, path: PathBuf) {
        self.run("file manager", move || {
            let trouble = reveal::reveal(&path).err()?;
            Some(DialogAnswer::Trouble(format!("{trouble}: {}", path.display())))
        });
    }

    /// Asks for images.
    pub(super) fn open_files(&self) {
        self.run("dialogue", || {
            let dialog = rfd::FileDialog::new().set_title("Open images");
            let paths = dialog.add_filter("Images", &IMAGE_EXTENSIONS).pick_files()?;
            Some(DialogAnswer::Do(Command::OpenPaths(paths).into()))
        });
    }

    /// Asks for a folder of images.
    pub(super) fn open_folder(&self) {
        self.run("dialogue", || {
            let path = rfd::FileDialog::new().set_title("Open a folder of images").pick_folder()?;
            Some(DialogAnswer::Do(Command::OpenPaths(vec![path]).into()))
        });
    }

    /// Asks for a checkpoint, or the manifest of a bundle.
    pub(super) fn open_model(&self) {
        self.run("dialogue", || {
            let dialog = rfd::FileDialog::new().set_title("Open a model");
            let path = dialog.add_filter("Models", &MODEL_EXTENSIONS).pick_file()?;
            let is_manifest = path.extension().is_some_and(|extension| extension == "toml");
            let folder = path.parent().filter(|_| is_manifest).map(Path::to_path_buf);
            Some(DialogAnswer::Do(UserCommand::LoadModel(folder.unwrap_or(path))))
        });
    }

    /// Asks for a model's folder.
    pub(super) fn open_model_folder(&self) {
        self.run("dialogue", || {
            let dialog = rfd::FileDialog::new().set_title("Open a model's folder");
            dialog.pick_folder().map(|path| DialogAnswer::Do(UserCommand::LoadModel(path)))
        });
    }

    /// Asks for a list of names that are known.
    pub(super) fn open_names(&self) {
        self.run("dialogue", || {
            let dialog = rfd::FileDialog::new().set_title("Open a list of known names, one a line");
            let path = dialog.pick_file()?;
            let names = List::read(&path).map_err(KnownError::from);
            let edit = match names.and_then(|list| names_of_list(&list)) {
                Ok(names) => KnownEdit::Replace(names),
                Err(error) => KnownEdit::Refuse(error.to_string()),
            };
            Some(DialogAnswer::Do(Command::Know(edit).into()))
        });
    }

    /// Asks for a file of negative words.
    pub(super) fn open_negatives(&self) {
        self.run("dialogue", || {
            let dialog = rfd::FileDialog::new().set_title("Open negative words, one a line");
            let edit = KnownEdit::Negatives(Some(dialog.pick_file()?));
            Some(DialogAnswer::Do(Command::Know(edit).into()))
        });
    }

    /// Asks for a session to open.
    pub(super) fn open_session(&self) {
        self.run("dialogue", || {
            let dialog = rfd::FileDialog::new().set_title("Open a session");
            dialog.add_filter("Sessions", &["json"]).pick_file().map(DialogAnswer::OpenSession)
        });
    }

    /// Asks where to save the session.
    pub(super) fn save_session(&self) {
        self.run("dialogue", || {
            let dialog = rfd::FileDialog::new().set_title("Save the session");
            let dialog = dialog.set_file_name("session.json");
            dialog.add_filter("Sessions", &["json"]).save_file().map(DialogAnswer::SaveSession)
        });
    }

    /// Asks where to write results.
    pub(super) fn export(&self, what: Exported) {
        self.run("dialogue", move || {
            let dialog = rfd::FileDialog::new().set_file_name(what.file_name());
            let dialog = match what {
                Exported::Selected | Exported::All => {
                    dialog.set_title("Export a table").add_filter("Tables", &TableForm::ENDINGS)
                }
                Exported::Roc | Exported::Histogram | Exported::Map => {
                    dialog.set_title("Export a plot").add_filter("Plots", &FigureForm::ENDINGS)
                }
                Exported::Report => dialog.set_title("Export the report: name a folder for it"),
            };
            dialog.save_file().map(|path| DialogAnswer::Do(UserCommand::Export(what, path)))
        });
    }

    /// Takes the picture from the clipboard.
    pub(super) fn paste(&self) {
        self.run("clipboard", || {
            let image = arboard::Clipboard::new().and_then(|mut clipboard| clipboard.get_image());
            match image {
                Ok(image) => {
                    let size = [image.width, image.height];
                    let pixels = ColorImage::from_rgba_unmultiplied(size, &image.bytes);
                    pasted(&pixels)
                }
                Err(error) => {
                    Some(DialogAnswer::Trouble(format!("no picture in the clipboard: {error}")))
                }
            }
        });
    }

    /// Asks where to save a view, and saves it.
    pub(super) fn save_view(&self, view: ColorImage) {
        self.run("dialogue", move || {
            let dialog = rfd::FileDialog::new().set_title("Save the view");
            let dialog = dialog.set_file_name("view.png").add_filter("PNG", &["png"]);
            let path = dialog.save_file()?;
            let rgb = rgb_from(&view)?;
            match png(&rgb).and_then(|bytes| fs::write(&path, bytes)) {
                Ok(()) => None,
                Err(error) => {
                    let sentence = format!("cannot save the view: {error}: {}", path.display());
                    Some(DialogAnswer::Trouble(sentence))
                }
            }
        });
    }
}

/// A picture from the clipboard as an image to open.
pub(super) fn pasted(image: &ColorImage) -> Option<DialogAnswer> {
    let rgb = Arc::new(rgb_from(image)?);
    let source = ImageSource::Pixels { name: "Pasted picture".into(), rgb };
    Some(DialogAnswer::Do(Command::OpenSources(vec![source]).into()))
}

fn rgb_from(image: &ColorImage) -> Option<RgbImage> {
    let [width, height] = image.size;
    let bytes = image.pixels.iter().flat_map(|pixel| [pixel.r(), pixel.g(), pixel.b()]).collect();
    RgbImage::from_raw(u32::try_from(width).ok()?, u32::try_from(height).ok()?, bytes)
}
