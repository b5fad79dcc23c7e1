//! The image on show with a map over it, beside another or at another τ, and the τ slider.

mod camera;
mod canvas;
mod tools;

use eframe::egui::{self, Rect, Sense, Ui, pos2, vec2};

use super::{DEMO_WORLD, Home, Panel, PanelCtx, PanelInfo};
use crate::panels::WindowCommand;
use crate::session::compare::CompareMode;
use crate::ui::widgets::{empty_choice, empty_note};
use crate::worker::ImageId;

use camera::Camera;
pub(super) use canvas::field_rect;
use canvas::{CanvasImage, ImageCanvas};

/// Space between two images, in points.
const GAP: f32 = 6.0;

/// The image on show with its map, alone or beside another.
#[derive(Default)]
pub(super) struct ImagePanel {
    camera: Camera,
    /// The images that the camera was turned to.
    shown: (Option<ImageId>, Option<ImageId>),
    left: ImageCanvas,
    right: ImageCanvas,
    /// The patch under the pointer, outlined on both sides.
    hovered: Option<[u32; 2]>,
}

/// Its name, place and key.
pub(super) const PANEL: PanelInfo = PanelInfo {
    name: "image",
    title: "Image",
    home: Home::Middle,
    key: None,
    make: || Box::new(ImagePanel::default()),
};

impl Panel for ImagePanel {
    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let session = cx.session;
        let Some(entry) = session.focused() else { return nothing_ui(ui, cx) };
        let beside = session.comparison.beside;
        let other = session.beside().filter(|_| beside == CompareMode::Image);
        let shown = (Some(entry.id), other.map(|other| other.id));
        // The same two in other places are no reason to turn elsewhere.
        if self.shown != shown && self.shown != (shown.1, shown.0) {
            self.camera.fit();
        }
        self.shown = shown;
        if std::mem::take(&mut cx.view.fit) {
            self.camera.fit();
        }
        if std::mem::take(&mut cx.view.one_to_one) {
            self.camera.one_to_one(ui.pixels_per_point());
        }
        tools::tools_ui(ui, cx, entry, &self.camera);
        let height = (ui.available_height() - tools::taus_height(beside)).max(40.0);
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
        cx.view.image_rect = Some(rect);
        let (analysis, tau) = (entry.analysis.as_deref(), session.settings().tau);
        let letter = |letter| (beside != CompareMode::Nothing).then_some(letter);
        let first = CanvasImage { entry, analysis, tau, letter: letter('A') };
        let second = match (beside, other) {
            (CompareMode::Nothing, _) | (CompareMode::Image, None) => None,
            (CompareMode::Image, Some(entry)) => Some(CanvasImage {
                entry,
                analysis: entry.analysis.as_deref(),
                tau,
                letter: letter('B'),
            }),
            (CompareMode::Tau, _) => {
                let analysis = session.analysis_beside().map(AsRef::as_ref);
                Some(CanvasImage {
                    entry,
                    analysis,
                    tau: session.comparison.tau,
                    letter: letter('B'),
                })
            }
        };
        self.canvases_ui(ui, cx, rect, &first, second.as_ref());
        tools::taus_ui(ui, cx, entry);
    }
}

impl ImagePanel {
    fn canvases_ui(
        &mut self,
        ui: &mut Ui,
        cx: &mut PanelCtx<'_>,
        rect: Rect,
        first: &CanvasImage<'_>,
        second: Option<&CanvasImage<'_>>,
    ) {
        if first.letter.is_none() {
            self.hovered = self.left.ui(ui, cx, first, rect, &mut self.camera, None);
            return;
        }
        let middle = rect.center().x;
        let left = Rect::from_min_max(rect.min, pos2(middle - GAP / 2.0, rect.bottom()));
        let right = Rect::from_min_max(pos2(middle + GAP / 2.0, rect.top()), rect.max);
        // Of two images, the same place is not the same thing.
        let same = second.is_some_and(|second| second.entry.id == first.entry.id);
        let linked = self.hovered.filter(|_| same);
        let hovered = self.left.ui(ui, cx, first, left, &mut self.camera, linked);
        let other = match second {
            Some(second) => self.right.ui(ui, cx, second, right, &mut self.camera, linked),
            None => {
                let mut child = ui.new_child(egui::UiBuilder::new().max_rect(right));
                let note = "Click another image in the gallery; C ends the comparison.";
                empty_note(&mut child, "Select a second image", note);
                None
            }
        };
        let hovered = hovered.or(other);
        if same && hovered != self.hovered {
            // The other side follows in the next frame.
            ui.ctx().request_repaint();
        }
        self.hovered = hovered;
    }
}

fn nothing_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>) {
    let title = "See why an image is in- or out-of-distribution";
    let note = "Drop images anywhere in this window, or press Ctrl+O. Ctrl+P lists everything that \
                can be done.";
    let open = ("Open images…", "Choose files (Ctrl+O)");
    let command = match empty_choice(ui, title, note, &[open, DEMO_WORLD]) {
        Some(0) => WindowCommand::OpenFiles,
        Some(_) => WindowCommand::OpenWorld,
        None => return,
    };
    cx.send(command);
}
