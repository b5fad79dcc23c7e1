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

/// A tensor of each network, as it is called in each layout: where one stands, its weights begin.
const LANDMARKS: [&str; 7] = [
    "visual_encoder.patch_embed.proj.weight",
    "layers.pos_embedding",
    "visual.conv1.weight",
    "vision_model.embeddings.patch_embedding.weight",
    "text_model.embeddings.token_embedding.weight",
    "token_embedding.weight",
    "token_prefix",
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
pub(super) fn roots<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
    for landmark in LANDMARKS {
        let prefix = |name: &'a str| {
            name.strip_suffix(landmark)
                .filter(|prefix| prefix.is_empty() || prefix.ends_with('.'))
                .filter(|prefix| !is_gradient(prefix))
        };
        let mut found: Vec<&str> = names.clone().filter_map(prefix).collect();
        if !found.is_empty() {
            found.sort_by_key(|prefix| (is_average(prefix), prefix.len()));
            return found.into_iter().map(str::to_owned).collect();
        }
    }
    let keys = WEIGHT_KEYS.iter().map(|key| format!("{key}."));
    let root = keys.into_iter().find(|root| names.clone().any(|name| name.starts_with(root)));
    vec![root.unwrap_or_default()]
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

    #[test]
    fn weights_begin_where_a_landmark_stands() {
        let of = |names: &[&str]| roots(names.iter().copied()).remove(0);
        let landmark = LANDMARKS[0];
        let ram = format!("net.ram.{landmark}");
        assert_eq!(of(&["net.epoch", &ram]), "net.ram.");
        let average = format!("ema.{landmark}");
        let model = format!("model.ram.{landmark}");
        assert_eq!(of(&[&average, &model]), "model.ram.");
        assert_eq!(of(&["model.a", "optimizer.b"]), "model.");
        assert_eq!(of(&["a", "b"]), "");
    }
}
