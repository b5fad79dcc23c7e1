//! CLIP and CLIPN against golden tensors of an independent implementation, from every layout, on
//! the CPU backend and on a software GPU. `tests/fixtures/clip/README.md` says how the goldens were
//! made.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor};
use image::RgbImage;
use proptest::prelude::*;
use tagood_lens::image::{Normalisation, Transform, tensor_data};
use tagood_lens::nn::Activation;
use tagood_lens::nn::clip::{
    ActivationSource, Checkpoint, Clip, ClipConfig, Layout, LearnedPrompts, NoPrompt, NoSide,
    PositionResize, ends, weights_file,
};
use tagood_lens::nn::source::Source;
use tagood_lens::nn::weights::{WeightLoader, named_tensors, unexpected};

use super::golden::{Goldens, close, devices, floats};

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clip").join(name)
}

fn open(name: &str) -> (Source, Layout) {
    let source = Source::open(&fixture(name)).unwrap();
    let layout = Layout::of(&source).unwrap();
    (layout.canonical(source), layout)
}

fn load(source: &Source, activation: Activation, device: &Device) -> Clip {
    let config = ClipConfig::of_checkpoint(source, activation).unwrap();
    Clip::new(&config, &WeightLoader::stored(source, device)).unwrap()
}

/// The tiny CLIPN with QuickGELU on the CPU, and its goldens.
pub fn load_clipn() -> (Clip, Goldens) {
    let (source, _) = open("tiny_clipn_epoch_10.pt");
    let goldens = Goldens::open(&fixture("tiny_quick.safetensors"));
    (load(&source, Activation::QuickGelu, &Device::flex()), goldens)
}

pub fn tokens(goldens: &Goldens, name: &str) -> Vec<Vec<u32>> {
    let length = goldens.shape(name)[1];
    let ids: Vec<u32> = goldens.integers(name).into_iter().map(|id| id as u32).collect();
    ids.chunks(length).map(<[u32]>::to_vec).collect()
}

/// Image tokens, a feature first, as the goldens have them apart.
pub fn split(tokens: Tensor<3>) -> [Vec<f32>; 2] {
    let [batch, n, width] = tokens.dims();
    let local = tokens.clone().slice([0..batch, 1..n]);
    [floats(tokens.slice([0..batch, 0..1, 0..width])), floats(local)]
}

const BOTH: [(Activation, &str); 2] =
    [(Activation::QuickGelu, "tiny_quick"), (Activation::Gelu, "tiny_exact")];

#[test]
fn every_stage_agrees_with_the_reference() {
    let (source, _) = open("tiny_clipn_epoch_10.pt");
    for (activation, name) in BOTH {
        let goldens = Goldens::open(&fixture(&format!("{name}.safetensors")));
        for (device, tolerance) in devices() {
            let clip = load(&source, activation, &device);
            let check = |what: &str, found: &[f32]| {
                close(what, found, &goldens.floats(what), tolerance);
            };
            let mut seen = 0;
            let image = goldens.tensor("image", &device);
            let found = clip.image.forward_traced(image.clone(), &mut |stage, x| {
                let golden = match stage.parse::<usize>() {
                    Ok(block) => format!("vision.{block}"),
                    Err(_) => stage.to_owned(),
                };
                check(&golden, &floats(x.clone()));
                seen += 1;
            });
            let [global, local] = split(found);
            check("image_features", &global);
            check("local_features", &local);
            check("image_features", &floats(clip.image.features(image)));

            let rows = tokens(&goldens, "tokens");
            // Goldens of blocks reach to the context's end, where nothing is read.
            let mut full = |golden: String, x: &Tensor<3>| {
                let [texts, length, width] = x.dims();
                let whole: Tensor<3> = goldens.tensor(&golden, &device);
                let expected = floats(whole.slice([0..texts, 0..length, 0..width]));
                close(&golden, &floats(x.clone()), &expected, tolerance);
                seen += 1;
            };
            let embedded = clip.text.embed(&rows);
            let found = clip.text.forward_traced(embedded, &ends(&rows), &mut |block, x| {
                full(format!("text.{block}"), x);
            });
            check("text_features", &floats(found));
            check("text_features", &floats(clip.text.forward(&rows)));
            let padded = tokens(&goldens, "tokens_end_padded");
            check("text_features_end_padded", &floats(clip.text.forward(&padded)));

            let no = clip.no.as_ref().unwrap();
            let found = no.forward_traced(&rows, NoPrompt::Mean, &mut |block, x| {
                full(format!("no.{block}"), x);
            });
            check("no_features", &floats(found));
            let mean = vec![no.prompts(); rows.len()];
            check("no_features", &floats(no.forward(&rows, NoPrompt::Each(&mean))));
            let third = vec![3; rows.len()];
            check("no_features.prompt3", &floats(no.forward(&rows, NoPrompt::Each(&third))));
            assert_eq!(seen, 4);
            assert!((floats(clip.logit_scale())[0] - 100.03).abs() < 0.01);
        }
    }
}

