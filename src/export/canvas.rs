//! What a figure is drawn on: a file of lines and text, or a painter of pixels.

/// An sRGB colour.
pub type Rgb = [u8; 3];

/// A line's look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stroke {
    /// Its colour.
    pub color: Rgb,
    /// Its width.
    pub width: f32,
    /// Whether it is dashed.
    pub dashed: bool,
}

impl Stroke {
    /// A line without gaps.
    pub const fn solid(color: Rgb, width: f32) -> Self {
        Self { color, width, dashed: false }
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
    pub color: Rgb,
    /// What lies at its place; vertically it is the middle.
    pub anchor: Anchor,
    /// Whether it runs upwards.
    pub upwards: bool,
}

/// Something to draw on. Units are points, x to the right and y down; places are `[x, y]`.
pub trait Canvas {
    /// A filled rectangle from its left upper corner `min` to `max`.
    fn rect(&mut self, min: [f32; 2], max: [f32; 2], color: Rgb, opacity: f32);

    /// A line through places.
    fn line(&mut self, places: &[[f32; 2]], stroke: Stroke);

    /// A filled outline all of which can be seen from the mean of its corners.
    fn star_shaped(&mut self, outline: &[[f32; 2]], color: Rgb);

    /// What lies between a line and the height `base`.
    fn area(&mut self, line: &[[f32; 2]], base: f32, color: Rgb, opacity: f32);

    /// A filled circle.
    fn circle(&mut self, center: [f32; 2], radius: f32, color: Rgb, opacity: f32);

    /// Text.
    fn text(&mut self, at: [f32; 2], text: &str, look: TextLook);

    /// From here to [`Canvas::end_clip`], nothing is drawn outside this rectangle.
    fn begin_clip(&mut self, min: [f32; 2], max: [f32; 2]);

    /// Ends what [`Canvas::begin_clip`] began.
    fn end_clip(&mut self);
}
