//! The explanation of a verdict, and its presentation, driven through the accessibility tree.

use std::path::{Path, PathBuf};

use eframe::egui::Key;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use tagood_lens::app::Options;
use tagood_lens::bundle::Bundle;
use tagood_lens::bundle::known::read_names;
use tagood_lens::gpu::{self, DeviceChoice};
use tagood_lens::nn::Activation;
use tagood_lens::pipeline::{Analysis, FeatureChoice, Pipeline};
use tagood_lens::score::LOGIT_SCALE;
use tagood_lens::score::detectors::clipn::YesNo;
use tagood_lens::session::{Command, Session};
use tagood_lens::worker::Program;

use super::golden_clip::fixture;
use super::snapshots::{scenes, show_alone};
use super::stage::{Stage, model, open, options, pictures, send, settle, window};

const NAMES: &str = "apple, bicycle, cat, sailboat, teapot";

/// The CLIPN that is embedded, with a few of the world's objects named known.
pub fn clip(features: FeatureChoice) -> Pipeline {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo-clip");
    let mut bundle = Bundle::open(&folder).unwrap();
    bundle.manifest.clip.as_mut().unwrap().features = features;
    bundle.know(read_names(NAMES).unwrap()).unwrap();
    Pipeline::load(&bundle, &gpu::compute(DeviceChoice::Cpu).unwrap()).unwrap()
}

/// A CLIP without a side that says no, and its tokenizer.
fn clip_without_no(folder: &Path) -> Pipeline {
    let file = folder.join("tiny_openai.pt");
    std::fs::copy(fixture("tiny_openai.pt"), &file).unwrap();
    std::fs::copy(fixture("tiny_tokenizer.json"), folder.join("tokenizer.json")).unwrap();
    let mut bundle = Bundle::open_with(&file, Some(Activation::QuickGelu)).unwrap();
    bundle.know(read_names("cat, dog").unwrap()).unwrap();
    Pipeline::load(&bundle, &gpu::compute(DeviceChoice::Cpu).unwrap()).unwrap()
}

fn explained(
    paths: Vec<PathBuf>,
    pipeline: impl Fn() -> Pipeline + Send + Sync + 'static,
) -> Harness<'static, Stage> {
    let mut harness = open(Options { model: model("clip", pipeline), ..options(paths) });
    show_alone(&mut harness, "explain");
    harness
}

fn session<'a>(harness: &'a Harness<'_, Stage>) -> &'a Session {
    harness.state().app().session()
}

fn analysis(harness: &Harness<'_, Stage>) -> Analysis {
    let entry = session(harness).focused().unwrap();
    (**entry.analysis.as_ref().unwrap()).clone()
}

/// The titles of the steps, in their order.
fn titles(harness: &Harness<'_, Stage>) -> Vec<String> {
    let title = |number: usize| {
        let start = format!("{number} ");
        let is_step = |label: &String| label.starts_with(&start) && !label.contains('/');
        let labels = harness.get_all_by_role(eframe::egui::accesskit::Role::Button);
        let labels = labels.filter_map(|node| node.accesskit_node().label());
        labels.map(|label| label.to_string()).find(is_step).map(|label| label[start.len()..].into())
    };
    (1..).map_while(title).collect()
}

fn go_to(harness: &mut Harness<'_, Stage>, title: &str) {
    let step = titles(harness).iter().position(|step| step == title).unwrap() + 1;
    harness.get_by_label(&format!("{step} {title}")).click();
    settle(harness);
    harness.get_by_label(&format!("Step {step}: {title}"));
}

/// Whether a sentence on show has all of these in it.
fn says(harness: &Harness<'_, Stage>, parts: &[&str]) {
    let all = harness.query_all_by_label_contains(parts[0]);
    let texts: Vec<String> = all
        .filter_map(|node| node.accesskit_node().value().or(node.accesskit_node().label()))
        .collect();
    let is_it = |text: &String| parts.iter().all(|part| text.contains(part));
    assert!(texts.iter().any(is_it), "no text with {parts:?}: {texts:?}");
}

