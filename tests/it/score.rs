//! Detectors against independent computations (tests/fixtures/score), and on degenerate inputs.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::SafeTensors;
use tagood_lens::score::{
    Detector, FittedDetector, Head, Rows, Sample, ScoreError, Statistics, TrainingSet, all, bind,
    by_name,
    distance::{Centers, class_scores},
    fit_all,
};

/// Training set, test samples and classifier, owned.
struct World {
    classes: usize,
    labels: Vec<usize>,
    /// Names as in the fixtures: `train.features`, `test.tag_scores`, …
    values: BTreeMap<String, Vec<f32>>,
    head: Arc<Head>,
}

impl World {
    fn fixture(kind: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/score")
            .join(format!("{kind}.safetensors"));
        let bytes = std::fs::read(path).unwrap();
        let (mut values, mut labels, mut shape) = (BTreeMap::new(), Vec::new(), [0; 3]);
        for (name, view) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
            let (words, _) = view.data().as_chunks::<4>();
            if name == "train.labels" {
                labels = words.iter().map(|w| i32::from_le_bytes(*w) as usize).collect();
                continue;
            }
            if name == "centers" {
                shape = view.shape().try_into().unwrap();
            }
            values.insert(name, words.iter().map(|w| f32::from_le_bytes(*w)).collect());
        }
        Self::new(values, labels, shape)
    }

    /// Random values; `train` makes the training features.
    fn random(
        labels: Vec<usize>,
        [classes, width]: [usize; 2],
        mut train: impl FnMut(&mut ChaCha8Rng, usize) -> f32,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let (n, tests) = (labels.len(), 6);
        let mut values = BTreeMap::new();
        let features: Vec<f32> = (0..n * width).map(|i| train(&mut rng, i)).collect();
        values.insert("train.features".to_owned(), features);
        let mut normal = |len: usize| (0..len).map(|_| rng.random_range(-2.0..2.0)).collect();
        for (name, len) in [
            ("train.object_tokens", n * 5),
            ("train.ce_features", n * 7),
            ("train.class_logits", n * classes),
            ("test.features", tests * width),
            ("test.object_tokens", tests * 5),
            ("test.ce_features", tests * 7),
            ("test.class_logits", tests * classes),
            ("test.odin_logits", tests * classes),
            ("weight", classes * width),
            ("bias", classes),
            ("centers", classes * width),
        ] {
            values.insert(name.to_owned(), normal(len));
        }
        values.insert("test.tag_scores".to_owned(), vec![0.0, 1.0, 0.5, 0.25, 0.75, 1e-30]);
        for name in ["features", "object_tokens", "ce_features", "class_logits", "odin_logits"] {
            let rows = values.get_mut(&format!("test.{name}")).unwrap();
            let width = rows.len() / tests;
            rows[..width].fill(0.0);
            rows[width..2 * width].fill(-3.0);
            rows[2 * width..3 * width].iter_mut().for_each(|v| *v *= 1e30);
            rows[3 * width..4 * width].iter_mut().for_each(|v| *v *= 1e-30);
        }
        Self::new(values, labels, [classes, 1, width])
    }

    fn new(values: BTreeMap<String, Vec<f32>>, labels: Vec<usize>, shape: [usize; 3]) -> Self {
        let centers = Centers::new(values["centers"].clone(), shape).unwrap();
        let head = Head::new(values["weight"].clone(), values["bias"].clone(), centers).unwrap();
        Self { classes: shape[0], labels, values, head: Arc::new(head) }
    }

    fn rows(&self, name: &str, count: usize) -> Rows<'_> {
        let data = &self.values[name];
        Rows::new(name, data, data.len() / count).unwrap()
    }

    fn training(&self) -> TrainingSet<'_> {
        let rows = |name: &str| self.rows(&format!("train.{name}"), self.labels.len());
        TrainingSet {
            features: rows("features"),
            class_logits: rows("class_logits"),
            object_tokens: rows("object_tokens"),
            ce_features: Some(rows("ce_features")),
            labels: &self.labels,
            head: &self.head,
        }
    }

    fn samples(&self) -> Vec<Sample<'_>> {
        let tag_scores = &self.values["test.tag_scores"];
        let rows = |name: &str| self.rows(&format!("test.{name}"), tag_scores.len());
        let sample = |(i, &tag_score): (usize, &f32)| Sample {
            feature: rows("features").row(i),
            class_logits: rows("class_logits").row(i),
            tag_score,
            object_token: rows("object_tokens").row(i),
            image_token: &[],
            ce_feature: Some(rows("ce_features").row(i)),
            odin_logits: Some(rows("odin_logits").row(i)),
            names: None,
        };
        tag_scores.iter().enumerate().map(sample).collect()
    }

    fn bound(&self, name: &str) -> FittedDetector {
        let statistics = fit_all(all(), &self.training()).unwrap();
        bind(by_name(name).unwrap(), &statistics, &self.head).unwrap()
    }
}

