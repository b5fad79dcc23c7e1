//! The networks against golden tensors of an independent implementation, on the CPU backend and on
//! a software GPU. `tests/fixtures/tiny/README.md` says how the goldens were made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use tagood_lens::bundle::manifest::Recipe;
use tagood_lens::decompose::{self, Fallback};
use tagood_lens::gpu::{self, DeviceChoice};
use tagood_lens::nn::projector::{Projector, ProjectorConfig};
use tagood_lens::nn::ram::{Ram, RamConfig};
use tagood_lens::nn::source::Source;
use tagood_lens::nn::weights::WeightLoader;
use tagood_lens::score::distance::{Centers, class_scores};

/// Golden tensors of one file.
pub struct Goldens(Source);

impl Goldens {
    pub fn open(path: &Path) -> Self {
        Self(Source::open(path).unwrap())
    }

    pub fn shape(&self, name: &str) -> Vec<usize> {
        self.0.shape(name).unwrap_or_else(|| panic!("no golden `{name}`"))
    }

    pub fn floats(&self, name: &str) -> Vec<f32> {
        self.0.read(name, &self.shape(name)).unwrap()
    }

    pub fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        let shape: [usize; D] = self.shape(name).try_into().unwrap();
        Tensor::from_data(TensorData::new(self.floats(name), shape), device)
    }

    /// Integer tensors, which networks never ask a source for.
    pub fn integers(&self, name: &str) -> Vec<i64> {
        let bytes = std::fs::read(self.0.path()).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let view = file.tensor(name).unwrap();
        match view.dtype() {
            safetensors::Dtype::U8 => view.data().iter().map(|&b| i64::from(b)).collect(),
            safetensors::Dtype::I64 => {
                view.data().as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b)).collect()
            }
            other => panic!("{name} holds {other:?}"),
        }
    }

    /// What the file says of itself.
    pub fn about(&self) -> serde_json::Value {
        let bytes = std::fs::read(self.0.path()).unwrap();
        let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let about = &metadata.metadata().as_ref().unwrap()["about"];
        serde_json::from_str(about).unwrap()
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.shape(name).is_some()
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny").join(name)
}

/// `‖a − b‖ / ‖b‖`.
pub fn relative_error(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let square = |x: f64| x * x;
    let pairs = || found.iter().zip(expected).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    let difference: f64 = pairs().map(|(a, b)| square(a - b)).sum();
    let size: f64 = pairs().map(|(_, b)| square(b)).sum();
    assert!(difference.is_finite());
    (difference / size.max(1e-30)).sqrt()
}

pub fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

pub fn close(name: &str, found: &[f32], expected: &[f32], tolerance: f64) {
    let error = relative_error(found, expected);
    assert!(error < tolerance, "{name}: relative error {error:.2e} is not below {tolerance:.0e}");
}

/// The CPU backend with its tolerance, and the best GPU adapter with its own.
pub fn devices() -> [(Device, f64); 2] {
    let gpu = gpu::compute(DeviceChoice::Gpu).expect("a Vulkan driver (mesa-vulkan-drivers)");
    [(Device::flex(), 1e-4), (gpu.device, 1e-3)]
}

fn tiny_ram() -> RamConfig {
    let source = Source::open(&fixture("tiny_ram.pth")).unwrap();
    RamConfig::of_checkpoint(&source).unwrap()
}

#[test]
fn the_shape_is_read_off_the_checkpoint() {
    let config = tiny_ram();
    assert_eq!((config.swin.image, config.swin.patch, config.swin.window), (96, 4, 3));
    assert_eq!((config.swin.embed, config.swin.depths.as_slice()), (8, &[2, 2, 2, 2][..]));
    assert_eq!(config.swin.heads, [2, 2, 2, 4]);
    assert_eq!((config.joint, config.tags, config.descriptions), (32, 40, 1));
    assert_eq!((config.decoder.width, config.decoder.hidden, config.decoder.layers), (48, 96, 2));
    let plus = RamConfig::of_checkpoint(&Source::open(&fixture("tiny_ram_plus.pth")).unwrap());
    let plus = plus.unwrap();
    assert_eq!((plus.swin.image, plus.swin.window), (96, 6));
    assert_eq!((plus.tags, plus.descriptions), (12, 51));
    assert_eq!(plus.swin.depths, [2, 1, 1, 1]);
}

