//! The detectors of a CLIP's names against the reference (tests/fixtures/clip).

use std::sync::Arc;

use tagood_lens::score::detectors::{clipn::YesNo, gl_mcm, mcm, neg_label};
use tagood_lens::score::distance::Centers;
use tagood_lens::score::{
    Head, Input, LOGIT_SCALE, NameCosines, Sample, ScoreError, Statistics, bind, by_name, negatives,
};

use super::golden::{Goldens, floats};
use super::golden_clip::{fixture, load_clipn, tokens};

const TOLERANCE: f64 = 1e-5;

fn open(name: &str) -> Goldens {
    Goldens::open(&fixture(name))
}

/// Unit rows.
fn rows(goldens: &Goldens, name: &str) -> Vec<Vec<f32>> {
    let width = goldens.shape(name).last().copied().unwrap();
    goldens.floats(name).chunks(width).map(unit).collect()
}

fn indices(goldens: &Goldens, name: &str) -> Vec<usize> {
    goldens.integers(name).into_iter().map(|index| index as usize).collect()
}

fn unit(row: &[f32]) -> Vec<f32> {
    let length = row.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    row.iter().map(|&v| (f64::from(v) / length) as f32).collect()
}

/// Inner products of every row with every other, row-major.
fn cosines(rows: &[Vec<f32>], with: &[Vec<f32>]) -> Vec<f32> {
    let dot = |a: &[f32], b: &[f32]| -> f32 {
        a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>() as f32
    };
    rows.iter().flat_map(|row| with.iter().map(move |other| dot(row, other))).collect()
}

const CLASSES: usize = 5;

/// The cosines of the goldens' images.
struct World {
    goldens: Goldens,
    images: usize,
    image: Vec<f32>,
    local: Vec<f32>,
    no: Vec<f32>,
    prompted: Vec<f32>,
    prompted_local: Vec<f32>,
}

impl World {
    fn new() -> Self {
        let goldens = open("tiny_quick.safetensors");
        let (images, names) = (rows(&goldens, "image_features"), rows(&goldens, "text_features"));
        let local = rows(&goldens, "local_features");
        let prompted = rows(&goldens, "locoop.text_features");
        Self {
            image: cosines(&images, &names),
            local: cosines(&local, &names),
            no: cosines(&images, &rows(&goldens, "no_features")),
            prompted: cosines(&images, &prompted),
            prompted_local: cosines(&local, &prompted),
            images: images.len(),
            goldens,
        }
    }

    fn scores(&self, detector: &str) -> Vec<f32> {
        let needs = by_name(detector).unwrap().info().needs;
        let bound = bind(by_name(detector).unwrap(), &Statistics::default(), &head(needs)).unwrap();
        let each = self.local.len() / self.images;
        let part = |values: &[f32], at: usize, each: usize| values[at * each..][..each].to_vec();
        (0..self.images)
            .map(|at| {
                let image = part(&self.image, at, CLASSES);
                let (no, local) = (part(&self.no, at, CLASSES), part(&self.local, at, each));
                let prompted = part(&self.prompted, at, CLASSES);
                let prompted_local = part(&self.prompted_local, at, each);
                let names = NameCosines {
                    image: &image,
                    local: &local,
                    no: Some(&no),
                    negatives: None,
                    prompted: Some((&prompted, &prompted_local)),
                };
                let logits: Vec<f32> = image.iter().map(|v| LOGIT_SCALE * v).collect();
                let class_logits = logits.as_slice();
                bound
                    .score(&Sample { class_logits, names: Some(names), ..Sample::default() })
                    .unwrap()
            })
            .collect()
    }
}

/// The head of a CLIP with five names and these inputs.
fn head(inputs: &[Input]) -> Arc<Head> {
    let centers = Centers::new(vec![1.0; CLASSES * 2], [CLASSES, 1, 2]).unwrap();
    let head = Head::new(vec![1.0; CLASSES * 2], vec![0.0; CLASSES], centers).unwrap();
    Arc::new(head.with_names(inputs))
}

#[track_caller]
fn agree(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let error = (f64::from(*found) - f64::from(*expected)).abs();
        assert!(error < TOLERANCE * (1.0 + f64::from(expected.abs())), "{found} for {expected}");
    }
}

#[test]
fn scores_agree_with_the_reference() {
    let world = World::new();
    for (detector, golden) in [
        ("mcm", "mcm"),
        ("l-mcm", "local_mcm"),
        ("gl-mcm", "gl_mcm"),
        ("gl-mcm-half", "gl_mcm_half"),
        ("clipn-ctw", "clipn_ctw"),
        ("clipn-atd", "clipn_atd"),
        ("msp", "msp"),
        ("max-logit", "max_logit"),
        ("energy", "energy"),
    ] {
        agree(&world.scores(detector), &world.goldens.floats(&format!("score.{golden}")));
    }
}

#[test]
fn temperature_divides_the_cosines() {
    let world = World::new();
    let at = |image: usize| &world.image[image * CLASSES..][..CLASSES];
    let found: Vec<f32> = (0..world.images).map(|i| mcm::best_share(at(i), 0.01) as f32).collect();
    agree(&found, &world.goldens.floats("score.mcm_t0.01"));
    // Which is MSP on the logits.
    agree(&found, &world.goldens.floats("score.msp"));
}

