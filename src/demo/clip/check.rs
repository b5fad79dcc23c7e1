//! How well a CLIP of the procedural world tells named objects from others, on scenes that it was not
//! trained on: nine of the eighteen classes are named known, and the other nine are shown. Scores are
//! those of [`Pipeline::score`], as everywhere.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;

use crate::bundle::known::{KnownName, plain};
use crate::bundle::manifest::Recipe;
use crate::demo::nouns::{self, ABSENT};
use crate::demo::rng::SceneRng;
use crate::demo::{ID_CLASSES, Scene, Set, scene};
use crate::eval::metrics::RankedScores;
use crate::image::RgbImage;
use crate::pipeline::{
    Column, Features, Image, Keep, Labels, OdinInput, Pipeline, PipelineError, ScorePlan,
    TaggerOutput,
};
use crate::score::negatives::NegativeWords;
use crate::score::{FittedDetector, Input};

/// The domain of the splits' random draws.
const SPLIT_DOMAIN: u64 = 42;

/// Scenes that go through the network at once.
const BATCH: usize = 16;

/// Held-out scenes of known objects, with what a model makes of them.
pub struct HeldOut {
    /// For each scene the classes it shows, the main one first.
    classes: Vec<Vec<usize>>,
    /// What the network makes of each.
    seen: Vec<TaggerOutput>,
}

/// How one detector does.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct DetectorQuality {
    /// Its [`id`](crate::score::Info::id).
    pub detector: &'static str,
    /// Mean over the splits, known positive, 0 to 1.
    pub auroc: f64,
    /// Mean over the splits, known positive, 0 to 1.
    pub fpr95: f64,
    /// Of detectors that decide by themselves, the mean over the splits of the share of known scenes
    /// that they call known, and of unknown ones that they call unknown.
    pub decided: Option<[f64; 2]>,
}

impl HeldOut {
    /// Draws `count` scenes of a seed, at full size, and has them seen as any picture is.
    ///
    /// # Errors
    /// If the device fails.
    pub fn see(pipeline: &Pipeline, seed: u64, count: u64) -> Result<Self, PipelineError> {
        let mut held_out = Self { classes: Vec::new(), seen: Vec::new() };
        for first in (0..count).step_by(BATCH) {
            let range = first..(first + BATCH as u64).min(count);
            let drawn = range.into_par_iter().map(|index| {
                let scene = scene(Set::Id, seed, index);
                let values = prepared(pipeline, &scene);
                (scene, values)
            });
            let (scenes, values): (Vec<Scene>, Vec<Vec<f32>>) = drawn.unzip();
            held_out.seen.extend(pipeline.tag(&values, Keep::Id)?);
            for scene in scenes {
                let main = scene.class.into_iter();
                let others = scene.tags.iter().copied().filter(|&tag| tag < ID_CLASSES.len());
                held_out.classes.push(main.chain(others).collect());
            }
        }
        Ok(held_out)
    }

    /// The scenes that hold for a set of known classes: those whose main object is known, and those
    /// that show none. A scene of another class that shows a known object too is neither.
    fn split(&self, known: &[usize]) -> [Vec<Image<'_>>; 2] {
        let scenes = || self.classes.iter().zip(&self.seen);
        let main = |(classes, _): &(&Vec<usize>, &TaggerOutput)| {
            classes.first().is_some_and(|class| known.contains(class))
        };
        let none = |(classes, _): &(&Vec<usize>, &TaggerOutput)| {
            !classes.iter().any(|class| known.contains(class))
        };
        let image = |(_, seen)| Image::from(seen);
        [scenes().filter(main).map(image).collect(), scenes().filter(none).map(image).collect()]
    }
}

/// The network's input for a scene of any size.
fn prepared(pipeline: &Pipeline, scene: &Scene) -> Vec<f32> {
    let (size, pixels) = (scene.size as u32, scene.image.clone());
    let picture = RgbImage::from_raw(size, size, pixels);
    picture.map(|picture| pipeline.prepare(&picture)).unwrap_or_default()
}

/// Names without synonyms, in one template.
fn labels(names: impl IntoIterator<Item = String>, template: &str) -> Labels {
    let plain = |name| KnownName { name, synonyms: Vec::new() };
    Labels {
        known: names.into_iter().map(plain).collect(),
        templates: vec![template.to_owned()],
        negatives: None,
    }
}