#[test]
fn the_hand_crafted_variant_has_no_prompts() {
    let (source, _) = open("tiny_clipn_epoch_10.pt");
    let goldens = Goldens::open(&fixture("tiny_quick.safetensors"));
    let mut config = ClipConfig::of_checkpoint(&source, Activation::QuickGelu).unwrap();
    assert_eq!(config.no_prompts, Some(5));
    config.no_prompts = Some(0);
    let device = Device::flex();
    let no = NoSide::new(&config, &WeightLoader::stored(&source, &device)).unwrap();
    assert_eq!(no.prompts(), 0);
    let found = no.forward(&tokens(&goldens, "tokens"), NoPrompt::Mean);
    close("plain", &floats(found), &goldens.floats("no_features.plain"), 2e-6);
}

#[test]
fn every_layout_gives_the_same_features() {
    let layouts = [
        ("tiny_openai.pt", Layout::OpenAi),
        ("tiny_open_clip.bin", Layout::OpenClip),
        ("tiny_open_clip.safetensors", Layout::OpenClip),
        ("tiny_hf.safetensors", Layout::HuggingFace),
        ("tiny_clipn_epoch_10.pt", Layout::Clipn),
    ];
    let device = Device::flex();
    for (name, layout) in layouts {
        let (source, found) = open(name);
        assert_eq!(found, layout, "{name}");
        for (activation, golden) in BOTH {
            let goldens = Goldens::open(&fixture(&format!("{golden}.safetensors")));
            let config = ClipConfig::of_checkpoint(&source, activation).unwrap();
            let from = WeightLoader::stored(&source, &device);
            let clip = Clip::new(&config, &from).unwrap();
            assert_eq!(unexpected(&source, &from.names()), [""; 0], "{name}");
            let [global, local] = split(clip.image.forward(goldens.tensor("image", &device)));
            let text = floats(clip.text.forward(&tokens(&goldens, "tokens")));
            close(name, &global, &goldens.floats("image_features"), 2e-6);
            close(name, &local, &goldens.floats("local_features"), 2e-6);
            close(name, &text, &goldens.floats("text_features"), 2e-6);
            assert_eq!(clip.no.is_some(), layout == Layout::Clipn);
        }
    }
}

#[test]
fn heads_stand_side_by_side() {
    let (source, _) = open("heads_open_clip.safetensors");
    let goldens = Goldens::open(&fixture("heads.safetensors"));
    for (device, tolerance) in devices() {
        let clip = load(&source, Activation::Gelu, &device);
        let [global, local] = split(clip.image.forward(goldens.tensor("image", &device)));
        close("image", &global, &goldens.floats("image_features"), tolerance);
        close("local", &local, &goldens.floats("local_features"), tolerance);
        let text = floats(clip.text.forward(&tokens(&goldens, "tokens")));
        close("text", &text, &goldens.floats("text_features"), tolerance);
    }
}

#[test]
fn positions_are_resized_in_the_three_published_ways() {
    let (source, _) = open("tiny_open_clip.safetensors");
    let goldens = Goldens::open(&fixture("tiny_quick_other_sizes.safetensors"));
    let device = Device::flex();
    let ways = [
        ("open_clip", PositionResize::Antialiased),
        ("run", PositionResize::Plain),
        ("aligned", PositionResize::CornersAligned),
    ];
    for (name, way) in ways {
        let mut config = ClipConfig::of_checkpoint(&source, Activation::QuickGelu).unwrap();
        config.positions = way;
        let clip = Clip::new(&config, &WeightLoader::stored(&source, &device)).unwrap();
        for side in [48, 16] {
            let golden = |what: &str| goldens.floats(&format!("{side}.{name}.{what}"));
            let image = goldens.tensor(&format!("{side}.image"), &device);
            let mut embedded = Vec::new();
            let found = clip.image.forward_traced(image, &mut |stage, x| {
                if stage == "embedded" {
                    embedded = floats(x.clone());
                }
            });
            let [global, local] = split(found);
            close(name, &embedded, &golden("embedded"), 2e-6);
            close(name, &global, &golden("image_features"), 2e-6);
            close(name, &local, &golden("local_features"), 2e-6);
        }
    }
}