/// The detectors that a tagger's samples are enough for; for those of a CLIP see `score_names`.
fn of_features() -> impl Iterator<Item = &'static &'static dyn Detector> {
    all().iter().filter(|d| !d.info().needs.iter().any(|input| input.is_of_names()))
}

#[test]
fn detectors_agree_with_independent_computations() {
    let mut wrong = Vec::new();
    for kind in ["plain", "layernorm"] {
        let world = World::fixture(kind);
        let statistics = fit_all(all(), &world.training()).unwrap();
        // what the bundle gives back has to score the same
        let statistics = Statistics::from_bytes(&statistics.to_bytes().unwrap()).unwrap();
        for detector in of_features() {
            let name = detector.info().id;
            let bound = bind(*detector, &statistics, &world.head).unwrap();
            let found = bound.score_batch(&world.samples()).unwrap();
            let expected = &world.values[&format!("expected.{name}")];
            assert_eq!(found.len(), expected.len());
            for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
                // one over the distance of a feature that is a center: as good as infinite in both
                let infinite = found > 1e6 && expected > 1e6 && name.starts_with("tagood");
                let tolerance = 2e-6 + if name == "odin" { 0.0 } else { 2e-5 * expected.abs() };
                if !infinite && (found - expected).abs() > tolerance {
                    wrong.push(format!("{kind} {name} sample {i}: {found}, expected {expected}"));
                }
                let (low, high) = detector.info().range;
                assert!((low..=high).contains(&(found.clamp(-1e38, 1e38))), "{name}: {found}");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn class_lists_agree_with_the_detectors() {
    let world = World::fixture("plain");
    let samples = world.samples();
    let scores = |name: &str| world.bound(name).score_batch(&samples).unwrap();
    let (cosine, released) = (scores("tagood-cosine"), scores("tagood-released"));
    let (euclidean, kl) = (scores("tagood-euclidean"), scores("tagood-kl"));
    let largest = |values: &[f32]| values.iter().copied().fold(f32::MIN, f32::max);
    let smallest = |values: &[f32]| values.iter().copied().fold(f32::MAX, f32::min);
    for (i, sample) in samples.iter().enumerate() {
        let list = class_scores(sample.feature, world.head.centers()).unwrap();
        assert_eq!(cosine[i], largest(&list.cosine));
        assert_eq!(released[i], largest(&list.cosine_pattern) * sample.tag_score);
        assert_eq!(euclidean[i], (1.0 / smallest(&list.euclidean)).min(f32::MAX));
        assert_eq!(kl[i], (24.0 / smallest(&list.kl)).min(f32::MAX));
    }
    let narrow = class_scores(&[1.0], world.head.centers());
    assert!(matches!(narrow, Err(ScoreError::Shape { .. })));
}

#[test]
fn one_sample_at_a_time_scores_like_a_batch() {
    let world = World::fixture("layernorm");
    // more than one block
    let samples: Vec<_> = std::iter::repeat_n(world.samples(), 5).flatten().collect();
    let statistics = fit_all(all(), &world.training()).unwrap();
    for detector in of_features() {
        let bound = bind(*detector, &statistics, &world.head).unwrap();
        let batch = bound.score_batch(&samples).unwrap();
        for (sample, &score) in samples.iter().zip(&batch).take(50) {
            let alone = bound.score(sample).unwrap();
            let close = (alone - score).abs() <= 1e-5 * score.abs().max(1.0);
            assert!(close || alone > 1e6, "{}: {alone} and {score}", bound.info().id);
        }
    }
}

#[test]
fn degenerate_training_sets_never_give_nan() {
    let normal = |rng: &mut ChaCha8Rng, _: usize| rng.random_range(-1.0..1.0);
    let worlds = [
        ("one sample a class", World::random((0..4).collect(), [4, 8], normal)),
        ("a single sample", World::random(vec![1], [3, 8], normal)),
        ("two classes", World::random((0..60).map(|i| i % 2).collect(), [2, 8], normal)),
        ("one class", World::random(vec![0; 30], [1, 8], normal)),
        ("more channels than samples", World::random(vec![0, 1, 2, 0, 1], [3, 40], normal)),
        ("one channel", World::random((0..30).map(|i| i % 3).collect(), [3, 1], normal)),
        ("all alike", World::random((0..30).map(|i| i % 3).collect(), [3, 8], |_, _| 0.5)),
        (
            "huge",
            World::random((0..30).map(|i| i % 3).collect(), [3, 8], |r, i| 1e15 * normal(r, i)),
        ),
    ];
    for (what, world) in worlds {
        let statistics = fit_all(all(), &world.training()).unwrap();
        for detector in of_features() {
            let bound = bind(*detector, &statistics, &world.head).unwrap();
            let scores = bound.score_batch(&world.samples()).unwrap();
            assert_eq!(scores.len(), 6);
            let (low, high) = bound.info().range;
            for score in scores {
                assert!(score.is_finite(), "{what}: {} gives {score}", bound.info().id);
                let inside = score == f32::MIN || (low - 1e-5..=high + 1e-5).contains(&score);
                assert!(inside, "{what}: {} gives {score}", bound.info().id);
            }
        }
        assert_eq!(world.classes, world.head.classes());
    }
}

#[test]
fn names_are_unique_and_unknown_ones_are_answered_with_the_list() {
    let names: std::collections::BTreeSet<_> = all().iter().map(|d| d.info().id).collect();
    assert_eq!(names.len(), all().len());
    let message = by_name("magic").err().unwrap().to_string();
    assert!(message.contains("`magic`"));
    assert!(names.iter().all(|name| message.contains(name)), "{message}");
}

#[test]
fn bad_samples_are_refused_by_name() {
    let world = World::fixture("plain");
    let good = world.samples()[0];
    let says = |name: &str, sample: &Sample<'_>| {
        world.bound(name).score(sample).err().unwrap().to_string()
    };
    let message = says("odin", &Sample { odin_logits: None, ..good });
    assert!(message.contains("odin") && message.contains("perturbed"), "{message}");
    let message = says("ce-cosine", &Sample { ce_feature: Some(&[1.0]), ..good });
    assert!(message.contains("expects 16 values") && message.contains("found 1"), "{message}");
    let message = says("mds", &Sample { feature: &[f32::NAN; 24], ..good });
    assert!(message.contains("not finite"), "{message}");
    // a detector that does not read the feature does not mind
    assert!(world.bound("msp").score(&Sample { feature: &[], ..good }).is_ok());
}

#[test]
fn bad_training_sets_are_refused() {
    let world = World::fixture("plain");
    let mut labels = world.labels.clone();
    labels[7] = 12;
    let training = TrainingSet { labels: &labels, ..world.training() };
    let message = fit_all(all(), &training).err().unwrap().to_string();
    assert_eq!(message, "training sample 7 has label 12, but there are 12 classes");
    let training = TrainingSet { labels: &labels[..5], ..world.training() };
    assert!(matches!(fit_all(all(), &training), Err(ScoreError::Shape { .. })));
    let empty = TrainingSet { labels: &[], ..world.training() };
    assert!(matches!(fit_all(all(), &empty), Err(ScoreError::NoSamples { .. })));
}

#[test]
fn a_detector_without_its_statistics_says_which_is_missing() {
    let world = World::fixture("plain");
    let training = TrainingSet { ce_features: None, ..world.training() };
    let statistics = fit_all(all(), &training).unwrap();
    let refused = bind(by_name("ce-cosine").unwrap(), &statistics, &world.head);
    let message = refused.err().unwrap().to_string();
    assert!(message.contains("ce-feature.class-means"), "{message}");
    assert!(bind(by_name("vim").unwrap(), &statistics, &world.head).is_ok());
}

#[test]
fn statistics_of_another_model_are_refused() {
    let world = World::fixture("plain");
    let statistics = fit_all(all(), &world.training()).unwrap();
    let other = World::random(vec![0, 1], [2, 8], |_, i| i as f32);
    for name in ["mds", "rmds++", "knn", "nnguide", "vim", "she", "klm", "dice"] {
        let refused = bind(by_name(name).unwrap(), &statistics, &other.head);
        assert!(matches!(refused, Err(ScoreError::Shape { .. })), "{name}");
    }
    assert!(matches!(Statistics::from_bytes(b"not a file"), Err(ScoreError::Safetensors(_))));
}