/// The mean over `splits` of how each detector that the model has all for tells scenes of nine named
/// classes from scenes that show none of them. Names stand in `template`, as `{}`; negative words name
/// what no scene shows.
///
/// # Errors
/// If a text cannot be encoded or the device fails.
pub fn judge(
    pipeline: &mut Pipeline,
    held_out: &HeldOut,
    template: &str,
    splits: u64,
) -> anyhow::Result<Vec<DetectorQuality>> {
    let absent = ABSENT.map(str::to_owned).to_vec();
    let words = NegativeWords { nouns: absent, ..NegativeWords::default() };
    let mut tallies: Vec<(&'static str, Vec<SplitOutcome>)> = Vec::new();
    for split in 0..splits {
        let known = split_of(split);
        let names = known.iter().map(|&class| ID_CLASSES[class].to_owned());
        let negatives = Some((Arc::new(words.clone()), PathBuf::from("the drawn world's own")));
        pipeline.set_labels(Labels { negatives, ..labels(names, template) })?;
        for (detector, outcome) in outcomes(pipeline, held_out.split(&known))? {
            match tallies.iter_mut().find(|(id, _)| *id == detector) {
                Some((_, outcomes)) => outcomes.push(outcome),
                None => tallies.push((detector, vec![outcome])),
            }
        }
    }
    Ok(tallies.into_iter().map(|(detector, outcomes)| quality(detector, &outcomes)).collect())
}

/// How far one name of a class reaches its objects.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct NameFound {
    /// The class.
    pub class: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// Share of the class's scenes that are more like this name than like any other class's own, 0 to 1.
    pub share: f64,
}

