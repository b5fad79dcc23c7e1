//! Holds a manifest against the weights that are there: every size is seen in a tensor's shape or
//! bounded by one before anything is built from it.

use crate::nn::clip::ClipConfig;
use crate::nn::projector::ProjectorConfig;
use crate::nn::ram::RamConfig;
use crate::nn::source::Source;

/// The largest image side, in pixels; published taggers take 224 to 384.
const MAX_SIDE: usize = 4096;
/// The largest attention window, in tokens; published taggers have 7 to 12.
const MAX_WINDOW: usize = 64;

/// A field of the manifest beside what the weights say.
fn same<T: PartialEq + std::fmt::Debug>(field: &str, manifest: &T, weights: &T) -> Outcome {
    match manifest == weights {
        true => Ok(()),
        false => Err(format!("`{field}` is {manifest:?}, but the weights have {weights:?}")),
    }
}

/// What is wrong, without the file's name.
type Outcome = Result<(), String>;

/// Refuses a CLIP's shape that its weights do not have.
pub(super) fn check_clip(config: &ClipConfig, weights: &Source) -> Outcome {
    let seen = ClipConfig::of_checkpoint(weights, config.activation);
    let mut seen = seen.map_err(|error| error.to_string())?;
    // What cannot be seen in tensors.
    seen.positions = config.positions;
    let sides = [
        ("clip.shape.image", &config.image.transformer, &mut seen.image.transformer),
        ("clip.shape.text", &config.text.transformer, &mut seen.text.transformer),
    ];
    for (field, given, seen) in sides {
        divides(&format!("{field}.transformer.heads"), given.heads, given.width)?;
        seen.heads = given.heads;
    }
    same("clip.shape", config, &seen)
}

/// Attention heads share a width evenly.
fn divides(field: &str, heads: usize, width: usize) -> Outcome {
    match heads > 0 && width.is_multiple_of(heads) {
        true => Ok(()),
        false => Err(format!("`{field}` is {heads}, which does not divide the width {width}")),
    }
}

/// Refuses a tagger's shape that its weights do not have, or that no tagger has.
pub(super) fn check_tagger(config: &RamConfig, weights: &Source) -> Outcome {
    let seen = RamConfig::of_checkpoint(weights).map_err(|error| error.to_string())?;
    let (swin, own) = (&config.swin, &seen.swin);
    same("tagger.swin.patch", &swin.patch, &own.patch)?;
    same("tagger.swin.embed", &swin.embed, &own.embed)?;
    same("tagger.swin.depths", &swin.depths, &own.depths)?;
    same("tagger.swin.heads", &swin.heads, &own.heads)?;
    same("tagger.swin.mlp_ratio", &swin.mlp_ratio, &own.mlp_ratio)?;
    check_geometry(config, weights)?;
    for (stage, &heads) in swin.heads.iter().enumerate() {
        divides("tagger.swin.heads", heads, swin.embed << stage)?;
    }
    let (decoder, own) = (&config.decoder, &seen.decoder);
    same("tagger.decoder.layers", &decoder.layers, &own.layers)?;
    same("tagger.decoder.width", &decoder.width, &own.width)?;
    same("tagger.decoder.hidden", &decoder.hidden, &own.hidden)?;
    divides("tagger.decoder.heads", decoder.heads, decoder.width)?;
    same("tagger.joint", &config.joint, &seen.joint)?;
    let rows = weights.shape("label_embed").and_then(|shape| shape.first().copied());
    let rows = rows.unwrap_or_default();
    let several = weights.shape("reweight_scale").is_some();
    let fits = config.tags > 0
        && config.tags.checked_mul(config.descriptions) == Some(rows)
        && (config.descriptions > 1) == several;
    match fits {
        true => Ok(()),
        false => Err(format!(
            "`tagger.tags` is {} and `tagger.descriptions` {}, but the weights have {rows} rows of \
             `label_embed`{}",
            config.tags,
            config.descriptions,
            if several { " and `reweight_scale`" } else { "" }
        )),
    }
}

/// Image side, patch and window: the bias tables show the windows that they make.
fn check_geometry(config: &RamConfig, weights: &Source) -> Outcome {
    let swin = &config.swin;
    let stages = swin.depths.len();
    if !(1..16).contains(&stages) || swin.patch == 0 || swin.depths.contains(&0) {
        return Err("the tagger's weights have no whole image encoder".into());
    }
    if swin.image > MAX_SIDE {
        return Err(format!(
            "`tagger.swin.image` is {}; at most {MAX_SIDE} pixels are taken",
            swin.image
        ));
    }
    if !(1..=MAX_WINDOW).contains(&swin.window) {
        let window = swin.window;
        return Err(format!("`tagger.swin.window` is {window}, not one of 1 to {MAX_WINDOW}"));
    }
    let grid = swin.patch.checked_shl(stages as u32 - 1).unwrap_or_default();
    let sides = swin.sides();
    let fits = grid > 0
        && swin.image >= grid
        && swin.image.is_multiple_of(grid)
        && sides.iter().all(|&side| side <= swin.window || side.is_multiple_of(swin.window));
    if !fits {
        return Err(format!(
            "an image side of {} pixels does not divide into patches of {} and windows of {}",
            swin.image, swin.patch, swin.window
        ));
    }
    for (stage, &side) in sides.iter().enumerate() {
        let table =
            format!("visual_encoder.layers.{stage}.blocks.0.attn.relative_position_bias_table");
        let rows = weights.shape(&table).and_then(|shape| shape.first().copied());
        let wide = 2 * side.min(swin.window) - 1;
        same(
            &format!("rows of the position bias of stage {stage}"),
            &(wide * wide),
            &rows.unwrap_or_default(),
        )?;
    }
    Ok(())
}

/// Refuses a projector's shape that its weights do not have, or that does not follow the tagger.
pub(super) fn check_projector(
    config: &ProjectorConfig,
    tagger: &RamConfig,
    weights: &Source,
) -> Outcome {
    let seen = ProjectorConfig::of_checkpoint(weights).map_err(|error| error.to_string())?;
    same("projector.joint", &config.joint, &seen.joint)?;
    same("projector.width", &config.width, &seen.width)?;
    same("projector.layers", &config.layers, &seen.layers)?;
    same("projector.hidden", &config.hidden, &seen.hidden)?;
    same("projector.max_tokens", &config.max_tokens, &seen.max_tokens)?;
    same("projector.classes", &config.classes, &seen.classes)?;
    same("projector.patterns", &config.patterns, &seen.patterns)?;
    divides("projector.heads", config.heads, config.width)?;
    divides("projector.patterns", config.patterns, config.width)?;
    if config.joint != tagger.joint {
        return Err(format!(
            "the projector takes tokens of width {}, but the tagger's are {} wide",
            config.joint, tagger.joint
        ));
    }
    if config.max_tokens < tagger.positions() {
        return Err(format!(
            "the projector takes {} tokens, but the tagger makes {}",
            config.max_tokens,
            tagger.positions()
        ));
    }
    Ok(())
}
