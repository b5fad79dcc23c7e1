use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;

const GO_ON: TsneWatch<'static> = &|_| ControlFlow::Continue(());

/// `n` points in `clusters` clusters; `scripts/tsne_reference.py` makes the same ones.
fn clustered(n: usize, d: usize, clusters: usize) -> (Vec<f32>, Vec<usize>) {
    let mut state = 1_u64;
    let mut uniform = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut bell = move || uniform() + uniform() + uniform() + uniform() - 2.0;
    let centers: Vec<f64> = (0..clusters * d).map(|_| 2.0 * bell()).collect();
    let labels: Vec<usize> = (0..n).map(|i| i % clusters).collect();
    let mut x = Vec::new();
    for label in &labels {
        x.extend((0..d).map(|j| (centers[label * d + j] + bell()) as f32));
    }
    (x, labels)
}

fn map(x: &[f32], n: usize, iterations: usize) -> Tsne {
    let config = TsneConfig { iterations, ..TsneConfig::default() };
    let mut tsne = Tsne::new(x, n, x.len() / n, &config, GO_ON).unwrap();
    tsne.step(iterations);
    tsne
}

fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// All squared distances of points given row by row.
fn distances(points: &[f32], d: usize) -> Vec<Vec<f64>> {
    let points: Vec<f64> = points.iter().map(|&x| f64::from(x)).collect();
    let rows: Vec<&[f64]> = points.chunks(d).collect();
    rows.iter().map(|a| rows.iter().map(|b| squared(a, b)).collect()).collect()
}

/// The divergence by its definition, with affinities between all points.
fn dense_kl(x: &[Vec<f64>], y: &[Vec<f64>], perplexity: f64) -> f64 {
    let n = x.len();
    let mut p = vec![vec![0.0; n]; n];
    for i in 0..n {
        let (mut low, mut high) = (0.0, 1e6);
        for _ in 0..200 {
            let beta = 0.5 * (low + high);
            let weight = |j: usize| if i == j { 0.0 } else { (-beta * x[i][j]).exp() };
            let sum: f64 = (0..n).map(weight).sum();
            (0..n).for_each(|j| p[i][j] = weight(j) / sum);
            let entropy: f64 = p[i].iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum();
            // Too steep a kernel leaves no weight at all.
            if entropy > perplexity.ln() { low = beta } else { high = beta }
        }
    }
    let w = |i: usize, j: usize| 1.0 / (1.0 + y[i][j]);
    let pairs = || (0..n).flat_map(|i| (0..n).filter(move |&j| j != i).map(move |j| (i, j)));
    let z: f64 = pairs().map(|(i, j)| w(i, j)).sum();
    let joint = |i: usize, j: usize| (p[i][j] + p[j][i]) / (2 * n) as f64;
    pairs()
        .map(|(i, j)| (joint(i, j), w(i, j) / z))
        .filter(|(p, _)| *p > 0.0)
        .map(|(p, q)| p * (p / q).ln())
        .sum()
}

/// J. Venna and S. Kaski, 2001: 1 where the map's `k` nearest are nearest in the data too.
fn trustworthiness(x: &[Vec<f64>], y: &[Vec<f64>], k: usize) -> f64 {
    let n = x.len();
    let order = |row: &[f64], i: usize| {
        let mut others: Vec<usize> = (0..n).filter(|&j| j != i).collect();
        others.sort_by(|&a, &b| row[a].total_cmp(&row[b]));
        others
    };
    let mut penalty = 0;
    for i in 0..n {
        let mut rank = vec![0; n];
        order(&x[i], i).into_iter().enumerate().for_each(|(at, j)| rank[j] = at + 1);
        penalty += order(&y[i], i)[..k].iter().map(|&j| rank[j].saturating_sub(k)).sum::<usize>();
    }
    1.0 - 2.0 * penalty as f64 / (n * k * (2 * n - 3 * k - 1)) as f64
}

/// openTSNE 1.0.4 on the same points, as `scripts/tsne_reference.py` prints it.
const OPENTSNE_KL: f64 = 0.7441;
const OPENTSNE_TRUSTWORTHINESS: f64 = 0.9834;

