//! TagOOD's way from a photo to a verdict, by a tagger.

use super::figure::{BarRow, Figure};
use super::subject::{
    self, ExplainedImage, Step, Told, always, needs_kept_tokens, needs_something_known,
};
use crate::bundle::manifest::Recipe;
use crate::decompose;
use crate::pipeline::TaggerOutput;

/// The steps, in the order in which they are done.
pub(super) const STEPS: &[Step] = &[
    Step {
        title: "Photo",
        tell: |subject| subject.photo(),
        draw: subject::draw_photo,
        missing: always,
    },
    Step { title: "Patches", tell: patches, draw: subject::draw_patches, missing: always },
    Step { title: "Tags", tell: tags, draw: draw_tags, missing: always },
    Step { title: "Attention", tell: heads, draw: draw_heads, missing: needs_something_known },
    Step {
        title: "Min–max", tell: stretch, draw: draw_stretched, missing: needs_something_known
    },
    Step {
        title: "Threshold",
        tell: threshold,
        draw: subject::draw_threshold,
        missing: needs_something_known,
    },
    Step {
        title: "Kept tokens",
        tell: kept,
        draw: subject::draw_kept,
        missing: needs_something_known,
    },
    Step { title: "Projector", tell: projector, draw: draw_feature, missing: needs_feature },
    Step { title: "Centers", tell: centers, draw: draw_centers, missing: needs_feature },
    Step {
        title: "Score",
        tell: |subject| subject.score(),
        draw: |figure, subject| figure.score(subject),
        missing: always,
    },
];

/// Tags that are listed, at least, whether they count or not.
const LISTED: usize = 10;

fn needs_feature(subject: &ExplainedImage<'_>) -> Option<String> {
    let has = subject.analysis().is_some_and(|analysis| analysis.projected.is_some());
    let without = || (!has).then(|| "this model has no projector".to_owned());
    needs_kept_tokens(subject).or_else(without)
}

/// The known tags that count, the likeliest first.
fn counting(subject: &ExplainedImage<'_>, tagged: &TaggerOutput) -> Vec<usize> {
    let probabilities = tagged.probabilities();
    let tags = subject.analysis().map(|analysis| &analysis.decomposition.tags[..]);
    let mut tags = tags.unwrap_or_default().to_vec();
    tags.retain(|&tag| tag < probabilities.len());
    tags.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]).then(a.cmp(&b)));
    tags
}

/// The known tag that is followed through the steps: the likeliest of those that count.
fn followed(subject: &ExplainedImage<'_>) -> Option<usize> {
    counting(subject, subject.entry.tagged.as_ref()?).first().copied()
}

/// That tag's attention in the recipe's layer, `[H, P]`, with the number of places P.
fn attention<'a>(subject: &ExplainedImage<'a>) -> Option<(&'a [f32], usize)> {
    let layer = subject.info.layer(subject.session.settings());
    let attention = subject.entry.attention(followed(subject)?, layer)?;
    Some((attention, subject.entry.tagged.as_ref()?.positions()))
}

fn followed_name(subject: &ExplainedImage<'_>) -> String {
    followed(subject).map_or_else(|| "no known tag".into(), |tag| subject.label(tag))
}

