//! Where the panels are: movable, closable, remembered.

use std::collections::{BTreeMap, BTreeSet};

use eframe::egui::{self, Color32, Frame, Margin, Stroke, Style, Ui, Visuals, WidgetText};
use egui_tiles::{
    Behavior, Container, Linear, LinearDir, TabState, Tile, TileId, Tiles, Tree, UiResponse,
};

use crate::panels::{Home, PANELS, Panel, PanelCtx};
use crate::session::tuning::VisiblePanels;
use crate::ui::theme::Palette;

/// A panel's place holds its name.
pub type PanelLayout = Tree<String>;

/// Where panels are, in columns from left to right.
const COLUMNS: [&[Home]; 3] =
    [&[Home::Left], &[Home::Middle, Home::Bottom], &[Home::RightUpper, Home::RightLower]];
/// The columns' shares of the window, and those of a column's upper and lower place.
const WIDTHS: [f32; 3] = [0.19, 0.57, 0.24];
const HEIGHTS: [f32; 2] = [0.62, 0.38];

/// A new column's share of what all others have.
const NEW_COLUMN: f32 = 0.25;

/// The panels whose place this is.
fn panels_at(home: Home) -> impl Iterator<Item = &'static str> {
    PANELS.iter().filter(move |panel| panel.home == home).map(|panel| panel.name)
}

