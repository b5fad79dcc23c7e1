//! One image in its place, with its map, and in a comparison with its verdict.

use std::sync::Arc;

use eframe::egui::{
    self, Align2, Color32, FontId, Mesh, Rect, Response, RichText, Role, Sense, Shape, Stroke,
    StrokeKind, TextureId, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::super::PanelCtx;
use super::camera::Camera;
use crate::colormap::VIRIDIS_SRGB;
use crate::panels::WindowCommand;
use crate::pipeline::Analysis;
use crate::render::{self, HeatmapLook, Sampling};
use crate::session::{entry::Entry, map_view::MapView};
use crate::ui::pictures::Picture;
use crate::ui::theme::{Palette, RADIUS};
use crate::ui::widgets::{empty_note, outcome_shape, outcome_word};
use crate::worker::ModelInfo;

/// What one canvas shows.
pub(super) struct CanvasImage<'a> {
    pub entry: &'a Entry,
    /// The analysis that its verdict comes from.
    pub analysis: Option<&'a Analysis>,
    pub tau: f32,
    /// Its letter in a comparison.
    pub letter: Option<char>,
}

/// One image's place; the map is kept from frame to frame.
#[derive(Default)]
pub(super) struct ImageCanvas {
    map: Option<Arc<[f32]>>,
}

impl ImageCanvas {
    /// Draws the image in `place`. `linked` is outlined unless the pointer is over another patch; the
    /// patch under the pointer comes back.
    pub(super) fn ui(
        &mut self,
        ui: &mut Ui,
        cx: &mut PanelCtx<'_>,
        subject: &CanvasImage<'_>,
        place: Rect,
        camera: &mut Camera,
        linked: Option<[u32; 2]>,
    ) -> Option<[u32; 2]> {
        let palette = Palette::of_ui(ui);
        let id = ui.scope_id().with(("canvas", subject.letter));
        let response = ui.interact(place, id, Sense::click_and_drag());
        let painter = ui.painter_at(place);
        painter.rect_filled(place, 6.0, palette.ground);
        let label = match subject.letter {
            Some(letter) => format!("Image {letter}: {}", subject.entry.name),
            None => format!("Image {}", subject.entry.name),
        };
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &label));
        menu(&response, cx);
        let (texture, size) = picture(ui, cx, subject.entry, place)?;
        camera.navigate(ui, place, &response);
        let image_rect = camera.rect(place, size);
        let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        painter.image(texture, image_rect, uv, Color32::WHITE);
        let info = cx.session.info().cloned()?;
        let map = subject.entry.map(&cx.session.map, &info, cx.session.settings());
        self.keep(map.as_deref());
        let hovered = self.map.clone().and_then(|map| {
            let field = field_rect(image_rect, subject.entry, &info);
            let hovered = hovered(&response, field, &map);
            map_ui(ui, &painter, &cx.session.map, subject.tau, field, &map, hovered.or(linked));
            if let Some(cell) = hovered {
                hover_ui(response, subject.tau, &map, cell);
            }
            hovered
        });
        if self.map.is_some() && cx.session.map.visible && cx.session.map.legend {
            legend_ui(ui, place, subject.tau);
        }
        if subject.letter.is_some() {
            verdict_ui(ui, place, subject);
        }
        hovered
    }

    /// Keeps the same shared map while its values are the same, so that it goes to the device once.
    fn keep(&mut self, map: Option<&[f32]>) {
        if self.map.as_deref() != map {
            self.map = map.map(Arc::from);
        }
    }
}

/// The picture's texture and size; without one, why.
fn picture(
    ui: &mut Ui,
    cx: &mut PanelCtx<'_>,
    entry: &Entry,
    place: Rect,
) -> Option<(TextureId, Vec2)> {
    let picture = match &entry.error {
        Some(error) => Picture::Failed(error.clone()),
        None => cx.pictures.picture(entry.id, &entry.source),
    };
    match picture {
        Picture::Ready(texture, _) => Some((texture.id(), texture.size_vec2())),
        // The thumbnail stands in until the picture is there.
        Picture::Waiting => {
            let small = entry.thumbnail.as_ref()?;
            let texture = cx.pictures.thumbnail(ui.ctx(), entry.id, small);
            let [width, height] = entry.size.unwrap_or(small.size);
            Some((texture.id(), vec2(width as f32, height as f32)))
        }
        Picture::Failed(error) => {
            let mut child = ui.new_child(egui::UiBuilder::new().max_rect(place.shrink(16.0)));
            empty_note(&mut child, "This image cannot be shown", &error);
            None
        }
    }
}

fn menu(response: &Response, cx: &mut PanelCtx<'_>) {
    response.context_menu(|ui| {
        let entries = [
            ("Fit", WindowCommand::Fit),
            ("1:1", WindowCommand::OneToOne),
            ("Copy view", WindowCommand::CopyView),
            ("Save view as PNG…", WindowCommand::SaveView),
        ];
        for (name, command) in entries {
            if ui.button(name).clicked() {
                cx.send(command);
                ui.close();
            }
        }
    });
}

fn map_ui(
    ui: &Ui,
    painter: &egui::Painter,
    view: &MapView,
    tau: f32,
    field: Rect,
    map: &Arc<[f32]>,
    outlined: Option<[u32; 2]>,
) {
    if view.visible {
        let analysis = HeatmapLook {
            tau,
            opacity: view.opacity,
            sampling: if view.smooth { Sampling::Bicubic } else { Sampling::Nearest },
            dim: if view.dimmed { HeatmapLook::default().dim } else { 0.0 },
            contour: view.contour,
            hovered: outlined,
        };
        render::heatmap(painter, field, map, &analysis);
    } else if let Some([column, row]) = outlined {
        let grid = render::patches(map).map_or(1, |(_, grid)| grid);
        let cell = field.size() / grid as f32;
        let corner = field.min + vec2(column as f32, row as f32) * cell;
        let rect = Rect::from_min_size(corner, cell);
        let stroke = Stroke::new(1.5, Palette::of_ui(ui).accent);
        painter.rect_stroke(rect, 0.0, stroke, StrokeKind::Outside);
    }
}

