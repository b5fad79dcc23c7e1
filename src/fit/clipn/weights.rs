//! A no side to begin with.

use crate::fit::optimizer::NamedTensor;
use crate::nn::source::{Source, WeightsError};

/// Parts of a text side.
const TEXT_SIDE: [&str; 5] =
    ["transformer", "token_embedding", "positional_embedding", "ln_final", "text_projection"];

/// All tensors of a CLIP with a no side: its own where it has one, else a copy of its text side with
/// `prompts` learnable prompts of zeros, as the released training begins.
///
/// # Errors
/// If a tensor cannot be read.
pub fn with_no_side(source: &Source, prompts: usize) -> Result<Vec<NamedTensor>, WeightsError> {
    let shapes = source.shapes();
    let has_no_side = shapes.contains_key("text_projection_no");
    let mut tensors = Vec::new();
    for (name, shape) in shapes {
        // What is no number, such as positions' indices, is not the network's.
        let Ok(values) = source.read(&name, &shape) else { continue };
        if let (false, Some(no)) = (has_no_side, no_name(&name)) {
            tensors.push((no, shape.clone(), values.clone()));
        }
        if let (false, "positional_embedding") = (has_no_side, name.as_str()) {
            let shape: Vec<usize> = std::iter::once(prompts).chain(shape.iter().copied()).collect();
            let zeros = vec![0.0; shape.iter().product()];
            tensors.push(("prompt_no".to_owned(), shape, zeros));
        }
        tensors.push((name, shape, values));
    }
    Ok(tensors)
}

/// What a tensor of the text side is called on the no side.
fn no_name(name: &str) -> Option<String> {
    let part = name.split('.').next().unwrap_or(name);
    let rest = &name[part.len()..];
    TEXT_SIDE.contains(&part).then(|| format!("{part}_no{rest}"))
}