#[test]
fn tiny_ram_agrees_with_the_reference() {
    let goldens = Goldens::open(&fixture("tiny_ram.safetensors"));
    let source = Source::open(&fixture("tiny_ram.pth")).unwrap();
    for (device, tolerance) in devices() {
        let ram = Ram::new(&tiny_ram(), &WeightLoader::stored(&source, &device)).unwrap();
        let mut stages = BTreeMap::new();
        let image = goldens.tensor("image", &device);
        let tokens = ram.encode_traced(image, &mut |name, x| {
            stages.insert(name.to_owned(), floats(x.clone()));
        });
        for (name, found) in &stages {
            let golden = format!("trace.{name}");
            if goldens.has(&golden) {
                close(name, found, &goldens.floats(&golden), tolerance);
            }
        }
        assert!(stages.len() >= 8);
        close("tokens", &floats(tokens.clone()), &goldens.floats("image_tokens"), tolerance);
        let queries = ram.tag_queries();
        let output = ram.tag(&tokens, queries.as_ref(), None);
        close("logits", &floats(output.logits.clone()), &goldens.floats("logits"), tolerance);
        for (layer, map) in output.attention.iter().enumerate() {
            let golden = goldens.floats(&format!("attention.{layer}"));
            close("attention", &floats(map.clone()), &golden, tolerance);
        }
        let queries = queries.unwrap();
        close("queries", &floats(queries.states), &goldens.floats("tag_queries"), tolerance);
        let states = output.states.last().unwrap().clone();
        close("states", &floats(states), &goldens.floats("tag_embeds"), tolerance);
    }
}

#[test]
fn a_subset_of_tags_gives_the_rows_of_the_full_result() {
    let goldens = Goldens::open(&fixture("tiny_ram.safetensors"));
    for file in ["tiny_ram.pth", "tiny_ram_plus.pth"] {
        let source = Source::open(&fixture(file)).unwrap();
        let config = RamConfig::of_checkpoint(&source).unwrap();
        let device = Device::flex();
        let ram = Ram::new(&config, &WeightLoader::stored(&source, &device)).unwrap();
        let tokens = ram.encode(goldens.tensor("image", &device));
        let subset = [7usize, 0, 11];
        let indices = Tensor::from_data(subset.map(|tag| tag as i32).as_slice(), &device);
        let full = ram.tag(&tokens, None, None);
        let some = ram.tag(&tokens, None, Some(indices));
        let (full, some) = (floats(full.logits), floats(some.logits));
        for image in 0..2 {
            for (at, tag) in subset.into_iter().enumerate() {
                let (a, b) = (some[image * 3 + at], full[image * config.tags + tag]);
                assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{file}: {a} against {b}");
            }
        }
    }
}

#[test]
fn tiny_ram_plus_agrees_with_the_reference() {
    let goldens = Goldens::open(&fixture("tiny_ram_plus.safetensors"));
    let images = Goldens::open(&fixture("tiny_ram.safetensors"));
    let source = Source::open(&fixture("tiny_ram_plus.pth")).unwrap();
    let config = RamConfig::of_checkpoint(&source).unwrap();
    for (device, tolerance) in devices() {
        let ram = Ram::new(&config, &WeightLoader::stored(&source, &device)).unwrap();
        let image = images.tensor::<4>("image", &device).narrow(0, 0, 1);
        let tokens = ram.encode(image);
        close("tokens", &floats(tokens.clone()), &goldens.floats("image_tokens"), tolerance);
        let output = ram.tag(&tokens, None, None);
        close("logits", &floats(output.logits), &goldens.floats("logits"), tolerance);
        for (layer, map) in output.attention.into_iter().enumerate() {
            let golden = goldens.floats(&format!("attention.{layer}"));
            close("attention", &floats(map), &golden, tolerance);
        }
    }
}

