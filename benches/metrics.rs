//! Metrics over a million scores: ranking, every metric, one threshold, one bootstrap resample.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tagood_lens::eval::metrics::{Convention, RankedScores};

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

criterion_group!(benches, million_scores);
criterion_main!(benches);
