//! Plots as inline SVG. Colours are the page's CSS variables, so that light and dark come from there.

mod histogram;
mod lines;

use std::fmt::Write as _;

use crate::eval::metrics::{Convention, RankedScores};

pub use histogram::{Histogram, histograms};
pub use lines::{Line, lines, marker};

/// Vertices of a ROC curve in a plot, at most.
const ROC_POINTS: usize = 120;

/// A rectangle of a drawing that data is mapped to, in SVG units.
#[derive(Clone, Copy, Debug)]
struct Frame {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    /// Data at the left and right edge.
    x: (f64, f64),
    /// Data at the bottom and top edge.
    y: (f64, f64),
}

impl Frame {
    fn x(&self, value: f64) -> f64 {
        self.left + self.width * (value - self.x.0) / (self.x.1 - self.x.0)
    }

    fn y(&self, value: f64) -> f64 {
        self.top + self.height * (1.0 - (value - self.y.0) / (self.y.1 - self.y.0))
    }

    fn points(&self, points: impl Iterator<Item = (f64, f64)>) -> String {
        let mut text = String::new();
        for (x, y) in points {
            // Writing to a string cannot fail.
            write!(text, "{:.1},{:.1} ", self.x(x), self.y(y)).ok();
        }
        text.truncate(text.trim_end().len());
        text
    }

    /// Grid lines and labels at these data.
    fn axes(&self, x: &[(f64, String)], y: &[(f64, String)]) -> String {
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        let mut text = String::new();
        for (value, label) in x {
            let at = self.x(*value);
            write!(
                text,
                "<path class=\"grid\" d=\"M{at:.1} {:.1}V{bottom:.1}\"/>\
                 <text class=\"tick\" x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{label}</text>",
                self.top,
                bottom + 16.0
            )
            .ok();
        }
        for (value, label) in y {
            let at = self.y(*value);
            write!(
                text,
                "<path class=\"grid\" d=\"M{:.1} {at:.1}H{right:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                self.left,
                self.left - 6.0,
                at + 4.0
            )
            .ok();
        }
        text
    }

    fn x_title(&self, title: &str) -> String {
        format!(
            "<text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            self.left + self.width / 2.0,
            self.top + self.height + 34.0,
            escape(title)
        )
    }

    fn y_title(&self, title: &str) -> String {
        let (x, y) = (14.0, self.top + self.height / 2.0);
        format!(
            "<text class=\"axis\" x=\"{x}\" y=\"{y:.1}\" text-anchor=\"middle\" \
             transform=\"rotate(-90 {x} {y:.1})\">{}</text>",
            escape(title)
        )
    }
}

fn svg(width: f64, height: f64, label: &str, body: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">{body}</svg>",
        escape(label)
    )
}

/// Text that is safe inside HTML, attributes included.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A part of a drawing that belongs to one detector; only the chosen one's is on show.
fn layer(detector: usize, chosen: usize, body: &str) -> String {
    let state = if detector == chosen { " on" } else { "" };
    format!("<g class=\"layer{state}\" data-d=\"{detector}\">{body}</g>")
}

/// ROC curves of several detectors on one set, ID positive; the chosen one stands out.
pub fn roc(label: &str, curves: &[(usize, RankedScores)], chosen: usize) -> String {
    let frame =
        Frame { left: 46.0, top: 10.0, width: 300.0, height: 300.0, x: (0.0, 1.0), y: (0.0, 1.0) };
    let shares = [0.0, 0.25, 0.5, 0.75, 1.0].map(|share: f64| (share, format!("{share}")));
    let mut body = frame.axes(&shares, &shares);
    let corner = frame.points([(0.0, 0.0), (1.0, 1.0)].into_iter());
    write!(body, "<polyline class=\"chance\" points=\"{corner}\"/>").ok();
    let at_95 = frame.points([(0.0, 0.95), (1.0, 0.95)].into_iter());
    write!(body, "<polyline class=\"mark\" points=\"{at_95}\"/>").ok();
    for (detector, ranked) in curves {
        let points = ranked.roc(Convention::IdPositive).thinned(ROC_POINTS);
        let points = frame.points(points.iter().map(|point| (point.fpr, point.tpr)));
        let state = if *detector == chosen { " on" } else { "" };
        write!(body, "<polyline class=\"roc{state}\" data-d=\"{detector}\" points=\"{points}\"/>")
            .ok();
    }
    body.push_str(&frame.x_title("OOD kept (false positives)"));
    body.push_str(&frame.y_title("ID kept (true positives)"));
    svg(360.0, 356.0, label, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_safe_in_attributes_and_between_tags() {
        assert_eq!(escape("a<b & \"c\" 'd'>"), "a&lt;b &amp; &quot;c&quot; &#39;d&#39;&gt;");
    }
}
