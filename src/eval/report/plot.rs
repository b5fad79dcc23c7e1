//! Plots as inline SVG. Colours are the page's CSS variables, so that light and dark come from there.

use std::fmt::Write as _;

use crate::eval::metrics::{Convention, RankedScores};

/// Vertices of a ROC curve in a plot, at most.
const ROC_POINTS: usize = 120;
/// Bars of a histogram.
const BINS: usize = 48;
/// Share of the scores at either end that the axis of a histogram may leave out; they are counted in
/// the outermost bars.
const TAIL: f64 = 0.002;

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

/// One detector's scores of two sets, for a histogram; −∞ for images that have none.
pub struct Histogram<'a> {
    /// The detector.
    pub detector: usize,
    /// Scores of in-distribution images.
    pub id: &'a [f64],
    /// Scores of the others.
    pub ood: &'a [f64],
    /// The bundle's threshold.
    pub lambda: Option<f32>,
}

/// Histograms of several detectors' scores on one set, the chosen one's on show: in-distribution
/// upwards, the others downwards, each as shares of its own set.
pub fn histograms(label: &str, histograms: &[Histogram], chosen: usize) -> String {
    let mut body = String::new();
    for histogram in histograms {
        body.push_str(&layer(histogram.detector, chosen, &one_histogram(histogram)));
    }
    svg(560.0, 356.0, label, &body)
}

fn one_histogram(histogram: &Histogram) -> String {
    let Histogram { id, ood, lambda, .. } = histogram;
    let (low, high) = score_range(id, ood, *lambda);
    let (up, down) = (binned(id, low, high), binned(ood, low, high));
    let tallest = up.bins.iter().chain(&down.bins).fold(1e-9f64, |a, b| a.max(*b));
    let rejected = up.outright.max(down.outright) > 0.0;
    // The bars of images without a score stand apart, at the left.
    let left = if rejected { 96.0 } else { 46.0 };
    let frame = Frame {
        left,
        top: 10.0,
        width: 546.0 - left,
        height: 300.0,
        x: (low, high),
        y: (-tallest, tallest),
    };
    let ticks: Vec<(f64, String)> = (0..=4)
        .map(|i| low + (high - low) * f64::from(i) / 4.0)
        .map(|value| (value, short(value, high - low)))
        .collect();
    let mut body = frame.axes(&ticks, &[(0.0, String::new())]);
    let step = frame.width / BINS as f64;
    let mut bar = |class: &str, x: f64, width: f64, share: f64| {
        let (from, to) = match class {
            "id" => (frame.y(share), frame.y(0.0)),
            _ => (frame.y(0.0), frame.y(-share)),
        };
        if to - from > 0.05 {
            write!(
                body,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{from:.1}\" width=\"{width:.1}\" height=\"{:.1}\"/>",
                to - from
            )
            .ok();
        }
    };
    for (index, (id, ood)) in up.bins.iter().zip(&down.bins).enumerate() {
        let x = frame.left + step * index as f64;
        bar("id", x, step - 0.8, *id);
        bar("ood", x, step - 0.8, *ood);
    }
    if rejected {
        // A bar of its own scale, the whole height being all images.
        bar("id", 48.0, 22.0, up.outright * tallest);
        bar("ood", 48.0, 22.0, down.outright * tallest);
        write!(
            body,
            "<text class=\"tick\" x=\"59\" y=\"326\" text-anchor=\"middle\">no ID tag</text>\
             <text class=\"tick\" x=\"59\" y=\"{:.1}\" text-anchor=\"middle\">{:.0} %</text>\
             <text class=\"tick\" x=\"59\" y=\"{:.1}\" text-anchor=\"middle\">{:.0} %</text>",
            frame.y(up.outright * tallest) - 5.0,
            100.0 * up.outright,
            frame.y(-down.outright * tallest).min(306.0) + 14.0,
            100.0 * down.outright
        )
        .ok();
    }
    if let Some(lambda) = lambda.map(f64::from).filter(|l| (low..=high).contains(l)) {
        let at = frame.x(lambda);
        write!(
            body,
            "<path class=\"lambda\" d=\"M{at:.1} 10V310\"/>\
             <text class=\"tick\" x=\"{:.1}\" y=\"20\">λ</text>",
            at + 4.0
        )
        .ok();
    }
    body.push_str(
        "<text class=\"label id-text\" x=\"540\" y=\"24\" text-anchor=\"end\">▲ ID</text>",
    );
    body.push_str(
        "<text class=\"label ood-text\" x=\"540\" y=\"302\" text-anchor=\"end\">▼ OOD</text>",
    );
    body.push_str(&frame.x_title("score (higher = more in-distribution)"));
    body
}

