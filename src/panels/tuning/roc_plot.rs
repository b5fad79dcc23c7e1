//! ROC curves on screen: which there are, and where the pointer is on them.

use eframe::egui::{Color32, Pos2, Stroke};
use egui_plot::{Line, LineStyle, PlotPoint, PlotPoints, PlotTransform};

use super::sets::set_color;
use crate::eval::metrics::Convention;
use crate::eval::separation::CurvePoint;
use crate::session::Session;
use crate::session::curves::Measured;
use crate::ui::theme::Palette;

/// How curves lie on the axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axes {
    /// Which class counts as positive.
    pub convention: Convention,
    /// Whether the false positive rate is on a logarithmic axis.
    pub log: bool,
    /// The least false positive rate that a logarithmic axis shows.
    pub least: f64,
}

impl Axes {
    /// A curve's point in the plot's coordinates.
    pub(super) fn place(&self, point: CurvePoint) -> [f64; 2] {
        let (fpr, tpr) = point.rates(self.convention);
        match self.log {
            true => [fpr.max(self.least).log10(), tpr],
            false => [fpr, tpr],
        }
    }

    /// Bounds of the x axis.
    pub(super) fn x_bounds(&self) -> (f64, f64) {
        if self.log { (self.least.log10(), 0.03) } else { (-0.01, 1.01) }
    }

    /// What the axes show.
    pub(super) fn names(&self) -> (&'static str, &'static str) {
        match self.convention {
            Convention::IdPositive => ("OOD kept (FPR)", "ID kept (TPR)"),
            Convention::OodPositive => ("ID lost (FPR)", "OOD caught (TPR)"),
        }
    }

    /// A false positive rate at a place of the x axis, as its label.
    pub(super) fn x_label(&self, x: f64) -> String {
        let rate = if self.log { 10f64.powf(x) } else { x };
        match rate * 100.0 {
            percent if !(-1e-9..=100.001).contains(&percent) => String::new(),
            percent if !(1e-9..0.9995).contains(&percent) => format!("{percent:.0} %"),
            percent => format!("{} %", (percent * 1e4).round() / 1e4),
        }
    }
}

/// A curve as it is drawn.
pub(super) struct Curve<'a> {
    /// What it compares.
    pub name: String,
    /// Its points, from nothing kept to all.
    pub points: &'a [CurvePoint],
    /// Its colour.
    pub color: Color32,
    /// Its style, so that colour alone need not tell.
    pub style: LineStyle,
    /// Width in points.
    pub width: f32,
    /// The OOD set, by its place in the separation; `None` for a mean.
    pub set: Option<usize>,
    /// Whether λ means the same on it as in the present setting.
    pub is_present: bool,
}

impl<'a> Curve<'a> {
    /// As the plot's item.
    pub(super) fn line(&self, axes: &Axes) -> Line<'a> {
        let points: PlotPoints<'a> = self.points.iter().map(|&p| axes.place(p)).collect();
        Line::new(self.name.clone(), points)
            .stroke(Stroke::new(self.width, self.color))
            .style(self.style)
            // A staircase is no band of noise.
            .allow_band(false)
            .allow_hover(false)
    }
}

/// One style for each set in turn.
fn style(at: usize) -> LineStyle {
    match at % 3 {
        0 => LineStyle::Solid,
        1 => LineStyle::Dashed { length: 8.0 },
        _ => LineStyle::Dotted { spacing: 5.0 },
    }
}

/// Every curve: the present setting's sets and their mean, other detectors' means, the pinned mean.
pub(super) fn curves<'a>(
    session: &'a Session,
    measured: &'a Measured,
    palette: &Palette,
) -> Vec<Curve<'a>> {
    let mut curves = Vec::new();
    let tuning = &session.tuning;
    if let Some(a) = tuning.pinned().and_then(|a| a.measured.separation.as_ref()) {
        curves.push(Curve {
            name: "Pinned A, mean".into(),
            points: &a.mean_curve,
            color: palette.weak,
            style: LineStyle::Dashed { length: 12.0 },
            width: 2.0,
            set: None,
            is_present: false,
        });
    }
    let Some(separation) = &measured.separation else { return curves };
    let rows = tuning.table().rows.iter().filter(|row| {
        tuning.overlaid.contains(row.info.id) && row.info.id != measured.settings.detector
    });
    let sets = separation.sets.len();
    for (at, row) in rows.enumerate() {
        curves.push(Curve {
            name: row.info.name.to_owned(),
            points: &row.mean_curve,
            color: palette.series(sets + at),
            style: style(at + 1),
            width: 1.5,
            set: None,
            is_present: false,
        });
    }
    for (at, set) in separation.sets.iter().enumerate() {
        let place = measured.sets.iter().find(|other| other.title == set.name);
        let color =
            place.map_or(palette.series(at), |place| set_color(palette, session, place.set));
        curves.push(Curve {
            name: set.name.clone(),
            points: &set.curve,
            color,
            style: style(at),
            width: 1.8,
            set: Some(at),
            is_present: true,
        });
    }
    if sets > 1 {
        curves.push(Curve {
            name: "Mean".into(),
            points: &separation.mean_curve,
            color: palette.strong,
            style: LineStyle::Solid,
            width: 2.4,
            set: None,
            is_present: true,
        });
    }
    curves
}

/// A place on a curve.
#[derive(Clone, Copy, Debug)]
pub(super) struct CurveHit {
    /// Distance from the pointer, in points.
    pub distance: f32,
    /// The threshold there, between those of the vertices on either side.
    pub lambda: f64,
}

/// The place on a curve that lies nearest to the pointer.
pub(super) fn nearest(
    points: &[CurvePoint],
    axes: &Axes,
    transform: &PlotTransform,
    pointer: Pos2,
) -> Option<CurveHit> {
    let screen = |point: &CurvePoint| {
        let [x, y] = axes.place(*point);
        transform.position_from_point(&PlotPoint::new(x, y))
    };
    let place = |pair: &[CurvePoint]| {
        let (from, to) = (screen(&pair[0]), screen(&pair[1]));
        let along = (to - from).dot(pointer - from) / (to - from).length_sq().max(1e-6);
        let along = along.clamp(0.0, 1.0);
        let distance = (from + along * (to - from)).distance(pointer);
        let (a, b) = (pair[0].lambda, pair[1].lambda);
        // The curve's beginning has no threshold of its own: nothing is kept there.
        let lambda = match a.is_finite() && b.is_finite() {
            true => a + f64::from(along) * (b - a),
            false if along < 0.5 => a,
            false => b,
        };
        CurveHit { distance, lambda }
    };
    points.windows(2).map(place).min_by(|a, b| a.distance.total_cmp(&b.distance))
}