fn tiny_projector(device: &Device) -> (Projector, Centers, ProjectorConfig) {
    let source = Source::open(&fixture("tiny_projector.pth")).unwrap();
    let config = ProjectorConfig::of_checkpoint(&source).unwrap();
    let projector = Projector::new(&config, &WeightLoader::stored(&source, device)).unwrap();
    let (shape, values) = source.read_beside("ema").unwrap().unwrap();
    let centers = Centers::new(values, shape.try_into().unwrap()).unwrap();
    (projector, centers, config)
}

#[test]
fn a_padded_batch_of_the_projector_agrees_with_the_reference() {
    let goldens = Goldens::open(&fixture("tiny_projector.safetensors"));
    let lengths: Vec<usize> = goldens.integers("lengths").iter().map(|&n| n as usize).collect();
    for (device, tolerance) in devices() {
        let (projector, _, config) = tiny_projector(&device);
        assert_eq!((config.width, config.classes, config.patterns, config.layers), (64, 10, 4, 2));
        let feature = projector.features(goldens.tensor("tokens", &device), Some(&lengths));
        close("feature", &floats(feature.clone()), &goldens.floats("feature"), tolerance);
        let logits = projector.class_logits(feature.clone());
        close("class logits", &floats(logits), &goldens.floats("class_logits"), tolerance);
        let patterns = projector.pattern_logits(feature);
        close("patterns", &floats(patterns), &goldens.floats("pattern_logits"), tolerance);
    }
}

#[test]
fn decomposition_and_scores_agree_with_the_reference() {
    let goldens = Goldens::open(&fixture("tiny_ram.safetensors"));
    for (device, tolerance) in devices() {
        check_decomposition(&goldens, &device, tolerance);
    }
}

/// The features of several masks of one image in one padded batch, so that a GPU tunes one shape.
fn project(
    projector: &Projector,
    tokens: &[f32],
    width: usize,
    masks: &[Vec<bool>],
    device: &Device,
) -> Vec<f32> {
    let positions = tokens.len() / width;
    let mut padded = vec![0.0f32; masks.len() * positions * width];
    let mut lengths = Vec::new();
    for (row, mask) in padded.chunks_mut(positions * width).zip(masks) {
        let object = decompose::object_tokens(tokens, width, mask);
        row[..object.len()].copy_from_slice(&object);
        lengths.push(object.len() / width);
    }
    let data = TensorData::new(padded, [masks.len(), positions, width]);
    floats(projector.features(Tensor::from_data(data, device), Some(&lengths)))
}

