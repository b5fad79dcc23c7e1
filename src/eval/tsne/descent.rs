//! Gradient descent on the divergence, with momentum and a gain for each coordinate.

use rayon::prelude::*;

use super::affinity::Affinities;
use super::repulsion::Repulsion;

/// Share of the last move that goes on.
const MOMENTUM: f32 = 0.8;
/// A gain grows by this while a coordinate keeps its direction …
const GAIN_STEP: f32 = 0.2;
/// … shrinks by this factor when it turns back …
const GAIN_DECAY: f32 = 0.8;
/// … and never falls below this.
const GAIN_FLOOR: f32 = 0.01;
/// No point moves further than this in one iteration.
const LONGEST_MOVE: f32 = 5.0;
/// Points of one task; sums run over tasks in their order, whatever the number of threads.
const POINTS: usize = 512;

/// A map that is being optimised.
pub(super) struct Descent {
    positions: Vec<[f32; 2]>,
    moves: Vec<[f32; 2]>,
    gains: Vec<[f32; 2]>,
    forces: Vec<[f32; 2]>,
    repulsion: Repulsion,
}

impl Descent {
    /// At rest, at these positions.
    pub(super) fn new(positions: Vec<[f32; 2]>) -> Self {
        let n = positions.len();
        Self {
            positions,
            moves: vec![[0.0; 2]; n],
            gains: vec![[1.0; 2]; n],
            forces: vec![[0.0; 2]; n],
            repulsion: Repulsion::default(),
        }
    }

    /// Where the points are.
    pub(super) fn positions(&self) -> &[[f32; 2]] {
        &self.positions
    }

    /// One iteration: attraction multiplied by `exaggeration`; the rate is `n / exaggeration`
    /// (A. C. Belkina et al., "Automated optimized parameters for t-SNE", 2019).
    pub(super) fn step(&mut self, affinities: &Affinities, exaggeration: f32) {
        let z = self.repulsion.evaluate(&self.positions, &mut self.forces);
        let rate = self.positions.len() as f32 / exaggeration;
        let repel = (1.0 / z) as f32;
        let (positions, forces) = (&self.positions, &self.forces);
        let tasks = self.moves.par_chunks_mut(POINTS).zip(self.gains.par_chunks_mut(POINTS));
        tasks.enumerate().for_each(|(task, (moves, gains))| {
            for (offset, (step, gain)) in moves.iter_mut().zip(gains).enumerate() {
                let i = task * POINTS + offset;
                let pull = attraction(positions, i, affinities.row(i));
                let gradient =
                    [0, 1].map(|axis| exaggeration * pull[axis] - repel * forces[i][axis]);
                *step = next_move(*step, gradient, gain, rate);
            }
        });
        self.advance();
    }

    /// Moves the points and puts their mean back to the origin.
    fn advance(&mut self) {
        let tasks = self.positions.par_chunks_mut(POINTS).zip(self.moves.par_chunks(POINTS));
        let sums: Vec<[f64; 2]> = tasks
            .map(|(positions, moves)| {
                let mut sum = [0.0; 2];
                for (position, step) in positions.iter_mut().zip(moves) {
                    for axis in 0..2 {
                        position[axis] += step[axis];
                        sum[axis] += f64::from(position[axis]);
                    }
                }
                sum
            })
            .collect();
        let n = self.positions.len() as f64;
        let mean = [0, 1].map(|axis| (sums.iter().map(|s| s[axis]).sum::<f64>() / n) as f32);
        self.positions.par_chunks_mut(POINTS).flatten().for_each(|position| {
            position[0] -= mean[0];
            position[1] -= mean[1];
        });
    }

    /// `KL(P‖Q) = Σ p·ln(p·Z/w)` of the map as it is.
    pub(super) fn divergence(&mut self, affinities: &Affinities) -> f64 {
        let ln_z = self.repulsion.evaluate(&self.positions, &mut self.forces).ln();
        let positions = &self.positions;
        let parts: Vec<f64> = (0..positions.len())
            .into_par_iter()
            .map(|i| {
                let terms = affinities.row(i).iter().filter(|entry| entry.1 > 0.0);
                let term = |&(j, p): &(u32, f32)| {
                    let [dx, dy] = difference(positions[i], positions[j as usize]).map(f64::from);
                    f64::from(p) * (f64::from(p).ln() + ln_z + (1.0 + dx * dx + dy * dy).ln())
                };
                terms.map(term).sum()
            })
            .collect();
        parts.iter().sum()
    }
}

fn difference(a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    [a[0] - b[0], a[1] - b[1]]
}

/// `Σ_j p_ij·(y_i − y_j)/(1 + |y_i − y_j|²)`.
#[inline]
fn attraction(positions: &[[f32; 2]], i: usize, row: &[(u32, f32)]) -> [f32; 2] {
    let at = positions[i];
    let mut pull = [0.0; 2];
    for &(j, p) in row {
        let [dx, dy] = difference(at, positions[j as usize]);
        let pw = p / (1.0 + dx * dx + dy * dy);
        pull[0] += pw * dx;
        pull[1] += pw * dy;
    }
    pull
}

/// The move that follows `last`, no longer than [`LONGEST_MOVE`].
#[inline]
fn next_move(last: [f32; 2], gradient: [f32; 2], gain: &mut [f32; 2], rate: f32) -> [f32; 2] {
    let mut next = [0.0; 2];
    for axis in 0..2 {
        // A move against the gradient keeps its direction.
        gain[axis] = if last[axis] * gradient[axis] > 0.0 {
            gain[axis] * GAIN_DECAY + GAIN_FLOOR
        } else {
            gain[axis] + GAIN_STEP
        };
        next[axis] = MOMENTUM * last[axis] - rate * gain[axis] * gradient[axis];
    }
    let length = next[0].hypot(next[1]);
    if length > LONGEST_MOVE { next.map(|x| x * (LONGEST_MOVE / length)) } else { next }
}
