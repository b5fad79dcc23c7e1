//! Image decomposition: attention and τ to the tokens of the in-distribution objects (paper,
//! section 3.3).
//!
//! Attention of the chosen layer is summed over heads, stretched to 0..1 for each tag over all
//! positions (the global token, position 0, included), and joined over tags by the maximum; the
//! tokens strictly above τ are kept. Pure functions on slices: this is what runs at every movement
//! of the slider.

/// A tag's relevance: `[heads, positions]` probabilities of one layer to `[positions]` in 0..1.
///
/// A constant map has no relevance anywhere: it comes out as zeros (the released code divides zero
/// by zero there, and keeps nothing either).
pub fn relevance(attention: &[f32], positions: usize) -> Vec<f32> {
    let mut sum = vec![0.0f32; positions];
    for head in attention.chunks_exact(positions) {
        sum.iter_mut().zip(head).for_each(|(sum, value)| *sum += value);
    }
    stretch(&mut sum);
    sum
}

/// Stretches values to 0..1 in place; constant or non-finite ones become zeros.
fn stretch(values: &mut [f32]) {
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let range = high - low;
    if range > 0.0 && range.is_finite() {
        values.iter_mut().for_each(|value| *value = (*value - low) / range);
    } else {
        values.fill(0.0);
    }
}

/// The union of several tags' relevance maps: their maximum at each position, `[positions]`.
pub fn union<'a>(maps: impl IntoIterator<Item = &'a [f32]>, positions: usize) -> Vec<f32> {
    let mut union = vec![0.0f32; positions];
    for map in maps {
        union.iter_mut().zip(map).for_each(|(union, value)| *union = union.max(*value));
    }
    union
}

/// The positions to keep: those strictly above τ. At τ = 0 the least relevant position still goes.
pub fn mask(map: &[f32], tau: f32) -> Vec<bool> {
    map.iter().map(|&value| value > tau).collect()
}

/// The tokens of the kept positions in raster order, the global token first:
/// `[positions, width]` to `[kept, width]`.
pub fn object_tokens(tokens: &[f32], width: usize, mask: &[bool]) -> Vec<f32> {
    let kept = mask.iter().filter(|&&keep| keep).count();
    let mut object = Vec::with_capacity(kept * width);
    for (token, _) in tokens.chunks_exact(width).zip(mask).filter(|(_, keep)| **keep) {
        object.extend_from_slice(token);
    }
    object
}

/// The mean of the kept tokens, `[width]`; zeros if none is kept.
pub fn mean_token(tokens: &[f32], width: usize, mask: &[bool]) -> Vec<f32> {
    let mut mean = vec![0.0f32; width];
    let mut kept = 0usize;
    for (token, _) in tokens.chunks_exact(width).zip(mask).filter(|(_, keep)| **keep) {
        mean.iter_mut().zip(token).for_each(|(mean, value)| *mean += value);
        kept += 1;
    }
    let scale = 1.0 / kept.max(1) as f32;
    mean.iter_mut().for_each(|mean| *mean *= scale);
    mean
}

/// What to do with an image none of whose in-distribution tags passes its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// Nothing is selected and the image is out-of-distribution (paper, section 3.5).
    Never,
    /// The best in-distribution tag, but only if no tag at all passes (released code, OOD sets).
    Untagged,
    /// The best in-distribution tag, whatever its probability (released code, ImageNet).
    Always,
}

