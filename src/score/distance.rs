//! How near a feature is to every class center.
//!
//! The app lists the nearest centers with [`class_scores`]; the TagOOD detectors take the best of the
//! same numbers for whole blocks of features.

use super::{
    ScoreError, Statistics,
    head::check,
    logits::log_softmax,
    matrix::{distance, dot, most_similar, nearest, normalised},
};

/// Learned class centers `[C, G, D/G]`, with what the comparisons need of them worked out once.
///
/// The paper has one D-dimensional center a class (G = 1 gives the same numbers); the released code
/// splits the channels into G = 4 "patterns" and compares each on its own.
#[derive(Clone, Debug)]
pub struct Centers {
    data: Vec<f32>,
    classes: usize,
    patterns: usize,
    width: usize,
    /// Every center divided by its length, `[C, D]`.
    units: Vec<f32>,
    /// Every pattern divided by its length, `[C, D]`.
    pattern_units: Vec<f32>,
    /// Softmax of every center over its D channels, `[C, D]`.
    softmax: Vec<f32>,
    /// Sum of p log p of that softmax, `[C]`.
    negentropy: Vec<f64>,
}

/// All four comparisons of one feature with every class, `[C]` each.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassScores {
    /// Cosine over all D channels (equation 6 of the TagOOD paper takes the maximum); −1..1.
    pub cosine: Vec<f32>,
    /// Mean of the G cosines over the channel groups (the released inference script); −1..1.
    pub cosine_pattern: Vec<f32>,
    /// Euclidean distance over all D channels; ≥ 0.
    pub euclidean: Vec<f32>,
    /// KL(softmax(center) ‖ softmax(feature)) summed over the D channels; ≥ 0, in nats.
    pub kl: Vec<f32>,
}

/// Compares one feature `[D]` with every class center.
///
/// # Errors
///
/// The feature has another width than the centers.
pub fn class_scores(feature: &[f32], centers: &Centers) -> Result<ClassScores, ScoreError> {
    check("feature", feature, &[centers.width])?;
    let (unit, units) = (normalised(feature).collect::<Vec<f32>>(), &centers.units);
    let pattern_unit = centers.pattern_units_of(feature);
    let log_q: Vec<f32> = log_softmax(feature).collect();
    let width = centers.width;
    Ok(ClassScores {
        cosine: units.chunks_exact(width).map(|center| cosine(&unit, center)).collect(),
        cosine_pattern: centers
            .pattern_units
            .chunks_exact(width)
            .map(|center| centers.pattern_cosine(&pattern_unit, center))
            .collect(),
        euclidean: centers
            .data
            .chunks_exact(width)
            .map(|center| distance(feature, center) as f32)
            .collect(),
        kl: (0..centers.classes).map(|class| centers.kl(&log_q, class)).collect(),
    })
}

impl Centers {
    /// Takes centers `[C, G, D/G]`, row-major.
    ///
    /// # Errors
    ///
    /// The number of values does not fit the shape, an axis is empty, or a value is not finite.
    pub fn new(data: Vec<f32>, shape: [usize; 3]) -> Result<Self, ScoreError> {
        check("centers", &data, &shape)?;
        if data.is_empty() {
            let (expected, found) = (vec![0, 0, 0], shape.to_vec());
            return Err(ScoreError::Shape { name: "centers".to_owned(), expected, found });
        }
        let [classes, patterns, group] = shape;
        let width = patterns * group;
        let units = data.chunks_exact(width).flat_map(normalised).collect();
        let pattern_units = data.chunks_exact(group).flat_map(normalised).collect();
        let (mut softmax, mut negentropy) = (Vec::with_capacity(data.len()), Vec::new());
        for center in data.chunks_exact(width) {
            let log_p: Vec<f32> = log_softmax(center).collect();
            let p: Vec<f32> = log_p.iter().map(|v| v.exp()).collect();
            negentropy.push(dot(&p, &log_p));
            softmax.extend(p);
        }
        Ok(Self { data, classes, patterns, width, units, pattern_units, softmax, negentropy })
    }

    /// One class's center of one channel, at zero.
    pub(super) fn zero() -> Self {
        Self {
            data: vec![0.0],
            classes: 1,
            patterns: 1,
            width: 1,
            units: vec![0.0],
            pattern_units: vec![0.0],
            softmax: vec![1.0],
            negentropy: vec![0.0],
        }
    }

