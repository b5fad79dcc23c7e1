//! The method, step by step, on the image on show.

use eframe::egui::{
    self, Align2, Color32, FontId, Key, Rect, RichText, Role, Sense, Stroke, StrokeKind, TextureId,
    Ui, WidgetInfo, pos2, vec2,
};

use super::explain_steps::{ExplainedImage, TITLES};
use super::image::field_rect;
use super::{Home, Panel, PanelCtx, PanelInfo};
use crate::colormap::viridis_srgb;
use crate::decompose;
use crate::ui::pictures::Picture;
use crate::ui::theme::Palette;
use crate::ui::widgets::{bar, empty_note, outcome_shape};

/// The method on the image on show, one step after the other.
pub(super) struct Explain;

/// Its name, place and key.
pub(super) const PANEL: PanelInfo = PanelInfo {
    name: "explain",
    title: "Explain",
    home: Home::Middle,
    key: None,
    make: || Box::new(Explain),
};

impl Panel for Explain {
    fn ui(&mut self, ui: &mut Ui, cx: &mut PanelCtx<'_>) {
        let (Some(entry), Some(info)) = (cx.session.focused(), cx.session.info().cloned()) else {
            return empty_note(
                ui,
                "Explain",
                "Choose an image to see how its verdict comes about.",
            );
        };
        if entry.analysis.is_none() {
            return empty_note(ui, "Explain", "Waiting for the network.");
        }
        let subject = ExplainedImage { entry, session: cx.session, info: &info };
        keys(ui, cx.view);
        strip_ui(ui, &mut cx.view.step, &subject);
        let step = subject.step(cx.view.step);
        let palette = Palette::of_ui(ui);
        ui.add_space(2.0);
        ui.horizontal(|ui| {
            ui.label(RichText::new(step.title).size(18.0).strong().color(palette.strong));
            let formula = RichText::new(&step.formula).monospace();
            ui.label(match step.happened {
                true => formula.color(palette.accent),
                false => formula.color(palette.weak).strikethrough(),
            });
        });
        ui.label(RichText::new(&step.text).size(13.5).color(palette.text));
        ui.add_space(6.0);
        let size = ui.available_size();
        let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
        let label = format!("Step {}: {}", cx.view.step + 1, step.title);
        response.widget_info(|| WidgetInfo::labeled(Role::Figure, true, &label));
        ui.painter().rect_filled(rect, 6.0, palette.ground);
        let picture = cx.pictures.picture(entry.id, &entry.source);
        let picture = match picture {
            Picture::Ready(texture, _) => Some((texture.id(), texture.size_vec2())),
            _ => entry.thumbnail.as_ref().map(|small| {
                let texture = cx.pictures.thumbnail(ui.ctx(), entry.id, small);
                (texture.id(), texture.size_vec2())
            }),
        };
        if step.happened {
            draw(ui, rect.shrink(14.0), &subject, cx.view.step, picture);
        }
    }
}

/// Left and right walk the steps while this panel is on show.
fn keys(ui: &Ui, view: &mut super::ViewState) {
    if ui.ctx().text_edit_focused() {
        return;
    }
    ui.input_mut(|input| {
        if input.consume_key(egui::Modifiers::NONE, Key::ArrowRight) {
            view.step = (view.step + 1).min(TITLES.len() - 1);
        }
        if input.consume_key(egui::Modifiers::NONE, Key::ArrowLeft) {
            view.step = view.step.saturating_sub(1);
        }
    });
}

/// The steps to choose from; those that did not happen are struck out.
fn strip_ui(ui: &mut Ui, step: &mut usize, subject: &ExplainedImage<'_>) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        for (number, title) in TITLES.iter().enumerate() {
            let text = RichText::new(format!("{} {title}", number + 1)).size(12.0);
            let text = if subject.happened(number) { text } else { text.strikethrough() };
            if ui.add(egui::Button::selectable(*step == number, text)).clicked() {
                *step = number;
            }
        }
    });
}

