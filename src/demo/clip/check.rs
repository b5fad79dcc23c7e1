//! How well a CLIP of the procedural world tells named objects from others, on scenes that it was not
//! trained on: nine of the eighteen classes are named known, and the other nine are shown.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use super::{ids, unit};
use crate::demo::nouns::{self, ABSENT};
use crate::demo::rng::SceneRng;
use crate::demo::{ID_CLASSES, Scene, Set, scene};
use crate::eval::metrics::RankedScores;
use crate::image::{Normalisation, RgbImage, Transform, tensor_data};
use crate::nn::clip::tokenizer::Tokenizer;
use crate::nn::clip::{Clip, NoPrompt};
use crate::score::distance::Centers;
use crate::score::negatives::NOUN_TEMPLATE;
use crate::score::{
    self, FittedDetector, Head, Input, LOGIT_SCALE, NameCosines, Sample, Statistics,
};

/// The domain of the splits' random draws.
const SPLIT_DOMAIN: u64 = 42;

/// Scenes that go through the network at once.
const BATCH: usize = 16;

/// Held-out scenes of known objects, with what a model makes of them.
pub struct HeldOut {
    /// For each scene the classes it shows, the main one first.
    classes: Vec<Vec<usize>>,
    /// Unit features: the image's, then its patches', `[scenes, 1 + patches, joint]`.
    features: Vec<f32>,
    joint: usize,
}

/// The network's input for a scene of any size.
fn prepared(scene: &Scene, side: u32) -> Vec<f32> {
    let (size, pixels) = (scene.size as u32, scene.image.clone());
    let Some(picture) = RgbImage::from_raw(size, size, pixels) else { return Vec::new() };
    tensor_data(&Transform::Clip.apply(&picture, side), &Normalisation::CLIP)
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
    /// Draws `count` scenes of a seed, at full size, and encodes them as any picture is.
    ///
    /// # Errors
    /// If the device fails.
    pub fn encode(
        clip: &Clip,
        side: usize,
        seed: u64,
        count: u64,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let mut held_out = Self { classes: Vec::new(), features: Vec::new(), joint: 0 };
        for first in (0..count).step_by(BATCH) {
            let range = first..(first + BATCH as u64).min(count);
            let drawn: Vec<(Scene, Vec<f32>)> = range
                .into_par_iter()
                .map(|index| {
                    let scene = scene(Set::Id, seed, index);
                    let values = prepared(&scene, side as u32);
                    (scene, values)
                })
                .collect();
            let (scenes, values): (Vec<Scene>, Vec<Vec<f32>>) = drawn.into_iter().unzip();
            let values = values.concat();
            let shape = [scenes.len(), 3, side, side];
            let images = Tensor::from_data(TensorData::new(values, shape), device);
            let features = unit(clip.image.forward(images));
            held_out.joint = features.dims()[2];
            held_out.features.extend(features.try_into_data()?.iter::<f32>());
            for scene in scenes {
                let main = scene.class.into_iter();
                let others = scene.tags.iter().copied().filter(|&tag| tag < ID_CLASSES.len());
                held_out.classes.push(main.chain(others).collect());
            }
        }
        Ok(held_out)
    }

    /// The whole image's feature and the patches' local features of a scene, row after row.
    fn of(&self, scene: usize) -> (&[f32], &[f32]) {
        let each = self.features.len() / self.classes.len().max(1);
        self.features[scene * each..][..each].split_at(self.joint)
    }
}

