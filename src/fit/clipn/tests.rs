//! The training of a no side against the reference (tests/fixtures/clip), and runs that are cut off.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use burn::module::{Module as _, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;

use super::{
    ClipnConfig, ClipnError, ClipnOutcome, ClipnRun, ClipnWatch, Crops, NoSideTrainer, Pairs,
    losses, with_no_side,
};
use crate::fit::checkpoint;
use crate::fit::optimizer::NamedTensor;
use crate::image::Normalisation;
use crate::nn::Activation;
use crate::nn::clip::Checkpoint;
use crate::nn::weights::named_tensors;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clip").join(name)
}

/// Goldens by name; integers as real numbers.
fn goldens() -> BTreeMap<String, Vec<f32>> {
    let bytes = std::fs::read(fixture("tiny_quick.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let values = |data: &[u8], dtype| -> Vec<f32> {
        match dtype {
            safetensors::Dtype::I64 => {
                data.as_chunks::<8>().0.iter().map(|v| i64::from_le_bytes(*v) as f32).collect()
            }
            _ => data.as_chunks::<4>().0.iter().map(|v| f32::from_le_bytes(*v)).collect(),
        }
    };
    let named = tensors.tensors().into_iter();
    named.map(|(name, view)| (name, values(view.data(), view.dtype()))).collect()
}

#[track_caller]
fn agree(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0f32, |largest, v| largest.max(v.abs()));
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs();
        assert!(error <= tolerance * largest, "{what} {at}: {found} for {expected}");
    }
}

/// The three pairs of the goldens: unit image features and texts.
fn pairs(goldens: &BTreeMap<String, Vec<f32>>) -> (Vec<f32>, Vec<Vec<u32>>) {
    let unit = |row: &[f32]| -> Vec<f32> {
        let length = row.iter().map(|v| v * v).sum::<f32>().sqrt();
        row.iter().map(|v| v / length).collect()
    };
    let image = goldens["image_features"].chunks(48).flat_map(unit).collect();
    let rows = goldens["tokens"].chunks(24).take(3);
    (image, rows.map(|row| row.iter().map(|&id| id as u32).collect()).collect())
}

fn trainer(config: &ClipnConfig) -> NoSideTrainer {
    let path = fixture("tiny_clipn_epoch_10.pt");
    let clip = Checkpoint::open(&path, Some(Activation::QuickGelu)).unwrap();
    NoSideTrainer::new(&clip.config, &clip.source, config, &Device::flex())
        .unwrap()
        .with_scale(100.0)
}

/// Gradients under the published names of their parameters.
fn named(trainer: &NoSideTrainer, gradients: GradientsParams) -> BTreeMap<String, Vec<f32>> {
    struct AsValues(GradientsParams);
    impl ModuleMapper for AsValues {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            match self.0.remove::<D>(param.id) {
                Some(gradient) => {
                    let (id, _, mapper) = param.consume();
                    Param::from_mapped_value(id, gradient.autodiff(), mapper)
                }
                None => param,
            }
        }
    }
    let (no, names) = trainer.no_side();
    let as_values = no.clone().map(&mut AsValues(gradients));
    named_tensors(&as_values, names).into_iter().map(|(name, _, values)| (name, values)).collect()
}

#[test]
fn losses_and_gradients_agree_with_the_reference() {
    let goldens = goldens();
    let trainer = trainer(&ClipnConfig::default());
    let (image, texts) = pairs(&goldens);
    let drawn: Vec<usize> = goldens["drawn"].iter().map(|&prompt| prompt as usize).collect();
    // One prompt for all; one drawn for each, the mean of all among them.
    for (tag, drawn) in [("", vec![3; 3]), ("drawn.", drawn)] {
        let (values, gradients) = trainer.gradients(&image, &texts, &drawn).unwrap();
        for (name, found) in [
            ("bin_yes", values.matching),
            ("bin_no", values.others),
            ("tso", values.opposite),
            ("total", values.total),
        ] {
            let expected = &goldens[&format!("{tag}loss.{name}")];
            agree(name, &[found as f32], expected, 1e-5);
        }
        let count = gradients.len();
        let found = named(&trainer, gradients);
        assert_eq!(count, found.len(), "each parameter of the no side has one, and nothing else");
        let prefix = format!("{tag}grad.");
        let expected: Vec<_> =
            goldens.iter().filter_map(|(k, v)| Some((k.strip_prefix(&prefix)?, v))).collect();
        assert!(expected.len() >= 3);
        for (name, expected) in expected {
            agree(name, &found[name], expected, 1e-4);
        }
    }
}

