//! Axes, marks and a legend, drawn on any canvas.

use super::canvas::{Anchor, Canvas, Corners, Dashes, Stroke, TextLook};
use super::palette::Color;

/// Height of small text, in points.
const SMALL: f32 = 10.5;
/// Room for ticks and label on the left and below, and above with and without a title, in points.
const LEFT: f32 = 54.0;
const BELOW: f32 = 42.0;
const ABOVE: [f32; 2] = [26.0, 10.0];
/// Room on the right, and around a plot without ticks, in points.
const RIGHT: f32 = 12.0;
const BARE: [f32; 2] = [12.0, 14.0];

/// What a plot with a title and without ticks leaves free, across and upright, in points.
pub const BARE_MARGINS: [f32; 2] = [BARE[0] + RIGHT, BARE[1] + ABOVE[0]];

/// Where an axis has ticks.
#[derive(Clone, Debug, PartialEq)]
pub enum Ticks {
    /// At round values.
    Round,
    /// Nowhere: positions of a map mean nothing by themselves.
    None,
    /// At these values, with what they say.
    At(Vec<(f64, String)>),
}

/// One axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it says, with its unit.
    pub label: String,
    /// Where it begins.
    pub low: f64,
    /// Where it ends, above `low`.
    pub high: f64,
    /// Where it has ticks.
    pub ticks: Ticks,
}

/// The outline of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Glyph {
    Circle,
    /// A square on its side.
    Square,
    /// A triangle that points up.
    Triangle,
    /// A square on its corner.
    Diamond,
    Cross,
    Star,
}

impl Glyph {
    /// The outline of the points of one of several lines: outlines as well as colours tell them apart.
    pub fn of_line(at: usize) -> Self {
        [Self::Circle, Self::Square, Self::Triangle, Self::Diamond][at % 4]
    }
}

/// On which side of its place a word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum WordSide {
    /// To the right; to the left where there is no room.
    Beside,
    Above,
    Below,
}

/// Something drawn in the units of the axes.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// A line.
    Line(Vec<[f64; 2]>, Stroke),
    /// What lies between a line and the lower axis.
    Area(Vec<[f64; 2]>, Color),
    /// Rectangles between two opposite corners each.
    Bars(Vec<[[f64; 2]; 2]>, Color),
    /// A point: its place, outline, colour, and radius in points.
    Point([f64; 2], Glyph, Color, f32),
    /// A vertical line with a word at its upper end.
    Threshold(f64, String),
    /// A word at a place.
    Word([f64; 2], WordSide, String, Color),
    /// One of several lines that a reader chooses from, and whether it is chosen at first.
    Choice(usize, bool, Box<Mark>),
}

/// What stands before a line of the legend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LegendSample {
    /// A piece of a line.
    Line(Stroke),
    /// A point.
    Point(Glyph, Color),
}

/// A line of the legend.
#[derive(Clone, Debug, PartialEq)]
pub struct LegendKey {
    /// What it says.
    pub label: String,
    /// What it stands for, as it is drawn.
    pub sample: LegendSample,
}

/// A plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What stands above it; may be empty.
    pub title: String,
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// In the order of drawing.
    pub marks: Vec<Mark>,
}

/// Plots beside each other, with one legend to the right of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What it shows, for readers that cannot see it.
    pub title: String,
    /// Width and height, in points.
    pub size: [f32; 2],
    /// The plots, from left to right.
    pub charts: Vec<Chart>,
    /// The legend; none if empty.
    pub legend: Vec<LegendKey>,
}

impl Figure {
    /// Draws it from the canvas's left upper corner on.
    pub fn draw(&self, canvas: &mut impl Canvas) {
        let side = legend_width(&self.legend);
        let width = (self.size[0] - side) / self.charts.len().max(1) as f32;
        for (at, chart) in self.charts.iter().enumerate() {
            let left = at as f32 * width;
            chart.draw(canvas, [[left, 0.0], [left + width, self.size[1]]]);
        }
        for (row, key) in self.legend.iter().enumerate() {
            let y = ABOVE[0] + 8.0 + row as f32 * 15.0;
            if y + SMALL > self.size[1] {
                break;
            }
            let x = self.size[0] - side + 12.0;
            key.sample.draw(canvas, [x, y]);
            text(canvas, [x + 12.0, y], &key.label, Color::Ink, Anchor::Start);
        }
    }
}

