//! Decoding ahead of the network: lists, decodes, makes thumbnails and the network's input on all
//! cores, a few batches ahead of the worker and no more.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crossbeam_channel::Sender;
use rayon::prelude::*;

use super::job::{JobControl, JobId, Jobs};
use super::message::{Event, ImageId, ImageSource};
use super::preparation::{Preparation, Preparations};
use super::turns::Turns;
use super::{Outbox, lock};
use crate::demo::World;
use crate::image::{
    DecodeOptions, Found, RgbImage, Thumbnail, decode_bytes, decode_file, find_images, thumbnail,
};
use crate::pipeline::TaggerOutput;
use crate::store::{ContentKey, OutputCache};

/// Jobs that are listed and decoded at once.
const THREADS: usize = 16;
/// Images that a thread decodes before it hands them on.
const DECODED_AT_ONCE: usize = 8;
/// Bytes of a decoded image that may wait for the model: eight times as much for each thread.
const KEPT_BYTES: usize = 64 << 20;
/// Images that are told of at once: the window takes so many in within a frame.
const LISTED: usize = 4096;
/// The longer side of a thumbnail, in pixels.
const THUMBNAIL_PX: u32 = 192;
/// The longer side of a sample, in pixels.
const SAMPLE_PX: u32 = 96;
/// The longer side of a picture on show, in pixels; larger ones are shown smaller.
const PICTURE_PX: u32 = 2048;

/// An image that is ready for the network.
pub(super) struct Prepared {
    pub image: ImageId,
    pub source: ImageSource,
    pub input: Ready,
    /// What the file is known by; `None` where nothing is kept of it.
    pub content: Option<ContentKey>,
}

/// What an image is ready for.
pub(super) enum Ready {
    /// For the network: its input, `[3, S, S]`.
    Input(Vec<f32>),
    /// To be analysed: what the network made of the same file before.
    Known(TaggerOutput),
}

/// Images that were prepared together.
pub(super) struct Batch {
    pub job: JobId,
    pub control: JobControl,
    /// The preparation of the model that they are for.
    pub preparation: Preparation,
    pub images: Vec<Prepared>,
    /// Images of the job that could not be prepared, and so are done.
    pub failed: usize,
}

/// What to decode.
pub(super) enum DecodeTask {
    /// What lies at and under these paths.
    Paths(Vec<PathBuf>),
    /// Scenes of the world, drawn first, without those that are open already.
    World(World, BTreeSet<PathBuf>),
    /// Images without names.
    Sources(Vec<ImageSource>),
    /// Images that have names already.
    Images(Vec<(ImageId, ImageSource)>),
    /// Images of a job under way, which were prepared for another model.
    Again(Vec<(ImageId, ImageSource)>),
}

/// The decoding threads: one for each job up to a number, then jobs wait for one.
#[derive(Clone)]
pub(super) struct Decoder {
    pub preparations: Preparations,
    pub jobs: Jobs,
    pub outbox: Outbox,
    /// What is known of files from earlier; `None` if nothing is to be kept.
    pub outputs: Option<Arc<OutputCache>>,
    batches: Sender<Batch>,
    turns: Turns,
    pool: Arc<Mutex<Pool>>,
}

#[derive(Default)]
struct Pool {
    threads: usize,
    waiting: VecDeque<(Decoding, DecodeTask)>,
}

impl Decoder {
    pub(super) fn new(
        batches: Sender<Batch>,
        jobs: Jobs,
        outbox: Outbox,
        outputs: Option<Arc<OutputCache>>,
    ) -> Self {
        let (preparations, turns, pool) = (Preparations::default(), Turns::new(), Arc::default());
        Self { preparations, jobs, outbox, outputs, batches, turns, pool }
    }

    /// Begins a job. It ends with its last image, or soon after it is cancelled.
    pub(super) fn start(&self, job: JobId, task: DecodeTask) {
        let control = self.jobs.begin(job);
        if control.is_cancelled() {
            return self.jobs.end(job);
        }
        let decoding = Decoding { job, control, decoder: self.clone() };
        let mut pool = lock(&self.pool);
        if pool.threads >= THREADS {
            return pool.waiting.push_back((decoding, task));
        }
        let decoder = self.clone();
        let work_off = move || {
            let mut next = Some((decoding, task));
            while let Some((decoding, task)) = next {
                decoding.run(task);
                let mut pool = lock(&decoder.pool);
                next = pool.waiting.pop_front();
                if next.is_none() {
                    pool.threads -= 1;
                }
            }
        };
        match std::thread::Builder::new().name("decode".into()).spawn(work_off) {
            Ok(_) => pool.threads += 1,
            Err(error) => {
                self.outbox.send(Event::Trouble(format!("cannot start decoding: {error}")));
                self.jobs.end(job);
            }
        }
    }

