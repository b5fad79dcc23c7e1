//! One file for each panel. A panel holds what is only on show (filters, zoom), reads the model, and
//! sends commands; to add one, write its file and name it in [`PANELS`].

mod command;
mod explain;
mod gallery;
mod image;
mod known;
mod log;
mod map;
mod tags;
mod training;
mod tuning;
mod verdict;
mod vocabulary_review;

/// The most steps that an explanation has.
pub use explain::MOST_STEPS as MOST_EXPLAIN_STEPS;
/// How maps of features are coloured and labelled, for figures of them.
pub use map::view as map_view;

use eframe::egui::{Key, Ui};

use crate::session::listing::range;
use crate::session::{Command, Session};
use crate::ui::pictures::Pictures;
use crate::worker::ImageId;

pub use command::{Exported, UserCommand, WindowCommand};

/// What a panel may use while it draws.
pub struct PanelCtx<'a> {
    /// Images, sets, settings and results; a panel reads it and changes nothing.
    pub session: &'a Session,
    /// Textures of the images on show, made when first asked for.
    pub pictures: &'a mut Pictures,
    /// What panels and keys share.
    pub view: &'a mut ViewState,
    /// What the user does; applied after the frame.
    pub commands: &'a mut Vec<UserCommand>,
}

impl PanelCtx<'_> {
    /// Has something done after the frame.
    pub fn send(&mut self, command: impl Into<UserCommand>) {
        self.commands.push(command.into());
    }
}

/// What panels and keys share, apart from the model.
#[derive(Debug, Default)]
pub struct ViewState {
    /// The images as the gallery shows them: filtered and sorted.
    pub order: Vec<ImageId>,
    /// Images beside each other in the gallery.
    pub columns: usize,
    /// Images that the gallery has room for.
    pub page: usize,
    /// Where a selection of a range begins.
    pub anchor: Option<ImageId>,
    /// Whether the newest selection was made in the gallery.
    pub chosen_in_gallery: bool,
    /// Fit the image at the next frame.
    pub fit: bool,
    /// Show the image pixel by pixel from the next frame on.
    pub one_to_one: bool,
    /// The step of the explanation.
    pub step: usize,
    /// Whether the explanation has the window to itself.
    pub presenting: bool,
    /// Scroll the gallery to the image on show.
    pub reveal: bool,
    /// Show the selected images alone from the next frame on, or all again.
    pub toggle_only: bool,
    /// Sort the gallery so that the most wrong come first from the next frame on, or as before.
    pub toggle_wrong: bool,
    /// What colours mean in the map of features.
    pub color_by: map_view::ColorBy,
    /// Where the image panel lies, in points, for saving the view.
    pub image_rect: Option<eframe::egui::Rect>,
}

impl ViewState {
    /// The place of the image on show in the gallery's order.
    pub fn place_of_focus(&self, session: &Session) -> Option<usize> {
        self.order.iter().position(|&id| Some(id) == session.focus)
    }

    /// Shows the image at a place of the gallery's order, or extends the selection up to it.
    pub fn select_at(&mut self, session: &Session, place: usize, extend: bool) -> Option<Command> {
        let &id = self.order.get(place)?;
        (self.reveal, self.chosen_in_gallery) = (true, true);
        if extend {
            let anchor = self.anchor.filter(|anchor| self.order.contains(anchor));
            let anchor = anchor.or(session.focus)?;
            self.anchor = Some(anchor);
            return range(&self.order, anchor, id).map(Command::Select);
        }
        self.anchor = Some(id);
        Some(Command::Select(vec![id]))
    }
}

/// The button that opens the demo world, and its hint: where a panel has nothing to show.
const DEMO_WORLD: (&str, &str) = (
    "Open the demo world",
    "Drawn scenes in five sets: one of classes that the embedded model knows, four of others (G)",
);

/// Where a panel is at first, and where it goes back to when it was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// The column at the left.
    Left,
    /// The largest place, in the middle.
    Middle,
    /// Below the middle.
    Bottom,
    /// The upper place at the right.
    RightUpper,
    /// The lower place at the right.
    RightLower,
}

/// A panel as the window knows it: in menus, the palette, layouts, and on the command line.
pub struct PanelInfo {
    /// Its name in layouts and on the command line.
    pub name: &'static str,
    /// The title of its tab, in menus too.
    pub title: &'static str,
    /// Where it stands until it is moved.
    pub home: Home,
    /// The key that brings it to the front.
    pub key: Option<Key>,
    /// Makes it as it is at the first start.
    pub make: fn() -> Box<dyn Panel>,
}

/// A part of the window.
pub trait Panel {
    /// How it shows what it shows, for the session's file; `None` if there is nothing to choose.
    fn choices(&self) -> Option<serde_json::Value> {
        None
    }

    /// Takes over what [`Panel::choices`] gave; what it does not know, it leaves.
    fn choose(&mut self, _choices: &serde_json::Value) {}

    /// Draws it and sends what the user does as commands.
    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>);
}

/// Every panel there is; those that share a place stand there in this order.
pub const PANELS: &[PanelInfo] = &[
    gallery::PANEL,
    image::PANEL,
    explain::PANEL,
    map::PANEL,
    tuning::histogram::PANEL,
    tuning::roc::PANEL,
    tuning::detectors::PANEL,
    tuning::sweep::PANEL,
    tuning::compare::PANEL,
    known::PANEL,
    training::PANEL,
    log::PANEL,
    verdict::PANEL,
    tags::PANEL,
];
