//! The image on show with a map over it, and the τ slider.

use std::sync::Arc;

use eframe::egui::{
    self, Align, Color32, ComboBox, CursorIcon, DragValue, Layout, Pos2, Rect, RichText, Role,
    Sense, Slider, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::{Panel, PanelCtx};
use crate::app::command::{Command, WindowCommand};
use crate::app::state::{Entry, MapView};
use crate::image::{CROP_MARGIN_PX, Transform};
use crate::render::{self, HeatmapLook, Sampling};
use crate::ui::pictures::Picture;
use crate::ui::theme::Palette;
use crate::ui::widgets::{empty_note, toggle};
use crate::worker::{ImageId, ModelInfo};

/// The panel.
#[derive(Default)]
pub struct ImagePanel {
    /// Points for each image pixel; `None` to fit.
    zoom: Option<f32>,
    /// Where the image's middle lies from the panel's, in points.
    offset: Vec2,
    shown: Option<ImageId>,
    map: Option<Arc<[f32]>>,
}

impl Panel for ImagePanel {
    fn name(&self) -> &'static str {
        "image"
    }

    fn title(&self) -> &'static str {
        "Image"
    }

    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let Some(entry) = cx.model.focused() else {
            let note = "Drop images anywhere in this window, or press Ctrl+O. Ctrl+P lists everything \
                        that can be done.";
            let place = ui.available_rect_before_wrap().center() + vec2(0.0, 58.0);
            empty_note(ui, "See why an image is in- or out-of-distribution", note);
            let button = egui::Button::new("Open images…");
            if ui.put(Rect::from_center_size(place, vec2(130.0, 28.0)), button).clicked() {
                cx.commands.push(Command::Window(WindowCommand::OpenFiles));
            }
            return;
        };
        if self.shown != Some(entry.id) {
            (self.shown, self.zoom, self.offset) = (Some(entry.id), None, Vec2::ZERO);
        }
        self.tools_ui(ui, cx, entry);
        let strip_height = 34.0;
        let size = vec2(ui.available_width(), (ui.available_height() - strip_height).max(40.0));
        let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
        cx.view.image_rect = Some(rect);
        self.canvas_ui(ui, cx, entry, rect, response);
        tau_ui(ui, cx, entry);
    }
}

