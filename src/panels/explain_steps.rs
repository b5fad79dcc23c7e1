//! The method in ten steps, told with the numbers of the image on show.

use crate::bundle::manifest::Recipe;
use crate::score::verdict::{Outcome, Rejection};
use crate::session::{Session, entry::Entry};
use crate::worker::ModelInfo;

/// One step of the explanation.
pub(super) struct Step {
    /// A word or two.
    pub title: &'static str,
    /// What is computed, on one line.
    pub formula: String,
    /// One or two sentences.
    pub text: String,
    /// Whether it happened to this image: one that is rejected is not taken through the rest.
    pub happened: bool,
}

/// The steps' titles.
pub const TITLES: [&str; 10] = [
    "Photo",
    "Patches",
    "Tags",
    "Attention",
    "Min–max",
    "Threshold",
    "Kept tokens",
    "Projector",
    "Centers",
    "Score",
];

/// The steps from which a rejected image is not taken through, and the one that tells the verdict.
const HEADS: usize = 3;
const PROJECTOR: usize = 7;
const SCORE: usize = 9;

/// What the steps are told about.
pub(super) struct ExplainedImage<'a> {
    pub entry: &'a Entry,
    /// Settings.
    pub session: &'a Session,
    /// The network.
    pub info: &'a ModelInfo,
}

