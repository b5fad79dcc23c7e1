//! A canvas of figures that is an egui painter.

use eframe::egui::{
    self, Align2, Color32, FontId, Painter, Pos2, Rect, Shape, Stroke as Line, epaint::TextShape,
    pos2, vec2,
};

use crate::figures::canvas::{Anchor, Canvas, Corners, Dashes, Stroke, TextLook};
use crate::figures::palette::{Color, LIGHT};

/// Draws from the painter's clip rectangle's left upper corner on.
pub struct PainterCanvas {
    painters: Vec<Painter>,
    origin: Pos2,
}

impl PainterCanvas {
    /// A canvas at a place on the screen.
    pub fn new(painter: &Painter, origin: Pos2) -> Self {
        Self { painters: vec![painter.clone()], origin }
    }

    fn painter(&self) -> &Painter {
        &self.painters[self.painters.len() - 1]
    }

    fn at(&self, [x, y]: [f32; 2]) -> Pos2 {
        self.origin + vec2(x, y)
    }
}

/// Figures are for white paper.
fn value(color: Color, opacity: f32) -> Color32 {
    let [r, g, b] = LIGHT.value(color);
    Color32::from_rgb(r, g, b).gamma_multiply(opacity)
}

impl Canvas for PainterCanvas {
    fn bars(&mut self, bars: &[Corners], color: Color) {
        for &[min, max] in bars {
            let rect = Rect::from_min_max(self.at(min), self.at(max));
            self.painter().rect_filled(rect, 0.0, value(color, 1.0));
        }
    }

    fn line(&mut self, places: &[[f32; 2]], stroke: Stroke) {
        let places: Vec<Pos2> = places.iter().map(|&at| self.at(at)).collect();
        let line = Line::new(stroke.width, value(stroke.color, stroke.opacity));
        let painter = self.painter();
        match stroke.dashes {
            Dashes::Solid => drop(painter.line(places, line)),
            Dashes::Dashed => painter.extend(Shape::dashed_line(&places, line, 5.0, 4.0)),
            Dashes::Dotted => painter.extend(Shape::dashed_line(&places, line, 1.5, 4.0)),
        }
    }

    fn star_shaped(&mut self, outline: &[[f32; 2]], color: Color) {
        let fill = value(color, 1.0);
        let mut outline: Vec<Pos2> = outline.iter().map(|&at| self.at(at)).collect();
        let count = outline.len().max(1) as f32;
        let middle = outline.iter().fold(egui::Vec2::ZERO, |sum, at| sum + at.to_vec2()) / count;
        let mut mesh = egui::Mesh::default();
        mesh.colored_vertex(middle.to_pos2(), fill);
        outline.iter().for_each(|&at| mesh.colored_vertex(at, fill));
        for corner in 1..=outline.len() as u32 {
            let next = corner % outline.len() as u32 + 1;
            mesh.add_triangle(0, corner, next);
        }
        self.painter().add(mesh);
        // A mesh has hard edges; a thin line softens them.
        outline.extend(outline.first().copied());
        self.painter().line(outline, Line::new(0.5, fill));
    }

    fn area(&mut self, line: &[[f32; 2]], base: f32, color: Color, opacity: f32) {
        let fill = value(color, opacity);
        let mut mesh = egui::Mesh::default();
        for &[x, y] in line {
            mesh.colored_vertex(self.at([x, y]), fill);
            mesh.colored_vertex(self.at([x, base]), fill);
        }
        for column in 0..(line.len() as u32).saturating_sub(1) {
            let at = 2 * column;
            mesh.add_triangle(at, at + 1, at + 2);
            mesh.add_triangle(at + 1, at + 2, at + 3);
        }
        self.painter().add(mesh);
    }

    fn circle(&mut self, center: [f32; 2], radius: f32, color: Color, opacity: f32) {
        self.painter().circle_filled(self.at(center), radius, value(color, opacity));
    }

    fn text(&mut self, at: [f32; 2], text: &str, look: TextLook) {
        let (painter, at) = (self.painter(), self.at(at));
        let (font, ink) = (FontId::proportional(look.size), value(look.color, 1.0));
        let align = match look.anchor {
            Anchor::Start => Align2::LEFT_CENTER,
            Anchor::Middle => Align2::CENTER_CENTER,
            Anchor::End => Align2::RIGHT_CENTER,
        };
        if look.upwards {
            let galley = painter.layout_no_wrap(text.to_owned(), font, ink);
            let corner = pos2(at.x, at.y) - vec2(galley.size().y / 2.0, -galley.size().x / 2.0);
            let angle = -std::f32::consts::FRAC_PI_2;
            painter.add(TextShape::new(corner, galley, ink).with_angle(angle));
        } else {
            painter.text(at, align, text, font, ink);
        }
    }

    fn begin_clip(&mut self, [min, max]: Corners) {
        let rect = Rect::from_min_max(self.at(min), self.at(max));
        self.painters.push(self.painter().with_clip_rect(rect));
    }

    fn end_clip(&mut self) {
        if self.painters.len() > 1 {
            self.painters.pop();
        }
    }
}
