//! What `inspect` prints and writes: JSON lines, a table, heatmaps, dumps.

use std::error::Error;
use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::json;

use super::inspect::Prepared;
use crate::fs;
use crate::image::png;
use crate::overlay;
use crate::pipeline::{Analysis, LabelSet, NamedCosine, Nearest, Pipeline, Settings, TaggerOutput};
use crate::score::verdict::Outcome;

/// Tags or names that are listed for a person.
const SHOWN: usize = 12;

/// Everything known of one image.
pub(super) struct Line<'a> {
    pub path: &'a Path,
    pub prepared: &'a Prepared,
    pub tagged: &'a TaggerOutput,
    /// The network's own output, of tokens that were not rounded: what a dump holds.
    pub unrounded: Option<&'a TaggerOutput>,
    pub analysis: &'a Analysis,
    pub settings: &'a Settings,
    pub pipeline: &'a Pipeline,
    pub tagger_ms: f32,
}

#[derive(Serialize)]
struct Tag<'a> {
    index: usize,
    name: &'a str,
    probability: f32,
    threshold: f32,
    in_vocabulary: bool,
}

impl Line<'_> {
    /// The tags above their threshold, most probable first.
    fn tags(&self) -> Vec<Tag<'_>> {
        let vocabulary = self.pipeline.vocabulary();
        let mut tags: Vec<Tag> = self
            .tagged
            .probabilities()
            .into_iter()
            .enumerate()
            .filter(|&(index, probability)| probability > vocabulary.thresholds[index])
            .map(|(index, probability)| Tag {
                index,
                name: &vocabulary.tags[index],
                probability,
                threshold: vocabulary.thresholds[index],
                in_vocabulary: vocabulary.is_id(index),
            })
            .collect();
        tags.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        tags
    }

    /// A CLIP's names with what it makes of them, most similar first; `None` of a tagger.
    fn labels(&self) -> Option<Vec<NamedCosine>> {
        let names = &self.pipeline.vocabulary().tags;
        Some(self.pipeline.label_set()?.named(names, self.tagged, Some(self.analysis)))
    }

    fn json(&self) -> serde_json::Value {
        let (analysis, verdict) = (self.analysis, &self.analysis.verdict);
        let near = |near: &Nearest| {
            let class = self.pipeline.vocabulary().class_name(near.class);
            json!({ "class": class, "similarity": near.similarity })
        };
        let nearest = analysis.nearest.iter().map(near).collect::<Vec<_>>();
        let nearest = verdict.rejected.is_none().then_some(nearest);
        let [decode, preprocess] = self.prepared.stage_ms;
        let [decompose, project, score] = analysis.stage_ms;
        json!({
            "path": fs::shown_path(self.path),
            "verdict": verdict.outcome,
            "reason": verdict.reason.to_string(),
            "detector": self.settings.detector,
            "score": verdict.score,
            "lambda": verdict.lambda,
            "tau": self.settings.tau,
            "recipe": self.settings.recipe,
            "tags": self.tags(),
            "labels": self.labels(),
            "kept_tokens": analysis.decomposition.kept(),
            "total_tokens": self.tagged.positions(),
            "nearest": nearest,
            "rejected": verdict.rejected,
            // JSON has no −∞: null.
            "ranked": verdict.ranked,
            "width": self.prepared.rgb.width(),
            "height": self.prepared.rgb.height(),
            "device": self.pipeline.device_label(),
            "timings_ms": {
                "decode": decode,
                "preprocess": preprocess,
                "tagger": self.tagger_ms,
                "decompose": decompose,
                "project": project,
                "score": score,
            },
        })
    }

    /// A few lines for a person.
    fn text(&self) -> String {
        let (analysis, verdict) = (self.analysis, &self.analysis.verdict);
        let title = match verdict.outcome {
            Some(Outcome::Id) => "ID ",
            Some(Outcome::Ood) => "OOD",
            None => " – ",
        };
        let number = |value: Option<f32>| value.map_or("–".into(), |value| format!("{value:.3}"));
        let mut text = format!(
            "{title}  {}\n     {}\n     {} {}   λ {}   τ {:.2}   kept {} of {} tokens\n",
            fs::printable(self.path),
            verdict.reason,
            self.settings.detector,
            number(verdict.score),
            number(verdict.lambda),
            self.settings.tau,
            analysis.decomposition.kept(),
            self.tagged.positions(),
        );
        if let Some(labels) = self.labels() {
            for NamedCosine { name, similarity, probability, denied } in labels.iter().take(SHOWN) {
                let denied = denied.map_or(String::new(), |no| format!("  no {no:.3}"));
                text += &format!("     {name:<30} {similarity:.3}  {probability:.3}{denied}\n");
            }
            return text;
        }
        let tags = self.tags();
        for tag in tags.iter().take(SHOWN) {
            let mark = if tag.in_vocabulary { '●' } else { '○' };
            let (name, probability, threshold) = (tag.name, tag.probability, tag.threshold);
            text += &format!("     {mark} {name:<28} {probability:.3}  (> {threshold:.2})\n");
        }
        if tags.len() > SHOWN {
            text += &format!("       … and {} more tags\n", tags.len() - SHOWN);
        }
        text
    }
}

