//! What stands above and below the image: how the map is drawn, what is compared, and τ.

use eframe::egui::{self, Align, ComboBox, DragValue, Layout, RichText, Slider, Ui};

use super::super::PanelCtx;
use super::camera::Camera;
use crate::pipeline::Analysis;
use crate::session::Command;
use crate::session::compare::CompareMode;
use crate::session::{entry::Entry, map_view::MapView};
use crate::ui::theme::Palette;
use crate::ui::widgets::toggle;
use crate::worker::ModelInfo;

/// From this width on the tools stand on one line with the image's name, in points.
const ONE_LINE: f32 = 640.0;
/// Below this width what is seldom changed stands in the menu.
const NARROW: f32 = 470.0;
/// Below this width and height there is room for the most needed alone.
const TINY: [f32; 2] = [300.0, 170.0];

/// The tools above the image.
pub(super) fn tools_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, entry: &Entry, camera: &Camera) {
    let palette = Palette::of_ui(ui);
    let size = ui.available_size();
    let narrow = size.x < NARROW;
    let tiny = size.x < TINY[0] && size.y < TINY[1];
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let mut map = cx.session.map.clone();
        let hint = "Show the relevance map (M): how much each image token has to do with the tags on \
                    show";
        if toggle(ui, map.visible, "Map", hint).clicked() {
            map.visible = !map.visible;
        }
        if !narrow {
            opacity_ui(ui, &mut map);
        }
        if !tiny {
            style_ui(ui, &mut map, cx, narrow);
        }
        if !narrow && let Some(info) = cx.session.info() {
            layer_ui(ui, &mut map, info, cx.session.settings().recipe.layer(usize::MAX));
        }
        if map != cx.session.map {
            cx.send(Command::SetMap(map));
        }
        if !tiny {
            compare_ui(ui, cx);
        }
        if size.x < ONE_LINE {
            return zoom_ui(ui, cx, camera);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let size = entry.size.map(|[w, h]| format!("{w} × {h}")).unwrap_or_default();
            zoom_ui(ui, cx, camera);
            ui.label(RichText::new(size).small().color(palette.weak));
            let name = RichText::new(&entry.name).color(palette.text);
            ui.add(egui::Label::new(name).truncate());
        });
    });
}

/// How near the image is.
fn zoom_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, camera: &Camera) {
    let one = camera.is_one_to_one(ui.pixels_per_point());
    if toggle(ui, one, "1:1", "One image pixel on one screen pixel (1)").clicked() {
        cx.view.one_to_one = true;
    }
    let hint = "Fit the image into its panel (F)";
    if toggle(ui, camera.fits(), "Fit", hint).clicked() {
        cx.view.fit = true;
    }
}

fn opacity_ui(ui: &mut Ui, map: &mut MapView) {
    let slider = Slider::new(&mut map.opacity, 0.0..=1.0).show_value(false);
    ui.spacing_mut().slider_width = 60.0;
    ui.add_enabled(map.visible, slider)
        .on_hover_text("Opacity of the map")
        .accessible_name("Opacity");
}

/// How the map is drawn; with what has no room beside it.
fn style_ui(ui: &mut Ui, map: &mut MapView, cx: &PanelCtx<'_>, with_rest: bool) {
    ui.menu_button("Style", |ui| {
        ui.set_min_width(200.0);
        let smooth = "A smooth field, or one square for each token: what the method really sees";
        ui.checkbox(&mut map.smooth, "Smooth between tokens").on_hover_text(smooth);
        let contour = "A line around what is kept";
        ui.checkbox(&mut map.contour, "Contour of τ").on_hover_text(contour);
        let dimmed = "Darken what is not kept; otherwise its colours show too";
        ui.checkbox(&mut map.dimmed, "Dim below τ").on_hover_text(dimmed);
        ui.checkbox(&mut map.legend, "Scale of colours");
        if with_rest {
            ui.separator();
            opacity_ui(ui, map);
            if let Some(info) = cx.session.info() {
                layer_ui(ui, map, info, cx.session.settings().recipe.layer(usize::MAX));
            }
        }
    })
    .response
    .on_hover_text("How the map is drawn");
}