#[test]
fn a_clip_is_explained_by_the_numbers_that_its_detectors_read() {
    let folder = tempfile::tempdir().unwrap();
    let scenes = scenes(folder.path());
    let mut harness = explained(vec![scenes[0].clone()], || clip(FeatureChoice::WholeImage));
    assert_eq!(
        titles(&harness),
        [
            "Photo",
            "Patches",
            "Image feature",
            "Texts",
            "Yes",
            "No",
            "None of these",
            "Map",
            "Threshold",
            "Kept patches",
            "Score"
        ]
    );
    let analysis = analysis(&harness);
    let cosines = analysis.cosines.clone().unwrap();
    let sides = YesNo::new(&cosines.image, cosines.no.as_ref().unwrap());
    let first = (0..cosines.image.len())
        .max_by(|&a, &b| cosines.image[a].total_cmp(&cosines.image[b]))
        .unwrap();
    let name = read_names(NAMES).unwrap()[first].name.clone();

    go_to(&mut harness, "Texts");
    says(&harness, &["5 known names stand in", "“a photo of a {}.”", "learned prompts"]);
    go_to(&mut harness, "Yes");
    let (cosine, p) = (cosines.image[first], cosines.probabilities()[first]);
    says(
        &harness,
        &[
            &format!("nearest to “{name}”"),
            &format!("the cosine is {cosine:.3}, the logit {:.1}", LOGIT_SCALE * cosine),
            &format!("p = {p:.3}"),
        ],
    );
    go_to(&mut harness, "No");
    says(&harness, &[&format!("p_no = {:.3}.", 1.0 - sides.agreed[first])]);
    go_to(&mut harness, "None of these");
    says(
        &harness,
        &[
            &format!("CTW = {:.3}", sides.competing_to_win()),
            &format!(
                "ATD = {:.3}, which leaves {:.3}",
                sides.agreeing_to_differ(),
                sides.none_of_these()
            ),
        ],
    );
    go_to(&mut harness, "Score");
    let (score, lambda) = (analysis.verdict.score.unwrap(), analysis.verdict.lambda.unwrap());
    // The decision is this score against 0.
    assert_eq!((score, lambda), (sides.margin_over_none() as f32, 0.0));
    says(&harness, &[&format!("gives {score:.3}, and λ is {lambda:.3}")]);
    // τ leaves nothing out of the whole image's feature, and is not said to.
    for step in ["Threshold", "Kept patches"] {
        go_to(&mut harness, step);
        says(&harness, &["Not done for this image: the whole image's feature is judged"]);
    }
}

#[test]
fn kept_patches_are_judged_after_they_were_kept() {
    let folder = tempfile::tempdir().unwrap();
    let scenes = scenes(folder.path());
    let mut harness = explained(vec![scenes[0].clone()], || clip(FeatureChoice::Objects));
    let steps = titles(&harness);
    let at = |title: &str| steps.iter().position(|step| step == title).unwrap();
    assert!(at("Names") < at("Map") && at("Kept patches") < at("Yes"), "{steps:?}");
    let analysis = analysis(&harness);
    let kept = analysis.decomposition.kept();
    assert!(kept > 0);
    go_to(&mut harness, "Threshold");
    let patches = analysis.decomposition.mask.len() - 1;
    says(&harness, &[&format!("{kept} of {patches} do")]);
    go_to(&mut harness, "Yes");
    says(&harness, &["the mean of the kept patches is nearest to"]);
    go_to(&mut harness, "Names");
    says(&harness, &["By the image feature, "]);
}

#[test]
fn a_clip_that_cannot_say_no_is_not_said_to() {
    let folder = tempfile::tempdir().unwrap();
    let paths = pictures(folder.path());
    let models = folder.path().to_owned();
    let mut harness = explained(vec![paths[0].clone()], move || clip_without_no(&models));
    for step in ["No", "None of these"] {
        go_to(&mut harness, step);
        says(
            &harness,
            &["Not done for this image: this CLIP has no second text side that says no"],
        );
    }
    go_to(&mut harness, "Yes");
    says(&harness, &["Of all known names, the image feature is nearest to"]);
    // The mean of patches of nothing is not made up where nothing is named.
    go_to(&mut harness, "Score");
    says(&harness, &["MCM gives", "there is no λ"]);
}

#[test]
fn the_tags_that_count_are_named_and_one_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(pictures(folder.path())[..1].to_vec());
    show_alone(&mut harness, "explain");
    let analysis = analysis(&harness);
    let tags = &analysis.decomposition.tags;
    assert!(tags.len() > 1, "several tags have to count for this");
    let tagged = session(&harness).focused().unwrap().tagged.clone().unwrap();
    let probabilities = tagged.probabilities();
    let likeliest =
        tags.iter().max_by(|a, b| probabilities[**a].total_cmp(&probabilities[**b])).unwrap();
    let info = session(&harness).info().unwrap().clone();
    let name = &info.vocabulary.tags[*likeliest];
    go_to(&mut harness, "Tags");
    says(
        &harness,
        &[
            &format!("{} of those are likely enough here to count: “{name}”", tags.len()),
            &format!("The next steps follow “{name}”"),
        ],
    );
    go_to(&mut harness, "Min–max");
    let layer = info.layer(session(&harness).settings());
    let attention = tagged.attention.of(*likeliest, layer).unwrap();
    let sums: Vec<f32> = (0..tagged.positions())
        .map(|at| attention.chunks_exact(tagged.positions()).map(|head| head[at]).sum())
        .collect();
    let low = sums.iter().copied().fold(f32::INFINITY, f32::min);
    let high = sums.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    says(&harness, &[&format!("the attention of “{name}” runs from {low:.5} to {high:.5}")]);
}