#[test]
fn weights_are_saved_under_the_names_they_were_read_by() {
    let (published, _) = open("tiny_hf.safetensors");
    let (plain, _) = open("tiny_open_clip.safetensors");
    let from = WeightLoader::stored(&published, &Device::flex());
    let config = ClipConfig::of_checkpoint(&published, Activation::Gelu).unwrap();
    let clip = Clip::new(&config, &from).unwrap();
    let tensors = named_tensors(&clip, &from.names());
    assert_eq!(tensors.len(), plain.shapes().len());
    for (name, shape, values) in tensors {
        assert_eq!(values, plain.read(&name, &shape).unwrap(), "{name}");
    }
}

#[test]
fn a_missing_tensor_is_named_as_its_file_would_name_it() {
    let bytes = std::fs::read(fixture("tiny_hf.safetensors")).unwrap();
    let spoilt = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        let mut bytes = bytes.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        std::fs::write(&path, bytes).unwrap();
        let source = Source::open(&path).unwrap();
        let source = Layout::of(&source).unwrap().canonical(source);
        let config = ClipConfig::of_checkpoint(&source, Activation::Gelu);
        let clip = config
            .and_then(|config| Clip::new(&config, &WeightLoader::stored(&source, &Device::flex())));
        clip.unwrap_err().to_string()
    };
    let error = spoilt("visual_projection.weight", "visual_projection.weighs");
    assert!(error.contains("`visual_projection.weight`"), "{error}");
    let error = spoilt(
        "vision_model.encoder.layers.1.self_attn.k_proj.bias",
        "vision_model.encoder.layers.1.self_attn.k_proj.sbia",
    );
    assert!(error.contains("layers.1.self_attn.{q,k,v}_proj.bias"), "{error}");
}

#[test]
fn pictures_are_prepared_to_the_last_bit() {
    let goldens = Goldens::open(&fixture("preprocess.safetensors"));
    let bytes = |name: &str| -> Vec<u8> {
        goldens.integers(name).into_iter().map(|level| level as u8).collect()
    };
    for size in ["45x31", "31x45", "33x32", "32x33", "5x7", "32x32", "120x9", "101x67", "67x35"] {
        let (width, height) = size.split_once('x').unwrap();
        let rgb = bytes(&format!("{size}.rgb"));
        let picture =
            RgbImage::from_raw(width.parse().unwrap(), height.parse().unwrap(), rgb).unwrap();
        let cropped = Transform::Clip.apply(&picture, 32);
        assert_eq!(cropped.as_raw(), &bytes(&format!("{size}.cropped")), "{size}");
        let bilinear = Transform::ClipBilinear.apply(&picture, 32);
        assert_eq!(bilinear.as_raw(), &bytes(&format!("{size}.bilinear")), "{size}");
        let tensor = tensor_data(&cropped, &Normalisation::CLIP);
        assert_eq!(tensor, goldens.floats(&format!("{size}.image")), "{size}");
    }
}

#[test]
fn learned_prompts_stand_before_the_names() {
    let (clip, goldens) = load_clipn();
    let source = Source::open(&fixture("tiny_locoop.pth.tar-50")).unwrap();
    assert!(LearnedPrompts::are_in(&source) && Layout::of(&source).is_none());
    let prompts = LearnedPrompts::new(&source, 64, &Device::flex()).unwrap();
    assert_eq!((prompts.vectors(), prompts.names()), (4, None));
    let found = prompts.forward(&clip.text, &tokens(&goldens, "locoop.tokens"));
    close("locoop", &floats(found), &goldens.floats("locoop.text_features"), 2e-6);
    let error = LearnedPrompts::new(&source, 512, &Device::flex()).unwrap_err().to_string();
    assert!(error.contains("`ctx`") && error.contains("[4, 512]"), "{error}");
}

