//! Names of classes in a map: at their centers, or amid their images where there is no center.

use std::collections::BTreeMap;

use eframe::egui::{Align2, Color32, FontId, Rect, Ui, vec2};

use super::style::{MapStyle, class_of};
use crate::render::{Shape, View};
use crate::session::Session;
use crate::session::embedding::MapRow;
use crate::ui::theme::Palette;

/// At most so many names are written.
const MOST: usize = 60;
/// A class is named where most of its images gather: within this share of the map's extent.
const GATHERED: f32 = 0.12;

/// A name and where it belongs, in data space.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PlacedName {
    pub at: [f32; 2],
    pub text: String,
    /// Whether it names a point, so that it stands beside and not upon it.
    pub beside: bool,
}

/// The names of the classes in one space.
pub(super) fn of(
    session: &Session,
    style: &MapStyle,
    space: usize,
    positions: &[[f32; 2]],
) -> Vec<PlacedName> {
    let Some(info) = session.info() else { return Vec::new() };
    let rows = &style.rows[space];
    let name = |class: usize| info.vocabulary.class_name(class);
    let centers: Vec<PlacedName> = rows
        .iter()
        .zip(positions)
        .filter_map(|(row, &at)| match row {
            MapRow::Center(class) => Some(PlacedName { at, text: name(*class), beside: true }),
            MapRow::Image(_) => None,
        })
        .take(MOST)
        .collect();
    if !centers.is_empty() {
        return centers;
    }
    let mut members: BTreeMap<usize, Vec<[f32; 2]>> = BTreeMap::new();
    for ((row, &at), style) in rows.iter().zip(positions).zip(style.styles[space].iter()) {
        let MapRow::Image(id) = row else { continue };
        let class = session.entry(*id).and_then(class_of);
        let Some(class) = class.filter(|_| style.shape == Shape::Circle && at[0].is_finite())
        else {
            continue;
        };
        members.entry(class).or_default().push(at);
    }
    let mut members: Vec<(usize, Vec<[f32; 2]>)> = members.into_iter().collect();
    members.sort_by_key(|(_, places)| std::cmp::Reverse(places.len()));
    let extent = extent(positions);
    let label = |(class, places): (usize, Vec<[f32; 2]>)| {
        let at = median(&places);
        let near = |place: &&[f32; 2]| distance(**place, at) < GATHERED * extent;
        let gathers = places.len() > 1 && 2 * places.iter().filter(near).count() > places.len();
        gathers.then(|| PlacedName { at, text: name(class), beside: false })
    };
    members.into_iter().filter_map(label).take(MOST).collect()
}

/// The larger side of what all points take up.
fn extent(positions: &[[f32; 2]]) -> f32 {
    let side = |axis: usize| {
        let sides = positions.iter().map(|at| at[axis]).filter(|side| side.is_finite());
        let (low, high) = sides.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), side| {
            (low.min(side), high.max(side))
        });
        (high - low).max(0.0)
    };
    side(0).max(side(1))
}

fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// The names in one space with their places, for figures.
pub fn class_words(
    session: &Session,
    style: &MapStyle,
    space: usize,
    positions: &[[f32; 2]],
) -> Vec<([f32; 2], String)> {
    of(session, style, space, positions).into_iter().map(|label| (label.at, label.text)).collect()
}

/// The median of each coordinate: amid the largest cluster, not between two.
fn median(places: &[[f32; 2]]) -> [f32; 2] {
    [0, 1].map(|axis| {
        let mut side: Vec<f32> = places.iter().map(|at| at[axis]).collect();
        let middle = side.len() / 2;
        *side.select_nth_unstable_by(middle, f32::total_cmp).1
    })
}

/// Writes the names, the first ones first; one that would cover another, or the title, is left out.
pub(super) fn paint(ui: &Ui, (rect, title): (Rect, Rect), view: View, labels: &[PlacedName]) {
    let palette = Palette::of_ui(ui);
    let painter = ui.painter().with_clip_rect(rect.shrink(2.0));
    let mut taken: Vec<Rect> = vec![title];
    for label in labels {
        let at = view.screen_from_data(rect, label.at);
        if !at.is_finite() || !rect.contains(at) {
            continue;
        }
        let galley = painter.layout_no_wrap(
            label.text.clone(),
            FontId::proportional(11.0),
            Color32::PLACEHOLDER,
        );
        let size = galley.size();
        let anchors = match label.beside {
            // Room for the ring around the image on show.
            true => [
                (Align2::LEFT_CENTER, vec2(15.0, 0.0)),
                (Align2::RIGHT_CENTER, vec2(-15.0, 0.0)),
                (Align2::CENTER_TOP, vec2(0.0, 10.0)),
                (Align2::CENTER_BOTTOM, vec2(0.0, -10.0)),
            ],
            // Above its images and not upon them.
            false => [
                (Align2::CENTER_BOTTOM, vec2(0.0, -10.0)),
                (Align2::CENTER_TOP, vec2(0.0, 10.0)),
                (Align2::LEFT_CENTER, vec2(15.0, 0.0)),
                (Align2::RIGHT_CENTER, vec2(-15.0, 0.0)),
            ],
        };
        let boxes = anchors.map(|(align, offset)| align.anchor_size(at + offset, size));
        let free = |place: &&Rect| {
            rect.contains_rect(**place) && !taken.iter().any(|other| other.intersects(**place))
        };
        let Some(place) = boxes.iter().find(free) else { continue };
        let veil = palette.ground.gamma_multiply(0.72);
        painter.rect_filled(place.expand2(vec2(3.0, 0.5)), 3.0, veil);
        painter.galley(place.min, galley, palette.strong);
        taken.push(place.expand(1.0));
    }
}
