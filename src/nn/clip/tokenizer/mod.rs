//! Texts to token ids: CLIP's byte-level BPE.
//!
//! The vocabulary comes from a `tokenizer.json` where a model has one, and is OpenAI's otherwise.

mod clean;

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use instant_clip_tokenizer::{Token, Tokenizer as OpenAi};
use thiserror::Error;
use tokenizers::Tokenizer as HuggingFace;

use super::config::TextConfig;
use clean::{clean, without_specials};

/// Longest text that is looked at, in characters; a model reads the first 77 tokens of it.
pub const MAX_CHARACTERS: usize = 20_000;

/// Largest `tokenizer.json`, in bytes; CLIP's has two megabytes.
const MAX_FILE: u64 = 1 << 25;

/// Why texts cannot become tokens.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum TokenizerError {
    /// The file is no tokenizer.
    #[error("not a usable tokenizer ({reason}): {}", path.display())]
    Unusable { reason: String, path: PathBuf },
    /// The vocabulary is another model's.
    #[error(
        "the tokenizer has {found} token ids, but the model knows {expected}; is this another \
         model's? {}",
        path.display()
    )]
    Vocabulary {
        found: usize,
        expected: usize,
        /// The tokenizer's file, or the model's where the tokenizer is built in.
        path: PathBuf,
    },
    /// A text is far longer than a model reads.
    #[error("a text has {count} characters, and {MAX_CHARACTERS} are the limit: {start}…")]
    TooLong { count: usize, start: String },
    /// The tokenizer cannot take a text.
    #[error("the tokenizer cannot take a text ({reason}): {start}")]
    Refused { reason: String, start: String },
}

/// A text as token ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Start token, words, end token; not padded.
    pub ids: Vec<u32>,
    /// Whether the text was too long for the model and its end is lost, as open_clip and CLIPN do.
    pub is_cut: bool,
}

enum Vocabulary {
    /// OpenAI's 49,408 ids, which nearly all CLIP models have.
    BuiltIn(&'static OpenAi),
    File(Box<HuggingFace>),
}

/// Cuts texts into tokens for one model.
pub struct Tokenizer {
    vocabulary: Vocabulary,
    start: u32,
    end: u32,
    context: usize,
}

impl Tokenizer {
    /// OpenAI's vocabulary, for a model with these texts; `path` is the model's, for messages.
    ///
    /// # Errors
    /// If the model knows another number of ids.
    pub fn built_in(config: &TextConfig, path: &Path) -> Result<Self, TokenizerError> {
        // Its 48,894 merges take a while to read.
        static BUILT_IN: OnceLock<OpenAi> = OnceLock::new();
        let tokenizer = BUILT_IN.get_or_init(OpenAi::new);
        let id = |token: Token| u32::from(token.to_u16());
        let (start, end) = (id(tokenizer.start_of_text()), id(tokenizer.end_of_text()));
        Self::fitting(Vocabulary::BuiltIn(tokenizer), start, end, config, path)
    }

    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// If it cannot be read, or is not for a model with these texts.
    pub fn open(path: &Path, config: &TextConfig) -> Result<Self, TokenizerError> {
        let unusable = |e: std::io::Error| TokenizerError::Unusable {
            reason: e.to_string(),
            path: path.to_owned(),
        };
        let bytes = crate::fs::read(path, MAX_FILE).map_err(unusable)?;
        Self::of_json(&bytes, config, path)
    }

