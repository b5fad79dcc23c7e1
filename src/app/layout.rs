//! Where the panels are: movable, closable, remembered.

use std::collections::BTreeMap;

use eframe::egui::{self, Color32, Frame, Margin, Stroke, Style, Ui, Visuals, WidgetText};
use egui_tiles::{
    Behavior, Container, Linear, LinearDir, TabState, Tile, TileId, Tiles, Tree, UiResponse,
};

use super::tuning::Wanted;
use crate::panels::{Panel, PanelCtx};
use crate::ui::theme::Palette;

/// A panel's place holds its name.
pub type Layout = Tree<String>;

/// The panels below the image.
const BOTTOM: [&str; 7] = ["scores", "roc", "detectors", "sweep", "compare", "training", "log"];

/// The panels as they are at first.
pub fn initial() -> Layout {
    let mut tiles = Tiles::default();
    let pane = |tiles: &mut Tiles<String>, name: &str| tiles.insert_pane(name.to_owned());
    let tabs = |tiles: &mut Tiles<String>, children: Vec<TileId>| tiles.insert_tab_tile(children);
    let gallery = pane(&mut tiles, "gallery");
    let gallery = tabs(&mut tiles, vec![gallery]);
    let image = ["image", "explain", "tsne"].map(|name| pane(&mut tiles, name));
    let image = tabs(&mut tiles, image.to_vec());
    let bottom = BOTTOM.map(|name| pane(&mut tiles, name));
    let bottom = tabs(&mut tiles, bottom.to_vec());
    let verdict = pane(&mut tiles, "verdict");
    let verdict = tabs(&mut tiles, vec![verdict]);
    let tags = pane(&mut tiles, "tags");
    let tags = tabs(&mut tiles, vec![tags]);
    let center = split(&mut tiles, LinearDir::Vertical, &[(image, 0.62), (bottom, 0.38)]);
    let right = split(&mut tiles, LinearDir::Vertical, &[(verdict, 0.62), (tags, 0.38)]);
    let columns = [(gallery, 0.19), (center, 0.57), (right, 0.24)];
    let root = split(&mut tiles, LinearDir::Horizontal, &columns);
    Tree::new(egui::Id::unique("layout"), root, tiles)
}

fn split(tiles: &mut Tiles<String>, dir: LinearDir, parts: &[(TileId, f32)]) -> TileId {
    let mut linear = Linear::new(dir, parts.iter().map(|part| part.0).collect());
    for &(part, share) in parts {
        linear.shares.set_share(part, share);
    }
    tiles.insert_container(Container::Linear(linear))
}

/// Brings a panel to the front, wherever it is; puts it back where it was closed.
pub fn show(layout: &mut Layout, name: &str) {
    let wanted = |tile: &Tile<String>| matches!(tile, Tile::Pane(pane) if pane == name);
    if layout.tiles.find_pane(&name.to_owned()).is_none() {
        *layout = initial();
    }
    layout.make_active(|_, tile| wanted(tile));
}

/// Whether a panel is on show.
pub fn is_shown(layout: &Layout, name: &str) -> bool {
    let shown = layout.active_tiles();
    layout.tiles.find_pane(&name.to_owned()).is_some_and(|id| shown.contains(&id))
}

/// What of the tuning is on show.
pub fn wanted(layout: &Layout) -> Wanted {
    Wanted {
        curves: ["roc", "scores", "compare"].iter().any(|name| is_shown(layout, name)),
        table: is_shown(layout, "detectors"),
        sweep: is_shown(layout, "sweep"),
    }
}

/// Draws the panels in their places.
pub struct Panes<'a, 'b> {
    /// By name.
    pub panels: &'a mut BTreeMap<&'static str, Box<dyn Panel>>,
    /// What they may use.
    pub cx: PanelCtx<'b>,
}

impl Behavior<String> for Panes<'_, '_> {
    fn pane_ui(&mut self, ui: &mut Ui, _tile: TileId, name: &mut String) -> UiResponse {
        if let Some(panel) = self.panels.get_mut(name.as_str()) {
            let fill = ui.visuals().panel_fill;
            ui.painter().rect_filled(ui.max_rect(), 0.0, fill);
            Frame::new().inner_margin(Margin::same(8)).show(ui, |ui| {
                ui.set_min_size(ui.available_size());
                panel.ui(ui, &mut self.cx);
            });
        }
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, name: &String) -> WidgetText {
        self.panels.get(name.as_str()).map_or(name.as_str(), |panel| panel.title()).into()
    }

    fn is_tab_closable(&self, _tiles: &Tiles<String>, _tile: TileId) -> bool {
        true
    }

    fn retain_pane(&mut self, name: &String) -> bool {
        self.panels.contains_key(name.as_str())
    }

    fn simplification_options(&self) -> egui_tiles::SimplificationOptions {
        egui_tiles::SimplificationOptions { all_panes_must_have_tabs: true, ..Default::default() }
    }

    fn tab_bar_height(&self, _style: &Style) -> f32 {
        26.0
    }

    fn gap_width(&self, _style: &Style) -> f32 {
        3.0
    }

    fn close_button_outer_size(&self) -> f32 {
        10.0
    }

    fn tab_title_spacing(&self, _visuals: &Visuals) -> f32 {
        10.0
    }

    fn tab_bar_color(&self, visuals: &Visuals) -> Color32 {
        palette(visuals).raised
    }

    fn tab_outline_stroke(
        &self,
        _visuals: &Visuals,
        _tiles: &Tiles<String>,
        _tile: TileId,
        _state: &TabState,
    ) -> Stroke {
        Stroke::NONE
    }

    fn tab_bar_hline_stroke(&self, _visuals: &Visuals) -> Stroke {
        Stroke::NONE
    }

    fn tab_text_color(
        &self,
        visuals: &Visuals,
        _tiles: &Tiles<String>,
        _tile: TileId,
        state: &TabState,
    ) -> Color32 {
        let palette = palette(visuals);
        if state.active { palette.strong } else { palette.weak }
    }

    fn resize_stroke(&self, style: &Style, state: egui_tiles::ResizeState) -> Stroke {
        let palette = palette(&style.visuals);
        match state {
            egui_tiles::ResizeState::Idle => Stroke::new(3.0, palette.ground),
            _ => Stroke::new(3.0, palette.accent),
        }
    }
}

fn palette(visuals: &Visuals) -> Palette {
    Palette::of(if visuals.dark_mode { egui::Theme::Dark } else { egui::Theme::Light })
}
