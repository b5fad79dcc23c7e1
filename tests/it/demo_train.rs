//! Training of the embedded tagger, on a world and a network small enough for a test.

use burn::tensor::Device;
use tagood_lens::demo::train::{SceneBatch, TaggerTrainConfig, TaggerTrainer, draw_batch};
use tagood_lens::demo::{ID_CLASSES, TAGS};
use tagood_lens::nn::ram::RamConfig;
use tagood_lens::nn::swin::SwinConfig;
use tagood_lens::nn::tag_decoder::TagDecoderConfig;

fn config() -> TaggerTrainConfig {
    TaggerTrainConfig {
        tagger: RamConfig {
            swin: SwinConfig {
                image: 48,
                patch: 4,
                embed: 8,
                depths: vec![1, 1],
                heads: vec![1, 2],
                window: 6,
                mlp_ratio: 2,
            },
            decoder: TagDecoderConfig { width: 16, heads: 2, hidden: 16, layers: 2 },
            joint: 32,
            tags: TAGS.len(),
            descriptions: 1,
        },
        steps: 40,
        batch: 4,
        learning_rate: 5e-3,
        warmup: 4,
        seed: 3,
    }
}

fn batch(config: &TaggerTrainConfig, step: usize) -> SceneBatch {
    let swin = &config.tagger.swin;
    draw_batch(config.seed, (step * config.batch) as u64, config.batch, swin.image, swin.grid())
}

#[test]
fn a_few_steps_lower_the_loss() {
    let config = config();
    let mut trainer = TaggerTrainer::new(config.clone(), &Device::flex()).unwrap();
    let losses: Vec<f32> =
        (0..40).map(|step| trainer.step(&batch(&config, step)).unwrap().total()).collect();
    let mean = |range: std::ops::Range<usize>| losses[range].iter().sum::<f32>() / 5.0;
    assert!(losses.iter().all(|loss| loss.is_finite()));
    assert!(mean(35..40) < 0.8 * mean(0..5), "{losses:?}");
}

#[test]
fn a_training_that_was_cut_off_goes_on_with_the_same_numbers() {
    let (config, device) = (config(), Device::flex());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let mut whole = TaggerTrainer::new(config.clone(), &device).unwrap();
    for step in 0..3 {
        whole.step(&batch(&config, step)).unwrap();
    }
    whole.save(&path).unwrap();
    let mut resumed = TaggerTrainer::resume(config.clone(), &device, &path).unwrap();
    assert_eq!(resumed.steps(), 3);
    for step in 3..6 {
        let batch = batch(&config, step);
        assert_eq!(whole.step(&batch).unwrap(), resumed.step(&batch).unwrap(), "step {step}");
    }
    assert_eq!(whole.weights(), resumed.weights());
}

#[test]
fn outlines_cover_what_tags_name() {
    let config = config();
    let drawn = batch(&config, 1);
    let classes = ID_CLASSES.len();
    let cells = drawn.cover.len() / drawn.len() / classes;
    assert_eq!(cells, config.tagger.swin.grid().pow(2));
    for (targets, cover) in
        drawn.targets.chunks(TAGS.len()).zip(drawn.cover.chunks(cells * classes))
    {
        for (class, &target) in targets.iter().enumerate().take(classes) {
            let covered: f32 = cover.iter().skip(class).step_by(classes).sum();
            // A tag asks for a visible object; a sliver of one has cover without a tag.
            assert!(target == 0.0 || covered > 0.0, "class {class}");
        }
        assert!(cover.iter().all(|&share| (0.0..=1.0 + 1e-5).contains(&share)));
    }
    let parts = drawn.split(2);
    assert_eq!(parts.len(), 2);
    let joined: Vec<f32> = parts.iter().flat_map(|part| part.cover.clone()).collect();
    assert_eq!(joined, drawn.cover);
}
