//! Which tags' attention a store keeps, and how to get what it does not have.

use super::record::sum_of_heads;
use crate::bundle::manifest::{Arch, Recipe};
use crate::bundle::vocabulary::Vocabulary;
use crate::decompose::sigmoid;
use crate::pipeline::{Attention, Pipeline, PipelineError, TaggerOutput};

/// Tags of no class that are kept for each image at most: enough to mine a vocabulary from, and
/// 10,000 images with 145 tokens of width 512 stay under 2 GB.
const OTHER_TAGS: usize = 16;

/// The tags whose attention is kept for an image, ascending: those of a class that are above their
/// threshold, the best one of a class in any case (the released code falls back on it), and the most
/// probable 16 of the others above theirs, from which new classes can be mined.
pub fn tags_to_keep(logits: &[f32], vocabulary: &Vocabulary) -> Vec<usize> {
    let seen = |tag: &usize| sigmoid(logits[*tag]) > vocabulary.thresholds[*tag];
    let id_tags = vocabulary.id_tags().iter().copied();
    let mut keep: Vec<usize> = id_tags.clone().filter(seen).collect();
    keep.extend(id_tags.max_by(|a, b| logits[*a].total_cmp(&logits[*b]).then(b.cmp(a))));
    let mut others: Vec<usize> =
        (0..logits.len()).filter(|tag| !vocabulary.is_id(*tag)).filter(seen).collect();
    others.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
    keep.extend(others.into_iter().take(OTHER_TAGS));
    keep.sort_unstable();
    keep.dedup();
    keep
}

/// Adds the attention of `tags` that an image does not have yet, from its tokens; what it has is
/// summed over heads. Nothing is computed if it has them all.
///
/// # Errors
/// If the device fails.
pub fn add_attention(
    pipeline: &Pipeline,
    tagged: &mut TaggerOutput,
    tags: &[usize],
) -> Result<(), PipelineError> {
    let lacks = |tag: &&usize| tagged.attention.tags.binary_search(tag).is_err();
    let missing: Vec<usize> = tags.iter().filter(lacks).copied().collect();
    if !missing.is_empty() {
        let added = pipeline.attention_of(tagged, &missing)?;
        tagged.attention = joined(&tagged.attention, &added);
    }
    Ok(())
}

/// Adds the attention of the tags that count for an image under the pipeline's vocabulary and a
/// recipe, where a store that was made with other classes does not have them.
///
/// # Errors
/// If the device fails.
pub fn add_missing_attention(
    pipeline: &Pipeline,
    tagged: &mut TaggerOutput,
    recipe: Recipe,
) -> Result<(), PipelineError> {
    if tagged.arch == Arch::Clip {
        // Maps follow from the features whenever they are wanted.
        return Ok(());
    }
    let tags = pipeline.decompose(tagged, 1.0, recipe).tags;
    add_attention(pipeline, tagged, &tags)
}

/// Two sets of tags in one, heads summed.
fn joined(a: &Attention, b: &Attention) -> Attention {
    let (layers, positions) = (b.layers, b.positions);
    let mut tags = [&a.tags[..], &b.tags[..]].concat();
    tags.sort_unstable();
    let mut values = Vec::with_capacity(tags.len() * layers * positions);
    for &tag in &tags {
        for layer in 0..layers {
            let heads = a.of(tag, layer).or_else(|| b.of(tag, layer)).unwrap_or_default();
            values.extend(sum_of_heads(heads, positions));
        }
    }
    Attention { tags, layers, heads: 1, positions, values }
}