/// Prints one image's results.
///
/// # Errors
/// If the output cannot be written.
pub(super) fn print(out: &mut impl Write, line: &Line, json: bool) -> anyhow::Result<()> {
    let text = if json { line.json().to_string() } else { line.text() };
    writeln!(out, "{text}").context("cannot write the results")
}

/// Prints that an image failed.
///
/// # Errors
/// If the output cannot be written.
pub(super) fn print_error(
    out: &mut impl Write,
    path: &Path,
    error: &dyn Error,
    json: bool,
) -> anyhow::Result<()> {
    let text = match json {
        true => json!({ "path": fs::shown_path(path), "error": error.to_string() }).to_string(),
        false => format!(
            "!    {}\n     {}\n",
            fs::printable(path),
            fs::printable_text(&error.to_string())
        ),
    };
    writeln!(out, "{text}").context("cannot write the results")
}

/// The longest parts of a name, in bytes: together with the rest, and while the file is written, it is
/// within the 255 that file systems take.
const MAX_NAME_BYTES: usize = 120;
const MAX_TAG_BYTES: usize = 60;

/// The image's file name, with a hash of its folder, so that images of one name do not meet. Where the
/// name is too long or no text, the hash is that of the whole path.
fn stem(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    let shown = fs::printable(Path::new(name));
    let short = &shown[..shown.floor_char_boundary(MAX_NAME_BYTES)];
    let folder = path.parent().unwrap_or(Path::new(""));
    let hashed = if Some(short) == name.to_str() { folder } else { path };
    let bytes = hashed.as_os_str().as_encoded_bytes().iter();
    let hash = bytes
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    format!("{short}.{hash:08x}")
}

/// One PNG for each tag above its threshold, and `union` for the in-distribution ones together.
pub(super) fn write_heatmaps(folder: &Path, line: &Line) -> anyhow::Result<()> {
    let (pipeline, settings) = (line.pipeline, line.settings);
    let mut tags: Vec<usize> = line.tags().iter().map(|tag| tag.index).collect();
    tags.sort_unstable();
    let attention = pipeline.attention_of(line.tagged, &tags)?;
    let layer = pipeline.layer(settings.recipe);
    let save = |name: &str, map: &[f32]| {
        let path = folder.join(format!("{}.{name}.png", stem(line.path)));
        let rgb = &line.prepared.rgb;
        let seen = pipeline.seen(rgb.dimensions().into());
        let picture = overlay::draw(rgb, map, settings.tau, &seen);
        write(&path, png(&picture)?)
    };
    for tag in tags {
        let Some(map) = attention.relevance(tag, layer) else { continue };
        let name: String = pipeline.vocabulary().tags[tag]
            .chars()
            .map(|c| if c.is_alphanumeric() { c } else { '_' })
            .collect();
        save(&format!("{tag}_{}", &name[..name.floor_char_boundary(MAX_TAG_BYTES)]), &map)?;
    }
    save("union", &line.analysis.decomposition.map)
}

