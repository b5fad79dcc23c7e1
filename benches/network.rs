//! Where an image's time goes: Swin, tag decoder; CLIP's image and text sides.
//!
//! `cargo bench --profile dev --bench network` measures the embedded model's shape; with
//! `TAGOOD_BENCH_FULL=1` also Swin-L at 384 pixels with 4,585 tags (random weights, 3 GB) and CLIP
//! ViT-B/16.

use burn::tensor::{Device, Distribution, Tensor};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tagood_lens::demo::train::tagger_config;
use tagood_lens::nn::Activation;
use tagood_lens::nn::clip::{
    Clip, ClipConfig, ImageConfig, PositionResize, TextConfig, TransformerConfig,
};
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

fn vit_b_16() -> ClipConfig {
    let blocks = |width: usize| TransformerConfig {
        width,
        layers: 12,
        heads: width / 64,
        hidden: 4 * width,
    };
    ClipConfig {
        joint: 512,
        activation: Activation::QuickGelu,
        positions: PositionResize::default(),
        image: ImageConfig { image: 224, patch: 16, transformer: blocks(768) },
        text: TextConfig { context: 77, vocabulary: 49408, transformer: blocks(512) },
        no_prompts: None,
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

fn clip(criterion: &mut Criterion) {
    if std::env::var_os("TAGOOD_BENCH_FULL").is_none() {
        return;
    }
    let device = Device::flex();
    #[expect(clippy::expect_used, reason = "random weights are always there")]
    let clip = Clip::new(&vit_b_16(), &WeightLoader::random(1, &device)).expect("random weights");
    let mut group = criterion.benchmark_group("vit_b_16");
    group.sample_size(10);
    for batch in [1, 16] {
        let normal = Distribution::Normal(0.0, 1.0);
        let image = Tensor::<4>::random([batch, 3, 224, 224], normal, &device);
        group.bench_function(BenchmarkId::new("image", batch), |bencher| {
            bencher.iter(|| clip.image.features(image.clone()).into_data());
        });
        group.bench_function(BenchmarkId::new("image with local features", batch), |bencher| {
            bencher.iter(|| clip.image.forward(image.clone()).into_data());
        });
    }
    // 64 texts as long as the context, and 64 of ten tokens.
    for length in [77, 10] {
        let row: Vec<u32> =
            (0..length).map(|at| if at + 1 == length { 49407 } else { 320 }).collect();
        let rows = vec![row; 64];
        group.bench_function(BenchmarkId::new("text", length), |bencher| {
            bencher.iter(|| clip.text.forward(&rows).into_data());
        });
    }
}

criterion_group!(benches, network, clip);
criterion_main!(benches);
