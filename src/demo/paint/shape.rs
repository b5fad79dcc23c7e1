//! Outlines in a painter's own units, held as polylines.
//!
//! Curves are flattened here, with additions and multiplications only: the rasteriser then sees
//! straight lines and no step depends on a platform's mathematical library.

use tiny_skia::{Path, PathBuilder};

/// Maps a painter's units to pixels: `x' = a·x + c·y + e`, `y' = b·x + d·y + f`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Affine {
    /// Image of the unit x vector.
    pub x: [f32; 2],
    /// Image of the unit y vector.
    pub y: [f32; 2],
    /// Image of the origin.
    pub origin: [f32; 2],
}

impl Affine {
    /// Uniform scaling about the origin.
    pub(crate) fn scale(factor: f32) -> Self {
        Affine { x: [factor, 0.0], y: [0.0, factor], origin: [0.0, 0.0] }
    }

    /// Where `point` goes.
    pub(crate) fn apply(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        [
            self.x[0] * x + self.y[0] * y + self.origin[0],
            self.x[1] * x + self.y[1] * y + self.origin[1],
        ]
    }

    /// First `inner`, then `self`.
    pub(crate) fn after(&self, inner: &Affine) -> Affine {
        let turn = |v: [f32; 2]| {
            [self.x[0] * v[0] + self.y[0] * v[1], self.x[1] * v[0] + self.y[1] * v[1]]
        };
        Affine { x: turn(inner.x), y: turn(inner.y), origin: self.apply(inner.origin) }
    }

    /// The inverse map; `None` where this one is flat.
    pub(crate) fn inverse(&self) -> Option<Affine> {
        let det = self.x[0] * self.y[1] - self.x[1] * self.y[0];
        if det == 0.0 {
            return None;
        }
        let x = [self.y[1] / det, -self.x[1] / det];
        let y = [-self.y[0] / det, self.x[0] / det];
        let [e, f] = self.origin;
        Some(Affine { x, y, origin: [-(x[0] * e + y[0] * f), -(x[1] * e + y[1] * f)] })
    }

    /// The mean stretch of a length.
    pub(crate) fn stretch(&self) -> f32 {
        (self.x[0] * self.y[1] - self.x[1] * self.y[0]).abs().sqrt()
    }
}

/// Cosine and sine of an angle given in turns (1.0 is a full circle), from polynomials, so that
/// every machine gets the same bits.
pub(crate) fn turn(turns: f32) -> [f32; 2] {
    let fraction = turns - turns.floor();
    let quarter = (fraction * 4.0 + 0.5).floor();
    let angle = (fraction - quarter * 0.25) * std::f32::consts::TAU;
    let square = angle * angle;
    let sin = angle * (1.0 - square / 6.0 * (1.0 - square / 20.0 * (1.0 - square / 42.0)));
    let cos = 1.0 - square / 2.0 * (1.0 - square / 12.0 * (1.0 - square / 30.0));
    match quarter as i32 % 4 {
        0 => [cos, sin],
        1 => [-sin, cos],
        2 => [-cos, -sin],
        _ => [sin, -cos],
    }
}

/// One or more outlines; filled by the non-zero rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct VectorShape {
    contours: Vec<Contour>,
}

#[derive(Clone, Debug, Default)]
struct Contour {
    points: Vec<[f32; 2]>,
    closed: bool,
}

impl VectorShape {
    /// Adds the outlines of `other`.
    pub(crate) fn and(mut self, other: impl Into<VectorShape>) -> Self {
        self.contours.extend(other.into().contours);
        self
    }

    /// Moved by `(x, y)`.
    pub(crate) fn shifted(mut self, x: f32, y: f32) -> Self {
        for point in self.contours.iter_mut().flat_map(|contour| &mut contour.points) {
            *point = [point[0] + x, point[1] + y];
        }
        self
    }

    pub(super) fn to_path(&self, to_pixels: &Affine) -> Option<Path> {
        let mut builder = PathBuilder::new();
        for contour in &self.contours {
            for (i, &point) in contour.points.iter().enumerate() {
                let [x, y] = to_pixels.apply(point);
                if i == 0 { builder.move_to(x, y) } else { builder.line_to(x, y) }
            }
            if contour.closed {
                builder.close();
            }
        }
        builder.finish()
    }