type StepPicture = Option<(TextureId, egui::Vec2)>;

fn draw(ui: &Ui, rect: Rect, subject: &ExplainedImage<'_>, step: usize, picture: StepPicture) {
    let Some(analysis) = &subject.entry.analysis else { return };
    let map = &analysis.decomposition.map;
    match step {
        0 => drop(photo(ui, rect, picture)),
        1 => {
            let photo = photo(ui, rect, picture);
            grid_lines(ui, field_rect(photo, subject.entry, subject.info), map);
        }
        2 => tags(ui, rect, subject),
        3 => heads(ui, rect, subject),
        4 => cells(ui, square(rect), map, |value, _| color(value)),
        5 => {
            let photo = photo(ui, rect, picture);
            let mask = &analysis.decomposition.mask;
            let field = field_rect(photo, subject.entry, subject.info);
            cells(ui, field, map, |value, at| match mask.get(at + 1) {
                Some(true) => color(value).gamma_multiply(0.6),
                _ => Color32::from_black_alpha(150),
            });
        }
        6 => {
            let photo = photo(ui, rect, picture);
            let mask = &analysis.decomposition.mask;
            let ground = Palette::of_ui(ui).ground;
            let field = field_rect(photo, subject.entry, subject.info);
            cells(ui, field, map, |_, at| match mask.get(at + 1) {
                Some(true) => Color32::TRANSPARENT,
                _ => ground,
            });
            hide_margin(ui, photo, field, ground);
            grid_lines(ui, field, map);
        }
        7 => feature(ui, rect, subject),
        8 => centers(ui, rect, subject),
        _ => score(ui, rect, subject),
    }
}

fn color(value: f32) -> Color32 {
    let [r, g, b] = viridis_srgb(value);
    Color32::from_rgb(r, g, b)
}

fn square(rect: Rect) -> Rect {
    Rect::from_center_size(rect.center(), egui::Vec2::splat(rect.width().min(rect.height())))
}

/// The photo as large as fits; where it lies.
fn photo(ui: &Ui, rect: Rect, picture: StepPicture) -> Rect {
    let Some((texture, size)) = picture else { return square(rect) };
    let scale = (rect.width() / size.x).min(rect.height() / size.y);
    let photo = Rect::from_center_size(rect.center(), size * scale);
    let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    ui.painter().image(texture, photo, uv, Color32::WHITE);
    photo
}

/// Covers what a transform cuts off the photo.
fn hide_margin(ui: &Ui, photo: Rect, field: Rect, ground: Color32) {
    let (left, right) = (field.left(), field.right());
    let edges = [
        Rect::from_min_max(photo.min, pos2(photo.right(), field.top())),
        Rect::from_min_max(pos2(photo.left(), field.bottom()), photo.max),
        Rect::from_min_max(photo.min, pos2(left, photo.bottom())),
        Rect::from_min_max(pos2(right, photo.top()), photo.max),
    ];
    for edge in edges {
        ui.painter().rect_filled(edge, 0.0, ground);
    }
}

/// The side of the grid of a map with the global token in front.
fn side(map: &[f32]) -> usize {
    map.len().saturating_sub(1).isqrt()
}

fn grid_lines(ui: &Ui, rect: Rect, map: &[f32]) {
    let side = side(map).max(1);
    let stroke = Stroke::new(1.0, Color32::from_white_alpha(90));
    for at in 0..=side {
        let share = at as f32 / side as f32;
        ui.painter().vline(egui::lerp(rect.x_range(), share), rect.y_range(), stroke);
        ui.painter().hline(rect.x_range(), egui::lerp(rect.y_range(), share), stroke);
    }
}

/// One coloured cell for each patch of a map with the global token in front.
fn cells(ui: &Ui, rect: Rect, map: &[f32], color: impl Fn(f32, usize) -> Color32) {
    let side = side(map).max(1);
    let cell = rect.size() / side as f32;
    for (at, &value) in map.iter().skip(1).enumerate() {
        let corner = rect.min + vec2((at % side) as f32, (at / side) as f32) * cell;
        ui.painter().rect_filled(Rect::from_min_size(corner, cell), 0.0, color(value, at));
    }
}

