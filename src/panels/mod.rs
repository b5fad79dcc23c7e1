//! One file for each panel. A panel holds what is only on show (filters, zoom), reads the model, and
//! sends commands; to add one, write its file and name it in [`all`].

mod command;
mod explain;
mod explain_steps;
mod gallery;
mod gallery_order;
mod image;
mod log;
mod map;
mod tags;
mod training;
mod tuning;
mod verdict;
mod vocabulary_review;

/// How maps of features are coloured and labelled, for figures of them.
pub use map::view as map_view;

use eframe::egui::Ui;

use crate::session::Session;
use crate::ui::pictures::Pictures;
use crate::worker::ImageId;

pub use command::{Exported, UserCommand, WindowCommand};

/// What a panel may use while it draws.
pub struct PanelCtx<'a> {
    /// What is known.
    pub session: &'a Session,
    /// Textures.
    pub pictures: &'a mut Pictures,
    /// What panels and keys share.
    pub view: &'a mut View,
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
pub struct View {
    /// The images as the gallery shows them: filtered and sorted.
    pub order: Vec<ImageId>,
    /// Fit the image at the next frame.
    pub fit: bool,
    /// Show the image pixel by pixel from the next frame on.
    pub one_to_one: bool,
    /// The step of the explanation.
    pub step: usize,
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

/// The button that opens the demo world, and its hint: where a panel has nothing to show.
const DEMO_WORLD: (&str, &str) = (
    "Open the demo world",
    "Drawn scenes in five sets: one of classes that the embedded model knows, four of others (G)",
);

/// A part of the window.
pub trait Panel {
    /// Its name in layouts and on the command line.
    fn name(&self) -> &'static str;

    /// Its tab's title.
    fn title(&self) -> &'static str;

    /// How it shows what it shows, for the session's file; `None` if there is nothing to choose.
    fn choices(&self) -> Option<serde_json::Value> {
        None
    }

    /// Takes over what [`Panel::choices`] gave; what it does not know, it leaves.
    fn choose(&mut self, _choices: &serde_json::Value) {}

    /// Draws it.
    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>);
}

/// Every panel there is.
pub fn all() -> Vec<Box<dyn Panel>> {
    vec![
        Box::new(gallery::Gallery::default()),
        Box::new(image::ImagePanel::default()),
        Box::new(explain::Explain),
        Box::new(verdict::VerdictPanel::default()),
        Box::new(tags::Tags::default()),
        Box::new(tuning::roc::RocPanel::default()),
        Box::new(tuning::histogram::Histogram::default()),
        Box::new(tuning::detectors::Detectors::default()),
        Box::new(tuning::sweep::SweepPanel::default()),
        Box::new(tuning::compare::Compare::default()),
        Box::new(training::Training::default()),
        Box::new(map::MapPanel::default()),
        Box::new(log::Log),
    ]
}
