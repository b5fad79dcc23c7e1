//! Mining: which tags stand for which class.
//!
//! A tag is a good name for a class if most of the class's images have it and few other images do.
//! With `r(c, t)` the share of images of class `c` whose tag `t` is above its threshold, tags are
//! ranked by
//!
//! ```text
//! r(c, t) · ln(C / Σ_c' r(c', t))
//! ```
//!
//! the frequency in the class times an inverse class frequency, as in tf-idf: a tag of all images
//! counts nothing, one that two of many classes share still counts. The paper takes the most
//! frequent tags and lets people review them; so may you: the proposal is a text file with counts.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::error::FitError;
use crate::bundle::vocabulary::{Class, Vocabulary, class_line};
use crate::decompose::sigmoid;

/// Tags listed for each class in the file, beside the proposed one.
const ALTERNATIVES: usize = 7;

/// How often each tag is seen in each class.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TagCounts {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Images of each class.
    pub images: Vec<usize>,
    /// Images with the tag, `[classes][tags]`.
    pub seen: Vec<Vec<usize>>,
    /// Sums of the tag's probability, `[classes][tags]`; decides where a class has no tag at all.
    probability: Vec<Vec<f64>>,
}

/// A tag of a class with how often it is seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The tag.
    pub tag: usize,
    /// Images of the class that have it.
    pub images: usize,
    /// Frequency times inverse class frequency; see the module.
    pub weight: f64,
}

/// A class with the tags that tell it from the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposedClass {
    /// The class.
    pub name: String,
    /// Its images.
    pub images: usize,
    /// The proposed tag first, then others to choose from; empty where no tag tells anything.
    pub tags: Vec<SeenTag>,
}

/// A tag with how often it is seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenTag {
    /// What a list of classes calls the tag.
    pub name: String,
    /// Images of the class that have it.
    pub images: usize,
    /// Images of the other classes that have it.
    pub elsewhere: usize,
}

/// Below this share of a class's images, its tag is seen too rarely to stand for it.
const RARE: f64 = 0.5;
/// Above this share of what it is in its class, a tag is seen too often in other classes.
const COMMON: f64 = 0.5;

impl ProposedClass {
    /// Why a tag is a doubtful name for the class, given how many images the other classes have:
    /// it is missed in most of the class's images, or seen half as often in the others.
    pub fn doubt(&self, tag: &SeenTag, others: usize) -> Option<String> {
        let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
        let (own, other) = (share(tag.images, self.images), share(tag.elsewhere, others));
        if other > COMMON * own {
            return Some(format!("also seen in {} of {others} images of others", tag.elsewhere));
        }
        let rare = format!("seen in {} of its {} images", tag.images, self.images);
        (own < RARE).then_some(rare)
    }
}

/// Why the proposed tag of each class is doubtful; `None` where it is not.
pub fn doubts(classes: &[ProposedClass]) -> Vec<Option<String>> {
    let all: usize = classes.iter().map(|class| class.images).sum();
    let doubt = |class: &ProposedClass| match class.tags.first() {
        Some(tag) => class.doubt(tag, all - class.images),
        None => Some("no tag is seen in it".into()),
    };
    classes.iter().map(doubt).collect()
}

impl TagCounts {
    /// No image yet.
    pub fn new(classes: Vec<String>, tags: usize) -> Self {
        let count = classes.len();
        Self {
            classes,
            images: vec![0; count],
            seen: vec![vec![0; tags]; count],
            probability: vec![vec![0.0; tags]; count],
        }
    }

    /// Counts an image of a class, by its tag logits.
    pub fn add(&mut self, class: usize, logits: &[f32], thresholds: &[f32]) {
        self.images[class] += 1;
        for (tag, (&logit, &threshold)) in logits.iter().zip(thresholds).enumerate() {
            let probability = sigmoid(logit);
            self.seen[class][tag] += usize::from(probability > threshold);
            self.probability[class][tag] += f64::from(probability);
        }
    }

