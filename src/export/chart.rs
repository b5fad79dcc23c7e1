//! Axes, marks and a legend, drawn on any canvas.

use super::canvas::{Anchor, Canvas, Rgb, Stroke, TextLook};

const INK: Rgb = [35, 42, 46];
const FAINT: Rgb = [98, 112, 118];
const GRID: Rgb = [226, 231, 233];

/// Height of small text, in points.
const SMALL: f32 = 10.0;
/// Room for ticks and label on the left and below, and for the title above, in points.
const LEFT: f32 = 52.0;
const BELOW: f32 = 42.0;
const ABOVE: f32 = 26.0;
/// Room on the right, and around a plot without ticks, in points.
const RIGHT: f32 = 12.0;
const BARE: [f32; 2] = [12.0, 14.0];

/// What a plot without ticks leaves free, across and upright, in points.
pub const BARE_MARGINS: [f32; 2] = [BARE[0] + RIGHT, BARE[1] + ABOVE];

/// One axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it says, with its unit.
    pub label: String,
    /// Where it begins.
    pub low: f64,
    /// Where it ends, above `low`.
    pub high: f64,
    /// Whether it has ticks: positions of a map mean nothing by themselves.
    pub ticks: bool,
}

/// The outline of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyph {
    /// A disc.
    Circle,
    /// A cross.
    Cross,
    /// A star.
    Star,
}

/// Something drawn in the units of the axes.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// A line.
    Line(Vec<[f64; 2]>, Stroke),
    /// What lies between a line and the lower axis.
    Area(Vec<[f64; 2]>, Rgb),
    /// A point.
    Point([f64; 2], Glyph, Rgb),
    /// A vertical line with a word at its upper end.
    Threshold(f64, String),
    /// A word beside a place.
    Word([f64; 2], String),
}

/// A line of the legend.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// What it stands for.
    pub label: String,
    /// Its colour.
    pub color: Rgb,
    /// A point's outline, or a line.
    pub glyph: Option<Glyph>,
}

/// A plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What stands above it.
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
    pub legend: Vec<Key>,
}

impl Figure {
    /// Draws it from the canvas's left upper corner on.
    pub fn draw(&self, canvas: &mut impl Canvas) {
        let side = legend_width(&self.legend);
        let width = (self.size[0] - side) / self.charts.len().max(1) as f32;
        for (at, chart) in self.charts.iter().enumerate() {
            let left = at as f32 * width;
            chart.draw(canvas, [left, 0.0], [left + width, self.size[1]]);
        }
        for (row, key) in self.legend.iter().enumerate() {
            let y = ABOVE + 8.0 + row as f32 * 15.0;
            if y + SMALL > self.size[1] {
                break;
            }
            let x = self.size[0] - side + 12.0;
            match key.glyph {
                Some(shape) => glyph(canvas, [x, y], shape, key.color, 4.0),
                None => {
                    canvas.line(&[[x - 6.0, y], [x + 6.0, y]], Stroke::solid(key.color, 2.0));
                }
            }
            text(canvas, [x + 12.0, y], &key.label, INK, Anchor::Start);
        }
    }
}

/// Width that a legend takes, in points; letters are not measured but guessed.
pub fn legend_width(legend: &[Key]) -> f32 {
    let longest = legend.iter().map(|key| key.label.chars().count()).max();
    longest.map_or(0.0, |longest| 34.0 + longest as f32 * SMALL * 0.56)
}

fn text(canvas: &mut impl Canvas, at: [f32; 2], text: &str, color: Rgb, anchor: Anchor) {
    canvas.text(at, text, TextLook { size: SMALL, color, anchor, upwards: false });
}

impl Axis {
    /// An axis with ticks.
    pub fn new(label: impl Into<String>, low: f64, high: f64) -> Self {
        Self { label: label.into(), low, high, ticks: true }
    }

    fn share(&self, value: f64) -> f32 {
        ((value - self.low) / (self.high - self.low)) as f32
    }

    /// About `wanted` round values, with the digits that they need.
    fn tick_values(&self, wanted: f32) -> (Vec<f64>, usize) {
        let rough = (self.high - self.low) / f64::from(wanted.max(1.0));
        if !(self.ticks && rough > 0.0 && rough.is_finite()) {
            return (Vec::new(), 0);
        }
        let power = 10f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let step = steps.into_iter().find(|step| *step >= rough).unwrap_or(10.0 * power);
        let digits = (-step.log10().floor()).clamp(0.0, 8.0) as usize;
        let (first, last) = ((self.low / step).ceil() as i64, (self.high / step).floor() as i64);
        ((first..=last).map(|at| at as f64 * step).collect(), digits)
    }
}

