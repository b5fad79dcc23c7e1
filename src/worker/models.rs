//! Models: opened on a thread of their own, so that the one at hand goes on until the new one is whole.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, bail};

use super::message::{ChangeLabels, Event, ModelInfo, OpenModel};
use super::pace::Pace;
use super::preparation::Preparation;
use super::work::{ANALYSED, FAULT, SCORED, TAGGED, Work};
use crate::bundle::manifest::Arch;
use crate::gpu::DeviceChoice;
use crate::pipeline::Pipeline;

/// What came of opening a model.
pub(super) struct LoadedModel {
    load: u64,
    open: OpenModel,
    device: DeviceChoice,
    outcome: anyhow::Result<Pipeline>,
    load_ms: f32,
}

impl Work {
    /// Opens a model on a thread of its own: until it is whole, the one at hand stays in force.
    pub(super) fn load(&mut self, name: String, open: OpenModel, device: DeviceChoice) {
        self.loads += 1;
        self.outbox.send(Event::ModelLoading(name));
        let (load, loaded, opened) = (self.loads, self.loaded.0.clone(), open.clone());
        let thread = std::thread::Builder::new().name("load".into()).spawn(move || {
            let started = Instant::now();
            let outcome =
                catch_unwind(AssertUnwindSafe(|| open(device))).unwrap_or_else(|_| bail!(FAULT));
            let load_ms = started.elapsed().as_secs_f32() * 1e3;
            // A window that is gone wants no model.
            loaded.send(LoadedModel { load, open, device, outcome, load_ms }).ok();
        });
        if let Err(error) = thread {
            let outcome = Err(error).context("cannot start loading the model");
            self.take_loaded(LoadedModel { load, open: opened, device, outcome, load_ms: 0.0 });
        }
    }

    /// Forgets the model at hand, and one that is being opened.
    pub(super) fn unload(&mut self) {
        self.loads += 1;
        self.decoder.preparations.clear();
        self.cache.clear();
        self.relabelled.clear();
        self.to_analyse.clear();
        (self.to_compare, self.survey) = (None, None);
        self.drop_reports();
        (self.pipeline, self.open) = (None, None);
    }

    /// Puts a model in the place of the one at hand, if it is whole and the newest asked for.
    pub(super) fn take_loaded(&mut self, loaded: LoadedModel) {
        let LoadedModel { load, open, device, outcome, load_ms } = loaded;
        if load != self.loads {
            return;
        }
        let pipeline = match outcome {
            Ok(pipeline) => pipeline,
            Err(error) => {
                return self.outbox.send(Event::ModelFailed(one_sentence(&error)));
            }
        };
        self.decoder.preparations.set(Preparation::of(&pipeline));
        let info = Arc::new(ModelInfo::of(&pipeline, load_ms));
        self.cache.clear();
        self.relabelled.clear();
        self.cache.set_names(&pipeline);
        self.to_analyse.clear();
        self.to_compare = None;
        self.survey = None;
        self.drop_reports();
        (self.tagging, self.analysing) = (Pace::new(TAGGED), Pace::new(ANALYSED));
        self.scoring = Pace::new(SCORED);
        self.settings = Some(info.defaults.clone());
        self.on_cpu = device == DeviceChoice::Cpu;
        (self.pipeline, self.open) = (Some(pipeline), Some(open));
        self.outbox.send(Event::ModelReady(info));
    }

    /// Has the model know other labels; what it made of the open images stays, and is completed as they
    /// are analysed.
    pub(super) fn set_labels(&mut self, generation: u64, change: &ChangeLabels) {
        let Some(pipeline) = &mut self.pipeline else { return };
        if let Err(error) = change(pipeline) {
            let error = error.to_string();
            return self.outbox.send(Event::LabelsRefused { generation, error });
        }
        // A CLIP's features are the same whatever the names; a tagger keeps maps of its labels alone.
        if pipeline.manifest().arch == Arch::Ram {
            // What is kept of files under the labels of before must not be found under these.
            if let Some(key) = pipeline.tagger_key() {
                let vocabulary = format!("{:?}", pipeline.vocabulary());
                pipeline.set_tagger_key(key.with("labels", vocabulary.as_bytes()));
            }
            self.relabelled = self.cache.images().into_iter().collect();
        }
        self.cache.set_names(pipeline);
        self.decoder.preparations.set(Preparation::of(pipeline));
        let info = Arc::new(ModelInfo::of(pipeline, 0.0));
        (self.to_compare, self.survey) = (None, None);
        self.drop_reports();
        self.outbox.send(Event::LabelsSet { generation, info });
    }
}

/// An error with its causes as one sentence, each told once: many errors name their cause themselves.
pub fn one_sentence(error: &anyhow::Error) -> String {
    let join = |told: String, cause: String| match told.contains(&cause) {
        true => told,
        false => format!("{told}: {cause}"),
    };
    error.chain().map(ToString::to_string).reduce(join).unwrap_or_default()
}
