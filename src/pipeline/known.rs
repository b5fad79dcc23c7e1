//! What is known: the model's own names, or others in their place.

use std::path::Path;
use std::sync::Arc;

use super::{CLIP_CENTERS, LabelSet, Labels, Pipeline, PipelineError, bind_all};
use crate::bundle::Bundle;
use crate::bundle::known::{Known, check_names, check_templates};
use crate::bundle::manifest::Lambda;
use crate::bundle::vocabulary::Vocabulary;
use crate::score::distance::Centers;
use crate::score::negatives::NegativeWords;
use crate::score::{Head, LOGIT_SCALE, Statistics};

/// What a model knows by itself, with what was fitted to that.
#[derive(Clone)]
pub(super) struct Own {
    known: Known,
    vocabulary: Vocabulary,
    /// A tagger's classifier and class centers.
    head: Option<Arc<Head>>,
    lambda: Vec<Lambda>,
}

impl Own {
    /// Reads it off a bundle.
    pub(super) fn of(bundle: &Bundle, head: Option<Arc<Head>>) -> Self {
        let (manifest, vocabulary) = (&bundle.manifest, &bundle.vocabulary);
        let known = match manifest.clip.as_ref().zip(bundle.clip.as_ref()) {
            Some((part, files)) => Known {
                names: files.known.clone(),
                templates: part.templates.clone(),
                negatives: None,
            },
            None => Known { names: vocabulary.known(), ..Known::default() },
        };
        Self { known, vocabulary: vocabulary.clone(), head, lambda: manifest.lambda.clone() }
    }

    /// With another classifier and other centers, for which there is no threshold yet.
    pub(super) fn with_head(&self, head: Arc<Head>) -> Self {
        Self { head: Some(head), lambda: Vec::new(), ..self.clone() }
    }

    /// As it is asked of the network.
    pub(super) fn labels(&self) -> Labels {
        let Known { names, templates, .. } = self.known.clone();
        Labels { known: names, templates, negatives: None }
    }
}

impl Pipeline {
    /// What it knows now.
    pub fn labels(&self) -> &Labels {
        &self.known
    }

    /// What it knows now, as a person says it.
    pub fn known(&self) -> Known {
        let Labels { known, templates, negatives } = self.known.clone();
        Known { names: known, templates, negatives: negatives.map(|(_, path)| path) }
    }

    /// Knows what a person says, which may be nothing, or what the model knows by itself. A file of
    /// negative words is read unless it is in force already.
    ///
    /// # Errors
    /// As [`Pipeline::set_labels`], or if the negative words cannot be read.
    pub fn know(&mut self, known: &Known) -> Result<(), PipelineError> {
        if self.network.labels().is_none() && *known == self.own.known {
            self.known = self.own.labels();
            self.vocabulary.clone_from(&self.own.vocabulary);
            self.head.clone_from(&self.own.head);
            self.manifest.lambda.clone_from(&self.own.lambda);
            self.bind();
            return Ok(());
        }
        let read = |path: &Path| match &self.known.negatives {
            Some((words, known)) if known == path => Ok(words.clone()),
            _ => NegativeWords::read(path).map(Arc::new),
        };
        let negatives = match &known.negatives {
            Some(path) => Some((read(path)?, path.clone())),
            None => None,
        };
        let (names, templates) = (known.names.clone(), known.templates.clone());
        let labels = Labels { known: names, templates, negatives };
        match labels.known.is_empty() {
            true => self.know_nothing(labels),
            false => self.set_labels(labels),
        }
    }

    /// Takes other names: of a CLIP, any; of a tagger, some of its tags, while its projector rests,
    /// whose centers are of other classes. Images that were seen before are judged by them at the next
    /// [`Pipeline::score`]; texts that were encoded before are remembered, so that a change of one name
    /// costs one text.
    ///
    /// Statistics and thresholds that a model was fitted with hold for its own names and templates, and
    /// rest while others are in force.
    ///
    /// # Errors
    /// If there is no name, names cannot be encoded, or a tagger has no tag of a name.
    pub fn set_labels(&mut self, labels: Labels) -> Result<(), PipelineError> {
        let labels = Labels { known: check_names(labels.known)?, ..labels };
        if self.network.labels().is_none() {
            self.vocabulary.know(&labels.known)?;
            self.known = Labels { known: labels.known, ..Labels::default() };
            self.judge_by_tags_alone();
            return Ok(());
        }
        check_templates(&labels.templates)?;
        self.network.set_labels(&labels)?;
        self.vocabulary = Vocabulary::of_names(&labels.known);
        self.bind_names(&labels)?;
        self.known = labels;
        Ok(())
    }

    fn know_nothing(&mut self, labels: Labels) -> Result<(), PipelineError> {
        if self.network.labels().is_none() {
            self.vocabulary.set_classes(Vec::new());
        } else {
            check_templates(&labels.templates)?;
            // Negative words are told apart from names, of which there is none.
            self.network.set_labels(&Labels { negatives: None, ..labels.clone() })?;
            self.vocabulary = Vocabulary::default();
        }
        self.known = labels;
        self.judge_by_tags_alone();
        Ok(())
    }

    /// Without class centers.
    fn judge_by_tags_alone(&mut self) {
        self.head = None;
        self.manifest.lambda.clear();
        self.bind();
    }