/// A list of bars, as many as there is room for.
fn bars(ui: &Ui, rect: Rect, rows: &[(String, f32, Option<f32>, Color32)]) {
    let palette = Palette::of_ui(ui);
    let height = (rect.height() / rows.len().max(1) as f32).min(34.0);
    let split = rect.left() + rect.width() * 0.34;
    for (row, (name, value, threshold, color)) in rows.iter().enumerate() {
        let middle = rect.top() + height * (row as f32 + 0.5);
        let painter = ui.painter();
        let font = FontId::proportional(13.0);
        painter.text(pos2(split - 12.0, middle), Align2::RIGHT_CENTER, name, font, palette.text);
        let track =
            Rect::from_min_max(pos2(split, middle - 6.0), pos2(rect.right() - 60.0, middle + 6.0));
        bar(ui, track, *value, *threshold, *color);
        let font = FontId::proportional(12.0);
        let at = pos2(rect.right(), middle);
        ui.painter().text(at, Align2::RIGHT_CENTER, format!("{value:.3}"), font, palette.weak);
    }
}

fn tags(ui: &Ui, rect: Rect, subject: &ExplainedImage<'_>) {
    let Some(tagged) = &subject.entry.tagged else { return };
    let palette = Palette::of_ui(ui);
    let vocabulary = &subject.info.vocabulary;
    let probabilities = tagged.probabilities();
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let rows: Vec<_> = order
        .into_iter()
        .take(10)
        .map(|tag| {
            let is_id = vocabulary.is_id(tag);
            let color = if is_id { palette.id } else { palette.weak };
            let name = vocabulary.tags[tag].clone();
            (name, probabilities[tag], Some(vocabulary.thresholds[tag]), color)
        })
        .collect();
    bars(ui, rect, &rows);
}

/// Every head's attention as a small map.
fn heads(ui: &Ui, rect: Rect, subject: &ExplainedImage<'_>) {
    let (Some(attention), Some(tagged)) = (subject.attention(), &subject.entry.tagged) else {
        let palette = Palette::of_ui(ui);
        let (at, font) = (rect.center(), FontId::proportional(14.0));
        let text = "No known tag counts here, so there is no attention to follow.";
        ui.painter().text(at, Align2::CENTER_CENTER, text, font, palette.weak);
        return;
    };
    let positions = tagged.positions();
    let heads: Vec<&[f32]> = attention.chunks_exact(positions).collect();
    // Of the arrangements with the largest tiles, the one with the fewest columns.
    let larger = |best: usize, columns: usize| {
        let edge = |columns| tile(rect, heads.len(), columns);
        if edge(columns) > edge(best) { columns } else { best }
    };
    let columns = (1..=heads.len()).fold(1, larger);
    let edge = tile(rect, heads.len(), columns);
    let rows = heads.len().div_ceil(columns);
    let block = vec2(columns as f32, rows as f32) * edge;
    let origin = rect.center() - block / 2.0;
    for (number, head) in heads.iter().enumerate() {
        let place = vec2((number % columns) as f32, (number / columns) as f32) * edge;
        let tile = Rect::from_min_size(origin + place, egui::Vec2::splat(edge)).shrink(5.0);
        let stretched = decompose::relevance(head, positions);
        cells(ui, tile, &stretched, |value, _| color(value));
        let font = FontId::proportional(11.0);
        let text = format!("head {}", number + 1);
        ui.painter().text(tile.min + vec2(5.0, 4.0), Align2::LEFT_TOP, text, font, Color32::WHITE);
    }
}

/// The edge of a tile where `count` of them stand in `columns`.
fn tile(rect: Rect, count: usize, columns: usize) -> f32 {
    let rows = count.div_ceil(columns.max(1)).max(1);
    (rect.width() / columns.max(1) as f32).min(rect.height() / rows as f32)
}

