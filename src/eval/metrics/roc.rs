//! The ROC curve, whole and thinned for drawing.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use serde::Serialize;

use super::{Confusion, Convention, RankedScores};

/// One vertex of a ROC curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RocPoint {
    /// False positive rate, 0..=1.
    pub fpr: f64,
    /// True positive rate, 0..=1.
    pub tpr: f64,
    /// The threshold λ of this vertex, on the scale of the scores: the lowest score kept as ID, +∞
    /// where nothing is kept.
    pub lambda: f64,
    /// What λ keeps and rejects. (Where scores are +∞, no λ rejects them; the vertex that keeps
    /// nothing is then only the curve's end.)
    pub confusion: Confusion,
}

/// A whole ROC curve, from (0, 0) to (1, 1): one vertex for each distinct score, and the end that
/// no score marks. Ties are one step, hence a slanted line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Roc {
    convention: Convention,
    points: Vec<RocPoint>,
}

impl RankedScores {
    /// The ROC curve in a convention.
    pub fn roc(&self, convention: Convention) -> Roc {
        let cuts = 0..self.cuts().groups() + 1;
        let point = |cut| {
            let confusion = self.cuts().confusion(cut);
            let (fpr, tpr) = match convention {
                Convention::IdPositive => (confusion.ood_missed_rate(), confusion.id_kept_rate()),
                Convention::OodPositive => (confusion.id_lost_rate(), confusion.ood_caught_rate()),
            };
            RocPoint { fpr, tpr, lambda: self.threshold_of_cut(cut), confusion }
        };
        let points = match convention {
            Convention::IdPositive => cuts.rev().map(point).collect(),
            Convention::OodPositive => cuts.map(point).collect(),
        };
        Roc { convention, points }
    }
}

impl Roc {
    /// Which class counts as positive.
    pub fn convention(&self) -> Convention {
        self.convention
    }

    /// Every vertex, from (0, 0) to (1, 1); at least two.
    pub fn points(&self) -> &[RocPoint] {
        &self.points
    }

    /// At most `max_points` vertices (but always both ends) that keep the curve's shape.
    ///
    /// For drawing only; numbers are taken from the whole curve. Starting from the straight line
    /// between the ends, it adds, again and again, the vertex that lies farthest from what is drawn
    /// so far.
    pub fn thinned(&self, max_points: usize) -> Vec<RocPoint> {
        if self.points.len() <= max_points.max(2) {
            return self.points.clone();
        }
        let last = self.points.len() - 1;
        let mut chosen = vec![0, last];
        let mut gaps = BinaryHeap::from_iter(Gap::between(&self.points, 0, last));
        while chosen.len() < max_points {
            let Some(gap) = gaps.pop() else { break };
            chosen.push(gap.farthest);
            gaps.extend(Gap::between(&self.points, gap.from, gap.farthest));
            gaps.extend(Gap::between(&self.points, gap.farthest, gap.to));
        }
        chosen.sort_unstable();
        chosen.into_iter().map(|index| self.points[index]).collect()
    }
}

/// A stretch between two chosen vertices, and the vertex in it that lies farthest from its chord.
struct Gap {
    from: usize,
    to: usize,
    farthest: usize,
    deviation: f64,
}

impl Gap {
    /// None where every vertex between lies on the chord.
    fn between(points: &[RocPoint], from: usize, to: usize) -> Option<Self> {
        let (start, end) = (points[from], points[to]);
        let (run, rise) = (end.fpr - start.fpr, end.tpr - start.tpr);
        let length = run.hypot(rise);
        let mut gap = Self { from, to, farthest: from, deviation: 0.0 };
        for (index, point) in points.iter().enumerate().take(to).skip(from + 1) {
            let area = run * (point.tpr - start.tpr) - rise * (point.fpr - start.fpr);
            let deviation = area.abs() / length;
            if deviation > gap.deviation {
                gap.farthest = index;
                gap.deviation = deviation;
            }
        }
        (gap.deviation > 0.0).then_some(gap)
    }
}

impl Ord for Gap {
    fn cmp(&self, other: &Self) -> Ordering {
        // The place breaks ties, so that the choice never hangs on the heap's inner order.
        self.deviation.total_cmp(&other.deviation).then(other.farthest.cmp(&self.farthest))
    }
}

impl PartialOrd for Gap {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Gap {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Gap {}
