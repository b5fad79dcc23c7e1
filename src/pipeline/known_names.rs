//! What a pipeline knows by name, and how that is changed.

use std::sync::Arc;

use super::{CLIP_CENTERS, LabelSet, Labels, Pipeline, PipelineError, bind_all};
use crate::bundle::known::{check_names, check_template};
use crate::bundle::vocabulary::Vocabulary;
use crate::score::distance::Centers;
use crate::score::{Head, LOGIT_SCALE, Statistics};

impl Pipeline {
    /// What a CLIP was last asked, as its bundle has it; `None` for a tagger.
    pub fn labels(&self) -> Option<Labels> {
        let fitted = self.fitted.as_ref()?;
        let (known, templates) = (fitted.known.clone(), fitted.templates.clone());
        Some(Labels { known, templates, negatives: None })
    }

    /// Text features of a CLIP's names in force; `None` for a tagger.
    pub fn label_set(&self) -> Option<&Arc<LabelSet>> {
        self.network.labels()
    }

    /// Takes other names: of a CLIP, any; of a tagger without projector, some of its tags. Images that
    /// were seen before are judged by them at the next [`Pipeline::score`]; texts that were encoded
    /// before are remembered, so that a change of one name costs one text.
    ///
    /// Statistics and thresholds that a CLIP was fitted with hold for its own names and templates, and
    /// rest while others are in force.
    ///
    /// # Errors
    /// If there is no name, or names cannot be encoded; if a tagger has no tag of a name, or class
    /// centers of its own.
    pub fn set_labels(&mut self, labels: Labels) -> Result<(), PipelineError> {
        let labels = Labels { known: check_names(labels.known)?, ..labels };
        if self.network.labels().is_none() {
            if self.head.is_some() {
                return Err(PipelineError::HasClasses);
            }
            self.vocabulary.know(&labels.known)?;
            self.bind();
            return Ok(());
        }
        labels.templates.iter().try_for_each(|template| check_template(template))?;
        self.network.set_labels(&labels)?;
        self.vocabulary = Vocabulary::of_names(&labels.known);
        self.bind_names(&labels)
    }

    /// Makes classifier and centers of a CLIP's names, and binds the detectors to them.
    fn bind_names(&mut self, labels: &Labels) -> Result<(), PipelineError> {
        let Some(set) = self.network.labels().cloned() else { return Ok(()) };
        let (names, width) = (set.len(), set.width);
        let fitted = self.fitted.as_ref();
        let is_own =
            fitted.is_some_and(|f| f.known == labels.known && f.templates == labels.templates);
        let means = self.statistics.values(CLIP_CENTERS, &[names, width]).ok();
        let centers = means.filter(|_| is_own).unwrap_or(&set.features).to_vec();
        let weight = set.features.iter().map(|value| LOGIT_SCALE * value).collect();
        let centers = Centers::new(centers, [names, 1, width])?;
        let head = Head::new(weight, vec![0.0; names], centers)?;
        self.head = Some(Arc::new(head.with_names(&self.network.offers())));
        self.manifest.lambda = match fitted {
            Some(fitted) if is_own => fitted.lambda.clone(),
            _ => Vec::new(),
        };
        let none = Statistics::default();
        let statistics = if is_own { &self.statistics } else { &none };
        self.detectors = bind_all(statistics, self.head.as_ref(), &*self.network);
        Ok(())
    }
}
