//! The text side alone, from what sentences say.

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};

use super::batch::{caption_pairs, prompts};
use super::{ClipTrainConfig, NAMED, SCALE, cross_entropy, ids, initial, shares, unit};
use crate::demo::captions::{Caption, Fact};
use crate::fit::checkpoint;
use crate::fit::optimizer::{Adam, AdamConfig, NamedTensor};
use crate::nn::clip::Clip;
use crate::nn::clip::tokenizer::Tokenizer;
use crate::nn::weights::{Names, WeightLoader, named_tensors};

/// Scenes in a step, each with two captions.
const SCENES: usize = 24;

/// Weight of the captions' kinship with each other.
const KINSHIP: f32 = 0.5;

/// The text side in training.
pub struct TextTrainer {
    config: ClipTrainConfig,
    clip: Clip,
    names: Names,
    optimizer: Adam,
    device: Device,
    tokenizer: Tokenizer,
}

impl TextTrainer {
    /// Starts from [`initial`] weights.
    ///
    /// # Errors
    /// Never for a shape that a CLIP can have.
    pub fn new(
        config: ClipTrainConfig,
        tokenizer: Tokenizer,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let device = device.clone().autodiff();
        let source = checkpoint::in_memory(&initial(&config)?)?;
        let from = WeightLoader::stored(&source, &device);
        let clip = Clip::new(&config.clip, &from)?;
        let names = from.names();
        let adam = AdamConfig { beta_2: 0.98, clip_norm: Some(1.0), ..AdamConfig::adam_w(0.01) };
        let optimizer = Adam::new(adam, &names, &device);
        Ok(Self { config, clip, names, optimizer, device, tokenizer })
    }

    /// All weights, the image side's untouched.
    pub fn weights(&self) -> Vec<NamedTensor> {
        named_tensors(&self.clip, &self.names)
    }

    /// Trains to the end; `done` is told each step's loss.
    ///
    /// # Errors
    /// If the device fails.
    pub fn train(&mut self, done: &mut dyn FnMut(usize, f32)) -> anyhow::Result<()> {
        let steps = self.config.text_steps;
        for step in 0..steps {
            let loss = self.loss(step as u64)?;
            let value = loss.clone().try_into_data()?.iter::<f32>().next().unwrap_or(f32::NAN);
            let gradients = GradientsParams::from_grads(loss.backward(), &self.clip.text);
            let rate = self.config.learning_rate_at(step, steps);
            self.clip.text = self.optimizer.step(self.clip.text.clone(), gradients, rate);
            done(step + 1, value);
        }
        Ok(())
    }

    /// The loss of one step's sentences.
    ///
    /// Two prompts of one name lie together; different names lie across, and names of nothing away
    /// from all. A caption lies by the names of what it claims, and by captions that are true of the
    /// same scene.
    fn loss(&self, step: u64) -> anyhow::Result<Tensor<1>> {
        let seed = self.config.seed;
        let [a, b] = [2 * step, 2 * step + 1].map(|at| prompts(seed, at));
        let scenes = caption_pairs(seed, step * SCENES as u64, SCENES);
        let caption = |which: usize| scenes.iter().map(move |(pair, _)| pair[which].text.clone());
        let texts: Vec<String> =
            a.iter().chain(&b).cloned().chain(caption(0)).chain(caption(1)).collect();
        let features = unit(self.clip.text.forward(&ids(&self.tokenizer, &texts)?));
        let (prompts, count) = (a.len(), scenes.len());
        let part = |from: usize, length: usize| features.clone().narrow(0, from, length);
        let (names, nothings) = (part(0, NAMED), part(NAMED, prompts - NAMED));
        let other = part(prompts, prompts);
        let (first, second) = (part(2 * prompts, count), part(2 * prompts + count, count));

        let eye = Tensor::<2>::eye(NAMED, &self.device);
        let same = names.clone().matmul(other.clone().transpose()).mul_scalar(SCALE);
        let padded = Tensor::cat(
            vec![eye.clone(), Tensor::zeros([NAMED, prompts - NAMED], &self.device)],
            1,
        );
        let back = same.clone().narrow(1, 0, NAMED).transpose();
        let named = cross_entropy(same, padded) + cross_entropy(back, eye.clone());
        let across = names.clone().matmul(names.clone().transpose()) * (eye.neg() + 1.0);
        let away = names.matmul(nothings.transpose()).clamp_min(0.0);
        let spread = across.square().mean() * 10.0 + away.square().mean() * 5.0;

        let logits = first.clone().matmul(other.transpose()).mul_scalar(SCALE);
        let claims = self.targets(&scenes, prompts, claims);
        let kin = first.matmul(second.transpose()).mul_scalar(SCALE);
        let truths = self.targets(&scenes, count, |(_, facts)| {
            scenes.iter().map(|(pair, _)| f32::from(u8::from(pair[1].is_true_of(facts)))).collect()
        });
        let captions = cross_entropy(logits, claims) + cross_entropy(kin, truths) * KINSHIP;
        Ok(named + spread + captions)
    }

    /// A row of targets for each scene, filled up with zeros and made to add up to 1.
    fn targets(
        &self,
        scenes: &[([Caption; 2], Vec<Fact>)],
        width: usize,
        row: impl Fn(&([Caption; 2], Vec<Fact>)) -> Vec<f32>,
    ) -> Tensor<2> {
        let mut rows: Vec<f32> = Vec::with_capacity(scenes.len() * width);
        for scene in scenes {
            let row = row(scene);
            rows.extend(row.iter().copied().chain(std::iter::repeat(0.0)).take(width));
        }
        shares(&mut rows, width);
        Tensor::from_data(TensorData::new(rows, [scenes.len(), width]), &self.device)
    }
}

/// 1 for each named tag that the first caption claims.
fn claims((captions, _): &([Caption; 2], Vec<Fact>)) -> Vec<f32> {
    let claimed = |tag: usize| captions[0].facts.contains(&Fact::Shows(tag));
    (0..NAMED).map(|tag| f32::from(u8::from(claimed(tag)))).collect()
}
