//! Images with their verdicts, as rows.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::bundle::vocabulary::Vocabulary;
use crate::dataset::csv_text::safe_cell;
use crate::pipeline::{Analysis, LabelSet, NamedCosine, Settings, TaggerOutput};
use crate::score::verdict::{Outcome, Rejection};

/// What is known of an image, held without copies until a thread makes a row of it.
#[derive(Clone, Debug)]
pub struct ExportedImage {
    /// Its file, or its name where it is none.
    pub path: PathBuf,
    /// The set it belongs to; may be empty.
    pub set: String,
    /// Its class, if its folder tells.
    pub class: Option<usize>,
    /// Its look at the settings in force.
    pub analysis: Option<Arc<Analysis>>,
    /// Why there is no result.
    pub error: Option<String>,
}

/// A tag above its threshold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TagRow {
    /// Its name.
    pub name: String,
    /// Its probability, 0 to 1.
    pub probability: f32,
    /// The probability that it has to exceed.
    pub threshold: f32,
    /// Whether it stands for an in-distribution class.
    pub in_vocabulary: bool,
}

/// One image of a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImageRow {
    /// Its file, or its name where it is none.
    pub path: String,
    /// The set it belongs to; may be empty.
    pub set: String,
    /// Its class, if its folder tells.
    pub class: Option<String>,
    /// `id` or `ood`, where there is a decision.
    pub verdict: Option<Outcome>,
    /// Why, in a sentence.
    pub reason: Option<String>,
    /// The detector's score, higher = more in-distribution.
    pub score: Option<f32>,
    /// Why the image is out-of-distribution without a score: `no-known-tag` or `nothing-kept`.
    pub rejected: Option<Rejection>,
    /// What metrics rank the image by: the score, or what stands for a rejection, mostly −∞ (`null` in
    /// JSON, which has none).
    pub ranked: Option<f32>,
    /// λ in force.
    pub lambda: Option<f32>,
    /// τ in force, 0 to 1.
    pub tau: f32,
    /// The detector's id.
    pub detector: String,
    /// `paper` or `released`.
    pub recipe: String,
    /// The class of the nearest center.
    pub nearest: Option<String>,
    /// The cosine to it.
    pub similarity: Option<f32>,
    /// Image tokens above τ.
    pub kept_tokens: Option<u32>,
    /// All image tokens.
    pub total_tokens: Option<u32>,
    /// The tags above their thresholds, the most probable first; of a CLIP, the names.
    pub tags: Vec<TagRow>,
    /// Of a CLIP, all known names, the most similar first; `None` of a tagger.
    pub labels: Option<Vec<NamedCosine>>,
    /// Why there is no result.
    pub error: Option<String>,
}

impl ExportedImage {
    /// The row of this image at these settings; `tagged` is what the network made of it, `labels` are a
    /// CLIP's names.
    pub fn row(
        &self,
        tagged: Option<&TaggerOutput>,
        (vocabulary, labels): (&Vocabulary, Option<&LabelSet>),
        settings: &Settings,
    ) -> ImageRow {
        let analysis = self.analysis.as_deref();
        let nearest = analysis.and_then(|analysis| analysis.nearest.first());
        let count = |count: usize| u32::try_from(count).ok();
        ImageRow {
            path: self.path.display().to_string(),
            set: self.set.clone(),
            class: self.class.map(|class| vocabulary.class_name(class)),
            verdict: analysis.and_then(|analysis| analysis.verdict.outcome),
            reason: analysis.map(|analysis| analysis.verdict.reason.to_string()),
            score: analysis.and_then(|analysis| analysis.verdict.score),
            rejected: analysis.and_then(|analysis| analysis.verdict.rejected),
            ranked: analysis.and_then(|analysis| analysis.verdict.ranked),
            lambda: analysis.and_then(|analysis| analysis.verdict.lambda),
            tau: settings.tau,
            detector: settings.detector.clone(),
            recipe: settings.recipe.to_string(),
            nearest: nearest.map(|nearest| vocabulary.class_name(nearest.class)),
            similarity: nearest.map(|nearest| nearest.similarity),
            kept_tokens: analysis.and_then(|analysis| count(analysis.decomposition.kept())),
            total_tokens: analysis.and_then(|analysis| count(analysis.decomposition.mask.len())),
            tags: tagged.map(|tagged| tags(tagged, vocabulary)).unwrap_or_default(),
            labels: labels
                .zip(tagged)
                .map(|(labels, tagged)| labels.named(&vocabulary.tags, tagged, analysis)),
            error: self.error.clone(),
        }
    }
}

fn tags(tagged: &TaggerOutput, vocabulary: &Vocabulary) -> Vec<TagRow> {
    let all = tagged.probabilities().into_iter().zip(&vocabulary.thresholds).enumerate();
    let mut tags: Vec<TagRow> = all
        .filter(|(_, (probability, threshold))| probability > *threshold)
        .filter_map(|(at, (probability, &threshold))| {
            let (name, in_vocabulary) = (vocabulary.tags.get(at)?.clone(), vocabulary.is_id(at));
            Some(TagRow { name, probability, threshold, in_vocabulary })
        })
        .collect();
    tags.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    tags
}

/// One line for each image, under the names of the columns.
pub(super) fn write_csv(out: &mut impl Write, rows: &[ImageRow]) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record([
        "path",
        "set",
        "class",
        "verdict",
        "reason",
        "score",
        "rejected",
        "ranked",
        "lambda",
        "tau",
        "detector",
        "recipe",
        "nearest",
        "similarity",
        "kept_tokens",
        "total_tokens",
        "tags",
        "labels",
        "error",
    ])?;
    let number = |value: Option<f32>| value.map(|value| value.to_string()).unwrap_or_default();
    let count = |value: Option<u32>| value.map(|value| value.to_string()).unwrap_or_default();
    let safe = |text: &str| safe_cell(text).into_owned();
    let text = |value: &Option<String>| safe(value.as_deref().unwrap_or_default());
    for row in rows {
        let tag = |tag: &TagRow| format!("{}={}", tag.name, tag.probability);
        let tags: Vec<String> = row.tags.iter().map(tag).collect();
        let label = |label: &NamedCosine| format!("{}={}", label.name, label.probability);
        let labels: Vec<String> = row.labels.iter().flatten().map(label).collect();
        writer.write_record([
            safe(&row.path),
            safe(&row.set),
            text(&row.class),
            row.verdict.map(|verdict| verdict.to_string()).unwrap_or_default(),
            text(&row.reason),
            number(row.score),
            row.rejected.map(|rejection| rejection.to_string()).unwrap_or_default(),
            number(row.ranked),
            number(row.lambda),
            row.tau.to_string(),
            row.detector.clone(),
            row.recipe.clone(),
            text(&row.nearest),
            number(row.similarity),
            count(row.kept_tokens),
            count(row.total_tokens),
            safe(&tags.join(";")),
            safe(&labels.join(";")),
            text(&row.error),
        ])?;
    }
    writer.flush()
}

/// An array of objects; a score that is not finite becomes `null`.
pub(super) fn write_json(out: &mut impl Write, rows: &[ImageRow]) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, rows)?;
    out.write_all(b"\n")
}
