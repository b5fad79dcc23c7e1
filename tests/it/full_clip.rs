//! A full-size CLIPN against goldens in the folder that `TAGOOD_FULL_CLIP_FIXTURES` names: what the
//! reference's `--full vit_b_16` writes. A minute and 3 GB:
//! `cargo test --test it full_clip:: -- --ignored --nocapture`.

use tagood_lens::gpu::{self, DeviceChoice};
use tagood_lens::nn::Activation;
use tagood_lens::nn::clip::{Checkpoint, Clip, NoPrompt};
use tagood_lens::nn::weights::WeightLoader;

use super::golden::{Goldens, floats, relative_error};
use super::golden_clip::{split, tokens};

const FILES: [&str; 5] = [
    "vit_b_16_openai.pt",
    "vit_b_16_open_clip.bin",
    "vit_b_16_open_clip.safetensors",
    "vit_b_16_hf.safetensors",
    "vit_b_16_clipn_epoch_10.pt",
];

#[test]
#[ignore = "needs TAGOOD_FULL_CLIP_FIXTURES, a minute and 3 GB"]
fn vit_b_16_agrees_with_the_reference() {
    let folder =
        super::named_by("TAGOOD_FULL_CLIP_FIXTURES", "a folder of full-size goldens of CLIP");
    let (choice, tolerance) = match std::env::var("TAGOOD_FULL_DEVICE").as_deref() {
        Ok("gpu") => (DeviceChoice::Gpu, 1e-3),
        _ => (DeviceChoice::Cpu, 1e-4),
    };
    let device = gpu::compute(choice).unwrap().device;
    let goldens = Goldens::open(&folder.join("vit_b_16.safetensors"));
    let rows = tokens(&goldens, "tokens");
    for file in FILES {
        let opened = Checkpoint::open(&folder.join(file), Some(Activation::QuickGelu)).unwrap();
        let from = WeightLoader::stored(&opened.source, &device);
        let clip = Clip::new(&opened.config, &from).unwrap();
        let [global, local] = split(clip.image.forward(goldens.tensor("image", &device)));
        let mut found = vec![
            ("image_features", global),
            ("local_features", local),
            ("text_features", floats(clip.text.forward(&rows))),
        ];
        if let Some(no) = &clip.no {
            found.push(("no_features", floats(no.forward(&rows, NoPrompt::Mean))));
        }
        for (name, values) in found {
            let error = relative_error(&values, &goldens.floats(name));
            println!("{file}: {name} {error:.1e}");
            assert!(error < tolerance, "{file}: {name} {error:.2e}");
        }
    }
}
