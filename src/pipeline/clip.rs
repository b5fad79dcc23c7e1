//! CLIP and CLIPN, as the pipeline's network.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use half::f16;

use super::labels::counting;
use super::network::Network;
use super::{
    Attention, Features, Keep, LabelSet, Labels, OdinInput, PipelineError, Projected, TaggerOutput,
    floats,
};
use crate::bundle::manifest::{Arch, ClipPart, Recipe};
use crate::bundle::vocabulary::Vocabulary;
use crate::bundle::{Bundle, ClipFiles};
use crate::decompose;
use crate::nn::clip::tokenizer::Tokenizer;
use crate::nn::clip::{Clip, LearnedPrompts, NoPrompt};
use crate::nn::weights::WeightLoader;
use crate::score::negatives::NegativeWords;
use crate::score::{Input, unit};

/// Texts that go through a text side together, at most.
const TEXTS: usize = 64;

/// The template of a no side that has learned no prompts, and is told no in words: CLIPN's
/// hand-crafted variant.
pub const NO_TEMPLATE: &str = "a photo of no {}.";

/// What a text is encoded by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum TextSide {
    Yes,
    No,
    Prompted,
}

/// A CLIP on a device, with the text features of its names.
pub(super) struct ClipNetwork {
    part: ClipPart,
    clip: Clip,
    prompts: Option<LearnedPrompts>,
    tokenizer: Tokenizer,
    device: Device,
    /// Unit features of every text that was encoded, so that a change of one name costs one text.
    texts: HashMap<(TextSide, String), Arc<[f32]>>,
    labels: Arc<LabelSet>,
}

impl ClipNetwork {
    /// Loads a CLIP's bundle; its names are yet to be set.
    pub(super) fn load(
        bundle: &Bundle,
        (part, files): (&ClipPart, &ClipFiles),
        device: &Device,
    ) -> Result<Self, PipelineError> {
        let from = WeightLoader::stored(&bundle.network, device);
        let clip = Clip::new(&part.shape, &from)?;
        let width = part.shape.text.transformer.width;
        let prompts = files.prompts.as_ref();
        let prompts =
            prompts.map(|source| LearnedPrompts::new(source, width, device)).transpose()?;
        Ok(Self {
            tokenizer: files.tokenizer(part, &bundle.path)?,
            part: part.clone(),
            clip,
            prompts,
            device: device.clone(),
            texts: HashMap::new(),
            labels: Arc::new(LabelSet { width: part.shape.joint, ..LabelSet::default() }),
        })
    }

    /// Features `[1 + N, D]` of prepared images, one after the other.
    fn encode(&self, images: &[&[f32]]) -> Result<Vec<f32>, PipelineError> {
        let side = self.part.shape.image.image;
        let data = TensorData::new(images.concat(), [images.len(), 3, side, side]);
        floats(self.clip.image.forward(Tensor::from_data(data, &self.device)))
    }

    /// Features with what the names in force make of them.
    fn outputs(
        &self,
        tokens: &[f32],
        images: usize,
        (vocabulary, keep): (&Vocabulary, Keep),
    ) -> Result<Vec<TaggerOutput>, PipelineError> {
        let width = self.part.shape.joint;
        let per_image = tokens.len() / images.max(1);
        let mut all = Vec::with_capacity(images);
        for (place, tokens) in tokens.chunks_exact(per_image.max(1)).enumerate() {
            let mut seen = TaggerOutput {
                arch: Arch::Clip,
                tokens: tokens.to_vec(),
                width,
                logits: Vec::new(),
                attention: Attention::default(),
            };
            seen.check(place)?;
            self.labels.label(&mut seen, vocabulary, keep);
            all.push(seen);
        }
        Ok(all)
    }

    /// Rounds the patches' features to the 16 bits that stores and the window keep.
    fn round(&self, tokens: &mut [f32], images: usize) {
        let width = self.part.shape.joint;
        let per_image = tokens.len() / images.max(1);
        for tokens in tokens.chunks_exact_mut(per_image.max(1)) {
            let patches = tokens.iter_mut().skip(width);
            patches.for_each(|value| *value = f16::from_f32(*value).to_f32());
        }
    }