#[test]
fn nothing_is_cut_on_a_small_screen() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(pictures(folder.path())[..1].to_vec());
    harness.set_size(eframe::egui::vec2(1024.0, 768.0));
    harness.state_mut().app.as_mut().unwrap().show_panel("explain");
    settle(&mut harness);
    for (number, title) in titles(&harness).into_iter().enumerate() {
        go_to(&mut harness, &title);
        let figure = harness.get_by_label(&format!("Step {}: {title}", number + 1)).rect();
        let labels = harness.get_all_by_role(eframe::egui::accesskit::Role::Label);
        let mut below_title = 0;
        for node in labels.filter(|node| {
            let rect = node.rect();
            rect.bottom() <= figure.top() && figure.x_range().contains(rect.center().x)
        }) {
            let rect = node.rect();
            assert!(rect.left() >= figure.left() - 1.0, "{title}: {rect:?} of {figure:?}");
            assert!(rect.right() <= figure.right() + 1.0, "{title}: {rect:?} of {figure:?}");
            below_title += 1;
        }
        assert!(below_title >= 3, "{title}: title, formula and text stand above the figure");
        assert!(figure.height() >= 150.0, "{title}: {figure:?}");
    }
}

#[test]
fn a_presentation_is_walked_with_a_clicker() {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = window(pictures(folder.path())[..2].to_vec());
    let selected = session(&harness).focus;
    let has_menus = |harness: &Harness<'_, Stage>| harness.query_by_label("Files").is_some();
    assert!(has_menus(&harness));
    let press = |harness: &mut Harness<'_, Stage>, key: Key| {
        harness.key_press(key);
        settle(harness);
    };
    press(&mut harness, Key::F5);
    assert!(!has_menus(&harness), "the explanation has the window to itself");
    harness.get_by_label("Step 1: Photo");
    for (key, step) in [
        (Key::PageDown, "Step 2: Patches"),
        (Key::Space, "Step 3: Tags"),
        (Key::ArrowRight, "Step 4: Attention"),
        (Key::ArrowDown, "Step 5: Min–max"),
        (Key::PageUp, "Step 4: Attention"),
        (Key::ArrowLeft, "Step 3: Tags"),
        (Key::ArrowUp, "Step 2: Patches"),
        (Key::End, "Step 10: Score"),
        (Key::PageDown, "Step 10: Score"),
        (Key::Home, "Step 1: Photo"),
        (Key::PageUp, "Step 1: Photo"),
    ] {
        press(&mut harness, key);
        assert!(harness.query_by_label(step).is_some(), "{key:?} leads to {step}");
    }
    assert_eq!(session(&harness).focus, selected, "the keys walk steps, not images");
    // Keys that are no clicker's do what they always do.
    let tau = session(&harness).settings().tau;
    press(&mut harness, Key::CloseBracket);
    assert!(session(&harness).settings().tau > tau);
    press(&mut harness, Key::Escape);
    assert!(has_menus(&harness));
    send(&mut harness, Command::SetTau(tau));
}

#[test]
fn a_clip_s_fit_asks_for_no_vocabulary_and_no_epochs() {
    let folder = tempfile::tempdir().unwrap();
    let paths = pictures(folder.path())[..1].to_vec();
    let options = Options {
        model: model("clip", || clip(FeatureChoice::WholeImage)),
        ..options(paths.clone())
    };
    for (options, of_names) in [(options, true), (super::stage::options(paths), false)] {
        let mut harness = open(options);
        let app = harness.state_mut().app.as_mut().unwrap();
        app.enable_fitting(Program::default());
        app.show_panel("training");
        settle(&mut harness);
        for tagger_s in ["Propose vocabulary", "Epochs"] {
            assert_eq!(harness.query_by_label(tagger_s).is_some(), !of_names, "{tagger_s}");
        }
        let told = harness.query_by_label_contains("fit --method clipn --pairs").is_some();
        assert_eq!(told, of_names);
    }
}