#[test]
fn a_step_of_the_optimizer_agrees_with_the_reference() {
    let goldens = goldens();
    let config = ClipnConfig::default();
    let mut trainer = trainer(&config);
    let (image, texts) = pairs(&goldens);
    let drawn: Vec<usize> = goldens["drawn"].iter().map(|&prompt| prompt as usize).collect();
    let before: BTreeMap<_, _> =
        trainer.weights().into_iter().map(|(name, _, values)| (name, values)).collect();
    let (_, gradients) = trainer.gradients(&image, &texts, &drawn).unwrap();
    trainer.apply(gradients, config.lr_at(2, 10));
    let after: BTreeMap<_, _> =
        trainer.weights().into_iter().map(|(name, _, values)| (name, values)).collect();
    let mut moved = 0;
    for (name, expected) in
        goldens.iter().filter_map(|(k, v)| Some((k.strip_prefix("drawn.step.")?, v)))
    {
        // What counts is the step, not the weights that it is small beside.
        let step = |values: &[f32]| -> Vec<f32> {
            values.iter().zip(&before[name]).map(|(new, old)| new - old).collect()
        };
        agree(name, &step(&after[name]), &step(expected), 2e-3);
        moved += 1;
    }
    assert_eq!(moved, 3);
    // The yes side, the image side and the scale stay.
    for (name, values) in after.iter().filter(|(name, _)| !name.contains("_no")) {
        assert_eq!(values, &before[name], "{name}");
    }
}

#[test]
fn logits_that_lie_far_apart_have_finite_losses() {
    let device = Device::flex();
    let rows = |values: [f32; 4]| -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), [2, 2]), &device)
    };
    // The released code's loss is infinite here: probabilities underflow.
    let image = rows([1.0, 0.0, -1.0, 0.0]);
    let found = losses(image, rows([-1.0, 0.0, 1.0, 0.0]), rows([1.0, 0.0, -1.0, 0.0]), 100.0);
    let value = |loss: Tensor<1>| loss.into_data().iter::<f32>().next().unwrap();
    assert!((value(found.matching) - 200.0).abs() < 1e-3);
    assert!((value(found.others) - 200.0).abs() < 1e-3);
    // What is opposite already costs nothing.
    assert!(value(found.opposite).abs() < 1e-3);
}

/// Ten pairs of one colour each, and a text that is no pair.
fn coloured_pairs(folder: &Path) -> Pairs {
    for at in 0..10u8 {
        let colour = image::Rgb([25 * at, 255 - 25 * at, 128]);
        let picture = image::RgbImage::from_pixel(40 + u32::from(at), 36, colour);
        picture.save(folder.join(format!("{at}.png"))).unwrap();
        std::fs::write(folder.join(format!("{at}.txt")), format!("a photo of the cat {at}"))
            .unwrap();
    }
    Pairs::open(folder).unwrap()
}

/// Trains the tiny CLIP, stopping after some steps if asked to.
fn run(
    pairs: &Pairs,
    config: &ClipnConfig,
    folder: &Path,
    resume: bool,
    stop_after: Option<usize>,
) -> Result<(ClipnOutcome, Vec<String>), ClipnError> {
    let path = fixture("tiny_open_clip.safetensors");
    let clip = Checkpoint::open(&path, Some(Activation::QuickGelu)).unwrap();
    let tensors = with_no_side(&clip.source, 4).unwrap();
    let weights = checkpoint::in_memory(&tensors).unwrap();
    let mut shape = clip.config.clone();
    shape.no_prompts = Some(4);
    let tokenizer =
        crate::nn::clip::tokenizer::Tokenizer::open(&fixture("tiny_tokenizer.json"), &shape.text);
    let cancelled = AtomicBool::new(false);
    let run = ClipnRun {
        config: config.clone(),
        shape: &shape,
        weights: &weights,
        normalisation: Normalisation::CLIP,
        tokenizer: &tokenizer.unwrap(),
        pairs,
        folder,
    };
    let mut steps = 0;
    let mut watch = ClipnWatch {
        on_encoded: &mut |_, _| {},
        on_step: &mut |_, _, _| {
            steps += 1;
            cancelled.store(stop_after.is_some_and(|stop| steps >= stop), Ordering::Relaxed);
        },
        on_epoch: &mut |_| {},
        cancelled: &cancelled,
    };
    run.train(&Device::flex(), resume, &mut watch)
}

fn weights(outcome: ClipnOutcome) -> Vec<NamedTensor> {
    match outcome {
        ClipnOutcome::Trained(tensors) => tensors,
        ClipnOutcome::Stopped { step, steps } => panic!("stopped after {step} of {steps}"),
    }
}