    /// A class's tags, best first; those that are never seen in it are left out. Where that leaves
    /// none, all tags by their mean probability.
    pub fn candidates(&self, class: usize) -> Vec<Candidate> {
        let rates: Vec<Vec<f64>> = (0..self.classes.len()).map(|c| self.rates(c, false)).collect();
        let found = self.ranked(class, &rates);
        if !found.is_empty() {
            return found;
        }
        let rates: Vec<Vec<f64>> = (0..self.classes.len()).map(|c| self.rates(c, true)).collect();
        self.ranked(class, &rates)
    }

    fn ranked(&self, class: usize, rates: &[Vec<f64>]) -> Vec<Candidate> {
        let classes = self.classes.len() as f64;
        let weigh = |(tag, &rate): (usize, &f64)| {
            let elsewhere: f64 = rates.iter().map(|rates| rates[tag]).sum();
            let weight = rate * (classes / elsewhere).ln();
            Candidate { tag, images: self.seen[class][tag], weight }
        };
        let own = rates[class].iter().enumerate().filter(|(_, rate)| **rate > 0.0);
        let mut candidates: Vec<Candidate> = own.map(weigh).collect();
        candidates.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.tag.cmp(&b.tag)));
        candidates
    }

    fn rates(&self, class: usize, by_probability: bool) -> Vec<f64> {
        let images = self.images[class].max(1) as f64;
        match by_probability {
            true => self.probability[class].iter().map(|sum| sum / images).collect(),
            false => self.seen[class].iter().map(|&count| count as f64 / images).collect(),
        }
    }

    /// The best tag of each class.
    pub fn proposal(&self) -> Vec<Class> {
        let propose = |(index, name): (usize, &String)| {
            let best = self.candidates(index).first().map(|candidate| candidate.tag);
            Class { name: name.clone(), tags: best.into_iter().collect() }
        };
        self.classes.iter().enumerate().map(propose).collect()
    }

    /// The classes with their most telling tags, as a list of classes calls them.
    pub fn proposed(&self, vocabulary: &Vocabulary) -> Vec<ProposedClass> {
        let seen = |candidate: &Candidate| {
            let everywhere: usize = self.seen.iter().map(|counts| counts[candidate.tag]).sum();
            SeenTag {
                name: vocabulary.tag_reference(candidate.tag),
                images: candidate.images,
                elsewhere: everywhere - candidate.images,
            }
        };
        let class = |(class, name): (usize, &String)| ProposedClass {
            name: name.clone(),
            images: self.images[class],
            tags: self.candidates(class).iter().take(1 + ALTERNATIVES).map(seen).collect(),
        };
        self.classes.iter().enumerate().map(class).collect()
    }
}

/// A proposal as an editable file, in the form that `--vocabulary` reads, with counts and alternatives
/// as comments.
pub fn text(classes: &[ProposedClass]) -> String {
    let mut text = String::from(
        "# class<tab>tag: the tags that stand for each class. Edit, then give this file to\n\
         # `fit --vocabulary`. A class may have several lines.\n",
    );
    for (ProposedClass { name, images, tags }, doubt) in classes.iter().zip(doubts(classes)) {
        let shown: Vec<String> =
            tags.iter().map(|tag| format!("{} {}", tag.name, tag.images)).collect();
        // Writing to a string cannot fail.
        writeln!(text, "\n# {images} images; {}", shown.join(", ")).ok();
        if let Some(doubt) = doubt {
            writeln!(text, "# doubtful: {doubt}").ok();
        }
        if let Some(best) = tags.first() {
            text.push_str(&class_line(name, &best.name));
        }
    }
    text
}

