//! What the released code of CLIP, open_clip and CLIPN does to a text before it cuts it into tokens:
//! repair, HTML entities, whitespace, lower case.
//!
//! The released repair is the Python package `ftfy`. What it does to text that was decoded rightly
//! is done here; undoing a wrong decoding ("schÃ¶n") is not.

use std::borrow::Cow;

use tokenizers::NormalizedString;

/// The text as the tokenizer is to see it.
pub(super) fn clean(text: &str) -> String {
    let mended = mend(text);
    let plain = htmlize::unescape(htmlize::unescape(mended.as_str()).into_owned());
    let words: Vec<&str> = plain.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

/// Entities resolved (but in text with a `<`, which may be HTML that is meant), quotes straight,
/// ligatures apart, full-width and half-width forms plain, control characters away, composed.
fn mend(text: &str) -> String {
    let text = match text.contains('<') {
        true => Cow::Borrowed(text),
        false => htmlize::unescape(text),
    };
    let mut mended = String::with_capacity(text.len());
    for c in text.chars().filter(|&c| !is_control(c)) {
        match is_wide_or_double(c) {
            true => normalised(c.encode_utf8(&mut [0; 4]), NormalizedString::nfkc)
                .chars()
                .for_each(|c| push_plain(c, &mut mended)),
            false => push_plain(c, &mut mended),
        }
    }
    normalised(&mended, NormalizedString::nfc)
}

fn normalised(text: &str, form: fn(&mut NormalizedString) -> &mut NormalizedString) -> String {
    form(&mut NormalizedString::from(text)).get().to_owned()
}

/// Control characters other than whitespace, the byte order mark, and marks that steer layout.
fn is_control(c: char) -> bool {
    match c {
        '\t' | '\n' | '\x0c' | '\r' => false,
        '\0'..' ' | '\x7f' | '\u{feff}' => true,
        '\u{206a}'..='\u{206f}' | '\u{fff9}'..='\u{fffc}' => true,
        _ => false,
    }
}

/// Forms of half or full width, and two letters in one character.
fn is_wide_or_double(c: char) -> bool {
    matches!(c,
        '\u{3000}' | '\u{ff01}'..='\u{ffef}'
        | '\u{132}' | '\u{133}' | '\u{149}' | '\u{1c4}'..='\u{1cc}' | '\u{1f1}'..='\u{1f3}')
}

/// Appends a character, quotation marks straight and Latin ligatures apart.
fn push_plain(c: char, text: &mut String) {
    text.push_str(match c {
        '\u{2018}'..='\u{201b}' | '\u{2bc}' => "'",
        '\u{201c}'..='\u{201f}' => "\"",
        '\u{fb00}' => "ff",
        '\u{fb01}' => "fi",
        '\u{fb02}' => "fl",
        '\u{fb03}' => "ffi",
        '\u{fb04}' => "ffl",
        '\u{fb05}' => "\u{17f}t",
        '\u{fb06}' => "st",
        other => return text.push(other),
    });
}

/// Names of start and end tokens with spaces inside, so that a name which a person types cannot
/// become one. Spaces do not count otherwise.
pub(super) fn without_specials(text: String) -> String {
    const SPECIALS: [(&str, &str); 4] = [
        ("<|startoftext|>", "<| startoftext |>"),
        ("<|endoftext|>", "<| endoftext |>"),
        ("<start_of_text>", "< start_of_text >"),
        ("<end_of_text>", "< end_of_text >"),
    ];
    SPECIALS.into_iter().fold(text, |text, (special, plain)| match text.contains(special) {
        true => text.replace(special, plain),
        false => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cleaned_as_the_released_code_does() {
        let cases = [
            ("  two\t\n spaces ", "two spaces"),
            ("&amp;lt;b&gt;", "<b>"),
            ("a < b &amp; c", "a < b & c"),
            ("…—“quotes” ‘it’s’", "…—\"quotes\" 'it's'"),
            ("ﬁ ＣＡＴ", "fi cat"),
            ("e\u{301}", "é"),
            ("ΟΔΟΣ ΑΣ", "οδος ας"),
            ("nul\0bel\x07", "nulbel"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(clean(text), expected, "{text:?}");
        }
    }

    #[test]
    fn specials_are_taken_apart() {
        let text = without_specials("a <|endoftext|> b<start_of_text>".into());
        assert_eq!(text, "a <| endoftext |> b< start_of_text >");
    }
}