#[test]
fn a_run_that_was_cut_off_goes_on_with_the_same_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = coloured_pairs(folder.path());
    for crops in [Crops::Random, Crops::Centre] {
        let config =
            ClipnConfig { epochs: 2, batch: 4, validation: 0.2, crops, ..ClipnConfig::default() };
        let states = tempfile::tempdir().unwrap();
        let [whole, cut] = ["whole", "cut"].map(|name| states.path().join(name));
        let (outcome, _) = run(&pairs, &config, &whole, false, None).unwrap();
        let expected = weights(outcome);
        // In the middle of the first epoch, then in the second.
        let (outcome, _) = run(&pairs, &config, &cut, false, Some(1)).unwrap();
        assert_eq!(outcome, ClipnOutcome::Stopped { step: 1, steps: 4 });
        assert!(matches!(run(&pairs, &config, &cut, false, None), Err(ClipnError::Unfinished(_))));
        let (outcome, _) = run(&pairs, &config, &cut, true, Some(2)).unwrap();
        assert_eq!(outcome, ClipnOutcome::Stopped { step: 3, steps: 4 });
        let (outcome, _) = run(&pairs, &config, &cut, true, None).unwrap();
        assert_eq!(weights(outcome), expected, "{crops:?}");
        let log = |folder: &Path| {
            let text = std::fs::read_to_string(folder.join("log.jsonl")).unwrap();
            let lines: Vec<super::ClipnLog> =
                text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            lines
                .into_iter()
                .map(|line| (line.epoch, line.validation_loss, line.denied))
                .collect::<Vec<_>>()
        };
        assert_eq!(log(&whole), log(&cut));
        assert_eq!(log(&whole).len(), 2);
        let other = ClipnConfig { lr: 1e-3, ..config };
        assert!(matches!(run(&pairs, &other, &cut, true, None), Err(ClipnError::OtherRun(_))));
    }
}

/// Eight colours, each in several pictures with one caption; one file is no picture.
fn named_colours(folder: &Path) -> Pairs {
    let colours = ["red", "green", "blue", "yellow", "pink", "teal", "grey", "black"];
    let rgb = [
        [230, 20, 20],
        [20, 200, 20],
        [20, 20, 230],
        [240, 230, 20],
        [250, 150, 200],
        [20, 150, 150],
        [128, 128, 128],
        [5, 5, 5],
    ];
    for (at, (name, rgb)) in colours.into_iter().zip(rgb).enumerate() {
        for copy in 0..5u8 {
            let shade = image::Rgb(rgb.map(|value: u8| value.saturating_add(3 * copy)));
            let place = folder.join(format!("{at}_{copy}"));
            let picture = image::RgbImage::from_pixel(36, 36, shade);
            picture.save(place.with_extension("png")).unwrap();
            std::fs::write(place.with_extension("txt"), format!("a {name} wall")).unwrap();
        }
    }
    std::fs::write(folder.join("3_0.png"), "no image").unwrap();
    Pairs::open(folder).unwrap()
}

#[test]
fn the_no_side_begins_as_the_yes_side_and_learns_to_deny() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = named_colours(folder.path());
    let config = ClipnConfig {
        epochs: 120,
        batch: 40,
        validation: 0.25,
        crops: Crops::Centre,
        ..ClipnConfig::default()
    };
    let state = folder.path().join("state");
    let (outcome, unreadable) = run(&pairs, &config, &state, false, None).unwrap();
    assert_eq!(unreadable.len(), 1);
    assert!(unreadable[0].contains("3_0.png"), "{unreadable:?}");
    let text = std::fs::read_to_string(state.join("log.jsonl")).unwrap();
    let log: Vec<super::ClipnLog> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // With both sides alike, each is undecided: ln 2 twice, and 2 − √10⁻⁴; half of that together.
    let undecided = std::f64::consts::LN_2 + 0.5 * (2.0 - 0.01);
    assert!((log[0].loss - undecided).abs() < 1e-4, "{} for {undecided}", log[0].loss);
    let (first, last) = (&log[0], &log[119]);
    assert!(last.loss < 0.75 * undecided, "{last:?}");
    // Of pictures that it was not trained with it takes the captions, and denies those of others; two
    // pictures of one colour have one caption, so not all can be denied.
    assert!(last.validation_loss < 0.75 * first.validation_loss, "{first:?} {last:?}");
    assert!(first.denied < 0.6 && last.denied > 0.75 && last.agreed > 0.9, "{first:?} {last:?}");
    // All else is as it was.
    let clip =
        Checkpoint::open(&fixture("tiny_open_clip.safetensors"), Some(Activation::QuickGelu));
    let source = clip.unwrap().source;
    let trained = weights(outcome);
    let kept: Vec<&NamedTensor> =
        trained.iter().filter(|(name, _, _)| !name.contains("_no")).collect();
    assert!(!kept.is_empty() && kept.len() < trained.len());
    for (name, shape, values) in kept {
        assert_eq!(*values, source.read(name, shape).unwrap(), "{name}");
    }
}

#[test]
fn too_few_pairs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut pairs = coloured_pairs(folder.path());
    pairs.pairs.truncate(1);
    let refused = run(&pairs, &ClipnConfig::default(), &folder.path().join("s"), false, None);
    assert!(matches!(refused, Err(ClipnError::TooFew(1))));
}