/// The weights of the tiny model in a folder of their own, with files beside them.
fn folder(weights: &str, name: &str, beside: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(fixture(weights), folder.path().join(name)).unwrap();
    for (name, text) in beside {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn what_weights_do_not_say_is_read_beside_them() {
    let config = std::fs::read_to_string(fixture("tiny_hf_config.json")).unwrap();
    let exact = config.replace("quick_gelu", "gelu");
    let other = config.replace("\"hidden_size\": 64", "\"hidden_size\": 768");
    assert!(exact != config && other != config);
    let open_clip = r#"{"model_cfg": {"embed_dim": 48, "quick_gelu": true},
        "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.25, 0.5]}}"#;
    let pixels = r#"{"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}"#;
    let hf = ("tiny_hf.safetensors", "model.safetensors");
    let plain = ("tiny_open_clip.bin", "open_clip_pytorch_model.bin");
    let openai = ("tiny_openai.pt", "ViT-B-16.pt");
    let (gelu, quick) = (Activation::Gelu, Activation::QuickGelu);
    let file = ActivationSource::File;
    let cases: [(_, &[(&str, &str)], _, _); 8] = [
        (hf, &[("config.json", &config)], quick, file("config.json")),
        (hf, &[("config.json", &exact)], gelu, file("config.json")),
        // Another model's.
        (hf, &[("config.json", &other)], quick, ActivationSource::Assumed),
        (hf, &[("config.json", "{")], quick, ActivationSource::Assumed),
        (plain, &[("open_clip_config.json", open_clip)], quick, file("open_clip_config.json")),
        (plain, &[("config.json", &exact)], gelu, file("config.json")),
        (plain, &[], gelu, ActivationSource::Assumed),
        (openai, &[], quick, ActivationSource::Layout),
    ];
    for ((weights, name), beside, activation, source) in cases {
        let folder = folder(weights, name, beside);
        let found = Checkpoint::open(&weights_file(&folder.path().join(name)), None).unwrap();
        assert_eq!((found.config.activation, found.activation_source), (activation, source));
        assert_eq!(found.warning().is_some(), source == ActivationSource::Assumed);
        let given = Checkpoint::open(&folder.path().join(name), Some(gelu)).unwrap();
        assert_eq!(given.config.activation, gelu);
    }
    // The model's folder stands for its weights.
    let folder = folder(plain.0, plain.1, &[("open_clip_config.json", open_clip)]);
    let found = Checkpoint::open(folder.path(), None).unwrap();
    let pixels_of = |mean, std| Normalisation { mean, std };
    assert_eq!(found.normalisation, pixels_of([0.5; 3], [0.5, 0.25, 0.5]));
    std::fs::write(folder.path().join("preprocessor_config.json"), pixels).unwrap();
    let found = Checkpoint::open(folder.path(), None).unwrap();
    assert_eq!(found.normalisation, pixels_of([0.1, 0.2, 0.3], [0.4, 0.5, 0.6]));
    // The built-in vocabulary is too large for the tiny model; its own fits.
    assert!(found.tokenizer().is_err());
    std::fs::copy(fixture("tiny_tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    assert!(Checkpoint::open(folder.path(), None).unwrap().tokenizer().is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A damaged CLIP is an error or a model; it never panics.
    #[test]
    fn damage_never_panics(
        file in 0usize..4,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        at_the_end: bool,
    ) {
        let names =
            ["tiny_openai.pt", "tiny_open_clip.bin", "tiny_hf.safetensors", "tiny_locoop.pth.tar-50"];
        let mut bytes = std::fs::read(fixture(names[file])).unwrap();
        // Names and shapes lie at either end.
        let length = bytes.len();
        let part = 12_000.min(length);
        for (at, value) in changes {
            let at = at.index(part) + if at_the_end { length - part } else { 0 };
            bytes[at] = value;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("damaged");
        std::fs::write(&path, bytes).unwrap();
        let Ok(source) = Source::open(&path) else { return Ok(()) };
        drop(LearnedPrompts::new(&source, 64, &Device::flex()));
        if let Ok(found) = Checkpoint::of_source(source, None) {
            let from = WeightLoader::stored(&found.source, &Device::flex());
            drop(Clip::new(&found.config, &from));
        }
    }
}
