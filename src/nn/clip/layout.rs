//! The layouts in which CLIP's weights are published, brought to OpenAI's names.

use std::collections::BTreeMap;

use crate::nn::source::{Format, Source, Stored};

/// A layout of CLIP's weights, recognised by its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// OpenAI's TorchScript archive.
    OpenAi,
    /// open_clip's `.pt`, `.bin` or `.safetensors`: OpenAI's names, at times with the text side
    /// under `text.`.
    OpenClip,
    /// Hugging Face's `model.safetensors`: names of its own, q, k, v apart, projections transposed.
    HuggingFace,
    /// CLIPN's training checkpoint: OpenAI's names, and a second text side.
    Clipn,
}

impl Layout {
    /// The layout of a file; `None` if it holds no CLIP.
    pub fn of(source: &Source) -> Option<Self> {
        let has = |name: &str| source.shape(name).is_some();
        if has("vision_model.embeddings.patch_embedding.weight")
            || has("text_model.embeddings.token_embedding.weight")
        {
            Some(Self::HuggingFace)
        } else if !has("visual.conv1.weight") && !has("token_embedding.weight") {
            None
        } else if has("text_projection_no") {
            Some(Self::Clipn)
        } else if source.format() == Format::TorchScript {
            Some(Self::OpenAi)
        } else {
            Some(Self::OpenClip)
        }
    }

    /// The same weights under OpenAI's names.
    pub fn canonical(self, source: Source) -> Source {
        match self {
            Self::HuggingFace => source.renamed(from_hugging_face, hugging_face_name),
            _ => source.renamed(without_text_prefix, str::to_owned),
        }
    }
}

/// Newer models of open_clip keep the text side, but not the logit scale, under `text.`.
fn without_text_prefix(tensors: BTreeMap<String, Stored>) -> BTreeMap<String, Stored> {
    let own = |name: String| match name.strip_prefix("text.") {
        Some(inner) => inner.to_owned(),
        None => name,
    };
    tensors.into_iter().map(|(name, tensor)| (own(name), tensor)).collect()
}

/// OpenAI's name and Hugging Face's, of what is outside the blocks.
const OUTER: [(&str, &str); 14] = [
    ("visual.class_embedding", "vision_model.embeddings.class_embedding"),
    ("visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"),
    ("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"),
    // Spelt so.
    ("visual.ln_pre.weight", "vision_model.pre_layrnorm.weight"),
    ("visual.ln_pre.bias", "vision_model.pre_layrnorm.bias"),
    ("visual.ln_post.weight", "vision_model.post_layernorm.weight"),
    ("visual.ln_post.bias", "vision_model.post_layernorm.bias"),
    ("visual.proj", "visual_projection.weight"),
    ("token_embedding.weight", "text_model.embeddings.token_embedding.weight"),
    ("positional_embedding", "text_model.embeddings.position_embedding.weight"),
    ("ln_final.weight", "text_model.final_layer_norm.weight"),
    ("ln_final.bias", "text_model.final_layer_norm.bias"),
    ("text_projection", "text_projection.weight"),
    ("logit_scale", "logit_scale"),
];

/// The same for the two sides' blocks, and for the parts of one.
const SIDES: [(&str, &str); 2] = [
    ("visual.transformer.resblocks.", "vision_model.encoder.layers."),
    ("transformer.resblocks.", "text_model.encoder.layers."),
];
const INNER: [(&str, &str); 5] = [
    ("attn.out_proj.", "self_attn.out_proj."),
    ("ln_1.", "layer_norm1."),
    ("ln_2.", "layer_norm2."),
    ("mlp.c_fc.", "mlp.fc1."),
    ("mlp.c_proj.", "mlp.fc2."),
];

fn from_hugging_face(mut tensors: BTreeMap<String, Stored>) -> BTreeMap<String, Stored> {
    let mut found = BTreeMap::new();
    for (own, published) in OUTER {
        let Some(tensor) = tensors.remove(published) else { continue };
        let turned = matches!(own, "visual.proj" | "text_projection");
        found.insert(own.to_owned(), if turned { tensor.transposed() } else { tensor });
    }
    let names: Vec<String> = tensors.keys().cloned().collect();
    for name in names {
        let Some((block, part)) = own_block(&name) else { continue };
        let own = INNER.iter().find_map(|(own, published)| {
            Some(format!("{block}{own}{}", part.strip_prefix(published)?))
        });
        if let Some(kind) = part.strip_prefix("self_attn.q_proj.") {
            let stem = &name[..name.len() - "q_proj.".len() - kind.len()];
            let parts = ["q", "k", "v"].map(|p| tensors.remove(&format!("{stem}{p}_proj.{kind}")));
            let parts = parts.into_iter().collect::<Option<Vec<_>>>();
            if let Some(joined) = parts.and_then(Stored::stacked) {
                found.insert(format!("{block}attn.in_proj_{kind}"), joined);
            }
        } else if let Some(own) = own
            && let Some(tensor) = tensors.remove(&name)
        {
            found.insert(own, tensor);
        }
    }
    // What is not known stays, so that it can be told.
    found.extend(tensors);
    found
}

/// Splits Hugging Face's name of a block's tensor into OpenAI's name of the block, with its dot,
/// and the rest.
fn own_block(published: &str) -> Option<(String, &str)> {
    SIDES.iter().find_map(|(own, side)| {
        let (index, part) = published.strip_prefix(side)?.split_once('.')?;
        Some((format!("{own}{index}."), part))
    })
}

/// Hugging Face's name for a tensor.
fn hugging_face_name(own: &str) -> String {
    if let Some((_, published)) = OUTER.iter().find(|(known, _)| *known == own) {
        return (*published).to_owned();
    }
    let block = SIDES.iter().find_map(|(known, side)| {
        let (index, part) = own.strip_prefix(known)?.split_once('.')?;
        Some((format!("{side}{index}."), part))
    });
    let Some((block, part)) = block else { return own.to_owned() };
    if let Some(kind) = part.strip_prefix("attn.in_proj_") {
        return format!("{block}self_attn.{{q,k,v}}_proj.{kind}");
    }
    let part = INNER
        .iter()
        .find_map(|(own, published)| Some(format!("{published}{}", part.strip_prefix(own)?)));
    part.map_or_else(|| own.to_owned(), |part| format!("{block}{part}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        let inner = INNER.iter().map(|(own, _)| format!("{}3.{own}weight", SIDES[0].0));
        for own in OUTER.iter().map(|(own, _)| (*own).to_owned()).chain(inner) {
            let published = hugging_face_name(&own);
            let back = match own_block(&published) {
                Some((block, part)) => INNER
                    .iter()
                    .find_map(|(own, p)| Some(format!("{block}{own}{}", part.strip_prefix(p)?)))
                    .unwrap(),
                None => OUTER.iter().find(|(_, p)| *p == published).unwrap().0.to_owned(),
            };
            assert_eq!(back, own);
        }
        let joined = hugging_face_name("transformer.resblocks.0.attn.in_proj_bias");
        assert_eq!(joined, "text_model.encoder.layers.0.self_attn.{q,k,v}_proj.bias");
        assert_eq!(hugging_face_name("prompt_no"), "prompt_no");
    }
}
