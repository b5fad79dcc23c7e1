//! The map of features: t-SNE before projection and after it, side by side.

mod style;
mod labels;
mod legend;
mod plot;
mod tools;

/// What figures of the map share with the panel.
pub mod view {
    pub use super::labels::class_words;
    pub use super::plot::SPACE_WORDS;
    pub use super::style::{ColorBy, LegendEntry, MapStyle};
}

use std::collections::BTreeSet;

use eframe::egui::{self, Key, Rect, Ui, Vec2, pos2, vec2};

use super::{Home, Panel, PanelCtx, PanelInfo};
use crate::session::Command;
use crate::session::embedding::{EmbedCommand, LEAST, MapRow, Phase};
use crate::session::{Session, entry::Entry};
use crate::ui::theme::Palette;
use crate::ui::widgets::{empty_note, outcome_shape, outcome_word};
use crate::worker::{ImageId, SPACES};

use plot::{MapScene, Plot, PlotResponse, Tool};
use style::MapStyle;

/// Width of the legend, in points.
const LEGEND: f32 = 168.0;
/// Below this width there is no room for a legend.
const NARROW: f32 = 560.0;
/// Below this height there is no room for tools.
const TINY: f32 = 150.0;
/// Between two plots, in points.
const GAP: f32 = 8.0;

/// The features laid out in the plane, before and after projection.
pub(super) struct MapPanel {
    plots: [Plot; SPACES],
    style: MapStyle,
    tool: Tool,
    /// Whether the map is made anew when τ or the model changes.
    follows: bool,
    hovered: Option<MapRow>,
    run: u64,
    census: MapCounts,
}

/// What is counted of all images, again only where something changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct MapCounts {
    /// Results, settings, run and points that were counted.
    of: (u64, u64, u64, usize),
    /// Images that have a feature.
    embeddable: usize,
    /// Images with a result that are not on the map.
    missing: usize,
    /// Whether every analysis answers the newest settings.
    current: bool,
}

impl MapCounts {
    fn follow(&mut self, session: &Session) {
        let embedding = &session.embedding;
        let of = (
            session.revision(),
            session.images().generation(),
            embedding.run(),
            embedding.placed(),
        );
        if self.of == of {
            return;
        }
        let looked = session.entries().iter().filter(|entry| entry.analysis.is_some());
        *self = Self {
            of,
            embeddable: session.embeddable(),
            missing: looked.filter(|entry| !embedding.holds(entry.id)).count(),
            current: session.analyses_are_current(),
        };
    }
}

impl Default for MapPanel {
    fn default() -> Self {
        Self {
            plots: [0, 1].map(Plot::new),
            style: MapStyle::default(),
            tool: Tool::default(),
            follows: false,
            hovered: None,
            run: 0,
            census: MapCounts::default(),
        }
    }
}

/// Its name, place and key.
pub(super) const PANEL: PanelInfo = PanelInfo {
    name: "tsne",
    title: "t-SNE",
    home: Home::Middle,
    key: Some(Key::S),
    make: || Box::new(MapPanel::default()),
};

impl Panel for MapPanel {
    fn choices(&self) -> Option<serde_json::Value> {
        serde_json::to_value(self.follows).ok()
    }

    fn choose(&mut self, choices: &serde_json::Value) {
        if let Ok(choices) = serde::Deserialize::deserialize(choices) {
            self.follows = choices;
        }
    }

    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let session = cx.session;
        self.census.follow(session);
        self.begin_by_itself(cx);
        if self.run != session.embedding.run() {
            self.run = session.embedding.run();
            self.plots.iter_mut().for_each(Plot::fit);
        }
        if ui.ui_contains_pointer() && std::mem::take(&mut cx.view.fit) {
            self.plots.iter_mut().for_each(Plot::fit);
        }
        // Little room is for the map.
        if ui.available_height() >= TINY {
            tools::bar_ui(ui, self, cx);
            tools::state_ui(ui, self, cx);
        }
        let Some(frame) = &session.embedding.frame else {
            return absent_ui(ui, cx, self.census.embeddable);
        };
        self.style.follow(session, cx.view.color_by, ui.theme());
        for (plot, positions) in self.plots.iter_mut().zip(&frame.positions) {
            plot.follow(positions, &self.style, session);
        }
        let mut room = ui.available_rect_before_wrap();
        if room.width() >= NARROW {
            let side = room.split_left_right_at_x(room.right() - LEGEND).1;
            room.max.x -= LEGEND + GAP;
            let picked = ui.scope_builder(egui::UiBuilder::new().max_rect(side), |ui| {
                legend::ui(ui, &self.style, cx)
            });
            if let Some(images) = picked.inner {
                self.select(ui, cx, images);
            }
        }
        self.plots_ui(ui, cx, room);
    }
}

