//! From a set of images to rows of a store.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

use rayon::prelude::*;
use thiserror::Error;

use super::attention::{add_attention, tags_to_keep};
use super::content::hash_bytes;
use super::{
    ContentKey, Known, OutputCache, Record, Row, Stamp, Store, StoreError, StoreHeader,
    StoreWriter, Tensors, hash_file, stored_path,
};
use crate::bundle::manifest::Arch;
use crate::dataset::{Dataset, Item};
use crate::fs::shown_path;
use crate::image::{DecodeOptions, PassedOver, decode_bytes, read_file};
use crate::pipeline::{Keep, Pipeline, PipelineError, TaggerKey, TaggerOutput};

/// What can go wrong while a set is extracted; an image that fails is not among it.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the messages say what each field is")]
pub enum ExtractError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

/// How to extract a set.
#[derive(Clone, Debug)]
pub struct ExtractOptions {
    /// The set's name in the store; the data set's own if not given.
    pub set: Option<String>,
    /// Images that go through the network at once.
    pub batch: usize,
    /// What was made of files before, to be used and added to; `None` tags all anew.
    pub outputs: Option<Arc<OutputCache>>,
}

impl Summary {
    /// What became of images that changed since they were extracted, as a sentence; `None` if none did.
    pub fn changes(&self) -> Option<String> {
        let first = self.changed.first()?;
        let left = self.changed.len() - self.renewed;
        let left = if left > 0 { format!(" but for {left}") } else { String::new() };
        Some(format!(
            "{} images of `{}` changed since they were extracted, and were extracted anew{left}: {first}",
            self.changed.len(),
            self.set
        ))
    }

    /// Images of the set that have a row of their content.
    fn done(&self) -> usize {
        self.resumed + self.added + self.renewed
    }
}

impl Default for ExtractOptions {
    fn default() -> Self {
        Self { set: None, batch: 4, outputs: None }
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
    /// Images whose row stayed.
    pub resumed: usize,
    /// Rows of images that had none, failed ones included.
    pub added: usize,
    /// Images of the set whose row is an error, those of earlier runs included.
    pub failed: usize,
    /// Images whose file is another one than their row was of, or could not be read then and can now.
    /// They have a new row, unless the run was cancelled.
    pub changed: Vec<String>,
    /// How many of the changed ones have a new row.
    pub renewed: usize,
    /// Whether the run was cancelled; what it did is kept.
    pub cancelled: bool,
}

/// Brings a set of images into the store in `dir`, made if it is not there, and skips the images
/// that it has: those whose file has the size and time that it had, or else the content. Images whose
/// file has changed, or could not be read then and can now, get a new row. Decoding runs ahead of the
/// network by a batch, and reads each file once. Images that cannot be read become rows with an error.
/// `cancel` is looked at between batches; a cancelled or killed run goes on at the next call, and ends
/// in the same rows in the same order.
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
    let decode = header.decode_options();
    let states: Vec<RowState> = dataset
        .items
        .par_iter()
        .map(|item| RowState::of(&item.path, writer.known(&set, &item.path), &decode))
        .collect();
    let items: Vec<(&Item, RowState)> = dataset.items.iter().zip(states).collect();
    // Batches start at the same images in every run, so that a resumed one computes the same bits.
    let batches = items.chunks(options.batch.max(1));
    let to_do: Vec<&[(&Item, RowState)]> =
        batches.filter(|batch| batch.iter().any(|(_, state)| !state.stays())).collect();
    let failed =
        |item: &Item| writer.known(&set, &item.path).is_some_and(|known| known.error.is_some());
    let stays = items.iter().filter(|(_, state)| state.stays());
    let changed = items.iter().filter(|(_, state)| *state == RowState::Changed);
    let mut summary = Summary {
        total: items.len(),
        resumed: stays.clone().count(),
        failed: stays.filter(|(item, _)| failed(item)).count(),
        changed: changed.map(|(item, _)| shown_path(&stored_path(&item.path)).into()).collect(),
        set,
        ..Summary::default()
    };
    let outputs = options.outputs.as_deref().zip(pipeline.tagger_key());
    let run = Run {
        pipeline,
        dataset,
        decode,
        outputs,
        writer: &mut writer,
        summary: &mut summary,
        progress,
    };
    let outcome = run.all(&to_do, cancel);
    // Also after a fault: what was done is kept.
    let finished = writer.finish();
    outcome?;
    finished?;
    Ok(summary)
}

/// What an image needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RowState {
    /// It has no row.
    New,
    /// Its row is of another content.
    Changed,
    /// Its row is of its content.
    Current,
}

