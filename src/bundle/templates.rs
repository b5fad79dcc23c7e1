//! Named sets of templates.

/// Names of the sets: what stands for a whole set of templates where a text would stand for one.
pub const SETS: [&str; 1] = ["clipn"];

/// The templates of a named set; `None` if there is none of this name.
///
/// `clipn` are the 128 texts of CLIPN's released evaluation, in an order of their own, which a mean
/// does not see: 64 of CLIP's templates for ImageNet, and the same with "with" for "of". Quotation
/// marks are part of what the released file has encoded, and so is the comma behind the plainest
/// text of either half.
pub fn set(name: &str) -> Option<Vec<String>> {
    if name != SETS[0] {
        return None;
    }
    let with = |text: &String| {
        text.replace(" in a video game", " appearing in a video game").replace(" of ", " with ")
    };
    let half = of_imagenet();
    let both = half.iter().cloned().chain(half.iter().map(with));
    let comma = |text: &str| if PLAINEST.contains(&text) { "," } else { "" };
    Some(both.map(|text| format!("'{text}'{}", comma(&text))).collect())
}

/// The texts that the released file ends with a comma.
const PLAINEST: [&str; 2] = ["a photo of a {}.", "a photo with a {}."];

/// The 64 templates, put together from what they vary.
fn of_imagenet() -> Vec<String> {
    const ARTICLES: [&str; 2] = ["a", "the"];
    const PHOTOS: [&str; 11] = [
        "bad",
        "low resolution",
        "cropped",
        "bright",
        "dark",
        "close-up",
        "black and white",
        "pixelated",
        "jpeg corrupted",
        "blurry",
        "good",
    ];
    const THINGS: [&str; 7] = ["clean", "dirty", "cool", "nice", "weird", "large", "small"];
    const WORKS: [&str; 8] = [
        "sculpture",
        "rendering",
        "tattoo",
        "drawing",
        "painting",
        "doodle",
        "sketch",
        "rendition",
    ];
    let mut texts: Vec<String> =
        ["my", "one", "many"].map(|which| format!("a photo of {which} {{}}.")).into();
    texts.push("art of a {}.".into());
    for article in ARTICLES {
        texts.extend(PHOTOS.map(|photo| format!("a {photo} photo of {article} {{}}.")));
        texts.extend(THINGS.map(|thing| format!("a photo of {article} {thing} {{}}.")));
        texts.extend(WORKS.map(|work| format!("a {work} of {article} {{}}.")));
        texts.extend(["a photo", "graffiti", "itap"].map(|of| format!("{of} of {article} {{}}.")));
        texts.push(format!("{article} {{}} in a video game."));
    }
    texts
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_released_set_is_whole() {
        let texts = set("clipn").unwrap();
        assert_eq!((texts.len(), texts.iter().collect::<BTreeSet<_>>().len()), (128, 128));
        let commas: Vec<&String> = texts.iter().filter(|text| text.ends_with(',')).collect();
        assert_eq!(commas, ["'a photo of a {}.',", "'a photo with a {}.',"]);
        for text in
            ["'the {} appearing in a video game.'", "'graffiti with the {}.'", "'art of a {}.'"]
        {
            assert!(texts.iter().any(|known| known == text), "{text}");
        }
        assert!(set("openai").is_none());
    }
}
