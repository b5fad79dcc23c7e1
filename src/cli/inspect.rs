//! `inspect`: images in; tags, decomposition, score and verdict out.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use rayon::prelude::*;

use super::inspect_output::{self, Line};
use super::model::{ModelArgs, SettingsArgs};
use super::output::note;
use super::progress::progress_line;
use super::{CliResult, EXIT_SOME_FAILED};
use crate::image::{DecodeOptions, ImageError, RgbImage, decode_file, find_images};
use crate::pipeline::{Keep, Pipeline, PipelineError, Settings, TaggerKey, TaggerOutput};
use crate::store::{ContentKey, OutputCache};

/// Prints tags, kept tokens, score and verdict of images, and why
#[derive(Args)]
pub(super) struct InspectArgs {
    /// Images, or folders of images
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    settings: SettingsArgs,
    /// Images that go through the network at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    batch: u16,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Draw each tag's map over the image, and the union of the in-distribution ones, into DIR
    #[arg(long, value_name = "DIR")]
    heatmaps: Option<PathBuf>,
    /// Write every intermediate tensor of each image into DIR, as safetensors
    #[arg(long, value_name = "DIR")]
    dump: Option<PathBuf>,
    /// No progress on stderr
    #[arg(long)]
    quiet: bool,
}

/// An image that is ready for the network.
pub(super) struct Prepared {
    /// The decoded image.
    pub rgb: RgbImage,
    /// The network's input, `[3, S, S]`; empty where the network has nothing to do.
    pub input: Vec<f32>,
    /// What the tagger made of the same file before.
    known: Option<TaggerOutput>,
    /// What the file is known by.
    content: Option<ContentKey>,
    /// Time of decoding and of preprocessing, in milliseconds.
    pub stage_ms: [f32; 2],
}

type Decoded = (PathBuf, Result<Prepared, ImageError>);

impl InspectArgs {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// If the model cannot be loaded, the device fails or output cannot be written. An image that
    /// cannot be read is a line of the output, and exit status 3.
    pub(super) fn run(self) -> CliResult {
        let pipeline = self.model.load()?;
        let settings = self.settings.settings(&pipeline);
        if pipeline.label_set().is_some() {
            super::evaluate::refuse_unknowing(&pipeline)?;
        }
        for folder in [&self.heatmaps, &self.dump].into_iter().flatten() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        // A dump holds what the network itself says.
        let outputs = self.model.outputs().filter(|_| self.dump.is_none());
        let outputs = outputs.as_ref().zip(pipeline.tagger_key());
        let found = find_images(&self.paths);
        let mut failed = found.faults.len();
        for fault in &found.faults {
            inspect_output::print_error(&mut std::io::stdout(), fault.folder(), fault, self.json)?;
        }
        if let Some(sentence) = found.passed_over.sentence() {
            note!("{sentence}");
        }
        let paths = found.images;
        anyhow::ensure!(!paths.is_empty(), "there is no image to inspect");
        let options = pipeline.manifest().decode_options();
        let bar = progress_line(self.quiet || paths.len() < 2, Some(paths.len() as u64), "images");
        let size = usize::from(self.batch);
        // Decoding runs ahead of the network by a batch.
        let (sender, receiver) = sync_channel::<Vec<Decoded>>(1);
        std::thread::scope(|scope| {
            let pipeline = &pipeline;
            scope.spawn(move || {
                for chunk in paths.chunks(size) {
                    let batch =
                        chunk.par_iter().map(|path| decode(path, &options, pipeline, outputs));
                    if sender.send(batch.collect()).is_err() {
                        return;
                    }
                }
            });
            for batch in receiver {
                let count = batch.len() as u64;
                failed += self.batch(pipeline, &settings, batch, outputs)?;
                bar.inc(count);
            }
            anyhow::Ok(())
        })?;
        bar.finish_and_clear();
        Ok(if failed > 0 { ExitCode::from(EXIT_SOME_FAILED) } else { ExitCode::SUCCESS })
    }

