//! Where an image's time goes: Swin, tag decoder, the live part.
//!
//! `cargo bench --profile dev --bench network` measures the embedded model's shape; with
//! `TAGOOD_BENCH_FULL=1` also Swin-L at 384 pixels with 4,585 tags (random weights, 3 GB).

use burn::tensor::{Device, Distribution, Tensor};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tagood_lens::demo::train::tagger_config;
use tagood_lens::nn::ram::{Ram, RamConfig};
use tagood_lens::nn::swin::SwinConfig;
use tagood_lens::nn::tag_decoder::TagDecoderConfig;
use tagood_lens::nn::weights::WeightLoader;

fn swin_l_384() -> RamConfig {
    RamConfig {
        swin: SwinConfig {
            image: 384,
            patch: 4,
            embed: 192,
            depths: vec![2, 2, 18, 2],
            heads: vec![6, 12, 24, 48],
            window: 12,
            mlp_ratio: 4,
        },
        decoder: TagDecoderConfig { width: 768, heads: 4, hidden: 3072, layers: 2 },
        joint: 512,
        tags: 4585,
        descriptions: 1,
    }
}

fn network(criterion: &mut Criterion) {
    let mut sizes = vec![("demo", tagger_config())];
    if std::env::var_os("TAGOOD_BENCH_FULL").is_some() {
        sizes.push(("swin_l_384", swin_l_384()));
    }
    let device = Device::flex();
    for (name, config) in sizes {
        #[expect(clippy::expect_used, reason = "random weights are always there")]
        let ram = Ram::new(&config, &WeightLoader::random(1, &device)).expect("random weights");
        let queries = ram.tag_queries();
        let side = config.swin.image;
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10);
        for batch in [1, 4] {
            let normal = Distribution::Normal(0.0, 1.0);
            let image = Tensor::<4>::random([batch, 3, side, side], normal, &device);
            group.bench_function(BenchmarkId::new("swin", batch), |bencher| {
                bencher.iter(|| ram.encode(image.clone()).into_data());
            });
            let tokens = ram.encode(image.clone());
            group.bench_function(BenchmarkId::new("decoder", batch), |bencher| {
                bencher.iter(|| ram.tag(&tokens, queries.as_ref(), None).logits.into_data());
            });
        }
    }
}

criterion_group!(benches, network);
criterion_main!(benches);