/// The mean over `splits` of how each detector that the model has all for tells scenes of nine named
/// classes from scenes that show none of them. Names stand in `template`, as `{}`.
///
/// # Errors
/// If a text cannot be encoded or the device fails.
pub fn judge(
    clip: &Clip,
    tokenizer: &Tokenizer,
    held_out: &HeldOut,
    template: &str,
    splits: u64,
) -> anyhow::Result<Vec<DetectorQuality>> {
    let names: Vec<String> = ID_CLASSES.iter().map(|name| template.replace("{}", name)).collect();
    let names = ids(tokenizer, &names)?;
    let read = |features: Tensor<2>| -> anyhow::Result<Vec<f32>> {
        Ok(unit(features).try_into_data()?.iter::<f32>().collect())
    };
    let texts = read(clip.text.forward(&names))?;
    let no = match &clip.no {
        Some(no) => Some(read(no.forward(&names, NoPrompt::Mean))?),
        None => None,
    };
    let words: Vec<String> = ABSENT.iter().map(|word| NOUN_TEMPLATE.replace("{}", word)).collect();
    let negatives = read(clip.text.forward(&ids(tokenizer, &words)?))?;
    let mut tallies: Vec<(&'static str, Vec<SplitOutcome>)> = Vec::new();
    for split in 0..splits {
        let known = split_of(split);
        let rows = |all: &[f32]| -> Vec<f32> {
            known
                .iter()
                .flat_map(|&at| &all[at * held_out.joint..][..held_out.joint])
                .copied()
                .collect()
        };
        let texts =
            SplitTexts { known: rows(&texts), no: no.as_deref().map(rows), negatives: &negatives };
        for (detector, outcome) in texts.outcomes(held_out, &known)? {
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
    clip: &Clip,
    tokenizer: &Tokenizer,
    held_out: &HeldOut,
    template: &str,
) -> anyhow::Result<Vec<NameFound>> {
    let encode = |names: &[&str]| -> anyhow::Result<Vec<f32>> {
        let texts: Vec<String> = names.iter().map(|name| template.replace("{}", name)).collect();
        let features = unit(clip.text.forward(&ids(tokenizer, &texts)?));
        Ok(features.try_into_data()?.iter::<f32>().collect())
    };
    let own = encode(&ID_CLASSES)?;
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let mut found = Vec::new();
    for (class, class_name) in ID_CLASSES.iter().enumerate() {
        for noun in nouns::names(class) {
            let text = encode(&[noun.one])?;
            let scenes = (0..held_out.classes.len())
                .filter(|&scene| held_out.classes[scene].first() == Some(&class));
            let (mut won, mut all) = (0, 0);
            for scene in scenes {
                let (image, _) = held_out.of(scene);
                let score = dot(image, &text);
                let others = own.chunks(held_out.joint).enumerate().filter(|(at, _)| *at != class);
                won += usize::from(others.into_iter().all(|(_, other)| dot(image, other) < score));
                all += 1;
            }
            let share = won as f64 / f64::from(all.max(1));
            found.push(NameFound { class: class_name, name: noun.one, share });
        }
    }
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

/// The texts of one split, of unit length, row after row.
struct SplitTexts<'a> {
    known: Vec<f32>,
    no: Option<Vec<f32>>,
    negatives: &'a [f32],
}

/// The cosines of one scene.
struct SceneCosines {
    image: Vec<f32>,
    local: Vec<f32>,
    no: Option<Vec<f32>>,
    negatives: Vec<f32>,
    logits: Vec<f32>,
}

impl SplitTexts<'_> {
    /// What the detectors do that this model's cosines are enough for.
    fn outcomes(
        &self,
        held_out: &HeldOut,
        known: &[usize],
    ) -> anyhow::Result<Vec<(&'static str, SplitOutcome)>> {
        let shows_known =
            |scene: &usize| held_out.classes[*scene].iter().any(|c| known.contains(c));
        let main_is_known =
            |scene: &usize| held_out.classes[*scene].first().is_some_and(|c| known.contains(c));
        let all = 0..held_out.classes.len();
        // A scene of another class that shows a known object too is neither.
        let id: Vec<usize> = all.clone().filter(main_is_known).collect();
        let ood: Vec<usize> = all.filter(|scene| !shows_known(scene)).collect();
        let cosines = |scenes: &[usize]| -> Vec<SceneCosines> {
            scenes.par_iter().map(|&scene| self.cosines(held_out, scene)).collect()
        };
        let (id, ood) = (cosines(&id), cosines(&ood));
        let head = self.head(known.len(), held_out.joint)?;
        let mut outcomes = Vec::new();
        for detector in score::all() {
            let needs = detector.info().needs;
            // The others need what `fit` makes.
            let is_of_names = needs.iter().any(|input| input.is_of_names());
            if !(is_of_names || needs == [Input::ClassLogits]) {
                continue;
            }
            let Ok(bound) = score::bind(*detector, &Statistics::default(), &head) else { continue };
            outcomes.push((detector.info().id, outcome(&bound, &id, &ood)?));
        }
        Ok(outcomes)
    }

    fn cosines(&self, held_out: &HeldOut, scene: usize) -> SceneCosines {
        let (image, local) = held_out.of(scene);
        let with = |rows: &[f32], texts: &[f32]| -> Vec<f32> {
            let texts = texts.chunks(held_out.joint);
            let dot = |row: &[f32], text: &[f32]| row.iter().zip(text).map(|(a, b)| a * b).sum();
            let rows = rows.chunks(held_out.joint);
            rows.flat_map(|row| texts.clone().map(move |text| dot(row, text))).collect()
        };
        let whole = with(image, &self.known);
        SceneCosines {
            logits: whole.iter().map(|cosine| LOGIT_SCALE * cosine).collect(),
            image: whole,
            local: with(local, &self.known),
            no: self.no.as_ref().map(|no| with(image, no)),
            negatives: with(image, self.negatives),
        }
    }

    fn head(&self, classes: usize, joint: usize) -> anyhow::Result<Arc<Head>> {
        let centers = Centers::new(self.known.clone(), [classes, 1, joint])?;
        let weight = self.known.iter().map(|value| LOGIT_SCALE * value).collect();
        let mut inputs = vec![Input::NameCosines, Input::LocalCosines, Input::NegativeCosines];
        inputs.extend(self.no.as_ref().map(|_| Input::NoCosines));
        Ok(Arc::new(Head::new(weight, vec![0.0; classes], centers)?.with_names(&inputs)))
    }
}

fn outcome(
    detector: &FittedDetector,
    id: &[SceneCosines],
    ood: &[SceneCosines],
) -> anyhow::Result<SplitOutcome> {
    let scores = |scenes: &[SceneCosines]| -> anyhow::Result<Vec<f32>> {
        let samples: Vec<Sample> = scenes.iter().map(sample).collect();
        Ok(detector.score_batch(&samples)?)
    };
    let (id, ood) = (scores(id)?, scores(ood)?);
    let share = |scores: &[f32], is_right: &dyn Fn(f32) -> bool| {
        scores.iter().filter(|score| is_right(**score)).count() as f64 / scores.len().max(1) as f64
    };
    let decided = detector
        .own_lambda()
        .map(|lambda| [share(&id, &|s| s >= lambda), share(&ood, &|s| s < lambda)]);
    let metrics = RankedScores::from_sets(id, ood)?.metrics();
    Ok(SplitOutcome { auroc: metrics.auroc, fpr95: metrics.fpr95, decided })
}

fn sample(cosines: &SceneCosines) -> Sample<'_> {
    let names = NameCosines {
        image: &cosines.image,
        local: &cosines.local,
        no: cosines.no.as_deref(),
        negatives: Some(&cosines.negatives),
        prompted: None,
    };
    Sample { class_logits: &cosines.logits, names: Some(names), ..Sample::default() }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::bundle::embedded;
    use crate::demo::HELD_OUT_SEED;
    use crate::nn::weights::WeightLoader;

    #[test]
    fn the_embedded_clip_tells_named_objects_from_others() {
        let checkpoint = embedded::clip().unwrap();
        let tokenizer = embedded::clip_tokenizer(&checkpoint.config).unwrap();
        let device = Device::flex();
        let from = WeightLoader::stored(&checkpoint.source, &device);
        let clip = Clip::new(&checkpoint.config, &from).unwrap();
        let side = checkpoint.config.image.image;
        let held_out = HeldOut::encode(&clip, side, HELD_OUT_SEED, 200, &device).unwrap();
        let found = judge(&clip, &tokenizer, &held_out, "a photo of a {}.", 5).unwrap();
        let auroc = |id: &str| found.iter().find(|found| found.detector == id).unwrap().auroc;
        assert!(auroc("clipn-atd") > 0.95, "{found:?}");
        assert!(auroc("mcm") > 0.95, "{found:?}");
        let decision = found.iter().find(|found| found.detector == "clipn-atd-decision").unwrap();
        assert!(decision.decided.unwrap().iter().all(|&share| share > 0.8), "{decision:?}");
        // Other names reach the same objects.
        let names = names_found(&clip, &tokenizer, &held_out, "a photo of a {}.").unwrap();
        for name in ["aeroplane", "kitty", "bike", "mug"] {
            let share = names.iter().find(|found| found.name == name).unwrap().share;
            assert!(share > 0.8, "{name}: {share}");
        }
    }
}
