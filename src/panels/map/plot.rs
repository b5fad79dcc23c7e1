//! One map: points, labels, pan and zoom, lasso, what lies under the pointer.

use std::sync::Arc;

use eframe::egui::{
    self, Color32, CursorIcon, PointerButton, Pos2, Rect, Response, Role, Sense, Stroke,
    StrokeKind, Ui, WidgetInfo, pos2, vec2,
};

use super::labels::{self, PlacedName};
use super::style::MapStyle;
use crate::render::{self, Picker, PointCloud, PointLook, View};
use crate::session::Session;
use crate::session::embedding::MapRow;
use crate::ui::theme::Palette;
use crate::ui::widgets::elided;
use crate::worker::{ImageId, SPACES};

/// How far from a point the pointer still means it, in points.
const REACH: f32 = 9.0;
/// Two places of a lasso are at least this far apart, in points.
const LASSO_STEP: f32 = 3.0;

/// What a drag with the first button does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tool {
    /// Draws around points to select them.
    #[default]
    Lasso,
    /// Moves the map.
    Move,
}

/// What all plots are drawn with.
pub(super) struct MapScene<'a> {
    pub style: &'a MapStyle,
    pub tool: Tool,
    /// What the pointer is over, in whichever map.
    pub hovered: Option<MapRow>,
    /// The image on show.
    pub focus: Option<ImageId>,
    /// How many images are selected.
    pub selected: usize,
    /// Whether stars are the text features of a CLIP's names.
    pub of_names: bool,
}

/// What the user did in a plot.
#[derive(Debug, Default, PartialEq)]
pub(super) struct PlotResponse {
    /// What the pointer is over.
    pub hovered: Option<MapRow>,
    /// What was clicked; nothing for a click into the void.
    pub clicked: Option<Option<MapRow>>,
    /// What was drawn around.
    pub caught: Option<Vec<ImageId>>,
}

/// What both spaces of a tagger's features are called, and those of a CLIP's, with what lies there.
pub const SPACE_WORDS: [[(&str, &str); SPACES]; 2] = [
    [
        ("Before projection", "means of the kept tokens"),
        ("After projection", "features and class centers"),
    ],
    [
        ("Whole image", "image features and names"),
        ("Patches", "means of the kept patches and names"),
    ],
];

/// A plot of one space.
#[derive(Default)]
pub(super) struct Plot {
    space: usize,
    /// The user's view; `None` shows everything.
    view: Option<View>,
    /// The positions of the frame on show, without those whose images are gone.
    shown: Option<ShownMap>,
    /// The lasso in data space.
    lasso: Vec<[f32; 2]>,
}

struct ShownMap {
    from: Arc<[[f32; 2]]>,
    version: u64,
    positions: Arc<[[f32; 2]]>,
    /// Made when the pointer is over the map.
    picker: Option<Picker>,
    labels: Vec<PlacedName>,
    /// The view that shows everything in a rectangle of this size.
    fit: Option<(egui::Vec2, View)>,
}

impl Plot {
    pub(super) fn new(space: usize) -> Self {
        Self { space, ..Self::default() }
    }

    /// Title and subtitle.
    fn words(&self, scene: &MapScene<'_>) -> (&'static str, &'static str) {
        SPACE_WORDS[usize::from(scene.of_names)][self.space]
    }

    /// Shows everything again.
    pub(super) fn fit(&mut self) {
        self.view = None;
    }

    fn positions(&self) -> &[[f32; 2]] {
        self.shown.as_ref().map_or(&[], |shown| &shown.positions)
    }

    /// Takes the newest frame.
    pub(super) fn follow(&mut self, frame: &Arc<[[f32; 2]]>, style: &MapStyle, session: &Session) {
        let version = style.version;
        let same = |shown: &ShownMap| Arc::ptr_eq(&shown.from, frame) && shown.version == version;
        if self.shown.as_ref().is_some_and(same) {
            return;
        }
        let gone = &style.gone[self.space];
        let positions = match gone.is_empty() {
            true => frame.clone(),
            false => {
                let mut kept = frame.to_vec();
                gone.iter()
                    .filter(|&&at| at < frame.len())
                    .for_each(|&at| kept[at] = [f32::NAN; 2]);
                kept.into()
            }
        };
        // A change of colours moves nothing.
        let old = self.shown.take().filter(|old| Arc::ptr_eq(&old.positions, &positions));
        let (picker, fit) = old.map_or((None, None), |old| (old.picker, old.fit));
        let labels = labels::of(session, style, self.space, &positions);
        self.shown =
            Some(ShownMap { from: frame.clone(), version, positions, picker, labels, fit });
    }

