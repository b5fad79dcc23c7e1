//! What is kept of labelled images at τ.

use std::ops::Range;

use crate::bundle::manifest::Recipe;
use crate::bundle::vocabulary::Vocabulary;
use crate::decompose::{self, Fallback};
use crate::pipeline::TaggerOutput;

/// Which tokens of an image are its objects.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Relevance above which a token is kept, 0 to 1.
    pub tau: f32,
    /// Whether an image without a tag that counts is skipped (paper) or falls back on its best one
    /// (released code, for ImageNet).
    pub recipe: Recipe,
    /// The tagging head's layer whose attention is used.
    pub layer: usize,
    /// Whether only the tags of the image's own class count, in place of all in-distribution tags.
    pub one_tag: bool,
}

impl Selection {
    /// The tags that count for an image of a class, ascending.
    pub fn tags(&self, probabilities: &[f32], class: usize, vocabulary: &Vocabulary) -> Vec<usize> {
        let fallback = match self.recipe {
            Recipe::Paper => Fallback::Never,
            Recipe::Released => Fallback::Always,
        };
        let own = vocabulary.classes.get(class).map_or(&[][..], |class| class.tags.as_slice());
        let candidates = if self.one_tag { own } else { vocabulary.id_tags() };
        decompose::select_tags(probabilities, &vocabulary.thresholds, candidates, fallback)
    }
}

/// Object tokens of labelled images, one after the other.
#[derive(Clone, Debug)]
pub struct Objects {
    /// Width W of a token.
    pub width: usize,
    /// Kept tokens of all images, `[sum of lengths, W]`.
    tokens: Vec<f32>,
    /// Where each image's tokens begin, in tokens; one more at the end.
    starts: Vec<usize>,
    /// Class of each image.
    pub labels: Vec<usize>,
    /// Best probability among the tags that count, for each image.
    pub tag_scores: Vec<f32>,
    /// Index of each image in the set.
    pub images: Vec<usize>,
    /// Indices of the images of which nothing is kept.
    pub skipped: Vec<usize>,
}

impl Default for Objects {
    fn default() -> Self {
        Self::new()
    }
}

impl Objects {
    /// No image yet.
    pub fn new() -> Self {
        Self {
            width: 0,
            tokens: Vec::new(),
            starts: vec![0],
            labels: Vec::new(),
            tag_scores: Vec::new(),
            images: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// Adds what is kept of an image of a class. The attention of the tags that count has to be
    /// there: see [`Selection::tags`].
    pub fn add(
        &mut self,
        image: usize,
        class: usize,
        tagged: &TaggerOutput,
        vocabulary: &Vocabulary,
        selection: &Selection,
    ) {
        let probabilities = tagged.probabilities();
        let tags = selection.tags(&probabilities, class, vocabulary);
        let relevance = |&tag: &usize| tagged.attention.relevance(tag, selection.layer);
        let maps: Vec<Vec<f32>> = tags.iter().filter_map(relevance).collect();
        let map = decompose::union(maps.iter().map(Vec::as_slice), tagged.positions());
        let mask = decompose::mask(&map, selection.tau);
        let tokens = decompose::object_tokens(&tagged.tokens, tagged.width, &mask);
        let tag_score = tags.iter().map(|&tag| probabilities[tag]).fold(0.0, f32::max);
        self.push(image, class, tagged.width, &tokens, tag_score);
    }

    /// Object tokens that are already picked, `[n, width]` for each image with its class.
    pub fn of_tokens(width: usize, images: impl IntoIterator<Item = (Vec<f32>, usize)>) -> Self {
        let mut objects = Self::new();
        for (index, (tokens, class)) in images.into_iter().enumerate() {
            objects.push(index, class, width, &tokens, 1.0);
        }
        objects
    }

    fn push(&mut self, image: usize, class: usize, width: usize, tokens: &[f32], tag_score: f32) {
        self.width = width;
        if tokens.is_empty() {
            self.skipped.push(image);
            return;
        }
        self.tokens.extend_from_slice(tokens);
        self.starts.push(self.tokens.len() / width);
        self.labels.push(class);
        self.tag_scores.push(tag_score);
        self.images.push(image);
    }

    /// Number of images of which something is kept.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether nothing is kept of any image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    fn range(&self, row: usize) -> Range<usize> {
        self.starts[row]..self.starts[row + 1]
    }

    /// How many tokens an image has.
    pub fn length(&self, row: usize) -> usize {
        self.range(row).len()
    }

    /// The tokens of an image, `[length, W]`.
    pub fn tokens(&self, row: usize) -> &[f32] {
        let range = self.range(row);
        &self.tokens[range.start * self.width..range.end * self.width]
    }

    /// The mean of an image's tokens, `[W]`.
    pub fn mean_token(&self, row: usize) -> Vec<f32> {
        decompose::mean_token(self.tokens(row), self.width, &vec![true; self.length(row)])
    }

    /// Some images' tokens, padded at the end with zeros to the longest: the values
    /// `[rows, longest, W]` and the lengths.
    pub fn padded(&self, rows: &[usize]) -> (Vec<f32>, Vec<usize>) {
        let lengths: Vec<usize> = rows.iter().map(|&row| self.length(row)).collect();
        let longest = lengths.iter().copied().max().unwrap_or_default();
        let mut padded = vec![0.0; rows.len() * longest * self.width];
        let size = (longest * self.width).max(1);
        for (image, &row) in padded.chunks_exact_mut(size).zip(rows) {
            let tokens = self.tokens(row);
            image[..tokens.len()].copy_from_slice(tokens);
        }
        (padded, lengths)
    }
}