    fn closed(points: Vec<[f32; 2]>) -> Self {
        VectorShape { contours: vec![Contour { points, closed: true }] }
    }

    fn open(points: Vec<[f32; 2]>) -> Self {
        VectorShape { contours: vec![Contour { points, closed: false }] }
    }
}

/// The `d` notation of SVG paths: absolute `M`, `L`, `Q`, `C` and `Z`.
impl From<&str> for VectorShape {
    fn from(d: &str) -> Self {
        let mut shape = VectorShape::default();
        let mut verb = 'M';
        let mut numbers: Vec<f32> = Vec::with_capacity(6);
        for (token, is_verb) in tokens(d) {
            if is_verb {
                verb = token.chars().next().unwrap_or('M');
                numbers.clear();
                if verb == 'Z'
                    && let Some(contour) = shape.contours.last_mut()
                {
                    contour.closed = true;
                }
                continue;
            }
            numbers.extend(token.parse::<f32>());
            if numbers.len() == argument_count(verb) {
                shape.segment(verb, &numbers);
                numbers.clear();
                if verb == 'M' {
                    verb = 'L';
                }
            }
        }
        shape
    }
}

fn argument_count(verb: char) -> usize {
    match verb {
        'C' => 6,
        'Q' => 4,
        _ => 2,
    }
}

fn tokens(d: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut rest = d;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', ',', '\n']);
        let first = rest.chars().next()?;
        let end = if first.is_ascii_alphabetic() {
            1
        } else {
            let tail = rest.char_indices().skip(1);
            tail.clone()
                .find(|(_, c)| !c.is_ascii_digit() && *c != '.')
                .map_or(rest.len(), |(i, _)| i)
        };
        let (token, tail) = rest.split_at(end);
        rest = tail;
        Some((token, first.is_ascii_alphabetic()))
    })
}

impl VectorShape {
    fn segment(&mut self, verb: char, n: &[f32]) {
        let end = [n[n.len() - 2], n[n.len() - 1]];
        if verb == 'M' {
            self.contours.push(Contour { points: vec![end], closed: false });
            return;
        }
        let Some(contour) = self.contours.last_mut() else { return };
        let Some(&start) = contour.points.last() else { return };
        match verb {
            'C' => bezier(&mut contour.points, start, [n[0], n[1]], [n[2], n[3]], end),
            'Q' => {
                let third = |a: f32, b: f32| a + (b - a) * 2.0 / 3.0;
                let c1 = [third(start[0], n[0]), third(start[1], n[1])];
                let c2 = [third(end[0], n[0]), third(end[1], n[1])];
                bezier(&mut contour.points, start, c1, c2, end);
            }
            _ => contour.points.push(end),
        }
    }
}

/// Appends a cubic without its start; the step count follows the control polygon's length.
fn bezier(points: &mut Vec<[f32; 2]>, a: [f32; 2], b: [f32; 2], c: [f32; 2], d: [f32; 2]) {
    let span = |p: [f32; 2], q: [f32; 2]| (p[0] - q[0]).abs() + (p[1] - q[1]).abs();
    let steps = (4.0 + (span(a, b) + span(b, c) + span(c, d)) * 0.1).min(24.0) as usize;
    for i in 1..=steps {
        let t = i as f32 / steps as f32;
        let s = 1.0 - t;
        let (w0, w1, w2, w3) = (s * s * s, 3.0 * s * s * t, 3.0 * s * t * t, t * t * t);
        let at = |k: usize| w0 * a[k] + w1 * b[k] + w2 * c[k] + w3 * d[k];
        points.push([at(0), at(1)]);
    }
}

/// An ellipse.
pub(crate) fn oval(cx: f32, cy: f32, rx: f32, ry: f32) -> VectorShape {
    let steps = (12.0 + (rx + ry) * 0.4).min(48.0) as usize;
    let at = |i: usize| {
        let [cos, sin] = turn(i as f32 / steps as f32);
        [cx + rx * cos, cy + ry * sin]
    };
    VectorShape::closed((0..steps).map(at).collect())
}

