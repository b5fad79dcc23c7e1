//! The embedded CLIP's own tokenizer: CLIP's byte-level BPE, with merges learned from the words of
//! captions, as a `tokenizer.json`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The names of the start and the end token.
const SPECIALS: [&str; 2] = ["<|startoftext|>", "<|endoftext|>"];

/// What ends a word.
const END_OF_WORD: &str = "</w>";

/// How texts are cut into words: CLIP's pattern.
const PATTERN: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// A visible character for each byte, in the vocabulary's order: the 188 that print in Latin-1 as
/// themselves, then the other 68 as U+0100 and on.
fn byte_symbols() -> Vec<char> {
    let prints = |byte: &u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let own = (0..256).filter(prints);
    own.chain(256..256 + 68).filter_map(char::from_u32).collect()
}

/// The merges that bring each of some texts' words together, the commonest pair first; of two as
/// common, the earlier in the alphabet.
fn merges(texts: &[String]) -> Vec<(String, String)> {
    // Texts of plain letters only: each is its own symbol.
    let letters = |word: &str| -> Vec<String> {
        let mut parts: Vec<String> = word.chars().map(String::from).collect();
        if let Some(last) = parts.last_mut() {
            last.push_str(END_OF_WORD);
        }
        parts
    };
    let mut words: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for text in texts {
        for word in text.split(|c: char| !c.is_ascii_lowercase()).filter(|word| !word.is_empty()) {
            *words.entry(letters(word)).or_default() += 1;
        }
    }
    let mut merges = Vec::new();
    loop {
        let mut pairs: BTreeMap<(&String, &String), usize> = BTreeMap::new();
        for (word, count) in &words {
            for pair in word.windows(2) {
                *pairs.entry((&pair[0], &pair[1])).or_default() += count;
            }
        }
        // The first of the largest: the map is in the alphabet's order.
        let best = pairs.into_iter().rev().max_by_key(|(_, count)| *count);
        let Some(((a, b), _)) = best else { return merges };
        let pair = (a.clone(), b.clone());
        words = words.into_iter().map(|(word, count)| (merged(word, &pair), count)).collect();
        merges.push(pair);
    }
}

/// The word with each occurrence of the pair joined, from the left.
fn merged(word: Vec<String>, (a, b): &(String, String)) -> Vec<String> {
    let mut joined: Vec<String> = Vec::with_capacity(word.len());
    let mut is_free = false;
    for part in word {
        match joined.last_mut() {
            Some(last) if is_free && last == a && part == *b => {
                last.push_str(&part);
                is_free = false;
            }
            _ => {
                joined.push(part);
                is_free = true;
            }
        }
    }
    joined
}

/// A `tokenizer.json` in Hugging Face's form, made from these texts, and the number of its ids.
pub fn tokenizer_json(texts: &[String]) -> (String, usize) {
    let merges = merges(texts);
    let bytes = byte_symbols().into_iter().map(String::from);
    let ends = byte_symbols().into_iter().map(|symbol| format!("{symbol}{END_OF_WORD}"));
    let joined = merges.iter().map(|(a, b)| format!("{a}{b}"));
    let specials = SPECIALS.iter().map(|name| (*name).to_owned());
    let names: Vec<String> = bytes.chain(ends).chain(joined).chain(specials).collect();
    let vocabulary: serde_json::Map<String, Value> =
        names.iter().enumerate().map(|(id, name)| (name.clone(), json!(id))).collect();
    let [start, end] = [names.len() - 2, names.len() - 1];
    let special = |(id, name): (usize, &str)| {
        json!({"id": id, "content": name, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": true})
    };
    let pairs: Vec<String> = merges.iter().map(|(a, b)| format!("{a} {b}")).collect();
    let file = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [special((start, SPECIALS[0])), special((end, SPECIALS[1]))],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
            {"type": "Lowercase"},
        ]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Removed", "invert": true},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
             "use_regex": true},
        ]},
        "post_processor": {"type": "RobertaProcessing", "sep": [SPECIALS[1], end],
                           "cls": [SPECIALS[0], start], "trim_offsets": false,
                           "add_prefix_space": false},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
                    "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": SPECIALS[1],
                  "continuing_subword_prefix": "", "end_of_word_suffix": END_OF_WORD,
                  "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                  "vocab": vocabulary, "merges": pairs},
    });
    // A tree of strings and numbers always has a JSON form.
    (serde_json::to_string_pretty(&file).unwrap_or_default(), names.len())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::demo::captions::words;
    use crate::demo::clip::clip_config;
    use crate::nn::clip::tokenizer::Tokenizer;

    #[test]
    fn words_of_captions_are_one_token_and_others_are_pieces() {
        let (json, ids) = tokenizer_json(&words());
        let config = clip_config(ids, None).text;
        let path = Path::new("tokenizer.json");
        let tokenizer = Tokenizer::of_json(json.as_bytes(), &config, path).unwrap();
        let count = |text: &str| tokenizer.tokens(text).unwrap().ids.len() - 2;
        assert_eq!(count("a photo of a cat."), 6);
        assert_eq!(count("two red apples and an umbrella in the snow"), 9);
        assert!(count("giraffe") > 1);
        assert!(count("Žlutý kůň 🐴") > 3);
        let end = ids as u32 - 1;
        assert_eq!(tokenizer.tokens("cat").unwrap().ids.last(), Some(&end));
        assert!(ids < 2500, "{ids} token ids");
    }

    #[test]
    fn the_commonest_pair_is_merged_first() {
        let texts = ["aba", "aba", "ab", "cd"].map(str::to_owned);
        let found = merges(&texts);
        assert_eq!(found[0], ("a".into(), "b".into()));
        assert_eq!(found[1], ("ab".into(), "a</w>".into()));
        assert_eq!(
            merged(vec!["a".into(), "a".into(), "a".into()], &("a".into(), "a".into())),
            ["aa", "a"]
        );
    }
}