/// The panels as they are at first.
pub fn initial() -> PanelLayout {
    let mut tiles = Tiles::default();
    let mut columns = Vec::new();
    for (homes, width) in COLUMNS.into_iter().zip(WIDTHS) {
        let mut groups = Vec::new();
        for (&home, height) in homes.iter().zip(HEIGHTS) {
            let panes = panels_at(home).map(|name| tiles.insert_pane(name.to_owned())).collect();
            groups.push((tiles.insert_tab_tile(panes), height));
        }
        let column = match groups[..] {
            [(tabs, _)] => tabs,
            _ => split(&mut tiles, LinearDir::Vertical, &groups),
        };
        columns.push((column, width));
    }
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

/// Some panels two by two, beside the gallery.
pub fn tiled(names: &[String]) -> PanelLayout {
    let mut tiles = Tiles::default();
    let alone = |tiles: &mut Tiles<String>, name: &str| {
        let pane = tiles.insert_pane(name.to_owned());
        tiles.insert_tab_tile(vec![pane])
    };
    let rows: Vec<(TileId, f32)> = names
        .chunks(2)
        .map(|row| {
            let row: Vec<(TileId, f32)> =
                row.iter().map(|name| (alone(&mut tiles, name), 1.0)).collect();
            (split(&mut tiles, LinearDir::Horizontal, &row), 1.0)
        })
        .collect();
    let rows = split(&mut tiles, LinearDir::Vertical, &rows);
    let gallery = alone(&mut tiles, "gallery");
    let root = split(&mut tiles, LinearDir::Horizontal, &[(gallery, 0.16), (rows, 0.84)]);
    Tree::new(egui::Id::unique("layout"), root, tiles)
}

/// Brings a panel to the front, wherever it is; puts it back where it belongs if it was closed.
pub fn show(layout: &mut PanelLayout, name: &str) {
    if !is_open(layout, name) {
        add(layout, name);
    }
    layout.make_active(|_, tile| matches!(tile, Tile::Pane(pane) if pane == name));
}

/// Whether a panel is somewhere in the window, if only behind another.
pub fn is_open(layout: &PanelLayout, name: &str) -> bool {
    layout.tiles.find_pane(&name.to_owned()).is_some()
}

/// Adds the panels that a saved layout lacks because the program that saved it did not know them; the
/// others that it lacks were closed. None comes to the front.
pub fn add_unknown(layout: &mut PanelLayout, known: &BTreeSet<String>) {
    for panel in PANELS.iter().filter(|panel| !known.contains(panel.name)) {
        if !is_open(layout, panel.name) {
            add(layout, panel.name);
        }
    }
}

/// Puts a panel where it belongs: to the tabs of its group, else of its column, else into a column of
/// its own at the side.
fn add(layout: &mut PanelLayout, name: &str) {
    let pane = layout.tiles.insert_pane(name.to_owned());
    let home =
        PANELS.iter().find(|panel| panel.name == name).map_or(Home::Middle, |panel| panel.home);
    let first = COLUMNS[0].contains(&home);
    let column = COLUMNS.into_iter().find(|homes| homes.contains(&home)).unwrap_or_default();
    let others = column.iter().copied().filter(|other| *other != home);
    let mut near = std::iter::once(home).chain(others).flat_map(panels_at);
    let tabs = near.find_map(|near| tabs_of(layout, near));
    if let Some(Tile::Container(tabs)) = tabs.and_then(|tabs| layout.tiles.get_mut(tabs)) {
        return tabs.add_child(pane);
    }
    let tabs = layout.tiles.insert_tab_tile(vec![pane]);
    let Some(root) = layout.root else {
        layout.root = Some(tabs);
        return;
    };
    if let Some(Tile::Container(Container::Linear(row))) = layout.tiles.get_mut(root)
        && row.dir == LinearDir::Horizontal
    {
        let shares: f32 = row.children.iter().map(|&child| row.shares[child]).sum();
        row.children.insert(if first { 0 } else { row.children.len() }, tabs);
        row.shares.set_share(tabs, shares * NEW_COLUMN);
        return;
    }
    let mut columns = [(root, 1.0), (tabs, NEW_COLUMN)];
    if first {
        columns.reverse();
    }
    layout.root = Some(split(&mut layout.tiles, LinearDir::Horizontal, &columns));
}

/// The tabs that a panel stands in.
fn tabs_of(layout: &PanelLayout, name: &str) -> Option<TileId> {
    let parent = layout.tiles.parent_of(layout.tiles.find_pane(&name.to_owned())?)?;
    matches!(layout.tiles.get(parent), Some(Tile::Container(Container::Tabs(_)))).then_some(parent)
}

/// Whether a panel is on show.
pub fn is_shown(layout: &PanelLayout, name: &str) -> bool {
    let shown = layout.active_tiles();
    layout.tiles.find_pane(&name.to_owned()).is_some_and(|id| shown.contains(&id))
}

/// What of the tuning is on show.
pub fn visible(layout: &PanelLayout) -> VisiblePanels {
    VisiblePanels {
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
        PANELS
            .iter()
            .find(|panel| panel.name == name)
            .map_or(name.as_str(), |panel| panel.title)
            .into()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn close(layout: &mut PanelLayout, name: &str) {
        let pane = layout.tiles.find_pane(&name.to_owned()).unwrap();
        let parent = layout.tiles.parent_of(pane).unwrap();
        if let Some(Tile::Container(tabs)) = layout.tiles.get_mut(parent) {
            tabs.remove_child(pane);
        }
        layout.tiles.remove(pane);
        layout.simplify(&egui_tiles::SimplificationOptions {
            all_panes_must_have_tabs: true,
            ..Default::default()
        });
    }

    fn neighbours(layout: &PanelLayout, name: &str) -> Vec<String> {
        let tabs = layout.tiles.get_container(tabs_of(layout, name).unwrap()).unwrap();
        tabs.children().filter_map(|&tile| layout.tiles.get_pane(&tile).cloned()).collect()
    }

    #[test]
    fn every_panel_has_its_place_and_a_name_of_its_own() {
        for (at, panel) in PANELS.iter().enumerate() {
            assert!(is_open(&initial(), panel.name), "{}", panel.name);
            assert!(PANELS[..at].iter().all(|other| other.name != panel.name), "{}", panel.name);
        }
    }

    #[test]
    fn a_closed_panel_comes_back_and_moves_no_other() {
        for (name, near) in [("sweep", "roc"), ("tsne", "image"), ("tags", "verdict")] {
            let mut layout = initial();
            close(&mut layout, name);
            assert!(!is_open(&layout, name));
            let before = layout.clone();
            show(&mut layout, name);
            assert!(
                is_shown(&layout, name) && neighbours(&layout, name).contains(&near.to_owned())
            );
            let kept = |name: &str| layout.tiles.find_pane(&name.to_owned());
            let same = |name: &str| kept(name) == before.tiles.find_pane(&name.to_owned());
            assert!(PANELS.iter().map(|panel| panel.name).filter(|other| *other != name).all(same));
        }
        let mut layout = initial();
        close(&mut layout, "gallery");
        show(&mut layout, "gallery");
        let root = layout.tiles.get_container(layout.root.unwrap()).unwrap();
        assert_eq!(root.children().next().copied(), tabs_of(&layout, "gallery"));
        let mut layout = PanelLayout::empty(egui::Id::unique("none"));
        show(&mut layout, "image");
        assert!(is_shown(&layout, "image"));
    }

    #[test]
    fn panels_newer_than_a_layout_are_added_and_closed_ones_stay_closed() {
        let mut layout = initial();
        for name in ["tags", "training", "tsne"] {
            close(&mut layout, name);
        }
        let new = ["training", "tsne"];
        let known = PANELS.iter().map(|panel| panel.name.to_owned());
        let known = known.filter(|name| !new.contains(&name.as_str())).collect();
        let front = layout.active_tiles();
        add_unknown(&mut layout, &known);
        assert!(new.iter().all(|name| is_open(&layout, name)) && !is_open(&layout, "tags"));
        assert_eq!(layout.active_tiles(), front);
    }
}
