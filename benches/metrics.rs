//! Metrics over a million scores: ranking, every metric, one threshold, one bootstrap resample. And
//! what the window does with 100,000 scores while λ is dragged.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tagood_lens::bundle::manifest::Recipe;
use tagood_lens::eval::metrics::{Convention, RankedScores};
use tagood_lens::pipeline::Settings;
use tagood_lens::score::verdict::Score;
use tagood_lens::session::curves::Measured;
use tagood_lens::session::images::SetResults;
use tagood_lens::session::sets::{ImageSet, Role};
use tagood_lens::worker::ImageId;

const SCORES_PER_CLASS: usize = 500_000;

fn scores(mean: f64, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // A sum of uniform numbers is near enough to normal here.
    let spread = |rng: &mut ChaCha8Rng| (0..4).map(|_| rng.random::<f64>()).sum::<f64>() - 2.0;
    (0..SCORES_PER_CLASS).map(|_| mean + spread(&mut rng)).collect()
}

fn ranked(id: &[f64], ood: &[f64]) -> RankedScores {
    RankedScores::from_sets(id.iter().copied(), ood.iter().copied())
        .unwrap_or_else(|error| unreachable!("the scores are numbers: {error}"))
}

fn million_scores(criterion: &mut Criterion) {
    let (id, ood) = (scores(0.5, 1), scores(0.0, 2));
    let ready = ranked(&id, &ood);
    let mut group = criterion.benchmark_group("metrics of 1e6 scores");
    group.sample_size(10);
    group.bench_function("rank", |b| b.iter(|| ranked(black_box(&id), black_box(&ood))));
    group.bench_function("every metric", |b| b.iter(|| black_box(&ready).metrics()));
    group.bench_function("whole ROC", |b| {
        b.iter(|| black_box(&ready).roc(Convention::IdPositive));
    });
    let roc = ready.roc(Convention::IdPositive);
    group.bench_function("ROC thinned to 500 points", |b| b.iter(|| black_box(&roc).thinned(500)));
    group.bench_function("counts at λ", |b| b.iter(|| ready.counts_at(black_box(0.25))));
    group.bench_function("8 bootstrap resamples", |b| b.iter(|| ready.bootstrap(8, 7)));
    group.finish();
}

/// What a drag of λ costs for each frame with 100,000 images open, and what a change of scores costs
/// off the window's thread.
fn tuning(criterion: &mut Criterion) {
    const IMAGES: usize = 100_000;
    let sets = || {
        let set = |name: &str, role, mean: f64, images: usize| {
            let scores = scores(mean, images as u64).into_iter().take(images);
            let score = |score: f64| (Score::of(score as f32), ImageId::unique());
            let scores = scores.map(score).collect();
            let set = ImageSet { name: name.into(), folder: None, role };
            (set, SetResults { scores, ..SetResults::default() })
        };
        vec![
            set("id", Role::Id, 0.5, IMAGES / 2),
            set("near", Role::Ood, 0.2, IMAGES / 4),
            set("far", Role::Ood, 0.0, IMAGES / 4),
        ]
    };
    let settings = || Settings::new(0.5, Recipe::Paper);
    let measured = Measured::of(1, settings(), sets());
    let mut group = criterion.benchmark_group("tuning with 1e5 scores");
    group.sample_size(10);
    let mut lambda = 0.0f32;
    group.bench_function("counts at a dragged λ", |b| {
        b.iter(|| {
            lambda = (lambda + 0.001) % 1.0;
            measured.counts_at(black_box(lambda))
        });
    });
    group.bench_function("wrong images at a dragged λ", |b| {
        b.iter(|| -> usize {
            lambda = (lambda + 0.001) % 1.0;
            measured.sets.iter().map(|set| set.wrong(lambda).len()).sum()
        });
    });
    group.bench_function("sort, compare, draw curves", |b| {
        b.iter_batched(sets, |sets| Measured::of(1, settings(), sets), BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, million_scores, tuning);
criterion_main!(benches);