impl ExplainedImage<'_> {
    /// The known tag that is followed through the steps: the likeliest of those that count.
    pub(super) fn tag(&self) -> Option<usize> {
        let probabilities = self.entry.tagged.as_ref()?.probabilities();
        let analysis = self.entry.analysis.as_ref()?;
        let counting = analysis.decomposition.tags.iter().copied();
        counting.max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]))
    }

    /// That tag's attention in the recipe's layer, `[H, P]`.
    pub(super) fn attention(&self) -> Option<&[f32]> {
        self.entry.attention(self.tag()?, self.info.layer(self.session.settings()))
    }

    fn tag_name(&self) -> String {
        let name = |tag: usize| self.info.vocabulary.tags[tag].clone();
        self.tag().map_or_else(|| "no known tag".into(), name)
    }

    /// Whether a step happened to the image on show.
    pub(super) fn happened(&self, number: usize) -> bool {
        let analysis = self.entry.analysis.as_ref();
        match analysis.and_then(|analysis| analysis.verdict.rejected) {
            Some(Rejection::NoKnownTag) => !(HEADS..SCORE).contains(&number),
            Some(Rejection::NothingKept) => !(PROJECTOR..SCORE).contains(&number),
            None => true,
        }
    }

    /// The step of a number below the number of [`TITLES`].
    pub(super) fn step(&self, number: usize) -> Step {
        let happened = self.happened(number);
        let (formula, text) = match number {
            0 => self.photo(),
            1 => self.patches(),
            2 => self.tags(),
            3 => self.heads(),
            4 => self.stretch(),
            5 => self.threshold(),
            6 => self.kept(),
            7 => self.projector(),
            8 => self.centers(),
            _ => self.score(),
        };
        let text = if happened { text } else { self.why_not() };
        Step { title: TITLES[number.min(TITLES.len() - 1)], formula, text, happened }
    }

    /// Why a step did not happen.
    fn why_not(&self) -> String {
        let reason =
            self.entry.analysis.as_ref().map(|analysis| analysis.verdict.reason.to_string());
        format!("Not done for this image: {}.", reason.unwrap_or_default())
    }

    fn photo(&self) -> (String, String) {
        let [width, height] = self.entry.size.unwrap_or_default();
        let side = self.info.manifest.image_side();
        (
            format!("x = (resize(photo, {side} × {side}) − mean) / deviation"),
            format!(
                "The photo has {width} × {height} pixels. The network sees a square of {side} × {side}, \
                 each channel shifted and scaled to the values it was trained with."
            ),
        )
    }

    fn patches(&self) -> (String, String) {
        let tokens = self.entry.tagged.as_ref().map_or(0, |tagged| tagged.positions());
        let grid = tokens.saturating_sub(1).isqrt();
        let width = self.info.manifest.token_width();
        let manifest = &self.info.manifest;
        if let Some(clip) = &manifest.clip {
            let patch = clip.shape.image.patch;
            return (
                format!(
                    "ViT(x) → {tokens} tokens = 1 of the image + {grid} × {grid} patches, {width} numbers each"
                ),
                format!(
                    "Each patch of {patch} × {patch} pixels is one token, and all of them look at each other \
                     in CLIP's vision transformer. What remains stands in the space that CLIP's texts \
                     stand in, too.",
                ),
            );
        }
        let patch = manifest.tagger.as_ref().map_or(0, |tagger| tagger.swin.patch);
        (
            format!(
                "Swin(x) → {tokens} tokens = 1 global + {grid} × {grid} places, {width} numbers each"
            ),
            format!(
                "Cut into patches of {patch} × {patch} pixels, the photo passes through the Swin transformer, \
                 whose stages merge neighbours. What remains is one token for each of {grid} × {grid} \
                 places, and one for the whole."
            ),
        )
    }

    fn tags(&self) -> (String, String) {
        let counting =
            self.entry.analysis.as_ref().map_or(0, |analysis| analysis.decomposition.tags.len());
        let all = self.info.vocabulary.tags.len();
        let known = self.info.vocabulary.id_tags().len();
        (
            "p(tag) = sigmoid(logit(tag)),  counts if p > threshold and the tag stands for a class"
                .into(),
            format!(
                "The tag decoder asks the tokens about {all} tags. {known} of them stand for a known \
                 class; {counting} of those are likely enough here to count. Going on with: {}.",
                self.tag_name()
            ),
        )
    }

    fn heads(&self) -> (String, String) {
        let [_, heads] = self.info.manifest.map_layers_and_heads();
        let layer = self.info.layer(self.session.settings()) + 1;
        (
            "a[head, place] = softmax over places of ⟨query(tag), key(place)⟩ / √d".into(),
            format!(
                "To answer for “{}”, the decoder attends to some places more than to others. Layer \
                 {layer} does so with {heads} heads, each shown here; every head's attention adds up to 1.",
                self.tag_name()
            ),
        )
    }

    fn stretch(&self) -> (String, String) {
        let positions = self.entry.tagged.as_ref().map_or(1, |tagged| tagged.positions());
        let sums: Vec<f32> = (0..positions)
            .map(|at| {
                let heads = self.attention().unwrap_or_default().chunks_exact(positions);
                heads.map(|head| head[at]).sum()
            })
            .collect();
        let low = sums.iter().copied().fold(f32::INFINITY, f32::min);
        let high = sums.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        (
            "r = (Σ heads a − min) / (max − min)".into(),
            format!(
                "Summed over heads, attention runs from {low:.5} to {high:.5} here. Stretched to 0…1 it \
                 becomes relevance, which can be compared between tags; several tags join by their \
                 maximum."
            ),
        )
    }

    fn threshold(&self) -> (String, String) {
        let tau = self.session.settings().tau;
        let analysis = self.entry.analysis.as_ref();
        let kept = analysis.map_or(0, |analysis| analysis.decomposition.kept());
        let all = analysis.map_or(0, |analysis| analysis.decomposition.mask.len());
        (
            format!("m = r > τ,  τ = {tau:.2}"),
            format!(
                "Places whose relevance exceeds τ belong to an object: {kept} of {all} do. A higher τ \
                 keeps less of the surroundings, and at last less of the object. Try [ and ]."
            ),
        )
    }

    fn kept(&self) -> (String, String) {
        let kept = self.entry.analysis.as_ref().map_or(0, |analysis| analysis.decomposition.kept());
        let width = self.info.manifest.token_width();
        (
            format!("Z = {{ token(place) : m(place) }},  {kept} × {width}"),
            "Only the object's tokens go on; the background, which often differs between data sets \
             for reasons of no interest, is left behind."
                .into(),
        )
    }

    fn projector(&self) -> (String, String) {
        let width = self.info.manifest.projector.as_ref().map_or(0, |projector| projector.width);
        let feature = self.entry.analysis.as_ref().and_then(|analysis| analysis.projected.as_ref());
        let norm = feature.map_or(0.0, |p| p.feature.iter().map(|v| v * v).sum::<f32>().sqrt());
        (
            format!("f = transformer([cls; Z])[0],  {width} numbers"),
            format!(
                "A small transformer, trained on known images alone, condenses the object's tokens \
                 into one feature. Here are its {width} numbers; its length is {norm:.2}."
            ),
        )
    }

    fn centers(&self) -> (String, String) {
        let classes = self.info.vocabulary.classes.len();
        let nearest = self.entry.analysis.as_ref().and_then(|analysis| analysis.nearest.first());
        let nearest = nearest.map_or_else(
            || "There is no class center to compare with.".to_owned(),
            |nearest| {
                let name = self.info.vocabulary.class_name(nearest.class);
                format!("The nearest is “{name}”, at a cosine of {:.3}.", nearest.similarity)
            },
        );
        let formula = match self.session.settings().recipe {
            Recipe::Paper => "s(class) = cos(f, center(class))",
            Recipe::Released => "s(class) = mean over patterns of cos(f, center(class, pattern))",
        };
        let text = format!(
            "Each of the {classes} known classes has a center: the running mean of its training \
             features. {nearest}"
        );
        (formula.into(), text)
    }

    fn score(&self) -> (String, String) {
        let settings = &self.session.settings();
        let detector = self.info.detectors.iter().find(|d| d.id == settings.detector);
        let formula =
            detector.map_or_else(String::new, |d| crate::ui::widgets::formula_text(d.formula));
        let Some(analysis) = &self.entry.analysis else { return (formula, String::new()) };
        let verdict = &analysis.verdict;
        let decision = match verdict.outcome {
            Some(Outcome::Id) => "in-distribution",
            Some(Outcome::Ood) => "out-of-distribution",
            None => "undecided",
        };
        let numbers = match (verdict.score, verdict.lambda) {
            (Some(score), Some(lambda)) => format!("The score is {score:.3} and λ is {lambda:.3}"),
            (Some(score), None) => format!("The score is {score:.3}; there is no λ"),
            _ => "The image is not scored".into(),
        };
        (formula, format!("{numbers}, so the image is {decision}: {}.", verdict.reason))
    }
}
