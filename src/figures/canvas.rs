//! What a figure is drawn on: a file of lines and text, or a painter of pixels.

use super::palette::Color;

/// How a line is broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dashes {
    /// Not at all.
    #[default]
    Solid,
    /// Into dashes.
    Dashed,
    /// Into dots.
    Dotted,
}

impl Dashes {
    /// The dashes of the `round`th line that has the same colour.
    pub fn of_round(round: usize) -> Self {
        [Self::Solid, Self::Dashed, Self::Dotted][round % 3]
    }
}

/// A line's look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stroke {
    /// Its colour.
    pub color: Color,
    /// Its width, in points.
    pub width: f32,
    /// How it is broken.
    pub dashes: Dashes,
    /// 0 for invisible, 1 for opaque.
    pub opacity: f32,
}

impl Stroke {
    /// An opaque line without gaps.
    pub const fn solid(color: Color, width: f32) -> Self {
        Self { color, width, dashes: Dashes::Solid, opacity: 1.0 }
    }

    /// The same line, dashed.
    pub const fn with_dashes(self, dashes: Dashes) -> Self {
        Self { dashes, ..self }
    }
}

/// Which part of a text lies at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Its left end.
    Start,
    /// Its middle.
    Middle,
    /// Its right end.
    End,
}

/// A text's look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TextLook {
    /// Height of the font.
    pub size: f32,
    /// Its colour.
    pub color: Color,
    /// What lies at its place; vertically it is the middle.
    pub anchor: Anchor,
    /// Whether it runs upwards.
    pub upwards: bool,
}

/// A rectangle from its left upper corner to its right lower one.
pub type Corners = [[f32; 2]; 2];

/// Something to draw on. Units are points, x to the right and y down; places are `[x, y]`.
pub trait Canvas {
    /// Filled rectangles.
    fn bars(&mut self, bars: &[Corners], color: Color);

    /// A line through places.
    fn line(&mut self, places: &[[f32; 2]], stroke: Stroke);

    /// A filled outline all of which can be seen from the mean of its corners.
    fn star_shaped(&mut self, outline: &[[f32; 2]], color: Color);

    /// What lies between a line and the height `base`.
    fn area(&mut self, line: &[[f32; 2]], base: f32, color: Color, opacity: f32);

    /// A filled circle.
    fn circle(&mut self, center: [f32; 2], radius: f32, color: Color, opacity: f32);

    /// A line of text at a place.
    fn text(&mut self, at: [f32; 2], text: &str, look: TextLook);

    /// From here to [`Canvas::end_clip`], nothing is drawn outside this rectangle.
    fn begin_clip(&mut self, area: Corners);

    /// Ends what [`Canvas::begin_clip`] began.
    fn end_clip(&mut self);

    /// From here to [`Canvas::end_layer`], what is drawn belongs to one of several things that a
    /// reader chooses from. Where nothing can be chosen, all of it is on show.
    fn begin_layer(&mut self, _thing: usize, _chosen: bool) {}

    /// Ends what [`Canvas::begin_layer`] began.
    fn end_layer(&mut self) {}
}
