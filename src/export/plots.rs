//! Figures of the open sets: their numbers, by the same metrics as everywhere, in the plots of
//! [`figures`](crate::figures).

use crate::eval::metrics::{Convention, Metric, RankedScores};
use crate::figures::canvas::Stroke;
use crate::figures::chart::{Figure, Glyph, LegendKey, LegendSample, Mark};
use crate::figures::plots;

/// Vertices of a drawn curve.
const VERTICES: usize = 1000;
/// Radius of the point of λ on a curve.
const AT_LAMBDA: f32 = 3.5;

/// Scores of a set.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedScores {
    /// The set's name.
    pub name: String,
    /// Whether it is in-distribution.
    pub is_id: bool,
    /// Scores, higher = more in-distribution; −∞ for images that have none.
    pub values: Vec<f64>,
}

/// Sets with the look of their lines.
fn with_strokes(sets: &[NamedScores]) -> Vec<(Stroke, &NamedScores)> {
    let (mut id, mut ood) = (0..sets.len(), 0..sets.len());
    let stroke =
        |set: &NamedScores, id: &mut std::ops::Range<usize>, ood: &mut std::ops::Range<usize>| {
            let at = if set.is_id { id.next() } else { ood.next() };
            plots::set_stroke(set.is_id, at.unwrap_or_default())
        };
    sets.iter().map(|set| (stroke(set, &mut id, &mut ood), set)).collect()
}

/// ROC curves of every out-of-distribution set against all in-distribution ones, ID-positive; `None`
/// without scores of both kinds.
pub fn roc(sets: &[NamedScores], detector: &str, lambda: Option<f64>) -> Option<Figure> {
    let known = sets.iter().filter(|set| set.is_id).flat_map(|set| &set.values);
    let id: Vec<f64> = known.copied().collect();
    let (mut marks, mut legend) = (Vec::new(), Vec::new());
    for (stroke, set) in with_strokes(sets).into_iter().filter(|(_, set)| !set.is_id) {
        let (id, ood) = (id.iter().copied(), set.values.iter().copied());
        let Ok(ranked) = RankedScores::from_sets(id, ood) else { continue };
        let points = ranked.roc(Convention::IdPositive).thinned(VERTICES);
        let line = points.iter().map(|point| [point.fpr, point.tpr]).collect();
        marks.push(Mark::Line(line, stroke));
        if let Some(lambda) = lambda {
            let counts = ranked.counts_at(lambda);
            let at = [counts.ood_missed_rate(), counts.id_kept_rate()];
            marks.push(Mark::Point(at, Glyph::Circle, stroke.color, AT_LAMBDA));
        }
        let metrics = ranked.metrics();
        let (auroc, fpr) = (metrics.get(Metric::Auroc), metrics.get(Metric::Fpr95));
        let label = format!("{}: AUROC {auroc:.3}, FPR95 {fpr:.3}", set.name);
        legend.push(LegendKey { label, sample: LegendSample::Line(stroke) });
    }
    (!legend.is_empty()).then(|| Figure {
        title: format!("ROC curves of {detector}, ID-positive"),
        size: [760.0, 440.0],
        charts: vec![plots::roc(format!("ROC of {detector}"), marks)],
        legend,
    })
}

/// Densities of every set's scores with λ; `None` without finite scores.
pub fn histogram(sets: &[NamedScores], detector: &str, lambda: Option<f64>) -> Option<Figure> {
    let sets = with_strokes(sets);
    let densities: Vec<(Stroke, &[f64])> =
        sets.iter().map(|(stroke, set)| (*stroke, set.values.as_slice())).collect();
    let chart = plots::densities(format!("NamedScores of {detector}"), &densities, lambda)?;
    let key = |(stroke, set): &(Stroke, &NamedScores)| {
        let kind = if set.is_id { "ID" } else { "OOD" };
        let without = set.values.iter().filter(|score| !score.is_finite()).count();
        let without =
            if without > 0 { format!(", {without} without score") } else { String::new() };
        let label = format!("{} ({kind}, {} images{without})", set.name, set.values.len());
        LegendKey { label, sample: LegendSample::Line(*stroke) }
    };
    Some(Figure {
        title: format!("NamedScores of {detector} by set"),
        size: [760.0, 400.0],
        charts: vec![chart],
        legend: sets.iter().map(key).collect(),
    })
}