#[test]
fn as_good_a_map_as_opentsne_makes() {
    let (x, _) = clustered(1000, 20, 10);
    let mut tsne = map(&x, 1000, 1000);
    let (near, placed) = (distances(&x, 20), distances(tsne.positions().as_flattened(), 2));
    let kl = dense_kl(&near, &placed, 30.0);
    let trust = trustworthiness(&near, &placed, 12);
    assert!(kl < 1.03 * OPENTSNE_KL, "KL {kl}");
    assert!(trust > OPENTSNE_TRUSTWORTHINESS - 0.01, "trustworthiness {trust}");
    // Our own number leaves out pairs that are no neighbours, which changes it little.
    assert!((tsne.kl() / kl - 1.0).abs() < 0.1, "{} and {kl}", tsne.kl());
}

#[test]
fn the_divergence_falls() {
    let (x, _) = clustered(700, 12, 7);
    let config = TsneConfig { iterations: 600, ..TsneConfig::default() };
    let mut tsne = Tsne::new(&x, 700, 12, &config, GO_ON).unwrap();
    let start = tsne.kl();
    tsne.step(250);
    let middle = tsne.kl();
    tsne.step(350);
    let end = tsne.kl();
    assert!(end < 0.9 * middle && middle < start, "{start} → {middle} → {end}");
}

#[test]
fn equal_whatever_the_threads_and_the_stride() {
    // More than are computed by all pairs.
    let (x, _) = clustered(3200, 9, 6);
    let run = |threads: usize, stride: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let config = TsneConfig { iterations: 60, ..TsneConfig::default() };
            let mut tsne = Tsne::new(&x, 3200, 9, &config, GO_ON).unwrap();
            while !tsne.is_done() {
                tsne.step(stride);
            }
            (tsne.kl().to_bits(), tsne.positions().to_vec())
        })
    };
    let one = run(1, 60);
    assert_eq!(one, run(3, 7));
    assert_eq!(one, run(2, 50));
}

#[test]
fn clusters_come_apart_and_new_points_land_in_theirs() {
    let (x, labels) = clustered(640, 16, 5);
    let tsne = map(&x[..600 * 16], 600, 500);
    let y = tsne.positions();
    let nearest = |at: [f32; 2], skip: usize| {
        let far = |i: &usize| (y[*i][0] - at[0]).hypot(y[*i][1] - at[1]);
        (0..600).filter(|i| *i != skip).min_by(|a, b| far(a).total_cmp(&far(b))).unwrap()
    };
    let right = (0..600).filter(|&i| labels[nearest(y[i], i)] == labels[i]).count();
    assert!(right > 590, "{right} of 600 have their nearest in their cluster");
    let placed = tsne.place(&x[600 * 16..]).unwrap();
    let right = (0..40).filter(|&i| labels[nearest(placed[i], 600)] == labels[600 + i]).count();
    assert!(right >= 39, "{right} of 40 land in their cluster");
    // Each as if it were alone, and the map stays.
    assert_eq!(tsne.place(&x[600 * 16..601 * 16]).unwrap(), placed[..1]);
}

#[test]
fn a_known_point_is_placed_beside_itself() {
    let (x, _) = clustered(600, 16, 5);
    let tsne = map(&x, 600, 400);
    let placed = tsne.place(&x).unwrap();
    let mut apart: Vec<f32> = placed
        .iter()
        .zip(tsne.positions())
        .map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1]))
        .collect();
    apart.sort_by(f32::total_cmp);
    let width = tsne.positions().iter().flatten().fold(0.0, |w: f32, c| w.max(c.abs()));
    assert!(apart[300] < 0.05 * width, "median {} in a map of half-width {width}", apart[300]);
}

#[test]
fn cancelled_in_the_search() {
    let (x, _) = clustered(2000, 8, 4);
    let calls = AtomicUsize::new(0);
    let cancel = |_| match calls.fetch_add(1, Ordering::Relaxed) {
        0 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    };
    let made = Tsne::new(&x, 2000, 8, &TsneConfig::default(), &cancel);
    assert_eq!(made.err(), Some(TsneError::Cancelled));
    assert!(calls.load(Ordering::Relaxed) < 2000 / 128, "it went on after the cancel");
}