/// A vocabulary's classes in the order of a data set's. Classes that the set does not have are left
/// out: no image could teach the projector what they look like.
///
/// # Errors
/// If the vocabulary lacks one of the set's classes.
pub fn in_order_of(vocabulary: &Vocabulary, classes: &[String]) -> Result<Vec<Class>, FitError> {
    let find = |name: &String| {
        // A list keeps no blanks around a name, a folder may have them.
        let found = vocabulary.classes.iter().find(|class| class.name == name.trim());
        let missing = || FitError::NotInVocabulary(name.clone());
        found.map(|class| Class { name: name.clone(), ..class.clone() }).ok_or_else(missing)
    };
    classes.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Logits of an image with these tags, of five.
    fn image(tags: &[usize]) -> Vec<f32> {
        (0..5).map(|tag| if tags.contains(&tag) { 2.0 } else { -2.0 }).collect()
    }

    fn counts() -> TagCounts {
        let classes = ["cat", "dog", "fox"].map(str::to_owned).to_vec();
        let mut counts = TagCounts::new(classes, 5);
        // Tag 0 is everywhere, 1 in cats, 2 in dogs and some foxes, 3 in foxes.
        for (class, tags) in [
            (0, &[0, 1][..]),
            (0, &[0, 1]),
            (0, &[0]),
            (1, &[0, 2]),
            (1, &[0, 2]),
            (2, &[0, 2, 3]),
            (2, &[0, 3]),
        ] {
            counts.add(class, &image(tags), &[0.5; 5]);
        }
        counts
    }

    #[test]
    fn what_is_everywhere_names_nothing() {
        let counts = counts();
        let proposal: Vec<Vec<usize>> =
            counts.proposal().into_iter().map(|class| class.tags).collect();
        assert_eq!(proposal, [vec![1], vec![2], vec![3]]);
        let cat = counts.candidates(0);
        assert_eq!((cat[0].tag, cat[0].images), (1, 2));
        let expected = 2.0 / 3.0 * (3.0f64 / (2.0 / 3.0)).ln();
        assert!((cat[0].weight - expected).abs() < 1e-12);
        assert_eq!(cat[1], Candidate { tag: 0, images: 3, weight: 0.0 });
    }

    #[test]
    fn a_class_without_tags_takes_the_likeliest() {
        let mut counts = TagCounts::new(vec!["a".into(), "b".into()], 2);
        counts.add(0, &[-1.0, -3.0], &[0.5; 2]);
        counts.add(1, &[-3.0, 2.0], &[0.5; 2]);
        assert_eq!(counts.proposal()[0].tags, [0]);
    }

    #[test]
    fn a_tag_that_others_have_too_is_doubtful() {
        let seen = |images, elsewhere| SeenTag { name: "white".into(), images, elsewhere };
        let class = |name: &str, images, tags| ProposedClass { name: name.into(), images, tags };
        let classes = [
            class("dog", 40, vec![seen(30, 60)]),
            class("cat", 40, vec![seen(38, 4)]),
            class("bird", 40, vec![seen(9, 0)]),
            class("fish", 0, Vec::new()),
        ];
        let told = doubts(&classes);
        assert_eq!(told[0].as_deref(), Some("also seen in 60 of 80 images of others"));
        assert_eq!(told[1], None);
        assert_eq!(told[2].as_deref(), Some("seen in 9 of its 40 images"));
        assert!(told[3].is_some());
        let text = text(&classes);
        assert_eq!(text.matches("# doubtful: ").count(), 3, "{text}");
    }

    #[test]
    fn the_file_is_read_back_as_the_proposal() {
        let counts = counts();
        let mut vocabulary = Vocabulary::numbered(5);
        let proposed = counts.proposed(&vocabulary);
        assert_eq!((proposed[1].tags[0].images, proposed[1].tags[0].elsewhere), (2, 1));
        let text = text(&proposed);
        assert!(text.contains("# 3 images; tag 1 2, tag 0 3"), "{text}");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        vocabulary.read_classes(file.path()).unwrap();
        assert_eq!(vocabulary.classes, counts.proposal());
        let reversed = ["fox".to_owned(), "cat".to_owned()];
        assert_eq!(in_order_of(&vocabulary, &reversed).unwrap()[0].tags, [3]);
        assert!(in_order_of(&vocabulary, &["cow".to_owned()]).is_err());
    }
}