    /// Makes classifier and centers of a CLIP's names, and binds the detectors to them.
    fn bind_names(&mut self, labels: &Labels) -> Result<(), PipelineError> {
        let Some(set) = self.network.labels().cloned() else { return Ok(()) };
        let (names, width) = (set.len(), set.width);
        let own = &self.own.known;
        let is_own = own.names == labels.known && own.templates == labels.templates;
        let means = self.statistics.values(CLIP_CENTERS, &[names, width]).ok();
        let centers = means.filter(|_| is_own).unwrap_or(&set.features).to_vec();
        let weight = set.features.iter().map(|value| LOGIT_SCALE * value).collect();
        let centers = Centers::new(centers, [names, 1, width])?;
        let head = Head::new(weight, vec![0.0; names], centers)?;
        self.head = Some(Arc::new(head.with_names(&self.network.offers())));
        self.manifest.lambda = if is_own { self.own.lambda.clone() } else { Vec::new() };
        let none = Statistics::default();
        let statistics = if is_own { &self.statistics } else { &none };
        self.detectors = bind_all(statistics, self.head.as_ref(), &*self.network);
        Ok(())
    }

    /// Text features of a CLIP's names in force; `None` for a tagger.
    pub fn label_set(&self) -> Option<&Arc<LabelSet>> {
        self.network.labels()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::bundle::embedded;
    use crate::bundle::known::typed_names;
    use crate::gpu::{DeviceChoice, compute};

    fn load(bundle: &Bundle) -> Pipeline {
        Pipeline::load(bundle, &compute(DeviceChoice::Cpu).unwrap()).unwrap()
    }

    fn named(pipeline: &Pipeline, names: &str) -> Known {
        Known { names: typed_names(names), ..pipeline.known() }
    }

    fn ids(pipeline: &Pipeline) -> Vec<&'static str> {
        pipeline.detectors().iter().map(|detector| detector.id).collect()
    }

    #[test]
    fn a_clip_knows_what_it_is_told() {
        let mut clip = load(&embedded::clip_bundle().unwrap());
        assert!(clip.known().names.is_empty() && clip.detectors().is_empty());
        clip.know(&named(&clip, "red apple, dog: puppy")).unwrap();
        assert_eq!(clip.vocabulary().tags, ["red apple", "dog"]);
        assert!(ids(&clip).contains(&"clipn-atd-decision") && !ids(&clip).contains(&"neg-label"));
        assert_eq!(clip.default_settings().detector, "clipn-atd-decision");
        // Negative words stay while names come and go; they are read once.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words.txt");
        std::fs::write(&path, "tractor\nviolin\n").unwrap();
        let with_words = Known { negatives: Some(path.clone()), ..clip.known() };
        clip.know(&with_words).unwrap();
        assert!(ids(&clip).contains(&"neg-label"));
        std::fs::remove_file(&path).unwrap();
        clip.know(&named(&clip, "")).unwrap();
        assert!(clip.detectors().is_empty() && clip.vocabulary().tags.is_empty());
        assert_eq!(clip.known().negatives, Some(path.clone()));
        clip.know(&with_words).unwrap();
        assert_eq!(clip.known(), with_words);
        // What is refused changes nothing.
        let before = clip.label_set().unwrap().clone();
        let refused = [
            Known { templates: vec!["a photo".into()], ..with_words.clone() },
            Known { negatives: Some(PathBuf::from("/nowhere/words.txt")), ..with_words.clone() },
            Known { names: typed_names("dog, violin"), ..with_words.clone() },
        ];
        for known in &refused {
            clip.know(known).unwrap_err();
            assert_eq!(clip.known(), with_words);
            assert_eq!(*clip.label_set().unwrap(), before);
            assert_eq!(clip.vocabulary().tags, ["red apple", "dog"]);
        }
    }

    /// A tagger's projector rests while other tags are known, and comes back with its own.
    #[test]
    fn a_tagger_goes_back_to_its_own_classes() {
        let mut tagger = load(&embedded::bundle().unwrap());
        let (own, detectors) = (tagger.known(), ids(&tagger));
        let (vocabulary, lambda) = (tagger.vocabulary().clone(), tagger.manifest().lambda.clone());
        assert!(tagger.head().is_some() && !lambda.is_empty());
        let tags = [0, 3].map(|tag: usize| vocabulary.tags[tag].clone());
        tagger.know(&named(&tagger, &tags.join(", "))).unwrap();
        assert_eq!(tagger.vocabulary().id_tags(), [0, 3]);
        assert_eq!(ids(&tagger), ["tag-score"]);
        assert_eq!(tagger.default_settings().detector, "tag-score");
        tagger.know(&named(&tagger, "no such tag")).unwrap_err();
        assert_eq!(tagger.vocabulary().id_tags(), [0, 3]);
        tagger.know(&named(&tagger, "")).unwrap();
        assert!(tagger.vocabulary().id_tags().is_empty());
        tagger.know(&own).unwrap();
        assert_eq!((tagger.known(), ids(&tagger)), (own, detectors));
        assert_eq!((tagger.vocabulary(), &tagger.manifest().lambda), (&vocabulary, &lambda));
    }
}