#[test]
fn bad_input_is_named() {
    let config = TsneConfig::default();
    fn error(x: &[f32], n: usize, d: usize, config: &TsneConfig) -> TsneError {
        Tsne::new(x, n, d, config, GO_ON).err().unwrap()
    }
    let mut x = vec![0.5; 12];
    x[7] = f32::NAN;
    assert!(matches!(
        error(&x, 4, 3, &config),
        TsneError::NotFinite { point: 2, dimension: 1, .. }
    ));
    assert_eq!(error(&x, 4, 4, &config), TsneError::Shape { values: 12, points: 4, dimensions: 4 });
    assert!(matches!(error(&[], 3, 0, &config), TsneError::Shape { .. }));
    for perplexity in [0.5, f64::NAN, f64::INFINITY] {
        let config = TsneConfig { perplexity, ..TsneConfig::default() };
        assert!(matches!(error(&[0.0; 9], 3, 3, &config), TsneError::Setting { .. }));
    }
    let tsne = map(&[0.0, 1.0, 2.0], 3, 10);
    assert!(matches!(tsne.place(&[f32::INFINITY]), Err(TsneError::NotFinite { .. })));
    let empty = Tsne::new(&[], 0, 5, &config, GO_ON).unwrap();
    assert_eq!(empty.place(&[1.0]), Err(TsneError::EmptyMap));
}

#[test]
fn the_perplexity_is_reduced_for_few_points() {
    assert_eq!(map(&clustered(31, 4, 2).0, 31, 5).perplexity(), 10.0);
    assert_eq!(map(&clustered(91, 4, 2).0, 91, 5).perplexity(), 30.0);
    assert_eq!(
        [0, 1, 2, 3, 4, 10].map(|n| perplexity_for(30.0, n)),
        [1.0, 1.0, 1.0, 2.0, 2.0, 3.0]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    /// Whatever the points (few, equal, huge, tiny), positions are finite and the mean is 0.
    #[test]
    fn tiny_sets_make_finite_maps(
        n in 0_usize..14,
        d in 1_usize..5,
        values in prop::collection::vec(
            prop_oneof![Just(0.0_f32), Just(1.0), -1.0_f32..1.0, -3e38_f32..3e38, -1e-30_f32..1e-30],
            14 * 5,
        ),
        perplexity in 1.0_f64..50.0,
    ) {
        let config = TsneConfig { perplexity, iterations: 90, ..TsneConfig::default() };
        let mut tsne = Tsne::new(&values[..n * d], n, d, &config, GO_ON).unwrap();
        let y = tsne.step(90).to_vec();
        prop_assert_eq!(y.len(), n);
        prop_assert!(y.iter().flatten().all(|c| c.is_finite()), "{:?}", y);
        prop_assert!(tsne.kl().is_finite());
        for axis in 0..2 {
            let mean = y.iter().map(|p| p[axis]).sum::<f32>() / n.max(1) as f32;
            prop_assert!(mean.abs() < 1e-2 * y.iter().fold(1.0, |w: f32, p| w.max(p[axis].abs())));
        }
        if n > 0 {
            let placed = tsne.place(&values[..2 * d]).unwrap();
            prop_assert!(placed.iter().flatten().all(|c| c.is_finite()), "{:?}", placed);
        }
    }
}

#[test]
fn many_equal_points_make_a_map() {
    let mut x = clustered(900, 6, 3).0;
    x[..600 * 6].fill(0.25);
    let mut tsne = map(&x, 900, 300);
    assert!(tsne.positions().iter().flatten().all(|c| c.is_finite()));
    assert!(tsne.kl().is_finite());
}

#[test]
fn points_that_differ_by_noise_alone_are_one_spot() {
    let (n, d) = (16, 8);
    let noisy = |noise: f32| -> Vec<f32> {
        (0..n * d).map(|i| (i % d) as f32 + noise * ((i * 7 % 11) as f32 - 5.0)).collect()
    };
    let spread = |features: &[f32]| {
        let mut tsne =
            Tsne::new(features, n, d, &TsneConfig::default(), &|_| ControlFlow::Continue(()))
                .unwrap();
        while !tsne.is_done() {
            tsne.step(100);
        }
        assert!(tsne.kl().is_finite());
        let x: Vec<f32> = tsne.positions().iter().map(|at| at[0]).collect();
        x.iter().copied().fold(f32::MIN, f32::max) - x.iter().copied().fold(f32::MAX, f32::min)
    };
    for noise in [0.0, 1e-11, 1e-7] {
        assert_eq!(spread(&noisy(noise)), 0.0, "{noise}");
    }
    assert!(spread(&noisy(1e-3)) > 1.0);
    // A large constant beside them hides no structure.
    let beside: Vec<f32> =
        noisy(1e-3).chunks(d).flat_map(|row| [&row[..4], &[1e8; 4][..]].concat()).collect();
    assert!(spread(&beside) > 1.0);
}