struct Binned {
    /// Share of all in each bar.
    bins: Vec<f64>,
    /// Share without a score.
    outright: f64,
}

fn binned(scores: &[f64], low: f64, high: f64) -> Binned {
    let mut bins = vec![0.0; BINS];
    let one = 1.0 / scores.len().max(1) as f64;
    let mut outright = 0.0;
    for &score in scores {
        if score == f64::NEG_INFINITY {
            outright += one;
            continue;
        }
        let place = (score - low) / (high - low) * BINS as f64;
        bins[(place.max(0.0) as usize).min(BINS - 1)] += one;
    }
    Binned { bins, outright }
}

/// The range of the scores without the outermost ones, and with λ in it.
fn score_range(id: &[f64], ood: &[f64], lambda: Option<f32>) -> (f64, f64) {
    let mut scores: Vec<f64> = id.iter().chain(ood).copied().filter(|s| s.is_finite()).collect();
    scores.sort_by(f64::total_cmp);
    let Some(last) = scores.len().checked_sub(1) else { return (0.0, 1.0) };
    let tail = (TAIL * last as f64) as usize;
    let (mut low, mut high) = (scores[tail], scores[last - tail]);
    if let Some(lambda) = lambda.map(f64::from) {
        (low, high) = (low.min(lambda), high.max(lambda));
    }
    match high - low > 1e-12 * high.abs().max(low.abs()).max(1e-300) {
        true => (low, high),
        false => (low - 0.5, high + 0.5),
    }
}

/// A number with as many digits as tell the ticks apart.
fn short(value: f64, span: f64) -> String {
    let magnitude = span.abs().log10().floor();
    if !(-5.0..6.0).contains(&magnitude) {
        return format!("{value:.2e}");
    }
    let digits = (2.0 - magnitude).clamp(0.0, 8.0) as usize;
    format!("{value:.digits$}")
}

/// One line of a line plot.
pub struct Line {
    /// Points `(x, y)`, y a share of 1, by ascending x.
    pub points: Vec<(f64, f64)>,
    /// A point beside the axis, apart from the line.
    pub apart: Option<f64>,
}