/// Every ID list, image, layer and τ of the goldens, from our own attention and tokens.
fn check_decomposition(goldens: &Goldens, device: &Device, tolerance: f64) {
    let source = Source::open(&fixture("tiny_ram.pth")).unwrap();
    let ram = Ram::new(&tiny_ram(), &WeightLoader::stored(&source, device)).unwrap();
    let (projector, centers, config) = tiny_projector(device);
    let tokens = ram.encode(goldens.tensor("image", device));
    let output = ram.tag(&tokens, None, None);
    let [_, positions, width] = tokens.dims();
    let [_, heads, tags, _] = output.attention[0].dims();
    let tokens = floats(tokens);
    let probabilities: Vec<f32> =
        floats(output.logits).into_iter().map(decompose::sigmoid).collect();
    let attention: Vec<Vec<f32>> = output.attention.into_iter().map(floats).collect();
    let thresholds = goldens.floats("thresholds");
    for set in ["mixed", "first_only"] {
        let id_tags: Vec<usize> =
            goldens.integers(&format!("{set}.ind_tags")).iter().map(|&t| t as usize).collect();
        for image in 0..2 {
            let probabilities = &probabilities[image * tags..(image + 1) * tags];
            let tokens = &tokens[image * positions * width..(image + 1) * positions * width];
            let prefix = format!("{set}.{image}");
            let policies = [
                ("never", Fallback::Never),
                ("untagged", Fallback::Untagged),
                ("always", Fallback::Always),
            ];
            for (name, policy) in policies {
                let strict = vec![0.999f32; tags];
                for (kind, limits) in [("selected", &thresholds), ("selected_strict", &strict)] {
                    let picked = decompose::select_tags(probabilities, limits, &id_tags, policy);
                    let golden = goldens.integers(&format!("{prefix}.{kind}.{name}"));
                    assert_eq!(picked.iter().map(|&t| t as i64).collect::<Vec<_>>(), golden);
                }
            }
            let selected =
                decompose::select_tags(probabilities, &thresholds, &id_tags, Fallback::Always);
            let tag_score = selected.iter().map(|&t| probabilities[t]).fold(0.0, f32::max);
            close(
                "tag score",
                &[tag_score],
                &goldens.floats(&format!("{prefix}.tag_score")),
                tolerance,
            );
            for (layer, attention) in attention.iter().enumerate() {
                let maps: Vec<Vec<f32>> = selected
                    .iter()
                    .map(|&tag| {
                        let rows: Vec<f32> = (0..heads)
                            .flat_map(|head| {
                                let at = ((image * heads + head) * tags + tag) * positions;
                                attention[at..at + positions].to_vec()
                            })
                            .collect();
                        decompose::relevance(&rows, positions)
                    })
                    .collect();
                let map = decompose::union(maps.iter().map(Vec::as_slice), positions);
                let at = format!("{prefix}.layer{layer}");
                close("map", &map, &goldens.floats(&format!("{at}.map")), tolerance);
                let masks = goldens.integers(&format!("{at}.mask"));
                let taus = [0.0f32, 0.25, 0.5, 0.75];
                let kept = taus.map(|tau| decompose::mask(&map, tau));
                for ((mask, golden), tau) in kept.iter().zip(masks.chunks(positions)).zip(taus) {
                    assert!(
                        mask.iter().zip(golden).all(|(a, b)| i64::from(*a) == *b),
                        "{at}: the mask at τ = {tau} differs"
                    );
                }
                let features = project(&projector, tokens, width, &kept, device);
                for (row, feature) in features.chunks(config.width).enumerate() {
                    let golden_row = |name: &str| {
                        let values = goldens.floats(&format!("{at}.{name}"));
                        let length = values.len() / 4;
                        values[row * length..(row + 1) * length].to_vec()
                    };
                    close("feature", feature, &golden_row("feature"), tolerance);
                    let scores = class_scores(feature, &centers).unwrap();
                    close("cosine", &scores.cosine, &golden_row("class.cosine"), tolerance);
                    let patterns = golden_row("class.cosine_pattern");
                    close("patterns", &scores.cosine_pattern, &patterns, tolerance);
                    close(
                        "euclidean",
                        &scores.euclidean,
                        &golden_row("class.euclidean"),
                        tolerance,
                    );
                    close("kl", &scores.kl, &golden_row("class.kl"), tolerance);
                    let best = |values: &[f32]| values.iter().copied().fold(f32::MIN, f32::max);
                    let least = |values: &[f32]| values.iter().copied().fold(f32::MAX, f32::min);
                    let expected = |name: &str| golden_row(&format!("score.{name}"));
                    let released = best(&scores.cosine_pattern) * tag_score;
                    close("paper", &[best(&scores.cosine)], &expected("paper_cosine"), tolerance);
                    close("released", &[released], &expected("released"), tolerance);
                    let euclidean = 1.0 / least(&scores.euclidean);
                    close("1/euclidean", &[euclidean], &expected("inverse_euclidean"), tolerance);
                    let kl = config.width as f32 / least(&scores.kl);
                    close("1/kl", &[kl], &expected("inverse_kl"), tolerance);
                }
            }
        }
    }
    assert_eq!(Recipe::Paper.layer(attention.len()), 1);
    assert_eq!(Recipe::Released.layer(attention.len()), 0);
}