impl Chart {
    fn draw(&self, canvas: &mut impl Canvas, min: [f32; 2], max: [f32; 2]) {
        let ticks = self.x.ticks || self.y.ticks;
        let (left, below) = if ticks { (LEFT, BELOW) } else { (BARE[0], BARE[1]) };
        let min = [min[0] + left, min[1] + ABOVE];
        let max = [max[0] - RIGHT, max[1] - below];
        let place = |[x, y]: [f64; 2]| {
            let (x, y) = (self.x.share(x), self.y.share(y));
            [min[0] + x * (max[0] - min[0]), max[1] - y * (max[1] - min[1])]
        };
        self.axes(canvas, min, max);
        canvas.begin_clip(min, max);
        for mark in &self.marks {
            draw_mark(canvas, mark, &place, [self.y.low, self.y.high]);
        }
        canvas.end_clip();
        // Words may stand out over the border.
        for mark in &self.marks {
            match mark {
                Mark::Word(at, word) => {
                    let [x, y] = place(*at);
                    let narrow = word.chars().count() as f32 * SMALL * 0.55;
                    let (x, anchor) = match x + 11.0 + narrow > max[0] {
                        true => (x - 11.0, Anchor::End),
                        false => (x + 11.0, Anchor::Start),
                    };
                    text(canvas, [x, y], word, INK, anchor);
                }
                Mark::Threshold(at, word) if (self.x.low..=self.x.high).contains(at) => {
                    let [x, _] = place([*at, 0.0]);
                    text(canvas, [x + 4.0, min[1] + 8.0], word, INK, Anchor::Start);
                }
                _ => {}
            }
        }
    }

    fn axes(&self, canvas: &mut impl Canvas, min: [f32; 2], max: [f32; 2]) {
        let middle = (min[0] + max[0]) / 2.0;
        let look = TextLook { size: 12.0, color: INK, anchor: Anchor::Middle, upwards: false };
        canvas.text([middle, min[1] - 13.0], &self.title, look);
        let (values, digits) = self.x.tick_values((max[0] - min[0]) / 70.0);
        for value in values {
            let x = min[0] + self.x.share(value) * (max[0] - min[0]);
            canvas.line(&[[x, min[1]], [x, max[1]]], Stroke::solid(GRID, 1.0));
            let number = format!("{value:.digits$}");
            text(canvas, [x, max[1] + 11.0], &number, FAINT, Anchor::Middle);
        }
        let (values, digits) = self.y.tick_values((max[1] - min[1]) / 45.0);
        for value in values {
            let y = max[1] - self.y.share(value) * (max[1] - min[1]);
            canvas.line(&[[min[0], y], [max[0], y]], Stroke::solid(GRID, 1.0));
            let number = format!("{value:.digits$}");
            text(canvas, [min[0] - 6.0, y], &number, FAINT, Anchor::End);
        }
        let frame = [min, [max[0], min[1]], max, [min[0], max[1]], min];
        canvas.line(&frame, Stroke::solid(FAINT, 1.0));
        text(canvas, [middle, max[1] + 28.0], &self.x.label, INK, Anchor::Middle);
        let look = TextLook { size: SMALL, color: INK, anchor: Anchor::Middle, upwards: true };
        canvas.text([min[0] - 38.0, (min[1] + max[1]) / 2.0], &self.y.label, look);
    }
}

fn draw_mark(
    canvas: &mut impl Canvas,
    mark: &Mark,
    place: &impl Fn([f64; 2]) -> [f32; 2],
    [low, high]: [f64; 2],
) {
    match mark {
        Mark::Line(through, stroke) => {
            let through: Vec<_> = through.iter().map(|&at| place(at)).collect();
            canvas.line(&through, *stroke);
        }
        Mark::Area(line, color) => {
            let line: Vec<_> = line.iter().map(|&at| place(at)).collect();
            canvas.area(&line, place([0.0, low])[1], *color, 0.18);
        }
        Mark::Point(at, shape, color) => {
            let radius = if *shape == Glyph::Star { 7.0 } else { 2.6 };
            glyph(canvas, place(*at), *shape, *color, radius);
        }
        Mark::Threshold(at, _) => {
            let dashed = Stroke { color: INK, width: 1.2, dashed: true };
            canvas.line(&[place([*at, low]), place([*at, high])], dashed);
        }
        Mark::Word(..) => {}
    }
}

fn glyph(canvas: &mut impl Canvas, at: [f32; 2], shape: Glyph, color: Rgb, radius: f32) {
    let [x, y] = at;
    match shape {
        Glyph::Circle => canvas.circle(at, radius, color, 0.85),
        Glyph::Cross => {
            let r = radius * 0.95;
            let stroke = Stroke::solid(color, 1.3);
            canvas.line(&[[x - r, y - r], [x + r, y + r]], stroke);
            canvas.line(&[[x - r, y + r], [x + r, y - r]], stroke);
        }
        Glyph::Star => {
            let star = |radius: f32| -> Vec<[f32; 2]> {
                let tip = |k: usize| {
                    let angle = std::f32::consts::TAU * (k as f32 / 10.0 - 0.25);
                    let reach = if k.is_multiple_of(2) { radius } else { radius * 0.45 };
                    [x + reach * angle.cos(), y + reach * angle.sin()]
                };
                (0..10).map(tip).collect()
            };
            canvas.star_shaped(&star(radius + 1.8), INK);
            canvas.star_shaped(&star(radius), color);
        }
    }
}