impl RowState {
    fn of(path: &Path, known: Option<&Known>, decode: &DecodeOptions) -> Self {
        let Some(known) = known else { return Self::New };
        if let Some(error) = &known.error {
            // A disk may be back, and a later version of the program may read more.
            return match &decoded(path, decode).1 {
                Err(again) if again == error => Self::Current,
                _ => Self::Changed,
            };
        }
        let stamp = Stamp::of(path);
        let is_current = (stamp.is_some() && stamp == known.stamp)
            || (known.hash.is_some() && hash_file(path) == known.hash);
        if is_current { Self::Current } else { Self::Changed }
    }

    fn stays(self) -> bool {
        self == Self::Current
    }
}

/// What became of the files that some rows of one set are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowCheck {
    /// The set's name in the store.
    pub set: String,
    /// Images whose file is another one by now, or could not be read and can now.
    pub changed: Dataset,
    /// Images whose file is not there any more, so that nothing can be said.
    pub gone: Vec<String>,
}

impl RowCheck {
    /// Holds rows against their files, as [`extract`] does.
    pub fn of(store: &Store, rows: &[usize]) -> Self {
        let rows: Vec<Row> = rows.iter().filter_map(|&row| store.row(row)).collect();
        let options = store.header().decode_options();
        let state = |row: &Row| {
            let path = row.path();
            let known = Known::of(row);
            path.exists().then(|| RowState::of(&path, Some(&known), &options))
        };
        let states: Vec<Option<RowState>> = rows.par_iter().map(state).collect();
        let mut classes: Vec<String> =
            rows.iter().filter_map(|row| row.class().map(str::to_owned)).collect();
        classes.sort();
        classes.dedup();
        let set = rows.first().map(|row| row.set().to_owned()).unwrap_or_default();
        let (mut items, mut gone) = (Vec::new(), Vec::new());
        for (row, state) in rows.iter().zip(states) {
            match state {
                None => gone.push(row.shown_path().to_owned()),
                Some(RowState::Current) => {}
                Some(RowState::New | RowState::Changed) => {
                    let class = row.class().and_then(|name| {
                        classes.binary_search_by(|class| class.as_str().cmp(name)).ok()
                    });
                    items.push(Item { path: row.path(), class });
                }
            }
        }
        Self {
            changed: Dataset {
                name: set.clone(),
                items,
                classes,
                passed_over: PassedOver::default(),
            },
            set,
            gone,
        }
    }
}

/// A file's bytes, if they can be read, and the picture, or why there is none. The file is read once, so
/// that both are of one content.
fn decoded(
    path: &Path,
    options: &DecodeOptions,
) -> (Option<Vec<u8>>, Result<crate::image::Decoded, String>) {
    match read_file(path, options) {
        Ok(bytes) => {
            let picture = decode_bytes(&path.display().to_string(), &bytes, options);
            (Some(bytes), picture.map_err(|error| error.to_string()))
        }
        Err(error) => (None, Err(error.to_string())),
    }
}

/// An image on its way to the network.
struct Decoded<'a> {
    item: &'a Item,
    state: RowState,
    hash: Option<u64>,
    stamp: Option<Stamp>,
    /// Width and height in pixels, or why there is no picture.
    size: Result<(u32, u32), String>,
    /// The network's input, if there is a picture of which it is not known what the network makes.
    input: Vec<f32>,
    /// What the network made of the same content before.
    known: Option<TaggerOutput>,
    /// What the content is known by; `None` where nothing is kept of it.
    content: Option<ContentKey>,
}

/// What was made of files before, and by which tagger.
type Outputs<'a> = Option<(&'a OutputCache, TaggerKey)>;

fn decode<'a>(
    &(item, state): &(&'a Item, RowState),
    options: &DecodeOptions,
    pipeline: &Pipeline,
    outputs: Outputs<'_>,
) -> Decoded<'a> {
    // Before the file is read: should it change meanwhile, the next run finds another one.
    let stamp = Stamp::of(&item.path);
    let (bytes, picture) = decoded(&item.path, options);
    let (hash, content) = match &bytes {
        Some(bytes) => {
            (Some(hash_bytes(bytes)), outputs.map(|_| ContentKey::of_bytes(bytes, options)))
        }
        None => (None, None),
    };
    let known = outputs.zip(content).filter(|_| picture.is_ok());
    let known = known.and_then(|((outputs, tagger), content)| outputs.get(&tagger, &content));
    let (size, input) = match picture {
        Ok(picture) if known.is_some() => (Ok(picture.rgb.dimensions()), Vec::new()),
        Ok(picture) => (Ok(picture.rgb.dimensions()), pipeline.prepare(&picture.rgb)),
        Err(error) => (Err(error), Vec::new()),
    };
    Decoded { item, state, hash, stamp, size, input, known, content }
}

