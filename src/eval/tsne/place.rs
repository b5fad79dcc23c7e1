//! New points in an existing map.

use rayon::prelude::*;

use super::affinity::conditional_from_distances;
use super::fft::vectorized;
use super::neighbors::Neighbor;
use super::repulsion::repulsion_at;

/// Neighbours that a new point is held by, and the perplexity of its affinities: few, so that it
/// goes where its nearest are.
pub(super) const NEIGHBORS: usize = 15;
const PERPLEXITY: f64 = 5.0;
/// Steps of the descent, and halvings of one that went too far.
const STEPS: usize = 30;
const HALVINGS: usize = 12;
/// A step shorter than this ends the descent.
const SHORTEST: f32 = 1e-3;

/// A map whose points stay where they are.
pub(super) struct Fixed {
    xs: Vec<f32>,
    ys: Vec<f32>,
}

impl Fixed {
    pub(super) fn new(positions: &[[f32; 2]]) -> Self {
        let (xs, ys) = positions.iter().map(|p| (p[0], p[1])).unzip();
        Self { xs, ys }
    }

    /// Places each new point by its `k` nearest points of the map. The points do not see each
    /// other, so that each lands where it would alone.
    pub(super) fn place(&self, neighbors: &[Neighbor], k: usize) -> Vec<[f32; 2]> {
        neighbors.par_chunks(k).map(|row| self.place_one(row)).collect()
    }

    /// Descends `KL(P_i‖Q_i)` over the point's own position, from the weighted mean of its
    /// neighbours or from the nearest of them, whichever is better: the mean of neighbours in two
    /// clusters lies in the void between.
    fn place_one(&self, row: &[Neighbor]) -> [f32; 2] {
        let mut p = vec![0.0; row.len()];
        conditional_from_distances(row, PERPLEXITY.min(row.len() as f64), &mut p);
        let ties: Vec<([f32; 2], f32)> = row
            .iter()
            .zip(&p)
            .map(|(&(_, j), &p)| ([self.xs[j as usize], self.ys[j as usize]], p as f32))
            .collect();
        let mean =
            ties.iter().fold([0.0; 2], |sum, (at, p)| [sum[0] + p * at[0], sum[1] + p * at[1]]);
        let mut best = [mean, ties[0].0].map(|at| (self.analyse(at, &ties), at));
        best.sort_by(|a, b| a.0.divergence.total_cmp(&b.0.divergence));
        let [(mut here, mut at), _] = best;
        for _ in 0..STEPS {
            let Some(next) = self.descend(at, &here, &ties) else { break };
            (here, at) = next;
        }
        at
    }

    /// The next position on the way down, or nothing at the end of it.
    fn descend(
        &self,
        at: [f32; 2],
        here: &Outlook,
        ties: &[([f32; 2], f32)],
    ) -> Option<(Outlook, [f32; 2])> {
        let mut step = here.step;
        for _ in 0..HALVINGS {
            if step[0].hypot(step[1]) < SHORTEST {
                return None;
            }
            let next = [at[0] + step[0], at[1] + step[1]];
            let outlook = self.analyse(next, ties);
            if outlook.divergence < here.divergence {
                return Some((outlook, next));
            }
            step = step.map(|x| 0.5 * x);
        }
        None
    }

    /// The divergence at a position, up to a constant, and the step that minimises the parabola
    /// that touches the attraction's part from above.
    fn analyse(&self, at: [f32; 2], ties: &[([f32; 2], f32)]) -> Outlook {
        let (z, push) = vectorized(
            #[inline(always)]
            || repulsion_at(at, &self.xs, &self.ys),
        );
        let mut divergence = z.ln();
        let (mut pull, mut stiffness) = ([0.0; 2], 0.0);
        for &(to, p) in ties {
            let (dx, dy) = (at[0] - to[0], at[1] - to[1]);
            let square = dx * dx + dy * dy;
            divergence += f64::from(p) * f64::from(square).ln_1p();
            let pw = p / (1.0 + square);
            stiffness += pw;
            pull = [pull[0] + pw * dx, pull[1] + pw * dy];
        }
        let repel = (1.0 / z) as f32;
        let step = [0, 1].map(|axis| (repel * push[axis] - pull[axis]) / stiffness);
        Outlook { divergence, step }
    }
}

struct Outlook {
    divergence: f64,
    step: [f32; 2],
}