fn hovered(response: &Response, field: Rect, map: &[f32]) -> Option<[u32; 2]> {
    let (_, grid) = render::patches(map)?;
    render::patch_at(field, grid, response.hover_pos()?)
}

/// Where the tokens lie on an image: on the part of it that the network sees.
pub(crate) fn field_rect(image: Rect, entry: &Entry, info: &ModelInfo) -> Rect {
    let side_px = info.manifest.image_side() as u32;
    let seen = info.manifest.transform.seen(entry.size.unwrap_or([1, 1]), side_px);
    let place = vec2(seen.left, seen.top) * image.size();
    Rect::from_min_size(image.min + place, vec2(seen.width, seen.height) * image.size())
}

fn hover_ui(response: Response, tau: f32, map: &[f32], [column, row]: [u32; 2]) {
    let Some((patches, grid)) = render::patches(map) else { return };
    let Some(value) = patches.get(row as usize * grid + column as usize) else { return };
    let kept = if *value > tau { "kept" } else { "not kept" };
    response.on_hover_ui_at_pointer(|ui| {
        ui.label(RichText::new(format!("Relevance {value:.3}")).strong());
        ui.label(format!(
            "Token at row {}, column {}: {kept} at τ = {tau:.2}",
            row + 1,
            column + 1
        ));
    });
}

/// The scale of colours in the corner, with τ on it.
fn legend_ui(ui: &Ui, place: Rect, tau: f32) {
    let size = vec2(132.0, 30.0);
    if place.width() < 2.0 * size.x || place.height() < 4.0 * size.y {
        return;
    }
    let frame = Rect::from_min_size(place.right_top() + vec2(-size.x - 8.0, 8.0), size);
    let painter = ui.painter();
    painter.rect_filled(frame, RADIUS, Color32::from_black_alpha(170));
    let bar = Rect::from_min_size(frame.min + vec2(10.0, 6.0), vec2(size.x - 20.0, 7.0));
    let mut mesh = Mesh::default();
    let last = (VIRIDIS_SRGB.len() - 1) as f32;
    for (at, [r, g, b]) in VIRIDIS_SRGB.into_iter().enumerate() {
        let (x, color) = (egui::lerp(bar.x_range(), at as f32 / last), Color32::from_rgb(r, g, b));
        mesh.colored_vertex(pos2(x, bar.top()), color);
        mesh.colored_vertex(pos2(x, bar.bottom()), color);
        if at > 0 {
            let corner = 2 * at as u32;
            mesh.add_triangle(corner - 2, corner - 1, corner);
            mesh.add_triangle(corner - 1, corner, corner + 1);
        }
    }
    painter.add(Shape::mesh(mesh));
    let x = egui::lerp(bar.x_range(), tau);
    painter.vline(x, bar.top() - 2.0..=bar.bottom() + 2.0, Stroke::new(1.5, Color32::WHITE));
    let font = FontId::proportional(10.0);
    let text = |x: f32, align: Align2, text: &str| {
        let at = pos2(x, bar.bottom() + 3.0);
        painter.text(at, align, text, font.clone(), Color32::from_gray(225));
    };
    // The ends give way where τ's letter needs the place.
    if tau > 0.12 {
        text(bar.left(), Align2::LEFT_TOP, "0");
    }
    if tau < 0.88 {
        text(bar.right(), Align2::RIGHT_TOP, "1");
    }
    text(x, Align2::CENTER_TOP, "τ");
}

/// Verdict, kept tokens and τ in a line at the bottom.
fn verdict_ui(ui: &mut Ui, place: Rect, subject: &CanvasImage<'_>) {
    let dark = Palette::of(egui::Theme::Dark);
    let outcome = subject.analysis.and_then(|analysis| analysis.verdict.outcome);
    let mut text = subject.letter.map(|letter| format!("{letter}   ")).unwrap_or_default();
    match subject.analysis {
        Some(analysis) => {
            text += outcome_word(outcome);
            if let Some(score) = analysis.verdict.score {
                text += &format!(" {score:.3}");
            }
            let d = &analysis.decomposition;
            text += &format!("   {} of {} tokens kept", d.kept(), d.mask.len());
        }
        None => text += "no verdict yet",
    }
    text += &format!("   τ = {:.2}", subject.tau);
    let font = FontId::proportional(12.5);
    let galley = ui.painter().layout_no_wrap(text.clone(), font, Color32::WHITE);
    let size = galley.size() + vec2(30.0, 10.0);
    let corner = pos2(place.left() + 8.0, place.bottom() - 8.0 - size.y);
    let rect = Rect::from_min_size(corner, size);
    let response =
        ui.interact(rect, ui.scope_id().with(("verdict", subject.letter)), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &text));
    let painter = ui.painter_at(place);
    painter.rect_filled(rect, RADIUS, Color32::from_black_alpha(190));
    let center = rect.left_center() + vec2(13.0, 0.0);
    painter.add(outcome_shape(center, 4.5, outcome, dark.outcome(outcome)));
    painter.galley(rect.min + vec2(24.0, 5.0), galley, Color32::WHITE);
    if let Some(analysis) = subject.analysis {
        response.on_hover_text(analysis.verdict.reason.to_string());
    }
}
