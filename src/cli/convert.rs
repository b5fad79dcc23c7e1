//! `convert`: a checkpoint in, a bundle out.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use burn::tensor::Device;
use clap::Args;

use super::CliResult;
use super::model::ModelArgs;
use crate::bundle::{Bundle, BundleFiles, Precision, Weights};
use crate::nn::projector::Projector;
use crate::nn::ram::Ram;
use crate::nn::weights::WeightLoader;

/// Writes a checkpoint (with lists and a projector, if named) as a bundle that loads from a map
#[derive(Args)]
pub struct ConvertArgs {
    /// A published RAM or RAM++ checkpoint, or a bundle
    checkpoint: PathBuf,
    /// The bundle's folder, which must not exist yet
    #[arg(long, value_name = "BUNDLE")]
    out: PathBuf,
    /// Store weights as 16-bit floats: half the size, rounded
    #[arg(long)]
    half: bool,
    #[command(flatten)]
    model: ModelArgs,
}

impl ConvertArgs {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// If the checkpoint cannot be read or the bundle cannot be written.
    pub fn run(mut self) -> CliResult {
        self.model.model = Some(self.checkpoint.clone());
        let started = Instant::now();
        let bundle = self.model.bundle()?;
        let (tagger, projector) = names(&bundle)?;
        let read_s = started.elapsed().as_secs_f32();
        let precision = if self.half { Precision::Half } else { Precision::Single };
        let projector = projector_tensors(&bundle, &projector)?;
        let files = BundleFiles {
            manifest: &bundle.manifest,
            vocabulary: &bundle.vocabulary,
            tagger: (Weights::Stored(&bundle.tagger, tagger), precision),
            projector: projector.as_ref().map(|p| (Weights::Values(p), Precision::Single)),
            projector_ce: None,
            statistics: None,
        };
        files.write(&self.out)?;
        let started = Instant::now();
        names(&Bundle::open(&self.out)?)?;
        let mapped_s = started.elapsed().as_secs_f32();
        println!(
            "{}: loading took {read_s:.2} s from the checkpoint, {mapped_s:.2} s from the bundle",
            self.out.display()
        );
        Ok(ExitCode::SUCCESS)
    }
}

/// The tensors that the networks use, by building them: which also proves that they are all there.
fn names(bundle: &Bundle) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let device = Device::flex();
    let from = WeightLoader::stored(&bundle.tagger, &device);
    Ram::new(&bundle.manifest.tagger, &from).context("cannot load the tagger")?;
    let tagger = from.names().into_keys().collect();
    let (Some(source), Some(config)) = (&bundle.projector, &bundle.manifest.projector) else {
        return Ok((tagger, Vec::new()));
    };
    let from = WeightLoader::stored(source, &device);
    Projector::new(config, &from).context("cannot load the projector")?;
    Ok((tagger, from.names().into_keys().collect()))
}

/// The projector's tensors with its centers.
#[expect(clippy::type_complexity, reason = "name, shape and values of each tensor")]
fn projector_tensors(
    bundle: &Bundle,
    names: &[String],
) -> anyhow::Result<Option<Vec<(String, Vec<usize>, Vec<f32>)>>> {
    let (Some(source), Some((centers, shape))) = (&bundle.projector, bundle.centers()?) else {
        return Ok(None);
    };
    let shapes = source.shapes();
    let mut tensors = vec![("centers".to_owned(), shape.to_vec(), centers)];
    for name in names {
        if let Some(shape) = shapes.get(name) {
            tensors.push((name.clone(), shape.clone(), source.read(name, shape)?));
        }
    }
    Ok(Some(tensors))
}