impl ImagePanel {
    fn tools_ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>, entry: &Entry) {
        let palette = Palette::of_ui(ui);
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            let mut map = cx.model.map.clone();
            let hint = "Show the relevance map (M): how much each image token has to do with the \
                        tags on show";
            if toggle(ui, map.visible, "Map", hint).clicked() {
                map.visible = !map.visible;
            }
            let slider = Slider::new(&mut map.opacity, 0.0..=1.0).show_value(false);
            ui.spacing_mut().slider_width = 70.0;
            ui.add_enabled(map.visible, slider)
                .on_hover_text("Opacity of the map")
                .accessible_name("Opacity");
            let hint = "Smooth field, or one square for each token: what the method really sees";
            if toggle(ui, map.smooth, "Smooth", hint).clicked() {
                map.smooth = !map.smooth;
            }
            if let Some(info) = cx.model.info() {
                layer_ui(ui, &mut map, info, cx.model.settings.recipe.layer(usize::MAX));
            }
            if map != cx.model.map {
                cx.commands.push(Command::SetMap(map));
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let one = self.zoom.is_some();
                if toggle(ui, one, "1:1", "One image pixel on one screen pixel (1)").clicked() {
                    cx.view.one_to_one = true;
                }
                if toggle(ui, !one, "Fit", "Fit the image into its panel (F)").clicked() {
                    cx.view.fit = true;
                }
                let size = entry.size.map(|[w, h]| format!("{w} × {h}")).unwrap_or_default();
                ui.label(RichText::new(size).small().color(palette.weak));
                let name = RichText::new(&entry.name).color(palette.text);
                ui.add(egui::Label::new(name).truncate());
            });
        });
    }

    fn canvas_ui(
        &mut self,
        ui: &mut Ui,
        cx: &mut PanelCtx<'_>,
        entry: &Entry,
        rect: Rect,
        response: egui::Response,
    ) {
        let palette = Palette::of_ui(ui);
        let painter = ui.painter_at(rect);
        painter.rect_filled(rect, 6.0, palette.ground);
        let label = format!("Image {}", entry.name);
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &label));
        let picture = match &entry.error {
            Some(error) => Picture::Failed(error.clone()),
            None => cx.pictures.picture(entry.id, &entry.source, cx.worker),
        };
        let small =
            entry.thumbnail.as_ref().map(|small| cx.pictures.thumbnail(ui.ctx(), entry.id, small));
        let (texture, size) = match picture {
            Picture::Ready(texture, _) => (texture.id(), texture.size_vec2()),
            // The thumbnail stands in until the picture is there.
            Picture::Waiting => match small {
                Some(small) => (small.id(), small.size_vec2() * 8.0),
                None => return,
            },
            Picture::Failed(error) => {
                let mut child = ui.new_child(egui::UiBuilder::new().max_rect(rect.shrink(16.0)));
                return empty_note(&mut child, "This image cannot be shown", &error);
            }
        };
        self.navigate(ui, cx, rect, size, &response);
        let image_rect = self.image_rect(rect, size);
        let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        painter.image(texture, image_rect, uv, Color32::WHITE);
        let Some(info) = cx.model.info().cloned() else { return };
        let map = entry.map(&cx.model.map, &info, &cx.model.settings);
        self.keep(map.as_deref());
        let Some(map) = self.map.clone() else { return };
        let field = field_rect(image_rect, &info);
        let hovered = self.hovered(&response, field, &map);
        if cx.model.map.visible {
            let look = HeatmapLook {
                tau: cx.model.settings.tau,
                opacity: cx.model.map.opacity,
                sampling: if cx.model.map.smooth { Sampling::Bicubic } else { Sampling::Nearest },
                hovered,
                ..HeatmapLook::default()
            };
            render::heatmap(&painter, field, &map, &look);
        } else if let Some([column, row]) = hovered {
            let cell = patch_rect(field, &map, column, row);
            painter.rect_stroke(cell, 0.0, Stroke::new(1.5, Color32::WHITE), StrokeKind::Outside);
        }
        if let Some([column, row]) = hovered {
            hover_ui(response, cx, &map, column, row);
        }
    }

    /// Keeps the same shared map while its values are the same, so that it goes to the device once.
    fn keep(&mut self, map: Option<&[f32]>) {
        if self.map.as_deref() != map {
            self.map = map.map(Arc::from);
        }
    }

    fn hovered(&self, response: &egui::Response, field: Rect, map: &[f32]) -> Option<[u32; 2]> {
        let (_, grid) = render::patches(map)?;
        render::patch_at(field, grid, response.hover_pos()?)
    }

    /// The zoom in force for an image of this size.
    fn scale(&self, rect: Rect, size: Vec2) -> f32 {
        let room = (rect.size() - vec2(16.0, 16.0)).max(vec2(8.0, 8.0));
        self.zoom.unwrap_or_else(|| (room.x / size.x).min(room.y / size.y))
    }

    fn image_rect(&self, rect: Rect, size: Vec2) -> Rect {
        Rect::from_center_size(rect.center() + self.offset, size * self.scale(rect, size))
    }

    fn navigate(
        &mut self,
        ui: &Ui,
        cx: &mut PanelCtx<'_>,
        rect: Rect,
        size: Vec2,
        response: &egui::Response,
    ) {
        if std::mem::take(&mut cx.view.fit) || response.double_clicked() {
            (self.zoom, self.offset) = (None, Vec2::ZERO);
        }
        if std::mem::take(&mut cx.view.one_to_one) {
            (self.zoom, self.offset) = (Some(1.0 / ui.pixels_per_point()), Vec2::ZERO);
        }
        if response.dragged() {
            self.offset += response.drag_delta();
            ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
        }
        let Some(pointer) = response.hover_pos() else { return };
        let factor =
            ui.input(|input| input.zoom_delta() * (input.smooth_scroll_delta().y / 240.0).exp());
        if factor != 1.0 {
            self.zoom_to(pointer, factor, rect, size);
        }
    }

    /// Zooms so that what lies under the pointer stays there.
    fn zoom_to(&mut self, pointer: Pos2, factor: f32, rect: Rect, size: Vec2) {
        let before = self.scale(rect, size);
        let after = (before * factor).clamp(0.02, 64.0);
        let from_center = pointer - rect.center() - self.offset;
        self.offset += from_center * (1.0 - after / before);
        self.zoom = Some(after);
    }
}

