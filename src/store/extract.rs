//! From a set of images to rows of a store.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

use rayon::prelude::*;
use thiserror::Error;

use super::attention::{add_attention, tags_to_keep};
use super::{Known, Record, StoreError, StoreHeader, StoreWriter, Tensors, hash_file, stored_path};
use crate::dataset::{Dataset, Item};
use crate::image::{DecodeOptions, decode_file};
use crate::pipeline::{Keep, Pipeline, PipelineError, TaggerOutput};

/// What can go wrong while a set is extracted; an image that fails is not among it.
#[derive(Debug, Error)]
pub enum ExtractError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tagger.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

/// How to extract a set.
#[derive(Clone, Debug)]
pub struct ExtractOptions {
    /// The set's name in the store; the data set's own if not given.
    pub set: Option<String>,
    /// Images that go through the network at once. Results differ with it in their last bits.
    pub batch: usize,
}

impl Default for ExtractOptions {
    fn default() -> Self {
        Self { set: None, batch: 4 }
    }
}

/// How far an extraction is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Images of the set that have a row, those of earlier runs included.
    pub done: usize,
    /// Images of the set.
    pub total: usize,
    /// Those of them that could not be read.
    pub failed: usize,
}

/// How an extraction ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The set's name in the store.
    pub set: String,
    /// Images of the set.
    pub total: usize,
    /// Images that had a row before.
    pub resumed: usize,
    /// Rows added by this run, failed ones included.
    pub added: usize,
    /// Images of the set whose row is an error, those of earlier runs included.
    pub failed: usize,
    /// Images that have a row and whose file is another one by now; the row stays as it was.
    pub changed: Vec<String>,
    /// Whether the run was cancelled; what it did is kept.
    pub cancelled: bool,
}

/// Brings a set of images into the store in `dir`, made if it is not there, and skips the images
/// that it has. Decoding runs ahead of the network by a batch. Images that cannot be read become
/// rows with an error. `cancel` is looked at between batches; a cancelled or killed run goes on at
/// the next call, and ends in the same rows in the same order.
///
/// `header` is that of the bundle behind the pipeline; see [`StoreHeader::of_bundle`].
///
/// # Errors
/// If the store is another tagger's or cannot be written, or the device fails. What was done by then
/// is kept.
pub fn extract(
    pipeline: &Pipeline,
    header: &StoreHeader,
    dataset: &Dataset,
    dir: &Path,
    options: &ExtractOptions,
    progress: &mut dyn FnMut(Progress),
    cancel: &AtomicBool,
) -> Result<Summary, ExtractError> {
    let mut writer = StoreWriter::create_or_resume(dir, header)?;
    let set = options.set.clone().unwrap_or_else(|| dataset.name.clone());
    let known = |item: &Item| writer.known(&set, &stored_path(&item.path));
    // Batches start at the same images in every run, so that a resumed one computes the same bits.
    let batches = dataset.items.chunks(options.batch.max(1));
    let to_do: Vec<&[Item]> =
        batches.filter(|batch| batch.iter().any(|item| known(item).is_none())).collect();
    let earlier: Vec<Known> = dataset.items.iter().filter_map(known).collect();
    let changed = |item: &&Item| known(item).is_some_and(|k| k.hash != hash_file(&item.path));
    let mut summary = Summary {
        total: dataset.items.len(),
        resumed: earlier.len(),
        failed: earlier.iter().filter(|known| known.failed).count(),
        changed: dataset.items.par_iter().filter(changed).map(|i| stored_path(&i.path)).collect(),
        set,
        ..Summary::default()
    };
    let mut run = Run { pipeline, dataset, writer: &mut writer, summary: &mut summary, progress };
    let outcome = run.all(&to_do, cancel);
    // Also after a fault: what was done is kept.
    let finished = writer.finish();
    outcome?;
    finished?;
    Ok(summary)
}

/// An image on its way to the network.
struct Decoded<'a> {
    item: &'a Item,
    hash: Option<u64>,
    /// Width and height in pixels and the network's input, or why there is none.
    outcome: Result<((u32, u32), Vec<f32>), String>,
}