    /// As [`Tokenizer::open`], from the file's bytes; `path` is for messages.
    ///
    /// # Errors
    /// If it is not a tokenizer for a model with these texts.
    pub fn of_json(bytes: &[u8], config: &TextConfig, path: &Path) -> Result<Self, TokenizerError> {
        let unusable = |reason: String| TokenizerError::Unusable { reason, path: path.to_owned() };
        // What is no JSON makes the crate panic, and so may what is JSON and no tokenizer.
        serde_json::from_slice::<serde::de::IgnoredAny>(bytes)
            .map_err(|e| unusable(e.to_string()))?;
        let mut tokenizer = catch_unwind(|| HuggingFace::from_bytes(bytes))
            .map_err(|_| unusable("it is damaged".into()))?
            .map_err(|e| unusable(e.to_string()))?;
        // Cutting and padding are done here, the same for both vocabularies.
        tokenizer.with_truncation(None).map_err(|e| unusable(e.to_string()))?;
        tokenizer.with_padding(None).set_encode_special_tokens(true);
        let id = |names: [&str; 2]| names.iter().find_map(|name| tokenizer.token_to_id(name));
        let start = id(["<|startoftext|>", "<start_of_text>"]);
        let end = id(["<|endoftext|>", "<end_of_text>"]);
        let (Some(start), Some(end)) = (start, end) else {
            return Err(unusable("it has no start and end token of CLIP's".into()));
        };
        Self::fitting(Vocabulary::File(Box::new(tokenizer)), start, end, config, path)
    }

    fn fitting(
        vocabulary: Vocabulary,
        start: u32,
        end: u32,
        config: &TextConfig,
        path: &Path,
    ) -> Result<Self, TokenizerError> {
        let (found, expected) = (end as usize + 1, config.vocabulary);
        if found != expected || start >= end {
            return Err(TokenizerError::Vocabulary { found, expected, path: path.to_owned() });
        }
        Ok(Self { vocabulary, start, end, context: config.context.max(2) })
    }

    /// The token ids of a text, at most as many as the model reads.
    ///
    /// # Errors
    /// If the text is longer than [`MAX_CHARACTERS`], or the tokenizer's file knows no token for a
    /// part of it.
    pub fn tokens(&self, text: &str) -> Result<Tokens, TokenizerError> {
        // Counting stops early, whatever is pasted.
        if text.len() > MAX_CHARACTERS && text.chars().count() > MAX_CHARACTERS {
            let (count, start) = (text.chars().count(), text.chars().take(40).collect());
            return Err(TokenizerError::TooLong { count, start });
        }
        let mut ids = vec![self.start];
        self.words(&without_specials(clean(text)), &mut ids)?;
        let is_cut = ids.len() > self.context - 1;
        ids.truncate(self.context - 1);
        ids.push(self.end);
        Ok(Tokens { ids, is_cut })
    }

    fn words(&self, text: &str, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        match &self.vocabulary {
            Vocabulary::BuiltIn(tokenizer) => {
                let mut tokens = Vec::new();
                tokenizer.encode(text, &mut tokens);
                ids.extend(tokens.into_iter().map(|token| u32::from(token.to_u16())));
            }
            Vocabulary::File(tokenizer) => match tokenizer.encode_fast(text, false) {
                Ok(encoding) => ids.extend(encoding.get_ids()),
                Err(error) => {
                    let start = text.chars().take(40).collect();
                    return Err(TokenizerError::Refused { reason: error.to_string(), start });
                }
            },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::damage::{damaged, fuzz, one_sentence};

    #[test]
    fn damaged_tokenizers_are_read_or_refused() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clip");
        let clip = fixtures.join("tiny_open_clip.safetensors");
        let clip = crate::nn::clip::Checkpoint::open(&clip, Some(crate::nn::Activation::QuickGelu));
        let config = clip.unwrap().config.text;
        let whole = std::fs::read(fixtures.join("tiny_tokenizer.json")).unwrap();
        fuzz(200, damaged(whole), |bytes| {
            match Tokenizer::of_json(&bytes, &config, Path::new("tokenizer.json")) {
                Ok(tokenizer) => match tokenizer.tokens("a photo of the cat 3, \u{9c7c}!") {
                    Ok(tokens) => {
                        prop_assert!(tokens.ids.iter().all(|&id| (id as usize) < config.vocabulary))
                    }
                    Err(error) => one_sentence(&error, "")?,
                },
                Err(error) => one_sentence(&error, "tokenizer.json")?,
            }
            Ok(())
        });
    }
}
