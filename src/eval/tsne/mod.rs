//! t-SNE, made for a live map: prepared once, then advanced a few iterations at a time.
//!
//! L. van der Maaten and G. Hinton, "Visualizing Data using t-SNE", 2008, with what has become
//! custom since: a start on the principal components, early exaggeration with the rate
//! `n / exaggeration`, nearest neighbours only. Neighbours are exact, and the repulsion is a
//! convolution on a grid (see `grid.rs`). Equal input gives equal maps, bit for bit, whatever the
//! number of threads.
//!
//! ```
//! use std::ops::ControlFlow;
//! use tagood_lens::eval::tsne::{Tsne, TsneConfig};
//!
//! let features: Vec<f32> = (0..200 * 3).map(|i| (i * i % 89) as f32).collect();
//! let config = TsneConfig { perplexity: 10.0, iterations: 60, ..TsneConfig::default() };
//! let mut tsne = Tsne::new(&features, 200, 3, &config, &|_| ControlFlow::Continue(()))?;
//! while !tsne.is_done() {
//!     let frame: &[[f32; 2]] = tsne.step(20);
//!     assert_eq!(frame.len(), 200);
//! }
//! println!("KL divergence {:.3}", tsne.kl());
//! # Ok::<(), tagood_lens::eval::tsne::TsneError>(())
//! ```

mod affinity;
mod descent;
mod features;
mod fft;
mod grid;
mod init;
mod kernel;
mod neighbors;
mod place;
mod repulsion;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

use rayon::prelude::*;

use affinity::Affinities;
use descent::Descent;
use features::Centered;
use neighbors::{Neighbor, PointMatrix};

/// How to make a map.
#[derive(Clone, Debug, PartialEq)]
pub struct TsneConfig {
    /// How many neighbours count for a point, in effect. At least 1; 5 to 50 is usual. Reduced
    /// where there are too few points (see [`Tsne::perplexity`]).
    pub perplexity: f64,
    /// Iterations in all, those with exaggeration included.
    pub iterations: usize,
    /// Seed of the noise that parts equal points at the start, and of the search for the principal
    /// components.
    pub seed: u64,
    /// Factor on the attraction in the first iterations, which lets clusters form.
    pub exaggeration: f32,
    /// How many iterations exaggerate; never more than a third of all.
    pub exaggerated_iterations: usize,
}

impl Default for TsneConfig {
    fn default() -> Self {
        Self {
            perplexity: 30.0,
            iterations: 1000,
            seed: 7,
            exaggeration: 12.0,
            exaggerated_iterations: 250,
        }
    }
}

/// Why there is no map.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum TsneError {
    /// The slice's length is not points × dimensions, or there are points without dimensions.
    #[error("{values} values are not {points} points of {dimensions} dimensions")]
    Shape { values: usize, points: usize, dimensions: usize },
    /// A feature is NaN or infinite.
    #[error("feature {dimension} of point {point} is {value}, not a finite number")]
    NotFinite { point: usize, dimension: usize, value: f32 },
    /// The perplexity is no number from 1 up, or the exaggeration is not above 0.
    #[error("{name} is {value}; it must be a finite number, {least} or more")]
    Setting { name: &'static str, value: f64, least: f64 },
    /// Points cannot be placed into a map that has none.
    #[error("the map has no points, so that none can be placed by its neighbours")]
    EmptyMap,
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

/// How far the preparation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TsneProgress {
    /// Points whose neighbours are found.
    pub done: usize,
    /// All points.
    pub total: usize,
}

/// Told of progress from any thread, now and then; `Break` cancels.
pub type TsneWatch<'a> = &'a (dyn Fn(TsneProgress) -> ControlFlow<()> + Sync);

/// A map in the making.
pub struct Tsne {
    config: TsneConfig,
    perplexity: f64,
    features: Option<Centered>,
    affinities: Affinities,
    descent: Descent,
    iteration: usize,
    /// Whether all points are one, which stays where it is.
    is_one_point: bool,
}

