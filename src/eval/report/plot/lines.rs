//! Lines of shares over τ.

use std::fmt::Write as _;

use super::{Frame, escape, layer, svg};

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