pub(crate) fn circle(cx: f32, cy: f32, r: f32) -> VectorShape {
    oval(cx, cy, r, r)
}

/// Part of an ellipse's line, angles in turns from the right, clockwise on screen; open.
pub(crate) fn arc(cx: f32, cy: f32, rx: f32, ry: f32, from: f32, to: f32) -> VectorShape {
    let at = |i: usize| {
        let [cos, sin] = turn(from + (to - from) * i as f32 / 24.0);
        [cx + rx * cos, cy + ry * sin]
    };
    VectorShape::open((0..=24).map(at).collect())
}

/// A rectangle by its corner and size.
pub(crate) fn rect(x: f32, y: f32, w: f32, h: f32) -> VectorShape {
    VectorShape::closed(vec![[x, y], [x + w, y], [x + w, y + h], [x, y + h]])
}

/// A rectangle with corners rounded by `r`.
pub(crate) fn round_rect(x: f32, y: f32, w: f32, h: f32, r: f32) -> VectorShape {
    let corners = [(x + w - r, y + h - r), (x + r, y + h - r), (x + r, y + r), (x + w - r, y + r)];
    let mut points = Vec::with_capacity(28);
    for (corner, (cx, cy)) in corners.into_iter().enumerate() {
        for i in 0..=6 {
            let [cos, sin] = turn(corner as f32 * 0.25 + i as f32 / 24.0);
            points.push([cx + r * cos, cy + r * sin]);
        }
    }
    VectorShape::closed(points)
}

/// A polygon.
pub(crate) fn poly(points: &[[f32; 2]]) -> VectorShape {
    VectorShape::closed(points.to_vec())
}

/// A smooth closed curve through `points` (Catmull–Rom).
pub(crate) fn smooth(points: &[[f32; 2]]) -> VectorShape {
    let count = points.len();
    let mut outline = Vec::with_capacity(count * 12);
    for i in 0..count {
        let at = |k: usize| points[(i + count + k - 1) % count];
        let (before, a, d, after) = (at(0), at(1), at(2), at(3));
        let handle = |p: f32, lo: f32, hi: f32, sign: f32| p + sign * (hi - lo) / 6.0;
        let b = [handle(a[0], before[0], d[0], 1.0), handle(a[1], before[1], d[1], 1.0)];
        let c = [handle(d[0], a[0], after[0], -1.0), handle(d[1], a[1], after[1], -1.0)];
        bezier(&mut outline, a, b, c, d);
    }
    VectorShape::closed(outline)
}

/// A star or gear outline: `tips` points at `outer`, valleys at `inner`, first tip upwards.
pub(crate) fn star(cx: f32, cy: f32, tips: usize, outer: f32, inner: f32) -> VectorShape {
    let at = |i: usize| {
        let radius = if i.is_multiple_of(2) { outer } else { inner };
        let [cos, sin] = turn(i as f32 / (2 * tips) as f32 - 0.25);
        [cx + radius * cos, cy + radius * sin]
    };
    VectorShape::closed((0..2 * tips).map(at).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_follow_the_circle() {
        for i in -8..16 {
            let turns = i as f32 / 12.0;
            let [cos, sin] = turn(turns);
            let angle = turns * std::f32::consts::TAU;
            assert!((cos - angle.cos()).abs() < 1e-4, "cos at {turns}");
            assert!((sin - angle.sin()).abs() < 1e-4, "sin at {turns}");
        }
    }

    #[test]
    fn inverse_undoes_a_map() {
        let map = Affine { x: [2.0, 1.0], y: [-1.0, 3.0], origin: [5.0, -7.0] };
        let inverse = map.inverse().expect("not flat");
        let [x, y] = inverse.apply(map.apply([3.0, 4.0]));
        assert!((x - 3.0).abs() < 1e-5 && (y - 4.0).abs() < 1e-5);
    }

    #[test]
    fn path_notation_reads_packed_negatives() {
        let shape = VectorShape::from("M0-60C10-60 20.5-50,30 0L-5-5Z");
        assert_eq!(shape.contours.len(), 1);
        assert!(shape.contours[0].closed);
        assert_eq!(shape.contours[0].points.last(), Some(&[-5.0, -5.0]));
    }
}