#[test]
fn learnt_prompts_take_the_names_place() {
    // No golden has LoCoOp's scores, but it has its texts; the formulas are those above.
    let world = World::new();
    let share = |at: usize| mcm::best_share(&world.prompted[at * CLASSES..][..CLASSES], 1.0);
    let each = world.local.len() / world.images;
    let patch =
        |at: usize| gl_mcm::best_patch(&world.prompted_local[at * each..][..each], CLASSES, 1.0);
    let whole: Vec<f32> = (0..world.images).map(|at| share(at) as f32).collect();
    let both: Vec<f32> = (0..world.images).map(|at| (share(at) + patch(at)) as f32).collect();
    agree(&world.scores("locoop-mcm"), &whole);
    agree(&world.scores("locoop-gl-mcm"), &both);
    assert!(whole.iter().zip(&world.scores("mcm")).all(|(a, b)| (a - b).abs() > 1e-7));
}

#[test]
fn decisions_of_the_paper_agree_with_the_reference() {
    let goldens = open("clipn_decisions.safetensors");
    let (yes, no) = ((goldens.shape("yes"), goldens.floats("yes")), goldens.floats("no"));
    let classes = yes.0[1];
    let cosines = |logits: &[f32]| -> Vec<f32> { logits.iter().map(|v| v / LOGIT_SCALE).collect() };
    let rows = yes.1.chunks(classes).zip(no.chunks(classes));
    let (mut all, mut known) = ([const { Vec::new() }; 3], [const { Vec::new() }; 2]);
    for (yes, no) in rows {
        let image = YesNo::new(&cosines(yes), &cosines(no));
        let scores = [image.competing_to_win(), image.agreeing_to_differ(), image.none_of_these()];
        all.iter_mut().zip(scores).for_each(|(list, score)| list.push(score as f32));
        let lambda = |name: &str| f64::from(by_name(name).unwrap().own_lambda().unwrap());
        let decided = [
            image.competing_to_win() >= lambda("clipn-ctw"),
            image.margin_over_none() >= lambda("clipn-atd-decision"),
        ];
        known.iter_mut().zip(decided).for_each(|(list, is)| list.push(f32::from(u8::from(is))));
    }
    for (found, name) in all.iter().zip(["ctw", "atd", "unknown"]) {
        agree(found, &goldens.floats(name));
    }
    for (found, name) in known.iter().zip(["ctw_known", "atd_known"]) {
        assert_eq!(*found, goldens.floats(name), "{name}");
        // Both answers are given.
        assert!(found.contains(&0.0) && found.contains(&1.0));
    }
    assert_eq!(by_name("clipn-atd").unwrap().own_lambda(), None);
}

#[test]
fn negative_words_agree_with_the_reference() {
    let world = World::new();
    let goldens = &world.goldens;
    let (clip, whole) = load_clipn();
    let features = floats(clip.text.forward(&tokens(&whole, "negative_tokens")));
    let texts: Vec<Vec<f32>> = features.chunks(48).map(unit).collect();
    let with = cosines(&rows(goldens, "image_features"), &texts);
    let plain: Vec<usize> = (0..texts.len()).collect();
    let order = indices(goldens, "neg_label_order");
    for (groups, order, golden) in
        [(1, &plain, "neg_label_1"), (4, &plain, "neg_label_4"), (4, &order, "neg_label_4_ordered")]
    {
        let score = |at: usize| {
            let known = &world.image[at * CLASSES..][..CLASSES];
            neg_label::known_share(known, &with[at * texts.len()..][..texts.len()], groups, order)
        };
        let found: Vec<f32> = (0..world.images).map(|at| score(at) as f32).collect();
        agree(&found, &goldens.floats(&format!("score.{golden}")));
    }
    let names = rows(goldens, "text_features");
    let mined = negatives::farthest(&texts.concat(), &names.concat(), texts[0].len(), 0.4);
    assert_eq!(mined, indices(goldens, "mined_negatives"));
}

#[test]
fn a_model_without_names_cannot_score_with_them() {
    let refused = |detector: &str, inputs: &[Input]| {
        let bound = bind(by_name(detector).unwrap(), &Statistics::default(), &head(inputs));
        bound.err().map(|error| error.to_string())
    };
    let message = refused("mcm", &[]).unwrap();
    assert_eq!(
        message,
        "detector `mcm` needs the similarity to each known name (a CLIP), which is not there"
    );
    assert!(refused("clipn-atd", &[Input::NameCosines]).unwrap().contains("no side"));
    assert_eq!(refused("clipn-atd", &[Input::NameCosines, Input::NoCosines]), None);
    assert_eq!(refused("msp", &[]), None);
    // A CLIP's sample that lacks its names is refused like any other.
    let bound = bind(by_name("mcm").unwrap(), &Statistics::default(), &head(&[Input::NameCosines]));
    let missing = bound.unwrap().score(&Sample::default());
    assert!(matches!(missing, Err(ScoreError::MissingInput { .. })));
}
