//! What tensors are called in files, and where among them a network's own begin.

use std::collections::BTreeMap;

/// Parts of names that wrappers and saved modules put between others: distributed training,
/// compilation, checkpointing, and the dictionaries inside a module that was saved whole.
const WRAPPERS: [&str; 7] = [
    "module",
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
    "_modules",
    "_parameters",
    "_buffers",
];

/// Two tensors of each network, as they are called in each layout: where both stand, its weights
/// begin. One alone may be a gradient or something else that is kept of it.
const LANDMARKS: [[&str; 2]; 7] = [
    ["visual_encoder.patch_embed.proj.weight", "image_proj.weight"],
    ["layers.pos_embedding", "classifier.weight"],
    ["visual.conv1.weight", "visual.class_embedding"],
    ["vision_model.embeddings.patch_embedding.weight", "vision_model.embeddings.class_embedding"],
    [
        "text_model.embeddings.token_embedding.weight",
        "text_model.embeddings.position_embedding.weight",
    ],
    ["token_embedding.weight", "positional_embedding"],
    ["token_prefix", "ctx"],
];

/// Dictionaries in which checkpoints keep their weights, where no landmark stands.
const WEIGHT_KEYS: [&str; 4] = ["model", "projector", "state_dict", "model_state_dict"];

/// Tensors without the wrappers in their names. Two that would then have one name keep theirs.
pub(super) fn unwrapped<T>(tensors: BTreeMap<String, T>) -> BTreeMap<String, T> {
    let mut found = BTreeMap::new();
    let mut kept = Vec::new();
    for (name, tensor) in tensors {
        let parts: Vec<&str> = name.split('.').filter(|part| !WRAPPERS.contains(part)).collect();
        match parts.join(".") {
            short if short.is_empty() || found.contains_key(&short) => kept.push((name, tensor)),
            short => drop(found.insert(short, tensor)),
        }
    }
    found.extend(kept);
    found
}

/// The prefixes, with their dots, under which a file holds a network's weights, the one to take
/// first: a running average is the last choice, and a shorter prefix goes before a longer one.
pub(super) fn roots<T>(tensors: &BTreeMap<String, T>) -> Vec<String> {
    for [landmark, second] in LANDMARKS {
        let prefix = |name: &String| {
            let prefix = name.strip_suffix(landmark)?;
            let is_whole = tensors.contains_key(&format!("{prefix}{second}"));
            let is_prefix = prefix.is_empty() || prefix.ends_with('.');
            (is_prefix && is_whole && !is_gradient(prefix)).then(|| prefix.to_owned())
        };
        let mut found: Vec<String> = tensors.keys().filter_map(prefix).collect();
        if !found.is_empty() {
            found.sort_by_key(|prefix| (is_average(prefix), prefix.len()));
            return found;
        }
    }
    Vec::new()
}

/// The prefix, with its dot, of the dictionary that keeps a checkpoint's weights by its name.
pub(super) fn dictionary<T>(tensors: &BTreeMap<String, T>) -> Option<String> {
    let mut keys = WEIGHT_KEYS.iter().map(|key| format!("{key}."));
    keys.find(|root| tensors.keys().any(|name| name.starts_with(root)))
}

/// Whether a prefix is one of a running average of weights.
pub(super) fn is_average(prefix: &str) -> bool {
    prefix.split('.').any(|part| part.contains("ema") || part.contains("averag"))
}

/// Whether a prefix is one of gradients, which are named after the weights they belong to.
fn is_gradient(prefix: &str) -> bool {
    prefix.split('.').any(|part| part == "grad")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_are_taken_off_wherever_they_stand() {
        let names = ["module._orig_mod.a.module.b", "_modules.c._parameters.weight", "module"];
        let tensors = names.map(|name| (name.to_owned(), ())).into_iter().collect();
        let found: Vec<String> = unwrapped(tensors).into_keys().collect();
        assert_eq!(found, ["a.b", "c.weight", "module"]);
    }

    #[test]
    fn names_that_would_fall_together_stay_apart() {
        let tensors = ["a", "module.a"].map(|name| (name.to_owned(), ())).into_iter().collect();
        assert_eq!(unwrapped(tensors).into_keys().collect::<Vec<_>>(), ["a", "module.a"]);
    }

    fn tensors(names: &[&str]) -> BTreeMap<String, ()> {
        names.iter().map(|name| ((*name).to_owned(), ())).collect()
    }

    #[test]
    fn weights_begin_where_both_landmarks_stand() {
        let under = |prefix: &str| LANDMARKS[0].map(|name| format!("{prefix}{name}"));
        let of = |prefixes: &[&str]| {
            let names: Vec<String> = prefixes.iter().flat_map(|prefix| under(prefix)).collect();
            roots(&tensors(&names.iter().map(String::as_str).collect::<Vec<_>>()))
        };
        assert_eq!(of(&["net.ram."]), ["net.ram."]);
        assert_eq!(of(&["ema.", "model.ram."]), ["model.ram.", "ema."]);
        assert_eq!(of(&["", "optimizer.first."]), ["", "optimizer.first."]);
        assert_eq!(of(&["grad.", "model.ram."]), ["model.ram."]);
        let gradient = format!("grad.{}", LANDMARKS[0][0]);
        assert_eq!(roots(&tensors(&[&gradient, "image_proj.weight"])), [""; 0]);
    }

    #[test]
    fn a_dictionary_of_weights_is_known_by_its_name() {
        assert_eq!(dictionary(&tensors(&["model.a", "optimizer.b"])).as_deref(), Some("model."));
        assert_eq!(dictionary(&tensors(&["a", "b"])), None);
    }
}