    /// Draws it into what room there is.
    pub(super) fn ui(
        &mut self,
        ui: &mut Ui,
        rect: Rect,
        scene: &MapScene<'_>,
    ) -> (Response, PlotResponse) {
        let response = ui.allocate_rect(rect, Sense::click_and_drag());
        let palette = Palette::of_ui(ui);
        ui.painter().rect_filled(rect, 6.0, palette.ground);
        let label = self.describe(scene);
        response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, &label));
        let view = self.navigate(ui, rect, scene.tool, &response);
        let deed = self.deeds(ui, rect, view, scene, &response);
        self.points_ui(ui, rect, view, scene);
        self.marks_ui(ui, rect, view, scene);
        let title = self.title_ui(ui, rect, scene);
        if let Some(shown) = &self.shown {
            labels::paint(ui, (rect, title), view, &shown.labels);
        }
        self.lasso_ui(ui, rect, view);
        ui.painter().rect_stroke(rect, 6.0, Stroke::new(1.0, palette.line), StrokeKind::Inside);
        (response, deed)
    }

    /// What the plot shows, above the points; where it stands.
    fn title_ui(&self, ui: &Ui, rect: Rect, scene: &MapScene<'_>) -> Rect {
        let (title, subtitle) = self.words(scene);
        let palette = Palette::of_ui(ui);
        let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
        let room = rect.width() - 20.0;
        let title = elided(&painter, title, 11.5, palette.text, room);
        let at = rect.min + vec2(10.0, 8.0);
        let mut place = Rect::from_min_size(at, title.size());
        painter.galley(at, title, palette.text);
        let room = room - place.width() - 8.0;
        if room > 40.0 {
            let subtitle = elided(&painter, subtitle, 11.5, palette.weak, room);
            let at = place.right_top() + vec2(8.0, 0.0);
            place.max.x = at.x + subtitle.size().x;
            painter.galley(at, subtitle, palette.weak);
        }
        place
    }

    fn describe(&self, scene: &MapScene<'_>) -> String {
        let rows = &scene.style.rows[self.space];
        let centers = rows.iter().filter(|row| matches!(row, MapRow::Center(_))).count();
        let images = rows.len() - centers - scene.style.gone[self.space].len();
        let (crosses, selected) = (scene.style.crosses, scene.selected);
        let centers = match (centers, scene.of_names) {
            (0, _) => String::new(),
            (1, true) => ", 1 name".to_owned(),
            (names, true) => format!(", {names} names"),
            (centers, false) => format!(", {centers} class centers"),
        };
        let title = self.words(scene).0;
        format!(
            "{title}: map of {images} images, {crosses} out-of-distribution{centers}, {selected} \
             selected"
        )
    }

    /// Pans and zooms; the view in force.
    fn navigate(&mut self, ui: &Ui, rect: Rect, tool: Tool, response: &Response) -> View {
        let fit = self.shown.as_mut().map_or_else(View::default, |shown| shown.fit_into(rect));
        let mut view = self.view.unwrap_or(fit);
        // A click with the lasso into the void lets the selection go.
        if tool == Tool::Move && response.double_clicked() {
            self.view = None;
            return fit;
        }
        let pans = match tool {
            Tool::Move => response.dragged(),
            Tool::Lasso => {
                response.dragged_by(PointerButton::Secondary)
                    || response.dragged_by(PointerButton::Middle)
            }
        };
        if pans {
            view.pan(response.drag_delta());
            ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
            self.view = Some(view);
        }
        if let Some(pointer) = response.hover_pos() {
            let factor = ui
                .input(|input| input.zoom_delta() * (input.smooth_scroll_delta().y / 240.0).exp());
            if factor != 1.0 {
                view.zoom_about(rect, pointer, factor);
                self.view = Some(view);
            }
            if !pans && tool == Tool::Lasso {
                ui.ctx().set_cursor_icon(CursorIcon::Crosshair);
            }
        }
        view
    }

    fn deeds(
        &mut self,
        ui: &Ui,
        rect: Rect,
        view: View,
        scene: &MapScene<'_>,
        response: &Response,
    ) -> PlotResponse {
        let rows = &scene.style.rows[self.space];
        let lassoing = scene.tool == Tool::Lasso && response.dragged_by(PointerButton::Primary);
        if lassoing && let Some(pointer) = response.interact_pointer_pos() {
            if self.lasso.is_empty()
                && let Some(origin) = ui.input(|input| input.pointer.press_origin())
            {
                self.lasso.push(view.data_from_screen(rect, origin));
            }
            let last = self.lasso.last().map(|&at| view.screen_from_data(rect, at));
            if last.is_none_or(|last| last.distance(pointer) >= LASSO_STEP) {
                self.lasso.push(view.data_from_screen(rect, pointer));
            }
        }
        let mut deed = PlotResponse::default();
        let Some(picker) = self
            .shown
            .as_mut()
            .filter(|_| response.contains_pointer() || response.drag_stopped())
            .map(ShownMap::picker)
        else {
            return deed;
        };
        if response.drag_stopped() && !self.lasso.is_empty() {
            let image = |at: usize| match rows.get(at) {
                Some(MapRow::Image(id)) => Some(*id),
                _ => None,
            };
            let caught = picker.inside(&std::mem::take(&mut self.lasso));
            deed.caught = Some(caught.into_iter().filter_map(image).collect());
        }
        if let Some(pointer) = response.hover_pos().filter(|_| self.lasso.is_empty()) {
            let at = picker.nearest(view.data_from_screen(rect, pointer), REACH / view.scale);
            deed.hovered = at.and_then(|at| rows.get(at)).copied();
        }
        if response.clicked() {
            deed.clicked = Some(deed.hovered);
        }
        deed
    }

    fn points_ui(&self, ui: &Ui, rect: Rect, view: View, scene: &MapScene<'_>) {
        let Some(shown) = &self.shown else { return };
        let palette = Palette::of_ui(ui);
        let styles = scene.style.styles[self.space].clone();
        let cloud = PointCloud { positions: shown.positions.clone(), styles };
        let dimmed = palette.weak.gamma_multiply(0.35);
        let analysis = PointLook {
            radius: radius(shown.positions.len()),
            opacity: 0.9,
            palette: scene.style.palette.clone(),
            dimmed,
            outline: palette.ground,
        };
        let clip = ui.painter().with_clip_rect(rect.shrink(1.0));
        render::points(&clip, rect.shrink(1.0), &cloud, view, &analysis);
    }

    /// Rings around the image on show and around what the pointer is over.
    fn marks_ui(&self, ui: &Ui, rect: Rect, view: View, scene: &MapScene<'_>) {
        let palette = Palette::of_ui(ui);
        let rows = &scene.style.rows[self.space];
        let place = |wanted: MapRow| {
            let at = rows.iter().position(|row| *row == wanted)?;
            let at = *self.positions().get(at)?;
            let at = view.screen_from_data(rect, at);
            (at.is_finite() && rect.contains(at)).then_some(at)
        };
        let painter = ui.painter().with_clip_rect(rect);
        let radius = radius(self.positions().len());
        if let Some(at) = scene.focus.and_then(|id| place(MapRow::Image(id))) {
            painter.circle_stroke(at, radius * 1.5 + 5.0, Stroke::new(3.5, palette.ground));
            painter.circle_stroke(at, radius * 1.5 + 5.0, Stroke::new(2.0, palette.accent));
        }
        if let Some(at) = scene.hovered.and_then(place) {
            painter.circle_stroke(at, radius + 4.0, Stroke::new(1.5, palette.strong));
        }
    }

    fn lasso_ui(&self, ui: &Ui, rect: Rect, view: View) {
        if self.lasso.len() < 2 {
            return;
        }
        let palette = Palette::of_ui(ui);
        let at = |&at: &[f32; 2]| view.screen_from_data(rect, at);
        let outline: Vec<Pos2> = self.lasso.iter().map(at).collect();
        let painter = ui.painter().with_clip_rect(rect);
        let faint = palette.accent.gamma_multiply(0.5);
        if let (Some(first), Some(last)) = (outline.first(), outline.last()) {
            painter.line_segment([*last, *first], Stroke::new(1.0, faint));
        }
        painter.line(outline, Stroke::new(1.5, palette.accent));
    }
}