fn decode<'a>(item: &'a Item, pipeline: &Pipeline) -> Decoded<'a> {
    let decoded = decode_file(&item.path, &DecodeOptions::default());
    let outcome = decoded
        .map(|decoded| (decoded.rgb.dimensions(), pipeline.prepare(&decoded.rgb)))
        .map_err(|error| error.to_string());
    Decoded { item, hash: hash_file(&item.path), outcome }
}

/// An extraction under way.
struct Run<'a> {
    pipeline: &'a Pipeline,
    dataset: &'a Dataset,
    writer: &'a mut StoreWriter,
    summary: &'a mut Summary,
    progress: &'a mut dyn FnMut(Progress),
}

impl Run<'_> {
    fn all(&mut self, batches: &[&[Item]], cancel: &AtomicBool) -> Result<(), ExtractError> {
        self.report();
        let (sender, receiver) = sync_channel::<Vec<Decoded>>(1);
        let pipeline = self.pipeline;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for batch in batches {
                    let decoded = batch.par_iter().map(|item| decode(item, pipeline)).collect();
                    if cancel.load(Ordering::Relaxed) || sender.send(decoded).is_err() {
                        return;
                    }
                }
            });
            self.consume(receiver, cancel)
        })
    }

    // Takes the receiver, so that the decoding thread ends with this.
    fn consume(
        &mut self,
        batches: Receiver<Vec<Decoded>>,
        cancel: &AtomicBool,
    ) -> Result<(), ExtractError> {
        for batch in batches {
            if cancel.load(Ordering::Relaxed) {
                break;
            }
            self.batch(batch)?;
            self.report();
        }
        self.summary.cancelled = self.summary.resumed + self.summary.added < self.summary.total
            && cancel.load(Ordering::Relaxed);
        Ok(())
    }

    fn report(&mut self) {
        let Summary { total, resumed, added, failed, .. } = *self.summary;
        (self.progress)(Progress { done: resumed + added, total, failed });
    }

    /// One batch through the network and into the store.
    fn batch(&mut self, batch: Vec<Decoded>) -> Result<(), ExtractError> {
        let mut inputs = Vec::with_capacity(batch.len());
        let mut images = Vec::with_capacity(batch.len());
        for Decoded { item, hash, outcome } in batch {
            let size = outcome.map(|(size, input)| {
                inputs.push(input);
                size
            });
            images.push((item, hash, size));
        }
        let mut tagged = self.pipeline.tag(&inputs, self.keep())?.into_iter();
        for (item, hash, size) in images {
            let (size, outcome) = match size {
                Err(error) => ((0, 0), Err(error)),
                Ok(size) => {
                    let Some(tagged) = tagged.next() else { continue };
                    (size, Ok(self.tensors(tagged)?))
                }
            };
            self.push(item, hash, size, outcome)?;
        }
        Ok(())
    }

    /// Fetching all attention from the device is the quickest way for a tagger with few tags; of one
    /// with thousands, it would cost more than to compute the few that are kept again.
    fn keep(&self) -> Keep {
        const MANY_TAGS: usize = 512;
        if self.writer.header().tags < MANY_TAGS { Keep::All } else { Keep::Id }
    }

    fn tensors(&self, mut tagged: TaggerOutput) -> Result<Tensors, PipelineError> {
        let keep = tags_to_keep(&tagged.logits, self.pipeline.vocabulary());
        add_attention(self.pipeline, &mut tagged, &keep)?;
        Ok(Tensors::from_tagged(&tagged, &keep))
    }

    fn push(
        &mut self,
        item: &Item,
        hash: Option<u64>,
        (width, height): (u32, u32),
        outcome: Result<Tensors, String>,
    ) -> Result<(), StoreError> {
        let (path, set) = (stored_path(&item.path), self.summary.set.clone());
        if self.writer.known(&set, &path).is_some() {
            return Ok(());
        }
        self.summary.added += 1;
        self.summary.failed += usize::from(outcome.is_err());
        let class = item.class.and_then(|class| self.dataset.classes.get(class).cloned());
        self.writer.push(Record { path, hash, set, class, width, height, outcome })
    }
}