    /// Stops a job: one that waits for a thread at once, another before its next images.
    pub(super) fn cancel(&self, job: JobId) {
        self.jobs.cancel(job);
        let mut pool = lock(&self.pool);
        let before = pool.waiting.len();
        pool.waiting.retain(|(decoding, _)| decoding.job != job);
        if pool.waiting.len() < before {
            self.jobs.end(job);
        }
    }
}

/// A decoding thread's job.
struct Decoding {
    job: JobId,
    control: JobControl,
    decoder: Decoder,
}

impl Decoding {
    fn run(self, task: DecodeTask) {
        match task {
            DecodeTask::Paths(paths) => {
                let mut found = Found::default();
                for path in &paths {
                    if self.control.is_cancelled() {
                        break;
                    }
                    found.extend(find_images(&[path]));
                }
                for sentence in found.sentences() {
                    self.decoder.outbox.send(Event::Trouble(sentence));
                }
                let files = found.images.into_iter().map(ImageSource::File).collect();
                let folders = paths.into_iter().filter(|path| path.is_dir()).collect();
                self.run_listed(files, folders);
            }
            DecodeTask::World(world, open) => self.run_world(&world, &open),
            DecodeTask::Sources(sources) => self.run_listed(sources, Vec::new()),
            DecodeTask::Images(images) => {
                self.control.set_total(images.len());
                self.run_images(&images);
            }
            DecodeTask::Again(images) => self.run_images(&images),
        }
    }

    /// Draws scenes, then decodes those that are not open yet.
    fn run_world(self, world: &World, open: &BTreeSet<PathBuf>) {
        let (drawn, job) = (AtomicUsize::new(0), self.job);
        let done = || {
            let scenes = drawn.fetch_add(1, Ordering::Relaxed) + 1;
            self.decoder.outbox.send(Event::Drawn { job, scenes });
        };
        match world.draw(&done, &|| self.control.is_cancelled()) {
            Ok(Some(files)) => {
                let files = files.into_iter().filter(|file| !open.contains(file));
                self.run_listed(files.map(ImageSource::File).collect(), world.sets());
            }
            Ok(None) => self.decoder.jobs.end(job),
            Err(error) => {
                self.decoder.outbox.send(Event::Trouble(error.to_string()));
                self.decoder.jobs.end(job);
            }
        }
    }

    /// Names the images, then decodes them.
    fn run_listed(self, sources: Vec<ImageSource>, folders: Vec<PathBuf>) {
        if self.control.is_cancelled() {
            return self.decoder.jobs.end(self.job);
        }
        let images: Vec<(ImageId, ImageSource)> =
            sources.into_iter().map(|source| (ImageId::unique(), source)).collect();
        self.control.set_total(images.len());
        // The folders first: what makes sets of images is known before the first of them comes.
        let (first, mut rest) = images.split_at(images.len().min(LISTED));
        let listed = |images: &[(ImageId, ImageSource)], folders, more| Event::Listed {
            job: self.job,
            images: images.to_vec(),
            folders,
            more,
        };
        self.decoder.outbox.send(listed(first, folders, !rest.is_empty()));
        while !rest.is_empty() {
            let (next, after) = rest.split_at(rest.len().min(LISTED));
            rest = after;
            self.decoder.outbox.send(listed(next, Vec::new(), !rest.is_empty()));
        }
        self.run_images(&images);
    }

    /// Decodes images that have names, a few at a time, until there are no more or the job is
    /// cancelled.
    fn run_images(self, images: &[(ImageId, ImageSource)]) {
        for chunk in images.chunks(DECODED_AT_ONCE) {
            let Some(_turn) = self.decoder.turns.take(&self.control) else { break };
            let decoded: Vec<_> = chunk
                .par_iter()
                .filter_map(|(image, source)| Some((*image, source, self.decode(*image, source)?)))
                .collect();
            // Without a model there is no telling what the input looks like: these images wait.
            let Some(preparation) = self.decoder.preparations.wait(&self.control) else { break };
            let images: Vec<_> = decoded
                .into_par_iter()
                .filter_map(|(image, source, decoded)| {
                    let (input, content) = self.ready(image, source, decoded, preparation)?;
                    Some(Prepared { image, source: source.clone(), input, content })
                })
                .collect();
            let failed = chunk.len() - images.len();
            let (job, control) = (self.job, self.control.clone());
            let batch = Batch { job, control, preparation, images, failed };
            if self.decoder.batches.send(batch).is_err() {
                return;
            }
        }
        if images.is_empty() || self.control.is_cancelled() {
            self.decoder.jobs.end(self.job);
        }
    }

    /// Decodes an image for a thumbnail, and keeps it for the network unless it is large.
    fn decode(&self, image: ImageId, source: &ImageSource) -> Option<DecodedImage> {
        let options = self.decoder.preparations.decode();
        let decoded = self.decode_as(image, source, options)?;
        let is_large = decoded.rgb.as_ref().is_some_and(|rgb| rgb.as_raw().len() > KEPT_BYTES);
        Some(if is_large { DecodedImage { rgb: None, ..decoded } } else { decoded })
    }