    /// One batch through the network and out; the number of images that failed.
    fn batch(
        &self,
        pipeline: &Pipeline,
        settings: &Settings,
        batch: Vec<Decoded>,
        outputs: Outputs<'_>,
    ) -> anyhow::Result<usize> {
        let started = Instant::now();
        let prepared: Vec<(&Path, &Prepared)> =
            batch.iter().filter_map(|(path, p)| Some((&**path, p.as_ref().ok()?))).collect();
        let named = |error| named(error, &prepared);
        let (tagged, unrounded): (Vec<_>, Vec<_>) = match &self.dump {
            Some(_) => {
                let inputs: Vec<Vec<f32>> = prepared.iter().map(|(_, p)| p.input.clone()).collect();
                pipeline.tag_unrounded(&inputs).map_err(named)?.into_iter().unzip()
            }
            None => (tag(pipeline, &prepared, outputs)?, Vec::new()),
        };
        let inputs = prepared.iter().filter(|(_, prepared)| prepared.known.is_none()).count();
        let network_ms = started.elapsed().as_secs_f32() * 1e3 / inputs.max(1) as f32;
        let analyses =
            pipeline.analyse_batch(&tagged.iter().collect::<Vec<_>>(), settings).map_err(named)?;
        let mut results = tagged.iter().zip(&analyses).enumerate();
        let mut failed = 0;
        let mut out = std::io::stdout().lock();
        for (path, prepared) in &batch {
            match prepared {
                Err(error) => {
                    failed += 1;
                    inspect_output::print_error(&mut out, path, error, self.json)?;
                }
                Ok(prepared) => {
                    let Some((at, (tagged, analysis))) = results.next() else { continue };
                    let unrounded = unrounded.get(at);
                    let tagger_ms = if prepared.known.is_some() { 0.0 } else { network_ms };
                    let line = Line {
                        path,
                        prepared,
                        tagged,
                        unrounded,
                        analysis,
                        settings,
                        pipeline,
                        tagger_ms,
                    };
                    self.write_files(&line)?;
                    inspect_output::print(&mut out, &line, self.json)?;
                }
            }
        }
        out.flush().context("cannot write the results")?;
        Ok(failed)
    }

    fn write_files(&self, line: &Line) -> anyhow::Result<()> {
        if let Some(folder) = &self.heatmaps {
            inspect_output::write_heatmaps(folder, line)?;
        }
        if let Some(folder) = &self.dump {
            inspect_output::write_dump(folder, line)?;
        }
        Ok(())
    }
}

/// The error, with the image called by its file.
fn named(error: PipelineError, images: &[(&Path, &Prepared)]) -> PipelineError {
    error.naming(|place| Some(images.get(place)?.0.display().to_string()))
}

/// What was made of files before, and by which tagger.
type Outputs<'a> = Option<(&'a OutputCache, TaggerKey)>;

/// What the tagger makes of images, or made of the same files before.
fn tag(
    pipeline: &Pipeline,
    images: &[(&Path, &Prepared)],
    outputs: Outputs<'_>,
) -> Result<Vec<TaggerOutput>, PipelineError> {
    let is_new = |(_, image): &(&Path, &Prepared)| image.known.is_none();
    let new: Vec<(&Path, &Prepared)> = images.iter().copied().filter(is_new).collect();
    let inputs: Vec<Vec<f32>> = new.iter().map(|(_, image)| image.input.clone()).collect();
    let tagged = pipeline.tag(&inputs, Keep::Id).map_err(|error| named(error, &new))?;
    let mut tagged = tagged.into_iter();
    let output = |(_, image): &(&Path, &Prepared)| match &image.known {
        Some(known) => {
            let mut known = known.clone();
            pipeline.label(&mut known);
            Some(known)
        }
        None => {
            let output = tagged.next()?;
            if let Some(((outputs, tagger), content)) = outputs.zip(image.content) {
                outputs.put(&tagger, &content, &output);
            }
            Some(output)
        }
    };
    Ok(images.iter().filter_map(output).collect())
}

fn decode(
    path: &Path,
    options: &DecodeOptions,
    pipeline: &Pipeline,
    outputs: Outputs<'_>,
) -> Decoded {
    let started = Instant::now();
    let prepared = decode_file(path, options).map(|decoded| {
        let decoded_at = Instant::now();
        let content = outputs.and_then(|_| ContentKey::of_file(path, options).ok());
        let known = outputs
            .zip(content)
            .and_then(|((outputs, tagger), content)| outputs.get(&tagger, &content));
        let input = match known {
            Some(_) => Vec::new(),
            None => pipeline.prepare(&decoded.rgb),
        };
        let ms = |from: Instant, to: Instant| (to - from).as_secs_f32() * 1e3;
        let stage_ms = [ms(started, decoded_at), ms(decoded_at, Instant::now())];
        Prepared { rgb: decoded.rgb, input, known, content, stage_ms }
    });
    (path.to_owned(), prepared)
}