/// The feature's numbers as a barcode.
fn feature(ui: &Ui, rect: Rect, subject: &ExplainedImage<'_>) {
    let projected =
        subject.entry.analysis.as_ref().and_then(|analysis| analysis.projected.as_ref());
    let Some(projected) = projected else { return };
    let values = &projected.feature;
    // Widths are powers of two: whole rows.
    let columns = values.len().isqrt().next_power_of_two() * 2;
    let rows = values.len().div_ceil(columns).max(1);
    let cell = (rect.width() / columns as f32).min(rect.height() / rows as f32);
    let block = vec2(columns as f32, rows as f32) * cell;
    let origin = rect.center() - block / 2.0;
    let largest = values.iter().fold(1e-6f32, |most, value| most.max(value.abs()));
    for (at, value) in values.iter().enumerate() {
        let corner = origin + vec2((at % columns) as f32, (at / columns) as f32) * cell;
        let tile = Rect::from_min_size(corner, egui::Vec2::splat(cell)).shrink(0.75);
        ui.painter().rect_filled(tile, 1.0, color(0.5 + 0.5 * value / largest));
    }
}

fn centers(ui: &Ui, rect: Rect, subject: &ExplainedImage<'_>) {
    let Some(analysis) = &subject.entry.analysis else { return };
    let palette = Palette::of_ui(ui);
    let rows: Vec<_> = analysis
        .nearest
        .iter()
        .enumerate()
        .map(|(place, nearest)| {
            let color = if place == 0 { palette.accent } else { palette.weak };
            (subject.info.vocabulary.class_name(nearest.class), nearest.similarity, None, color)
        })
        .collect();
    bars(ui, rect, &rows);
}

/// The score and λ on a line, with every other open image.
fn score(ui: &Ui, rect: Rect, subject: &ExplainedImage<'_>) {
    let Some(analysis) = &subject.entry.analysis else { return };
    let palette = Palette::of_ui(ui);
    let scores = subject.session.entries().iter().filter_map(|entry| entry.score());
    let (low, high) = scores
        .chain(analysis.verdict.lambda)
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), score| {
            (low.min(score), high.max(score))
        });
    let margin = ((high - low) * 0.08).max(1e-3);
    let middle = rect.center().y;
    let track =
        Rect::from_min_max(pos2(rect.left(), middle - 10.0), pos2(rect.right(), middle + 10.0));
    let x_of = |score: f32| egui::remap(score, low - margin..=high + margin, track.x_range());
    let painter = ui.painter();
    painter.rect(track, 4.0, palette.raised, Stroke::new(1.0, palette.line), StrokeKind::Inside);
    for entry in subject.session.entries().iter().take(2000) {
        if let Some(score) = entry.score() {
            let color = palette.outcome(entry.outcome()).gamma_multiply(0.7);
            painter.vline(x_of(score), track.shrink(3.0).y_range(), Stroke::new(1.5, color));
        }
    }
    if let Some(lambda) = analysis.verdict.lambda {
        let x = x_of(lambda);
        painter.vline(
            x,
            track.top() - 16.0..=track.bottom() + 16.0,
            Stroke::new(2.0, palette.accent),
        );
        let (at, font) = (pos2(x, track.bottom() + 20.0), FontId::proportional(13.0));
        painter.text(at, Align2::CENTER_TOP, format!("λ = {lambda:.3}"), font, palette.accent);
    }
    if let Some(score) = analysis.verdict.score {
        let color = palette.outcome(analysis.verdict.outcome);
        let at = pos2(x_of(score), track.top() - 22.0);
        painter.add(outcome_shape(at, 9.0, analysis.verdict.outcome, color));
        let font = FontId::proportional(18.0);
        let text = format!("{score:.3}");
        painter.text(at - vec2(0.0, 16.0), Align2::CENTER_BOTTOM, text, font, palette.strong);
    }
}