/// For each name of each class, its own and others that people use, the share of the class's scenes
/// that it wins against the other classes' own names.
///
/// # Errors
/// If a text cannot be encoded or the device fails.
pub fn names_found(
    pipeline: &mut Pipeline,
    held_out: &HeldOut,
    template: &str,
) -> anyhow::Result<Vec<NameFound>> {
    let all = (0..ID_CLASSES.len()).flat_map(|class| {
        nouns::names(class).iter().map(move |noun| (class, noun.one)).collect::<Vec<_>>()
    });
    let mut known: BTreeSet<String> = ID_CLASSES.iter().map(|name| plain(name)).collect();
    // The classes' own names come first.
    let mut names: Vec<(usize, &'static str)> = ID_CLASSES.iter().copied().enumerate().collect();
    names.extend(all.filter(|(_, name)| known.insert(plain(name))));
    pipeline.set_labels(labels(names.iter().map(|(_, name)| (*name).to_owned()), template))?;
    let set = pipeline.label_set().cloned().unwrap_or_default();
    let logits: Vec<Vec<f32>> =
        held_out.seen.iter().map(|seen| set.logits(&seen.tokens[..seen.width])).collect();
    let mut found: Vec<NameFound> = Vec::with_capacity(names.len());
    for (at, &(class, name)) in names.iter().enumerate() {
        let of_class = |scene: &usize| held_out.classes[*scene].first() == Some(&class);
        let scenes: Vec<usize> = (0..held_out.classes.len()).filter(of_class).collect();
        let wins = |&&scene: &&usize| {
            let others = (0..ID_CLASSES.len()).filter(|&other| other != class);
            let logits = &logits[scene];
            others.into_iter().all(|other| logits[other] < logits[at])
        };
        let won = scenes.iter().filter(wins).count();
        let share = won as f64 / scenes.len().max(1) as f64;
        found.push(NameFound { class: ID_CLASSES[class], name, share });
    }
    // Stable: a class's own name stays the first.
    found.sort_by_key(|found| ID_CLASSES.iter().position(|class| *class == found.class));
    Ok(found)
}

/// Nine of the classes by lot.
fn split_of(split: u64) -> Vec<usize> {
    let mut rng = SceneRng::new(SPLIT_DOMAIN, split, 0);
    let mut classes: Vec<usize> = (0..ID_CLASSES.len()).collect();
    for at in (1..classes.len()).rev() {
        classes.swap(at, rng.below(at + 1));
    }
    classes.truncate(ID_CLASSES.len() / 2);
    classes
}

/// What one detector did on one split.
struct SplitOutcome {
    auroc: f64,
    fpr95: f64,
    decided: Option<[f64; 2]>,
}

fn quality(detector: &'static str, outcomes: &[SplitOutcome]) -> DetectorQuality {
    let count = outcomes.len().max(1) as f64;
    let mean = |of: &dyn Fn(&SplitOutcome) -> f64| outcomes.iter().map(of).sum::<f64>() / count;
    let decides = outcomes.iter().all(|outcome| outcome.decided.is_some());
    let decided = |which: usize| {
        mean(&|outcome: &SplitOutcome| outcome.decided.map_or(0.0, |shares| shares[which]))
    };
    DetectorQuality {
        detector,
        auroc: mean(&|outcome| outcome.auroc),
        fpr95: mean(&|outcome| outcome.fpr95),
        decided: decides.then(|| [decided(0), decided(1)]),
    }
}

/// What the detectors do that need names and nothing that `fit` makes.
fn outcomes(
    pipeline: &Pipeline,
    [id, ood]: [Vec<Image<'_>>; 2],
) -> anyhow::Result<Vec<(&'static str, SplitOutcome)>> {
    let of_names = |info: &&crate::score::Info| {
        let needs = info.needs;
        needs.iter().any(|input| input.is_of_names()) || needs == [Input::ClassLogits]
    };
    let infos = pipeline.detectors();
    let detectors = infos.into_iter().filter(|info| of_names(info));
    let detectors: Vec<&FittedDetector> =
        detectors.filter_map(|info| pipeline.detector(info.id)).collect();
    let scores = |images: &[Image<'_>]| -> anyhow::Result<Vec<Vec<f32>>> {
        let column = Column { features: Features::WholeImage, detectors: detectors.clone() };
        let plan =
            ScorePlan { recipe: Recipe::Paper, odin: OdinInput::Tokens, columns: vec![column] };
        let scored = pipeline.score(images, &plan)?;
        let of_detectors = scored.into_iter().flat_map(|column| column.scores);
        let ranked = |scores: Result<Vec<crate::score::verdict::Score>, _>| {
            Ok(scores?.into_iter().map(|score| score.ranked).collect())
        };
        of_detectors.map(ranked).collect()
    };
    let both = scores(&id)?.into_iter().zip(scores(&ood)?);
    detectors
        .iter()
        .zip(both)
        .map(|(detector, (id, ood))| Ok((detector.info().id, outcome(detector, id, ood)?)))
        .collect()
}

fn outcome(detector: &FittedDetector, id: Vec<f32>, ood: Vec<f32>) -> anyhow::Result<SplitOutcome> {
    let share = |scores: &[f32], is_right: &dyn Fn(f32) -> bool| {
        scores.iter().filter(|score| is_right(**score)).count() as f64 / scores.len().max(1) as f64
    };
    let decided = detector
        .own_lambda()
        .map(|lambda| [share(&id, &|s| s >= lambda), share(&ood, &|s| s < lambda)]);
    let metrics = RankedScores::from_sets(id, ood)?.metrics();
    Ok(SplitOutcome { auroc: metrics.auroc, fpr95: metrics.fpr95, decided })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::embedded;
    use crate::demo::HELD_OUT_SEED;
    use crate::gpu::{self, DeviceChoice};

    #[test]
    fn the_embedded_clip_tells_named_objects_from_others() {
        let compute = gpu::compute(DeviceChoice::Cpu).unwrap();
        let mut pipeline = Pipeline::load(&embedded::clip_bundle().unwrap(), &compute).unwrap();
        let held_out = HeldOut::see(&pipeline, HELD_OUT_SEED, 200).unwrap();
        let found = judge(&mut pipeline, &held_out, "a photo of a {}.", 5).unwrap();
        let auroc = |id: &str| found.iter().find(|found| found.detector == id).unwrap().auroc;
        assert!(auroc("clipn-atd") > 0.95, "{found:?}");
        assert!(auroc("mcm") > 0.95, "{found:?}");
        let decision = found.iter().find(|found| found.detector == "clipn-atd-decision").unwrap();
        assert!(decision.decided.unwrap().iter().all(|&share| share > 0.8), "{decision:?}");
        // Other names reach the same objects.
        let names = names_found(&mut pipeline, &held_out, "a photo of a {}.").unwrap();
        for name in ["aeroplane", "kitty", "bike", "mug"] {
            let share = names.iter().find(|found| found.name == name).unwrap().share;
            assert!(share > 0.8, "{name}: {share}");
        }
    }

    #[test]
    fn scenes_are_scored_as_inspect_scores_them() {
        use crate::pipeline::Settings;
        let compute = gpu::compute(DeviceChoice::Cpu).unwrap();
        let mut pipeline = Pipeline::load(&embedded::clip_bundle().unwrap(), &compute).unwrap();
        let held_out = HeldOut::see(&pipeline, HELD_OUT_SEED, 60).unwrap();
        let found = judge(&mut pipeline, &held_out, "a photo of a {}.", 1).unwrap();
        let known = split_of(0);
        for id in ["mcm", "gl-mcm", "clipn-atd"] {
            let settings = Settings { detector: id.into(), ..pipeline.default_settings() };
            let [id_scores, ood_scores] = held_out.split(&known).map(|images| {
                let score = |image: &Image<'_>| {
                    pipeline.analyse(image.tagged, &settings).unwrap().verdict.score.unwrap()
                };
                images.iter().map(score).collect::<Vec<f32>>()
            });
            let auroc = RankedScores::from_sets(id_scores, ood_scores).unwrap().metrics().auroc;
            let of = found.iter().find(|found| found.detector == id).unwrap();
            assert_eq!(of.auroc, auroc, "{id}");
        }
    }
}
