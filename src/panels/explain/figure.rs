//! What the figures of steps are drawn of.

use eframe::egui::{
    self, Align2, Color32, FontId, Rect, Stroke, StrokeKind, TextureId, Ui, Vec2, pos2, vec2,
};

use super::subject::ExplainedImage;
use crate::panels::image::field_rect;
use crate::ui::theme::Palette;
use crate::ui::widgets::{bar, elided, outcome_shape};

/// The photo, if it is at hand.
pub(super) type StepPicture = Option<(TextureId, Vec2)>;

/// Where a step's figure is drawn.
pub(super) struct Figure<'a> {
    pub ui: &'a Ui,
    pub rect: Rect,
    pub picture: StepPicture,
    /// Size of letters, 1 in the panel.
    pub scale: f32,
}

/// A named value between 0 and 1.
pub(super) struct BarRow {
    pub name: String,
    pub value: f32,
    pub threshold: Option<f32>,
    pub color: Color32,
    /// What stands at its end.
    pub note: String,
}

/// Height of a row of bars, in points of a panel: at most, and at least.
const ROW: f32 = 34.0;
const LEAST_ROW: f32 = 18.0;

impl Figure<'_> {
    pub(super) fn palette(&self) -> Palette {
        Palette::of_ui(self.ui)
    }

    pub(super) fn font(&self, size: f32) -> FontId {
        FontId::proportional(size * self.scale)
    }

    /// The largest square in the middle.
    pub(super) fn square(&self) -> Rect {
        let side = self.rect.width().min(self.rect.height());
        Rect::from_center_size(self.rect.center(), Vec2::splat(side))
    }

    /// Draws the photo as large as fits; where it lies.
    pub(super) fn photo(&self) -> Rect {
        let Some((texture, size)) = self.picture else { return self.square() };
        let scale = (self.rect.width() / size.x).min(self.rect.height() / size.y);
        let photo = Rect::from_center_size(self.rect.center(), size * scale);
        let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        self.ui.painter().image(texture, photo, uv, Color32::WHITE);
        photo
    }

    /// The part of the photo that the network sees.
    pub(super) fn field(&self, photo: Rect, subject: &ExplainedImage<'_>) -> Rect {
        field_rect(photo, subject.entry, subject.info)
    }

    pub(super) fn outline(&self, rect: Rect) {
        let stroke = Stroke::new(1.5, self.palette().accent);
        self.ui.painter().rect_stroke(rect, 0.0, stroke, StrokeKind::Inside);
    }

    /// Covers what a transform cuts off the photo.
    pub(super) fn hide_margin(&self, photo: Rect, field: Rect) {
        let (left, right) = (field.left(), field.right());
        let edges = [
            Rect::from_min_max(photo.min, pos2(photo.right(), field.top())),
            Rect::from_min_max(pos2(photo.left(), field.bottom()), photo.max),
            Rect::from_min_max(photo.min, pos2(left, photo.bottom())),
            Rect::from_min_max(pos2(right, photo.top()), photo.max),
        ];
        for edge in edges {
            self.ui.painter().rect_filled(edge, 0.0, self.palette().ground);
        }
    }

    /// Lines between the places of a map with the global token in front.
    pub(super) fn grid_lines(&self, rect: Rect, positions: usize) {
        let side = side(positions);
        let stroke = Stroke::new(1.0, Color32::from_white_alpha(90));
        let painter = self.ui.painter();
        for at in 0..=side {
            let share = at as f32 / side as f32;
            painter.vline(egui::lerp(rect.x_range(), share), rect.y_range(), stroke);
            painter.hline(rect.x_range(), egui::lerp(rect.y_range(), share), stroke);
        }
    }

    /// One coloured cell for each patch of a map with the global token in front.
    pub(super) fn cells(&self, rect: Rect, map: &[f32], color: impl Fn(f32, usize) -> Color32) {
        let side = side(map.len());
        let cell = rect.size() / side as f32;
        for (at, &value) in map.iter().skip(1).enumerate() {
            let corner = rect.min + vec2((at % side) as f32, (at / side) as f32) * cell;
            let cell = Rect::from_min_size(corner, cell);
            self.ui.painter().rect_filled(cell, 0.0, color(value, at));
        }
    }

    /// A list of bars. Where there is no room for all, the last line says how many more there are;
    /// `more` are those that nobody made a row of.
    pub(super) fn bars(&self, rows: &[BarRow], more: usize) {
        let (palette, painter) = (self.palette(), self.ui.painter());
        let room = (self.rect.height() / (LEAST_ROW * self.scale)).max(1.0) as usize;
        let all = rows.len() + more;
        let shown = if all <= room && more == 0 { all } else { rows.len().min(room.max(2) - 1) };
        let lines = if shown < all { shown + 1 } else { shown };
        let height = (self.rect.height() / lines.max(1) as f32).min(ROW * self.scale);
        let split = self.rect.left() + self.rect.width() * 0.3;
        let width = |row: &BarRow| {
            painter.layout_no_wrap(row.note.clone(), self.font(12.0), palette.text).size().x
        };
        let note = rows[..shown].iter().map(width).fold(0.0, f32::max);
        for (at, row) in rows[..shown].iter().enumerate() {
            let middle = self.rect.top() + height * (at as f32 + 0.5);
            let size = 13.0 * self.scale;
            let room = split - 12.0 - self.rect.left();
            let name = elided(painter, &row.name, size, palette.text, room);
            let corner = pos2(split - 12.0 - name.size().x, middle - name.size().y / 2.0);
            painter.galley(corner, name, palette.text);
            let half = 6.0 * self.scale;
            let end = (self.rect.right() - note - 10.0).max(split);
            let track = Rect::from_min_max(pos2(split, middle - half), pos2(end, middle + half));
            bar(self.ui, track, row.value, row.threshold, row.color);
            let at = pos2(self.rect.right(), middle);
            painter.text(at, Align2::RIGHT_CENTER, &row.note, self.font(12.0), palette.weak);
        }
        if shown < all {
            let at = pos2(split - 12.0, self.rect.top() + height * (shown as f32 + 0.5));
            let text = format!("and {} more", all - shown);
            painter.text(at, Align2::RIGHT_CENTER, text, self.font(12.0), palette.weak);
        }
    }

    /// Numbers as a barcode of whole rows, the largest in full colour.
    pub(super) fn barcode(&self, rect: Rect, values: &[f32], rows: usize) {
        let columns = values.len().div_ceil(rows.max(1)).max(1);
        let cell = vec2(rect.width() / columns as f32, rect.height() / rows.max(1) as f32);
        let largest = values.iter().fold(1e-6f32, |most, value| most.max(value.abs()));
        let gap = if cell.min_elem() > 4.0 { 0.75 } else { 0.0 };
        for (at, value) in values.iter().enumerate() {
            let corner = rect.min + vec2((at % columns) as f32, (at / columns) as f32) * cell;
            let tile = Rect::from_min_size(corner, cell).shrink(gap);
            let color = super::color(0.5 + 0.5 * value / largest);
            self.ui.painter().rect_filled(tile, if gap > 0.0 { 1.0 } else { 0.0 }, color);
        }
    }

    /// One feature as a block of square cells.
    pub(super) fn feature(&self, values: &[f32]) {
        // Widths are powers of two: whole rows.
        let columns = values.len().isqrt().next_power_of_two() * 2;
        let rows = values.len().div_ceil(columns).max(1);
        let cell = (self.rect.width() / columns as f32).min(self.rect.height() / rows as f32);
        let block = vec2(columns as f32, rows as f32) * cell;
        self.barcode(Rect::from_center_size(self.rect.center(), block), values, rows);
    }

    /// Small maps side by side, each with its name.
    pub(super) fn tiles(&self, maps: &[(String, Vec<f32>)]) {
        // Of the arrangements with the largest tiles, the one with the fewest columns.
        let edge_of = |columns: usize| tile(self.rect, maps.len(), columns);
        let larger = |best: usize, columns: usize| {
            if edge_of(columns) > edge_of(best) { columns } else { best }
        };
        let columns = (1..=maps.len()).fold(1, larger);
        let edge = edge_of(columns);
        let rows = maps.len().div_ceil(columns);
        let origin = self.rect.center() - vec2(columns as f32, rows as f32) * edge / 2.0;
        for (number, (name, map)) in maps.iter().enumerate() {
            let place = vec2((number % columns) as f32, (number / columns) as f32) * edge;
            let tile = Rect::from_min_size(origin + place, Vec2::splat(edge)).shrink(5.0);
            self.cells(tile, map, |value, _| super::color(value));
            let (at, font) = (tile.min + vec2(5.0, 4.0), self.font(11.0));
            self.ui.painter().text(at, Align2::LEFT_TOP, name, font, Color32::WHITE);
        }
    }

    /// The score and λ on a line, with every other open image.
    pub(super) fn score(&self, subject: &ExplainedImage<'_>) {
        let Some(analysis) = subject.analysis() else { return };
        let (rect, palette, painter) = (self.rect, self.palette(), self.ui.painter());
        let scores = subject.session.entries().iter().filter_map(|entry| entry.score());
        let (low, high) = scores
            .chain(analysis.verdict.lambda)
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), score| {
                (low.min(score), high.max(score))
            });
        let margin = ((high - low) * 0.08).max(1e-3);
        let middle = rect.center().y;
        let half = 10.0 * self.scale;
        let ends = (pos2(rect.left(), middle - half), pos2(rect.right(), middle + half));
        let track = Rect::from_min_max(ends.0, ends.1);
        let x_of = |score: f32| egui::remap(score, low - margin..=high + margin, track.x_range());
        let stroke = Stroke::new(1.0, palette.line);
        painter.rect(track, 4.0, palette.raised, stroke, StrokeKind::Inside);
        for entry in subject.session.entries().iter().take(2000) {
            if let Some(score) = entry.score() {
                let color = palette.outcome(entry.outcome()).gamma_multiply(0.7);
                let stroke = Stroke::new(1.5, color);
                painter.vline(x_of(score), track.shrink(3.0).y_range(), stroke);
            }
        }
        if let Some(lambda) = analysis.verdict.lambda {
            let x = x_of(lambda);
            let span = track.top() - 16.0..=track.bottom() + 16.0;
            painter.vline(x, span, Stroke::new(2.0, palette.accent));
            let (at, text) = (pos2(x, track.bottom() + 20.0), format!("λ = {lambda:.3}"));
            painter.text(at, Align2::CENTER_TOP, text, self.font(13.0), palette.accent);
        }
        if let Some(score) = analysis.verdict.score {
            let outcome = analysis.verdict.outcome;
            let at = pos2(x_of(score), track.top() - 22.0);
            let color = palette.outcome(outcome);
            painter.add(outcome_shape(at, 9.0 * self.scale, outcome, color));
            let (at, text) = (at - vec2(0.0, 16.0 * self.scale), format!("{score:.3}"));
            painter.text(at, Align2::CENTER_BOTTOM, text, self.font(18.0), palette.strong);
        }
    }
}

/// The side of the grid of a map with the global token in front; at least 1.
fn side(positions: usize) -> usize {
    positions.saturating_sub(1).isqrt().max(1)
}

/// The edge of a tile where `count` of them stand in `columns`.
fn tile(rect: Rect, count: usize, columns: usize) -> f32 {
    let rows = count.div_ceil(columns.max(1)).max(1);
    (rect.width() / columns.max(1) as f32).min(rect.height() / rows as f32)
}