impl MapPanel {
    /// The first map is made without being asked for, and others where the panel follows τ.
    fn begin_by_itself(&self, cx: &mut PanelCtx<'_>) {
        let (session, embedding) = (cx.session, &cx.session.embedding);
        let first = embedding.phase == Phase::Empty;
        let outdated = self.follows && !session.is_embedding_current() && embedding.frame.is_some();
        let calm = session.jobs().is_empty() && self.census.current;
        if (first || outdated) && calm && self.census.embeddable >= LEAST {
            cx.send(Command::Embed(EmbedCommand::Start));
        }
    }

    fn plots_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>, room: Rect) {
        let mut deeds: Vec<PlotResponse> = Vec::new();
        for (space, rect) in halves(room).into_iter().enumerate() {
            let scene = MapScene {
                style: &self.style,
                tool: self.tool,
                hovered: self.hovered,
                focus: cx.session.focus,
                selected: cx.session.selected.len(),
                of_names: cx.session.embedding.is_of_names(),
            };
            let (response, deed) = self.plots[space].ui(ui, rect, &scene);
            if let Some(row) = deed.hovered {
                response.on_hover_ui_at_pointer(|ui| hover_ui(ui, cx, row));
            }
            deeds.push(deed);
        }
        let hovered = deeds.iter().find_map(|deed| deed.hovered);
        if hovered != self.hovered {
            // The other map shows it, too.
            self.hovered = hovered;
            ui.ctx().request_repaint();
        }
        for deed in deeds {
            if let Some(caught) = deed.caught {
                self.select(ui, cx, caught);
            }
            match deed.clicked {
                Some(Some(MapRow::Image(id))) => self.click(ui, cx, id),
                Some(Some(MapRow::Center(class))) => {
                    let near = |entry: &&Entry| style::class_of(entry) == Some(class);
                    let on_map = |entry: &&Entry| cx.session.embedding.holds(entry.id);
                    let entries = cx.session.entries().iter().filter(near).filter(on_map);
                    let images = entries.map(|entry| entry.id).collect();
                    self.select(ui, cx, images);
                }
                Some(None) => {
                    // Into the void: the image on show alone stays selected.
                    let focus = cx.session.focus.filter(|_| cx.session.selected.len() > 1);
                    cx.commands.extend(focus.map(|focus| Command::Select(vec![focus]).into()));
                }
                None => {}
            }
        }
    }

    /// Selects images, with Shift in addition to those that are; the one on show stays on show where
    /// it can.
    fn select(&self, ui: &Ui, cx: &mut PanelCtx<'_>, images: Vec<ImageId>) {
        let adds = ui.input(|input| input.modifiers.shift);
        let mut selected = if adds { cx.session.selected.clone() } else { Vec::new() };
        let known: BTreeSet<ImageId> = selected.iter().copied().collect();
        selected.extend(images.into_iter().filter(|id| !known.contains(id)));
        let focus = cx.session.focus;
        if let Some(at) = selected.iter().position(|&id| Some(id) == focus) {
            let focus = selected.remove(at);
            selected.push(focus);
        }
        if !selected.is_empty() {
            cx.view.reveal = true;
            cx.send(Command::Select(selected));
        }
    }

    /// Shows an image; with Shift or Ctrl it is added to the selection, or taken away.
    fn click(&self, ui: &Ui, cx: &mut PanelCtx<'_>, id: ImageId) {
        let adds = ui.input(|input| input.modifiers.shift || input.modifiers.command);
        let mut selected = if adds { cx.session.selected.clone() } else { Vec::new() };
        match selected.iter().position(|&other| other == id) {
            Some(at) if selected.len() > 1 => drop(selected.remove(at)),
            Some(_) => {}
            None => selected.push(id),
        }
        cx.view.reveal = true;
        cx.send(Command::Select(selected));
    }
}

