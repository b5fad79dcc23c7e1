//! The projector's training against golden tensors, and against itself after a restart.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::centers::{ClassCenters, losses};
use super::config::TrainConfig;
use super::objects::Objects;
use super::train::{EpochLog, TrainRows, TrainRun, TrainWatch};
use super::trainer::Trainer;
use crate::bundle::manifest::Recipe;
use crate::nn::projector::ProjectorConfig;
use crate::nn::source::Source;
use crate::nn::weights::{WeightLoader, named_tensors};
use crate::pipeline::floats;

fn fixture(name: &str) -> Source {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny");
    Source::open(&folder.join(name)).unwrap()
}

fn stored(golden: &Source, name: &str) -> Vec<f32> {
    golden.read(name, &golden.shape(name).unwrap()).unwrap()
}

fn assert_near(name: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let scale = expected.iter().fold(1e-3f32, |a, b| a.max(b.abs()));
    for (found, expected) in found.iter().zip(expected) {
        let error = (found - expected).abs() / scale;
        assert!(error < tolerance, "{name}: {found} for {expected}");
    }
}

/// A batch as `make_fixtures.py` made it: lengths 10, 4 and 1, labels 7, 0 and 3.
#[test]
fn losses_gradients_and_centers_agree_with_pytorch() {
    let golden = fixture("tiny_projector.safetensors");
    let weights = fixture("tiny_projector.pth");
    let device = Device::flex().autodiff();
    let shape = ProjectorConfig::of_checkpoint(&weights).unwrap();
    let config = TrainConfig::new(Recipe::Released, shape);
    let from = WeightLoader::stored(&weights, &device);
    let mut centers =
        ClassCenters { values: stored(&golden, "centers"), shape: config.center_shape() };
    let trainer = Trainer::built(config.clone(), &from, centers.clone(), device.clone()).unwrap();
    let projector = trainer.projector();

    let (labels, lengths) = ([7, 0, 3], [10, 4, 1]);
    let dims: [usize; 3] = golden.shape("tokens").unwrap().try_into().unwrap();
    let tokens = TensorData::new(stored(&golden, "tokens"), dims);
    let tokens: Tensor<3> = Tensor::from_data(tokens, &device);
    let features = projector.features(tokens.clone(), Some(&lengths));
    let logits = projector.class_logits(features.clone());
    let found = losses(&config.loss, &centers, features.clone(), logits.clone(), &labels);
    let values = floats(features.without_autodiff()).unwrap();
    assert_near("feature", &values, &stored(&golden, "feature"), 1e-5);
    let logits = floats(logits.without_autodiff()).unwrap();
    assert_near("class_logits", &logits, &stored(&golden, "class_logits"), 1e-5);
    for (name, tensor) in [
        ("loss.cross_entropy", &found.cross_entropy),
        ("loss.center", &found.center),
        ("loss.total", &found.total),
    ] {
        let found = floats(tensor.clone().without_autodiff()).unwrap();
        assert_near(name, &found, &stored(&golden, name), 1e-5);
    }

    centers.update(&values, &labels, config.center_keep, config.repeats);
    assert_near("centers", &centers.rows(&labels), &stored(&golden, "centers_after"), 1e-6);

    let grads = GradientsParams::from_grads(found.total.backward(), projector);
    let gradients = trainer.named_gradients(&grads);
    let expected: Vec<String> =
        golden.shapes().into_keys().filter(|name| name.starts_with("grad.")).collect();
    assert_eq!(expected.len(), 7);
    for name in expected {
        let found = &gradients[name.trim_start_matches("grad.")];
        assert_near(&name, found, &stored(&golden, &name), 2e-5);
    }
}

/// Three classes that differ by the direction of their tokens, which lie in noise.
fn little_world() -> (Objects, TrainConfig) {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let images = (0..60).map(|index| {
        let class = index % 3;
        let tokens = (0..1 + index % 5).flat_map(|_| {
            let noise: Vec<f32> = (0..8).map(|_| rng.random_range(-0.5..0.5)).collect();
            let signal = move |channel: usize| if channel % 3 == class { 1.0 } else { 0.0 };
            noise.into_iter().enumerate().map(move |(channel, noise)| noise + signal(channel))
        });
        (tokens.collect::<Vec<f32>>(), class)
    });
    let objects = Objects::of_tokens(8, images.collect::<Vec<_>>());
    let shape = ProjectorConfig {
        joint: 8,
        width: 16,
        heads: 2,
        layers: 2,
        hidden: 16,
        max_tokens: 5,
        classes: 3,
        patterns: 4,
    };
    let mut config = TrainConfig::new(Recipe::Released, shape).with_epochs(6);
    config.batch = 16;
    (objects, config)
}

