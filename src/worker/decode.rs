//! Decoding ahead of the network: lists, decodes, makes thumbnails and the network's input on all
//! cores, a few batches ahead of the worker and no more.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender};
use rayon::prelude::*;

use super::Outbox;
use super::job::{JobId, Progress};
use super::message::{Event, ImageId, ImageSource};
use crate::demo::World;
use crate::image::{
    DecodeOptions, Normalisation, RgbImage, Thumbnail, Transform, decode_bytes, decode_file,
    list_images, tensor_data, thumbnail,
};

/// Images that go through the network at once.
pub(super) const BATCH: usize = 8;
/// Images that are told of at once: the window takes so many in within a frame.
const LISTED: usize = 4096;
/// The longer side of a thumbnail, in pixels.
const THUMBNAIL_PX: u32 = 192;
/// The longer side of a sample, in pixels.
const SAMPLE_PX: u32 = 96;
/// The longer side of a picture on show, in pixels; larger ones are shown smaller.
const PICTURE_PX: u32 = 2048;

/// How a model wants its images.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preparation {
    pub transform: Transform,
    pub side_px: u32,
}

/// Images ready for the network.
pub(super) struct Batch {
    pub job: JobId,
    /// How many images of the job this settles, failed ones included.
    pub settles: usize,
    pub inputs: Vec<(ImageId, Vec<f32>)>,
    pub progress: Progress,
}

/// What a decoding thread works on.
pub(super) struct Decoding {
    pub job: JobId,
    pub progress: Progress,
    pub preparation: Receiver<Preparation>,
    pub batches: Sender<Batch>,
    pub outbox: Outbox,
}

impl Decoding {
    /// Lists what lies under the paths, then decodes it.
    pub fn run_paths(self, paths: &[PathBuf]) {
        let files = list_images(paths).into_iter().map(ImageSource::File).collect();
        let folders = paths.iter().filter(|path| path.is_dir()).cloned().collect();
        self.run_listed(files, folders);
    }

    /// Draws scenes, then decodes those that are not open yet.
    pub fn run_world(self, world: &World, open: &BTreeSet<PathBuf>) {
        let (drawn, job) = (AtomicUsize::new(0), self.job);
        let done = || {
            let scenes = drawn.fetch_add(1, Ordering::Relaxed) + 1;
            self.outbox.send(Event::Drawn { job, scenes });
        };
        match world.draw(&done, &|| self.progress.is_cancelled()) {
            Ok(Some(files)) => {
                let files = files.into_iter().filter(|file| !open.contains(file));
                self.run_listed(files.map(ImageSource::File).collect(), world.sets());
            }
            Ok(None) => self.outbox.send(Event::JobEnded(job)),
            Err(error) => {
                self.outbox.send(Event::Trouble(error.to_string()));
                self.outbox.send(Event::JobEnded(job));
            }
        }
    }

    /// Names the images, then decodes them batch by batch until there are no more or the job is
    /// cancelled.
    pub fn run_sources(self, sources: Vec<ImageSource>) {
        self.run_listed(sources, Vec::new());
    }

    fn run_listed(self, sources: Vec<ImageSource>, folders: Vec<PathBuf>) {
        let images: Vec<(ImageId, ImageSource)> =
            sources.into_iter().map(|source| (ImageId::unique(), source)).collect();
        self.progress.set_total(images.len());
        // The folders first: what makes sets of images is known before the first of them comes.
        let (first, rest) = images.split_at(images.len().min(LISTED));
        let listed = |images: &[(ImageId, ImageSource)], folders| Event::Listed {
            job: self.job,
            images: images.to_vec(),
            folders,
        };
        self.outbox.send(listed(first, folders));
        for images in rest.chunks(LISTED) {
            self.outbox.send(listed(images, Vec::new()));
        }
        self.run_images(&images);
    }