/// Lines of shares over τ, a layer for each detector, each with its own range of y; the layer of no
/// detector is always on show.
pub fn lines(
    label: &str,
    (x_title, y_title): (&str, &str),
    apart: Option<&str>,
    layers: &[(Option<usize>, Vec<Line>)],
    chosen: usize,
) -> String {
    let all = layers.iter().flat_map(|(_, lines)| lines);
    let xs = all.clone().flat_map(|line| line.points.iter().map(|point| point.0));
    let (low_x, high_x) =
        xs.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
    let (low_x, high_x) = if low_x < high_x { (low_x, high_x) } else { (0.0, 1.0) };
    let frame = Frame {
        left: 52.0,
        top: 10.0,
        width: if apart.is_some() { 330.0 } else { 400.0 },
        height: 230.0,
        x: (low_x - 0.03, high_x + 0.03),
        y: (0.0, 1.0),
    };
    let mut ticks: Vec<f64> =
        all.flat_map(|line| line.points.iter().map(|point| point.0)).collect();
    ticks.sort_by(f64::total_cmp);
    ticks.dedup();
    let ticks: Vec<(f64, String)> =
        ticks.into_iter().map(|x| (x, format!("{}", (x * 1e4).round() / 1e4))).collect();
    let mut body = String::new();
    for (detector, lines) in layers {
        let frame = Frame { y: share_range(lines), ..frame };
        let (low, high) = frame.y;
        let marks: Vec<(f64, String)> = (0..=4)
            .map(|i| low + (high - low) * f64::from(i) / 4.0)
            .map(|share| (share, format!("{:.1}", 100.0 * share)))
            .collect();
        let mut part = frame.axes(&ticks, &marks);
        for (index, line) in lines.iter().enumerate() {
            let color = format!("s{}", index % 6);
            let points = frame.points(line.points.iter().copied());
            write!(part, "<polyline class=\"line {color}\" points=\"{points}\"/>").ok();
            for &(x, y) in &line.points {
                part.push_str(&marker(index, frame.x(x), frame.y(y)));
            }
            if let Some(y) = line.apart {
                part.push_str(&marker(index, 422.0, frame.y(y)));
            }
        }
        if let Some(name) = apart {
            write!(
                part,
                "<text class=\"tick\" x=\"422\" y=\"256\" text-anchor=\"middle\">{}</text>",
                escape(name)
            )
            .ok();
        }
        match detector {
            Some(detector) => body.push_str(&layer(*detector, chosen, &part)),
            None => body.push_str(&part),
        }
    }
    body.push_str(&frame.x_title(x_title));
    body.push_str(&frame.y_title(y_title));
    svg(470.0, 286.0, label, &body)
}

/// A little more than the lines span, within 0 to 1.
fn share_range(lines: &[Line]) -> (f64, f64) {
    let values =
        lines.iter().flat_map(|line| line.points.iter().map(|point| point.1).chain(line.apart));
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    if !(low.is_finite() && high.is_finite()) {
        return (0.0, 1.0);
    }
    let room = (0.1 * (high - low)).max(0.01);
    ((low - room).max(0.0), (high + room).min(1.0))
}

/// Shapes as well as colours tell the lines apart.
pub fn marker(index: usize, x: f64, y: f64) -> String {
    let class = format!("dot s{}", index % 6);
    match index % 4 {
        0 => format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>"),
        1 => format!(
            "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"7\" height=\"7\"/>",
            x - 3.5,
            y - 3.5
        ),
        2 => format!("<path class=\"{class}\" d=\"M{x:.1} {:.1}l4.6 8h-9.2z\"/>", y - 5.0),
        _ => format!("<path class=\"{class}\" d=\"M{x:.1} {:.1}l5 5l-5 5l-5 -5z\"/>", y - 5.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_safe_in_attributes_and_between_tags() {
        assert_eq!(escape("a<b & \"c\" 'd'>"), "a&lt;b &amp; &quot;c&quot; &#39;d&#39;&gt;");
    }

    #[test]
    fn every_score_is_in_some_bar() {
        let scores = [f64::NEG_INFINITY, -5.0, 0.0, 0.5, 1.0, 9.0];
        let binned = binned(&scores, 0.0, 1.0);
        assert!((binned.outright - 1.0 / 6.0).abs() < 1e-12);
        assert!((binned.bins.iter().sum::<f64>() - 5.0 / 6.0).abs() < 1e-12);
        assert!((binned.bins[0] - 2.0 / 6.0).abs() < 1e-12);
        assert!((binned.bins[BINS - 1] - 2.0 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn constant_and_missing_scores_have_a_range() {
        assert_eq!(score_range(&[2.0, 2.0], &[2.0], None), (1.5, 2.5));
        assert_eq!(score_range(&[f64::NEG_INFINITY], &[f64::NEG_INFINITY], None), (0.0, 1.0));
        assert_eq!(score_range(&[0.0, 1.0], &[0.5], Some(2.0)), (0.0, 2.0));
    }

    #[test]
    fn ticks_have_the_digits_that_tell_them_apart() {
        assert_eq!(short(0.123456, 0.5), "0.123");
        assert_eq!(short(123.456, 400.0), "123");
        assert_eq!(short(1e30, 1e30), "1.00e30");
    }
}