impl ShownMap {
    fn fit_into(&mut self, rect: Rect) -> View {
        // Room above for the title.
        let room = Rect::from_min_max(pos2(rect.left(), rect.top() + 24.0), rect.max);
        match self.fit {
            Some((size, view)) if size == rect.size() => view,
            _ => {
                let mut view = View::fit(&self.positions, room);
                view.center[1] += (room.center().y - rect.center().y) / view.scale;
                self.fit = Some((rect.size(), view));
                view
            }
        }
    }

    fn picker(&mut self) -> &Picker {
        self.picker.get_or_insert_with(|| Picker::new(self.positions.clone()))
    }
}

/// A circle's radius in points: many points are drawn smaller.
fn radius(points: usize) -> f32 {
    match points {
        0..300 => 4.0,
        300..3_000 => 3.5,
        3_000..30_000 => 2.5,
        _ => 1.5,
    }
}

/// A point's shape, small, as in a legend.
pub(super) fn swatch(ui: &Ui, at: Pos2, shape: render::Shape, color: Color32) {
    let painter = ui.painter();
    match shape {
        render::Shape::Circle => {
            painter.circle_filled(at, 4.0, color);
        }
        render::Shape::Cross => {
            for (dx, dy) in [(3.5, 3.5), (3.5, -3.5)] {
                let ends = [at - vec2(dx, dy), at + vec2(dx, dy)];
                painter.line_segment(ends, Stroke::new(2.0, color));
            }
        }
        render::Shape::Star => {
            painter.add(egui::Shape::convex_polygon(star(at, 6.0), color, Stroke::NONE));
        }
    }
}

fn star(at: Pos2, radius: f32) -> Vec<Pos2> {
    let tip = |k: usize| {
        let angle = std::f32::consts::TAU * (k as f32 / 10.0 - 0.25);
        at + egui::Vec2::angled(angle) * if k.is_multiple_of(2) { radius } else { radius * 0.45 }
    };
    (0..10).map(tip).collect()
}