fn patches(subject: &ExplainedImage<'_>) -> Told {
    let manifest = &subject.info.manifest;
    let tokens = manifest.positions();
    let (grid, width) = (tokens.saturating_sub(1).isqrt(), manifest.token_width());
    let patch = manifest.tagger.as_ref().map_or(0, |tagger| tagger.swin.patch);
    Told::new(
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

fn tags(subject: &ExplainedImage<'_>) -> Told {
    let vocabulary = &subject.info.vocabulary;
    let (all, known) = (vocabulary.tags.len(), vocabulary.id_tags().len());
    let counting = subject.entry.tagged.as_ref().map(|tagged| counting(subject, tagged));
    let here = match counting.as_deref().unwrap_or_default() {
        [] => "None of those is likely enough here to count.".to_owned(),
        [one] => format!("One of those is likely enough here to count: “{}”.", subject.label(*one)),
        several => format!(
            "{} of those are likely enough here to count: {}. The next steps follow “{}”.",
            several.len(),
            subject.labels(several),
            subject.label(several[0])
        ),
    };
    Told::new(
        "p(tag) = sigmoid(logit(tag)),  counts if p > threshold and the tag stands for a class",
        format!(
            "The tag decoder asks the tokens about {all} tags. {known} of them stand for a known class. \
             {here}"
        ),
    )
}

/// The tags that count, then the likeliest of the others.
fn draw_tags(figure: &Figure<'_>, subject: &ExplainedImage<'_>) {
    let Some(tagged) = &subject.entry.tagged else { return };
    let (palette, vocabulary) = (figure.palette(), &subject.info.vocabulary);
    let probabilities = tagged.probabilities();
    let mut order = counting(subject, tagged);
    let counting = order.len();
    let mut others: Vec<usize> =
        (0..probabilities.len()).filter(|tag| !order.contains(tag)).collect();
    others.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    order.extend(others.into_iter().take(LISTED.saturating_sub(counting)));
    let row = |(place, &tag): (usize, &usize)| {
        let why = match (place < counting, vocabulary.is_id(tag)) {
            (true, _) => "counts",
            (false, true) => "too unlikely",
            (false, false) => "no class",
        };
        BarRow {
            name: subject.label(tag),
            value: probabilities[tag],
            threshold: vocabulary.thresholds.get(tag).copied(),
            color: if place < counting { palette.id } else { palette.weak },
            note: format!("{:.3}  {why}", probabilities[tag]),
        }
    };
    figure.bars(&order.iter().enumerate().map(row).collect::<Vec<_>>(), 0);
}

fn heads(subject: &ExplainedImage<'_>) -> Told {
    let [_, heads] = subject.info.manifest.map_layers_and_heads();
    let layer = subject.info.layer(subject.session.settings()) + 1;
    Told::new(
        "a[head, place] = softmax over places of ⟨query(tag), key(place)⟩ / √d",
        format!(
            "To answer for “{}”, the decoder attends to some places more than to others. Layer \
             {layer} does so with {heads} heads, each shown here; every head's attention adds up to 1.",
            followed_name(subject)
        ),
    )
}

/// Every head's attention as a small map.
fn draw_heads(figure: &Figure<'_>, subject: &ExplainedImage<'_>) {
    let Some((attention, positions)) = attention(subject) else { return };
    let map = |(number, head): (usize, &[f32])| {
        (format!("head {}", number + 1), decompose::relevance(head, positions))
    };
    let heads = attention.chunks_exact(positions).enumerate();
    figure.tiles(&heads.map(map).collect::<Vec<_>>());
}

fn stretch(subject: &ExplainedImage<'_>) -> Told {
    let range = attention(subject).map_or_else(
        || "takes any values".to_owned(),
        |(values, places)| {
            let (low, high) = subject::range_of(values, places);
            format!("runs from {low:.5} to {high:.5}")
        },
    );
    let name = followed_name(subject);
    Told::new(
        "r = (Σ heads a − min) / (max − min)",
        format!(
            "Summed over heads, the attention of “{name}” {range}. Stretched to 0…1 it becomes the \
             relevance shown here, which can be compared between tags; the tags that count join by \
             their maximum."
        ),
    )
}

fn draw_stretched(figure: &Figure<'_>, subject: &ExplainedImage<'_>) {
    if let Some((attention, positions)) = attention(subject) {
        subject::draw_relevance(figure, attention, positions);
    }
}

fn threshold(subject: &ExplainedImage<'_>) -> Told {
    subject.threshold("Places", 0)
}

fn kept(subject: &ExplainedImage<'_>) -> Told {
    let kept = subject.mask().iter().filter(|&&keep| keep).count();
    let width = subject.info.manifest.token_width();
    Told::new(
        format!("Z = {{ token(place) : m(place) }},  {kept} × {width}"),
        "Only the object's tokens go on; the background, which often differs between data sets for \
         reasons of no interest, is left behind.",
    )
}

fn projector(subject: &ExplainedImage<'_>) -> Told {
    let width = subject.info.manifest.projector.as_ref().map_or(0, |projector| projector.width);
    let feature = subject.analysis().and_then(|analysis| analysis.projected.as_ref());
    let norm = feature.map_or(0.0, |p| p.feature.iter().map(|v| v * v).sum::<f32>().sqrt());
    Told::new(
        format!("f = transformer([cls; Z])[0],  {width} numbers"),
        format!(
            "A small transformer, trained on known images alone, condenses the object's tokens into \
             one feature. Here are its {width} numbers; its length is {norm:.2}."
        ),
    )
}

fn draw_feature(figure: &Figure<'_>, subject: &ExplainedImage<'_>) {
    let projected = subject.analysis().and_then(|analysis| analysis.projected.as_ref());
    if let Some(projected) = projected {
        figure.feature(&projected.feature);
    }
}

fn centers(subject: &ExplainedImage<'_>) -> Told {
    let classes = subject.info.vocabulary.classes.len();
    let nearest = subject.analysis().and_then(|analysis| analysis.nearest.first());
    let nearest = nearest.map_or_else(
        || "There is no class center to compare with.".to_owned(),
        |nearest| {
            let name = subject.info.vocabulary.class_name(nearest.class);
            format!("The nearest is “{name}”, at a cosine of {:.3}.", nearest.similarity)
        },
    );
    let formula = match subject.session.settings().recipe {
        Recipe::Paper => "s(class) = cos(f, center(class))",
        Recipe::Released => "s(class) = mean over patterns of cos(f, center(class, pattern))",
    };
    Told::new(
        formula,
        format!(
            "Each of the {classes} known classes has a center: the running mean of its training \
             features. {nearest}"
        ),
    )
}

fn draw_centers(figure: &Figure<'_>, subject: &ExplainedImage<'_>) {
    let Some(analysis) = subject.analysis() else { return };
    let palette = figure.palette();
    let row = |(place, nearest): (usize, &crate::pipeline::Nearest)| BarRow {
        name: subject.info.vocabulary.class_name(nearest.class),
        value: nearest.similarity,
        threshold: None,
        color: if place == 0 { palette.accent } else { palette.weak },
        note: format!("{:.3}", nearest.similarity),
    };
    figure.bars(&analysis.nearest.iter().enumerate().map(row).collect::<Vec<_>>(), 0);
}
