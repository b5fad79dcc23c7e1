//! What is known, by name: edited by the user, asked of the model, kept for the next time.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Session;
use super::known::{Asked, KnownEdit, Moved, edited};
use super::sets::ClassNames;
use crate::bundle::known::Known;
use crate::bundle::manifest::Arch;
use crate::pipeline::Pipeline;
use crate::worker::{self, ChangeLabels, ModelInfo};

impl Session {
    /// What is known, as the user last said: the model may be about to take it.
    pub fn known(&self) -> Option<&Known> {
        let asked = self.names.asked.as_ref().map(|asked| &asked.known);
        asked.or_else(|| self.info().map(|info| &info.known))
    }

    /// The class folders of the open in-distribution sets, as names, in their order.
    pub fn class_folders(&self) -> Vec<String> {
        self.images().class_folders()
    }

    /// Changes what is known; what is wrong becomes a sentence, and all stays as it is.
    pub(super) fn edit_known(&mut self, edit: KnownEdit) {
        let Some(info) = self.info().cloned() else { return };
        let Some(present) = self.known().cloned() else { return };
        self.names.error = None;
        match edited(present, edit, (&self.names.own, &info)) {
            Ok((known, left_out)) => {
                self.names.choose(info.manifest.arch, &known);
                self.ask_known(known, false);
                self.names.error = left_out;
            }
            Err(error) => self.names.error = Some(error),
        }
    }

    /// Takes over what was chosen at another time.
    pub(super) fn choose_known(&mut self, chosen: BTreeMap<Arch, Known>) {
        let changed = self.names.chosen != chosen;
        self.names.chosen = chosen;
        if let Some(info) = self.info().filter(|_| changed) {
            let wanted = self.names.wanted(info.manifest.arch);
            self.names.error = None;
            self.ask_known(wanted, true);
        }
    }

    /// Another model is there, which is to know what was chosen for its kind.
    pub(super) fn know_again(&mut self, info: &ModelInfo) {
        (self.names.asked, self.names.error) = (None, None);
        self.names.own = info.known.clone();
        let wanted = self.names.wanted(info.manifest.arch);
        self.ask_known(wanted, true);
    }

    /// Whether a model is to know something else than it does by itself.
    pub(super) fn will_know_more(&self, info: &ModelInfo) -> bool {
        self.names.chosen.get(&info.manifest.arch).is_some_and(|chosen| *chosen != info.known)
    }

    fn ask_known(&mut self, known: Known, keeps_detector: bool) {
        if self.known() == Some(&known) {
            return;
        }
        let generation = self.basis.images.next_generation();
        let (settings, focus) = (self.basis.settings.clone(), self.focus);
        let asked = known.clone();
        self.names.asked = Some(Asked { generation, known: asked, keeps_detector });
        let change: ChangeLabels = Arc::new(move |pipeline: &mut Pipeline| pipeline.know(&known));
        self.effects.ask(worker::Request::SetLabels { generation, settings, focus, change });
    }

    /// The model knows other names now: what was found under the old ones goes by the new places of
    /// those that stay, until it is found anew.
    pub(super) fn take_labels(&mut self, generation: u64, info: Arc<ModelInfo>) {
        let asked = self.names.asked.take_if(|asked| asked.generation <= generation);
        let Some(old) = self.basis.model.info.replace(info.clone()) else { return };
        self.embedding.rename(Some(&old), &info, &mut self.effects);
        let moved = Moved::between(&old, &info);
        self.basis.images.set_classes(ClassNames::of(&info.vocabulary.classes));
        self.basis.images.take_names(&moved);
        self.at_hand.clear();
        self.comparison.forget();
        let mut shown: Vec<usize> =
            self.map.tags.iter().filter_map(|&tag| moved.tag(tag)).collect();
        shown.sort_unstable();
        self.map.tags = shown;
        let settings = &mut self.basis.settings;
        let is_there = info.detectors.iter().any(|detector| detector.id == settings.detector);
        let is_own = settings.detector == old.defaults.detector
            && asked.is_none_or(|asked| !asked.keeps_detector);
        if (!is_there || is_own) && settings.detector != info.defaults.detector {
            // Another detector's scale is another λ's.
            (settings.detector, settings.lambda) = (info.defaults.detector.clone(), None);
            self.analyse();
        }
    }

    /// The model knows what it knew.
    pub(super) fn take_refusal(&mut self, generation: u64, error: String) {
        if self.names.asked.take_if(|asked| asked.generation <= generation).is_some()
            && let Some(info) = self.basis.model.info.clone()
        {
            self.names.choose(info.manifest.arch, &info.known);
            self.history.forget(&self.edit());
            self.names.error = Some(error.clone());
        }
        self.effects.fail(error);
    }
}