    /// Decodes images that have names already.
    pub fn run_images(self, images: &[(ImageId, ImageSource)]) {
        self.progress.set_total(images.len());
        let mut preparation = None;
        for chunk in images.chunks(BATCH) {
            if self.progress.is_cancelled() {
                break;
            }
            let decoded: Vec<_> = chunk
                .par_iter()
                .filter_map(|(image, source)| Some((*image, self.decode(*image, source)?)))
                .collect();
            // Without a model there is no telling what the input looks like: the first batch waits.
            if preparation.is_none() {
                preparation = self.preparation.recv().ok();
            }
            let Some(preparation) = preparation else { break };
            let inputs = decoded
                .into_par_iter()
                .map(|(image, decoded)| (image, self.prepare(image, &decoded, preparation)))
                .collect();
            let (job, progress) = (self.job, self.progress.clone());
            let batch = Batch { job, settles: chunk.len(), inputs, progress };
            if self.batches.send(batch).is_err() {
                return;
            }
        }
        if images.is_empty() || self.progress.is_cancelled() {
            self.outbox.send(Event::JobEnded(self.job));
        }
    }

    fn decode(&self, image: ImageId, source: &ImageSource) -> Option<Decoded> {
        let started = Instant::now();
        match read(source) {
            Ok(rgb) => {
                let decode_ms = started.elapsed().as_secs_f32() * 1e3;
                let small = Arc::new(Thumbnail::of(&rgb, THUMBNAIL_PX));
                self.tell_decoded(image, &small, &rgb, [decode_ms, 0.0]);
                Some(Decoded { rgb, small, decode_ms })
            }
            Err(error) => {
                self.outbox.send(Event::Failed { image, error });
                None
            }
        }
    }

    fn prepare(&self, image: ImageId, decoded: &Decoded, how: Preparation) -> Vec<f32> {
        let started = Instant::now();
        let input =
            tensor_data(&how.transform.apply(&decoded.rgb, how.side_px), &Normalisation::IMAGENET);
        let prepare_ms = started.elapsed().as_secs_f32() * 1e3;
        let stage_ms = [decoded.decode_ms, prepare_ms];
        self.tell_decoded(image, &decoded.small, &decoded.rgb, stage_ms);
        input
    }

    fn tell_decoded(
        &self,
        image: ImageId,
        small: &Arc<Thumbnail>,
        rgb: &RgbImage,
        stage_ms: [f32; 2],
    ) {
        let size = [rgb.width(), rgb.height()];
        self.outbox.send(Event::Decoded { image, thumbnail: small.clone(), size, stage_ms });
    }
}

struct Decoded {
    rgb: Arc<RgbImage>,
    small: Arc<Thumbnail>,
    decode_ms: f32,
}

fn read(source: &ImageSource) -> Result<Arc<RgbImage>, String> {
    let options = DecodeOptions::default();
    let decoded = match source {
        ImageSource::File(path) => decode_file(Path::new(path), &options),
        ImageSource::Bytes { name, bytes } => decode_bytes(name, bytes, &options),
        ImageSource::Pixels { rgb, .. } => return Ok(rgb.clone()),
    };
    decoded.map(|decoded| Arc::new(decoded.rgb)).map_err(|error| error.to_string())
}

/// Small pictures of `count` images of a folder, spread over it; those that cannot be read are left out.
pub(super) fn samples(folder: &Path, count: usize) -> Vec<Thumbnail> {
    let files = list_images(&[folder]);
    let count = count.min(files.len());
    let small = |path: &PathBuf| {
        let decoded = read(&ImageSource::File(path.clone())).ok()?;
        Some(Thumbnail::of(&decoded, SAMPLE_PX))
    };
    (0..count).filter_map(|at| small(&files[at * files.len() / count])).collect()
}

/// Decodes an image for show, on a core that is free.
pub(super) fn spawn_picture(image: ImageId, source: ImageSource, outbox: Outbox) {
    rayon::spawn(move || {
        let fit = |rgb: Arc<RgbImage>| match rgb.width().max(rgb.height()) > PICTURE_PX {
            true => Arc::new(thumbnail(&rgb, PICTURE_PX)),
            false => rgb,
        };
        outbox.send(Event::Picture { image, picture: read(&source).map(fit) });
    });
}