impl LegendSample {
    /// Draws it around a place.
    pub fn draw(&self, canvas: &mut impl Canvas, [x, y]: [f32; 2]) {
        match *self {
            Self::Point(shape, color) => glyph(canvas, [x, y], shape, color, 4.0),
            Self::Line(stroke) => canvas.line(&[[x - 6.0, y], [x + 6.0, y]], stroke),
        }
    }
}

/// Width that a legend takes, in points; letters are not measured but guessed.
pub fn legend_width(legend: &[LegendKey]) -> f32 {
    let longest = legend.iter().map(|key| key.label.chars().count()).max();
    longest.map_or(0.0, |longest| 34.0 + longest as f32 * SMALL * 0.56)
}

fn text(canvas: &mut impl Canvas, at: [f32; 2], text: &str, color: Color, anchor: Anchor) {
    canvas.text(at, text, TextLook { size: SMALL, color, anchor, upwards: false });
}

/// About `wanted` round values within a range, with the digits that tell them apart.
pub fn round_ticks(low: f64, high: f64, wanted: f64) -> Vec<(f64, String)> {
    let rough = (high - low) / wanted.max(1.0);
    if !(rough > 0.0 && rough.is_finite()) {
        return Vec::new();
    }
    let power = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let step = steps.into_iter().find(|step| *step >= rough).unwrap_or(10.0 * power);
    let decade = step.log10().floor();
    let digits = (-decade).clamp(0.0, 8.0) as usize;
    let says = |value: f64| match (-6.0..6.0).contains(&decade) {
        true => format!("{value:.digits$}"),
        false => format!("{value:.1e}"),
    };
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last).map(|at| at as f64 * step).map(|value| (value, says(value))).collect()
}

impl Axis {
    /// An axis with ticks at round values.
    pub fn new(label: impl Into<String>, low: f64, high: f64) -> Self {
        Self { label: label.into(), low, high, ticks: Ticks::Round }
    }

    fn share(&self, value: f64) -> f32 {
        ((value - self.low) / (self.high - self.low)) as f32
    }

    fn ticks(&self, wanted: f32) -> Vec<(f64, String)> {
        match &self.ticks {
            Ticks::Round => round_ticks(self.low, self.high, f64::from(wanted)),
            Ticks::None => Vec::new(),
            Ticks::At(ticks) => ticks.clone(),
        }
    }
}

impl Chart {
    fn draw(&self, canvas: &mut impl Canvas, [min, max]: Corners) {
        let bare = self.x.ticks == Ticks::None && self.y.ticks == Ticks::None;
        let (left, below) = if bare { (BARE[0], BARE[1]) } else { (LEFT, BELOW) };
        let min = [min[0] + left, min[1] + ABOVE[usize::from(self.title.is_empty())]];
        let max = [max[0] - RIGHT, max[1] - below];
        let place = |[x, y]: [f64; 2]| {
            let (x, y) = (self.x.share(x), self.y.share(y));
            [min[0] + x * (max[0] - min[0]), max[1] - y * (max[1] - min[1])]
        };
        self.axes(canvas, [min, max]);
        canvas.begin_clip([min, max]);
        for mark in &self.marks {
            draw_mark(canvas, mark, &place, [self.y.low, self.y.high]);
        }
        canvas.end_clip();
        // Words may stand out over the border.
        for mark in &self.marks {
            match mark {
                Mark::Word(at, side, word, color) => {
                    draw_word(canvas, (place(*at), *side), (word, *color), max[0]);
                }
                Mark::Threshold(at, word) if (self.x.low..=self.x.high).contains(at) => {
                    let [x, _] = place([*at, 0.0]);
                    text(canvas, [x + 4.0, min[1] + 8.0], word, Color::Ink, Anchor::Start);
                }
                _ => {}
            }
        }
    }

    fn axes(&self, canvas: &mut impl Canvas, [min, max]: Corners) {
        let middle = (min[0] + max[0]) / 2.0;
        let title =
            TextLook { size: 12.0, color: Color::Ink, anchor: Anchor::Middle, upwards: false };
        canvas.text([middle, min[1] - 13.0], &self.title, title);
        let rule = Stroke::solid(Color::Rule, 1.0);
        for (value, says) in self.x.ticks((max[0] - min[0]) / 70.0) {
            let x = min[0] + self.x.share(value) * (max[0] - min[0]);
            canvas.line(&[[x, min[1]], [x, max[1]]], rule);
            text(canvas, [x, max[1] + 11.0], &says, Color::Weak, Anchor::Middle);
        }
        for (value, says) in self.y.ticks((max[1] - min[1]) / 45.0) {
            let y = max[1] - self.y.share(value) * (max[1] - min[1]);
            canvas.line(&[[min[0], y], [max[0], y]], rule);
            text(canvas, [min[0] - 6.0, y], &says, Color::Weak, Anchor::End);
        }
        let frame = [min, [max[0], min[1]], max, [min[0], max[1]], min];
        canvas.line(&frame, Stroke::solid(Color::Weak, 1.0));
        text(canvas, [middle, max[1] + 28.0], &self.x.label, Color::Ink, Anchor::Middle);
        let look = TextLook { size: SMALL, upwards: true, ..title };
        canvas.text([min[0] - 40.0, (min[1] + max[1]) / 2.0], &self.y.label, look);
    }
}