    /// Unit features of texts by one side, in their order; what was encoded before is remembered.
    fn encode_texts(
        &mut self,
        side: TextSide,
        texts: &[String],
    ) -> Result<Vec<Arc<[f32]>>, PipelineError> {
        // Texts of one length go together, so that none is padded: a feature must not depend on which
        // other texts came with it.
        let mut by_length: BTreeMap<usize, Vec<(&String, Vec<u32>)>> = BTreeMap::new();
        for text in texts {
            let key = (side, text.clone());
            if self.texts.contains_key(&key) {
                continue;
            }
            let tokens = self.tokenizer.tokens(text)?;
            if tokens.is_cut {
                log::warn!("a text is longer than the model reads, and its end is lost: {text}");
            }
            let same = by_length.entry(tokens.ids.len()).or_default();
            if !same.iter().any(|(known, _)| *known == text) {
                same.push((text, tokens.ids));
            }
        }
        for group in by_length.values().flat_map(|group| group.chunks(TEXTS)) {
            let ids: Vec<Vec<u32>> = group.iter().map(|(_, ids)| ids.clone()).collect();
            let features = floats(self.forward_texts(side, &ids))?;
            for ((text, _), feature) in
                group.iter().zip(features.chunks_exact(self.part.shape.joint))
            {
                if !feature.iter().all(|value| value.is_finite()) {
                    return Err(PipelineError::Text((*text).clone()));
                }
                self.texts.insert((side, (*text).clone()), unit(feature).collect());
            }
        }
        let feature = |text: &String| {
            let known = self.texts.get(&(side, text.clone())).cloned();
            known.ok_or_else(|| PipelineError::Text(text.clone()))
        };
        texts.iter().map(feature).collect()
    }

    fn forward_texts(&self, side: TextSide, ids: &[Vec<u32>]) -> Tensor<2> {
        match (side, &self.clip.no, &self.prompts) {
            (TextSide::No, Some(no), _) => no.forward(ids, NoPrompt::Mean),
            (TextSide::Prompted, _, Some(prompts)) => prompts.forward(&self.clip.text, ids),
            _ => self.clip.text.forward(ids),
        }
    }

    /// The features of names `[C, D]`: for each the mean over its texts, made unit again.
    fn ensemble(
        &mut self,
        side: TextSide,
        texts_of_names: &[Vec<String>],
    ) -> Result<Vec<f32>, PipelineError> {
        let all: Vec<String> = texts_of_names.concat();
        let mut features = self.encode_texts(side, &all)?.into_iter();
        let width = self.part.shape.joint;
        let mut names = Vec::with_capacity(texts_of_names.len() * width);
        for texts in texts_of_names {
            let mut sum = vec![0.0f32; width];
            for feature in features.by_ref().take(texts.len()) {
                sum.iter_mut().zip(feature.iter()).for_each(|(sum, value)| *sum += value);
            }
            names.extend(unit(&sum));
        }
        Ok(names)
    }
}

impl Network for ClipNetwork {
    fn see(
        &self,
        images: &[&[f32]],
        vocabulary: &Vocabulary,
        keep: Keep,
    ) -> Result<Vec<TaggerOutput>, PipelineError> {
        let mut tokens = self.encode(images)?;
        self.round(&mut tokens, images.len());
        self.outputs(&tokens, images.len(), (vocabulary, keep))
    }

    fn see_unrounded(
        &self,
        images: &[&[f32]],
        vocabulary: &Vocabulary,
    ) -> Result<Vec<(TaggerOutput, TaggerOutput)>, PipelineError> {
        let mut tokens = self.encode(images)?;
        let own = self.outputs(&tokens, images.len(), (vocabulary, Keep::All))?;
        self.round(&mut tokens, images.len());
        let seen = self.outputs(&tokens, images.len(), (vocabulary, Keep::All))?;
        Ok(seen.into_iter().zip(own).collect())
    }

    fn maps_of(&self, seen: &TaggerOutput, labels: &[usize]) -> Result<Attention, PipelineError> {
        Ok(self.labels.maps(seen, labels))
    }

