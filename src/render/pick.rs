//! Which point is under the pointer, and which are inside a lasso.

/// How many points a cell of the index holds on average.
const PER_CELL: usize = 4;

/// A grid over positions in data space that finds the nearest one without looking at all.
#[derive(Clone, Debug)]
pub struct Picker {
    positions: std::sync::Arc<[[f32; 2]]>,
    min: [f32; 2],
    cell: [f32; 2],
    size: [usize; 2],
    /// Where each cell's points begin in `members`, and after the last cell their number.
    starts: Vec<u32>,
    members: Vec<u32>,
}

impl Picker {
    /// Indexes `[points]` positions in linear time; those that are not finite are never found.
    pub fn new(positions: std::sync::Arc<[[f32; 2]]>) -> Self {
        let finite = |at: &[f32; 2]| at.iter().all(|side| side.is_finite());
        let (mut min, mut max) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
        for at in positions.iter().filter(|at| finite(at)) {
            for axis in 0..2 {
                min[axis] = min[axis].min(at[axis]);
                max[axis] = max[axis].max(at[axis]);
            }
        }
        let side = (positions.len() / PER_CELL).isqrt().clamp(1, 2048);
        let size = [side; 2];
        let cell = [0, 1].map(|axis| {
            let extent = (max[axis] - min[axis]) / side as f32;
            if extent.is_finite() && extent > 0.0 { extent } else { 1.0 }
        });
        let mut picker =
            Self { positions, min, cell, size, starts: vec![0; side * side + 1], members: vec![] };
        picker.fill();
        picker
    }

    /// Counting sort of the points by cell.
    fn fill(&mut self) {
        let cells: Vec<Option<usize>> =
            self.positions.iter().map(|&at| self.cell_of(at).map(|at| self.index(at))).collect();
        for cell in cells.iter().flatten() {
            self.starts[cell + 1] += 1;
        }
        for cell in 1..self.starts.len() {
            self.starts[cell] += self.starts[cell - 1];
        }
        let mut next = self.starts.clone();
        self.members = vec![0; cells.iter().flatten().count()];
        for (point, cell) in (0u32..).zip(&cells) {
            if let Some(cell) = *cell {
                self.members[next[cell] as usize] = point;
                next[cell] += 1;
            }
        }
    }

    fn index(&self, [column, row]: [usize; 2]) -> usize {
        row * self.size[0] + column
    }

    /// The cell of a finite position, the nearest one for positions outside.
    fn cell_of(&self, at: [f32; 2]) -> Option<[usize; 2]> {
        at.iter().all(|side| side.is_finite()).then(|| {
            std::array::from_fn(|axis| {
                let cells = (at[axis] - self.min[axis]) / self.cell[axis];
                (cells.max(0.0) as usize).min(self.size[axis] - 1)
            })
        })
    }

    fn members(&self, cell: [usize; 2]) -> &[u32] {
        let cell = self.index(cell);
        &self.members[self.starts[cell] as usize..self.starts[cell + 1] as usize]
    }

    /// The point nearest to `at` and no farther than `reach`, all in data space.
    pub fn nearest(&self, at: [f32; 2], reach: f32) -> Option<usize> {
        let low = self.cell_of(at.map(|side| side - reach))?;
        let high = self.cell_of(at.map(|side| side + reach))?;
        let home = self.cell_of(at)?;
        let mut best: Option<(f32, u32)> = None;
        // Rings of cells around the pointer, until no cell can hold a nearer point.
        for ring in 0..self.size[0].max(self.size[1]) {
            let closest = ring.saturating_sub(1) as f32 * self.cell[0].min(self.cell[1]);
            let found = best.map_or(f32::INFINITY, |(squared, _)| squared.sqrt());
            if closest > reach.min(found) {
                break;
            }
            for cell in ring_cells(home, ring, low, high) {
                for &point in self.members(cell) {
                    let [x, y] = self.positions[point as usize];
                    let squared = (x - at[0]).powi(2) + (y - at[1]).powi(2);
                    let nearer = best.is_none_or(|(least, _)| squared < least);
                    if squared <= reach * reach && nearer {
                        best = Some((squared, point));
                    }
                }
            }
        }
        best.map(|(_, point)| point as usize)
    }

