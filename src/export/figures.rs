//! The figures there are: ROC curves, histograms of scores, maps of features.

use super::canvas::{Rgb, Stroke};
use super::chart::{Axis, BARE_MARGINS, Chart, Figure, Glyph, Key, Mark, legend_width};
use crate::eval::metrics::{Convention, Metric, RankedScores};

/// Colours of sets and curves (Okabe and Ito's, told apart by colour-blind readers).
pub const SET_COLORS: [Rgb; 7] = [
    [0, 114, 178],
    [213, 94, 0],
    [0, 158, 115],
    [204, 121, 167],
    [230, 159, 0],
    [86, 180, 233],
    [110, 110, 110],
];

/// Vertices of a drawn curve.
const VERTICES: usize = 1000;
/// Bins of a histogram.
const BINS: usize = 60;

/// Scores of a set.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// The set's name.
    pub name: String,
    /// Whether it is in-distribution.
    pub is_id: bool,
    /// Scores, higher = more in-distribution; infinite ones count but are not drawn.
    pub values: Vec<f64>,
}

/// ROC curves of every out-of-distribution set against all in-distribution ones, ID-positive; `None`
/// without scores of both kinds.
pub fn roc(sets: &[Scores], detector: &str, lambda: Option<f64>) -> Option<Figure> {
    let known = sets.iter().filter(|set| set.is_id).flat_map(|set| &set.values);
    let id: Vec<f64> = known.copied().collect();
    let mut marks = vec![Mark::Line(
        vec![[0.0, 0.0], [1.0, 1.0]],
        Stroke { color: [170, 178, 182], width: 1.0, dashed: true },
    )];
    let mut legend = Vec::new();
    let oods = sets.iter().filter(|set| !set.is_id);
    for (set, &color) in oods.zip(SET_COLORS.iter().cycle()) {
        let (id, ood) = (id.iter().copied(), set.values.iter().copied());
        let Ok(ranked) = RankedScores::from_sets(id, ood) else { continue };
        let points = ranked.roc(Convention::IdPositive).thinned(VERTICES);
        let line = points.iter().map(|point| [point.fpr, point.tpr]).collect();
        marks.push(Mark::Line(line, Stroke::solid(color, 1.8)));
        if let Some(lambda) = lambda {
            let counts = ranked.counts_at(lambda);
            let at = [counts.ood_missed_rate(), counts.id_kept_rate()];
            marks.push(Mark::Point(at, Glyph::Circle, color));
        }
        let metrics = ranked.metrics();
        let (auroc, fpr) = (metrics.get(Metric::Auroc), metrics.get(Metric::Fpr95));
        let label = format!("{}: AUROC {auroc:.3}, FPR95 {fpr:.3}", set.name);
        legend.push(Key { label, color, glyph: None });
    }
    (!legend.is_empty()).then(|| Figure {
        title: format!("ROC curves of {detector}, ID-positive"),
        size: [760.0, 440.0],
        charts: vec![Chart {
            title: format!("ROC of {detector}"),
            x: Axis::new("False positive rate: OOD images kept", 0.0, 1.0),
            y: Axis::new("True positive rate: ID images kept", 0.0, 1.0),
            marks,
        }],
        legend,
    })
}