    fn logits<'a>(&self, seen: &'a TaggerOutput) -> Cow<'a, [f32]> {
        Cow::Owned(self.labels.logits(&seen.tokens[..seen.width]))
    }

    fn relevance(&self, seen: &TaggerOutput, label: usize, _: usize) -> Option<Vec<f32>> {
        self.labels.maps(seen, &[label]).relevance(label, 0)
    }

    /// The best name counts in any case: nothing is out-of-distribution for its names alone.
    fn counting(&self, probabilities: &[f32], vocabulary: &Vocabulary, _: Recipe) -> Vec<usize> {
        counting(probabilities, vocabulary)
    }

    fn object(&self, seen: &TaggerOutput, mask: &[bool], features: Features) -> Vec<f32> {
        match features {
            Features::WholeImage => seen.tokens[..seen.width].to_vec(),
            // The image's own feature is no patch.
            Features::Objects { .. } => decompose::object_tokens(
                seen.tokens.get(seen.width..).unwrap_or_default(),
                seen.width,
                mask.get(1..).unwrap_or_default(),
            ),
        }
    }

    fn project(&self, objects: &[Vec<f32>], _: bool) -> Result<Vec<Projected>, PipelineError> {
        let width = self.part.shape.joint;
        let project = |object: &Vec<f32>| {
            let all = vec![true; object.len() / width];
            let feature = decompose::mean_token(object, width, &all);
            let class_logits = self.labels.logits(&feature);
            Projected { feature, class_logits, ce_feature: None }
        };
        Ok(objects.iter().map(project).collect())
    }

    fn odin(
        &self,
        _: Option<&[f32]>,
        _: &[bool],
        _: &[f32],
        _: OdinInput,
    ) -> Result<Vec<f32>, PipelineError> {
        // The step is published for classifiers, and no detector of a CLIP asks for it.
        Err(PipelineError::NotFitted("odin".into()))
    }

    fn set_labels(&mut self, labels: &Labels) -> Result<(), PipelineError> {
        let in_templates = |templates: &[String]| -> Vec<Vec<String>> {
            labels.known.iter().map(|known| known.texts(templates)).collect()
        };
        let yes = in_templates(&labels.templates);
        let features = self.ensemble(TextSide::Yes, &yes)?;
        let no = match self.clip.no.as_ref().map(|no| no.prompts()) {
            None => None,
            Some(0) => {
                let texts = in_templates(&[NO_TEMPLATE.to_owned()]);
                Some(self.ensemble(TextSide::No, &texts)?)
            }
            Some(_) => Some(self.ensemble(TextSide::No, &yes)?),
        };
        let prompted = match self.prompts.clone() {
            None => None,
            Some(prompts) => {
                if let Some(names) = prompts.names().filter(|names| *names != labels.known.len()) {
                    return Err(PipelineError::PromptNames {
                        prompts: names,
                        names: labels.known.len(),
                    });
                }
                let texts = |words: &str| prompts.text(words);
                let texts = labels.known.iter().map(|known| known.words().map(texts).collect());
                Some(self.ensemble(TextSide::Prompted, &texts.collect::<Vec<_>>())?)
            }
        };
        let width = self.part.shape.joint;
        let negatives = match &labels.negatives {
            None => None,
            Some((words, path)) => {
                let known: Vec<String> = labels
                    .known
                    .iter()
                    .flat_map(|known| known.words().map(str::to_owned).collect::<Vec<_>>())
                    .collect();
                let words = NegativeWords::clone(words).without(&known, path)?;
                let texts: Vec<String> = words.texts().collect();
                let all: Vec<f32> = self
                    .encode_texts(TextSide::Yes, &texts)?
                    .iter()
                    .flat_map(|feature| feature.iter().copied())
                    .collect();
                let taken = words.taken(&all, &features, width);
                let row = |at: usize| all[at * width..(at + 1) * width].to_vec();
                Some(taken.into_iter().flat_map(row).collect())
            }
        };
        let templates = labels.templates.clone();
        self.labels = Arc::new(LabelSet { width, templates, features, no, negatives, prompted });
        Ok(())
    }

    fn labels(&self) -> Option<&Arc<LabelSet>> {
        Some(&self.labels)
    }

    fn offers(&self) -> Vec<Input> {
        let labels = &self.labels;
        let mut offers = vec![Input::NameCosines, Input::LocalCosines];
        offers.extend(labels.no.as_ref().map(|_| Input::NoCosines));
        offers.extend(labels.negatives.as_ref().map(|_| Input::NegativeCosines));
        if labels.prompted.is_some() {
            offers.extend([Input::PromptedCosines, Input::PromptedLocalCosines]);
        }
        offers
    }
}
