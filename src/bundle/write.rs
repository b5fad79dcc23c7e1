//! Writing bundles: all of it under a temporary name, then renamed, so that a bundle is whole or
//! not there.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use burn::tensor::Device;
use half::f16;
use serde_json::json;

use super::checksums::{self, Checksums};
use super::manifest::{FORMAT, Manifest};
use super::vocabulary::Vocabulary;
use super::{
    Bundle, BundleError, CLASS_NAMES, CLASSES, CLIP, ClipFiles, MANIFEST, NAMES, PROJECTOR,
    PROJECTOR_CE, PROMPTS, STATISTICS, TAGGER, TAGS, THRESHOLDS, TOKENIZER,
};
use crate::fs::{self, WholeFile, WholeFolder};
use crate::lists::List;
use crate::nn::clip::Clip;
use crate::nn::projector::{Projector, ProjectorConfig};
use crate::nn::ram::Ram;
use crate::nn::source::{Source, WeightsError, check_finite, check_half};
use crate::nn::weights::WeightLoader;

/// The type that weights are stored in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    Single,
    /// 16-bit floats.
    Half,
}

/// Tensors to be written.
pub enum Weights<'a> {
    /// Some tensors of a source, read one at a time.
    Stored(&'a Source, Vec<String>),
    /// Tensors in memory: name, shape, values in row-major order.
    Values(&'a [(String, Vec<usize>, Vec<f32>)]),
}

/// What goes into a bundle's folder.
pub struct BundleFiles<'a> {
    /// Shapes, recipe, thresholds.
    pub manifest: &'a Manifest,
    /// Tags and classes.
    pub vocabulary: &'a Vocabulary,
    /// The tagger or the CLIP.
    pub network: (Weights<'a>, Precision),
    /// What a CLIP has beside its weights.
    pub clip: Option<&'a ClipFiles>,
    /// The projector with its `centers`.
    pub projector: Option<(Weights<'a>, Precision)>,
    /// A projector trained with cross-entropy alone.
    pub projector_ce: Option<(Weights<'a>, Precision)>,
    /// What detectors were fitted to, as safetensors.
    pub statistics: Option<&'a [u8]>,
}

impl BundleFiles<'_> {
    /// Writes the bundle to a folder that does not exist yet (or is empty).
    ///
    /// # Errors
    /// If the folder holds something, a tensor cannot be read, or the disk cannot be written; what
    /// was written by then is removed.
    pub fn write(&self, folder: &Path) -> Result<(), BundleError> {
        let failed = || io("cannot write the bundle", folder);
        let whole = WholeFolder::create(folder).map_err(failed())?;
        // What a person is told of is the place that the file was to have.
        let written = self.write_into(whole.path());
        written.map_err(|error| error.renamed(whole.path(), folder))?;
        whole.commit().map_err(failed())
    }

    fn write_into(&self, folder: &Path) -> Result<(), BundleError> {
        let vocabulary = self.vocabulary;
        let mut sums = Checksums::new();
        let mut thresholds = String::new();
        vocabulary.thresholds.iter().for_each(|t| thresholds += &format!("{t}\n"));
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            fs::write(&path, bytes).map_err(io("cannot write the bundle", &path))
        };
        let mut lists = vec![(TAGS, vocabulary.tags.join("\n") + "\n"), (THRESHOLDS, thresholds)];
        if let Some(clip) = self.clip {
            let lines = clip.known.iter().map(|known| known.line() + "\n").collect::<String>();
            lists = if lines.is_empty() { Vec::new() } else { vec![(NAMES, lines)] };
            if let Some(tokenizer) = &clip.tokenizer {
                write(TOKENIZER, tokenizer)?;
                sums.insert(TOKENIZER.into(), checksums::of_bytes(tokenizer));
            }
        }
        for (name, text) in lists {
            write(name, text.as_bytes())?;
            let list = List::of_bytes(text.as_bytes(), &folder.join(name));
            sums.insert(
                name.into(),
                checksums::of_list(&list.map_err(super::VocabularyError::from)?),
            );
        }
        if self.clip.is_none() {
            write(CLASSES, vocabulary.classes_text().as_bytes())?;
        }
        if let Some(bytes) = self.statistics {
            write(STATISTICS, bytes)?;
            sums.insert(STATISTICS.into(), checksums::of_bytes(bytes));
        }
        let names = self.class_names()?;
        let prompts = self.clip.and_then(|clip| clip.prompts.as_ref());
        let prompts = prompts
            .map(|prompts| (Weights::Stored(prompts, vec![LEARNED.to_owned()]), Precision::Single));
        let network = if self.clip.is_some() { CLIP } else { TAGGER };
        let networks = [
            (network, Some(&self.network), None),
            (PROMPTS, prompts.as_ref(), None),
            (PROJECTOR, self.projector.as_ref(), names),
            (PROJECTOR_CE, self.projector_ce.as_ref(), None),
        ];
        for (name, network, names) in networks {
            let Some((weights, precision)) = network else { continue };
            let path = folder.join(name);
            let notes = names.map(|names| (CLASS_NAMES.to_owned(), names)).into_iter().collect();
            write_weights(&path, weights, *precision, &notes)?;
            let sum = checksums::of_file(&path).map_err(io("cannot write the bundle", &path))?;
            sums.insert(name.into(), sum);
        }
        let manifest = Manifest { format: FORMAT, checksums: sums, ..self.manifest.clone() };
        let text = toml::to_string(&manifest).map_err(|e| BundleError::Manifest {
            reason: e.to_string(),
            path: folder.join(MANIFEST),
        })?;
        write(MANIFEST, checksums::sealed(&text).as_bytes())
    }

    /// The names of the classes, in the order of the centers, as the projector's file keeps them.
    fn class_names(&self) -> Result<Option<String>, BundleError> {
        let names: Vec<&str> = self.vocabulary.classes.iter().map(|c| c.name.as_str()).collect();
        let centers = self.manifest.projector.as_ref().map(|config| config.classes);
        if centers != Some(names.len()) {
            return Ok(None);
        }
        serde_json::to_string(&names).map(Some).map_err(|error| BundleError::Manifest {
            reason: error.to_string(),
            path: PROJECTOR.into(),
        })
    }
}

impl Bundle {
    /// Writes all that the bundle is made of to a folder that does not exist yet (or is empty), its
    /// networks in the precision they came in; `network` rounds tagger or CLIP to another one.
    ///
    /// # Errors
    /// If a tensor is missing, misshapen or not finite in its precision, or the folder cannot be
    /// written.
    pub fn write(&self, folder: &Path, network: Option<Precision>) -> Result<(), BundleError> {
        // Building the network names its tensors, without the rest of a published checkpoint.
        let device = Device::flex();
        let from = WeightLoader::stored(&self.network, &device);
        match (&self.manifest.tagger, &self.manifest.clip) {
            (Some(config), _) => drop(Ram::new(config, &from)?),
            (None, Some(part)) => drop(Clip::new(&part.shape, &from)?),
            (None, None) => {}
        }
        let names = from.names().into_keys().collect();
        let precision = network.unwrap_or_else(|| precision_of(&self.network));
        let projector = match (&self.projector, self.centers()?) {
            (Some(source), Some((centers, shape))) => {
                let mut tensors = self.projector_tensors(source)?;
                tensors.retain(|(name, ..)| name != CENTERS);
                tensors.push((CENTERS.into(), shape.to_vec(), centers));
                Some((tensors, precision_of(source)))
            }
            _ => None,
        };
        let projector_ce = match &self.projector_ce {
            Some(source) => Some((self.projector_tensors(source)?, precision_of(source))),
            None => None,
        };
        let files = BundleFiles {
            manifest: &self.manifest,
            vocabulary: &self.vocabulary,
            network: (Weights::Stored(&self.network, names), precision),
            clip: self.clip.as_ref(),
            projector: projector.as_ref().map(|(values, p)| (Weights::Values(values), *p)),
            projector_ce: projector_ce.as_ref().map(|(values, p)| (Weights::Values(values), *p)),
            statistics: self.statistics.as_deref(),
        };
        files.write(folder)
    }

    /// A projector's tensors with its centers, where they are beside them.
    fn projector_tensors(&self, source: &Source) -> Result<Vec<NamedValues>, BundleError> {
        let Some(config) = &self.manifest.projector else { return Ok(Vec::new()) };
        let shapes = source.shapes();
        let names = projector_names(source, config)?.into_iter();
        let found = names.filter_map(|name| shapes.get(&name).map(|shape| (name, shape.clone())));
        found
            .map(|(name, shape)| Ok((name.clone(), shape.clone(), source.read(&name, &shape)?)))
            .collect()
    }
}

/// The tensor of LoCoOp's learned prompts.
const LEARNED: &str = "ctx";

/// The class centers in a projector's file.
const CENTERS: &str = "centers";

/// A tensor's name, shape and values.
type NamedValues = (String, Vec<usize>, Vec<f32>);

/// The tensors of a projector and its centers, without the rest of a training state.
///
/// # Errors
/// If one of the projector's is missing or misshapen.
pub fn projector_names(
    source: &Source,
    config: &ProjectorConfig,
) -> Result<Vec<String>, WeightsError> {
    let device = Device::flex();
    let from = WeightLoader::stored(source, &device);
    Projector::new(config, &from)?;
    let mut names: Vec<String> = from.names().into_keys().collect();
    names.push(CENTERS.into());
    Ok(names)
}

fn precision_of(source: &Source) -> Precision {
    match source.is_half() {
        true => Precision::Half,
        false => Precision::Single,
    }
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BundleError {
    move |source| BundleError::Io { action, source, path: path.to_owned() }
}

fn write_weights(
    path: &Path,
    weights: &Weights,
    precision: Precision,
    notes: &BTreeMap<String, String>,
) -> Result<(), BundleError> {
    let finite = |name: &str, values: Vec<f32>| {
        check_finite(name, &values, path)?;
        Ok(values)
    };
    match weights {
        Weights::Values(tensors) => {
            let shapes = tensors.iter().map(|(name, shape, _)| (name.clone(), shape.clone()));
            let values: BTreeMap<&str, &[f32]> = tensors
                .iter()
                .map(|(name, _, values)| (name.as_str(), values.as_slice()))
                .collect();
            write_tensors(path, &shapes.collect(), precision, notes, |name, _| {
                finite(name, values[name].to_vec())
            })
        }
        Weights::Stored(source, names) => {
            let all = source.shapes();
            let shapes = names.iter().filter_map(|n| Some((n.clone(), all.get(n)?.clone())));
            write_tensors(path, &shapes.collect(), precision, notes, |name, shape| {
                finite(name, source.read(name, shape)?)
            })
        }
    }
}

/// Writes tensors to a safetensors file, asking for one at a time, so that a file larger than
/// memory can be written.
///
/// # Errors
/// If `read` fails, gives another number of values than the shape says, a value is too large for 16
/// bits, or the file cannot be written.
pub fn write_safetensors(
    path: &Path,
    shapes: &BTreeMap<String, Vec<usize>>,
    precision: Precision,
    read: impl FnMut(&str, &[usize]) -> Result<Vec<f32>, BundleError>,
) -> Result<(), BundleError> {
    write_tensors(path, shapes, precision, &BTreeMap::new(), read)
}

/// As [`write_safetensors`], with what the file says of itself.
fn write_tensors(
    path: &Path,
    shapes: &BTreeMap<String, Vec<usize>>,
    precision: Precision,
    notes: &BTreeMap<String, String>,
    mut read: impl FnMut(&str, &[usize]) -> Result<Vec<f32>, BundleError>,
) -> Result<(), BundleError> {
    let (dtype, size) = match precision {
        Precision::Single => ("F32", 4),
        Precision::Half => ("F16", 2),
    };
    let mut at = 0;
    let mut header = serde_json::Map::new();
    if !notes.is_empty() {
        header.insert("__metadata__".into(), json!(notes));
    }
    for (name, shape) in shapes {
        let end = at + shape.iter().product::<usize>() * size;
        let entry = json!({ "dtype": dtype, "shape": shape, "data_offsets": [at, end] });
        header.insert(name.clone(), entry);
        at = end;
    }
    let mut header = serde_json::to_vec(&header)
        .map_err(|e| BundleError::Manifest { reason: e.to_string(), path: path.to_owned() })?;
    header.resize(header.len().next_multiple_of(8), b' ');

    let fail = || io("cannot write the weights", path);
    let mut file = WholeFile::create(path).map_err(fail())?;
    file.write_all(&(header.len() as u64).to_le_bytes()).map_err(fail())?;
    file.write_all(&header).map_err(fail())?;
    for (name, shape) in shapes {
        let values = read(name, shape)?;
        if values.len() != shape.iter().product::<usize>() {
            let reason = format!("tensor `{name}` has {} values for {shape:?}", values.len());
            return Err(BundleError::Manifest { reason, path: path.to_owned() });
        }
        if precision == Precision::Half {
            check_half(name, &values, path)?;
        }
        for chunk in values.chunks(1 << 16) {
            file.write_all(&bytes_of(chunk, precision)).map_err(fail())?;
        }
    }
    file.commit().map_err(fail())
}

fn bytes_of(values: &[f32], precision: Precision) -> Vec<u8> {
    match precision {
        Precision::Single => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        Precision::Half => values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let shapes = BTreeMap::from([("a".to_owned(), vec![2, 3]), ("b".to_owned(), vec![])]);
        let values = |name: &str| match name {
            "a" => vec![0.5, -1.0, 2.0, 3.0, 65504.0, 0.0],
            _ => vec![7.0],
        };
        for precision in [Precision::Single, Precision::Half] {
            write_safetensors(&path, &shapes, precision, |name, _| Ok(values(name))).unwrap();
            let source = Source::open(&path).unwrap();
            assert_eq!(source.shapes(), shapes);
            assert_eq!(source.read("a", &[2, 3]).unwrap(), values("a"));
            assert_eq!(source.read("b", &[]).unwrap(), values("b"));
        }
    }

    #[test]
    fn what_would_overflow_in_16_bits_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let shapes = BTreeMap::from([("a".to_owned(), vec![2])]);
        let error = write_safetensors(&path, &shapes, Precision::Half, |_, _| Ok(vec![1.0, 1e6]));
        let error = error.unwrap_err().to_string();
        assert!(error.starts_with("tensor `a` holds 1000000, beyond the largest"), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn a_wrong_number_of_values_names_the_tensor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let shapes = BTreeMap::from([("a".to_owned(), vec![2])]);
        let error = write_safetensors(&path, &shapes, Precision::Single, |_, _| Ok(vec![1.0]));
        assert!(error.unwrap_err().to_string().contains("`a`"));
    }
}