/// Densities of every set's scores with λ; `None` without finite scores.
pub fn histogram(sets: &[Scores], detector: &str, lambda: Option<f64>) -> Option<Figure> {
    let finite = || sets.iter().flat_map(|set| &set.values).copied().filter(|s| s.is_finite());
    finite().next()?;
    // λ is on show even where all scores lie on one side of it.
    let shown = || finite().chain(lambda.filter(|lambda| lambda.is_finite()));
    let low = shown().min_by(f64::total_cmp)?;
    let high = shown().max_by(f64::total_cmp)?;
    let margin = ((high - low) * 0.03).max(1e-6);
    let (low, high) = (low - margin, high + margin);
    let width = (high - low) / BINS as f64;
    let (mut marks, mut legend, mut tallest) = (Vec::new(), Vec::new(), 0.0f64);
    for (set, &color) in sets.iter().zip(SET_COLORS.iter().cycle()) {
        let mut counts = [0usize; BINS];
        for score in set.values.iter().filter(|score| score.is_finite()) {
            counts[(((score - low) / width) as usize).min(BINS - 1)] += 1;
        }
        // Shares of the whole set, so that sets of any size compare.
        let density = |count: usize| count as f64 / (set.values.len().max(1) as f64 * width);
        let steps = counts.iter().enumerate().flat_map(|(bin, &count)| {
            let (left, y) = (low + bin as f64 * width, density(count));
            [[left, y], [left + width, y]]
        });
        let steps: Vec<[f64; 2]> = steps.collect();
        tallest = steps.iter().map(|step| step[1]).fold(tallest, f64::max);
        marks.push(Mark::Area(steps.clone(), color));
        marks.push(Mark::Line(steps, Stroke::solid(color, 1.5)));
        let kind = if set.is_id { "ID" } else { "OOD" };
        let label = format!("{} ({kind}, {} images)", set.name, set.values.len());
        legend.push(Key { label, color, glyph: None });
    }
    if let Some(lambda) = lambda {
        marks.push(Mark::Threshold(lambda, format!("λ = {lambda:.3}")));
    }
    Some(Figure {
        title: format!("Scores of {detector} by set"),
        size: [760.0, 400.0],
        charts: vec![Chart {
            title: format!("Scores of {detector}"),
            x: Axis::new("Score, higher = more in-distribution", low, high),
            y: Axis::new("Density", 0.0, tallest.max(f64::MIN_POSITIVE) * 1.06),
            marks,
        }],
        legend,
    })
}

/// One space of a map of features.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MapSpace {
    /// What stands above it.
    pub title: String,
    /// The points; those that are not finite are left out.
    pub points: Vec<([f32; 2], Glyph, Rgb)>,
    /// Names and their places.
    pub words: Vec<([f32; 2], String)>,
}

/// Maps of features, side by side, both axes of each on one scale.
pub fn map(spaces: Vec<MapSpace>, legend: Vec<Key>) -> Figure {
    let charts = spaces.into_iter().map(|space| {
        let finite = |at: &[f32; 2]| at.iter().all(|side| side.is_finite());
        let places = || space.points.iter().map(|point| point.0).filter(finite);
        let bound = |axis: usize, pick: fn(f32, f32) -> f32, from: f32| {
            f64::from(places().map(|at| at[axis]).fold(from, pick))
        };
        let span =
            |axis| (bound(axis, f32::min, f32::INFINITY), bound(axis, f32::max, f32::NEG_INFINITY));
        let (x, y) = (span(0), span(1));
        // A square, so that distances compare in all directions.
        let half = ((x.1 - x.0).max(y.1 - y.0) * 0.53).max(1e-6);
        let axis = |(low, high): (f64, f64)| {
            let middle = if (low + high).is_finite() { (low + high) / 2.0 } else { 0.0 };
            let half = if half.is_finite() { half } else { 1.0 };
            Axis { ticks: false, ..Axis::new("", middle - half, middle + half) }
        };
        let wide = |at: [f32; 2]| at.map(f64::from);
        let mut marks: Vec<Mark> = space
            .points
            .iter()
            .filter(|point| finite(&point.0))
            .map(|&(at, glyph, color)| Mark::Point(wide(at), glyph, color))
            .collect();
        let is_star = |mark: &Mark| matches!(mark, Mark::Point(_, Glyph::Star, _));
        marks.sort_by_key(is_star);
        let words = space.words.iter().filter(|word| finite(&word.0));
        marks.extend(words.map(|(at, word)| Mark::Word(wide(*at), word.clone())));
        Chart { title: space.title.clone(), x: axis(x), y: axis(y), marks }
    });
    let charts: Vec<Chart> = charts.collect();
    // Plots without ticks leave these margins: what remains of each is a square.
    let (side, [across, upright]) = (440.0, BARE_MARGINS);
    let width = charts.len() as f32 * (side + across) + legend_width(&legend);
    Figure {
        title: "t-SNE of features before and after projection".to_owned(),
        size: [width, side + upright],
        charts,
        legend,
    }
}