/// What stands beside the image.
fn compare_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>) {
    let beside = cx.session.comparison.beside;
    let mut choice = |ui: &mut Ui, this: CompareMode, name: &str, hint: &str| {
        if toggle(ui, beside == this, name, hint).clicked() {
            cx.send(Command::ShowBeside(this));
        }
    };
    let images = "Two images side by side (C): the one on show and the one selected before it";
    choice(ui, CompareMode::Image, "A | B", images);
    let taus = "The image at two thresholds τ, side by side (V)";
    choice(ui, CompareMode::Tau, "τ | τ", taus);
}

fn layer_ui(ui: &mut Ui, map: &mut MapView, info: &ModelInfo, recipe_layer: usize) {
    let [layers, heads] = info.manifest.map_layers_and_heads();
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
            for layer in 0..layers {
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
            for head in 0..heads {
                ui.selectable_value(&mut map.head, Some(head), format!("Head {}", head + 1));
            }
        })
        .response
        .on_hover_text("One attention head, or the sum of all, as verdicts use it")
        .accessible_name("Head");
}

/// τ under the image, and the second one where two are compared.
pub(super) fn taus_ui(ui: &mut Ui, cx: &mut PanelCtx<'_>, entry: &Entry) {
    ui.add_space(4.0);
    let two = cx.session.comparison.beside == CompareMode::Tau;
    let hint = "Relevance above which an image token counts as part of an object. Keys: [ and ]";
    let (name, before) = (if two { "τ A" } else { "τ" }, cx.session.settings().tau);
    let tau = tau_ui(ui, name, "Tau", hint, before, entry.analysis.as_deref());
    if tau != before {
        cx.send(Command::SetTau(tau));
    }
    if two {
        let hint = "The second threshold. Keys: { and }";
        let (analysis, before) = (cx.session.analysis_beside().cloned(), cx.session.comparison.tau);
        let tau = tau_ui(ui, "τ B", "Second tau", hint, before, analysis.as_deref());
        if tau != before {
            cx.send(Command::SetTauBeside(tau));
        }
    }
}

/// How high [`taus_ui`] is, in points.
pub(super) fn taus_height(beside: CompareMode) -> f32 {
    if beside == CompareMode::Tau { 62.0 } else { 34.0 }
}

/// A slider, a typed entry, and what τ keeps.
fn tau_ui(
    ui: &mut Ui,
    letter: &str,
    name: &str,
    hint: &str,
    mut tau: f32,
    analysis: Option<&Analysis>,
) -> f32 {
    let palette = Palette::of_ui(ui);
    ui.horizontal(|ui| {
        let text = RichText::new(letter).size(16.0).color(palette.accent).strong();
        ui.label(text).on_hover_text(hint);
        let kept = analysis.map(|analysis| {
            let d = &analysis.decomposition;
            format!("{} of {} tokens kept", d.kept(), d.mask.len())
        });
        // What τ keeps, where there is room for it.
        let wide = ui.available_width() >= 330.0;
        let beside = if wide { 214.0 } else { 66.0 };
        ui.spacing_mut().slider_width = (ui.available_width() - beside).max(24.0);
        let slider = Slider::new(&mut tau, 0.0..=1.0).show_value(false);
        ui.add(slider).on_hover_text(hint).accessible_name(name);
        let entry = DragValue::new(&mut tau).range(0.0..=1.0).speed(0.005).fixed_decimals(2);
        ui.add(entry).accessible_name(format!("{name} value"));
        let kept = kept.unwrap_or_else(|| "–".into());
        if wide {
            ui.label(RichText::new(kept).color(palette.weak));
        }
    });
    tau
}