/// A word beside its place, within `right`.
fn draw_word(
    canvas: &mut impl Canvas,
    ([x, y], side): ([f32; 2], WordSide),
    (word, color): (&str, Color),
    right: f32,
) {
    let width = word.chars().count() as f32 * SMALL * 0.55;
    let (at, anchor) = match side {
        WordSide::Beside if x + 11.0 + width > right => ([x - 11.0, y], Anchor::End),
        WordSide::Beside => ([x + 11.0, y], Anchor::Start),
        WordSide::Above => ([x, y - 9.0], Anchor::Middle),
        WordSide::Below => ([x, y + 9.0], Anchor::Middle),
    };
    text(canvas, at, word, color, anchor);
}

fn draw_mark(
    canvas: &mut impl Canvas,
    mark: &Mark,
    place: &impl Fn([f64; 2]) -> [f32; 2],
    [low, high]: [f64; 2],
) {
    let places = |line: &[[f64; 2]]| -> Vec<_> { line.iter().map(|&at| place(at)).collect() };
    match mark {
        Mark::Line(through, stroke) => canvas.line(&places(through), *stroke),
        Mark::Area(line, color) => canvas.area(&places(line), place([0.0, low])[1], *color, 0.18),
        Mark::Bars(bars, color) => {
            let corners = |[a, b]: &[[f64; 2]; 2]| {
                let (a, b) = (place(*a), place(*b));
                [[a[0].min(b[0]), a[1].min(b[1])], [a[0].max(b[0]), a[1].max(b[1])]]
            };
            canvas.bars(&bars.iter().map(corners).collect::<Vec<_>>(), *color);
        }
        Mark::Point(at, shape, color, radius) => glyph(canvas, place(*at), *shape, *color, *radius),
        Mark::Threshold(at, _) => {
            let dashed = Stroke::solid(Color::Ink, 1.2).with_dashes(Dashes::Dashed);
            canvas.line(&[place([*at, low]), place([*at, high])], dashed);
        }
        Mark::Word(..) => {}
        Mark::Choice(thing, chosen, mark) => {
            canvas.begin_layer(*thing, *chosen);
            draw_mark(canvas, mark, place, [low, high]);
            canvas.end_layer();
        }
    }
}

fn glyph(canvas: &mut impl Canvas, at: [f32; 2], shape: Glyph, color: Color, radius: f32) {
    let [x, y] = at;
    let corners = |from: f32, reaches: &[f32]| -> Vec<[f32; 2]> {
        let count = reaches.len() as f32;
        let corner = |(k, reach): (usize, &f32)| {
            let angle = std::f32::consts::TAU * (k as f32 / count + from);
            [x + reach * angle.cos(), y + reach * angle.sin()]
        };
        reaches.iter().enumerate().map(corner).collect()
    };
    // From the top on, or from a corner.
    let (top, corner) = (-0.25, -0.125);
    match shape {
        Glyph::Circle => canvas.circle(at, radius, color, 0.85),
        Glyph::Square => canvas.star_shaped(&corners(corner, &[radius * 1.2; 4]), color),
        Glyph::Triangle => canvas.star_shaped(&corners(top, &[radius * 1.3; 3]), color),
        Glyph::Diamond => canvas.star_shaped(&corners(top, &[radius * 1.3; 4]), color),
        Glyph::Cross => {
            let r = radius * 0.95;
            let stroke = Stroke::solid(color, 1.3);
            canvas.line(&[[x - r, y - r], [x + r, y + r]], stroke);
            canvas.line(&[[x - r, y + r], [x + r, y - r]], stroke);
        }
        Glyph::Star => {
            let star = |radius: f32| [radius, radius * 0.45].repeat(5);
            canvas.star_shaped(&corners(top, &star(radius + 1.8)), Color::Ink);
            canvas.star_shaped(&corners(top, &star(radius)), color);
        }
    }
}