    /// The points inside a closed outline in data space (even-odd rule), ascending.
    pub fn inside(&self, lasso: &[[f32; 2]]) -> Vec<usize> {
        let bound = |pick: fn(f32, f32) -> f32, from: f32| {
            [0, 1].map(|axis| lasso.iter().map(|at| at[axis]).fold(from, pick))
        };
        let min = bound(f32::min, f32::INFINITY);
        let max = bound(f32::max, f32::NEG_INFINITY);
        let (Some(low), Some(high)) = (self.cell_of(min), self.cell_of(max)) else {
            return Vec::new();
        };
        let rows = low[1]..=high[1];
        let cells = rows.flat_map(|row| (low[0]..=high[0]).map(move |column| [column, row]));
        let candidates = cells.flat_map(|cell| self.members(cell).iter());
        let mut inside: Vec<usize> = candidates
            .map(|&point| point as usize)
            .filter(|&point| inside_lasso(lasso, self.positions[point]))
            .collect();
        inside.sort_unstable();
        inside
    }
}

/// The cells at Chebyshev distance `ring` from `home` that lie within `low..=high`.
fn ring_cells(
    home: [usize; 2],
    ring: usize,
    low: [usize; 2],
    high: [usize; 2],
) -> impl Iterator<Item = [usize; 2]> {
    let first = [0, 1].map(|axis| home[axis].saturating_sub(ring).max(low[axis]));
    let last = [0, 1].map(|axis| (home[axis] + ring).min(high[axis]));
    let cells = (first[1]..=last[1])
        .flat_map(move |row| (first[0]..=last[0]).map(move |column| [column, row]));
    cells.filter(move |cell| (0..2).map(|axis| cell[axis].abs_diff(home[axis])).max() == Some(ring))
}

/// Whether a position lies inside a closed outline, by the even-odd rule.
pub fn inside_lasso(lasso: &[[f32; 2]], [x, y]: [f32; 2]) -> bool {
    let ends = lasso.iter().zip(lasso.iter().cycle().skip(1));
    let crossings = ends.filter(|(from, to)| {
        let spans = (from[1] > y) != (to[1] > y);
        spans && x < from[0] + (y - from[1]) / (to[1] - from[1]) * (to[0] - from[0])
    });
    crossings.count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn scattered(count: usize) -> Arc<[[f32; 2]]> {
        let mut dice = ChaCha8Rng::seed_from_u64(7);
        // Much wider than high, and dense in one corner.
        let point = |i: usize| if i.is_multiple_of(3) { [40.0, 1.0] } else { [900.0, 20.0] };
        (0..count).map(|i| point(i).map(|side| dice.random_range(-1.0..1.0) * side)).collect()
    }

    #[test]
    fn the_nearest_point_is_the_one_that_a_full_search_finds() {
        let positions = scattered(3000);
        let picker = Picker::new(Arc::clone(&positions));
        for at in scattered(300).iter().map(|[x, y]| [x * 1.1, y * 1.2]) {
            for reach in [0.5, 5.0, 60.0] {
                let squared = |i: &usize| {
                    (positions[*i][0] - at[0]).powi(2) + (positions[*i][1] - at[1]).powi(2)
                };
                let expected = (0..positions.len())
                    .filter(|i| squared(i) <= reach * reach)
                    .min_by(|a, b| squared(a).total_cmp(&squared(b)));
                assert_eq!(picker.nearest(at, reach), expected, "{at:?} {reach}");
            }
        }
    }

    #[test]
    fn a_lasso_holds_what_lies_inside() {
        let positions = scattered(2000);
        let picker = Picker::new(Arc::clone(&positions));
        // An arrowhead: not convex.
        let lasso = [[-300.0, -15.0], [500.0, 0.0], [-300.0, 15.0], [0.0, 0.0]];
        let expected: Vec<usize> =
            (0..positions.len()).filter(|&i| inside_lasso(&lasso, positions[i])).collect();
        assert!(!expected.is_empty());
        assert_eq!(picker.inside(&lasso), expected);
        assert!(inside_lasso(&lasso, [100.0, 1.0]));
        assert!(!inside_lasso(&lasso, [-100.0, 0.0]));
    }

    #[test]
    fn strange_positions_do_no_harm() {
        let none = Picker::new(Arc::from([]));
        assert_eq!(none.nearest([0.0, 0.0], 1.0), None);
        assert!(none.inside(&[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]).is_empty());
        let odd = Picker::new(Arc::from([[f32::NAN, 0.0], [2.0, 3.0], [f32::INFINITY, 1.0]]));
        assert_eq!(odd.nearest([2.0, 3.0], 0.0), Some(1));
        assert_eq!(odd.nearest([f32::NAN, 3.0], 1.0), None);
        assert!(odd.inside(&[]).is_empty());
        let same = Picker::new(vec![[1.0, 1.0]; 100].into());
        assert_eq!(same.nearest([1.5, 1.0], 1.0), Some(0));
    }
}