/// Two plots beside each other, or one above the other in a tall panel.
fn halves(room: Rect) -> [Rect; SPACES] {
    if room.width() >= room.height() {
        let width = (room.width() - GAP) / 2.0;
        let half = |x: f32| Rect::from_min_size(pos2(x, room.top()), vec2(width, room.height()));
        [half(room.left()), half(room.right() - width)]
    } else {
        let height = (room.height() - GAP) / 2.0;
        let half = |y: f32| Rect::from_min_size(pos2(room.left(), y), vec2(room.width(), height));
        [half(room.top()), half(room.bottom() - height)]
    }
}

/// What stands in place of a map.
fn absent_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, count: usize) {
    let (session, embedding) = (cx.session, &cx.session.embedding);
    let (title, note) = match &embedding.phase {
        Phase::Preparing { done, total } => {
            let title = "Finding each image's neighbours".to_owned();
            (title, format!("{done} of {total} points are done; they will move in a moment."))
        }
        Phase::Failed(error) => ("There is no map".to_owned(), error.clone()),
        _ if session.info().is_some_and(|info| info.head.is_none() && info.labels.is_some()) => {
            let note = "Name what is known, and the map shows where images and names lie.";
            ("Nothing is named as known".to_owned(), note.to_owned())
        }
        _ if session.info().is_some_and(|info| info.head.is_none()) => {
            let note = "Without a projector there are no features to lay out; open a model that was \
                        fitted.";
            ("This model has no projector".to_owned(), note.to_owned())
        }
        Phase::Stopped => {
            let note = format!("Start lays out the features of {count} images.");
            ("The map was stopped".to_owned(), note)
        }
        _ => {
            let of_names = session.info().is_some_and(|info| info.labels.is_some());
            let stars = if of_names { "names" } else { "class centers" };
            let note = format!(
                "The map shows where each image's feature lies among the {stars}. It needs at least \
                 {LEAST} images that keep a token; {count} do so far."
            );
            ("A map of features".to_owned(), note)
        }
    };
    empty_note(ui, &title, &note);
}

/// What an image or a center is, beside the pointer.
fn hover_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, row: MapRow) {
    let palette = Palette::of_ui(ui);
    let name = |class: usize| {
        let info = cx.session.info();
        info.map_or_else(|| format!("class {class}"), |info| info.vocabulary.class_name(class))
    };
    let id = match row {
        MapRow::Center(class) => {
            ui.label(egui::RichText::new(name(class)).strong().color(palette.strong));
            ui.label(match cx.session.embedding.is_of_names() {
                true => {
                    "Text feature of the name, placed by the images most like it. A click selects the \
                     images that are nearest to it."
                }
                false => "Class center. A click selects the images that are nearest to it.",
            });
            return;
        }
        MapRow::Image(id) => id,
    };
    let Some(entry) = cx.session.entry(id) else { return };
    ui.horizontal(|ui| {
        if let Some(small) = &entry.thumbnail {
            let texture = cx.pictures.thumbnail(ui.ctx(), id, small);
            let fit = vec2(112.0, 112.0);
            ui.add(egui::Image::new(&texture).fit_to_exact_size(scaled(texture.size_vec2(), fit)));
        }
        ui.vertical(|ui| {
            ui.label(egui::RichText::new(&entry.name).strong().color(palette.strong));
            ui.horizontal(|ui| {
                let outcome = entry.outcome();
                let color = palette.outcome(outcome);
                let (dot, _) = ui.allocate_exact_size(vec2(10.0, 10.0), egui::Sense::hover());
                ui.painter().add(outcome_shape(dot.center(), 4.0, outcome, color));
                let score = entry.score().map(|score| format!("  score {score:.3}"));
                let text = format!("{}{}", outcome_word(outcome), score.unwrap_or_default());
                ui.label(egui::RichText::new(text).color(color));
            });
            let near = entry.analysis.as_ref().and_then(|analysis| analysis.nearest.first());
            if let Some(near) = near {
                let (class, similarity) = (name(near.class), near.similarity);
                let what = if cx.session.embedding.is_of_names() { "name" } else { "center" };
                ui.label(format!("Nearest {what}: {class} ({similarity:.2})"));
            }
            if !entry.set.is_empty() {
                ui.label(egui::RichText::new(format!("Set: {}", entry.set)).color(palette.weak));
            }
        });
    });
}

/// As large as fits, in the same proportions.
fn scaled(size: Vec2, fit: Vec2) -> Vec2 {
    size * (fit.x / size.x.max(1.0)).min(fit.y / size.y.max(1.0))
}