    /// Class means kept as a statistic `[P, W]`, as centers of one pattern.
    pub(super) fn from_means(statistics: &Statistics, name: &str) -> Result<Self, ScoreError> {
        let data = statistics.values(name, &[0, 0])?;
        let shape = statistics.get(name).map_or(&[][..], |tensor| &tensor.shape);
        match *shape {
            [classes, width] => Self::new(data.to_vec(), [classes, 1, width]),
            _ => Err(ScoreError::MissingStatistic { name: name.to_owned() }),
        }
    }

    /// Number of classes C.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Number of patterns G that the channels are split into.
    pub fn patterns(&self) -> usize {
        self.patterns
    }

    /// Channels D of a center, all patterns together.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The values `[C, G, D/G]`.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The G cosines of one feature `[D]`'s patterns with a class's; their mean is what
    /// [`ClassScores::cosine_pattern`] holds.
    ///
    /// # Errors
    ///
    /// The feature has another width than the centers, or there is no such class.
    pub fn pattern_cosines(&self, feature: &[f32], class: usize) -> Result<Vec<f32>, ScoreError> {
        check("feature", feature, &[self.width])?;
        let at = class.saturating_mul(self.width);
        let Some(center) = self.pattern_units.get(at..at.saturating_add(self.width)) else {
            let (expected, found) = (vec![self.classes], vec![class]);
            return Err(ScoreError::Shape { name: "class".to_owned(), expected, found });
        };
        let group = self.width / self.patterns;
        let units = self.pattern_units_of(feature);
        let pairs = units.chunks_exact(group).zip(center.chunks_exact(group));
        Ok(pairs.map(|(a, b)| cosine(a, b)).collect())
    }

    /// Largest cosine with a center of every feature `[n, D]`.
    pub(super) fn largest_cosines(&self, features: &[f32]) -> Vec<f32> {
        let units: Vec<f32> = features.chunks_exact(self.width).flat_map(normalised).collect();
        self.largest(&units, &self.units, cosine)
    }

    /// Largest mean of the pattern cosines with a center of every feature `[n, D]`.
    pub(super) fn largest_pattern_cosines(&self, features: &[f32]) -> Vec<f32> {
        let units = self.pattern_units_of(features);
        self.largest(&units, &self.pattern_units, |a, b| self.pattern_cosine(a, b))
    }

    /// Smallest Euclidean distance to a center of every feature `[n, D]`.
    pub(super) fn smallest_distances(&self, features: &[f32]) -> Vec<f32> {
        nearest(features, &self.data, self.width).into_iter().map(|d| d as f32).collect()
    }

    /// Smallest divergence of a center from every feature `[n, D]`.
    pub(super) fn smallest_kl(&self, features: &[f32]) -> Vec<f32> {
        let log_q: Vec<f32> = features.chunks_exact(self.width).flat_map(log_softmax).collect();
        let negentropy = |class: usize| -self.negentropy[class] as f32;
        let found = most_similar(&log_q, &self.softmax, self.width, negentropy);
        log_q.chunks_exact(self.width).zip(found).map(|(q, class)| self.kl(q, class)).collect()
    }

    /// The best similarity of every row to a point, exact for the point found.
    fn largest(
        &self,
        rows: &[f32],
        points: &[f32],
        similarity: impl Fn(&[f32], &[f32]) -> f32,
    ) -> Vec<f32> {
        let found = most_similar(rows, points, self.width, |_| 0.0);
        let pairs = rows.chunks_exact(self.width).zip(found);
        pairs.map(|(row, i)| similarity(row, &points[i * self.width..][..self.width])).collect()
    }

    /// Every pattern of features `[n, D]` divided by its length.
    fn pattern_units_of(&self, features: &[f32]) -> Vec<f32> {
        features.chunks_exact(self.width / self.patterns).flat_map(normalised).collect()
    }

    /// Mean of the cosines of G pairs of unit vectors; a pattern in which either is zero counts 0.
    fn pattern_cosine(&self, a: &[f32], b: &[f32]) -> f32 {
        cosine(a, b) / self.patterns as f32
    }

    /// KL(softmax(center) ‖ q) from log q, in nats.
    fn kl(&self, log_q: &[f32], class: usize) -> f32 {
        let p = &self.softmax[class * self.width..][..self.width];
        // rounding can leave the divergence of equal distributions a hair below zero
        (self.negentropy[class] - dot(p, log_q)).max(0.0) as f32
    }
}

/// Inner product of unit vectors.
fn cosine(a: &[f32], b: &[f32]) -> f32 {
    dot(a, b) as f32
}