fn train(
    run: &TrainRun,
    resume: bool,
    stop_after: usize,
) -> (Result<Trainer, super::FitError>, Vec<EpochLog>) {
    let cancelled = AtomicBool::new(false);
    let mut log = Vec::new();
    let mut on_epoch = |line: &EpochLog| {
        log.push(line.clone());
        cancelled.store(log.len() >= stop_after, std::sync::atomic::Ordering::Relaxed);
    };
    let mut watch = TrainWatch { on_epoch: &mut on_epoch, cancelled: &cancelled };
    let outcome = run.train(&Device::flex(), resume, &mut watch);
    (outcome, log)
}

#[test]
fn training_learns_and_a_resumed_run_ends_in_the_same_numbers() {
    let (objects, config) = little_world();
    let rows: Vec<usize> = (0..60).collect();
    let rows = TrainRows { train: &rows[..48], validation: &rows[48..] };
    let folder = tempfile::tempdir().unwrap();
    let mut run =
        TrainRun { config, recipe: Recipe::Released, objects: &objects, rows, folder: None };
    let (whole, log) = train(&run, false, usize::MAX);
    let (first, last) = (&log[0], &log[log.len() - 1]);
    assert!(last.loss < 0.5 * first.loss, "{first:?} {last:?}");
    assert!(last.validation_accuracy > 0.9, "{last:?}");

    run.folder = Some(folder.path().join("run"));
    let (cut, head) = train(&run, false, 3);
    assert!(matches!(cut, Err(super::FitError::Cancelled { epoch: 4 })));
    assert!(matches!(train(&run, false, 1).0, Err(super::FitError::Unfinished(_))));
    let (resumed, tail) = train(&run, true, usize::MAX);
    let numbers = |log: &EpochLog| (log.epoch, log.loss, log.accuracy, log.validation_score);
    let joined: Vec<_> = head.iter().chain(&tail).map(numbers).collect();
    assert_eq!(joined, log.iter().map(numbers).collect::<Vec<_>>());
    assert!(whole.unwrap().weights() == resumed.unwrap().weights());
    assert!(TrainRun::best_path(&folder.path().join("run")).exists());

    let refused = |run: &TrainRun<'_>| match train(run, true, 1).0 {
        Err(super::FitError::OtherRun { differs, .. }) => differs,
        other => panic!("{:?}", other.err()),
    };
    let (lr, epochs) = (run.config.lr, run.config.epochs);
    run.config.lr *= 2.0;
    assert_eq!(refused(&run), format!("lr {lr} (now {})", lr * 2.0));
    run.config.lr = lr;
    run.config = run.config.clone().with_epochs(epochs + 1);
    assert_eq!(refused(&run), format!("epochs {epochs} (now {})", epochs + 1));
    run.config = run.config.clone().with_epochs(epochs);
    run.rows = TrainRows { train: &rows.train[..47], ..rows };
    assert_eq!(refused(&run), "other images, tags or held-out images");
}

#[test]
fn parts_of_a_batch_give_the_loss_of_the_whole() {
    let (objects, mut config) = little_world();
    config.dropout = 0.0;
    let device = Device::flex();
    let trainer = Trainer::new(config.clone(), &device).unwrap();
    let rows: Vec<usize> = (0..50).rev().collect();
    let together = trainer.project(&objects, &rows).unwrap();
    for (place, &row) in rows.iter().enumerate() {
        let alone = trainer.project(&objects, &[row]).unwrap();
        let width = config.projector.width;
        let feature = &together.features[place * width..(place + 1) * width];
        assert_near("feature", feature, &alone.features, 1e-5);
    }
    let names = named_tensors(trainer.projector(), &trainer.names());
    assert!(names.iter().any(|(name, _, _)| name == "layers.layers.encoder_layer_1.mlp.3.bias"));
}