/// A tensor's name, shape and values.
type Named = (&'static str, Vec<usize>, Vec<f32>);

/// Tokens, logits and attention of a tagger.
fn tagger_tensors(tagged: &TaggerOutput) -> Vec<Named> {
    let attention = &tagged.attention;
    let (positions, width) = (tagged.positions(), tagged.width);
    let (layers, heads, tags) = (attention.layers, attention.heads, attention.tags.len());
    // Kept as [T, L, H, P]; the contract says [L, H, T, P].
    let mut by_layer = vec![0.0f32; attention.values.len()];
    for (row, values) in attention.values.chunks(positions).enumerate() {
        let (tag, rest) = (row / (layers * heads), row % (layers * heads));
        let at = (rest * tags + tag) * positions;
        by_layer[at..at + positions].copy_from_slice(values);
    }
    vec![
        ("tokens", vec![positions, width], tagged.tokens.clone()),
        ("logits", vec![tagged.logits.len()], tagged.logits.clone()),
        ("attention", vec![layers, heads, tags, positions], by_layer),
    ]
}

/// Features of a CLIP's image and patches, as the network gives them, those of the names at unit
/// length, and the logits of both sides.
fn clip_tensors(tagged: &TaggerOutput, labels: &LabelSet) -> Vec<Named> {
    let (width, names) = (tagged.width, labels.len());
    let (image, local) = tagged.tokens.split_at(width);
    let of_names = |values: &Vec<f32>| (vec![names, width], values.clone());
    let (shape, features) = of_names(&labels.features);
    let mut tensors = vec![
        ("image_feature", vec![width], image.to_vec()),
        ("local_features", vec![local.len() / width, width], local.to_vec()),
        ("label_features", shape, features),
        ("logits", vec![names], labels.logits(image)),
    ];
    if let (Some(no), Some(logits)) = (&labels.no, labels.no_logits(image)) {
        let (shape, features) = of_names(no);
        tensors.push(("no_label_features", shape, features));
        tensors.push(("no_logits", vec![names], logits));
    }
    tensors
}

/// Every intermediate tensor of one image, as `inspect --help` lists them.
pub(super) fn write_dump(folder: &Path, line: &Line) -> anyhow::Result<()> {
    let (tagged, analysis) = (line.unrounded.unwrap_or(line.tagged), line.analysis);
    let side = line.pipeline.image_side() as usize;
    let positions = tagged.positions();
    let mask: Vec<f32> =
        analysis.decomposition.mask.iter().map(|&m| f32::from(u8::from(m))).collect();
    let mut tensors = vec![("image", vec![3, side, side], line.prepared.input.clone())];
    match line.pipeline.label_set() {
        Some(labels) => tensors.extend(clip_tensors(tagged, labels)),
        None => tensors.extend(tagger_tensors(tagged)),
    }
    tensors.push(("map", vec![positions], analysis.decomposition.map.clone()));
    tensors.push(("mask", vec![positions], mask));
    if let Some(projected) = &analysis.projected {
        tensors.push(("feature", vec![projected.feature.len()], projected.feature.clone()));
        let logits = projected.class_logits.clone();
        tensors.push(("class_logits", vec![logits.len()], logits));
    }
    let bytes: Vec<(&str, Vec<usize>, Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, shape, values)| {
            (name, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
        })
        .collect();
    let mut views = Vec::new();
    for (name, shape, bytes) in &bytes {
        let view = safetensors::tensor::TensorView::new(
            safetensors::Dtype::F32,
            shape.clone(),
            bytes.as_slice(),
        );
        views.push((*name, view.context("a tensor does not fit its shape")?));
    }
    let path = folder.join(format!("{}.safetensors", stem(line.path)));
    let file = safetensors::serialize(views, None).context("cannot lay out the tensors")?;
    write(&path, file)
}

fn write(path: &Path, bytes: Vec<u8>) -> anyhow::Result<()> {
    fs::write_unflushed(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
