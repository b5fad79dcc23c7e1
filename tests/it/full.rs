//! The full-size networks against goldens in the folder that `TAGOOD_FULL_FIXTURES` names: what the
//! reference's `--full swin_l_384` writes. Minutes and 4 GB:
//! `cargo test --test it full:: -- --ignored --nocapture`.

use std::path::{Path, PathBuf};

use image::RgbImage;
use tagood_lens::bundle::Bundle;
use tagood_lens::gpu::{self, DeviceChoice};
use tagood_lens::image::{Normalisation, Transform, tensor_data};
use tagood_lens::nn::source::Source;
use tagood_lens::pipeline::{Keep, Pipeline};

use super::golden::{Goldens, relative_error};

pub fn fixtures() -> PathBuf {
    super::named_by("TAGOOD_FULL_FIXTURES", "a folder of full-size goldens")
}

/// The pictures as the reference decoded them, without a JPEG decoder in between.
fn pictures(folder: &Path) -> Vec<RgbImage> {
    let goldens = Goldens::open(&folder.join("pictures.safetensors"));
    (0..)
        .map_while(|index| {
            let name = format!("{index}.decoded");
            let shape = goldens.has(&name).then(|| goldens.shape(&name))?;
            let values = goldens.integers(&name).into_iter().map(|v| v as u8).collect();
            RgbImage::from_raw(shape[1] as u32, shape[0] as u32, values)
        })
        .collect()
}

#[test]
#[ignore = "needs TAGOOD_FULL_FIXTURES, minutes and 4 GB"]
fn swin_l_384_agrees_with_the_reference() {
    let folder = fixtures();
    let device = match std::env::var("TAGOOD_FULL_DEVICE").as_deref() {
        Ok("gpu") => DeviceChoice::Gpu,
        _ => DeviceChoice::Cpu,
    };
    let mut bundle = Bundle::open(&folder.join("ram_swin_l_384.pth")).unwrap();
    bundle.attach_projector(&folder.join("projector.pth")).unwrap();
    let pipeline = Pipeline::load(&bundle, &gpu::compute(device).unwrap()).unwrap();
    let pictures = pictures(&folder);
    assert!(!pictures.is_empty());
    let inputs = Goldens::open(&folder.join("pictures.safetensors"));
    for (kind, transform) in [("ram", Transform::Ram), ("tagood", Transform::Tagood)] {
        let goldens = Goldens::open(&folder.join(format!("ram_swin_l_384.{kind}.safetensors")));
        let normalised = inputs.floats(&format!("{kind}.normalised"));
        let (logits, tokens) = (goldens.floats("logits"), goldens.floats("image_tokens"));
        let attention = [goldens.floats("attention.0"), goldens.floats("attention.1")];
        let part = |values: &[f32], index: usize| {
            let size = values.len() / pictures.len();
            values[index * size..(index + 1) * size].to_vec()
        };
        let mut worst = [0.0f64; 4];
        for (index, picture) in pictures.iter().enumerate() {
            let square = transform.apply(picture, 384);
            let input = tensor_data(&square, &Normalisation::IMAGENET);
            let expected = part(&normalised, index);
            // A level of 255 is 0.017 after normalisation.
            let far = input.iter().zip(&expected).filter(|(a, b)| (*a - *b).abs() > 0.018).count();
            assert_eq!(far, 0, "{kind} {index}: pixels more than one level off");
            // The network is judged on the reference's own input.
            let tagged = pipeline.tag(&[expected], Keep::All).unwrap().remove(0);
            let mut errors = vec![
                relative_error(&tagged.logits, &part(&logits, index)),
                relative_error(&tagged.tokens, &part(&tokens, index)),
            ];
            for (layer, golden) in attention.iter().enumerate() {
                let kept = &tagged.attention;
                let size = kept.heads * kept.positions;
                // Goldens are [H, T, P], kept is [T, L, H, P].
                let golden = part(golden, index);
                let mut ours = vec![0.0f32; golden.len()];
                for tag in 0..kept.tags.len() {
                    let rows = kept.of(tag, layer).unwrap();
                    for (head, row) in rows.chunks(kept.positions).enumerate() {
                        let at = (head * kept.tags.len() + tag) * kept.positions;
                        ours[at..at + kept.positions].copy_from_slice(row);
                    }
                }
                assert_eq!(ours.len(), size * kept.tags.len());
                errors.push(relative_error(&ours, &golden));
            }
            for (worst, error) in worst.iter_mut().zip(errors) {
                *worst = worst.max(error);
            }
        }
        println!(
            "{kind}: worst relative errors: logits {:.1e}, tokens {:.1e}, attention {:.1e} {:.1e}",
            worst[0], worst[1], worst[2], worst[3]
        );
        assert!(worst.iter().all(|error| *error < 1e-3), "{worst:?}");
    }
}

#[test]
#[ignore = "needs TAGOOD_FULL_FIXTURES, minutes and 4 GB"]
fn loading_holds_little_more_than_the_tensors() {
    let folder = fixtures();
    let source = Source::open(&folder.join("ram_swin_l_384.pth")).unwrap();
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
    };
    let device = burn::tensor::Device::flex();
    let from = tagood_lens::nn::weights::WeightLoader::stored(&source, &device);
    let config = tagood_lens::nn::ram::RamConfig::of_checkpoint(&source).unwrap();
    let before = resident();
    let ram = tagood_lens::nn::ram::Ram::new(&config, &from).unwrap();
    let used = resident() - before;
    let shapes = source.shapes();
    let needed: usize =
        from.names().keys().map(|name| 4 * shapes[name].iter().product::<usize>()).sum();
    println!("tensors {} MB, peak {} MB", needed >> 20, used >> 20);
    assert!(used < needed + needed / 2, "{used} against {needed}");
    drop(ram);
}