/// An extraction under way.
struct Run<'a> {
    pipeline: &'a Pipeline,
    dataset: &'a Dataset,
    decode: DecodeOptions,
    outputs: Outputs<'a>,
    writer: &'a mut StoreWriter,
    summary: &'a mut Summary,
    progress: &'a mut dyn FnMut(Progress),
}

impl Run<'_> {
    fn all(
        mut self,
        batches: &[&[(&Item, RowState)]],
        cancel: &AtomicBool,
    ) -> Result<(), ExtractError> {
        self.report();
        let (sender, receiver) = sync_channel::<Vec<Decoded>>(1);
        let (pipeline, options, outputs) = (self.pipeline, self.decode, self.outputs);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for batch in batches {
                    let decoded = batch
                        .par_iter()
                        .map(|item| decode(item, &options, pipeline, outputs))
                        .collect();
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
        self.summary.cancelled =
            self.summary.done() < self.summary.total && cancel.load(Ordering::Relaxed);
        Ok(())
    }

    fn report(&mut self) {
        let Summary { total, failed, .. } = *self.summary;
        (self.progress)(Progress { done: self.summary.done(), total, failed });
    }

    /// One batch through the network and into the store.
    fn batch(&mut self, mut batch: Vec<Decoded>) -> Result<(), ExtractError> {
        let new = batch.iter_mut().filter(|image| image.size.is_ok() && image.known.is_none());
        let inputs: Vec<Vec<f32>> = new.map(|image| std::mem::take(&mut image.input)).collect();
        let mut tagged = self.pipeline.tag(&inputs, self.keep())?.into_iter();
        for mut image in batch {
            let outcome = match (&image.size, image.known.take()) {
                (Err(error), _) => Err(error.clone()),
                (Ok(_), Some(known)) => Ok(self.tensors(known)?),
                (Ok(_), None) => {
                    let Some(output) = tagged.next() else { continue };
                    self.remember(image.content, &output);
                    Ok(self.tensors(output)?)
                }
            };
            self.push(&image, outcome)?;
        }
        Ok(())
    }

    /// Keeps what the tagger made of a file for the next time, as the window and `inspect` have it.
    fn remember(&self, content: Option<ContentKey>, output: &TaggerOutput) {
        if let Some(((outputs, tagger), content)) = self.outputs.zip(content) {
            let attention = output.attention.of_tags(&self.pipeline.kept_tags(&output.logits));
            let (tokens, logits) = (output.tokens.clone(), output.logits.clone());
            let (arch, width) = (output.arch, output.width);
            let output = TaggerOutput { arch, tokens, width, logits, attention };
            outputs.put(&tagger, &content, &output);
        }
    }

    /// Fetching all attention from the device is the quickest way for a tagger with few tags; of one
    /// with thousands, it would cost more than to compute the few that are kept again.
    fn keep(&self) -> Keep {
        const MANY_TAGS: usize = 512;
        if self.writer.header().tags < MANY_TAGS { Keep::All } else { Keep::Id }
    }

    fn tensors(&self, mut tagged: TaggerOutput) -> Result<Tensors, PipelineError> {
        // Of a CLIP no maps are kept: they follow from the features, for any names.
        let keep = match tagged.arch {
            Arch::Ram => tags_to_keep(&tagged.logits, self.pipeline.vocabulary()),
            Arch::Clip => Vec::new(),
        };
        add_attention(self.pipeline, &mut tagged, &keep)?;
        Ok(Tensors::from_tagged(&tagged, &keep))
    }

    fn push(
        &mut self,
        image: &Decoded,
        outcome: Result<Tensors, String>,
    ) -> Result<(), StoreError> {
        let (path, set) = (stored_path(&image.item.path), self.summary.set.clone());
        match image.state {
            RowState::Current => return Ok(()),
            RowState::New => self.summary.added += 1,
            RowState::Changed => self.summary.renewed += 1,
        }
        let outcome = outcome.and_then(|tensors| match tensors.are_finite() {
            true => Ok(tensors),
            false => Err(StoreError::NotFinite(path.clone()).to_string()),
        });
        self.summary.failed += usize::from(outcome.is_err());
        let class = image.item.class.and_then(|class| self.dataset.classes.get(class).cloned());
        let (width, height) = image.size.clone().unwrap_or_default();
        let (hash, stamp) = (image.hash, image.stamp);
        self.writer.push(Record { path, hash, stamp, set, class, width, height, outcome })
    }
}