    fn decode_as(
        &self,
        image: ImageId,
        source: &ImageSource,
        options: DecodeOptions,
    ) -> Option<DecodedImage> {
        let started = Instant::now();
        match read(source, &options) {
            Ok(rgb) => {
                let decode_ms = started.elapsed().as_secs_f32() * 1e3;
                let small = Arc::new(Thumbnail::of(&rgb, THUMBNAIL_PX));
                let size = rgb.dimensions().into();
                self.tell_decoded(image, &small, size, [decode_ms, 0.0]);
                Some(DecodedImage { rgb: Some(rgb), options, size, small, decode_ms })
            }
            Err(error) => {
                self.decoder.outbox.send(Event::Failed { image, error });
                None
            }
        }
    }

    /// What is known of the image, or the network's input; `None` if it cannot be read any more.
    fn ready(
        &self,
        image: ImageId,
        source: &ImageSource,
        decoded: DecodedImage,
        how: Preparation,
    ) -> Option<(Ready, Option<ContentKey>)> {
        // Decoded before it was known how.
        let decoded = match decoded.options == how.decode {
            true => decoded,
            false => self.decode_as(image, source, how.decode)?,
        };
        let cache = self.decoder.outputs.as_ref().zip(how.tagger);
        let content = cache.and_then(|_| content(source, &how.decode));
        let known = cache
            .zip(content)
            .and_then(|((outputs, tagger), content)| outputs.get(&tagger, &content));
        let ready = match known {
            Some(output) => Ready::Known(output),
            None => Ready::Input(self.prepare(image, source, decoded, how)?),
        };
        Some((ready, content))
    }

    fn prepare(
        &self,
        image: ImageId,
        source: &ImageSource,
        decoded: DecodedImage,
        how: Preparation,
    ) -> Option<Vec<f32>> {
        let rgb = match &decoded.rgb {
            Some(rgb) => rgb.clone(),
            None => self.decode_as(image, source, how.decode)?.rgb?,
        };
        let started = Instant::now();
        let input = how.picture.apply(&rgb);
        let prepare_ms = started.elapsed().as_secs_f32() * 1e3;
        let stage_ms = [decoded.decode_ms, prepare_ms];
        self.tell_decoded(image, &decoded.small, decoded.size, stage_ms);
        Some(input)
    }

    fn tell_decoded(
        &self,
        image: ImageId,
        small: &Arc<Thumbnail>,
        size: [u32; 2],
        stage_ms: [f32; 2],
    ) {
        let thumbnail = small.clone();
        self.decoder.outbox.send(Event::Decoded { image, thumbnail, size, stage_ms });
    }
}

struct DecodedImage {
    /// The pixels; not kept of a large image, which is decoded again when its turn has come.
    rgb: Option<Arc<RgbImage>>,
    options: DecodeOptions,
    size: [u32; 2],
    small: Arc<Thumbnail>,
    decode_ms: f32,
}

fn read(source: &ImageSource, options: &DecodeOptions) -> Result<Arc<RgbImage>, String> {
    let decoded = match source {
        ImageSource::File(path) => decode_file(Path::new(path), options),
        ImageSource::Bytes { name, bytes } => decode_bytes(name, bytes, options),
        ImageSource::Pixels { rgb, .. } => return Ok(rgb.clone()),
    };
    decoded.map(|decoded| Arc::new(decoded.rgb)).map_err(|error| error.to_string())
}

/// What an image is known by from one start to the next; what was only pasted is not.
fn content(source: &ImageSource, options: &DecodeOptions) -> Option<ContentKey> {
    match source {
        ImageSource::File(path) => ContentKey::of_file(path, options).ok(),
        ImageSource::Bytes { bytes, .. } => Some(ContentKey::of_bytes(bytes, options)),
        ImageSource::Pixels { .. } => None,
    }
}

/// Small pictures of `count` images of a folder, spread over it; those that cannot be read are left out.
pub(super) fn samples(folder: &Path, count: usize, options: &DecodeOptions) -> Vec<Thumbnail> {
    let files = find_images(&[folder]).images;
    let count = count.min(files.len());
    let small = |path: &PathBuf| {
        let decoded = read(&ImageSource::File(path.clone()), options).ok()?;
        Some(Thumbnail::of(&decoded, SAMPLE_PX))
    };
    (0..count).filter_map(|at| small(&files[at * files.len() / count])).collect()
}

/// Decodes an image for show, on a core that is free.
pub(super) fn spawn_picture(
    image: ImageId,
    source: ImageSource,
    options: DecodeOptions,
    outbox: Outbox,
) {
    rayon::spawn(move || {
        let fit = |rgb: Arc<RgbImage>| match rgb.width().max(rgb.height()) > PICTURE_PX {
            true => Arc::new(thumbnail(&rgb, PICTURE_PX)),
            false => rgb,
        };
        outbox.send(Event::Picture { image, picture: read(&source, &options).map(fit) });
    });
}