/// Where the tokens lie on an image: all of it, but for the margin that a transform cuts off.
fn field_rect(image: Rect, info: &ModelInfo) -> Rect {
    let side = info.manifest.tagger.swin.image as f32;
    match info.manifest.transform {
        Transform::Ram => image,
        Transform::Tagood => {
            let share = CROP_MARGIN_PX as f32 / 2.0 / (side + CROP_MARGIN_PX as f32);
            image.shrink2(image.size() * share)
        }
    }
}

fn patch_rect(field: Rect, map: &[f32], column: u32, row: u32) -> Rect {
    let grid = render::patches(map).map_or(1, |(_, grid)| grid);
    let cell = field.size() / grid as f32;
    Rect::from_min_size(field.min + vec2(column as f32, row as f32) * cell, cell)
}

fn hover_ui(response: egui::Response, cx: &PanelCtx<'_>, map: &[f32], column: u32, row: u32) {
    let Some((patches, grid)) = render::patches(map) else { return };
    let Some(value) = patches.get(row as usize * grid + column as usize) else { return };
    let tau = cx.model.settings.tau;
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

fn layer_ui(ui: &mut Ui, map: &mut MapView, info: &ModelInfo, recipe_layer: usize) {
    let decoder = &info.manifest.tagger.decoder;
    let of_recipe = if recipe_layer == 0 { "first" } else { "last" };
    let name = |layer: Option<usize>| match layer {
        None => format!("Layer: {of_recipe}"),
        Some(layer) => format!("Layer {}", layer + 1),
    };
    ComboBox::from_id_salt("layer")
        .selected_text(name(map.layer))
        .width(84.0)
        .show_ui(ui, |ui| {
            ui.selectable_value(&mut map.layer, None, format!("As the recipe says ({of_recipe})"));
            for layer in 0..decoder.layers {
                ui.selectable_value(&mut map.layer, Some(layer), name(Some(layer)));
            }
        })
        .response
        .on_hover_text(
            "The tag decoder's layer whose attention is shown; verdicts use the recipe's",
        )
        .accessible_name("Layer");
    ComboBox::from_id_salt("head")
        .selected_text(map.head.map_or("All heads".into(), |head| format!("Head {}", head + 1)))
        .width(76.0)
        .show_ui(ui, |ui| {
            ui.selectable_value(&mut map.head, None, "All heads, summed");
            for head in 0..decoder.heads {
                ui.selectable_value(&mut map.head, Some(head), format!("Head {}", head + 1));
            }
        })
        .response
        .on_hover_text("One attention head, or the sum of all, as verdicts use it")
        .accessible_name("Head");
}

/// τ under the image: slider, typed entry, and what it keeps.
fn tau_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, entry: &Entry) {
    let palette = Palette::of_ui(ui);
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        let mut tau = cx.model.settings.tau;
        let hint =
            "Relevance above which an image token counts as part of an object. Keys: [ and ]";
        ui.label(RichText::new("τ").size(16.0).color(palette.accent).strong()).on_hover_text(hint);
        let kept = entry.look.as_ref().map(|look| {
            let d = &look.decomposition;
            format!("{} of {} tokens kept", d.kept(), d.mask.len())
        });
        ui.spacing_mut().slider_width = (ui.available_width() - 214.0).max(60.0);
        let slider = Slider::new(&mut tau, 0.0..=1.0).show_value(false);
        ui.add(slider).on_hover_text(hint).accessible_name("Tau");
        let entry = DragValue::new(&mut tau).range(0.0..=1.0).speed(0.005).fixed_decimals(2);
        ui.add(entry).accessible_name("Tau value");
        ui.label(RichText::new(kept.unwrap_or_else(|| "–".into())).color(palette.weak));
        if tau != cx.model.settings.tau {
            cx.commands.push(Command::SetTau(tau));
        }
    });
}