impl Tsne {
    /// Finds the neighbours and affinities of `features` `[n, d]`, row by row, and puts the points
    /// at their start. Where all are one point, but for the noise of computing them, the map is one
    /// spot.
    ///
    /// # Errors
    ///
    /// A wrong shape, a value that is not finite, a setting out of range, or a cancel.
    pub fn new(
        features: &[f32],
        n: usize,
        d: usize,
        config: &TsneConfig,
        watch: TsneWatch<'_>,
    ) -> Result<Self, TsneError> {
        check_setting("the perplexity", config.perplexity, 1.0)?;
        check_setting("the exaggeration", config.exaggeration.into(), 1.0)?;
        check_features(features, n, d)?;
        let perplexity = perplexity_for(config.perplexity, n);
        let mut tsne = Self {
            config: config.clone(),
            perplexity,
            features: None,
            affinities: Affinities::new(&[], 0, perplexity),
            descent: Descent::new(Vec::new()),
            iteration: 0,
            is_one_point: false,
        };
        if n == 0 {
            return Ok(tsne);
        }
        let centered = Centered::new(features, d);
        let k = ((3.0 * perplexity) as usize).clamp(1, n).min(n - 1);
        let neighbors = nearest(&centered, &centered.values, k, true, watch)?;
        tsne.affinities = match k {
            0 => Affinities::new(&[(0.0, 0)], 0, perplexity),
            _ => Affinities::new(&neighbors, k, perplexity),
        };
        tsne.is_one_point = n > 1 && features::are_one_point(features, d);
        tsne.descent = Descent::new(match tsne.is_one_point {
            true => vec![[0.0; 2]; n],
            false => init::positions(&centered.values, d, config.seed),
        });
        tsne.features = Some(centered);
        Ok(tsne)
    }

    /// Runs up to `iterations` more, fewer where the configured number is reached, and returns the
    /// positions.
    pub fn step(&mut self, iterations: usize) -> &[[f32; 2]] {
        let left = self.config.iterations.saturating_sub(self.iteration);
        let exaggerated = self.config.exaggerated_iterations.min(self.config.iterations / 3);
        if self.is_one_point {
            self.iteration += iterations.min(left);
            return self.positions();
        }
        for _ in 0..iterations.min(left) {
            let early = self.iteration < exaggerated;
            let exaggeration = if early { self.config.exaggeration } else { 1.0 };
            self.descent.step(&self.affinities, exaggeration);
            self.iteration += 1;
        }
        self.positions()
    }

    /// Where each point is.
    pub fn positions(&self) -> &[[f32; 2]] {
        self.descent.positions()
    }

    /// Iterations done.
    pub fn iteration(&self) -> usize {
        self.iteration
    }

    /// Whether all iterations are done.
    pub fn is_done(&self) -> bool {
        self.iteration >= self.config.iterations
    }

    /// Goes on for `iterations` more than configured.
    pub fn extend(&mut self, iterations: usize) {
        self.config.iterations += iterations;
    }

    /// The perplexity in force: the configured one, or less where there are not three times as many
    /// other points.
    pub fn perplexity(&self) -> f64 {
        self.perplexity
    }

    /// The Kullback-Leibler divergence of the map as it is, in nats, without exaggeration. It costs
    /// about as much as an iteration.
    pub fn kl(&mut self) -> f64 {
        if self.positions().len() < 2 || self.is_one_point {
            return 0.0;
        }
        self.descent.divergence(&self.affinities)
    }

    /// Positions for new points `[m, d]` in the map as it is, which stays so. Each is placed by
    /// its nearest neighbours among the map's points, as if it were the only new one.
    ///
    /// # Errors
    ///
    /// A wrong shape, a value that is not finite, or a map without points.
    pub fn place(&self, features: &[f32]) -> Result<Vec<[f32; 2]>, TsneError> {
        let Some(map) = &self.features else { return Err(TsneError::EmptyMap) };
        check_features(features, features.len() / map.d, map.d)?;
        let k = place::NEIGHBORS.min(self.positions().len());
        let moved = map.moved(features);
        let neighbors = nearest(map, &moved, k, false, &|_| ControlFlow::Continue(()))?;
        Ok(place::Fixed::new(self.positions()).place(&neighbors, k))
    }
}

/// A third of the other points at most, but two where there are two: with fewer, a point of a tiny
/// set would be tied to one other only.
fn perplexity_for(wanted: f64, n: usize) -> f64 {
    let others = n.saturating_sub(1) as f64;
    wanted.min((others / 3.0).max(others.min(2.0))).max(1.0)
}

fn nearest(
    points: &Centered,
    queries: &[f32],
    k: usize,
    among_themselves: bool,
    watch: TsneWatch<'_>,
) -> Result<Vec<Neighbor>, TsneError> {
    let total = queries.len() / points.d;
    let go_on = |done| watch(TsneProgress { done, total }).is_continue();
    PointMatrix { values: &points.values, d: points.d }
        .nearest(queries, k, among_themselves, &go_on)
        .ok_or(TsneError::Cancelled)
}

fn check_setting(name: &'static str, value: f64, least: f64) -> Result<(), TsneError> {
    if value.is_finite() && value >= least {
        Ok(())
    } else {
        Err(TsneError::Setting { name, value, least })
    }
}

fn check_features(features: &[f32], points: usize, dimensions: usize) -> Result<(), TsneError> {
    let values = features.len();
    if points.checked_mul(dimensions) != Some(values) || (points > 0 && dimensions == 0) {
        return Err(TsneError::Shape { values, points, dimensions });
    }
    match features.par_iter().position_first(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(TsneError::NotFinite {
            point: at / dimensions,
            dimension: at % dimensions,
            value: features[at],
        }),
    }
}
