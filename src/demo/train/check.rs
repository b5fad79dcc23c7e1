//! How well a tagger does on scenes it was not trained on, and the thresholds that follow.

use burn::tensor::{Device, Tensor, TensorData};

use super::batch::draw_batch;
use crate::decompose::sigmoid;
use crate::demo::{TAGS, TagGroup, tag_group};
use crate::eval::metrics::RankedScores;
use crate::nn::ram::Ram;
use crate::nn::swin::SwinConfig;

/// Tags held-out scenes: logits and targets, `[scenes, tags]` each.
fn tag_scenes(
    ram: &Ram,
    device: &Device,
    seed: u64,
    scenes: usize,
    swin: &SwinConfig,
) -> anyhow::Result<(Vec<f32>, Vec<f32>)> {
    let queries = ram.tag_queries();
    let (mut logits, mut targets) = (Vec::new(), Vec::new());
    for first in (0..scenes).step_by(16) {
        let count = 16.min(scenes - first);
        let batch = draw_batch(seed, first as u64, count, swin.image, swin.grid());
        let images = TensorData::new(batch.images, [count, 3, swin.image, swin.image]);
        let tokens = ram.encode(Tensor::from_data(images, device));
        let output = ram.tag(&tokens, queries.as_ref(), None);
        logits.extend(output.logits.try_into_data()?.iter::<f32>());
        targets.extend(batch.targets);
    }
    Ok((logits, targets))
}

/// Average precision of every tag over held-out scenes, where it occurs: `[tags]`.
///
/// # Errors
/// If the device fails.
pub fn average_precisions(
    ram: &Ram,
    device: &Device,
    seed: u64,
    scenes: usize,
    swin: &SwinConfig,
) -> anyhow::Result<Vec<Option<f64>>> {
    let (logits, targets) = tag_scenes(ram, device, seed, scenes, swin)?;
    let of_tag = |tag: usize| {
        let values = |wanted: f32| -> Vec<f32> {
            let rows = logits.chunks(TAGS.len()).zip(targets.chunks(TAGS.len()));
            rows.filter(|(_, t)| t[tag] == wanted).map(|(l, _)| l[tag]).collect()
        };
        let ranked = RankedScores::from_sets(values(1.0), values(0.0)).ok()?;
        Some(ranked.metrics().average_precision_id)
    };
    Ok((0..TAGS.len()).map(of_tag).collect())
}

/// Seed of the scenes that thresholds are calibrated on.
const CALIBRATION_SEED: u64 = 0xCA11;

/// Share of the scenes with an object whose tag may stay below its threshold: an image without an
/// in-distribution tag is out-of-distribution whatever else is in it, and λ is to keep 95 %.
const OBJECTS_MISSED: f32 = 0.02;

/// For each tag the probability threshold with the best F1 score over calibration scenes, and for
/// objects none that misses more than 2 % of their scenes: `[tags]`.
///
/// # Errors
/// If the device fails.
pub fn calibrate(ram: &Ram, device: &Device, swin: &SwinConfig) -> anyhow::Result<Vec<f32>> {
    let (logits, targets) = tag_scenes(ram, device, CALIBRATION_SEED, 1000, swin)?;
    let threshold = |tag: usize| {
        let mut rows: Vec<(f32, bool)> = logits
            .chunks(TAGS.len())
            .zip(targets.chunks(TAGS.len()))
            .map(|(logits, targets)| (sigmoid(logits[tag]), targets[tag] > 0.5))
            .collect();
        rows.sort_by(|a, b| b.0.total_cmp(&a.0));
        match tag_group(tag) {
            TagGroup::Object => best_f1(&rows).min(keeping(&rows, 1.0 - OBJECTS_MISSED)),
            _ => best_f1(&rows),
        }
    };
    Ok((0..TAGS.len()).map(threshold).collect())
}

/// The threshold with the best F1 score; `rows` are probabilities, descending, with the truth.
fn best_f1(rows: &[(f32, bool)]) -> f32 {
    let positives = rows.iter().filter(|row| row.1).count() as f32;
    let (mut found, mut best) = (0.0f32, (0.0f32, 0.5f32));
    for (index, pair) in rows.windows(2).enumerate() {
        found += f32::from(u8::from(pair[0].1));
        let f1 = 2.0 * found / (index as f32 + 1.0 + positives);
        if f1 > best.0 {
            best = (f1, 0.5 * (pair[0].0 + pair[1].0));
        }
    }
    best.1
}

/// The highest threshold that a share of the scenes with the tag lies above.
fn keeping(rows: &[(f32, bool)], share: f32) -> f32 {
    let shown: Vec<f32> = rows.iter().filter(|row| row.1).map(|row| row.0).collect();
    let last = (share * shown.len() as f32).ceil() as usize;
    // Just below the last one that has to pass: thresholds are passed strictly.
    shown.get(last.saturating_sub(1)).map_or(1.0, |&p| (p - 1e-6).max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_where_they_should_be() {
        let rows = [(0.9, true), (0.8, true), (0.6, false), (0.4, true), (0.1, false)];
        assert_eq!(best_f1(&rows), 0.25);
        assert!((keeping(&rows, 0.6) - 0.8).abs() < 1e-5);
        assert!((keeping(&rows, 1.0) - 0.4).abs() < 1e-5);
        assert_eq!(keeping(&[(0.5, false)], 0.9), 1.0);
    }
}