/// The in-distribution tags that count for an image, ascending: those whose probability is strictly
/// above their threshold, or what `fallback` says where there is none.
///
/// `id_tags` are indices into `probabilities` and `thresholds`, both `[tags]`; repeats are ignored.
pub fn select_tags(
    probabilities: &[f32],
    thresholds: &[f32],
    id_tags: &[usize],
    fallback: Fallback,
) -> Vec<usize> {
    let mut id_tags = id_tags.to_vec();
    id_tags.sort_unstable();
    id_tags.dedup();
    let passes = |tag: usize| probabilities[tag] > thresholds[tag];
    let selected: Vec<usize> = id_tags.iter().copied().filter(|&tag| passes(tag)).collect();
    let falls_back = match fallback {
        Fallback::Never => false,
        Fallback::Untagged => !(0..probabilities.len()).any(passes),
        Fallback::Always => true,
    };
    if !selected.is_empty() || !falls_back {
        return selected;
    }
    let best = id_tags
        .into_iter()
        .reduce(|best, tag| if probabilities[tag] > probabilities[best] { tag } else { best });
    best.into_iter().collect()
}

/// The logistic function: a logit to a probability.
pub fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn heads_are_summed_then_stretched() {
        let attention = [0.1, 0.2, 0.3, 0.3, 0.2, 0.7];
        assert_eq!(relevance(&attention, 3), [0.0, 0.0, 1.0].map(|v: f32| v));
    }

    #[test]
    fn a_constant_map_keeps_nothing() {
        assert_eq!(mask(&relevance(&[0.25; 8], 4), 0.0), [false; 4]);
        assert_eq!(mask(&relevance(&[f32::NAN; 4], 4), 0.0), [false; 4]);
    }

    #[test]
    fn fallbacks_differ_only_where_no_id_tag_passes() {
        let thresholds = [0.5; 4];
        let tagged = [0.9, 0.2, 0.4, 0.1];
        let untagged = [0.3, 0.2, 0.4, 0.1];
        let select = |p: &[f32], fallback| select_tags(p, &thresholds, &[2, 1, 2], fallback);
        assert!(select(&tagged, Fallback::Never).is_empty());
        assert!(select(&tagged, Fallback::Untagged).is_empty());
        assert_eq!(select(&tagged, Fallback::Always), [2]);
        assert_eq!(select(&untagged, Fallback::Untagged), [2]);
        let both = [0.0, 0.6, 0.7, 0.0];
        assert_eq!(select(&both, Fallback::Always), [1, 2]);
    }

    proptest! {
        #[test]
        fn a_higher_tau_keeps_a_subset(
            map in prop::collection::vec(0.0f32..=1.0, 1..200),
            (low, high) in (0.0f32..=1.0, 0.0f32..=1.0),
        ) {
            let (low, high) = (low.min(high), low.max(high));
            let (loose, strict) = (mask(&map, low), mask(&map, high));
            prop_assert!(strict.iter().zip(&loose).all(|(s, l)| !s || *l));
            prop_assert!(!mask(&map, 1.0).contains(&true));
        }

        #[test]
        fn object_tokens_are_the_kept_rows(
            rows in prop::collection::vec((any::<bool>(), -1.0f32..1.0), 1..50),
        ) {
            let tokens: Vec<f32> = rows.iter().flat_map(|(_, v)| [*v, -*v, 1.0]).collect();
            let mask: Vec<bool> = rows.iter().map(|(keep, _)| *keep).collect();
            let object = object_tokens(&tokens, 3, &mask);
            let expected: Vec<f32> =
                rows.iter().filter(|r| r.0).flat_map(|(_, v)| [*v, -*v, 1.0]).collect();
            prop_assert_eq!(&object, &expected);
            let mean = mean_token(&tokens, 3, &mask);
            let kept = object.len() / 3;
            if kept > 0 {
                let sum: f32 = object.iter().step_by(3).sum();
                prop_assert!((mean[0] - sum / kept as f32).abs() < 1e-5);
            } else {
                prop_assert_eq!(mean, vec![0.0; 3]);
            }
        }

        #[test]
        fn relevance_spans_zero_to_one(values in prop::collection::vec(0.0f32..1.0, 2..100)) {
            let map = relevance(&values, values.len());
            let constant = values.iter().all(|v| *v == values[0]);
            prop_assert!(map.iter().all(|v| (0.0..=1.0).contains(v)));
            prop_assert_eq!(map.contains(&1.0), !constant);
        }
    }
}
