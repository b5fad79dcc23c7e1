//! How near one feature is to every class center.
//!
//! The app lists the nearest centers with these functions, and the TagOOD detectors take their maximum
//! or minimum, so that a list and a verdict can never disagree.

use super::{
    ScoreError, Statistics,
    head::check,
    logits::log_softmax,
    matrix::{distance, dot, norm},
};

/// Lengths below this count as this in a cosine, so that a zero vector has cosine 0 with everything.
const SMALLEST_NORM: f64 = 1e-8;

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
    /// Length of every center, `[C]`.
    norms: Vec<f64>,
    /// Length of every pattern, `[C, G]`.
    pattern_norms: Vec<f64>,
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
    Ok(ClassScores {
        cosine: centers.cosines(feature).collect(),
        cosine_pattern: centers.pattern_cosines(feature).collect(),
        euclidean: centers.euclidean(feature).collect(),
        kl: centers.kl(feature).collect(),
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
        let norms = data.chunks_exact(width).map(norm).collect();
        let pattern_norms = data.chunks_exact(group).map(norm).collect();
        let (mut softmax, mut negentropy) = (Vec::with_capacity(data.len()), Vec::new());
        for center in data.chunks_exact(width) {
            let log_p: Vec<f32> = log_softmax(center).collect();
            let p: Vec<f32> = log_p.iter().map(|v| v.exp()).collect();
            negentropy.push(dot(&p, &log_p));
            softmax.extend(p);
        }
        Ok(Self { data, classes, patterns, width, norms, pattern_norms, softmax, negentropy })
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

    /// Cosine of `feature` `[D]` with every center over all channels, `[C]`; 0 for a zero vector.
    pub fn cosines(&self, feature: &[f32]) -> impl Iterator<Item = f32> {
        let length = norm(feature).max(SMALLEST_NORM);
        self.data.chunks_exact(self.width).zip(&self.norms).map(move |(center, &norm)| {
            (dot(feature, center) / (length * norm.max(SMALLEST_NORM))) as f32
        })
    }

    /// Mean over the patterns of the cosine of that pattern's channels, `[C]`; a pattern in which
    /// either side is zero counts 0.
    pub fn pattern_cosines(&self, feature: &[f32]) -> impl Iterator<Item = f32> {
        let group = self.width / self.patterns;
        let lengths: Vec<f64> =
            feature.chunks_exact(group).map(|part| norm(part).max(SMALLEST_NORM)).collect();
        let centers = self.data.chunks_exact(self.width);
        centers.zip(self.pattern_norms.chunks_exact(self.patterns)).map(move |(center, norms)| {
            let parts = feature.chunks_exact(group).zip(center.chunks_exact(group));
            let cosines = parts
                .zip(lengths.iter().zip(norms))
                .map(|((f, c), (length, norm))| dot(f, c) / (length * norm.max(SMALLEST_NORM)));
            (cosines.sum::<f64>() / self.patterns as f64) as f32
        })
    }

    /// Euclidean distance of `feature` to every center over all channels, `[C]`.
    pub fn euclidean(&self, feature: &[f32]) -> impl Iterator<Item = f32> {
        self.data.chunks_exact(self.width).map(move |center| distance(feature, center) as f32)
    }

    /// KL(softmax(center) ‖ softmax(feature)) over all channels, `[C]`, in nats.
    pub fn kl(&self, feature: &[f32]) -> impl Iterator<Item = f32> {
        let log_q: Vec<f32> = log_softmax(feature).collect();
        self.softmax.chunks_exact(self.width).zip(&self.negentropy).map(move |(p, negentropy)| {
            // rounding can leave the divergence of equal distributions a hair below zero
            (negentropy - dot(p, &log_q)).max(0.0) as f32
        })
    }
}
