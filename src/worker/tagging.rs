//! Tagging: images that are ready go through the network as many at a time as leave time for requests.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::decode::{Batch, DecodeTask, Prepared, Ready};
use super::job::{JobControl, JobId};
use super::message::{Event, ImageId, ImageSource, ModelInfo};
use super::preparation::Preparation;
use super::work::{TAGGED, Work};
use crate::gpu::DeviceChoice;
use crate::pipeline::{Keep, PipelineError, TaggerKey, TaggerOutput};
use crate::store::ContentKey;

/// An image that is ready for the network, with the job that it belongs to.
pub(super) struct ToTag {
    job: JobId,
    control: JobControl,
    preparation: Preparation,
    pub(super) prepared: Prepared,
}

impl Work {
    /// Takes images that are ready for the network.
    pub(super) fn take_batch(&mut self, batch: Batch) {
        let Batch { job, control, preparation, images, failed } = batch;
        self.settle(job, &control, failed);
        let ready = images.into_iter().map(|prepared| {
            let control = control.clone();
            ToTag { job, control, preparation, prepared }
        });
        self.to_tag.extend(ready);
    }

    /// Counts images of a job as done; the job ends with the last of them, or if it was cancelled.
    fn settle(&self, job: JobId, control: &JobControl, images: usize) {
        if control.advance(images) || control.is_cancelled() {
            self.jobs.end(job);
        }
    }

    /// Tags as many of the images that are ready as leave time for requests, and analyses them at the
    /// present settings; whether there were any.
    pub(super) fn tag_on(&mut self) -> bool {
        if self.to_tag.is_empty() {
            return false;
        }
        let mut now: Vec<ToTag> = Vec::new();
        let mut stale: BTreeMap<JobId, (JobControl, Vec<(ImageId, ImageSource)>)> = BTreeMap::new();
        let wanted = self.pipeline.as_ref().map(Preparation::of);
        let mut inputs = 0;
        while now.len() < TAGGED
            && inputs < self.tagging.count()
            && let Some(ready) = self.to_tag.pop_front()
        {
            let image = ready.prepared.image;
            if ready.control.is_cancelled() || self.removed.contains(&image) {
                self.settle(ready.job, &ready.control, 1);
            } else if wanted != Some(ready.preparation) {
                let of_job = stale.entry(ready.job).or_insert((ready.control, Vec::new()));
                of_job.1.push((image, ready.prepared.source));
            } else {
                inputs += usize::from(matches!(ready.prepared.input, Ready::Input(_)));
                now.push(ready);
            }
        }
        for (job, (control, images)) in stale {
            // A job that has ended by a stop must not begin a second time.
            if control.is_cancelled() {
                self.jobs.end(job);
            } else {
                self.decoder.start(job, DecodeTask::Again(images));
            }
        }
        self.tag(now);
        true
    }

    fn tag(&mut self, ready: Vec<ToTag>) {
        let (mut known, mut unknown, mut inputs) = (Vec::new(), Vec::new(), Vec::new());
        let mut jobs = Vec::with_capacity(ready.len());
        for ToTag { job, control, preparation, prepared } in ready {
            jobs.push((job, control));
            match prepared.input {
                Ready::Known(output) => known.push((prepared.image, output)),
                Ready::Input(input) => {
                    inputs.push(input);
                    unknown.push((prepared.image, preparation.tagger.zip(prepared.content)));
                }
            }
        }
        let images: Vec<ImageId> = known.iter().map(|(image, _)| *image).collect();
        for (image, output) in known {
            self.take_output(image, &output, 0.0);
        }
        self.analyse(&images);
        if !inputs.is_empty() {
            self.tag_inputs(&unknown, &inputs);
        }
        for (job, control) in jobs {
            self.settle(job, &control, 1);
        }
    }

    /// Has the network tag images, and keeps what it makes of files for the next time.
    fn tag_inputs(
        &mut self,
        images: &[(ImageId, Option<(TaggerKey, ContentKey)>)],
        inputs: &[Vec<f32>],
    ) {
        let started = Instant::now();
        let ids: Vec<ImageId> = images.iter().map(|(image, _)| *image).collect();
        match self.tag_or_fall_back(inputs) {
            Ok(tagged) => {
                let tagger_ms = started.elapsed().as_secs_f32() * 1e3 / ids.len() as f32;
                for ((image, file), output) in images.iter().zip(tagged) {
                    if let Some((outputs, (tagger, content))) =
                        self.decoder.outputs.as_ref().zip(*file)
                    {
                        outputs.put(&tagger, &content, &output);
                    }
                    self.take_output(*image, &output, tagger_ms);
                }
                self.analyse(&ids);
            }
            Err(error) => {
                for image in ids {
                    self.outbox.send(Event::Failed { image, error: error.to_string() });
                }
            }
        }
        self.tagging.measured(inputs.len(), started.elapsed());
    }

    fn take_output(&self, image: ImageId, output: &TaggerOutput, tagger_ms: f32) {
        self.keep(image, output);
        self.outbox.send(Event::TaggerOutput { image, tagger_ms });
    }

    /// Tags; a device that fails is tried image by image, and then given up for the CPU.
    fn tag_or_fall_back(
        &mut self,
        inputs: &[Vec<f32>],
    ) -> Result<Vec<TaggerOutput>, PipelineError> {
        let missing = || PipelineError::Device("no model is loaded".into());
        let tag_all =
            |work: &Self| work.pipeline.as_ref().ok_or_else(missing)?.tag(inputs, Keep::Id);
        let tag_singly = |work: &Self| -> Result<Vec<TaggerOutput>, PipelineError> {
            let pipeline = work.pipeline.as_ref().ok_or_else(missing)?;
            let mut all = Vec::with_capacity(inputs.len());
            for input in inputs {
                all.extend(pipeline.tag(std::slice::from_ref(input), Keep::Id)?);
            }
            Ok(all)
        };
        let error = match tag_all(self) {
            Err(error @ PipelineError::Device(_)) => error,
            other => return other,
        };
        if inputs.len() > 1
            && let Ok(tagged) = tag_singly(self)
        {
            self.outbox.send(Event::Trouble(format!("{error}; going on with single images")));
            return Ok(tagged);
        }
        let Some(open) = self.open.clone().filter(|_| !self.on_cpu) else { return Err(error) };
        let Ok(pipeline) = open(DeviceChoice::Cpu) else { return Err(error) };
        self.outbox.send(Event::Trouble(format!("{error}; going on with the CPU")));
        let info = Arc::new(ModelInfo::of(&pipeline, 0.0));
        (self.pipeline, self.on_cpu) = (Some(pipeline), true);
        self.outbox.send(Event::ModelReady(info));
        tag_all(self)
    }
}
